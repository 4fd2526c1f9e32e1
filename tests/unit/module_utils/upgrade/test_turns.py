# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a roll: what each turn and the time after the last one have brought about."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import alarms, turn, turns

CALM = {
    "began": "2026-11-28T11:54:55Z",
    "seconds": 12.4,
    "sweeps": 118,
    "calm_s": 5.1,
    "elections": 0,
    "epochs": [5],
    "masters": ["node1/database"],
    "two_masters_s": 0.0,
    "two_masters": [],
    "no_quorum_s": 0.0,
    "restarted": [],
    "ended": [],
    "back_s": 9.7,
    "copied_bytes": 1048576,
}
ELECTION = {**CALM, "elections": 1, "epochs": [5, 6], "masters": ["node1/database", "node2/database"]}
TORN = {
    **ELECTION,
    "began": "2026-11-28T11:56:00Z",
    "two_masters_s": 1.6,
    "two_masters": ["node1/database", "node2/database"],
    "ended": ["node1/database"],
}


def machines(**watched):
    """As the role services registers results: a skipped item, one that was not restarted, and the restart."""
    idle = [{"skipped": True}, {"changed": False, "watched": None}]
    return {
        host: {"services_results": {"results": [*idle, *({"watched": each} for each in found)]}}
        for host, found in watched.items()
    }


def test_the_line_of_a_turn_says_when_it_was_caught_up_what_it_copied_and_who_is_master():
    assert turn("es-cluster1", CALM) == (
        "es-cluster1 was caught up 9.7 s after its stop, 1.0 MiB copied, master is node1/database: no election, and no"
        " other node began or ended"
    )
    assert "master is node2/database: 1 election: epoch 5 to 6" in turn("es-cluster1", ELECTION)
    assert "master is unknown" in turn("es-cluster1", {**CALM, "masters": []})


def test_the_table_has_each_turn_in_its_order_and_the_whole():
    after = {**CALM, "began": "2026-11-28T11:56:20Z", "seconds": 5.3}
    head, first, second, last, whole = turns(machines(node1=[TORN], node2=[CALM], node3=[]), after)
    assert head.split("  ")[0] == "machine"
    assert first.split() == [
        *["node2", "9.7", "s", "1.0", "MiB", "node1/database"],
        *["no", "election,", "and", "no", "other", "node", "began", "or", "ended"],
    ]
    assert second.startswith("node1 ")
    assert "were master at once for 1.6 s: writes of this time may be lost although they were acknowledged" in second
    assert {line.index("node1/database") for line in (first,)} == {head.index("master then")}
    assert last == "after the last turn, 5 s: no election, and no other node began or ended"
    assert whole == "2 restarts in 90 s; no time without quorum was seen"


def test_the_longest_time_without_quorum_is_that_of_any_turn_or_of_the_time_after():
    lost = {**CALM, "no_quorum_s": 1.25}
    for found, after in (([lost, CALM], CALM), ([CALM], {**CALM, "no_quorum_s": 1.25}), ([lost], lost)):
        assert turns(machines(node1=found), after)[-1].endswith("the longest time without quorum seen was 1.2 s")


def test_where_nothing_was_restarted_there_is_nothing_to_say():
    assert turns(machines(node1=[]), ELECTION) == []
    assert turns({"node1": {}}, ELECTION) == []


def test_an_alarm_is_what_may_have_lost_writes():
    assert alarms(ELECTION) == []
    assert alarms({**CALM, "no_quorum_s": 3.0, "restarted": ["node1/database"]}) == []
    assert [line.partition(" were ")[0] for line in alarms(TORN)] == [
        "node1/database and node2/database",
        "node1/database ended by itself; its log says why",
    ]
