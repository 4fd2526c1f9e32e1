# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What an operator reads: the list of problems, and the table of what runs where and where to look next."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan

Row = tuple[str, ...]

HEAD: Row = ("machine", "server", "state", "external", "internal", "lag", "version")


def problem_lines(problems: t.Sequence[ProblemFacts]) -> list[str]:
    """One line a problem: its code, where (places with the same problem together), what is wrong, what to do."""
    places: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in problems:
        where = places.setdefault((each["code"], each["text"], each["hint"]), {})
        where.update({each["where"]: None} if each.get("where") else {})
    return [
        f"- {code}: {', '.join(where)}{': ' if where else ''}{text.rstrip('.')}. {hint.rstrip('.')}."
        for (code, text, hint), where in places.items()
    ]


def note_lines(notes: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Advice about machines, each line once with the machines that it is about."""
    hosts: dict[str, list[str]] = {}
    for host, lines in notes.items():
        for line in lines:
            hosts.setdefault(line, []).append(host)
    return [f"- {', '.join(names)}: {line.rstrip('.')}." for line, names in hosts.items()]


def table(gossip: t.Mapping[str, t.Any], plan: Plan) -> list[str]:
    """The facts ``es_gossip`` about a planned cluster as lines of text."""
    lines = [_headline(gossip, plan), *_columns([HEAD, *_rows(gossip)]), *problem_lines(gossip["problems"])]
    return [*lines, *_next(gossip, plan)]


def outcome(plan: Plan, done: str, hosts: t.Sequence[str], left: t.Sequence[str], *, check: bool) -> list[str]:
    """What a playbook has done (``deployed``) of what it was to do: its hosts, and those that are left of them."""
    name, machines = plan["cluster_name"], list(plan["hosts"])
    missing = [host for host in machines if host in hosts and host not in left]
    excluded = [host for host in machines if host not in hosts]
    reached = ", ".join(host for host in machines if host in left)
    lines = [f"{name}: would be {done} on {reached} (check mode)" if check else f"{name}: {done} on {reached}"]
    if missing:
        lines.append(
            f"NOT {done} on {', '.join(missing)}: failed or unreachable, see above. Fix the cause and run the playbook "
            "again."
        )
    if excluded:
        lines.append(f"NOT {done} on {', '.join(excluded)}: excluded by --limit")
    return lines


def _headline(gossip: t.Mapping[str, t.Any], plan: Plan) -> str:
    in_sync = sum(1 for member in gossip["members"] if member["in_sync"])
    verdict = "has quorum" if gossip["has_quorum"] else "NO QUORUM"
    counts = f"{in_sync} of {gossip['cluster_size']} nodes in sync, {gossip['quorum_size']} needed"
    spare = f", can lose {gossip['can_lose']}" if gossip["has_quorum"] else ""
    return f"{plan['cluster_name']} {verdict}, {counts}{spare}"


def _rows(gossip: t.Mapping[str, t.Any]) -> t.Iterator[Row]:
    for member in gossip["members"]:
        lag = "" if member["lag_bytes"] is None else f"{member['lag_bytes']} B"
        yield _row(member, _state(member, member["state"]), lag, member["es_version"])
    for manager in gossip["managers"]:
        yield _row(manager, _state(manager, "up"), "", "")


def _state(server: t.Mapping[str, t.Any], own: str) -> str:
    """Its own word; of one that was not asked, whether others see it alive."""
    if server["answers"]:
        return own
    if server["asked"]:
        return "no answer"
    return "seen alive" if server["is_alive"] else "seen dead"


def _row(server: t.Mapping[str, t.Any], state: str, lag: str, version: str) -> Row:
    name = server["name"].partition("/")[2] or server["name"]
    return (server["host"], name, state, server["address"], server["internal"], lag, version)


def _columns(rows: t.Sequence[Row]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _next(gossip: t.Mapping[str, t.Any], plan: Plan) -> list[str]:
    """Where to look next: a server that answers, a manager before a node, and the logs."""
    known = gossip["managers"] if plan["mode"] == "managers" else []
    answering = next((server for server in [*known, *gossip["members"]] if server["answers"]), None)
    state = f"curl http://{answering['address']}/gossip?format=json" if answering else "no server answers; see the logs"
    rows: list[Row] = [("state of the cluster", state)]
    for host, machine in plan["hosts"].items():
        logs = [machine["manager"]["options"]["Log"]] if machine["manager"] else []
        logs += [node["log"] or "the server's default directory" for node in machine["nodes"]]
        rows.append((f"logs on {host}", " ".join(dict.fromkeys(logs))))
    return _columns(rows)


__all__ = ["note_lines", "outcome", "problem_lines", "table"]
