# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A cluster at a glance: one row for each database node with its machine's manager, for the terminal and the page."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import problem_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import ADVICE
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import (
    ClusterFacts,
    MemberFacts,
    ServerFacts,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan

Cells = tuple[str, ...]

GOOD, BAD, DOUBTFUL, PLAIN = "good", "bad", "doubtful", "plain"

WIDTH = 100  # of a terminal; operators' windows are rarely narrower
HEAD: Cells = ("machine", "state", "external", "lag", "version", "manager")
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_MACHINE = "<machine>"


class Line(t.NamedTuple):
    """A line of the terminal, and how good what it says is."""

    text: str
    tone: str = PLAIN


@dataclass(frozen=True)
class Row:
    """A database node and, in the first row of a machine, its manager; either may be missing."""

    machine: str
    node: MemberFacts | None
    manager: ServerFacts | None

    @property
    def tone(self) -> str:
        states = [tone(server) for server in (self.node, self.manager) if server is not None]
        return next(each for each in (BAD, DOUBTFUL, GOOD) if each in states)


def tone(server: ServerFacts) -> str:
    """Bad: it does not answer. Doubtful: it was not asked, or it is a database node that is not in sync."""
    if not server["answers"]:
        return BAD if server["asked"] or not server["is_alive"] else DOUBTFUL
    return GOOD if server.get("in_sync", True) else DOUBTFUL


def state(server: ServerFacts) -> str:
    """The state that the server reports; for a server that was not asked, whether others see it alive."""
    if server["answers"]:
        return str(server.get("state", "up"))
    if server["asked"]:
        return "no answer"
    return "seen alive" if server["is_alive"] else "seen dead"


def lag(node: MemberFacts) -> int | None:
    """Bytes behind the master; None where it cannot be told, as of a node that says nothing itself."""
    return node["lag_bytes"] if node["answers"] else None


def size(count: int) -> str:
    """Bytes as an operator reads them: ``0 B``, ``16.0 MiB``."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in _UNITS:
        value /= 1024
        if value < 1023.95 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}"


def verdict(gossip: ClusterFacts) -> str:
    return "has quorum" if gossip["has_quorum"] else "NO QUORUM"


def counts(gossip: ClusterFacts) -> str:
    """How many nodes are in sync, how many are needed and how many may be lost."""
    in_sync = sum(1 for member in gossip["members"] if member["in_sync"])
    spare = f", can lose {gossip['can_lose']}" if gossip["has_quorum"] else ""
    return f"{in_sync} of {gossip['cluster_size']} nodes in sync, {gossip['quorum_size']} needed{spare}"


def rows(gossip: ClusterFacts) -> list[Row]:
    """The rows, machine by machine in the order of the facts."""
    nodes: dict[str, list[MemberFacts]] = {}
    for server in [*gossip["members"], *gossip["managers"]]:
        nodes.setdefault(_machine(server), [])
    for member in gossip["members"]:
        nodes[_machine(member)].append(member)
    managers = {_machine(manager): manager for manager in gossip["managers"]}
    return [row for machine, own in nodes.items() for row in _rows(machine, own, managers.get(machine))]


def _rows(machine: str, nodes: list[MemberFacts], manager: ServerFacts | None) -> list[Row]:
    if len(nodes) < 2:
        return [Row(machine, nodes[0] if nodes else None, manager)]
    named = [f"{machine}/{str(node['name']).rpartition('/')[2]}" for node in nodes]
    return [Row(name, node, None if index else manager) for index, (name, node) in enumerate(zip(named, nodes))]


def _machine(server: ServerFacts) -> str:
    return str(server["host"] or Endpoint.parse(server["address"], names=True).host)


def table(gossip: ClusterFacts, plan: Plan) -> list[Line]:
    """The facts ``es_gossip`` about a planned cluster, for a terminal of ``WIDTH`` columns."""
    first = Line(f"{plan['cluster_name']} {verdict(gossip)}, {counts(gossip)}", GOOD if gossip["has_quorum"] else BAD)
    found = rows(gossip)
    cells = [_cells(row) for row in found]
    has_managers = any(row.manager for row in found)
    texts = _columns([each if has_managers else each[:-1] for each in (HEAD, *cells)], WIDTH)
    tones = [PLAIN, *(PLAIN if row.tone == GOOD else row.tone for row in found)]
    return [first, *map(Line, texts, tones), *_problems(gossip), *map(Line, next_lines(gossip, plan))]


def _problems(gossip: ClusterFacts) -> list[Line]:
    """One line for a problem, with all places that have it; advice is only doubtful."""
    codes = {f"- {problem['code']}": DOUBTFUL if problem["code"] in ADVICE else BAD for problem in gossip["problems"]}
    return [Line(line, codes[line.partition(":")[0]]) for line in problem_lines(gossip["problems"])]


def _cells(row: Row) -> Cells:
    node, manager = row.node, row.manager
    said = f"{state(manager)} {_near(manager['address'], node)}" if manager else ""
    if node is None:
        return (row.machine, "", "", "", "", said)
    behind = lag(node)
    shown = "" if behind is None else size(behind)
    return (row.machine, state(node), node["address"], shown, node["es_version"], said)


def _near(address: str, node: MemberFacts | None) -> str:
    """The address; only its port where the node's has the same host."""
    own = Endpoint.parse(address, names=True)
    same = node is not None and Endpoint.parse(node["address"], names=True).host == own.host
    return f":{own.port}" if same else address


def _columns(lines: t.Sequence[Cells], width: int = 0) -> list[str]:
    """Aligned columns; with ``width`` the first column is shortened so that the lines fit."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    names = shortened([line[0] for line in lines], max(len(_MACHINE), width - rest)) if width else None
    firsts = names or [line[0] for line in lines]
    widths[0] = max(map(len, firsts))
    return [
        "  ".join(cell.ljust(size) for cell, size in zip((first, *line[1:]), widths)).rstrip()
        for first, line in zip(firsts, lines)
    ]


def shortened(names: t.Sequence[str], width: int) -> list[str]:
    """Names cut in the middle to ``width`` so that different ones stay different; whole where that cannot be."""
    keep = width - 3
    different = len(set(names))
    for head in sorted(range(keep + 1), key=lambda count: abs(count - keep // 2)):
        cut = [f"{name[:head]}...{name[len(name) - keep + head :]}" if len(name) > width else name for name in names]
        if len(set(cut)) == different:
            return cut
    return list(names)


def next_lines(gossip: ClusterFacts, plan: Plan) -> list[str]:
    """Commands for further checks: a server that answers, a manager before a node, and the logs."""
    known = gossip["managers"] if plan["mode"] == "managers" else []
    answering = next((server for server in [*known, *gossip["members"]] if server["answers"]), None)
    asked = f"curl http://{answering['address']}/gossip?format=json" if answering else "no server answers; see the logs"
    return _columns([("state of the cluster", asked), *_logs(plan)])


def _logs(plan: Plan) -> list[Cells]:
    """Where the logs are, once for the machines that have them in the same place."""
    hosts: dict[str, list[str]] = {}
    for host, machine in plan["hosts"].items():
        paths = [machine["manager"]["options"]["Log"]] if machine["manager"] else []
        paths += [node["log"] or "the server's default directory" for node in machine["nodes"]]
        said = " ".join(dict.fromkeys(_without_name(path, host) for path in paths))
        hosts.setdefault(said, []).append(host)
    if len(hosts) == 1:
        return [("logs", paths) for paths in hosts]
    return [(f"logs on {', '.join(names)}", paths) for paths, names in hosts.items()]


def _without_name(path: str, host: str) -> str:
    """The path with ``<machine>`` for a directory that has the machine's name."""
    return "/".join(_MACHINE if part == host else part for part in path.split("/"))


__all__ = [
    "BAD",
    "DOUBTFUL",
    "GOOD",
    "PLAIN",
    "WIDTH",
    "Line",
    "Row",
    "counts",
    "lag",
    "next_lines",
    "rows",
    "shortened",
    "size",
    "state",
    "table",
    "tone",
    "verdict",
]
