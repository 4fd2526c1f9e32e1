# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_data, which refuses Windows hosts."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.modules.es_data import ARGUMENTS
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Runs the module es_data on a POSIX host."""

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        directories = ", ".join(self.windows_params(ARGUMENTS)["directories"])
        raise HostError(
            "es_data does not remove data on Windows",
            where=host.name,
            hint=f"Nothing was removed. Remove these directories manually: {directories}",
        )


__all__ = ["ActionModule"]
