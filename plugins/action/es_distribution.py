# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_distribution: brings the archive and the programs to a host that needs them."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import (
    check_checksum,
    check_url,
    checksum,
    open_archive,
)
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Asks the host first; one module run where all is there already."""

    _supports_async = False

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            return self._bring_what_is_needed(task_vars)
        except (EventStoreError, OSError) as error:
            raise AnsibleActionFail(f"On the controller: {error}") from error

    def _bring_what_is_needed(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if self._task.args.get("url"):
            check_url(str(self._task.args["url"]))  # before it is sent anywhere
        args = {**self._task.args, "programs": self._programs()}
        result: dict[str, t.Any] = self._execute_module(module_args=args, task_vars=task_vars)
        needs = result.pop("needs", [])
        if "archive" in needs:
            args["src"], entries = self._archive()
            result["diff"]["after"]["entries"] = entries
        if not needs or self._task.check_mode:
            return result
        args["remote_src"] = True
        if "archive" in needs:
            args["src"] = self._bring(args["src"], "archive")
        for number, program in enumerate(args["programs"]):
            if program["dest"] in needs:
                program["src"] = self._bring(program["src"], f"program-{number}")
        # As the user wrote it: the temporary files are no one's business.
        invocation = result.get("invocation")
        return {**self._execute_module(module_args=args, task_vars=task_vars), "invocation": invocation}

    def _archive(self) -> tuple[str, list[str]]:
        """Path and top-level entries of an archive that the host would accept."""
        path = self._find(self._task.args["src"])
        check_checksum(path, self._task.args["checksum"].lower())
        with open_archive(path) as archive:
            archive.require(self._task.args.get("executable", "eventstored"))
            archive.require_version(os.path.basename(os.path.normpath(self._task.args["home"])))
            return path, archive.top_level()

    def _programs(self) -> t.Any:
        """The programs with their checksums, where they are on the controller; the module refuses what is wrong."""
        given = self._task.args.get("programs") or []
        if boolean(self._task.args.get("remote_src", False), strict=False) or not isinstance(given, list):
            return given
        programs = [dict(program) if isinstance(program, dict) else program for program in given]
        for program in programs:
            if isinstance(program, dict) and program.get("src"):
                program["src"] = self._find(program["src"])
                program["checksum"] = program.get("checksum") or checksum(program["src"])
        return programs

    def _find(self, path: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as error:
            raise AnsibleActionFail(f"Put the file there, or fix the path: {error}") from error

    def _bring(self, path: str, name: str) -> str:
        """Transfer a file of the controller to the task's temporary directory on the host; its path there."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote: str = self._connection._shell.join_path(self._connection._shell.tmpdir, name)
        self._transfer_file(path, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        return remote

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        from ansible_collections.eventstore.cluster.plugins.modules import es_distribution
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import distribution

        params = self.windows_params(es_distribution.ARGUMENTS, **es_distribution.RULES)
        return distribution.Distribution(host, params, self._find).bring_to(params["state"])


__all__ = ["ActionModule"]
