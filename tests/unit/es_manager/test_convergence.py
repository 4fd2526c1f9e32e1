# SPDX-License-Identifier: GPL-3.0-or-later
"""Many managers gossip with each other in memory until each knows all others by their own word."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership

ROUNDS = 10


class Clock:
    def __init__(self) -> None:
        self._time = datetime(2026, 11, 22, 22, 46, 8, tzinfo=timezone.utc)

    def __call__(self) -> str:
        self._time += timedelta(microseconds=10)
        return self._time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cluster(rng: random.Random, size: int) -> dict[Endpoint, Membership]:
    clock = Clock()
    managers = {}
    for number in range(size):
        internal = Endpoint(f"10.0.{number // 250}.{number % 250 + 1}", 30777)
        identity = str(uuid.UUID(int=rng.getrandbits(128)))
        own = Member.manager(identity, clock(), internal, Endpoint(internal.host, 30778))
        managers[internal] = Membership(own, rng=rng, now=clock)
    return managers


def gossip_round(managers: dict[Endpoint, Membership], rng: random.Random) -> None:
    for key in rng.sample(list(managers), len(managers)):
        target = managers[key].target()
        if target:
            managers[target].receive(managers[key].info())
            managers[key].receive(managers[target].info())


def knows_all(managers: dict[Endpoint, Membership]) -> bool:
    return all(
        member.keys() == managers.keys() and not any(each.is_unresolved_seed for each in member.values())
        for member in (manager.members for manager in managers.values())
    )


@pytest.mark.parametrize(("size", "seed"), [(3, 1), (50, 2), (50, 3), pytest.param(200, 4, marks=pytest.mark.slow)])
def test_managers_found_by_dns_know_each_other_within_10_rounds(size, seed):
    rng = random.Random(seed)
    managers = cluster(rng, size)
    for manager in managers.values():
        manager.add_seeds(managers)
    rounds = 0
    while not knows_all(managers):
        gossip_round(managers, rng)
        rounds += 1
        assert rounds <= ROUNDS
    assert rounds > 0


def test_managers_that_know_only_the_first_one_find_each_other():
    rng = random.Random(4)
    managers = cluster(rng, 30)
    first, *others = managers
    for other in others:
        managers[other].add_seeds([first])
    for _round in range(ROUNDS):
        gossip_round(managers, rng)
    assert knows_all(managers)
