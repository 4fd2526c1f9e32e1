# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of real clusters of 22.10.5 to 26.1.0: each gets the verdict that fits to what had been done to it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from tests.doubles.gossip.answers import REFUSED, codes, judge, ok

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/gossip/modern.captures.json").read_text())
CAPTURES = {(each["capture"], each["size"]): each for each in RECORDED["captures"]}

CUT = {"cut-off", "disagree"}

# Capture, second: quorum, healthy, can_lose, the leader, codes of problems.
Verdict = tuple[bool, bool, int, t.Optional[str], set[str]]
EXPECTED: dict[tuple[str, int, float], Verdict] = {
    ("23.10.6-1-fresh-election", 3, 19.4): (True, True, 1, "2", set()),
    ("23.10.6-2-dns-ghosts-leader-killed-restarted", 3, 8.3): (True, False, 0, "3", {"no-answer"}),
    ("23.10.6-2-dns-ghosts-leader-killed-restarted", 3, 80): (True, True, 1, "3", set()),
    ("23.10.6-3-leader-killed", 3, 0.4): (True, True, 1, "1", set()),
    ("23.10.6-3-leader-killed", 3, 1.5): (
        *(False, False, 0, None),
        {"no-quorum", "master-silent", "no-master", "disagree"},
    ),
    ("23.10.6-3-leader-killed", 3, 14.64): (True, False, 0, "2", {"no-answer"}),
    ("23.10.6-3-leader-restarted", 3, 22.8): (True, True, 1, "2", set()),
    ("23.10.6-4-partition", 3, 7.6): (False, False, 0, None, {"no-quorum", "no-master", *CUT}),
    ("23.10.6-4-partition", 3, 16.8): (True, False, 0, "3", {"not-in-sync", *CUT}),
    ("23.10.6-4-partition", 3, 34): (True, False, 0, "3", {"no-answer"}),
    ("23.10.6-5-resign-with-priority", 3, 15.4): (True, True, 1, "2", set()),
    ("23.10.6-5-resign-with-priority", 3, 30): (True, True, 1, "3", set()),
    ("23.10.6-5-resign-with-priority", 3, 75): (True, True, 1, "2", set()),
    ("23.10.6-6-read-only-replica", 3, 9.1): (True, True, 1, "2", set()),
    ("23.10.6-6-replica-leader-killed-then-one-voter", 3, 16.8): (True, False, 0, "3", {"no-answer", "old-member"}),
    ("23.10.6-6-replica-leader-killed-then-one-voter", 3, 37.6): (
        *(False, False, 0, None),
        {"no-quorum", "no-answer", "no-master", "old-member"},
    ),
    ("24.10.4-1-fresh-election", 3, 34.8): (True, True, 1, "1", set()),
    ("24.10.4-2-names-ip-seeds-quiet", 3, 32.4): (True, True, 1, "1", set()),
    ("24.10.4-2-names-ip-seeds-quiet", 3, 43.7): (True, True, 1, "3", set()),
    ("24.10.4-2-names-ip-seeds-quiet", 3, 51.2): (True, False, 0, "2", {"no-answer"}),
    ("24.10.4-2-names-ip-seeds-quiet", 3, 60.95): (True, True, 1, "2", set()),
    ("24.10.4-2-names-ip-seeds", 3, 82.2): (True, False, 0, "2", {"no-answer"}),
    ("24.10.4-grow-3-to-5", 3, 23.8): (True, True, 1, "2", {"unreached-seed"}),
    ("24.10.4-grow-3-to-5", 3, 34): (
        *(True, False, 1, "2"),
        {"cluster-size", "surplus-node", "disagree", "unreached-seed"},
    ),
    ("24.10.4-grow-3-to-5", 3, 60): (True, False, 1, "2", {"surplus-node", "unreached-seed"}),
    ("24.10.4-grow-3-to-5", 5, 105.2): (True, True, 2, "1", set()),
    ("24.10.4-split-brain-3-3-5-5-5", 5, 6.99): (True, True, 2, "1", set()),
    ("24.10.4-split-brain-3-3-5-5-5", 5, 18.7): (True, False, 0, "1", {"not-in-sync", *CUT}),
    ("24.10.4-split-brain-3-3-5-5-5", 5, 29.2): (False, False, 0, None, {"no-quorum", "several-masters", *CUT}),
    ("26.1.0-5-resign", 3, 13.4): (True, True, 1, "2", set()),
    ("26.1.0-5-resign", 3, 36.6): (True, True, 1, "3", set()),
    ("26.1.0-5-resign", 3, 48.9): (True, True, 1, "2", set()),
    ("roll-22.10.5-23.10.6", 3, 76): (True, True, 1, "1", set()),
    # Up to 22.10 gossip shows no version, and the recording of a roll has no /info.
    ("roll-22.10.5-23.10.6", 3, 139): (True, True, 1, "1", set()),
    ("roll-22.10.5-23.10.6", 3, 229): (True, True, 1, "2", set()),
    ("roll-23.10.6-24.10.4", 3, 262): (True, True, 1, "3", {"versions-differ"}),
    ("roll-23.10.6-24.10.4", 3, 476): (True, False, 0, "3", {"no-answer", "versions-differ"}),
}


