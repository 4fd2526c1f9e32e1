# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine can run out of: the watch over the nodes goes on, and is whole again afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import typing as t

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import HttpServer, Response
from es_manager import supervisor
from es_manager.supervisor import Node, State, Supervisor
from tests.integration.manager.machines import curl, eventually


@contextlib.contextmanager
def without_descriptors(pid: int) -> t.Iterator[None]:
    """The manager has those that it has, and gets no more."""
    eventually(lambda: {each.status for each in psutil.Process(pid).connections("tcp")} == {"LISTEN"})
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = next(number for number in itertools.count() if number not in taken)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_node_that_could_not_be_started_is_started_once_there_are_descriptors_again(machine):
    machine.configure(machine.node(), WatchdogFailureCount=2, WatchdogFailureTimeWindow=60)
    machine.start()
    (first,) = eventually(machine.starts)
    with without_descriptors(machine.process.pid):
        os.kill(first, signal.SIGKILL)
        log = machine.await_log("cannot be started")
        assert "Too many open files" in log
        assert machine.nodes() == []
        machine.await_log("tried again in 2 s")
    eventually(machine.starts, lambda starts: len(starts) == 2)
    (second,) = eventually(machine.nodes)
    assert (machine.process.poll(), "given up" in machine.logged()) == (None, False)
    assert machine.stop() == 0
    assert not psutil.pid_exists(second)


def test_a_server_without_descriptors_answers_once_there_are_some_again(machine):
    machine.configure()
    machine.start()
    with without_descriptors(machine.process.pid):
        assert curl("--max-time", "1", f"{machine.external}/ping")[0] == 0
        machine.await_log("accepts no connections: Too many open files")
    eventually(lambda: curl(f"{machine.external}/ping")[0], lambda status: status == 200)
    assert machine.logged().count("accepts no connections") <= 3
    assert "Traceback" not in machine.logged()


def test_gossip_goes_on_after_there_were_no_descriptors(new_machine):
    one, other = new_machine(), new_machine()
    one.configure(GossipSeed=[f"{other.ip}:30777"])
    one.start()
    with without_descriptors(one.process.pid):
        curl("--max-time", "1", f"{one.external}/ping")
        one.await_log("Too many open files")
    other.configure()
    other.start()
    eventually(lambda: one.gossip()[f"{other.ip}:30777"]["isAlive"])
    eventually(lambda: f"{one.ip}:30777" in other.gossip())


def test_a_state_file_that_cannot_be_written_is_written_later(machine):
    machine.configure(machine.node())
    machine.start()
    (first,) = eventually(machine.starts)
    machine.state.unlink()
    (machine.state / "in the way").mkdir(parents=True)
    os.kill(first, signal.SIGKILL)
    (_first, second) = eventually(machine.starts, lambda starts: len(starts) == 2)
    assert machine.logged().count("cannot be written") == 1
    (machine.state / "in the way").rmdir()
    machine.state.rmdir()
    machine.await_log("is written again")
    assert [each["pid"] for each in json.loads(machine.state.read_text())["nodes"]] == [second]


def test_a_state_file_that_cannot_be_read_is_no_empty_one(machine):
    machine.configure(machine.node())
    machine.state.mkdir(parents=True)
    code, err = machine.refused()
    assert code == 1
    assert f"{machine.state}: the state file cannot be read: Is a directory" in err
    assert machine.starts() == []


def test_a_log_on_a_full_disk_stops_nothing_and_is_said_once(machine):
    machine.configure(machine.node())
    machine.log.mkdir()
    (machine.log / "es-manager.log").symlink_to("/dev/full")
    machine.start()
    (first,) = eventually(machine.starts)
    os.kill(first, signal.SIGKILL)
    eventually(machine.starts, lambda starts: len(starts) == 2)
    process = machine.process
    process.terminate()
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.count("No space left on device") == 1
    assert "Traceback" not in err
    assert "started again at once" in err


def supervised(machine, during: t.Callable[[], t.Awaitable[None]], **options: t.Any) -> None:
    config = machine.node()
    machine.log.mkdir()
    node = Node("database", (str(machine.executable), "--config", str(config)), machine.log / "database.out")

    async def run() -> None:
        watch = Supervisor([node], state=State(machine.state), **options)
        await watch.start()
        failed = asyncio.ensure_future(watch.failed())
        try:
            await asyncio.wait_for(
                asyncio.wait([failed, asyncio.ensure_future(during())], return_when="FIRST_COMPLETED"), 20
            )
            if failed.done():
                failed.result()
        finally:
            failed.cancel()
            await watch.stop()

    asyncio.run(run())


async def until(condition: t.Callable[[], t.Any]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_what_nobody_foresaw_does_not_end_the_watch(machine, monkeypatch, caplog):
    looks: list[object] = []

    def fail(_command: object) -> None:
        looks.append(_command)
        if len(looks) < 3:
            raise RuntimeError("surprise")

    monkeypatch.setattr(supervisor, "find_running", fail)
    supervised(machine, lambda: until(machine.starts))
    assert caplog.text.count("node database cannot be started: RuntimeError: surprise (test_manager_exhausted.py") == 2
    assert len(machine.starts()) == 1


def test_an_error_in_the_watch_over_a_running_node_starts_no_second_one(machine, monkeypatch, caplog):
    real, failures = supervisor.Process.wait, iter(range(2))

    async def wait(self: supervisor.Process) -> str:
        await until(machine.starts)
        if next(failures, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return await real(self)

    monkeypatch.setattr(supervisor.Process, "wait", wait)
    supervised(machine, lambda: until(lambda: caplog.text.count("cannot be watched") == 2))
    assert len(machine.starts()) == 1
    assert machine.groups() == []


def test_a_watch_that_fails_for_long_ends_the_manager_where_a_unit_starts_another(machine, monkeypatch):
    def fail(_command: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(supervisor, "find_running", fail)
    with pytest.raises(supervisor.ServiceError, match=r"node database could not be looked after for 0\.5 s"):
        supervised(machine, lambda: asyncio.sleep(15), patience_s=0.5)
    assert machine.starts() == []


def test_a_manager_whose_work_ends_says_so_and_leaves_its_node_to_the_next(machine):
    machine.configure(machine.node())
    script = (
        "import sys; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0]); import asyncio; "
        "from es_manager import __main__ as main, server; "
        "server.GossipServer.failed = lambda self: asyncio.sleep(2); sys.exit(main.main())"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, machine._program, "--config", machine.path / "manager.yaml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 1
    assert "es-manager ends: a task of the manager ended that never should" in process.stderr
    (pid,) = machine.nodes()
    machine.start()
    machine.await_log(f"adopted, pid {pid}")


def test_a_listener_that_is_lost_is_told():
    async def answer(_request: object) -> Response:
        return Response()

    async def run() -> None:
        server = HttpServer(Endpoint("127.0.31.254", 30999), answer)
        await server.start()

        def lost(_listener: object) -> t.NoReturn:
            raise OSError(errno.EBADF, "Bad file descriptor")

        asyncio.get_running_loop().sock_accept = lost  # type: ignore[assignment]
        await asyncio.to_thread(curl, "--max-time", "1", "http://127.0.31.254:30999/")
        await asyncio.wait_for(server.failed(), 5)

    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncio.run(run())
