# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether planned nodes may start beside those that run, by their ClusterSizes.

Two new machines in the inventory of three that run make {3,3,3,5,5}: healthy in every gossip, and after a cut of the
network two masters acknowledge writes (67 acknowledged events were lost so, measured on 3.4.0).
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import two_masters_possible


class SeenNode(t.TypedDict):
    """A planned node as its machine has it; ``cluster_size``: of the running process, else of its file."""

    name: str
    running: bool
    cluster_size: int | None


def start_problems(
    plan: Plan, seen: t.Mapping[str, t.Sequence[SeenNode]], answering: t.Collection[str]
) -> list[Problem]:
    """Why the planned nodes that do not run must not be started now; empty if nothing speaks against it.

    ``seen``: of each machine that was checked, ``{name, running, cluster_size}`` of its nodes, where the size is that
    of the running process, else that of the node's file, None if unknown. ``answering``: the names of all servers that
    answered, as ``host/node``.
    """
    planned = plan["cluster_size"]
    nodes = {f"{host}/{node['name']}": node for host, nodes in seen.items() for node in nodes}
    running = {name: node["cluster_size"] or planned for name, node in nodes.items() if node["running"]}
    new = [name for name, node in nodes.items() if not node["running"] and node["cluster_size"] != planned]
    if not new:  # the others ran with these sizes before
        return []
    unknown = [name for name in _planned_nodes(plan) if name not in nodes and name in answering]
    if unknown:
        return [
            Problem(
                "cluster-size-unknown",
                f"{_join(new)} would start with ClusterSize {planned}, and the ClusterSize with which "
                f"{_join(unknown)} run is not known: with another one, two masters become possible",
                "Run the playbook again without --limit, so that every machine is checked. Nothing was changed",
            )
        ]
    sizes = [*running.values(), *(planned for node in nodes.values() if not node["running"])]
    if not two_masters_possible(sizes):
        return []
    return [
        Problem(
            "two-masters",
            f"{_join(new)} would start with ClusterSize {planned} beside {_by_size(running)}: after a cut of the "
            "network both parts could elect a master, and one part loses the writes that it acknowledged",
            "Take the new machines out of the inventory; or grow the cluster with an outage: playbook "
            "eventstore.cluster.stop, then site with -e quorum_until=quorum and --limit to the machines that have "
            "data, then site. Nothing was changed",
        )
    ]


def size_in(text: str | None) -> int | None:
    """The ClusterSize that a node started with this text as its configuration file has; None if it cannot be read."""
    if text is None or document.is_blank(text):
        return None
    try:
        options = option_set("database", VERSIONS[-1])  # has the options of all before
        known = options.extended(item.key for item in document.read(text, where="").items if not options.find(item.key))
        size: int = layers.effective(known, file=text).value("ClusterSize")
    except EventStoreError:
        return None
    return size


def _planned_nodes(plan: Plan) -> t.Iterator[str]:
    return (f"{host}/{node['name']}" for host, machine in plan["hosts"].items() for node in machine["nodes"])


def _by_size(running: t.Mapping[str, int]) -> str:
    names = collections.defaultdict(list)
    for name, size in running.items():
        names[size].append(name)
    return " and ".join(f"{_join(each)}, which run with ClusterSize {size}" for size, each in sorted(names.items()))


def _join(names: t.Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]


__all__ = ["size_in", "start_problems"]
