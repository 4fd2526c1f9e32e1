# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A manager as a service of Windows: brought to a state, and proved.

What a stop takes down is read from the processes below the service and from what listens for them, never from the task.

The vendor's program installs and removes it, ``net`` starts and stops it, and nothing that either of them says counts:
the state is that of the service control manager, the proof is an answer over HTTP, asked for from the controller.
"""

from __future__ import annotations

import contextlib
import ntpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, deployed_option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    ConfigError,
    EventStoreError,
    GossipError,
    ServiceError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.service import readiness, states
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, processes, script, services
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.files import text_in
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import FILE, Host, command_line

Params = t.Mapping[str, t.Any]

# What an installer that works needs to be seen by the service control manager.
SEEN_TIMEOUT_S = 10.0
# How the plan names the files beside a manager's; a wrong guess costs another look and nothing else.
NEIGHBOURS = ("watchdog.esconfig", "database.yaml")


@dataclass(frozen=True)
class ServiceState:
    """What the service control manager and the registry say; ``state`` None: there is no such service.

    ``pid`` and ``started`` (UTC, ISO 8601) of its process: None and "" where they cannot be told.
    """

    state: str | None
    settings: services.Settings
    pid: int | None = None
    started: str = ""

    @property
    def runs(self) -> bool:
        return self.state not in (None, services.STOPPED)


@dataclass(frozen=True)
class Node:
    """A database node as its file says. ``http``: where it is asked; ``listens``: those and its TCP ports."""

    http: frozenset[Endpoint]
    listens: frozenset[Endpoint]
    cluster_size: int


@dataclass(frozen=True)
class Files:
    """What the service is told by its files. ``written``: when each was; ``nodes``: by the paths of their files."""

    effective: layers.Effective | None = None
    written: t.Mapping[str, str] = field(default_factory=dict)
    nodes: t.Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """The database nodes that run below the service; ``cluster_size``: None where one of their files is not known."""

    addresses: t.Mapping[int, frozenset[Endpoint]]
    cluster_size: int | None


def refuse_unsupported_options(params: Params) -> None:
    """ServiceError for what a service of Windows cannot be; every option is honoured or refused."""
    problems = []
    if params["kind"] == "database":
        problems.append("kind is database, but on Windows, nodes of 3.x to 5.x run only under the service of a manager")
    if params["provider"] not in ("auto", "windows"):
        problems.append(f"provider is {params['provider']}, but this machine is Windows")
    given = [option for option in ("arguments", "environment", "user", "group") if params[option]]
    problems += [f"{option} is set, but the vendor's installer does not support it" for option in given]
    if params["start_empty"]:
        problems.append("start_empty is set, but Windows machines do not record the directory of a node's data")
    if params["upgrade"]:
        problems.append("upgrade is set, but the way back would need the vendor's installer, which may do nothing")
    if problems:
        raise ServiceError(
            "; ".join(problems),
            where=params["name"],
            hint="Nothing was changed. Remove the option; the installer creates a service of NT AUTHORITY\\LOCAL "
            "SERVICE, with the environment of the machine",
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
        self._result = states.Outcome()
        self._found = ServiceState(None, services.Settings())
        # What net.exe has printed, where it was run together with the installer; nothing in check mode.
        self._start_ran: list[script.Ran] | None = None

    def bring_to(self, state: str, cluster: permission.StopPolicy | None) -> dict[str, t.Any]:
        """``started``, ``stopped``, ``restarted``, ``installed`` or ``absent``; the result of the task."""
        self._prefetch(state)
        found = self._read_state()
        ends, stops, starts = states.steps(state, is_up=found.state == services.RUNNING, runs=found.runs)
        files = self._files(found, required=state in ("started", "restarted") and not self._host.check_mode)
        if starts and files.effective:
            readiness.http_endpoint(readiness.listeners(files.effective))
        if starts and not stops:
            self._refuse_taken(files)
        if state in states.PRESENT:
            found = self._install(found, then_start=starts and not stops)
            self._set_start_mode(found)
        with contextlib.ExitStack() as held:
            permitted = permission.Permission()
            if stops:
                running = self._running(found, files)
                permitted = held.enter_context(self._permit(running, cluster))
                self._result.warnings += permitted.warnings
                self._stop(running, "stopped" if ends else "running, restarted", permitted.confirm)
            elif ends:
                self._warn_of_orphans(files)
            if starts:
                if stops and not self._host.check_mode:
                    self._refuse_taken(files)
                self._start(files, found, is_restart=stops)
                self._result.seen = permitted.wait_until_back(self._has_ended)
            elif state == "started":
                self._check_running(files)
        if state == "absent":
            self._uninstall(found)
        return self._outcome(files)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _prefetch(self, state: str) -> None:
        """Ask in one start of PowerShell what will be asked, as far as that is known before the first answer."""
        directory = ntpath.dirname(self._config)
        paths = [self._config, *(ntpath.join(directory, name) for name in NEIGHBOURS)] if self._config else []
        parts = [*self._state_parts, *(script.read_file(path) for path in paths)]
        if state != "installed":
            parts += [script.run(*network.show_listeners()), script.run(*network.show_queues())]
        if state in states.STOPS:
            parts.append(script.processes())
        if self._program:
            parts.append(script.kind_of(self._program))
        self._host.prefetch(*parts)

    @property
    def _state_parts(self) -> list[str]:
        """What ``_read_state`` asks."""
        queries = [services.query(self._name), services.query_settings(self._name)]
        return [*(script.run(*query) for query in queries), script.process_of(self._name)]

    def _read_state(self) -> ServiceState:
        state = services.read_state(self._host.run(*services.query(self._name)), name=self._name)
        settings, process = services.Settings(), None
        if state is not None:
            settings = services.read_settings(self._host.run(*services.query_settings(self._name)))
        if state not in (None, services.STOPPED):
            process = self._host.say(script.process_of(self._name), where=f"process of {self._name}")
        pid, _blank, started = (process.value if process and process.kind == "PROCESS" else "").partition(" ")
        self._found = ServiceState(state, settings, int(pid) if pid else None, started)
        return self._found

    def _state_again(self) -> ServiceState:
        """As ``_read_state``, in one start also where nothing was asked together with what came before."""
        if not self._host.knows(script.run(*services.query(self._name))):
            self._host.prefetch(*self._state_parts)
        return self._read_state()

    def _has_ended(self) -> str:
        state = self._state_again().state
        return "" if state == services.RUNNING else f"the service is {state or 'gone'}"

    def _files(self, found: ServiceState, *, required: bool) -> Files:
        """What is known from the files; an error for the manager's own if it has to be there."""
        if not self._config:
            return Files()
        written: dict[str, str] = {}
        try:
            effective = self._effective("manager", self._config, self._params["version"], written)
        except EventStoreError as error:
            if required:
                raise
            if found.runs:
                self._result.warnings.append(f"The nodes of {self._name} are not known from its files: {error}")
            return Files(written=written)
        nodes: dict[str, Node] = {}
        with contextlib.suppress(EventStoreError):  # the manager itself says what is wrong with its file
            for path in self._node_configs(effective, written):
                nodes[path] = _node(self._effective("database", path, VERSIONS[-1], written))
        return Files(effective, written, nodes)

    def _node_configs(self, effective: layers.Effective, written: dict[str, str]) -> list[str]:
        """The configuration files of the nodes that the manager starts."""
        path = effective.value("WatchdogConfig") if effective.value("EnableWatchdog") else None
        if not path:
            return []
        text = self._text(path, written)
        if text is None:
            raise ConfigError("the list of the database nodes is missing", where=path)
        found = [entry.config for entry in watchdog.parse(text, where=path) if entry.config]
        self._host.prefetch(*(script.read_file(each) for each in found if not self._host.knows(script.read_file(each))))
        return found

    def _text(self, path: str, written: dict[str, str]) -> str | None:
        found = self._host.look(path)
        if found is None:
            return None
        written[path] = found.written
        return text_in(found.content, path)

    def _effective(self, kind: str, path: str, version: str, written: dict[str, str]) -> layers.Effective:
        text = self._text(path, written)
        if text is None:
            raise ConfigError("the configuration file is missing", where=path, hint="Nothing was started or stopped")
        options = deployed_option_set(kind, version)
        unknown = [item.key for item in document.read(text, where=path).items if not options.find(item.key)]
        return layers.effective(
            options.extended(unknown), file=text, file_name=path, environment={}, arguments=["--config", path]
        )

    def _listeners(self) -> list[network.Listener]:
        queues, sockets = network.show_queues(), network.show_listeners()
        if not self._host.knows(script.run(*sockets)):
            self._host.prefetch(script.run(*sockets), script.run(*queues))
        return network.read_listeners(self._host.run(*sockets).output, self._host.run(*queues).output)

    def _running(self, found: ServiceState, files: Files) -> Running:
        """The database nodes below the service; ServiceError where what runs cannot be told, or is no manager."""
        answer = self._host.ask(script.processes(), expected="PROCESSES", where="processes")
        family = processes.below(processes.read(answer), found.pid or 0)
        if not family or not family[0].command:
            raise ServiceError(
                f"the processes of the service are not known: process {found.pid or 'unknown'} is not shown",
                where=self._name,
                hint="Nothing was stopped. Connect as an administrator",
            )
        if not family[0].is_program(processes.MANAGER_PROGRAM):
            raise ServiceError(
                f"kind is manager, but the service runs {family[0].program} (process {family[0].pid}), not "
                f"{processes.MANAGER_PROGRAM}",
                where=self._name,
                hint="Nothing was stopped. Check the name of the manager's service",
            )
        listeners = self._listeners()
        addresses: dict[int, frozenset[Endpoint]] = {}
        sizes: list[int | None] = []
        for process in family[1:]:
            held = processes.held_by(process.pid, listeners)
            if held or process.is_program(processes.NODE_PROGRAM):
                known = next((node for path, node in files.nodes.items() if path in process.command), None)
                addresses[process.pid] = held | (known.http if known else frozenset())
                sizes.append(known.cluster_size if known else None)
        return Running(addresses, None if None in sizes else max(filter(None, sizes), default=None))

    def _taken(self, files: Files) -> list[str]:
        """Who listens where the database nodes of the service would."""
        wanted = frozenset().union(*(node.listens for node in files.nodes.values()))
        if not wanted:
            return []
        return [
            f"{endpoint} ({_holder(listener)})"
            for listener in self._listeners()
            for endpoint in sorted(wanted)
            if listener.holds(endpoint)
        ]

    def _refuse_taken(self, files: Files) -> None:
        """ServiceError if a node of an ended manager lives on: a second one would be started on its data."""
        taken = self._taken(files)
        if taken:
            raise ServiceError(
                f"the service does not run, but the ports of its database nodes are in use: {', '.join(taken)}",
                where=self._name,
                hint="The service was not started. If a node of an earlier manager still runs, stop it first: two "
                "nodes damage the same data",
            )

    def _warn_of_orphans(self, files: Files) -> None:
        taken = self._taken(files)
        if taken:
            self._result.warnings.append(
                f"{self._name} does not run, but the ports of its database nodes are in use: {', '.join(taken)}. If a "
                "node of an earlier manager still runs, stop it on the host before you change its files or software"
            )

    # -- installing ----------------------------------------------------------------------------------------------------

    def _install(self, found: ServiceState, *, then_start: bool) -> ServiceState:
        if found.state is not None and not found.settings.is_deleted:
            return found
        if found.settings.is_deleted:
            self._wait_until_gone("it is marked for deletion, so it cannot be installed")
        if not self._host.check_mode and self._host.kind_of(self._program) != FILE:
            raise ServiceError(
                f"the program {self._program} does not exist",
                where=self._name,
                hint="Unpack the vendor's software first",
            )
        command = services.install(self._program, self._name, self._config)
        self._result.change(self._name, "", "installed\n")
        # Where the installer has done nothing there is nothing to start, and net.exe says so.
        start = [services.start(self._name)] if then_start and self._params["enabled"] is None else []
        rans = self._host.change_all([command, *start], then=self._state_parts)
        self._start_ran = rans[1:] if start else None
        if not rans:
            return ServiceState(services.STOPPED, services.Settings())
        waited = wait_until(self._state_again, lambda look: look.state is not None, timeout_s=SEEN_TIMEOUT_S)
        if not waited.ok:
            raise services.not_installed(self._name, command_line(*command), rans[0])
        return waited.last

    def _set_start_mode(self, found: ServiceState) -> None:
        enabled, mode = self._params["enabled"], found.settings.start_mode
        if enabled is None or not mode or enabled == (mode in ("auto", "delayed")):
            return
        self._result.change(f"start mode of {self._name}", f"{mode}\n", "delayed\n" if enabled else "manual\n")
        command = services.set_start_mode(self._name, automatic=enabled)
        rans = self._host.change_all([command], then=self._state_parts)
        if rans and enabled != (self._read_state().settings.start_mode in ("auto", "delayed")):
            raise ServiceError(
                f"its start mode stayed {mode}: sc.exe exited with {rans[0].code}: {rans[0].output}",
                where=self._name,
                hint="Connect as an administrator",
            )

    def _uninstall(self, found: ServiceState) -> None:
        if found.state is None:
            return
        self._result.change(self._name, "installed\n", "")
        if not found.settings.is_deleted:
            if not self._program:
                raise ServiceError("executable is missing: the vendor's program removes it", where=self._name)
            if not self._host.check_mode and self._host.kind_of(self._program) != FILE:
                raise ServiceError(
                    f"the program {self._program}, which removes the service, does not exist",
                    where=self._name,
                    hint="Set executable to an existing program, or remove the service on the host: sc.exe delete "
                    f"{self._name}",
                )
            self._host.change_all([services.uninstall(self._program, self._name)], then=self._state_parts)
        self._wait_until_gone("it was uninstalled, but still exists")

    def _wait_until_gone(self, problem: str) -> None:
        if self._host.check_mode:
            return
        waited = wait_until(self._state_again, lambda look: look.state is None, timeout_s=self._timeout_s)
        if waited.ok:
            return
        if waited.last.settings.is_deleted:
            raise ServiceError(
                f"{problem}: Windows keeps it, marked for deletion (1072), while a program holds a handle on it",
                where=self._name,
                hint="Close the Services window, Event Viewer and Task Manager on the host, or restart the host; then "
                "run the task again",
            )
        raise ServiceError(
            f"{problem}, and not marked for deletion",
            where=self._name,
            hint="In a session without a logged-on user, some releases of the vendor's program do nothing. Run it "
            f"once on the host: {command_line(*services.uninstall(self._program, self._name))}",
        )

    # -- starting and stopping -----------------------------------------------------------------------------------------

    def _permit(
        self, running: Running, cluster: permission.StopPolicy | None
    ) -> t.ContextManager[permission.Permission]:
        """Ask whether the cluster can do without the nodes."""
        members = permission.ServiceNodes(Stop(self._name, tuple(running.addresses.values())), running.cluster_size)
        return permission.permit(cluster, members, hold_s=2 * self._timeout_s, check_mode=self._host.check_mode)

    def _stop(self, running: Running, after: str, confirm: t.Callable[[], None]) -> None:
        self._result.change(self._name, "running\n", f"{after}\n")
        confirm()
        sockets = [script.run(*network.show_listeners()), script.run(*network.show_queues())]
        rans = self._host.change_all([services.stop(self._name)], then=[*self._state_parts, *sockets])
        if not rans:
            return
        waited = wait_until(
            self._state_again, lambda look: look.state in (None, services.STOPPED), timeout_s=self._timeout_s
        )
        if not waited.ok:
            raise ServiceError(
                f"it is {waited.last.state} after {self._timeout_s:g} s; net.exe exited with {rans[0].code}: "
                f"{rans[0].output}",
                where=self._name,
                hint="Nothing else was done. Read the manager's log and the event log of the host",
            )
        if not running.addresses:
            return

        def left() -> list[network.Listener]:
            nodes = frozenset().union(*running.addresses.values())
            return [each for each in self._listeners() if each.pid in running.addresses or each.endpoint in nodes]

        still = wait_until(left, lambda found: not found, timeout_s=self._timeout_s)
        if not still.ok:
            ports = ", ".join(f"{each.endpoint} ({_holder(each)})" for each in still.last)
            self._result.warnings.append(
                f"{self._name} has stopped, but its database nodes still listen on {ports}. Stop them on the host "
                "before you change their files or software"
            )

    def _start(self, files: Files, found: ServiceState, *, is_restart: bool) -> None:
        if not is_restart:
            self._result.change(self._name, f"{(found.state or services.STOPPED).lower()}\n", "running\n")
        rans = self._start_ran
        if rans is None:
            rans = self._host.change_all([services.start(self._name)], then=self._state_parts)
        if not rans:
            return
        over = (None, services.STOPPED, services.RUNNING)
        if not (self._start_ran and self._found.state in over):  # else it was looked at after that start
            wait_until(self._state_again, lambda look: look.state in over, timeout_s=self._timeout_s)
        state = self._found.state
        if state != services.RUNNING:
            raise ServiceError(
                f"it is {state or 'not installed'} and not RUNNING; net.exe exited with {rans[0].code}: "
                f"{rans[0].output}",
                where=self._name,
                hint="Read the manager's log and the event log of the host. May its account read "
                f"{self._config}, and are the URLs reserved (es_urlacl)?",
            )
        self._wait_for_answer(files)

    def _check_running(self, files: Files) -> None:
        reasons = self._restart_reasons(files)
        if not reasons:
            self._wait_for_answer(files)
            return
        # It runs with what it was started with, so it may rightly be elsewhere than the files say now.
        try:
            self._wait_for_answer(files, timeout_s=0)
        except ServiceError as error:
            self._result.warnings.append(f"{error.problem}; it must be restarted: {'; '.join(reasons)}")

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
                f"the service control manager reports RUNNING, but within {timeout_s:g} s it did not answer the "
                f"controller as a manager: {waited.last}",
                where=self._name,
                hint="It was left running. Read its log; is the URL reserved (es_urlacl), and may the controller "
                "reach it through the firewall?",
            )
        self._result.answer = waited.last

    # -- the result ----------------------------------------------------------------------------------------------------

    def _outcome(self, files: Files) -> dict[str, t.Any]:
        found = self._found
        pid = found.pid if found.runs else None
        wanted = self._params["state"] in states.PRESENT
        warnings = list(self._result.warnings)
        if wanted and found.state is not None:
            warnings += services.recovery_problems(self._name, found.settings)
            warnings += self._program_warnings(found.settings)
        return {
            "changed": self._result.changed,
            "status": found.state or "not installed",
            "pid": pid,
            "restart_needed": self._restart_reasons(files) if wanted else [],
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
            f"{self._name} was installed from another place: {settings.program}. To run {self._program}: es_service "
            "with state: absent, then state: started"
        ]

    def _restart_reasons(self, files: Files) -> list[str]:
        pid, started = self._found.pid, self._found.started
        if pid is None:
            return []
        # All are UTC in ISO 8601, so their order is that of their texts.
        return [
            f"{path} was written after pid {pid} was started"
            for path, written in files.written.items()
            if written > started
        ]


def _node(effective: layers.Effective) -> Node:
    def at(*options: str) -> frozenset[Endpoint]:
        return frozenset(Endpoint(effective.value(f"{each[:3]}Ip"), effective.value(each)) for each in options)

    http = at("IntHttpPort", "ExtHttpPort")
    return Node(http, http | at("IntTcpPort", "ExtTcpPort"), effective.value("ClusterSize"))


def _holder(listener: network.Listener) -> str:
    if listener.pid == network.SYSTEM:
        return f"Windows, for a process that {' '.join(network.show_queues())} shows"
    return f"process {listener.pid}"


__all__ = ["WindowsService", "refuse_unsupported_options"]
