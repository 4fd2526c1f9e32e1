# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_preflight."""

from __future__ import annotations

import ntpath
import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, Problem, ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import check_checksum, open_archive
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Sends the time and the plan without its secrets, looks at the archive, and names the host in the problems."""

    _supports_async = False

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        arguments = dict(self._task.args)
        if isinstance(arguments.get("plan"), dict):
            arguments["plan"] = _without_secrets(arguments["plan"])
        arguments["controller_time"] = time.time()
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        return _named(self._with_archive(result, self._task.args.get("plan")), task_vars)

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import preflight

        params = self.windows_params({"plan": {"type": "dict", "required": True}})
        result = preflight.inspect(host, params["plan"])
        return _named(self._with_archive(result, params["plan"]), task_vars)

    def _with_archive(self, result: dict[str, t.Any], plan: t.Any) -> dict[str, t.Any]:
        """The result with what is wrong with an archive on the controller, where the host needs it."""
        if result.get("software_installed") is False and isinstance(plan, dict):
            result["problems"] += self._archive_problems(plan["software"])
        return result

    def _archive_problems(self, software: t.Mapping[str, t.Any]) -> t.Iterator[ProblemFacts]:
        given = str(software.get("archive") or "")
        if not given or "://" in given:
            return
        try:
            path = self._find_needle("files", given)
            check_checksum(path, str(software["checksum"]).lower())
            with open_archive(path) as archive:
                archive.require(software["executable"])
                archive.require_version(ntpath.basename(software["home"]))
        except EventStoreError as error:
            hint = error.hint.replace("Nothing was unpacked. ", "")
            yield Problem("archive", f"eventstore_archive {error.where}: {error.problem}", hint).facts()
        except (AnsibleError, OSError):
            yield Problem(
                "archive",
                f"eventstore_archive {given} cannot be read on the controller",
                "Put the file there, or correct the path",
            ).facts()


def _named(result: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    for problem in [*result.get("problems", []), *result.get("unreached_peers", [])]:
        problem["where"] = ": ".join(filter(None, (task_vars["inventory_hostname"], problem["where"])))
    return result


def _without_secrets(plan: dict[str, t.Any]) -> dict[str, t.Any]:
    """The plan as the module needs it: options can hold passwords, and so can the environment and a URL."""
    software = plan.get("software") or {}
    return {
        **plan,
        "software": {**software, "archive": bool(software.get("archive"))},
        "nodes": [_service(node) for node in plan.get("nodes") or []],
        "manager": _service(plan["manager"]) if plan.get("manager") else None,
    }


def _service(service: dict[str, t.Any]) -> dict[str, t.Any]:
    options = {name: value for name, value in service["options"].items() if name in data.WHERE}
    return {**service, "options": options, "environment": data.where_of(service.get("environment") or {})}
