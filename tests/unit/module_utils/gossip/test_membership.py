# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import EMPTY_ID, ClusterInfo, Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import MAX_MEMBERS, Membership

NOW = "2026-11-22T22:46:08Z"
LATER = "2026-11-22T22:46:09.5Z"
A, B, C, D = (Endpoint(f"127.0.0.1{number}", 2112) for number in (1, 2, 3, 4))


class Clock:
    text = NOW

    def __call__(self) -> str:
        return self.text


def guid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def member(key: Endpoint, **fields: object) -> Member:
    base = Member.manager(guid(int(key.host.rpartition(".")[2])), NOW, key, Endpoint(key.host, key.port + 1))
    tcp = Endpoint(key.host, 1112)
    node = dataclasses.replace(base, state="Slave", internal_tcp=tcp, epoch_number=1, writer_checkpoint=100)
    return dataclasses.replace(node, **fields)  # type: ignore[arg-type]


def knowing(*members: Member, clock: Clock | None = None) -> Membership:
    membership = Membership(member(A), rng=random.Random(1), now=clock or Clock())
    membership.receive(ClusterInfo(members, Endpoint("127.0.0.99", 1)))
    return membership


RULES = [
    ("unknown ones are taken", None, member(B), C, B, True),
    ("later time wins", member(B), member(B, time_stamp=LATER, is_alive=False), C, None, True),
    ("earlier time loses", member(B, time_stamp=LATER), member(B, is_alive=False), C, None, False),
    ("higher epoch beats a later time", member(B, epoch_number=2), member(B, time_stamp=LATER), C, None, False),
    ("more written beats a later time", member(B, writer_checkpoint=101), member(B, time_stamp=LATER), C, None, False),
    ("the sender knows itself best", member(B, epoch_number=9, time_stamp=LATER), member(B), B, None, True),
    ("of the master only its own word counts", member(B), member(B, is_alive=False, time_stamp=LATER), C, B, False),
    ("the master's own word counts", member(B), member(B, state="Unknown", time_stamp=LATER), B, B, True),
    (
        "a seed not reached by others replaces nothing",
        member(B, epoch_number=-1, writer_checkpoint=-1),
        Member.manager(EMPTY_ID, LATER, B, B),
        C,
        None,
        False,
    ),
    ("a real one replaces a seed", Member.manager(EMPTY_ID, LATER, B, B), member(B), C, None, True),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "sender", "master", "taken"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES]
)
def test_which_entry_is_kept(
    ours: Member | None, theirs: Member, sender: Endpoint, master: Endpoint | None, taken: bool
) -> None:
    membership = knowing(ours) if ours else knowing()
    membership.receive(ClusterInfo((theirs,), sender), master=master)
    assert membership.members.get(B) == (theirs if taken else ours)


def test_the_own_entry_is_never_taken_from_others() -> None:
    membership = knowing()
    lie = member(A, instance_id=guid(9), state="Master", epoch_number=99, time_stamp=LATER)
    assert membership.receive(ClusterInfo((lie,), A)) == []
    assert membership.own == member(A)


def test_lines_for_the_log_say_what_changed_and_nothing_of_what_only_aged() -> None:
    membership = knowing(member(B))
    assert membership.receive(ClusterInfo((member(B, time_stamp=LATER),), C)) == []
    dead = member(B, time_stamp="2026-11-22T22:46:10Z", is_alive=False)
    assert membership.receive(ClusterInfo((dead,), C)) == [
        "database node 127.0.0.12:2112 is dead: says 127.0.0.13:2112"
    ]


def test_seeds_are_managers_with_a_zero_id_until_somebody_answers() -> None:
    membership = knowing()
    membership.add_seeds([A, B])
    assert membership.own == member(A)
    seed = membership.members[B]
    assert (seed.state, seed.instance_id, seed.is_alive, seed.external_http) == ("Manager", EMPTY_ID, True, B)
    membership.receive(ClusterInfo((member(B),), B))
    assert membership.members[B] == member(B)


def test_a_failed_send_marks_the_member_dead_once() -> None:
    clock = Clock()
    membership = knowing(member(B), clock=clock)
    clock.text = LATER
    assert membership.send_failed(B, "refused") == ["database node 127.0.0.12:2112 is dead: refused"]
    assert membership.members[B] == member(B, is_alive=False, time_stamp=LATER)
    assert membership.send_failed(B, "refused") == []
    assert membership.send_failed(C, "refused") == []


def test_the_dead_are_forgotten_after_half_an_hour_and_not_learnt_again() -> None:
    clock = Clock()
    dead = member(B, is_alive=False)
    membership = knowing(dead, clock=clock)
    clock.text = "2026-11-22T23:16:07Z"
    membership.add_seeds([])
    assert B in membership.members
    clock.text = "2026-11-22T23:16:09Z"
    membership.add_seeds([])
    assert B not in membership.members
    membership.receive(ClusterInfo((dead,), C))
    assert B not in membership.members


def test_a_manager_that_an_election_calls_unknown_is_passed_on_as_a_manager() -> None:
    manager = Member.manager(guid(2), NOW, B, Endpoint(B.host, B.port + 1))
    membership = knowing(manager)
    reset = dataclasses.replace(manager, state="Unknown", time_stamp=LATER)
    seed = dataclasses.replace(Member.manager(EMPTY_ID, NOW, C, C), state="Unknown")
    lines = membership.receive(ClusterInfo((member(D), reset, seed), D))
    assert lines == [f"seed {C} joined: says {D}", f"database node {D} joined: says {D}"]
    passed_on = {each.key: each for each in membership.info().members}
    assert (passed_on[B].state, passed_on[B].time_stamp) == ("Manager", LATER)
    assert (passed_on[C].state, passed_on[C].is_unresolved_seed) == ("Manager", True)


def test_targets_are_all_others_and_never_the_own_member() -> None:
    membership = knowing(member(B, is_alive=False), member(C))
    assert {membership.target() for _ in range(50)} - {None} == {B, C}
    assert knowing().target() is None


@pytest.mark.parametrize(
    "bad",
    [
        member(B, instance_id="x"),
        member(B, epoch_id=""),
        member(B, state="Boss"),
        member(B, internal_http=Endpoint("localhost", 1)),
        member(B, internal_http=Endpoint("127.0.0.12", 0)),
    ],
)
def test_what_servers_could_not_read_is_refused_as_a_whole(bad: Member) -> None:
    membership = knowing()
    with pytest.raises(GossipError, match="expected"):
        membership.receive(ClusterInfo((member(C), bad), C))
    assert list(membership.members) == [A]


def test_a_stranger_cannot_fill_the_memory() -> None:
    membership = knowing()
    for block in range(3):
        many = tuple(member(Endpoint(f"127.{block + 1}.{n // 250}.{n % 250 + 1}", 1)) for n in range(MAX_MEMBERS))
        membership.receive(ClusterInfo(many, C))
    assert len(membership.members) == MAX_MEMBERS
