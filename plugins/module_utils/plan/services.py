# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The services of one machine of a plan, as es_service takes them."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import MachinePlan, ServicePlan


def services(machine: MachinePlan) -> list[dict[str, t.Any]]:
    """Entries of es_service for one machine: its manager, which starts the database nodes, or each of these.

    ``files`` are the configuration files that a service and what it starts read.
    """
    manager, nodes = machine["manager"], machine["nodes"]
    if manager:
        files = [manager["config"], *(node["config"] for node in nodes)]
        return [_service("manager", manager, manager["program"], files, manager["arguments"])]
    # The plan's paths are those of the machine, a Windows machine has a manager.
    executable = f"{machine['software']['home']}/{machine['software']['executable']}"
    return [_service("database", node, executable, [node["config"]]) for node in nodes]


def _service(
    kind: str, service: ServicePlan, executable: str, files: list[str], arguments: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    return {
        "name": service["service"],
        "kind": kind,
        "executable": executable,
        "config": service["config"],
        "arguments": list(arguments),
        "environment": service["environment"],
        "writable": service["directories"],
        "files": files,
    }


__all__ = ["services"]
