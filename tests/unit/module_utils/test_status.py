# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines, outcome

THREE = {"cluster_name": "cluster1", "hosts": {"node1": {}, "node2": {}, "node3": {}}}


@pytest.mark.parametrize(
    ("hosts", "left", "check", "lines"),
    [
        (
            ["node1", "node2", "node3"],
            ["node3", "node1", "node2"],
            False,
            ["cluster1: deployed on node1, node2, node3"],
        ),
        (
            ["node1", "node2", "node3"],
            ["node1"],
            True,
            [
                "cluster1: would be deployed on node1 (check mode)",
                "NOT deployed on node2, node3: failed or not reached, see above. Correct that, and run it again.",
            ],
        ),
        (
            ["node1"],
            ["node1"],
            False,
            ["cluster1: deployed on node1", "NOT deployed on node2, node3: left out by --limit"],
        ),
    ],
    ids=["all", "two failed", "limit"],
)
def test_the_outcome_names_every_machine_once(hosts, left, check, lines):
    assert outcome(THREE, "deployed", hosts, left, check=check) == lines


def test_advice_is_given_once_with_the_machines_it_is_about():
    notes = {"node1": ["1024 files are few"], "node2": [], "node3": ["1024 files are few", "a URL is reserved"]}
    assert note_lines(notes) == ["- node1, node3: 1024 files are few.", "- node3: a URL is reserved."]
    assert note_lines({"node1": []}) == []
