# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Brings one service to a state, with whatever provider: checks first, then acts, then proves."""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data, family, readiness, states
from ansible_collections.eventstore.cluster.plugins.module_utils.service.states import Outcome
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.processes import Running
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.upgrade import Upgrade

# How long the kernel may take to end a killed process.
KILL_TIMEOUT_S = 10.0
# A node that truncates its database ends once and comes back (measured on 3.4.0); one that goes on ending does not.
STARTS = 4
# How long a node that was started may take until it has made its database, before it opens a port.
DATABASE_TIMEOUT_S = 5.0


class Control:
    """One service as it runs, and what it takes to bring it to a state. ``cluster``: whom a stop has to ask."""

    def __init__(
        self,
        running: Running,
        *,
        cluster: permission.StopPolicy | None = None,
        check_mode: bool = False,
        upgrade: Upgrade | None = None,
        start_empty: bool = False,
    ) -> None:
        self.running = running
        self._definition = running.definition
        self._provider = running.provider
        self._cluster = cluster
        self._check_mode = check_mode
        self._upgrade = upgrade
        self._start_empty = start_empty
        self._starts: dict[tuple[str, ...], set[tuple[int, int | None]]] = {}

    def bring_to(self, state: str, *, enabled: bool | None) -> Outcome:
        """``started``, ``restarted``, ``installed``, ``stopped`` or ``absent``; ServiceError where that fails."""
        present = None if state == "stopped" else state != "absent"
        with contextlib.ExitStack() as held:
            if not self._check_mode:
                held.enter_context(self._provider.lock(create=state in states.PRESENT))
            result = Outcome()
            active, main = self._provider.is_active(), self._provider.pid()
            pids = self.running.pids()
            ends, stops, starts = states.steps(state, is_up=main is not None, runs=active or bool(pids))
            self._refuse_contradictions(main, pids)
            if starts:
                self._refuse_obstacles(result, pids, stops=stops)
                if self._upgrade:
                    self._upgrade.refuse_no_way_back()
            # What is to run is written before anything is stopped, what is to go is removed after it. Of an upgrade it
            # is written in between: a service that ends by itself must not come back half changed.
            if not ends and not self._upgrade:
                self.install(result, present=present, enabled=enabled)
            permitted = permission.Permission()
            if stops:
                result.change(self._definition.name, "running\n", "stopped\n" if ends else "running, started again\n")
                permitted = held.enter_context(self._permit())
                result.warnings += permitted.warnings
                self.stop(result, permitted.confirm)
            elif starts:
                result.change(self._definition.name, "stopped\n", "running\n")
            if ends:
                self.install(result, present=present, enabled=enabled)
            if starts and self._upgrade and not self._check_mode:
                self._upgrade.start(self, result, permitted, enabled=enabled)
            elif starts:
                self.start(result)
                result.seen = permitted.wait_until_back(self.crash_loop_problem)
            elif main is not None and state == "started":
                self._check_running(result, main)
            return result

    def crash_loop_problem(self) -> str:
        """A message if the service or one of its nodes is in a crash loop, else empty."""
        for command in self.running.node_commands or [list(self._definition.argv)]:
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

    def _refuse_obstacles(self, result: Outcome, members: t.Sequence[int], *, stops: bool) -> None:
        definition = self._definition
        if self.running.effective:
            readiness.http_endpoint(self.running.listeners)
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
        problems += readiness.obstacles(
            self.running.listeners, name=definition.name, config=self.running.config, own=own
        )
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
            for pid in self.running.with_same_files()
            if pid not in own
        ]
        for path, effective in self.running.node_settings():
            if self._definition.kind == "manager":
                held = [each.endpoint for each in readiness.listeners(effective)]
                problems += readiness.held_by_others(
                    held, name=f"a node of {self._definition.name}", config=path, own=own
                )
            problems += readiness.data_used_by_others(effective.value("Db"), config=path, own=own)
        return problems

    def install(self, result: Outcome, *, present: bool | None, enabled: bool | None) -> None:
        changes = self._provider.changes(present=present, enabled=enabled)
        for change in changes:
            result.change(change.what, change.before, change.after)
        if changes and not self._check_mode:
            self._provider.apply(present=present, enabled=enabled)

    def start(self, result: Outcome) -> None:
        if self._check_mode:
            return
        self._forget_lost_data(result)
        for place in self._places:
            data.follow(place)
        self._provider.start()
        self._wait_until_ready(result, self._provider.pid(), fresh=True)
        self._note_data(result, timeout_s=DATABASE_TIMEOUT_S)

    def _wait_until_ready(self, result: Outcome, pid: int | None, *, fresh: bool) -> None:
        name, timeout_s = self._definition.name, self._definition.timeout_s
        started = procfs.start_time(pid) if pid else None

        def ended() -> bool:
            return pid is None or started is None or not procfs.is_running(pid, started)

        def observe() -> readiness.Readiness | None:
            if ended():
                return None
            seen = self.running.inspect()
            return None if fresh and seen.problem and self._says_it_exits() else seen

        waited = wait_until(observe, lambda seen: seen is None or not seen.problem, timeout_s=timeout_s)
        if waited.last is None:
            if pid is not None and not ended():
                _signal(pid, signal.SIGKILL)  # it has ended by its own words, and would only be in the way
                wait_until(ended, bool, timeout_s=KILL_TIMEOUT_S)
            raise self._failure(f"it exited within {waited.elapsed_s:.1f} s")
        if waited.last.problem:
            raise self._failure(
                f"pid {pid} runs, but within {timeout_s:g} s {name} did not answer as a {self._definition.kind} "
                f"service does: {waited.last.problem}. It was left running; state: restarted starts it again"
            )
        result.answer = waited.last.answer

    def _says_it_exits(self) -> bool:
        return self._definition.kind == "database" and readiness.SAYS_IT_EXITS in self._provider.output()

    def _failure(self, problem: str) -> ServiceError:
        output = self._provider.output()
        hint = f"Its last output:\n{output}" if output else "It printed nothing"
        return ServiceError(problem, where=self._definition.name, hint=hint)

    def _check_running(self, result: Outcome, pid: int) -> None:
        if self._start_empty:  # a manager that runs has not started a node whose data are gone
            self._lost_data(result)  # fails where the others have no quorum
            self._forget_lost_data(result)
        if not self._check_mode:
            self._provider.adopt(pid)
            self._note_data(result)
        if not self.running.listeners:  # check mode, and the configuration is not there
            return
        reasons = self.running.restart_reasons(pid)
        if not reasons:
            self._wait_until_ready(result, pid, fresh=False)
            return
        # It runs with what it was started with, so it may rightly be elsewhere than the files say now.
        seen = self.running.inspect()
        result.answer = seen.answer
        if seen.problem:
            result.warnings.append(
                f"{self._definition.name}: {seen.problem}; it must be restarted: {'; '.join(reasons)}"
            )

    def _permit(self) -> t.ContextManager[permission.Permission]:
        # It may take its whole timeout to stop, and again to start.
        hold_s = 2 * self._definition.timeout_s + KILL_TIMEOUT_S
        return permission.permit(self._cluster, self.running.nodes(), hold_s=hold_s, check_mode=self._check_mode)

    def stop(self, result: Outcome, confirm: t.Callable[[], None] = lambda: None) -> None:
        """End all its processes. ``confirm`` is called last before the first signal."""
        if self._check_mode:
            return
        active, main = self._provider.is_active(), self._provider.pid()
        members: dict[int, int | None] = {}
        asked: set[int] = set()

        def alive() -> list[int]:
            for pid in self.running.pids():
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

    @property
    def _places(self) -> list[data.Place]:
        return self.running.places(self._upgrade.files.current if self._upgrade else Path)

    def _losses(self) -> list[tuple[data.Place, Problem]]:
        """The data that nodes would be started without."""
        pids = self.running.pids()
        return [
            (place, loss) for place in self._places for loss in data.losses(place, data.used_for(place.config, pids))
        ]

    def _lost_data(self, result: Outcome) -> list[str]:
        """Why nodes must not be started on what is in their directories; nothing where the others can fill them."""
        losses = self._losses()
        if losses and self._start_empty:
            permission.refuse_to_empty(self._cluster, self.running.nodes())
            return []
        problems = [f"{loss.text}. {loss.hint}" for _place, loss in losses]
        others = len(self._places) - len({place for place, _loss in losses})
        if self._definition.kind == "manager" and others and not self.running.pids():
            # It does not start such a node itself, and the others may be what the quorum needs.
            result.warnings += problems
            return []
        return problems

    def _forget_lost_data(self, result: Outcome) -> None:
        for place in dict.fromkeys(place for place, _loss in self._losses()):
            result.change(str(data.note_path(place.config)), f"{data.noted(place.config)}\n", "")
            if not self._check_mode:
                data.forget(place.config)

    def _note_data(self, result: Outcome, timeout_s: float = 0.0) -> None:
        """Note where each node has its database, so that no later start is on an empty directory."""

        def note() -> bool:
            pids = self.running.pids()
            waits = False
            for place in self._places:
                used = data.used_for(place.config, pids)
                for directory in used:
                    data.note(place.config, directory)
                waits |= not used and not place.in_memory
            return not waits

        try:
            wait_until(note, bool, timeout_s=timeout_s)
        except ServiceError as error:
            result.warnings.append(f"{self._definition.name}: the directory of its data is not recorded: {error}")


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


__all__ = ["Control"]
