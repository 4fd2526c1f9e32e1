# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchdog: starts database nodes, starts them again after every end, adopts those that outlived their manager.

The server does not refuse a second process on its Db directory: both run and write (measured on 3.4.0). So before
a start it is made sure that the node does not run already, whatever happened to the manager before:

* one manager per state file: a lock that the kernel drops when its holder dies, and a child not before its exec;
* the state file says which process is which node, by pid, start time and boot, so a recycled pid is no node;
* a manager that died between starting a node and writing that down left a process with the node's command line or at
  least its configuration file, which is looked for; what else holds the node's address is in the way.
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

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.http import client
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data, family
from es_manager import output
from es_manager.lasting import described, lasting

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
DATA_INTERVAL_S = 2.0
MAX_OUTPUT_BYTES = 10 * 1024 * 1024
# A start that was not possible is no failure of the node: it is tried again soon, and for ever.
LONGEST_RETRY_S = 4.0
SAVE_AGAIN_S = 5.0
# A node that says that it exits has this long to do so.
EXIT_GRACE_S = 5.0


@dataclass(frozen=True)
class Node:
    """A database node: its command (the executable first), where its output goes, where its HTTP should answer.

    ``log``: the its own directory log.
    """

    name: str
    command: tuple[str, ...]
    output: Path
    endpoint: Endpoint | None = None
    log: Path | None = None


@dataclass(frozen=True)
class Running:
    """A process that runs a command; ``started`` tells it from a later one with the same pid.

    ``said``: how long the file of its output was when it started; -1: not known.
    """

    pid: int
    started: int
    command: tuple[str, ...]
    said: int = -1


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
        return self._pause()

    def not_started(self) -> float:
        """The pause before the next try: nothing ran, so the budget is not touched."""
        return min(self._pause(), LONGEST_RETRY_S)

    def _pause(self) -> float:
        pause = PAUSES_S[min(self._quick_ends, len(PAUSES_S) - 1)]
        self._quick_ends += 1
        return pause


