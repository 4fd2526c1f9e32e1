# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of nodes and managers in few words, for the tests of what they say together."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members, report, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Result
from tests.doubles.gossip import picture

Answer = t.Union[Result, dict[str, str]]

REFUSED = Result(b"", sweep.REFUSED, "connection refused", 0, 0.001, 0.0)
FROZEN = Result(b"", sweep.TIMEOUT, "connected, but no whole answer within 2 s", 0, 2.0, 0.0)
AWAY = Result(b"", sweep.TIMEOUT, "no connection within 2 s", 0, 2.0, 0.0)


def status(number: int, server: str = "") -> Result:
    text = f"HTTP status {number}" + (f", from {server}" if server else "")
    return Result(b"", sweep.STATUS, text, number, 0.01, 0.0, server)


def ok(body: object) -> Result:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Result(data, "", "", 200, 0.002, members.seconds(members.utc_now()))


def info(state: str, version: str = "3.4.0.0") -> Result:
    return ok({"esVersion": version, "state": state.lower(), "projectionsMode": "None"})


def node(number: int, gossip: Answer, state: Result | str | None = None, *, skew_s: float = 0.0) -> view.View:
    """The view of n<number> at 10.0.0.<number>. Without ``state``, /info fits to the gossip, or fails as it does."""
    ip = f"10.0.0.{number}"
    if isinstance(gossip, dict):
        state = gossip[ip].split()[0] if state is None else state
        gossip = ok(picture.body(picture.picture(f"{ip}:2112", gossip, skew_s=skew_s)))
    target = view.Target(Endpoint(ip, 2113), f"n{number}", f"host{number}", view.DATABASE, Endpoint(ip, 2112))
    if isinstance(state, str):
        state = info(state)
    return view.read(target, gossip, state or gossip)


def manager(number: int, gossip: Answer) -> view.View:
    """The view of manager m<number>, on the same machine."""
    ip = f"10.0.0.{number}"
    if isinstance(gossip, dict):
        gossip = ok(picture.body(picture.picture(f"{ip}:30777", gossip)))
    target = view.Target(Endpoint(ip, 30778), f"m{number}", f"host{number}", view.MANAGER, Endpoint(ip, 30777))
    return view.read(target, gossip, None)


def replay(frames: t.Iterable[tuple[float, dict[str, t.Any]]]) -> t.Iterator[tuple[float, view.ClusterView]]:
    """Recorded sweeps of three nodes and their managers: what changed since the last one, n1 to m3 as in a script.

    ``n1``: its gossip in words, or how it failed; ``/n1``: its state in /info.
    """
    now: dict[str, t.Any] = {}
    for second, changed in frames:
        now.update(changed)
        nodes = [node(n, _answer(now[f"n{n}"]), now[f"/n{n}"] or REFUSED) for n in (1, 2, 3)]
        managers = [manager(n, _answer(now[f"m{n}"])) for n in (1, 2, 3) if f"m{n}" in now]
        yield second, view.ClusterView([*nodes, *managers], 3)


def _answer(said: dict[str, str] | str) -> Answer:
    """``m1`` and ``n1`` are a manager and a node of one machine."""
    if isinstance(said, str):
        return {"REFUSED": REFUSED, "FROZEN": FROZEN}[said]
    return {f"10.0.0.{name[1:]}{'/manager' if name[0] == 'm' else ''}": words for name, words in said.items()}


def cluster_of(*states: str, **more: str) -> dict[str, str]:
    """Members in words: 10.0.0.1 is in the first state, 10.0.0.2 in the second, and so on."""
    return {**{f"10.0.0.{number}": state for number, state in enumerate(states, start=1)}, **more}


def judge(*views: view.View, size: int | None = 3, sure: bool = True) -> ClusterFacts:
    """The report on a cluster of three that stays as it is; without ``sure``, the report on the first sweep."""
    cluster, doubts = view.ClusterView(views, size), report.Doubts()
    first = report.report(cluster, doubts)
    return report.report(cluster, doubts, report.CONFIRM_AFTER_S) if sure else first


def codes(facts: ClusterFacts) -> set[str]:
    return {problem["code"] for problem in facts["problems"]}


def problem(facts: dict[str, t.Any], code: str) -> dict[str, str]:
    """The one problem with this code."""
    (found,) = (each for each in facts["problems"] if each["code"] == code)
    return t.cast("dict[str, str]", found)


HEALTHY = cluster_of("Master", "Slave", "Slave")

__all__ = [
    "AWAY",
    "FROZEN",
    "HEALTHY",
    "REFUSED",
    "cluster_of",
    "codes",
    "info",
    "judge",
    "manager",
    "node",
    "ok",
    "problem",
    "replay",
    "status",
]
