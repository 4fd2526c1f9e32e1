# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A rolling restart: which services have to be restarted, which machines come last, and why it may not begin."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import REGISTERED

Facts = t.Mapping[str, t.Any]


def roll(plan: Plan, machines: t.Mapping[str, Facts], typed: str) -> dict[str, t.Any]:
    """``wanted``: machine -> services to restart yet; ``master``: the machine that comes last; ``refusal``: why not.

    The last two may be empty.

    ``machines``: machine -> ``services_results``, what es_service returned for each service, and ``es_gossip``, how the
    cluster was before the first turn. ``typed``: the cluster's name, to restart also what is not pending.
    """
    wanted = {host: _wanted(_results(each), bool(typed)) for host, each in machines.items()}
    return {"wanted": wanted, "master": _master(machines), "refusal": _refusal(plan, machines, typed)}


def _results(machine: Facts) -> list[Facts]:
    found = (machine.get(REGISTERED) or {}).get("results", [])
    return [result for result in found if "restart_needed" in result]


def _wanted(results: t.Sequence[Facts], everything: bool) -> list[str]:
    return [
        str(result["item"])
        for result in results
        if not _is_restarted(result) and (everything or result["restart_needed"])
    ]


def _is_restarted(result: Facts) -> bool:
    """It had its turn; ``watched`` is not there in check mode, and ``invocation`` not on Windows."""
    arguments = (result.get("invocation") or {}).get("module_args") or {}
    return bool(result.get("watched")) or arguments.get("state") == "restarted"


def _master(machines: t.Mapping[str, Facts]) -> str:
    """As the last turn has seen it, before the first one as the cluster was asked."""
    watched = [result["watched"] for each in machines.values() for result in _results(each) if result.get("watched")]
    if watched:
        masters = max(watched, key=lambda each: str(each["began"]))["masters"]
        return str(masters[-1]).partition("/")[0] if masters else ""
    asked = ((each.get("es_gossip") or {}).get("master") or {} for each in machines.values())
    return next((str(master["host"]) for master in asked if master.get("host")), "")


def _refusal(plan: Plan, machines: t.Mapping[str, Facts], typed: str) -> str:
    if typed not in ("", plan["cluster_name"]):
        return f"rolling_all is {typed}, but the cluster is {plan['cluster_name']}. No running node was stopped."
    results = (result for machine in machines.values() for result in _results(machine))
    wide = dict.fromkeys(name for result in results for name in result.get("stop_all_needed", []))
    if not wide:
        return ""
    return (
        f"Not restarted: {', '.join(wide)} must change on all nodes together; a node that was restarted alone could not"
        " join the others. No running node was stopped. Run playbook eventstore.cluster.stop with -e"
        f" stop_cluster={plan['cluster_name']}, then eventstore.cluster.start: no client can read or write meanwhile."
    )


__all__ = ["roll"]
