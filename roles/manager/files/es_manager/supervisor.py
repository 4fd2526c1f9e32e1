# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog: starts database nodes, starts them again after every end, adopts those that outlived their manager.

The server does not refuse a second process on its Db directory: both run and write (measured on 3.4.0). So before
a start it is made sure that the node does not run already, whatever happened to the manager before:

* one manager per state file: a lock that the kernel drops when its holder dies, and a child not before its exec;
* the state file says which process is which node, by pid, start time and boot, so a recycled pid is no node;
* a manager that died between starting a node and writing that down left a process with exactly the node's command
  line, which is looked for.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils import http_client
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.service import processes

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

log = logging.getLogger("es-manager")

# The pauses before the first, second, … start after ends in quick succession; the last one for all further.
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
RAN_WELL_S = 60.0
STOP_GRACE_S = 10.0
LOCK_PATIENCE_S = 2.0
POLL_S = 0.05
PING_INTERVAL_S = 10.0
PING_TIMEOUT_S = 5.0
MAX_OUTPUT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Node:
    """A database node: its command (the executable first), where its output goes, where its HTTP should answer."""

    name: str
    command: tuple[str, ...]
    output: Path
    endpoint: Endpoint | None = None


@dataclass(frozen=True)
class Running:
    """A process that runs a command; ``started`` tells it from a later one with the same pid."""

    pid: int
    started: int
    command: tuple[str, ...]


class Restarts:
    """When a node that ended is started again: after a growing pause, or never once the failure budget is used up.

    Every end that was not asked for counts, exit code 0 too: that is how the server ends after truncating its
    database, but also after a wrong option (measured on 3.4.0).
    """

    def __init__(self, *, failure_count: int, time_window_s: int) -> None:
        self._failure_count = failure_count if time_window_s >= 0 else -1
        self._time_window_s = time_window_s
        self._failures: collections.deque[float] = collections.deque()
        self._quick_ends = 0

    def ended(self, *, started: float, now: float) -> float | None:
        """The pause in seconds before the next start, None to give the node up."""
        self._failures.append(now)
        while self._failures[0] < now - max(self._time_window_s, 0):
            self._failures.popleft()
        if 0 <= self._failure_count <= len(self._failures):
            return None
        if now - started >= RAN_WELL_S:
            self._quick_ends = 0
        pause = PAUSES_S[min(self._quick_ends, len(PAUSES_S) - 1)]
        self._quick_ends += 1
        return pause


