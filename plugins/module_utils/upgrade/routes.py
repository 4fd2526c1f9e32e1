# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""From the versions that run to a target: the steps that the vendor's documents allow, or why there is no route."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import UpgradeError
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import (
    CROSSINGS,
    STOP_ALL,
    WAYPOINTS,
    Crossing,
    Edge,
    crossings,
    edge,
    is_known,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

_ASK = "Ask the vendor, or plan to another version"

_Stations = tuple[Version, ...]


@dataclass(frozen=True)
class Hop:
    """One step of all ``nodes``: those that do not run ``end`` yet."""

    start: Version
    end: Version
    edge: Edge
    nodes: tuple[str, ...]

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        return tuple(crossings(self.start, self.end))

    @property
    def stops_all(self) -> bool:
        return self.edge.mode == STOP_ALL


@dataclass(frozen=True)
class Route:
    """``hops`` in their order, none where all is done; ``interrupted``: the first one was begun before.

    ``alternative``: fewer hops that stop the whole cluster more often; empty where there is nothing to choose.
    """

    running: t.Mapping[str, Version]
    target: Version
    hops: tuple[Hop, ...]
    interrupted: bool = False
    alternative: tuple[Hop, ...] = ()


def plan_route(running: t.Mapping[str, str], target: str, *, down: t.Collection[str] = ()) -> Route:
    """The route of the nodes (name -> the version it says) to ``target``; UpgradeError where no document allows one.

    ``down``: those that do not run, and have the version that they ran last.
    """
    end = Version.parse(target, where="upgrade_to")
    if not running:
        raise UpgradeError("there is no node to upgrade")
    nodes = {name: Version.parse(version, where=name) for name, version in running.items()}
    newer = {name: version for name, version in nodes.items() if version > end}
    if newer:
        raise _downgrade(newer, end)
    if not is_known(end):
        raise UpgradeError(f"no upgrade document that this collection knows leads to {end}{_newest(end)}", hint=_ASK)
    versions = sorted(set(nodes.values()))
    interrupted = _interrupted(nodes, versions, down)
    start = versions[-1]
    best = _cheapest(start, end, lambda steps: (_stops(steps), len(steps), _inferred(steps)))
    if best is None:
        raise _no_way(start, end)
    shortest = _cheapest(start, end, lambda steps: (len(steps), _stops(steps), _inferred(steps))) or best
    return Route(
        running=nodes,
        target=end,
        hops=(*interrupted, *_hops(best, nodes)),
        interrupted=bool(interrupted),
        alternative=_hops(shortest, nodes) if len(shortest) < len(best) else (),
    )


def shortest(route: Route) -> Route:
    """The route with the fewest hops, where there is another one."""
    if not route.alternative:
        return route
    begun = route.hops[:1] if route.interrupted else ()
    return replace(route, hops=(*begun, *route.alternative), alternative=())


def oldest(versions: t.Iterable[str]) -> str:
    """The oldest of them, empty if there is none; UpgradeError for what is no release."""
    return str(min(map(Version.parse, versions), default=""))


def _interrupted(
    nodes: t.Mapping[str, Version], versions: t.Sequence[Version], down: t.Collection[str]
) -> tuple[Hop, ...]:
    """The step to finish first where two versions run side by side; nothing where there is one."""
    if len(versions) == 1:
        return ()
    who = _who(nodes)
    if len(versions) > 2:
        raise UpgradeError(
            f"{len(versions)} versions run side by side: {who}. No step has more than two",
            hint="Bring the nodes with the oldest version to the next one by hand, then plan again",
        )
    start, end = versions
    allowed = edge(start, end)
    if allowed is None:
        raise UpgradeError(f"two versions run side by side: {who}. No document allows that", hint=_ASK)
    if allowed.mode == STOP_ALL and not set(_running(nodes, start)) <= set(down):
        raise UpgradeError(
            f"two versions run side by side: {who}. They cannot be one cluster ({', '.join(allowed.sources)})",
            hint=f"Stop those with {start} (playbook stop with --limit), then run playbook full_stop_upgrade to {end}",
        )
    return (Hop(start, end, allowed, _running(nodes, start)),)


def _who(nodes: t.Mapping[str, Version]) -> str:
    return "; ".join(f"{', '.join(_running(nodes, each))} {each}" for each in sorted(set(nodes.values())))


def _running(nodes: t.Mapping[str, Version], version: Version) -> tuple[str, ...]:
    return tuple(name for name, each in nodes.items() if each == version)


def _cheapest(start: Version, end: Version, cost: t.Callable[[t.Sequence[Edge]], tuple[int, ...]]) -> _Stations | None:
    """The cheapest route; of equal ones that over the newest releases. A route has few steps, so all are compared."""
    if start == end:
        return (start,)
    stations = sorted({start, end, *(each for each in WAYPOINTS if start < each < end)})
    found: dict[Version, list[_Stations]] = {start: [(start,)]}
    for number, station in enumerate(stations[1:], start=1):
        found[station] = [
            (*route, station)
            for before in stations[:number]
            if edge(before, station) is not None
            for route in found.get(before, [])
        ]

    def rank(route: _Stations) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
        return cost(_edges(route)), [tuple(-number for number in version) for version in route]

    return min(found[end], key=rank, default=None)


def _edges(route: _Stations) -> list[Edge]:
    return [allowed for start, end in zip(route, route[1:]) if (allowed := edge(start, end))]


def _hops(route: _Stations, nodes: t.Mapping[str, Version]) -> tuple[Hop, ...]:
    return tuple(Hop(start, end, each, tuple(nodes)) for start, end, each in zip(route, route[1:], _edges(route)))


def _stops(steps: t.Sequence[Edge]) -> int:
    return sum(each.mode == STOP_ALL for each in steps)


def _inferred(steps: t.Sequence[Edge]) -> int:
    return sum(bool(each.inferred) for each in steps)


def _newest(version: Version) -> str:
    newest = max((each for each in WAYPOINTS if each.series == version.series), default=None)
    return f"; of {version.series} it knows {newest}" if newest else ""


def _downgrade(newer: t.Mapping[str, Version], end: Version) -> UpgradeError:
    passed = (each for each in CROSSINGS if each.one_way and end < each.reached.first <= max(newer.values()))
    costs = [f"from {each.reached.first} on {each.one_way}; going back: {each.going_back}" for each in passed]
    known = f". What is known of going back: {'. '.join(costs)}" if costs else ""
    return UpgradeError(
        f"{end} would be a downgrade, which is never planned: {_who(newer)}{known}",
        hint="Plan to a version that is not older than any that runs, or ask the vendor",
    )


def _no_way(start: Version, end: Version) -> UpgradeError:
    reachable = [each for each in WAYPOINTS if each > start and _cheapest(start, each, lambda steps: (len(steps),))]
    known = f"the documents lead from it to {', '.join(map(str, reachable))}" if reachable else "none leads from it"
    return UpgradeError(f"no upgrade document leads from {start} to {end}; {known}", hint=_ASK)


__all__ = ["Hop", "Route", "oldest", "plan_route", "shortest"]
