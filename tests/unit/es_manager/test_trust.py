# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import ipaddress
import random

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo, Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership
from es_manager import trust
from es_manager.trust import Trust

NOW = "2026-11-28T12:00:00Z"
OWN, SEED = Endpoint("192.0.2.1", 30777), Endpoint("192.0.2.2", 30777)
ONE, TWO = Endpoint("192.0.2.1", 2112), Endpoint("192.0.2.2", 2112)
STRANGER = "198.51.100.9"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_member(key: Endpoint, state: str = "Slave", **changes: object) -> Member:
    base = Member.manager("c0c063f9-481d-41e2-aee3-309a9b61c87f", NOW, key, Endpoint(key.host, key.port + 1))
    node = dataclasses.replace(base, internal_tcp=Endpoint(key.host, 1112), external_tcp=Endpoint(key.host, 1113))
    return dataclasses.replace(node, **{"state": state, "epoch_number": 2, "writer_checkpoint": 100, **changes})  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trusting(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Trust:
    monkeypatch.setattr(trust, "_addresses_here", lambda: {"192.0.2.77"})
    own = Member.manager("11111111-1111-1111-1111-111111111111", NOW, OWN, Endpoint(OWN.host, 30778))
    made = Trust(
        Membership(own, rng=random.Random(1), now=lambda: NOW),
        listed=[ipaddress.ip_network("203.0.113.0/28")],
        clock=clock,
    )
    made.found([SEED])
    return made


def know(trusting: Trust, *members: Member) -> None:
    for member in members:
        trusting.answered(member.key, ClusterInfo((member,), member.key))


def listed(trusting: Trust) -> dict[Endpoint, Member]:
    return {member.key: member for member in trusting.info().members if member.key not in (OWN, SEED)}


def states(trusting: Trust) -> dict[Endpoint, str]:
    return {key: member.state for key, member in listed(trusting).items()}


def test_what_is_claimed_is_asked_and_listed_once_it_answers(trusting: Trust) -> None:
    one = a_member(ONE)
    assert trusting.posted(ClusterInfo((one,), ONE), ONE.host) == []
    assert listed(trusting) == {}
    assert trusting.due() == [ONE]
    assert f"database node {ONE} joined: says {ONE}" in trusting.answered(ONE, ClusterInfo((one,), ONE))
    assert listed(trusting) == {ONE: one}


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", NOW])
def test_a_thousand_forged_members_leave_nothing_and_are_asked_a_few_at_a_time(
    trusting: Trust, clock: Clock, time: str
) -> None:
    know(trusting, a_member(ONE))
    forged = tuple(a_member(Endpoint(f"10.0.{n // 250}.{n % 250}", 2112), time_stamp=time) for n in range(999))
    for _times in range(5):
        trusting.posted(ClusterInfo((*forged, a_member(ONE)), ONE), ONE.host)
        asked = trusting.due()
        assert len(asked) <= trust.AT_ONCE
        for each in asked:
            trusting.failed(each, "no answer")
        clock.now += 1
    assert listed(trusting).keys() == {ONE}
    assert len(trusting._to_ask) <= trust.MAX_TO_ASK
    # A machine of the cluster that joins meanwhile need not wait for them.
    trusting.posted(ClusterInfo((a_member(TWO),), TWO), TWO.host)
    assert trusting.due()[0] == TWO


def test_of_a_stranger_only_its_own_address_counts_and_only_as_a_question(trusting: Trust) -> None:
    know(trusting, a_member(ONE, "Master"))
    lie = a_member(ONE, "Slave", epoch_number=9, time_stamp="2026-11-28T12:30:00Z")
    other = a_member(Endpoint("10.0.0.1", 2112))
    me = Endpoint(STRANGER, 2112)
    trusting.posted(ClusterInfo((lie, other, a_member(me)), me), STRANGER)
    assert states(trusting) == {ONE: "Master"}
    assert trusting.due() == [me]
    trusting.posted(ClusterInfo((lie,), ONE), STRANGER)
    assert (states(trusting), trusting.due()) == ({ONE: "Master"}, [])


def test_strangers_that_answer_are_few(trusting: Trust) -> None:
    for number in range(100):
        know(trusting, a_member(Endpoint(STRANGER, 3000 + number)))
    know(trusting, a_member(ONE))
    assert len(listed(trusting)) == trust.MAX_STRANGERS + 1


def test_who_answers_as_somebody_else_is_not_believed(trusting: Trust) -> None:
    know(trusting, a_member(ONE, "Master"))
    trusting.answered(Endpoint(STRANGER, 2112), ClusterInfo((a_member(ONE, "Slave"),), ONE))
    assert states(trusting) == {ONE: "Master"}


def test_a_member_from_far_ahead_is_left_out_and_it_is_said_once(trusting: Trust) -> None:
    ahead = ClusterInfo((a_member(ONE, time_stamp="2026-11-30T12:00:00Z"),), ONE)
    assert trusting.answered(ONE, ahead) == [f"the clock of {ONE} is more than a day ahead: not listed. Fix its clock"]
    assert trusting.answered(ONE, ahead) == []
    assert listed(trusting) == {}
    know(trusting, a_member(ONE))
    assert listed(trusting).keys() == {ONE}


def test_an_election_is_seen_by_what_the_members_say_themselves(trusting: Trust, clock: Clock) -> None:
    """As on 5.0.11 after the master was killed: the others' entries lag, and call each other Unknown meanwhile."""
    know(trusting, a_member(ONE), a_member(TWO))
    # One has won; somebody says so, and that the other one is Unknown.
    won = a_member(ONE, "Master", epoch_number=3, time_stamp="2026-11-28T12:00:01Z")
    unknown = a_member(TWO, "Unknown", time_stamp="2026-11-28T12:00:01Z")
    trusting.posted(ClusterInfo((won, unknown), SEED), SEED.host)
    assert states(trusting) == {ONE: "Slave", TWO: "Slave"}
    assert sorted(trusting.due()) == [ONE, TWO]
    trusting.answered(ONE, ClusterInfo((won, unknown), ONE))
    trusting.answered(TWO, ClusterInfo((a_member(TWO, time_stamp="2026-11-28T12:00:01.5Z"),), TWO))
    assert states(trusting) == {ONE: "Master", TWO: "Slave"}
    clock.now += 1
    # Hearsay of before the election has a higher position, and used to win.
    before = a_member(ONE, "Slave", epoch_number=3, writer_checkpoint=999)
    trusting.posted(ClusterInfo((before,), SEED), SEED.host)
    assert states(trusting) == {ONE: "Master", TWO: "Slave"}
    assert trusting.due() == []


def test_news_brings_quick_rounds_for_a_moment(trusting: Trust, clock: Clock) -> None:
    clock.now += 10
    assert not trusting.is_stirred
    know(trusting, a_member(ONE))
    assert trusting.is_stirred
    clock.now += trust.STIRRED_S + 1
    assert not trusting.is_stirred


def test_a_dead_member_is_asked_again_when_others_say_that_it_is_back(trusting: Trust) -> None:
    know(trusting, a_member(ONE))
    trusting.failed(ONE, "no answer")
    assert not listed(trusting)[ONE].is_alive
    trusting.posted(ClusterInfo((a_member(ONE, time_stamp="2026-11-28T12:00:05Z"),), SEED), SEED.host)
    assert trusting.due() == [ONE]
    assert not listed(trusting)[ONE].is_alive


@pytest.mark.parametrize("ip", ["fe80::1%eth0", "fe80::1%\r\nX: y", "node1", "10.0.0.1\n"])
def test_only_plain_addresses_are_taken(trusting: Trust, ip: str) -> None:
    odd = a_member(Endpoint(ip, 2112))
    with pytest.raises(GossipError):
        trusting.posted(ClusterInfo((odd,), ONE), ONE.host)
    trusting.answered(ONE, ClusterInfo((odd, a_member(ONE)), ONE))
    assert listed(trusting).keys() == {ONE}
    assert trusting.due() == []


@pytest.mark.parametrize(
    ("ip", "is_one"),
    [
        (OWN.host, True),
        (SEED.host, True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.0.2.77", True),
        ("203.0.113.5", True),
        ("203.0.113.99", False),
        (STRANGER, False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_the_machines_of_the_cluster(trusting: Trust, ip: str, is_one: bool) -> None:
    assert trusting.is_machine(ip) is is_one


def test_a_member_that_is_no_seed_is_no_machine_for_the_lease(trusting: Trust) -> None:
    know(trusting, a_member(Endpoint(STRANGER, 2112)))
    assert not trusting.is_machine(STRANGER)


def test_an_address_that_the_dns_no_longer_has_is_none_of_the_machines(trusting: Trust) -> None:
    trusting.found([Endpoint("192.0.2.3", 30777)])
    assert (trusting.is_machine(SEED.host), trusting.is_machine("192.0.2.3")) == (False, True)
