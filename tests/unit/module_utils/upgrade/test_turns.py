# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a roll: what each turn and the time after the last one have brought about."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.filter.es_turns import es_turns
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import alarms, happened

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
}
ELECTION = {**CALM, "elections": 1, "epochs": [5, 6], "masters": ["node1/database", "node2/database"]}
TORN = {
    **ELECTION,
    "began": "2026-11-28T11:56:00Z",
    "two_masters_s": 1.6,
    "two_masters": ["node1/database", "node2/database"],
    "ended": ["node1/database"],
}


def test_each_turn_in_its_order_and_what_came_after():
    hostvars = {
        "node1": {"services_results": {"results": [{"watched": TORN}]}, "eventstore_version": "5.0.11"},
        "node2": {"services_results": {"results": [{"watched": CALM}, {"skipped": True}, {"changed": False}]}},
        "node3": {"services_results": {"results": [{"changed": False}]}},
    }
    torn = (
        "1 election: epoch 5 to 6, master node1/database, then node2/database; node1/database and node2/database were"
        " master at once for 1.6 s: writes of this time may be lost although they were acknowledged; node1/database"
        " ended by itself; its log says why"
    )
    assert es_turns(["node1", "node2", "node3"], hostvars, {**CALM, "seconds": 5.3}) == [
        "node2, 12 s: no election, and no other node began or ended",
        f"node1, 12 s: {torn}",
        "after the last turn, 5 s: no election, and no other node began or ended",
    ]


def test_where_nothing_was_restarted_there_is_nothing_to_say():
    assert es_turns(["node1"], {"node1": {"services_results": {"results": [{"changed": False}]}}}, ELECTION) == []


def test_an_alarm_is_what_may_have_lost_writes():
    assert alarms(ELECTION) == []
    assert alarms({**CALM, "no_quorum_s": 3.0, "restarted": ["node1/database"]}) == []
    assert [line.partition(" were ")[0] for line in alarms(TORN)] == [
        "node1/database and node2/database",
        "node1/database ended by itself; its log says why",
    ]
    assert "no election" in happened(CALM)
