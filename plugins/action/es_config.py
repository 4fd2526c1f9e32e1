# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_config."""

from __future__ import annotations

import functools
import typing as t

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import wanted
from ansible_collections.eventstore.cluster.plugins.modules.es_config import ARGUMENTS, RULES
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Runs the module es_config, or on Windows does its work from here."""

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import files

        params = self.windows_params({**files.POSIX_ARGUMENTS, **ARGUMENTS}, **RULES)
        files.refuse_posix(params)
        if params["state"] == "absent":
            return files.remove(host, params)
        hidden = wanted.secrets(params)
        try:
            result = _write(host, params)
        except EventStoreError as error:
            raise type(error)(str(remove_values(str(error), hidden))) from None
        return t.cast("dict[str, t.Any]", remove_values(result, hidden))


def _write(host: Host, params: dict[str, t.Any]) -> dict[str, t.Any]:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import files

    warnings: list[str] = []
    given = wanted.each_file(params)
    listed = [(each.get("options") or {}).get("WatchdogConfig") for each in given if each.get("nodes") is not None]
    files.prefetch(host, [*(each["path"] for each in given), *(str(path) for path in listed if path)])
    current = functools.partial(files.current, host, force=params["force"], warn=warnings.append)
    results = files.replace(host, wanted.desire_all(params, current), backup=params["backup"])
    warnings += [warning for each in results for warning in each.pop("warnings")]
    return {**wanted.merged(params, results), "warnings": warnings}


__all__ = ["ActionModule"]
