# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_watchdog."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import watchdog
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
        path = params["path"]
        after = watchdog.wanted(params["nodes"])
        found = files.current(host, params, lambda text: watchdog.parse(text or "", where=path))
        shown = "# Not shown: the file is damaged.\n" if found.damaged else found.text or ""
        result: dict[str, t.Any] = {
            "changed": after != found.text,
            "path": path,
            "nodes": [list(entry.arguments) for entry in watchdog.parse(after)],
            "diff": [{"before_header": path, "after_header": path, "before": shown, "after": after}],
            "warnings": found.warnings,
        }
        if result["changed"]:
            result.update(files.replace(host, params, after))
            result["warnings"] += files.access_warnings(host, path)
        return result


__all__ = ["ActionModule"]
