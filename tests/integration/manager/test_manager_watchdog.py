# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are started, started again, adopted, and stopped, and never run twice."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from es_manager import output, supervisor
from es_manager.supervisor import Node, State, Supervisor
from tests.integration.manager.machines import RUN, curl, eventually

STUBBORN = "trap '' TERM; sleep 300 & while :; do wait; done"


def running(machine):
    """The one process that runs the node."""
    (pid,) = eventually(machine.nodes, lambda pids: len(pids) == 1)
    return pid


def test_a_killed_node_is_started_again(machine):
    machine.configure(machine.node())
    machine.start()
    first = running(machine)
    os.kill(first, signal.SIGKILL)
    eventually(machine.starts, lambda starts: len(starts) == 2)
    assert running(machine) != first
    assert "(signal 9, Killed): started again at once\n" in machine.logged()
    assert len(machine.groups()) == 2  # the shell and its sleep; that of the killed one is gone, too


def test_a_node_that_ends_again_and_again_is_started_after_growing_pauses_also_after_exit_code_0(machine):
    machine.configure(machine.node(behaviour="echo first; echo disk full; exit 0"))
    machine.start()
    log = machine.await_log("started again in 1 s")
    assert [line.split("started again ")[1] for line in log.splitlines() if "started again" in line][:3] == [
        "at once. Its last output: first | disk full",
        "in 0.5 s. Its last output: first | disk full",
        "in 1 s. Its last output: first | disk full",
    ]
    assert "(exit code 0)" in log
    machine.behave(RUN)
    running(machine)


def test_a_node_started_by_hand_during_a_pause_is_adopted(machine):
    config = machine.node(behaviour="exit 1")
    machine.configure(config)
    machine.start()
    machine.await_log("started again in 2 s")
    machine.behave(RUN)
    by_hand = subprocess.Popen([machine.executable, "--config", config], start_new_session=True)
    try:
        machine.await_log(f"adopted, pid {by_hand.pid}")
        assert machine.starts()[-1] == by_hand.pid
        machine.stop()
        assert machine.groups() == []
    finally:
        by_hand.kill()
        by_hand.wait()


def test_a_node_that_uses_up_its_budget_is_given_up_and_gossip_goes_on(machine):
    bad = machine.node("bad", "echo the disk is full; exit 3")
    good = machine.node("good")
    machine.configure(bad, good, WatchdogFailureCount=3, WatchdogFailureTimeWindow=60)
    machine.start()
    log = machine.await_log("given up")
    (line,) = [line for line in log.splitlines() if "given up" in line]
    assert "node bad failed 3 times within 60 s" in line
    assert "(exit code 3)" in line
    assert "Its last output: the disk is full | the disk is full | the disk is full." in line
    assert f"{machine.log}/bad.out" in line
    assert len(machine.starts("bad")) == 3
    assert curl(f"{machine.external}/gossip")[0] == 200
    assert running(machine) == machine.starts("good")[0]


def test_nodes_outlive_a_killed_manager_and_are_adopted_by_the_next(machine):
    machine.configure(machine.node())
    machine.start()
    first = running(machine)
    machine.stop(signal.SIGKILL)
    assert machine.nodes() == [first]
    machine.start()
    machine.await_log(f"was running and is adopted, pid {first}")
    assert machine.starts() == [first]
    os.kill(first, signal.SIGKILL)
    eventually(machine.starts, lambda starts: len(starts) == 2)
    running(machine)
    assert machine.stop() == 0
    assert machine.groups() == []


def test_a_node_that_has_another_command_line_by_now_is_known_by_the_state_file(machine):
    machine.configure(machine.node(behaviour="exec sleep 300"))
    machine.start()
    (first,) = eventually(machine.groups, lambda pids: [psutil.Process(pid).name() for pid in pids] == ["sleep"])
    machine.stop(signal.SIGKILL)
    machine.start()
    machine.await_log(f"adopted, pid {first}")
    assert machine.groups() == [first]
    assert machine.stop() == 0
    assert machine.groups() == []


