# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What an operator reads: problems, notes, and what a playbook has done."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan


def note_lines(notes: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Advice about machines, each line once with the machines that it is about."""
    hosts: dict[str, list[str]] = {}
    for host, lines in notes.items():
        for line in lines:
            hosts.setdefault(line, []).append(host)
    return [f"- {', '.join(names)}: {line.rstrip('.')}." for line, names in hosts.items()]


def outcome(plan: Plan, done: str, hosts: t.Sequence[str], left: t.Sequence[str], *, check: bool) -> list[str]:
    """What a playbook has done (``deployed``) of what it was to do: its hosts, and those that are left of them."""
    name, machines = plan["cluster_name"], list(plan["hosts"])
    missing = [host for host in machines if host in hosts and host not in left]
    excluded = [host for host in machines if host not in hosts]
    reached = ", ".join(host for host in machines if host in left)
    lines = [f"{name}: would be {done} on {reached} (check mode)" if check else f"{name}: {done} on {reached}"]
    if missing:
        lines.append(
            f"NOT {done} on {', '.join(missing)}: failed or not reached, see above. Correct that, and run it again."
        )
    if excluded:
        lines.append(f"NOT {done} on {', '.join(excluded)}: left out by --limit")
    return lines


__all__ = ["note_lines", "outcome"]
