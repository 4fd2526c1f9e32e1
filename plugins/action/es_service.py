# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_service: one stop at a time in a cluster, with its progress and what happened meanwhile."""

from __future__ import annotations

import os
import socket
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import alarms, turn
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction
from ansible_collections.eventstore.cluster.plugins.plugin_utils.turns import progress_shown, stop_lock

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host

display = Display()


class ActionModule(HostAction):
    """Runs the module es_service, or on Windows does its work from here."""

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        run = super().run_on_posix
        return self._one_stop_at_a_time(task_vars, lambda: run(task_vars))

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return self._one_stop_at_a_time(task_vars, lambda: self._run_from_here(host))

    def _run_from_here(self, host: Host) -> dict[str, t.Any]:
        from ansible_collections.eventstore.cluster.plugins.modules import es_service
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import service

        params = self.windows_params(es_service.ARGUMENTS, **es_service.RULES)
        service.refuse_unsupported_options(params)
        return service.WindowsService(host, params).bring_to(params["state"], es_service.cluster_of(params))

    def _one_stop_at_a_time(
        self, task_vars: dict[str, t.Any], run: t.Callable[[], dict[str, t.Any]]
    ) -> dict[str, t.Any]:
        """Run the module as the only stop in its cluster that this user's plays do."""
        given = self._task.args.get("cluster")
        stops = self._task.args.get("state") in ("stopped", "restarted", "absent")
        if not stops or not isinstance(given, dict) or self._task.check_mode:
            return run()
        if self._task.async_val:
            raise AnsibleActionFail(
                "es_service was not started: with async, the next host could stop its node at the same time. Run the "
                "task without async; it prints the progress of a restarted node."
            )
        host = str(task_vars.get("inventory_hostname", ""))
        # The parent of this worker is ansible-playbook.
        play = f"{accounts.user_name(os.geteuid())}@{socket.gethostname()}:{os.getppid()}"
        owner = f"{play}:{host}"
        with stop_lock(given, owner, shared=bool(given.get("override"))) as record, progress_shown(given, host):
            self._task.args["cluster"] = {"owner": owner, **record.seen_by(play), **given}
            result = run()
            self._report(result, host)
            record.write(result.get("seen"))
            return result

    def _report(self, result: dict[str, t.Any], host: str) -> None:
        """What the cluster went through during a restart: in a line, and as warnings where data may be lost."""
        seen = result.get("seen")
        watched = seen.pop("watched", None) if seen else None
        if watched:
            result["watched"] = watched
            display.display(f"{host}: {turn(str(self._task.args.get('name')), watched)}")
            result.setdefault("warnings", []).extend(f"{host}: {line}" for line in alarms(watched))


__all__ = ["ActionModule"]