class State:
    """The state file: which processes are this manager's nodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None
        self._is_behind = False

    def lock(self) -> None:
        """Be the only manager with this state file; ServiceError names the other one."""
        path = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _not_accessible(path, "opened", error) from None
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
                    hint="Stop it first, or set a different WatchdogConfig and WatchdogState for this manager",
                ) from None
        with contextlib.suppress(OSError):  # on a full disk: the lock holds without the pid
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def load(self) -> list[Running]:
        """The recorded processes that still run. A damaged file is no record; one that cannot be read is an error."""
        try:
            content = parse_json(self._path.read_bytes())
            if content["boot"] != procfs.boot_id():
                return []
            records = [
                Running(
                    int(record["pid"]),
                    int(record["started"]),
                    tuple(map(str, record["command"])),
                    int(record.get("said", -1)),
                )
                for record in content["nodes"]
            ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _not_accessible(self._path, "read", error) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged (%s); the manager finds nodes by their command line", self._path, error)
            return []
        return [record for record in records if procfs.is_running(record.pid, record.started)]

    def save(self, records: t.Iterable[Running]) -> bool:
        """Replace the file as a whole; False where that is not possible."""
        try:
            content = {"boot": procfs.boot_id(), "nodes": [asdict(record) for record in records]}
            # Not durable: after a crash of the machine its boot's number makes it worthless.
            atomic.write(self._path, f"{json.dumps(content, indent=2)}\n".encode(), mode=0o640, durable=False)
        except OSError as error:
            if not self._is_behind:
                log.error(
                    "%s cannot be written: %s; tried again every %g s. Until then a new manager finds its nodes by "
                    "their command line",
                    self._path,
                    error,
                    SAVE_AGAIN_S,
                )
            self._is_behind = True
            return False
        if self._is_behind:
            log.info("%s can be written again", self._path)
        self._is_behind = False
        return True


def _not_accessible(path: Path, what: str, error: OSError) -> ServiceError:
    return ServiceError(
        f"the state file cannot be {what}: {error.strerror}",
        where=str(path),
        hint="Without this file a node could be started twice. Make the file readable and writable for this user",
    )


def find_running(command: t.Sequence[str]) -> Running | None:
    """The process of this user that runs the command, or has its configuration file; the oldest, started by anyone.

    A wrapper such as run-node.sh that was killed leaves a node behind that has another command line.
    """
    exact = procfs.find(command)
    config = family.chosen_file(command)
    found = []
    for pid in {*exact, *(family.with_config([config]) if config else ())}:
        started = procfs.start_time(pid)
        with contextlib.suppress(FileNotFoundError):
            if started is not None and (procfs.PROC / str(pid)).stat().st_uid == os.geteuid():
                found.append(Running(pid, started, tuple(command)))
    return min(found, key=lambda running: (running.pid not in exact, running.started, running.pid), default=None)


class AddressHeldError(ServiceError):
    """Something else is where a node would be: that is for an operator to end, and no new manager changes it."""


def look_for(node: Node) -> Running | None:
    """The running node; AddressHeldError where something else holds its address, for two on one database destroy it."""
    running = find_running(node.command)
    holder = procfs.holder(node.endpoint) if node.endpoint and not running else None
    if holder is not None:
        raise AddressHeldError(
            f"{node.endpoint} is held by {procfs.describe(holder)}", hint="Stop that, or change the port"
        )
    return running


class Process:
    """A running node, either a child or one that an earlier manager started."""

    def __init__(self, running: Running, child: subprocess.Popen[bytes] | None = None) -> None:
        self.running = running
        self._child = child
        # Its last words, where it has said that it exits and did not; how far its logs went when it started.
        self.gave_up = ""
        self.marks: dict[Path, int] = {}

    @classmethod
    def start(cls, node: Node) -> Process:
        """Start the node in its own session; OSError if that is not possible."""
        home = os.path.dirname(node.command[0])
        # The vendor's archive holds its libraries next to the executable, as its run-node.sh says.
        library_path = [home, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        if node.output.exists() and node.output.stat().st_size > MAX_OUTPUT_BYTES:
            node.output.replace(f"{node.output}.1")
        with node.output.open("ab") as file:
            said = file.tell()
            child = subprocess.Popen(
                node.command,
                cwd=home,
                env={**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(library_path)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # A child that has ended already has no start time; 0 then is no one's. It runs, so nothing may fail here.
        started = None
        with contextlib.suppress(ServiceError):
            started = procfs.start_time(child.pid)
        return cls(Running(child.pid, started or 0, node.command, said), child)

    def send(self, number: signal.Signals) -> None:
        """Signal the node; what it started itself is ended once the node has."""
        if self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.running.pid, number)

    def _runs(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return procfs.is_running(self.running.pid, self.running.started)

    async def wait(self) -> str:
        """Wait until the node and all processes it started have ended; says how it ended."""
        await self._wait_for_end()
        if self._child is None:
            how = "its exit code is not known, because an earlier manager started it"
        else:
            code = self._child.wait()
            how = f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"
        await self._end_group()
        return how

    async def _wait_for_end(self) -> None:
        try:
            descriptor = os.pidfd_open(self.running.pid)
        except (AttributeError, OSError):  # Linux before 5.3, already gone, or no descriptor left
            while self._runs():
                await asyncio.sleep(POLL_S)
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            if self._runs():
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
            # Looked up, not asked of killpg: where no one fetches orphans, a zombie keeps the group there for ever.
            while procfs.group(group):
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
        patience_s: float = float("inf"),
        on_change: t.Callable[[], None] = lambda: None,
    ) -> None:
        self._nodes = nodes
        self._state = state
        self._failure_count = failure_count
        self._time_window_s = time_window_s
        self._silent_after_s = silent_after_s
        self._ping_interval_s = ping_interval_s
        self._patience_s = patience_s
        self._on_change = on_change
        self._failing: dict[str, float] = {}
        self._processes: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._saving: asyncio.Task[None] | None = None
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

    async def failed(self) -> None:
        """Raise what ended the watch over a node, as soon as it ends. A node that is given up ends it without error."""
        if self._tasks:
            done, _pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        await asyncio.Event().wait()

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
        if self._saving:
            self._saving.cancel()

    async def _stop_unnamed(self, running: Running) -> None:
        """Stop a node of an earlier manager that the watchdog file no longer names with this very command."""
        log.warning("stopping pid %d, which belongs to no listed node: %s", running.pid, " ".join(running.command))
        process = Process(running)
        process.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        except asyncio.TimeoutError:
            process.send(signal.SIGKILL)
            await process.wait()

    async def _keep_running(self, node: Node, recorded: Running | None) -> None:
        """Whatever goes wrong in looking after a node, looking after it goes on: without, it would stay down unseen."""
        restarts = Restarts(failure_count=self._failure_count, time_window_s=self._time_window_s)
        is_new = True
        while node.name in self._processes or not self._stopping.is_set():
            started = time.monotonic()
            try:
                if not recorded and node.name not in self._processes:
                    is_new |= await self._waited_for_data(node)  # it may have been started by hand
                    if self._stopping.is_set():
                        return
                # A start at once has no time to look for one that someone else started; in a pause there was.
                process = self._processes.get(node.name) or self._begin(node, recorded, look=is_new)
                how = await self._stay(node, process)
            except Exception as error:  # no descriptor, no memory, a full disk, or what no one foresaw
                pause_s = restarts.not_started()
                doing = "watched" if node.name in self._processes else "started"
                log.error("node %s cannot be %s: %s; tried again in %g s", node.name, doing, described(error), pause_s)
                is_new = True
                self._lose_patience(node, error, started=started)
                await asyncio.sleep(POLL_S)
            else:
                self._failing.pop(node.name, None)
                if self._stopping.is_set():
                    log.info("node %s stopped: %s", node.name, how)
                    return
                now = time.monotonic()
                pause = restarts.ended(started=started, now=now)
                self._report_end(node, process, how, now - started, pause)
                if pause is None:
                    return
                pause_s, is_new = pause, pause > 0
            recorded = None
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def _waited_for_data(self, node: Node) -> bool:
        """Whether it took time until the node's data were there, as of a disk that comes late: no start without."""
        told = ""
        while not self._stopping.is_set():
            problem = data.obstacle(node.command[1:], os.environ)
            if not problem or find_running(node.command):
                break
            if problem != told:
                log.error("node %s is not started: %s", node.name, problem)
            told = problem
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), DATA_INTERVAL_S)
        return bool(told)

    def _lose_patience(self, node: Node, error: Exception, *, started: float) -> None:
        """A new manager has new descriptors and adopts what runs. Only a unit makes one."""
        now = time.monotonic()
        if now - started > RAN_WELL_S or isinstance(error, AddressHeldError):
            self._failing.pop(node.name, None)
        if now - self._failing.setdefault(node.name, now) > self._patience_s:
            raise ServiceError(f"node {node.name} could not be watched for {self._patience_s:g} s: {error}")

    def _begin(self, node: Node, recorded: Running | None, *, look: bool) -> Process:
        """Adopt the node or start it."""
        running = recorded or (look_for(node) if look else None)
        process = Process(running) if running else Process.start(node)
        self._processes[node.name] = process
        process.marks = output.marks(node.log)
        log.info(
            "node %s %s, pid %d: %s",
            node.name,
            "was running and is adopted" if running else "started",
            process.running.pid,
            " ".join(node.command),
        )
        self._save()
        return process

    async def _stay(self, node: Node, process: Process) -> str:
        """Stay with a node to its end; says how it ended."""
        watching = [asyncio.create_task(lasting(f"the check of node {node.name}", lambda: self._listen(node, process)))]
        if node.endpoint:
            watching.append(
                asyncio.create_task(lasting(f"the ping of node {node.name}", lambda: self._watch_answers(node)))
            )
        try:
            how = await process.wait()
        finally:
            for task in watching:
                task.cancel()
        del self._processes[node.name]
        self._save()
        self._on_change()
        return how

    def _report_end(self, node: Node, process: Process, how: str, ran_s: float, pause_s: float | None) -> None:
        since = max(process.running.said, 0)
        if pause_s is None:
            log.error(
                "node %s failed %d times within %d s, the last time after %.1f s (%s): given up. Its last output: %s. "
                "Fix the cause (its output is in %s), then restart this manager",
                node.name,
                self._failure_count,
                self._time_window_s,
                ran_s,
                how,
                output.last_lines(node.output),
                node.output,
            )
            return
        when = f"in {pause_s:g} s" if pause_s else "at once"
        # Killed, it had no time to say why.
        if process.gave_up:
            when += f". It had given up: {process.gave_up}"
        elif not how.startswith("signal"):
            truncated = output.truncations(node.output, since, node.log, process.marks)
            when += f". It truncates its database: {truncated}" if truncated else ""
            when += f". Its last output: {output.last_lines(node.output, since=since)}"
        log.warning("node %s exited after %.1f s (%s): started again %s", node.name, ran_s, how, when)

    def _save(self) -> None:
        saved = self._state.save(process.running for process in self._processes.values())
        if not saved and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(lasting("the state file", self._save_again))

    async def _save_again(self) -> None:
        while not self._state.save(process.running for process in self._processes.values()):
            await asyncio.sleep(SAVE_AGAIN_S)

    async def _listen(self, node: Node, process: Process) -> None:
        """End a node that says that it exits and lives on: it never comes back by itself (measured on 3.4.0)."""
        said = process.running.said
        if said < 0:  # adopted, and no one knows which of the lines are its own
            said = output.size(node.output)
        process.gave_up = await output.given_up(node.output, said)
        await asyncio.sleep(EXIT_GRACE_S)
        log.error(
            "node %s has given up, but its process, pid %d, still runs: %s. The manager restarts the node. %s",
            node.name,
            process.running.pid,
            process.gave_up,
            _way_out(node),
        )
        process.send(signal.SIGTERM)
        await asyncio.sleep(STOP_GRACE_S)  # its end ends this task
        process.send(signal.SIGKILL)

    async def _watch_answers(self, node: Node) -> None:
        """Warn once of a node that does not answer: a server that cannot listen lives on (measured on 3.4.0)."""
        endpoint = t.cast("Endpoint", node.endpoint)
        answered = time.monotonic()
        warned = False
        while True:
            await asyncio.sleep(self._ping_interval_s)
            try:
                await client.request("GET", endpoint, "/ping", timeout_s=PING_TIMEOUT_S)
            except GossipError as error:
                silent_s = time.monotonic() - answered
                if not warned and silent_s >= self._silent_after_s:
                    warned = True
                    log.warning(
                        "node %s runs, but its HTTP address has not answered for %.0f s (%s). It keeps running. Check "
                        "whether its port or address is in use, or the node is busy. Its last output: %s",
                        node.name,
                        silent_s,
                        error,
                        output.last_lines(node.output),
                    )
            else:
                if warned:
                    log.info("node %s answers at http://%s", node.name, endpoint)
                answered, warned = time.monotonic(), False


def _way_out(node: Node) -> str:
    """Who holds the node's port, as far as this user may see it."""
    pid = procfs.holder(node.endpoint) if node.endpoint else None
    if pid is None:
        return "Check which process uses its ports (ss -ltnp), and that its addresses are on this machine (ip addr)"
    return f"{node.endpoint} is held by process {pid} ({' '.join(procfs.command_line(pid))}): stop that process"


__all__ = ["Node", "Process", "Restarts", "Running", "State", "Supervisor", "find_running", "look_for"]
