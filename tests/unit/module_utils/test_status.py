# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines, outcome, problem_lines


def problem(text: str, where: str = "", *, code: str = "wrong-value", hint: str = "Write it right") -> dict[str, str]:
    return {"code": code, "text": text, "hint": hint, "where": where}


def test_the_same_problem_of_several_places_is_one_line():
    lines = problem_lines(
        [problem("Db is relative", "node1"), problem("Db is relative", "node2"), problem("Log is relative.", "node2")]
    )
    assert lines == [
        "- wrong-value: node1, node2: Db is relative. Write it right.",
        "- wrong-value: node2: Log is relative. Write it right.",
    ]


def test_different_sentences_with_one_hint_stay_apart():
    lines = problem_lines([problem("first sentence"), problem("second sentence")])
    assert lines == [
        "- wrong-value: first sentence. Write it right.",
        "- wrong-value: second sentence. Write it right.",
    ]


def test_a_sentence_is_not_cut_at_its_own_colon():
    lines = problem_lines([problem("one: not enough"), problem("two: not enough")])
    assert lines == [
        "- wrong-value: one: not enough. Write it right.",
        "- wrong-value: two: not enough. Write it right.",
    ]


def test_a_problem_without_a_place_and_one_with_another_hint_stay_apart():
    lines = problem_lines([problem("no master"), problem("no master"), problem("no master", hint="Wait")])
    assert lines == ["- wrong-value: no master. Write it right.", "- wrong-value: no master. Wait."]


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
