# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The inventory group that holds the machines of one cluster, and the machines that a play would work on."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import VARIABLES, HostVariables

VARIABLE = "eventstore_inventory_group"
NAME = "eventstore_cluster_name"
DEFAULT_NAME = next(variable.default for variable in VARIABLES if variable.name == NAME)
# What an operator confirms by the name of the cluster.
CONFIRMATIONS = ("stop_cluster", "database_remove_data", "rolling_all")
# The fewest database nodes of a cluster that survives the loss of one.
LEAST_NODES = 3
# Groups that Ansible makes itself.
_EVERYBODY = frozenset({"all", "ungrouped"})


def group_problems(groups: t.Mapping[str, t.Sequence[str]], name: str, hosts: t.Sequence[str]) -> list[Problem]:
    """Why a play of the group would work on none of these hosts, which are what --limit has left; empty if it would."""
    machines = groups.get(name) or []
    if not machines:
        others = ", ".join(sorted(set(groups) - _EVERYBODY)) or "none"
        state = "has no machine" if name in groups else "is not in the inventory"
        return [
            Problem(
                "no-machines",
                f"the group {name} {state}. Groups of the inventory: {others}",
                f"Nothing was done. Give the inventory with -i, or the group of the cluster with -e {VARIABLE}=GROUP",
            )
        ]
    if set(machines).isdisjoint(hosts):
        return [
            Problem(
                "no-machines",
                f"--limit leaves out all machines of the group {name}: {', '.join(machines)}",
                f"Nothing was done. Name one of them, or give another cluster's group with -e {VARIABLE}=GROUP",
            )
        ]
    return []


def strangers(groups: t.Mapping[str, t.Sequence[str]], name: str, hosts: t.Sequence[str]) -> list[Problem]:
    """Hosts of a play that are no machines of the cluster's group."""
    problems = group_problems(groups, name, [*hosts, *groups.get(name, [])])
    others = sorted(set(hosts) - set(groups.get(name, [])))
    if not problems and others:
        problems = [
            Problem(
                "not-in-group",
                f"not in the group {name}, whose machines are {', '.join(groups[name])}",
                f"A play works on one cluster. Give its group with -e {VARIABLE}=GROUP, and nowhere else",
                ", ".join(others),
            )
        ]
    return problems


def several_clusters(inventory: t.Sequence[HostVariables]) -> list[Problem]:
    """Whether the machines are of several clusters, by the cluster's name or, where none is set, by their groups."""
    names: dict[str, list[str]] = {}
    for variables in inventory:
        names.setdefault(str(variables.values[NAME]), []).append(variables.host)
    groups = _groups(inventory)
    if len(names) > 1:
        said = "; ".join(f"{name} on {', '.join(hosts)}" for name, hosts in names.items())
        own = [group for hosts in names.values() for group, members in groups.items() if sorted(hosts) == members]
        return [_several(f"{NAME} differs between the machines: {said}", own if len(own) >= len(names) else [])]
    whole = _covering(inventory, groups) if DEFAULT_NAME in names else []
    if whole:
        return [_several(f"the groups {', '.join(whole)} can each be a cluster, and {NAME} is not set", whole)]
    return []


def confirmation_warning(name: str, given: t.Mapping[str, t.Any]) -> str:
    """What to say where an operator has confirmed something by a name that every cluster has without being named."""
    typed = [word for word in CONFIRMATIONS if name == DEFAULT_NAME and given.get(word) == name]
    if not typed:
        return ""
    return (
        f"{typed[0]}={name} names the cluster by the default of {NAME}, which every other cluster without a name of "
        f"its own has too. Set {NAME}"
    )


def _several(text: str, groups: t.Sequence[str]) -> Problem:
    way = " or ".join(f"-e {VARIABLE}={group}" for group in groups) or (
        f"put each cluster's machines into a group of its own, and give -e {VARIABLE}=GROUP"
    )
    return Problem(
        "several-clusters",
        text,
        f"Nothing was done. Each cluster is run alone: {way}. If it is one cluster, set {NAME} once for all machines",
    )


def _groups(inventory: t.Sequence[HostVariables]) -> dict[str, list[str]]:
    """The groups that hold some of the machines, and not all."""
    groups: dict[str, list[str]] = {}
    for variables in inventory:
        for group in variables.groups:
            groups.setdefault(group, []).append(variables.host)
    return {group: sorted(hosts) for group, hosts in groups.items() if len(hosts) < len(inventory)}


def _covering(inventory: t.Sequence[HostVariables], groups: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Groups without a common machine that together hold all, each with as many nodes as a cluster has: 3, 5, …."""
    nodes = {variables.host: len(variables["nodes"]) for variables in inventory}
    left, found = set(nodes), []
    for group, hosts in groups.items():
        size = sum(nodes[host] for host in hosts)
        if left.issuperset(hosts) and size >= LEAST_NODES and size % 2:
            left -= set(hosts)
            found.append(group)
    return [] if left else found


__all__ = ["VARIABLE", "confirmation_warning", "group_problems", "several_clusters", "strangers"]
