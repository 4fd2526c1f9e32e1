# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The services of one machine of a plan, as es_service takes them."""

from __future__ import annotations

import typing as t


def services(host: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Those of ``host``, a machine of the plan: its manager, which starts the database nodes, or each of these.

    ``files`` are the configuration files that a service and what it starts read.
    """
    manager, nodes = host["manager"], host["nodes"]
    if manager:
        files = [manager["config"], *(node["config"] for node in nodes)]
        return [_service("manager", manager, manager["program"], files)]
    # The plan's paths are those of the machine, a Windows machine has a manager.
    executable = f"{host['software']['home']}/{host['software']['executable']}"
    return [_service("database", node, executable, [node["config"]]) for node in nodes]


def _service(kind: str, server: t.Mapping[str, t.Any], executable: str, files: list[str]) -> dict[str, t.Any]:
    return {
        "name": server["service"],
        "kind": kind,
        "executable": executable,
        "config": server["config"],
        "arguments": server.get("arguments", []),
        "environment": server["environment"],
        "writable": server["directories"],
        "files": files,
    }


__all__ = ["services"]
