# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The configuration files of one machine of a plan, as es_config takes them."""

from __future__ import annotations

import ntpath
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import MachinePlan, ServicePlan


def files(machine: MachinePlan, suffix: str = "", directory: str = "") -> list[dict[str, t.Any]]:
    """Entries of es_config for one machine.

    ``suffix``: staged copies beside the files in use. ``directory``: all of them there. Both leave out the watchdog
    file, whose path is an option of the manager.
    """
    found = [_file("database", node) for node in machine["nodes"]]
    manager = machine["manager"]
    if manager:
        found.append(_file("manager", manager))
        if not (suffix or directory):
            found[-1]["nodes"] = manager["watchdog"]["nodes"]
    for each in found:
        if directory:
            each["path"] = f"{directory}/{ntpath.basename(each['path'])}"
        each["path"] += suffix
    return found


def _file(kind: str, service: ServicePlan) -> dict[str, t.Any]:
    return {"path": service["config"], "kind": kind, "options": service["options"]}


__all__ = ["files"]
