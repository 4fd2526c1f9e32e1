# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Brings one service to a state, with whatever provider: checks first, then acts, then proves."""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, Problem, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data, family, readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import is_release
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import Definition, Provider
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.staged_files import StagedFiles

# How long the kernel may take to end a killed process.
KILL_TIMEOUT_S = 10.0
# A node that truncates its database ends once and comes back (measured on 3.4.0); one that goes on ending does not.
STARTS = 4
# How long a node that was started may take until it has made its database, before it opens a port.
DATABASE_TIMEOUT_S = 5.0


@dataclass
class Result:
    """What was found and done. ``before`` and ``after``: what changes, for a diff."""

    changed: bool = False
    before: str = ""
    after: str = ""
    answer: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seen: permission.Seen = field(default_factory=dict)

    def change(self, what: str, before: str, after: str) -> None:
        self.changed = True
        self.before += f"{what}:\n{before}" if before else ""
        self.after += f"{what}:\n{after}" if after else ""


@dataclass(frozen=True)
class Upgrade:
    """What is changed between a stop and a start, and who takes over again where the start fails.

    ``revive``: it is to take over. Without, the service stays stopped with what the new version has.
    """

    files: StagedFiles
    previous: Control
    revive: bool


class Control:
    """One service: its definition, who runs it, and what its configuration says (None if it cannot be read)."""

    def __init__(
        self,
        definition: Definition,
        provider: Provider,
        *,
        options: OptionSet,
        config: str | None,
        effective: Effective | None,
        cluster: permission.Cluster | None = None,
        check_mode: bool = False,
        upgrade: Upgrade | None = None,
        start_empty: bool = False,
    ) -> None:
        self._definition = definition
        self._provider = provider
        self._options = options
        self._config = config or ""
        self._effective = effective
        self._cluster = cluster
        self._check_mode = check_mode
        self._listeners = readiness.listeners(effective) if effective else []
        self._upgrade = upgrade
        self._start_empty = start_empty
        self._starts: dict[tuple[str, ...], set[tuple[int, int | None]]] = {}
        self._node_entries = self._read_watchdog()
        self._nodes = (
            [[str(effective.value("NodeExecutable")), *each.arguments] for each in self._node_entries]
            if effective
            else []
        )
        # What runs may still be the previous version's.
        self._all_nodes = [*self._nodes, *(upgrade.previous._nodes if upgrade else ())]

    def bring_to(self, state: str, *, enabled: bool | None) -> Result:
        """``started``, ``restarted``, ``installed``, ``stopped`` or ``absent``; ServiceError where that fails."""
        ends = state in ("stopped", "absent")
        present = None if state == "stopped" else state != "absent"
        with contextlib.ExitStack() as held:
            if not self._check_mode:
                held.enter_context(self._provider.lock(create=not ends))
            result = Result()
            active, pid = self._provider.is_active(), self._provider.pid()
            members = self.family()
            starts = state == "restarted" or (state == "started" and pid is None)
            stops = (active or bool(members)) and (ends or state == "restarted")
            self._refuse_contradictions(pid, members)
            if starts:
                self._refuse_obstacles(result, members, stops=stops)
                if self._upgrade and self._upgrade.revive:
                    self._upgrade.previous._refuse_no_way_back()
            # What is to run is written before anything is stopped, what is to go is removed after it. Of an upgrade it
            # is written in between: a service that ends by itself must not come back half changed.
            if not ends and not self._upgrade:
                self._install(result, present=present, enabled=enabled)
            permitted = permission.Permission()
            if stops:
                result.change(self._definition.name, "running\n", "stopped\n" if ends else "running, restarted\n")
                permitted = held.enter_context(self._permit())
                result.warnings += permitted.warnings
                self._stop(result, active=active, main=pid, confirm=permitted.confirm)
            elif starts:
                result.change(self._definition.name, "stopped\n", "running\n")
            if ends:
                self._install(result, present=present, enabled=enabled)
            if starts and self._upgrade and not self._check_mode:
                self._start_upgraded(self._upgrade, result, permitted, enabled=enabled)
            elif starts:
                self._start(result)
                result.seen = permitted.wait_until_back(self._ends_again)
            elif pid is not None and state == "started":
                self._look_at_running(result, pid)
            return result

    def family(self) -> list[int]:
        """The service's processes: the main one, all below it, and nodes, which can outlive a manager or a wrapper."""
        main = self._provider.pid()
        roots = [*([] if main is None else [main]), *self._provider.members()]
        for command in self._all_nodes:
            roots += procfs.find(command)
        roots += self._outlived()
        return list(dict.fromkeys([*roots, *procfs.descendants(roots)]))

    def _outlived(self) -> list[int]:
        """What runs with a file of the service, whatever its command line, and listens, or has started what does.

        Of a wrapper that was killed the node lives on, with a command its own line.
        """
        found = [*self._same_files(), *(self._upgrade.previous._same_files() if self._upgrade else ())]
        if not found:
            return []
        listeners = {pid for pid, _endpoint in procfs.listening({*found, *procfs.descendants(found)})}
        above = {over for pid in listeners for over in procfs.ancestors(pid)}
        return [pid for pid in found if pid in listeners | above]

    def _same_files(self) -> list[int]:
        return family.with_config([path for path in (self._config, *self._node_files) if path])

    def restart_reasons(self, pid: int) -> list[str]:
        """Why the running service is not what a restart would make of it."""
        reasons = self._provider.reasons(pid)
        names = self._changed_variables(pid)
        if names:
            reasons.append(f"the environment differs in {', '.join(names)}")
        started = procfs.started_at(pid)
        if started is not None and _replaced(self._definition.program, started):
            reasons.append(f"{self._definition.program} was replaced after pid {pid} was started")
        for member in self.family():
            started = procfs.started_at(member)
            for path in self._files_of(member):
                if started is None or not procfs.is_later(path, started):
                    continue
                changed = self._changed_options(member, path, started)
                reason = f"{path} was written after pid {member} was started"
                if changed is None:
                    reasons.append(reason)
                elif changed:
                    reasons.append(f"{reason}, with another {', '.join(changed)}")
        return reasons

    def cluster_wide_changes(self) -> list[str]:
        """Options that the files have another value for than the processes, and that all nodes have to change at once.

        Others look for a node, count by it or talk to it under the old value, so it would not come back alone.
        """
        found: set[str] = set()
        for member in self.family():
            started = procfs.started_at(member)
            for path in self._files_of(member):
                if started is not None and procfs.is_later(path, started):
                    found.update(self._changed_options(member, path, started, "cluster") or ())
        return sorted(found)

    # -- an upgrade ------------------------------------------------------------------------------------------------

    def _start_upgraded(
        self, upgrade: Upgrade, result: Result, permitted: permission.Permission, *, enabled: bool | None
    ) -> None:
        """Start the stopped service in its new version, or else in its previous one or not at all, and then fail."""
        files, previous = upgrade.files, upgrade.previous
        try:
            files.forward()
            self._install(result, present=True, enabled=enabled)
            self._start(result)
            self._wait_for_nodes()
            self._refuse_other_version(files.end)
            result.seen = permitted.wait_until_back(self._ends_again)
        except ServiceError as failure:
            failed = failure
        else:
            return
        where = f"{self._definition.name}, {files.start} -> {files.end}"
        try:
            permitted.keep()
            self._stop(result, active=self._provider.is_active(), main=self._provider.pid())
            if upgrade.revive:
                files.back()
                previous._install(result, present=True, enabled=enabled)
                previous._start(result)
                permitted.wait_until_back(previous._ends_again)
        except ServiceError as error:
            raise ServiceError(
                f"{files.end} failed: {failed}. And it does not "
                + (f"come back on {files.start}: {error}" if upgrade.revive else f"stop: {error}"),
                where=where,
                hint="No other node was stopped. Start this node before you do anything else",
            ) from failed
        left = f"runs {files.start} again with its files"
        if not upgrade.revive:
            left = f"is stopped, with the files of {files.end}"
        raise ServiceError(
            f"{files.end} failed: {failed}",
            where=where,
            hint=f"It {left}. Fix the cause, then run the task again",
        ) from failed

    def _wait_for_nodes(self) -> None:
        """A manager answers, whatever its nodes do: wait until they listen; ServiceError if they go on ending."""

        def observe() -> tuple[str, bool]:
            held = {pid for pid, _endpoint in procfs.listening(self.family())}
            return self._ends_again(), all(held & _with_children(command) for command in self._nodes)

        waited = wait_until(observe, lambda seen: bool(seen[0]) or seen[1], timeout_s=self._definition.timeout_s)
        problem, _listen = waited.last
        if problem:
            raise ServiceError(problem, where=self._definition.name, hint="Check its log")

    def _refuse_other_version(self, wanted: str) -> None:
        """ServiceError if a node says that it is another version: an archive can have the name of another one."""
        pids = [pid for command in self._nodes for pid in procfs.find(command)]
        if self._definition.kind == "database":
            pids += filter(None, [self._provider.pid()])
        for effective in filter(None, map(family.effective_of, pids)):
            answer = self._answer_of(effective)
            said = answer.get("version", "")
            if said and not is_release(said, wanted):
                raise ServiceError(
                    f"the node answers as {said}, so the installed software has another version",
                    where=answer["url"],
                    hint=f"Set eventstore_version to {said.rpartition('.')[0]}, or set the archive of {wanted}",
                )

    def _answer_of(self, node: Effective) -> dict[str, t.Any]:
        """What a node with these options answers; empty if it does not in time, or goes on ending."""
        endpoint = readiness.http_endpoint(readiness.listeners(node))

        def observe() -> readiness.Look:
            return readiness.look("database", endpoint, name=self._definition.name, own=self.family())

        def is_over(look: readiness.Look) -> bool:
            return not look.problem or bool(self._ends_again())

        return wait_until(observe, is_over, timeout_s=self._definition.timeout_s).last.answer

    def _refuse_no_way_back(self) -> None:
        program = self._definition.program
        if self._definition.kind == "manager" and self._effective:
            program = self._effective.value("NodeExecutable") or program
        if not os.access(program, os.X_OK):
            raise ServiceError(
                "the previous version is not installed, so the upgrade could not be reversed",
                where=program,
                hint="Nothing was stopped. Unpack the previous version there",
            )

    def _ends_again(self) -> str:
        """What a service does that comes to nothing: it, or a node of it, is started again and again."""
        for command in self._nodes or [list(self._definition.argv)]:
            seen = self._starts.setdefault(tuple(command), set())
            seen.update((pid, procfs.start_time(pid)) for pid in procfs.find(command))
            if len(seen) >= STARTS:
                return f"{' '.join(command)} was started {len(seen)} times and exited again"
        return ""

    # -- steps -----------------------------------------------------------------------------------------------------

    def _refuse_contradictions(self, main: int | None, members: t.Sequence[int]) -> None:
        """ServiceError where the task calls a service what it is not, so that it would be handled as another thing."""
        if self._cluster and self._cluster.override:
            return
        name, kind = self._definition.name, self._definition.kind
        managers = [pid for pid in members if family.is_manager(pid)]
        wrong = managers[:1] if kind == "database" else [main] if main is not None and not managers else []
        if wrong:
            runs = "is the built-in manager" if managers else "is not the built-in manager, so it counts as a node"
            raise ServiceError(
                f"kind is {kind}, but {procfs.describe(wrong[0])} {runs}",
                where=name,
                hint="Nothing was changed. Set kind and name of the running service",
            )
        others = self._provider.contradictions(members)
        if others:
            raise ServiceError(
                others[0], where=name, hint="Nothing was changed. Set provider and name of the running service"
            )

    def _refuse_obstacles(self, result: Result, members: t.Sequence[int], *, stops: bool) -> None:
        definition = self._definition
        if self._effective:
            readiness.http_endpoint(self._listeners)
        problems = self._provider.obstacles(check_mode=self._check_mode)
        program = Path(definition.program)
        if not program.is_absolute():
            problems.append(f"the executable {program} is not an absolute path")
        elif not program.is_file():
            if not self._check_mode:  # an earlier task may bring it
                problems.append(f"the executable {program} does not exist")
        elif definition.program == definition.argv[0] and not os.access(program, os.X_OK):
            problems.append(f"the executable {program} is not executable (chmod 0755 {program})")
        # What is not stopped before is in the way, but for nodes that outlived a manager: the next one adopts them.
        own = {pid for pid in members if stops or (definition.kind == "manager" and not family.is_manager(pid))}
        problems += readiness.obstacles(self._listeners, name=definition.name, config=self._config, own=own)
        problems += self._second_processes(own)
        problems += self._lost_data(result)
        if problems:
            raise ServiceError(
                "; ".join(dict.fromkeys(problems)),
                where=f"{definition.name} cannot be started",
                hint="Nothing was changed",
            )

    def _second_processes(self, own: t.Container[int]) -> list[str]:
        """What runs already on what is to be started: the server refuses no second process on its database."""
        problems = [
            f"{procfs.describe(pid)} runs with a configuration file of {self._definition.name}; stop it, or use "
            "state: restarted"
            for pid in self._same_files()
            if pid not in own
        ]
        for path, effective in self._node_settings():
            if self._definition.kind == "manager":
                held = [each.endpoint for each in readiness.listeners(effective)]
                problems += readiness.held_by_others(
                    held, name=f"a node of {self._definition.name}", config=path, own=own
                )
            problems += readiness.data_used_by_others(effective.value("Db"), config=path, own=own)
        return problems

    def _install(self, result: Result, *, present: bool | None, enabled: bool | None) -> None:
        changes = self._provider.changes(present=present, enabled=enabled)
        for change in changes:
            result.change(change.what, change.before, change.after)
        if changes and not self._check_mode:
            self._provider.apply(present=present, enabled=enabled)

    def _start(self, result: Result) -> None:
        if self._check_mode:
            return
        self._forget_lost_data(result)
        self._provider.start()
        self._wait_until_ready(result, self._provider.pid(), fresh=True)
        self._note_data(result, timeout_s=DATABASE_TIMEOUT_S)

    def _wait_until_ready(self, result: Result, pid: int | None, *, fresh: bool) -> None:
        name, timeout_s = self._definition.name, self._definition.timeout_s
        started = procfs.start_time(pid) if pid else None

        def ended() -> bool:
            return pid is None or started is None or not procfs.is_running(pid, started)

        def observe() -> readiness.Look | None:
            if ended():
                return None
            seen = self._look()
            return None if fresh and seen.problem and self._has_given_up() else seen

        waited = wait_until(observe, lambda seen: seen is None or not seen.problem, timeout_s=timeout_s)
        if waited.last is None:
            if pid is not None and not ended():
                _signal(pid, signal.SIGKILL)  # it has ended by its own words, and would only be in the way
            raise self._failure(f"it exited within {waited.elapsed_s:.1f} s")
        if waited.last.problem:
            raise self._failure(
                f"pid {pid} runs, but within {timeout_s:g} s {name} did not answer as a {self._definition.kind} "
                f"service does: {waited.last.problem}. It keeps running; state: restarted restarts it"
            )
        result.answer = waited.last.answer

    def _look(self) -> readiness.Look:
        endpoint = readiness.http_endpoint(self._listeners)
        return readiness.look(self._definition.kind, endpoint, name=self._definition.name, own=self.family())

    def _has_given_up(self) -> bool:
        return self._definition.kind == "database" and readiness.GIVEN_UP in self._provider.output()

    def _failure(self, problem: str) -> ServiceError:
        output = self._provider.output()
        hint = f"Its last output:\n{output}" if output else "It printed nothing"
        return ServiceError(problem, where=self._definition.name, hint=hint)

    def _look_at_running(self, result: Result, pid: int) -> None:
        if self._start_empty:  # a manager that runs has not started a node whose data are gone
            self._lost_data(result)  # fails where the others have no quorum
            self._forget_lost_data(result)
        if not self._check_mode:
            self._provider.adopt(pid)
            self._note_data(result)
        if not self._listeners:  # check mode, and the configuration is not there
            return
        reasons = self.restart_reasons(pid)
        if not reasons:
            self._wait_until_ready(result, pid, fresh=False)
            return
        # It runs with what it was started with, so it may rightly be elsewhere than the files say now.
        seen = self._look()
        result.answer = seen.answer
        if seen.problem:
            result.warnings.append(
                f"{self._definition.name}: {seen.problem}; it must be restarted: {'; '.join(reasons)}"
            )

    def _permit(self) -> t.ContextManager[permission.Permission]:
        # It may take its whole timeout to stop, and again to start.
        hold_s = 2 * self._definition.timeout_s + KILL_TIMEOUT_S
        return permission.permit(self._cluster, self._members(), hold_s=hold_s, check_mode=self._check_mode)

    def _stop(
        self, result: Result, *, active: bool, main: int | None, confirm: t.Callable[[], None] = lambda: None
    ) -> None:
        """``confirm`` is the last thing before the first signal."""
        if self._check_mode:
            return
        members: dict[int, int | None] = {}
        asked: set[int] = set()

        def alive() -> list[int]:
            for pid in self.family():
                members.setdefault(pid, procfs.start_time(pid))
            return [pid for pid, started in members.items() if started and procfs.is_running(pid, started)]

        def end(pids: list[int]) -> list[int]:
            # A manager takes its nodes along; of one that crashed they are still there.
            for pid in set(pids) - asked if main not in pids else ():
                asked.add(pid)
                _signal(pid, signal.SIGTERM)
            return pids

        def observe() -> list[int]:
            return end(alive())

        def is_over(alive: list[int]) -> bool:
            return not alive and not self._provider.is_active()

        found = alive()
        confirm()
        if active:
            self._provider.stop()
        else:
            end(found)
        timeout_s = self._definition.timeout_s
        waited = wait_until(observe, is_over, timeout_s=timeout_s)
        for pid in waited.last if not waited.ok else ():
            result.warnings.append(
                f"{self._definition.name}: {procfs.describe(pid)} did not end within {timeout_s:g} s and was killed"
            )
            _signal(pid, signal.SIGKILL)
        if not waited.ok:
            waited = wait_until(observe, is_over, timeout_s=KILL_TIMEOUT_S)
        if not waited.ok:
            left = ", ".join(procfs.describe(pid) for pid in waited.last) or self._provider.status()
            raise ServiceError(f"it cannot be stopped: {left}", where=self._definition.name)

    # -- data --------------------------------------------------------------------------------------------------------

    def _places(self) -> list[data.Place]:
        """Where the nodes that a start brings up look for their data."""
        if self._definition.kind == "database":
            return [data.place_of(self._effective, self._config)] if self._effective else []
        current = self._upgrade.files.current if self._upgrade else Path
        found = (data.place(command[1:], self._definition.environment, current) for command in self._nodes)
        return [place for place in found if place]

    def _losses(self) -> list[tuple[data.Place, Problem]]:
        """The data that nodes would be started without."""
        pids = self.family()
        return [
            (place, loss) for place in self._places() for loss in data.losses(place, data.used_for(place.config, pids))
        ]

    def _lost_data(self, result: Result) -> list[str]:
        """Why nodes must not be started on what is in their directories; nothing where the others can fill them."""
        losses = self._losses()
        if losses and self._start_empty:
            permission.refuse_to_empty(self._cluster, self._members())
            return []
        problems = [f"{loss.text}. {loss.hint}" for _place, loss in losses]
        others = len(self._places()) - len({place for place, _loss in losses})
        if self._definition.kind == "manager" and others and not self.family():
            # It does not start such a node itself, and the others may be what the quorum needs.
            result.warnings += problems
            return []
        return problems

    def _forget_lost_data(self, result: Result) -> None:
        for place in dict.fromkeys(place for place, _loss in self._losses()):
            result.change(str(data.note_path(place.config)), f"{data.noted(place.config)}\n", "")
            if not self._check_mode:
                data.forget(place.config)

    def _note_data(self, result: Result, timeout_s: float = 0.0) -> None:
        """Note where each node has its database, so that no later start is on an empty directory."""

        def note() -> bool:
            pids = self.family()
            waits = False
            for place in self._places():
                used = data.used_for(place.config, pids)
                for directory in used:
                    data.note(place.config, directory)
                waits |= not used and not place.in_memory
            return not waits

        try:
            wait_until(note, bool, timeout_s=timeout_s)
        except ServiceError as error:
            result.warnings.append(f"{self._definition.name}: the directory of its data is not recorded: {error}")

    # -- knowledge -------------------------------------------------------------------------------------------------

    def _read_watchdog(self) -> list[watchdog.Entry]:
        """The nodes that a manager with these options starts."""
        effective = self._effective
        if self._definition.kind != "manager" or effective is None or not effective.value("EnableWatchdog"):
            return []
        path = effective.value("WatchdogConfig")
        if not path or not effective.value("NodeExecutable"):
            return []
        try:
            return list(watchdog.parse(Path(path).read_text(encoding="utf-8"), where=path))
        except (OSError, UnicodeDecodeError, EventStoreError):
            return []  # the manager itself says what is wrong with it

    @property
    def _node_files(self) -> list[str]:
        return [entry.config for entry in self._node_entries if entry.config]

    def _node_settings(self) -> t.Iterator[tuple[str, Effective]]:
        """(configuration file, what it makes of a node) of each database node that the service starts."""
        if self._definition.kind == "database":
            if self._effective:
                yield self._config, self._effective
            return
        for entry in self._node_entries:
            effective = family.settings(entry.arguments, entry.config, self._definition.environment)
            if effective:
                yield entry.config or "", effective

    def _members(self) -> permission.Members:
        """The database nodes among the processes, which a stop takes down: as they run, whatever the caller thinks."""
        nodes = family.nodes(family.look(self.family()))
        sizes = {family.cluster_size(node) for node in nodes}
        size = None if None in sizes else max(filter(None, sizes), default=None)
        return permission.Members(Stop(self._definition.name, tuple(map(family.known_as, nodes))), size)

    def _changed_options(self, pid: int, path: Path, started: float, *changes: str) -> list[str] | None:
        """What the process works with otherwise than its file says now, as far as it can be told; None if it cannot.

        What stood in the file when the process was started is the last backup from before.
        """
        before = family.backup_before(path, started)
        kind = self._definition.kind if pid == self._provider.pid() else "database"
        was = family.effective_of(pid, kind, before) if before else None
        now = family.effective_of(pid, kind)
        if was is None or now is None:
            return None
        return [
            name
            for name in {**was, **now}
            if (name not in was or name not in now or was.value(name) != now.value(name))
            and (now if name in now else was)[name].option.change in (changes or ("restart", "cluster"))
        ]

    def _files_of(self, pid: int) -> list[Path]:
        """The configuration files of a process: from its command line, and the watchdog file of the manager."""
        argv = procfs.command_line(pid)
        paths: list[str | None] = []
        with contextlib.suppress(EventStoreError):
            paths.append(layers.config_file(self._options, argv))
        if pid == self._provider.pid() and self._effective and "WatchdogConfig" in self._effective:
            paths.append(self._effective.value("WatchdogConfig"))
        return [Path(path) for path in paths if path and path.startswith("/")]

    def _changed_variables(self, pid: int) -> list[str]:
        has = procfs.environment(pid)
        if not has:  # another user's
            return []
        asked = self._definition.environment
        names = {*asked, *(name for name in has if name.startswith(layers.PREFIX))}
        return sorted(name for name in names if has.get(name) != asked.get(name))


def _with_children(command: t.Sequence[str]) -> set[int]:
    """What runs this command, and what that has started: a wrapper itself does not listen."""
    found = procfs.find(command)
    return {*found, *procfs.descendants(found)}


def _replaced(program: str, started: float) -> bool:
    """Whether another file has come to a program's place: by the inode's time, for archives give files old ones."""
    try:
        return os.stat(program).st_ctime > started + 1 / os.sysconf("SC_CLK_TCK")
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


__all__ = ["Control", "Result", "Upgrade"]
