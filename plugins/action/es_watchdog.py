# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_watchdog."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.files.wanted import (
    desire_watchdog,
    refuse_damaged_watchdog,
)
from ansible_collections.eventstore.cluster.plugins.modules.es_watchdog import ARGUMENTS, RULES
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Runs the module es_watchdog, or on Windows does its work from here."""

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import files

        params = self.windows_params({**files.POSIX_ARGUMENTS, **ARGUMENTS}, **RULES)
        files.refuse_posix(params)
        if params["state"] == "absent":
            return files.remove(host, params)
        path, nodes = params["path"], params["nodes"]
        watchdog.wanted(nodes)  # what was asked for is refused before what is there
        warnings: list[str] = []
        files.prefetch(host, [path])
        check = functools.partial(refuse_damaged_watchdog, where=path)
        before, damaged = files.current(host, path, check, force=params["force"], warn=warnings.append)
        wanted = desire_watchdog(path, nodes, before, damaged=damaged)
        (result,) = files.replace(host, [wanted], backup=params["backup"])
        return {**result, "warnings": [*warnings, *result["warnings"]]}


__all__ = ["ActionModule"]
