# SPDX-License-Identifier: GPL-3.0-or-later
"""A manager as a service of Windows: brought to a state, and proved.

The vendor's program installs and removes it, ``net`` starts and stops it, and nothing that either of them says counts:
the state is that of the service control manager, the proof is an answer over HTTP, asked for from the controller.
"""

from __future__ import annotations

import contextlib
import ntpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils import watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    ConfigError,
    EventStoreError,
    GossipError,
    ServiceError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.guard import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.service import permission, readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, script, services
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.files import text_of
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import FILE, Host, command_line

Params = t.Mapping[str, t.Any]

# What an installer that works needs to be seen by the service control manager.
SEEN_TIMEOUT_S = 10.0
RUNS = ("started", "restarted", "installed")
WILDCARDS = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Look:
    """What the service control manager and the registry say; ``state`` None: there is no such service."""

    state: str | None
    settings: services.Settings

    @property
    def runs(self) -> bool:
        return self.state not in (None, services.STOPPED)


@dataclass(frozen=True)
class Files:
    """What the service is told by its files on the host. ``nodes``: the addresses of each database node it starts.

    ``complete``: all of them could be read, so that there are no other nodes.
    """

    effective: layers.Effective | None = None
    paths: tuple[str, ...] = ()
    nodes: tuple[frozenset[Endpoint], ...] = ()
    cluster_size: int | None = None
    complete: bool = False


@dataclass
class Result:
    changed: bool = False
    before: str = ""
    after: str = ""
    answer: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seen: permission.Seen = field(default_factory=dict)

    def change(self, before: str, after: str) -> None:
        self.changed = True
        self.before += f"{before}\n"
        self.after += f"{after}\n"


def refuse_foreign(params: Params) -> None:
    """ServiceError for what a service of Windows cannot be; every option is honoured or refused."""
    problems = []
    if params["kind"] == "database":
        problems.append("kind is database, and on Windows 3.x to 5.x run as a service only below a manager")
    if params["provider"] not in ("auto", "windows"):
        problems.append(f"provider is {params['provider']}, and this machine is Windows")
    given = [option for option in ("arguments", "environment", "user", "group") if params[option]]
    problems += [f"{option} is given, and the vendor's installer takes none" for option in given]
    if params["upgrade"]:
        problems.append(
            "upgrade is given, and the way back would need the installer of the vendor, which may do nothing"
        )
    if problems:
        raise ServiceError(
            "; ".join(problems),
            where=params["name"],
            hint="Nothing was done. Leave it out; the installer makes a service of NT AUTHORITY\\LOCAL SERVICE, with "
            "the environment of the machine",
        )


