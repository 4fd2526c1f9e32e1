# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory group that holds the machines of one cluster, and the machines that a play would work on."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.topology.settings import Problem

VARIABLE = "eventstore_inventory_group"
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
                f"{', '.join(others)}: not in the group {name}, whose machines are {', '.join(groups[name])}",
                f"A play works on one cluster. Give its group with -e {VARIABLE}=GROUP, and nowhere else",
            )
        ]
    return problems


__all__ = ["VARIABLE", "group_problems", "strangers"]
