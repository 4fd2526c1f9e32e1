# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines, outcome, problem_lines, table
from tests.doubles.gossip.answers import judge, node


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


PLAN = {
    "cluster_name": "cluster1",
    "mode": "managers",
    "endpoints": [
        {"kind": "database", "address": "192.168.1.11:2113"},
        {"kind": "manager", "address": "192.168.1.11:30778"},
    ],
    "hosts": {
        "node1": {
            "manager": {"options": {"Log": "/var/log/manager"}},
            "nodes": [{"log": "/var/log/nodes"}],
        },
        "node2": {"manager": None, "nodes": [{"log": None}]},
    },
}


def gossip(**changes: object) -> dict[str, object]:
    server = {"host": "node1", "address": "192.168.1.11:2113", "internal": "192.168.1.11:2112"}
    member = {**server, "name": "node1/database", "state": "Master", "in_sync": True}
    member |= {"asked": True, "answers": True}
    return {
        "has_quorum": True,
        "cluster_size": 1,
        "quorum_size": 1,
        "can_lose": 0,
        "members": [{**member, "lag_bytes": 0, "es_version": "3.4.0.0"}],
        "managers": [{**server, "name": "node1/manager", "asked": True, "answers": False}],
        "problems": [],
        **changes,
    }


def test_the_table_says_what_runs_where_and_where_to_look():
    assert table(gossip(), PLAN) == [
        "cluster1 has quorum, 1 of 1 nodes in sync, 1 needed, can lose 0",
        "machine  server    state      external           internal           lag  version",
        "node1    database  Master     192.168.1.11:2113  192.168.1.11:2112  0 B  3.4.0.0",
        "node1    manager   no answer  192.168.1.11:2113  192.168.1.11:2112",
        "state of the cluster  curl http://192.168.1.11:2113/gossip?format=json",
        "logs on node1         /var/log/manager /var/log/nodes",
        "logs on node2         the server's default directory",
    ]


def test_without_quorum_the_first_line_says_so_and_the_problems_follow():
    lines = table(
        gossip(has_quorum=False, problems=[problem("node2 is down", code="no-answer", hint="Start it")]), PLAN
    )
    assert lines[0] == "cluster1 NO QUORUM, 1 of 1 nodes in sync, 1 needed"
    assert "- no-answer: node2 is down. Start it." in lines


@pytest.mark.parametrize(("is_alive", "expected"), [(True, "seen alive"), (False, "seen dead")])
def test_who_was_not_asked_has_not_failed_to_answer(is_alive, expected):
    words = {"10.0.0.1": "Master", "10.0.0.2": "Slave", "10.0.0.9": "Clone" if is_alive else "Clone dead"}
    facts = judge(node(1, words), node(2, words), size=2)
    line = next(line for line in table(facts, PLAN) if "10.0.0.9:2113" in line)
    assert expected in line
    assert "no answer" not in line


def server(name: str, last: int, *, answers: bool) -> dict[str, object]:
    return {
        **{"host": name, "name": f"{name}/x", "asked": True, "answers": answers, "state": "Slave"},
        **{"in_sync": True, "lag_bytes": 0},
        **{"es_version": "", "address": f"192.168.1.{last}:2113", "internal": f"192.168.1.{last}:2112"},
    }


@pytest.mark.parametrize(
    ("mode", "managers", "members", "expected"),
    [
        ("managers", (False, True), (True, True), "curl http://192.168.1.12:2113/gossip?format=json"),
        ("managers", (False, False), (False, True), "curl http://192.168.1.14:2113/gossip?format=json"),
        ("managers", (False, False), (False, False), "no server answers; see the logs"),
        ("nodes", (), (False, True), "curl http://192.168.1.14:2113/gossip?format=json"),
    ],
)
def test_the_state_is_asked_of_a_server_that_answers(mode, managers, members, expected):
    seen = gossip(
        managers=[server(f"node{n}", 10 + n, answers=answers) for n, answers in enumerate(managers, 1)],
        members=[server(f"node{n}", 12 + n, answers=answers) for n, answers in enumerate(members, 1)],
    )
    assert f"state of the cluster  {expected}" in table(seen, {**PLAN, "mode": mode})


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
                "NOT deployed on node2, node3: failed or unreachable, see above. Fix the cause and run the playbook "
                "again.",
            ],
        ),
        (
            ["node1"],
            ["node1"],
            False,
            ["cluster1: deployed on node1", "NOT deployed on node2, node3: excluded by --limit"],
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