def test_an_adopted_node_is_stopped_with_its_manager(machine):
    machine.configure(machine.node())
    machine.start()
    running(machine)
    machine.stop(signal.SIGKILL)
    machine.start()
    machine.await_log("adopted")
    assert machine.stop() == 0
    assert machine.groups() == []


@pytest.mark.parametrize("content", [None, "", "{", '{"boot": 1, "nodes": 5}', "[]"])
def test_a_node_that_was_not_written_down_is_found_by_its_command_line(machine, content):
    machine.configure(machine.node())
    machine.start()
    first = running(machine)
    machine.stop(signal.SIGKILL)
    if content is None:
        machine.state.unlink()
    else:
        machine.state.write_text(content)
    machine.start()
    machine.await_log(f"adopted, pid {first}")
    assert machine.starts() == [first]


def test_a_node_that_outlived_manager_and_wrapper_is_adopted_and_no_second_one_is_started(machine):
    """As with run-node.sh: the node has a command line of its own, but the same file."""
    node = machine.path / "node"
    node.write_text('#!/bin/sh\necho $$ >> "$2.nodes"\nsleep 300\n')
    node.chmod(0o755)
    machine.configure(config := machine.node(behaviour=f'{node} "$@"'))
    machine.start()
    nodes = config.with_name(f"{config.name}.nodes")
    eventually(lambda: nodes.exists() and nodes.read_text().split())
    (wrapper,), (pid,) = machine.starts(), map(int, nodes.read_text().split())
    machine.stop(signal.SIGKILL)
    os.kill(wrapper, signal.SIGKILL)
    machine.start()
    machine.await_log(f"node database was running and is adopted, pid {pid}")
    assert (len(machine.starts()), nodes.read_text().split()) == (1, [str(pid)])
    machine.stop()
    eventually(lambda: not psutil.pid_exists(pid))


def test_a_stranger_on_the_node_s_address_is_named_and_no_node_is_started_until_it_has_gone(machine):
    machine.configure(machine.node(ExtHttpPort=2999))
    with socket.create_server((machine.ip, 2999)):
        machine.start()
        machine.await_log(f"node database cannot be started: {machine.ip}:2999 is held by pid {os.getpid()} (")
        assert machine.starts() == []
    eventually(machine.starts)


@pytest.mark.parametrize("change", [{"started": -1}, {"boot": "another"}])
def test_a_recycled_pid_is_no_node(machine, change):
    machine.configure(machine.node())
    machine.start()
    first = running(machine)
    machine.stop(signal.SIGKILL)
    for pid in machine.groups():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE)
    stranger = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
    try:
        state = json.loads(machine.state.read_text())
        ticks = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
        state["nodes"][0].update(pid=stranger.pid, started=ticks + change.get("started", 0))
        state["boot"] = change.get("boot", state["boot"])
        machine.state.write_text(json.dumps(state))
        machine.start()
        eventually(machine.starts, lambda starts: len(starts) == 2)
        assert "adopted" not in machine.logged()
        assert machine.stop() == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_killed_together_the_next_manager_starts_one_node(machine):
    machine.configure(machine.node())
    machine.start()
    first = running(machine)
    machine.stop(signal.SIGKILL)
    for pid in machine.groups():
        os.kill(pid, signal.SIGKILL)
    machine.start()
    eventually(machine.starts, lambda starts: len(starts) == 2)
    assert running(machine) != first


def test_a_node_that_the_file_no_longer_names_is_stopped_before_others_start(machine):
    old, new = machine.node("old"), machine.node("new")
    machine.configure(old)
    machine.start()
    first = running(machine)
    machine.stop(signal.SIGKILL)
    machine.configure(new)
    machine.start()
    eventually(lambda: machine.starts("new"))
    assert running(machine) == machine.starts("new")[0]
    log = machine.logged()
    assert log.index(f"stopping pid {first}, which belongs to no listed node") < log.index("node new started")


