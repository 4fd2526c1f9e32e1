# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The configuration files of one machine of a plan, as es_config takes them."""

from __future__ import annotations

import ntpath
import typing as t


def files(host: t.Mapping[str, t.Any], suffix: str = "", directory: str = "") -> list[dict[str, t.Any]]:
    """Those of ``host``, a machine of the plan.

    With ``suffix`` beside those in use, with ``directory`` in that one. Then without the manager's list of nodes, whose
    place is one of its options.
    """
    found = [_file("database", node) for node in host["nodes"]]
    manager = host["manager"]
    if manager:
        found.append(_file("manager", manager))
        if not (suffix or directory):
            found[-1]["nodes"] = manager["watchdog"]["nodes"]
    for each in found:
        if directory:
            each["path"] = f"{directory}/{ntpath.basename(each['path'])}"
        each["path"] += suffix
    return found


def _file(kind: str, server: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"path": server["config"], "kind": kind, "options": server["options"]}


__all__ = ["files"]
