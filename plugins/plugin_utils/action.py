# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The controller half that modules share: which platform the host is, and what runs there."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.plugin_utils.vaulted import decrypted

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host

Spec = dict[str, dict[str, t.Any]]


class HostAction(ActionBase):
    """Runs the module of the same name on a POSIX host; on a Windows host its work is ``on_windows``."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        self._task.args = decrypted(self._task.args)
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
        """Do the work of the module from here: a Python module cannot run there."""
        # Who has no Windows hosts does not load what they need.
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host

        host = Host(self, str(task_vars.get("inventory_hostname", "this host")), bool(self._task.check_mode))
        try:
            host.require_plain_task()
            result = self.on_windows(host, task_vars)
        except EventStoreError as error:
            raise AnsibleActionFail(str(error), result={"codes": list(error.codes)}) from error
        if not self._task.diff:
            result.pop("diff", None)
        return {**result, "commands": host.commands} if host.commands else result

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The module's work on a Windows host; errors of the collection become those of the task."""
        raise NotImplementedError

    def windows_params(self, spec: Spec, **rules: t.Any) -> dict[str, t.Any]:
        """The task's arguments for a Windows host. Paths stay as they are: the controller has another HOME."""
        _result, params = self.validate_argument_spec(
            {name: _as_text(option) for name, option in spec.items()}, **rules
        )
        return t.cast("dict[str, t.Any]", params)


def _as_text(option: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: "str" if name in ("type", "elements") and kind == "path" else kind for name, kind in option.items()}


__all__ = ["HostAction"]