def test_a_second_manager_of_the_same_nodes_is_refused(machine):
    machine.configure(machine.node())
    machine.start()
    first = machine.process
    pid = running(machine)
    machine.configure(machine.path / "database.yaml", IntHttpPort=30787, ExtHttpPort=30788)
    code, err = machine.refused()
    assert code == 1
    assert f"another manager, pid {first.pid}, watches the same nodes" in err
    assert machine.nodes() == [pid]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_manager_leaves_no_process(machine, number):
    machine.configure(machine.node("one"), machine.node("two"))
    machine.start()
    eventually(machine.nodes, lambda pids: len(pids) == 2)
    assert machine.stop(number) == 0
    assert machine.groups() == []
    assert json.loads(machine.state.read_text())["nodes"] == []


def test_gossip_is_answered_until_the_last_node_has_stopped(machine):
    machine.configure(machine.node(behaviour="trap 'sleep 1; exit 0' TERM; sleep 300 & wait"))
    machine.start()
    running(machine)
    machine.process.terminate()
    machine.await_log("was asked to stop")
    assert curl(f"{machine.external}/gossip")[0] == 200
    assert machine.process.wait(60) == 0
    assert "node database stopped: exit code 0" in machine.logged()


def test_nodes_find_the_libraries_beside_their_program_and_have_no_terminal(machine):
    behaviour = 'echo "library=$LD_LIBRARY_PATH cwd=$(pwd)"; read line || echo no input; ' + RUN
    machine.configure(machine.node(behaviour=behaviour))
    machine.start()
    path = machine.log / "database.out"
    text = eventually(lambda: path.exists() and path.read_text(), lambda text: text and "no input" in text)
    assert f"library={machine.path} cwd={machine.path}\n" in text
    pid = running(machine)
    assert os.getsid(pid) == pid


def test_a_large_output_is_put_aside_at_the_next_start(machine):
    machine.configure(machine.node())
    machine.log.mkdir()
    path = machine.log / "database.out"
    with path.open("wb") as file:
        file.truncate(supervisor.MAX_OUTPUT_BYTES + 1)
    machine.start()
    running(machine)
    assert path.stat().st_size < 100
    assert Path(f"{path}.1").stat().st_size == supervisor.MAX_OUTPUT_BYTES + 1


@pytest.mark.parametrize(("port", "name"), [(30777, "IntHttpPort"), (30778, "ExtHttpPort")])
def test_a_taken_port_is_named_and_no_node_started(machine, port, name):
    machine.configure(machine.node())
    with socket.socket() as taken:
        taken.bind((machine.ip, port))
        taken.listen()
        code, err = machine.refused()
    assert code == 1
    assert f"{name}: {machine.ip}:{port} is in use by process {os.getpid()}" in err
    assert machine.starts() == []


def test_an_address_of_another_machine_is_refused_and_no_node_started(machine):
    machine.configure(machine.node(), ExtIp="192.0.2.1")
    code, err = machine.refused()
    assert code == 1
    assert "ExtIp: 192.0.2.1 is not an address of this machine" in err
    assert machine.starts() == []


def test_a_log_that_cannot_be_written_is_named(machine):
    machine.configure(machine.node(), Log="/proc/nowhere")
    code, err = machine.refused()
    assert code == 1
    assert "Log: the log cannot be written" in err
    assert machine.starts() == []


def test_wrong_options_end_with_code_2_and_start_nothing(machine):
    machine.configure(machine.node(), EnableWatchdogg=True)
    code, err = machine.refused()
    assert code == 2
    assert "manager.yaml, line 3, EnableWatchdogg: not an option of a manager" in err
    assert "Did you mean EnableWatchdog?" in err
    assert machine.starts() == []


def test_a_node_that_has_given_up_and_lives_on_is_ended_and_started_again(machine):
    says = "echo Exiting with exit code: 1.; echo Exit reason: Address already in use; "
    machine.configure(machine.node(behaviour=says + STUBBORN))
    machine.start()
    (first,) = eventually(machine.starts)
    machine.behave(RUN)
    with socket.socket() as taken:
        taken.bind((machine.ip, 2113))
        taken.listen()
        log = machine.await_log("has given up")
    assert f"pid {first}, still runs: Exiting with exit code: 1. | Exit reason: Address already in use" in log
    assert f"{machine.ip}:2113 is held by process {os.getpid()}" in log
    eventually(lambda: len(machine.starts()) == 2, timeout_s=30)
    assert running(machine) == machine.starts()[1]
    assert "It had given up: Exiting with exit code: 1." in machine.logged()


