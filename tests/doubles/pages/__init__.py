# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages about clusters in words, for the tests of the page: what it says, and how a browser shows it."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts, Watched
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.plugin_utils.page import render
from tests.doubles.gossip.answers import AWAY, REFUSED, judge, manager, node

ASKED = datetime(2026, 11, 28, 3, 4, 5, tzinfo=timezone.utc)
HOSTILE = "<script>alert('n')</script>\"'&<img src=x onerror=alert(1)>{{ 7*7 }}"


def plan(*hosts: str, name: str = "orders") -> Plan:
    """As much of a plan as the page needs."""
    machine = {
        "manager": {"options": {"Log": "/var/log/eventstore/manager"}},
        "nodes": [{"log": "/var/log/eventstore"}],
    }
    return t.cast("Plan", {"cluster_name": name, "mode": "managers", "hosts": dict.fromkeys(hosts, machine)})


def healthy() -> ClusterFacts:
    words = {"10.0.0.1": "Master", "10.0.0.2": "Slave", "10.0.0.3": "Slave"}
    words |= {f"10.0.0.{number}/m": "Manager" for number in (1, 2, 3)}
    numbers = (1, 2, 3)
    return judge(*[node(n, words) for n in numbers], *[manager(n, words) for n in numbers])


def nine(name: str = "prod-eventstore-euc1-{}.internal.example.net") -> ClusterFacts:
    """Nine machines with long names: one node is behind, three are down, one clock is wrong."""
    words = {f"10.0.0.{n}": "Slave at=95000000" for n in range(1, 10)} | {"10.0.0.1": "Master at=95000000"}
    words |= {"10.0.0.4": "Slave at=20000000"} | {f"10.0.0.{n}": "Slave dead" for n in (7, 8, 9)}
    words |= {f"10.0.0.{n}/m": "Manager" for n in range(1, 10)}
    nodes = [node(n, words, skew_s=75.0 if n == 3 else 0.0) for n in range(1, 7)]
    silent = [node(n, AWAY if n == 8 else REFUSED) for n in (7, 8, 9)]
    facts = judge(*nodes, *silent, *[manager(n, words) for n in range(1, 9)], manager(9, REFUSED), size=9)
    return renamed(facts, name)


def no_quorum() -> ClusterFacts:
    words = {"10.0.0.1": "Unknown", "10.0.0.2": "Slave dead", "10.0.0.3": "Slave dead"}
    return judge(node(1, words), node(2, REFUSED), node(3, AWAY))


def renamed(facts: ClusterFacts, name: str) -> ClusterFacts:
    """The facts with other names of machines and servers: ``{}`` is the number."""
    text = json.dumps(facts)
    for number in range(1, 10):
        host = name.format(number) if "{}" in name else name
        for old, new in (
            (f"host{number}", host),
            (f"n{number}", f"{host}/database"),
            (f"m{number}", f"{host}/manager"),
        ):
            text = text.replace(json.dumps(old), json.dumps(new))
    return t.cast("ClusterFacts", json.loads(text))


def watched(began: str, seconds: float, **more: t.Any) -> Watched:
    """``watched`` of a calm span of time."""
    calm = {"began": f"2026-11-28T{began}Z", "seconds": seconds, "elections": 0, "epochs": [5]}
    quiet = {"masters": ["es1"], "two_masters_s": 0.0, "two_masters": [], "no_quorum_s": 0.0}
    return t.cast("Watched", {**calm, **quiet, "restarted": [], "ended": [], **more})


def roll() -> list[tuple[str, Watched]]:
    """Two turns and the time after; in the second the master moves, and for a moment there are two."""
    election = {"elections": 1, "epochs": [5, 6], "masters": ["es1", "es2"]}
    two = {"two_masters": ["es1", "es2"], "two_masters_s": 1.6}
    return [
        ("es2", watched("03:00:00", 30.0, stopped_s=3.0, answered_s=9.0, in_sync_s=21.0)),
        ("es1", watched("03:01:00", 40.0, stopped_s=4.0, answered_s=12.0, in_sync_s=36.0, **election, **two)),
        ("", watched("03:01:40", 20.0)),
    ]


def pages() -> dict[str, str]:
    """Name -> page, of all that a browser has to show."""
    hosts = [f"host{number}" for number in range(1, 10)]
    return {
        "healthy": render(healthy(), plan(*hosts[:3]), asked=ASKED, turns=roll(), outcome=["orders: restarted on es1"]),
        "nine": render(nine(), plan(*hosts), asked=ASKED, notes=["es1: 1024 files are few."]),
        "no-quorum": render(no_quorum(), plan(*hosts[:3]), asked=ASKED),
        "hostile": render(
            renamed(healthy(), HOSTILE + "{}"),
            plan(HOSTILE, name=HOSTILE),
            asked=ASKED,
            outcome=[HOSTILE],
            notes=[HOSTILE],
        ),
    }


__all__ = ["ASKED", "HOSTILE", "healthy", "nine", "no_quorum", "pages", "plan", "renamed", "roll", "watched"]
