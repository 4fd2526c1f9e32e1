# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The turns of a roll: a line at each, a table at the end. One that ended well can have had two masters."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.progress import size
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import Rejoined, Watched
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import lines

HostVars = t.Mapping[str, t.Any]

# What es_service returned for each service, as the role services has registered it.
REGISTERED = "services_results"
HEAD = ("machine", "stop to caught up", "copied", "master then", "what else happened")
_NOTHING = "no election, and no other node began or ended"


def turn(service: str, watched: Rejoined) -> str:
    """The line of a restart; ``watched``: of the time since the look before the stop."""
    return (
        f"{service} was caught up {_back(watched)} after its stop, {size(watched['copied_bytes'])} copied, master is"
        f" {_master(watched)}: {_happened(watched)}"
    )


def turns(machines: t.Mapping[str, HostVars], after: Watched) -> list[str]:
    """A table of the restarts in their order, then the whole; empty if there was none.

    ``machines``: machine -> its variables; ``after``: ``watched`` of the time since the last turn.
    """
    found = spans(machines)
    if not found:
        return []
    rows = [(host, _back(each), size(each["copied_bytes"]), _master(each), _happened(each)) for host, each in found]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (HEAD, *rows)]
    return [*table, f"after the last turn, {after['seconds']:.0f} s: {_happened(after)}", _whole(found, after)]


def spans(results: t.Mapping[str, HostVars]) -> list[tuple[str, Rejoined]]:
    """Machine and ``watched`` of each restart, in the order of the turns."""
    watched = [(host, each) for host, variables in results.items() for each in _watched(variables)]
    return sorted(watched, key=lambda turn: str(turn[1]["began"]))


def alarms(watched: Watched) -> list[str]:
    """The lines of what may have lost writes: two masters, and nodes that ended by themselves."""
    return lines({**watched, "elections": 0, "no_quorum_s": 0.0, "restarted": []})


def _whole(found: t.Sequence[tuple[str, Rejoined]], after: Watched) -> str:
    seconds = (_time(after) - _time(found[0][1])).total_seconds() + after["seconds"]
    without = max(each["no_quorum_s"] for each in [*(each for _host, each in found), after])
    quorum = (
        f"the longest time without quorum seen was {without:.1f} s" if without else "no time without quorum was seen"
    )
    return f"{len(found)} restart{'s' if len(found) > 1 else ''} in {seconds:.0f} s; {quorum}"


def _watched(variables: HostVars) -> t.Iterator[Rejoined]:
    for result in (variables.get(REGISTERED) or {}).get("results", []):
        if result.get("watched"):
            yield result["watched"]


def _back(watched: Rejoined) -> str:
    return f"{watched['back_s']:.1f} s"


def _master(watched: Watched) -> str:
    return str(watched["masters"][-1]) if watched["masters"] else "unknown"


def _time(watched: Watched) -> datetime:
    return datetime.strptime(watched["began"], "%Y-%m-%dT%H:%M:%SZ")


def _happened(watched: Watched) -> str:
    """What was seen in a span of time, in a line."""
    return "; ".join(lines(watched)) or _NOTHING


__all__ = ["REGISTERED", "alarms", "spans", "turn", "turns"]
