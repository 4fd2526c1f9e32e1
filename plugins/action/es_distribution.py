# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_distribution: brings the archive, if it is the right one, to a host that needs it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.archive import check_checksum, open_archive
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Asks the host first; one module run where the software is there already."""

    _supports_async = False

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        result = super().run_on_posix(task_vars)
        if not result.pop("needs_archive", False):
            return result
        try:
            archive, entries = self._archive(self._task.args)
        except (EventStoreError, OSError) as error:
            raise AnsibleActionFail(f"On the controller: {error}") from error
        if self._task.check_mode:
            result["diff"]["after"]["entries"] = entries
            return result
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "archive")
        self._transfer_file(archive, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        args = {**self._task.args, "src": remote, "remote_src": True}
        # As the user wrote it: the temporary file is nobody's business.
        return {**self._execute_module(module_args=args, task_vars=task_vars), "invocation": result.get("invocation")}

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        from ansible_collections.eventstore.cluster.plugins.modules import es_distribution
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import distribution

        params = self.windows_params(es_distribution.ARGUMENTS, **es_distribution.RULES)
        return distribution.Distribution(host, params, self._find).bring_to(params["state"])

    def _find(self, src: str) -> str:
        try:
            return str(self._find_needle("files", src))
        except AnsibleError as error:
            raise AnsibleActionFail(f"Put the archive there, or mend the path: {error}") from error

    def _archive(self, args: dict[str, t.Any]) -> tuple[str, list[str]]:
        """Path and top-level entries of an archive that the host would accept."""
        path = self._find(args["src"])
        check_checksum(path, args["checksum"].lower())
        with open_archive(path) as archive:
            archive.require(args.get("executable", "eventstored"))
            return path, archive.top_level()


__all__ = ["ActionModule"]