class WindowsService:
    """One service on one host."""

    def __init__(self, host: Host, params: Params) -> None:
        self._host = host
        self._params = params
        self._name = script.check_service_name(params["name"])
        self._program = script.check_path(params["executable"], where="executable") if params["executable"] else ""
        self._config = script.check_path(params["config"], where="config") if params["config"] else ""
        self._timeout_s: float = params["timeout"]
        self._result = Result()

    def bring_to(self, state: str, cluster: permission.Cluster | None) -> dict[str, t.Any]:
        """``started``, ``stopped``, ``restarted``, ``installed`` or ``absent``; the result of the task."""
        found = self._look()
        files = self._files(found, must=state in ("started", "restarted") and not self._host.check_mode)
        ends = state in ("stopped", "absent")
        starts = state == "restarted" or (state == "started" and found.state != services.RUNNING)
        stops = found.runs and (ends or state == "restarted")
        if starts and files.effective:
            readiness.http_endpoint(readiness.listeners(files.effective))
        if state in RUNS:
            found = self._install(found)
            self._set_start_mode(found)
        with contextlib.ExitStack() as held:
            permitted = permission.Permission()
            if stops:
                permitted = held.enter_context(self._permit(files, cluster))
                self._result.warnings += permitted.warnings
                self._stop(files, "stopped" if ends else "running, started anew", permitted.confirm)
            if starts:
                self._start(files, found, is_restart=stops)
                self._result.seen = permitted.wait_until_back(self._has_ended)
            elif state == "started":
                self._look_at_running(files)
        if state == "absent":
            self._uninstall(found)
        return self._outcome(files)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _look(self) -> Look:
        state = services.read_state(self._host.run(*services.query(self._name)), name=self._name)
        if state is None:
            return Look(None, services.Settings())
        return Look(state, services.read_settings(self._host.run(*services.query_settings(self._name))))

    def _state(self) -> str | None:
        return services.read_state(self._host.run(*services.query(self._name)), name=self._name)

    def _has_ended(self) -> str:
        state = self._state()
        return "" if state == services.RUNNING else f"the service is {state or 'gone'}"

    def _files(self, found: Look, *, must: bool) -> Files:
        """What is known from the files; an error for the manager's own if it has to be there."""
        if not self._config:
            return Files()
        try:
            effective = self._effective("manager", self._config, self._params["version"])
        except EventStoreError as error:
            if must:
                raise
            if found.runs:
                self._result.warnings.append(f"The nodes of {self._name} are not known from its files: {error}")
            return Files(paths=(self._config,))
        paths, nodes = [self._config], []
        sizes: list[int] = []
        complete = False
        with contextlib.suppress(EventStoreError):  # the manager itself says what is wrong with its file
            for path in self._node_configs(effective, paths):
                node = self._effective("database", path, VERSIONS[-1])
                nodes.append(
                    frozenset(Endpoint(node.value(f"{at}Ip"), node.value(f"{at}HttpPort")) for at in ("Int", "Ext"))
                )
                sizes.append(node.value("ClusterSize"))
            complete = True
        return Files(effective, tuple(paths), tuple(nodes), max(sizes, default=None) if complete else None, complete)

    def _node_configs(self, effective: layers.Effective, paths: list[str]) -> list[str]:
        """The configuration files of the nodes that the manager starts; all files read are added to ``paths``."""
        path = effective.value("WatchdogConfig") if effective.value("EnableWatchdog") else None
        if not path:
            return []
        text = text_of(self._host, path)
        if text is None:
            raise ConfigError("the list of the database nodes is not there", where=path)
        found = [entry.config for entry in watchdog.parse(text, where=path) if entry.config]
        paths += [path, *found]
        return found

    def _effective(self, kind: str, path: str, version: str) -> layers.Effective:
        text = text_of(self._host, path)
        if text is None:
            raise ConfigError("the configuration file is not there", where=path, hint="Nothing was started or stopped")
        options = option_set(kind, version)
        unknown = [item.key for item in document.read(text, where=path).items if not options.find(item.key)]
        return layers.effective(
            options.extended(unknown), file=text, file_name=path, environment={}, arguments=["--config", path]
        )

    def _listeners(self) -> set[Endpoint]:
        found = network.read_listeners(self._host.run(*network.show_listeners()).output)
        return {listener.endpoint for listener in found if listener.endpoint.ip not in WILDCARDS}

    # -- installing ----------------------------------------------------------------------------------------------------

    def _install(self, found: Look) -> Look:
        if found.state is not None and not found.settings.is_deleted:
            return found
        if found.settings.is_deleted:
            self._wait_until_gone("it is marked for deletion, so it cannot be installed")
        if not self._host.check_mode and self._host.kind_of(self._program) != FILE:
            raise ServiceError(
                f"there is no program {self._program}", where=self._name, hint="Unpack the vendor's software first"
            )
        command = services.install(self._program, self._name, self._config)
        self._result.change("", f"{self._name} installed")
        ran = self._host.change(*command)
        if ran is None:
            return Look(services.STOPPED, services.Settings())
        waited = wait_until(self._state, lambda state: state is not None, timeout_s=SEEN_TIMEOUT_S)
        if not waited.ok:
            raise services.not_installed(self._name, command_line(*command), ran)
        return self._look()

    def _set_start_mode(self, found: Look) -> None:
        enabled, mode = self._params["enabled"], found.settings.start_mode
        if enabled is None or not mode or enabled == (mode in ("auto", "delayed")):
            return
        self._result.change(
            f"{self._name} starts: {mode}", f"{self._name} starts: {'delayed' if enabled else 'manual'}"
        )
        ran = self._host.change(*services.set_start_mode(self._name, automatic=enabled))
        if ran and enabled != (self._look().settings.start_mode in ("auto", "delayed")):
            raise ServiceError(
                f"its start mode stayed {mode}: sc.exe ended with {ran.code}: {ran.output}",
                where=self._name,
                hint="Connect as an administrator",
            )

    def _uninstall(self, found: Look) -> None:
        if found.state is None:
            return
        self._result.change(f"{self._name} installed", "")
        if not found.settings.is_deleted:
            if not self._program:
                raise ServiceError("executable is missing: the vendor's program removes it", where=self._name)
            if not self._host.check_mode and self._host.kind_of(self._program) != FILE:
                raise ServiceError(
                    f"there is no program {self._program} to remove it with",
                    where=self._name,
                    hint=f"Give the executable that is there, or remove it on the host: sc.exe delete {self._name}",
                )
            self._host.change(*services.uninstall(self._program, self._name))
        self._wait_until_gone("it was uninstalled, but is still there")

    def _wait_until_gone(self, problem: str) -> None:
        if self._host.check_mode:
            return
        waited = wait_until(self._state, lambda state: state is None, timeout_s=self._timeout_s)
        if waited.ok:
            return
        if self._look().settings.is_deleted:
            raise ServiceError(
                f"{problem}: Windows keeps it, marked for deletion (1072), while a program holds a handle on it",
                where=self._name,
                hint="Close the Services window, Event Viewer and Task Manager on the host, or restart it; run again",
            )
        raise ServiceError(
            f"{problem}, and not marked for deletion",
            where=self._name,
            hint="Some releases of the vendor's program do nothing in a session in which nobody is logged on. Run it "
            f"there once: {command_line(*services.uninstall(self._program, self._name))}",
        )

    # -- starting and stopping -----------------------------------------------------------------------------------------

    def _permit(self, files: Files, cluster: permission.Cluster | None) -> t.ContextManager[permission.Permission]:
        """Ask whether the cluster can do without the nodes.

        They may run with what their files said before, so that whatever listens on this machine is theirs as well.
        """
        held = frozenset(self._listeners())
        unknown = () if files.complete else (held,)
        nodes = tuple(addresses | held for addresses in files.nodes) + unknown
        members = permission.Members(Stop(self._name, nodes), files.cluster_size)
        return permission.permit(cluster, members, hold_s=2 * self._timeout_s, check_mode=self._host.check_mode)

    def _stop(self, files: Files, after: str, confirm: t.Callable[[], None]) -> None:
        self._result.change(f"{self._name} running", f"{self._name} {after}")
        confirm()
        ran = self._host.change(*services.stop(self._name))
        if ran is None:
            return
        waited = wait_until(self._state, lambda state: state in (None, services.STOPPED), timeout_s=self._timeout_s)
        if not waited.ok:
            raise ServiceError(
                f"it is {waited.last} after {self._timeout_s:g} s; net.exe ended with {ran.code}: {ran.output}",
                where=self._name,
                hint="Nothing else was done. Look into the manager's log and the event log of the host",
            )
        nodes = frozenset().union(*files.nodes)
        left = wait_until(lambda: nodes & self._listeners(), lambda ports: not ports, timeout_s=self._timeout_s)
        if not left.ok:
            ports = ", ".join(str(endpoint) for endpoint in sorted(left.last))
            self._result.warnings.append(
                f"{self._name} has stopped, but its database nodes still listen on {ports}. End them on the host "
                "before their files or their software change"
            )

    def _start(self, files: Files, found: Look, *, is_restart: bool) -> None:
        if not is_restart:
            self._result.change(f"{self._name} {(found.state or services.STOPPED).lower()}", f"{self._name} running")
        ran = self._host.change(*services.start(self._name))
        if ran is None:
            return
        over = (None, services.STOPPED, services.RUNNING)
        waited = wait_until(self._state, lambda state: state in over, timeout_s=self._timeout_s)
        if waited.last != services.RUNNING:
            raise ServiceError(
                f"it is {waited.last or 'not installed'} and not RUNNING; net.exe ended with {ran.code}: {ran.output}",
                where=self._name,
                hint="Look into the manager's log and the event log of the host. May its account read "
                f"{self._config}, and are the URLs reserved (es_urlacl)?",
            )
        self._wait_for_answer(files)

    def _look_at_running(self, files: Files) -> None:
        reasons = self._restart_reasons(self._pid(), files)
        if not reasons:
            self._wait_for_answer(files)
            return
        # It runs with what it was started with, so it may rightly be elsewhere than the files say now.
        try:
            self._wait_for_answer(files, timeout_s=0)
        except ServiceError as error:
            self._result.warnings.append(f"{error.problem}; it has to be restarted: {'; '.join(reasons)}")

    def _wait_for_answer(self, files: Files, *, timeout_s: float | None = None) -> None:
        if files.effective is None:
            return
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        endpoint = readiness.http_endpoint(readiness.listeners(files.effective))

        def ask() -> dict[str, t.Any] | GossipError:
            try:
                return readiness.ask(self._params["kind"], endpoint)
            except GossipError as error:
                return error

        waited = wait_until(ask, lambda seen: not isinstance(seen, GossipError), timeout_s=timeout_s)
        if isinstance(waited.last, GossipError):
            raise ServiceError(
                f"the service control manager says that it runs, but within {timeout_s:g} s it did not answer "
                f"the controller as a manager does: {waited.last}",
                where=self._name,
                hint="It was left running. Look into its log; is the URL reserved (es_urlacl), and may the controller "
                "reach it through the firewall?",
            )
        self._result.answer = waited.last

    # -- the result ----------------------------------------------------------------------------------------------------

    def _outcome(self, files: Files) -> dict[str, t.Any]:
        found = self._look()
        pid = self._pid() if found.runs else None
        wanted = self._params["state"] in RUNS
        warnings = list(self._result.warnings)
        if wanted and found.state is not None:
            warnings += services.recovery_problems(self._name, found.settings)
            warnings += self._program_warnings(found.settings)
        return {
            "changed": self._result.changed,
            "status": found.state or "not installed",
            "pid": pid,
            "restart_needed": self._restart_reasons(pid, files) if wanted else [],
            "answer": self._result.answer,
            "start_mode": found.settings.start_mode,
            "recovery": list(found.settings.recovery),
            "warnings": warnings,
            "diff": {"before": self._result.before, "after": self._result.after},
            **({"seen": self._result.seen} if self._result.seen else {}),
        }

    def _program_warnings(self, settings: services.Settings) -> list[str]:
        directory = ntpath.normpath(ntpath.dirname(self._program)).lower()
        if not settings.program or directory in settings.program.lower():
            return []
        return [
            f"{self._name} was installed from another place: {settings.program}. To have it run {self._program}: "
            "es_service with state: absent, then state: started"
        ]

    def _pid(self) -> int | None:
        return services.read_pid(self._host.run(*services.query_process(self._name)))

    def _restart_reasons(self, pid: int | None, files: Files) -> list[str]:
        if pid is None:
            return []
        started = self._host.ask(script.started_at(pid), expected="TIME", where=f"process {pid}")
        # All are UTC in ISO 8601, so their order is that of their texts.
        return [
            f"{path} was written after pid {pid} was started"
            for path in files.paths
            if self._host.ask(script.written_at(path), expected="TIME", where=path) > started
        ]


__all__ = ["WindowsService", "refuse_foreign"]
