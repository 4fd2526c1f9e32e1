# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import EMPTY_ID, ClusterInfo, Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership

NOW = "2026-11-22T22:46:08Z"
LATER = "2026-11-22T22:46:09.5Z"
A, B, C = (Endpoint(f"127.0.0.1{number}", 2112) for number in (1, 2, 3))


def member(key: Endpoint, **fields: object) -> Member:
    base = Member.manager(f"id-{key.ip}", NOW, key, Endpoint(key.ip, key.port + 1))
    node = dataclasses.replace(base, state="Slave", epoch_number=1, writer_checkpoint=100)
    return dataclasses.replace(node, **fields)  # type: ignore[arg-type]


def knowing(*members: Member) -> Membership:
    membership = Membership(member(A))
    membership.merge(ClusterInfo(members, Endpoint("127.0.0.99", 1)), NOW)
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
    membership.merge(ClusterInfo((theirs,), sender), LATER, master=master)
    assert membership.find(B) == (theirs if taken else ours)


def test_the_own_entry_is_never_taken_from_others() -> None:
    membership = knowing()
    lie = member(A, state="Master", epoch_number=99, time_stamp=LATER)
    assert membership.merge(ClusterInfo((lie,), A), LATER) == []
    assert membership.own == member(A)


def test_changes_name_what_changed_and_not_what_only_aged() -> None:
    membership = knowing(member(B))
    older = membership.find(B)
    assert membership.merge(ClusterInfo((member(B, time_stamp=LATER),), C), LATER) == []
    assert membership.find(B) != older
    dead = member(B, time_stamp="2026-11-22T22:46:10Z", is_alive=False)
    assert membership.merge(ClusterInfo((dead,), C), LATER) == [(member(B, time_stamp=LATER), dead)]


def test_seeds_are_managers_with_a_zero_id_until_somebody_answers() -> None:
    membership = Membership(member(A))
    membership.add_seeds([A, B], NOW)
    assert membership.own == member(A)
    seed = membership.find(B)
    assert seed is not None
    assert (seed.state, seed.instance_id, seed.is_alive, seed.external_http) == ("Manager", EMPTY_ID, True, B)
    membership.merge(ClusterInfo((member(B),), B), NOW)
    assert membership.find(B) == member(B)


def test_marking() -> None:
    membership = knowing(member(B))
    (change,) = membership.mark(B, LATER, is_alive=False)
    assert change == (member(B), member(B, is_alive=False, time_stamp=LATER))
    assert membership.mark(B, LATER, is_alive=False) == []
    assert membership.mark(A, LATER, is_alive=False) == []
    assert membership.mark(C, LATER, is_alive=False) == []


def test_the_dead_are_forgotten_after_half_an_hour_and_not_learnt_again() -> None:
    dead = member(B, is_alive=False)
    membership = knowing(dead)
    assert membership.drop_dead("2026-11-22T23:16:08Z") == []
    assert membership.drop_dead("2026-11-22T23:16:09Z") == [(dead, None)]
    assert membership.merge(ClusterInfo((dead,), C), "2026-11-22T23:16:09Z") == []
    assert membership.find(B) is None


def test_targets_are_all_others_and_never_the_own_member() -> None:
    membership = knowing(member(B, is_alive=False), member(C))
    rng = random.Random(1)
    targets = [membership.target(rng) for _ in range(50)]
    assert {target.key for target in targets if target} == {B, C}
    assert Membership(member(A)).target(rng) is None


def test_the_own_key_cannot_change() -> None:
    with pytest.raises(ValueError, match=r"not 127\.0\.0\.12:2112"):
        Membership(member(A)).set_own(member(B))
