# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a play: what its reader is told, and when it fails."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.filter.es_failure import es_failure
from ansible_collections.eventstore.cluster.plugins.filter.es_summary import es_summary
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

PLAN = plan({f"node{n}": {"eventstore_int_ip": f"192.168.1.1{n}"} for n in (1, 2, 3)})
GOSSIP = {
    "members": [],
    "managers": [],
    "problems": [],
    "has_quorum": True,
    "quorum_size": 2,
    "cluster_size": 3,
    "can_lose": 1,
    "watched": {"seconds": 1.0},
}
HOSTS = ["node1", "node2", "node3"]


def summary(done="", check=False, **hostvars):
    variables = {host: hostvars.get(host, {}) for host in HOSTS}
    return es_summary(GOSSIP, PLAN, HOSTS, ["node1", "node3"], variables, done=done, check=check)


def test_there_is_nothing_to_say():
    assert summary() == []


def test_advice_pending_restarts_and_what_was_done_follow():
    waits = {"item": "es-cluster1", "restart_needed": ["manager.yaml was written", "database.yaml was written"]}
    said = summary(
        "deployed",
        node1={"preflight_look": {"notes": ["no swap"]}, "services_results": {"results": [waits]}},
        node3={"preflight_look": {"notes": ["no swap"]}, "services_results": {"skipped": True}},
    )
    assert said[0] == "- node1, node3: no swap."
    assert said[1] == "node1: a restart of es-cluster1 is pending: manager.yaml was written; database.yaml was written"
    assert said[2] == "cluster1: deployed on node1, node3"
    assert said[3].startswith("NOT deployed on node2")


@pytest.mark.parametrize(
    ("not_met", "versions", "version", "words"),
    [
        ("", ["3.4.0.0"], True, []),
        ("", ["4.0.3.0"], False, []),
        ("", ["4.0.3.0"], True, ["eventstore_version is 3.4.0", "node1 runs 4.0.3.0", "/opt/eventstore/3.4.0"]),
        ("until: quorum: none\n- more", ["4.0.3.0"], True, ["cluster1: until: quorum: none. The problems"]),
    ],
)
def test_a_play_fails_where_the_cluster_is_not_as_it_has_to_be(not_met, versions, version, words):
    members = [{"name": f"node{n}", "es_version": said} for n, said in enumerate(versions, 1)]
    said = es_failure({**GOSSIP, "members": members}, PLAN, not_met, version=version)
    assert all(word in said for word in words)
    assert bool(said) == bool(words)
    assert "- more" not in said
