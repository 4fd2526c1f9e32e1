# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the turns of a roll have brought about, for its summary: one that ended well can have had two masters."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import Watched
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import lines

HostVars = t.Mapping[str, t.Any]

# What es_service returned for each service, as the role services has registered it.
REGISTERED = "services_results"


def turns(results: t.Mapping[str, HostVars], after: Watched) -> list[str]:
    """A line for each machine that was restarted, in the order of their turns, and what happened after the last one.

    ``results``: machine -> its variables; ``after``: ``watched`` of the time since the last turn.
    """
    told = [f"{host}, {each['seconds']:.0f} s: {happened(each)}" for host, each in spans(results)]
    return [*told, f"after the last turn, {after['seconds']:.0f} s: {happened(after)}"] if told else []


def spans(results: t.Mapping[str, HostVars]) -> list[tuple[str, Watched]]:
    """Machine and ``watched`` of each restart, in the order of the turns."""
    watched = [(host, each) for host, variables in results.items() for each in _watched(variables)]
    return sorted(watched, key=lambda turn: str(turn[1]["began"]))


def alarms(watched: Watched) -> list[str]:
    """The lines of what may have lost writes: two masters, and nodes that ended by themselves."""
    return lines({**watched, "elections": 0, "no_quorum_s": 0.0, "restarted": []})


def _watched(variables: HostVars) -> t.Iterator[Watched]:
    for result in (variables.get(REGISTERED) or {}).get("results", []):
        if result.get("watched"):
            yield result["watched"]


def happened(watched: Watched) -> str:
    """What was seen in a span of time, in a line."""
    return "; ".join(lines(watched)) or "no election, and no other node began or ended"


__all__ = ["alarms", "happened", "spans", "turns"]
