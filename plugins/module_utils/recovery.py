# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A cluster without quorum: which nodes have data and how far each log goes, which are missing, which to start first.

A write that was acknowledged is on a majority of the nodes. So where a majority of them has its data, one of them has
every such write, and servers elect the one that has come furthest. A node whose directory was emptied counts for the
servers' majority and not for this one: that is how acknowledged writes are lost.
"""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import quorum

# Machine -> node -> file -> its content in base64.
Checkpoints = t.Mapping[str, t.Mapping[str, t.Mapping[str, str]]]

# Numbers of 8 bytes, little-endian, in the database's directory: where the newest epoch begins, where the log ends.
EPOCH, WRITER = "epoch.chk", "writer.chk"


@dataclass(frozen=True)
class Position:
    """How far the files of one node have come; ``epoch`` is -1 where there is none."""

    name: str
    host: str
    epoch: int
    writer: int

    @property
    def has_data(self) -> bool:
        return self.writer > 0


def recover(gossip: ClusterFacts, plan: Plan, checkpoints: Checkpoints) -> dict[str, t.Any]:
    """``lines`` that explain, ``order``: machines to start before there is quorum, ``last``: after; or ``problems``.

    ``checkpoints``: of all machines that could be reached.
    """
    found = [_position(host, node, files) for host, nodes in checkpoints.items() for node, files in nodes.items()]
    planned = [each["name"] for each in plan["endpoints"] if each["kind"] == "database"]
    missing = [name for name in planned if name not in {each.name for each in found}]
    ranked = sorted(found, key=lambda each: (-each.epoch, -each.writer, each.name))
    size = max(plan["cluster_size"], gossip["cluster_size"])
    needed = quorum(size)
    full = [each for each in ranked if each.has_data]
    answer: dict[str, t.Any] = {"lines": [], "order": [], "last": [], "problems": []}
    if gossip["has_quorum"]:
        return {**answer, "lines": [f"{plan['cluster_name']} has quorum; there is nothing to recover"]}
    states = {member["name"]: member["state"] for member in gossip["members"] if member["answers"]}
    answer["lines"] = [
        f"{plan['cluster_name']} has no quorum: {needed} of {size} nodes have to be in sync",
        *(_line(each, states, ranked[0]) for each in ranked),
        *(f"{name}: MISSING, its machine could not be reached" for name in missing),
    ]
    if len(full) < needed:
        return {**answer, "problems": [_too_few(full, found, missing, size)]}
    hosts = list(dict.fromkeys(each.host for each in full))
    rest = [each.host for each in ranked if not each.has_data]
    running = [each.name for each in full if each.name in states]
    answer["lines"].append(
        f"{len(full)} nodes have data, so that one of them has every acknowledged write. Order: {', '.join(hosts)}"
        + (f"; with quorum: {', '.join(rest)}" if rest else "")
    )
    if len(running) >= needed:
        answer["lines"].append(
            f"{len(running)} of them run and do not find each other; a start will not change that. See the problems of"
            " playbook eventstore.cluster.status"
        )
    return {**answer, "order": hosts, "last": list(dict.fromkeys(rest))}


def _position(host: str, node: str, files: t.Mapping[str, str]) -> Position:
    return Position(f"{host}/{node}", host, _number(files.get(EPOCH, ""), -1), _number(files.get(WRITER, ""), 0))


def _number(content: str, otherwise: int) -> int:
    data = base64.b64decode(content)
    return int.from_bytes(data, "little", signed=True) if len(data) == 8 else otherwise


def _line(each: Position, states: t.Mapping[str, str], first: Position) -> str:
    state = states.get(each.name, "does not answer")
    if not each.has_data:
        return f"{each.name}: {state}, NO DATA"
    behind = f", {first.writer - each.writer} bytes less than {first.name}" if each.writer < first.writer else ""
    return f"{each.name}: {state}, epoch at {each.epoch}, log up to {each.writer}{behind}"


def _too_few(full: t.Sequence[Position], found: t.Sequence[Position], missing: list[str], size: int) -> ProblemFacts:
    empty = [each.name for each in found if not each.has_data]
    who = [*(f"{name} (machine not reached)" for name in missing), *(f"{name} (no data)" for name in empty)]
    return Problem(
        "writes-at-risk",
        f"nothing was started: {len(full)} of {size} nodes have data, and a majority is needed, for a write may"
        f" have been acknowledged by the others alone: {', '.join(who)}",
        "Bring these machines back, or restore the directory of such a node from its backup. A cluster that has"
        " never run is begun by playbook eventstore.cluster.site",
    ).facts()


__all__ = ["EPOCH", "WRITER", "recover"]