def views(capture: str, size: int, at: float, *, internal: bool) -> list[view.View]:
    """What the nodes said at this second. ``internal``: the plan's key is the address, whatever the node advertises."""
    recorded = CAPTURES[capture, size]
    (frame,) = (each for each in recorded["frames"] if each["at"] == at)
    return [
        _view(Endpoint.parse(address), frame["answers"][number], number, internal)
        for number, address in recorded["addresses"].items()
    ]


def _view(address: Endpoint, answer: dict[str, t.Any] | None, number: str, internal: bool) -> view.View:
    target = view.Target(address, number, kind=view.DATABASE, internal=address if internal else None)
    if answer is None:
        return view.read(target, REFUSED, REFUSED)
    fields = RECORDED["fields"][answer["fields"]]
    members = [dict(zip(fields, row)) for row in answer["members"]]
    gossip = ok({"members": members, "serverIp": answer["server"][0], "serverPort": answer["server"][1]})
    return view.read(target, gossip, ok(answer["info"]) if "info" in answer else None)


def test_every_recorded_moment_has_a_verdict() -> None:
    recorded = {(*key, frame["at"]) for key, each in CAPTURES.items() for frame in each["frames"]}
    assert recorded == set(EXPECTED)


@pytest.mark.parametrize("internal", [False, True])
@pytest.mark.parametrize("moment", EXPECTED, ids=lambda moment: f"{moment[0]} at {moment[2]}")
def test_the_verdict_fits_to_what_had_been_done(moment: tuple[str, int, float], internal: bool) -> None:
    facts = judge(*views(*moment, internal=internal), size=moment[1])
    leader = facts["master"]["name"] if facts["master"] else None
    found = (facts["has_quorum"], facts["healthy"], facts["can_lose"], leader, codes(facts))
    assert found == EXPECTED[moment]


@pytest.mark.parametrize("moment", EXPECTED, ids=lambda moment: f"{moment[0]} at {moment[2]}")
def test_a_machine_is_one_member_whatever_seeds_are_listed(moment: tuple[str, int, float]) -> None:
    facts = judge(*views(*moment, internal=False), size=moment[1])
    asked = [member["name"] for member in facts["members"] if member["asked"]]
    assert asked == list(CAPTURES[moment[:2]]["addresses"])
    others = {member["address"].partition(":")[0] for member in facts["members"] if not member["asked"]}
    # Real nodes that were not asked: the surplus ones.
    assert others <= {"10.71.0.15", "10.81.0.14"}


def test_a_surplus_node_is_said_to_be_told_to_end() -> None:
    facts = judge(*views("24.10.4-grow-3-to-5", 3, 60, internal=False))
    (problem,) = (each for each in facts["problems"] if each["code"] == "surplus-node")
    assert problem["text"].startswith("10.81.0.14:2113 is a member (Clone, dead), but the leader has the 3 nodes")
    assert "exit code 0" in problem["text"]


def test_a_node_that_truncates_is_said_to_come_back() -> None:
    facts = judge(*views("24.10.4-2-names-ip-seeds", 3, 82.2, internal=False))
    (problem,) = facts["problems"]
    assert "NodeIp and NodePort match" in problem["hint"]
    assert problem["hint"].endswith("it ends once or twice before a start that joins")
