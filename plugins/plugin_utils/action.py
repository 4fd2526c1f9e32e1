# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half that modules share: which platform the host is, and what runs there."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class HostAction(ActionBase):
    """Runs the module of the same name on a POSIX host; a Windows host gets ``run_on_windows``."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        # The connection knows; facts may not be gathered, and inventory variables may be wrong.
        windows = getattr(self._connection._shell, "_IS_WINDOWS", False)
        result.update(self.run_on_windows(task_vars or {}) if windows else self.run_on_posix(task_vars or {}))
        return result

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Run the module with the arguments of the task."""
        wrap_async = self._task.async_val and not self._connection.has_native_async
        result: dict[str, t.Any] = self._execute_module(task_vars=task_vars, wrap_async=wrap_async)
        return result

    def run_on_windows(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Refuse: a Python module cannot run there."""
        name = self._task.action.rpartition(".")[2]
        host = task_vars.get("inventory_hostname", "this host")
        raise AnsibleActionFail(
            f"{name} on Windows hosts is not part of this release, and {host} is one ({self._connection.transport}). "
            f"Nothing was changed there. Leave it out (--limit 'all:!{host}') and do its part by hand."
        )


__all__ = ["HostAction"]
