# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The end of a play for its reader: advice, pending restarts, the turns of a roll; and why it fails."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import problem_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.machines import version_problems
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import REGISTERED, turns

Facts = t.Mapping[str, t.Any]


def summary(gossip: Facts, machines: t.Mapping[str, Facts]) -> list[str]:
    """The lines; ``machines``: machine -> its variables, with what the roles have registered."""
    notes = {host: variables.get("preflight_look", {}).get("notes", []) for host, variables in machines.items()}
    return [
        *note_lines(notes),
        *(line for host, variables in machines.items() for line in _pending(host, variables)),
        *turns(machines, gossip["watched"]),
    ]


def failure(gossip: Facts, plan: Plan, not_met: str, *, version: bool) -> str:
    """Why the play fails after its summary, empty if it does not.

    ``not_met``: why the cluster is not as it should be; ``version``: whether nodes of another version are a failure.
    """
    if not_met:
        return f"{plan['cluster_name']}: {not_met.splitlines()[0]}. The problems and their remedies are listed above."
    return "\n".join(problem_lines(version_problems(gossip, plan, started=True))) if version else ""


def _pending(host: str, variables: Facts) -> t.Iterator[str]:
    for result in (variables.get(REGISTERED) or {}).get("results", []):
        if result.get("restart_needed"):
            yield f"{host}: a restart of {result['item']} is pending: {'; '.join(result['restart_needed'])}"


__all__ = ["failure", "summary"]