def test_what_a_node_said_before_does_not_end_it(machine):
    machine.configure(machine.node(behaviour="echo Exiting with exit code: 0.; exit 0"))
    machine.start()
    machine.await_log("started again in 1 s")
    machine.behave(RUN)
    pid = running(machine)
    machine.stop(signal.SIGKILL)
    machine.start()
    machine.await_log(f"adopted, pid {pid}")
    time.sleep(3 * output.LOOK_S)
    assert machine.nodes() == [pid]
    assert "has given up" not in machine.logged()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "10.0.0.1-2113-cluster-node.log",
            "[00012,31,10:00:01.123] OFFLINE TRUNCATION IS NEEDED (SubscribedAt 12 <= 34).",
        ),
        (
            "10.0.0.1-2113-cluster-node.json",
            '{"PID": 12, "Message": "OFFLINE TRUNCATION IS NEEDED (SubscribedAt {at} <= {last:x}).", '
            '"EventProperties": {"at": 12, "last": 34}}',
        ),
        ("", "OFFLINE TRUNCATION IS NEEDED (SubscribedAt 12 <= 34)."),
    ],
)
def test_a_node_that_truncates_says_so_in_the_log(machine, name, line):
    day = machine.path / "own" / "2026-11-28"
    day.mkdir(parents=True)
    target = day / name if name else Path("/dev/stdout")
    if name:
        target.write_text("OFFLINE TRUNCATION IS NEEDED (an earlier one).\n")
    behaviour = f"cat >> {target} <<'EOF'\n{line}\nEOF\nexit 0"
    machine.configure(machine.node(behaviour=behaviour, Log=str(day.parent)))
    machine.start()
    log = machine.await_log("It truncates its database: ")
    assert "OFFLINE TRUNCATION IS NEEDED (SubscribedAt 12 <= 34)." in log
    assert "an earlier one" not in log


# -- in this process, to have shorter times ---------------------------------------------------------------------------


def supervise(machine, behaviour, during, **options):
    """Run one node under a supervisor of this process for as long as the coroutine function ``during`` takes."""
    config = machine.node(behaviour=behaviour)
    machine.log.mkdir()
    command = (str(machine.executable), "--config", str(config))
    node = Node("database", command, machine.log / "database.out", Endpoint(machine.ip, 2113))

    async def run():
        watch = Supervisor([node], state=State(machine.state), **options)
        await watch.start()
        try:
            await during()
        finally:
            await watch.stop()

    asyncio.run(run())


async def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_a_node_that_does_not_stop_is_killed_after_the_grace(machine, monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "STOP_GRACE_S", 0.3)
    supervise(machine, STUBBORN, lambda: until(machine.starts))
    assert "node database did not stop within 0.3 s: killed" in caplog.text
    eventually(machine.groups, lambda pids: pids == [])


def test_a_silent_node_is_warned_of_once_and_left_alone(machine, caplog):
    caplog.set_level(logging.INFO)

    async def during():
        await until(lambda: "has not answered" in caplog.text)
        await asyncio.sleep(0.3)
        server = await asyncio.start_server(answer, machine.ip, 2113)
        await until(lambda: "answers at" in caplog.text)
        assert caplog.text.count("node database runs, but its HTTP address") == 1
        server.close()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    supervise(machine, f"echo Address already in use; {RUN}", during, silent_after_s=0.2, ping_interval_s=0.05)
    assert "Its last output: Address already in use" in caplog.text
    assert f"answers at http://{machine.ip}:2113" in caplog.text
    assert len(machine.starts()) == 1


def test_without_pidfd_a_killed_node_is_started_again_too(machine, monkeypatch):
    def missing(_pid):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)

    async def during():
        await until(machine.starts)
        os.kill(machine.starts()[0], signal.SIGKILL)
        await until(lambda: len(machine.starts()) == 2)

    supervise(machine, RUN, during)
    assert machine.groups() == []