class State:
    """The state file: which processes are this manager's nodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def lock(self) -> None:
        """Be the only manager with this state file; ServiceError names the other one."""
        path = self._path.with_name(f"{self._path.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        give_up = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < give_up:
                    time.sleep(POLL_S)
                    continue
                holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise ServiceError(
                    f"another manager, pid {holder or 'unknown'}, watches the same nodes",
                    where=str(path),
                    hint="Stop it first, or give this one a WatchdogConfig and a WatchdogState of its own",
                ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def load(self) -> list[Running]:
        """The recorded processes that still run; a file that cannot be read is no record."""
        try:
            content = parse_json(self._path.read_bytes())
            if content["boot"] != processes.boot_id():
                return []
            records = [
                Running(int(record["pid"]), int(record["started"]), tuple(map(str, record["command"])))
                for record in content["nodes"]
            ]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s); nodes are looked for by their command line", self._path, error)
            return []
        return [record for record in records if processes.is_running(record.pid, record.started)]

    def save(self, records: t.Iterable[Running]) -> None:
        """Replace the file as a whole."""
        content = {"boot": processes.boot_id(), "nodes": [asdict(record) for record in records]}
        temporary = self._path.with_name(f"{self._path.name}.new")
        try:
            temporary.write_text(json.dumps(content, indent=2) + "\n")
            temporary.replace(self._path)
        except OSError as error:
            log.error("%s cannot be written: %s; nodes are then found by their command line", self._path, error)


def find_running(command: t.Sequence[str]) -> Running | None:
    """The oldest process of this user that runs the command, whoever started it."""
    found = []
    for pid in processes.find(command):
        started = processes.start_time(pid)
        with contextlib.suppress(FileNotFoundError):
            if started is not None and (processes.PROC / str(pid)).stat().st_uid == os.geteuid():
                found.append(Running(pid, started, tuple(command)))
    return min(found, key=lambda running: running.started, default=None)


class Process:
    """A running node, either a child or one that an earlier manager started."""

    def __init__(self, running: Running, child: subprocess.Popen[bytes] | None = None) -> None:
        self.running = running
        self._child = child

    @classmethod
    def start(cls, node: Node) -> Process:
        """Start the node in a session of its own; OSError if that is not possible."""
        home = os.path.dirname(node.command[0])
        # The vendor's archive holds its libraries beside the executable, as its run-node.sh says.
        library_path = [home, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        if node.output.exists() and node.output.stat().st_size > MAX_OUTPUT_BYTES:
            node.output.replace(f"{node.output}.1")
        with node.output.open("ab") as output:
            child = subprocess.Popen(
                node.command,
                cwd=home,
                env={**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(library_path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # A child that has ended already has no start time; 0 then is nobody's.
        return cls(Running(child.pid, processes.start_time(child.pid) or 0, node.command), child)

    def send(self, number: signal.Signals) -> None:
        """Signal the node; what it started itself is ended once the node has."""
        reaped = self._child is not None and self._child.returncode is not None
        if reaped or (self._child is None and not processes.is_running(self.running.pid, self.running.started)):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.pid, number)

    async def wait(self) -> str:
        """Wait until the node and all processes it started have ended; says how it ended."""
        await self._wait_for_end()
        if self._child is None:
            how = "its exit code is not known, for an earlier manager started it"
        else:
            code = self._child.wait()
            how = f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"
        await self._end_group()
        return how

    async def _wait_for_end(self) -> None:
        pid = self.running.pid
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):  # Linux before 5.3, or already gone
            while processes.is_running(pid, self.running.started):
                await asyncio.sleep(POLL_S)
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            if self._child is not None or processes.is_running(pid, self.running.started):
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def _end_group(self) -> None:
        """End what outlived a wrapper such as run-node.sh: it would hold the Db directory."""
        group = self.running.pid
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
            give_up = time.monotonic() + STOP_GRACE_S
            pause_s = 0.002
            # Looked up, not asked of killpg: where nobody fetches orphans, a zombie keeps the group there for ever.
            while processes.group(group):
                if time.monotonic() >= give_up:
                    os.killpg(group, signal.SIGKILL)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, POLL_S)


class Supervisor:
    """Keeps the nodes running: ``await start()``, later ``await stop()``."""

    def __init__(
        self,
        nodes: t.Sequence[Node],
        *,
        state: State,
        failure_count: int = -1,
        time_window_s: int = -1,
        silent_after_s: float = 60.0,
        ping_interval_s: float = PING_INTERVAL_S,
    ) -> None:
        self._nodes = nodes
        self._state = state
        self._failure_count = failure_count
        self._time_window_s = time_window_s
        self._silent_after_s = silent_after_s
        self._ping_interval_s = ping_interval_s
        self._processes: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Adopt or start every node; returns when each had its first start."""
        commands = [node.command for node in self._nodes]
        recorded = self._state.load()
        await asyncio.gather(*(self._stop_unnamed(each) for each in recorded if each.command not in commands))
        for node in self._nodes:
            known = [each for each in recorded if each.command == node.command]
            self._tasks.append(asyncio.create_task(self._keep_running(node, known[0] if known else None)))
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop every node: politely, and by force when the grace is over."""
        self._stopping.set()
        for process in self._processes.values():
            process.send(signal.SIGTERM)
        if not self._tasks:
            return
        _done, pending = await asyncio.wait(self._tasks, timeout=STOP_GRACE_S)
        if pending:
            for name, process in self._processes.items():
                log.warning("node %s did not stop within %g s: killed", name, STOP_GRACE_S)
                process.send(signal.SIGKILL)
            await asyncio.wait(pending)

    async def _stop_unnamed(self, running: Running) -> None:
        """Stop a node of an earlier manager that the watchdog file no longer names with this very command."""
        log.warning("stopping pid %d, which no node is any more: %s", running.pid, " ".join(running.command))
        process = Process(running)
        process.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        except asyncio.TimeoutError:
            process.send(signal.SIGKILL)
            await process.wait()

    async def _keep_running(self, node: Node, recorded: Running | None) -> None:
        restarts = Restarts(failure_count=self._failure_count, time_window_s=self._time_window_s)
        running = recorded or find_running(node.command)
        while not self._stopping.is_set():
            started = time.monotonic()
            how = await self._run_once(node, running)
            if self._stopping.is_set():
                log.info("node %s stopped: %s", node.name, how)
                return
            now = time.monotonic()
            pause_s = restarts.ended(started=started, now=now)
            if pause_s is None:
                log.error(
                    "node %s failed %d times within %d s, the last time after %.1f s (%s): given up. "
                    "Its last output: %s. Repair it (its output is in %s), then restart this manager",
                    node.name,
                    self._failure_count,
                    self._time_window_s,
                    now - started,
                    how,
                    _last_lines(node.output),
                    node.output,
                )
                return
            when = f"in {pause_s:g} s" if pause_s else "at once"
            # Killed, it had no time to say why.
            when += "" if how.startswith("signal") else f". Its last output: {_last_lines(node.output, 1)}"
            log.warning("node %s ended after %.1f s (%s): started again %s", node.name, now - started, how, when)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            # In a pause somebody may have started it by hand. To look takes time that a start at once does not have.
            running = find_running(node.command) if pause_s else None

    async def _run_once(self, node: Node, running: Running | None) -> str:
        """Adopt or start the node and stay with it to its end; says how it ended."""
        try:
            process = Process(running) if running else Process.start(node)
        except OSError as error:
            return f"it could not be started: {error}"
        log.info(
            "node %s %s, pid %d: %s",
            node.name,
            "was running and is adopted" if running else "started",
            process.running.pid,
            " ".join(node.command),
        )
        self._processes[node.name] = process
        self._save()
        pings = asyncio.create_task(self._watch_answers(node)) if node.endpoint else None
        try:
            return await process.wait()
        finally:
            if pings:
                pings.cancel()
            del self._processes[node.name]
            self._save()

    def _save(self) -> None:
        self._state.save(process.running for process in self._processes.values())

    async def _watch_answers(self, node: Node) -> None:
        """Warn once of a node that does not answer: a server that cannot listen lives on (measured on 3.4.0)."""
        endpoint = t.cast("Endpoint", node.endpoint)
        answered = time.monotonic()
        warned = False
        while True:
            await asyncio.sleep(self._ping_interval_s)
            try:
                await http_client.request("GET", endpoint, "/ping", timeout_s=PING_TIMEOUT_S)
            except GossipError as error:
                silent_s = time.monotonic() - answered
                if not warned and silent_s >= self._silent_after_s:
                    warned = True
                    log.warning(
                        "node %s runs, but for %.0f s nothing answered at its HTTP address (%s). It is left alone. "
                        "Is its port or address taken, or is it busy? Its last output: %s",
                        node.name,
                        silent_s,
                        error,
                        _last_lines(node.output),
                    )
            else:
                if warned:
                    log.info("node %s answers at http://%s", node.name, endpoint)
                answered, warned = time.monotonic(), False


def _last_lines(path: Path, count: int = 5) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError as error:
        return f"not readable ({error})"
    return " | ".join([line.strip() for line in lines if line.strip()][-count:]) or "none"


__all__ = ["Node", "Process", "Restarts", "Running", "State", "Supervisor", "find_running"]
