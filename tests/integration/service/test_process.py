# SPDX-License-Identifier: GPL-3.0-or-later
"""es_service with plain processes: every claim is checked by psutil, by an HTTP client or in files."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.service import daemon


def fetch(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def wait_for(condition, timeout_s: float = 60.0):
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pid_file(place, name: str = "es-database") -> dict:
    return json.loads((place.path / "run" / f"{name}.pid").read_text())


# -- the cycle -----------------------------------------------------------------------------------------------------


def test_check_run_check_again_run_again_stop_stop_again(place):
    args = place.database()

    checked = place.run(args, check=True, diff=True)
    assert checked["changed"]
    assert checked["diff"] == {"before": "es-database:\nstopped\n", "after": "es-database:\nrunning\n"}
    assert place.processes() == []
    assert not (place.path / "run").exists()

    first = place.run(args)
    assert first["changed"]
    assert first["status"] == "running"
    assert first["restart_needed"] == []
    assert first["answer"] == {"url": f"http://{place.ip}:2113/info", "version": "3.4.0.0", "state": "master"}
    assert [each.pid for each in place.processes()] == [first["pid"]]
    assert first["processes"] == [
        {
            "pid": first["pid"],
            "command": psutil.Process(first["pid"]).cmdline(),
            "listening": [f"{place.ip}:2113"],
        }
    ]
    assert fetch(f"http://{place.ip}:2113/info")["state"] == "master"

    for check in (True, False):
        again = place.run(args, check=check, diff=True)
        assert not again["changed"]
        assert again["pid"] == first["pid"]
        assert again["diff"] == {"before": "", "after": ""}

    assert place.run(args, "stopped", check=True)["changed"]
    assert psutil.pid_exists(first["pid"])
    stopped = place.run(args, "stopped")
    assert stopped["changed"]
    assert (stopped["status"], stopped["pid"], stopped["processes"]) == ("stopped", None, [])
    assert place.processes() == []
    assert not place.run(args, "stopped")["changed"]
    assert place.run(args, "absent")["changed"]  # the pid file
    assert not place.run(args, "absent")["changed"]
    assert sorted(path.name for path in (place.path / "run").iterdir()) == ["es-database.out"]


def test_the_daemon_is_cut_off_from_who_started_it(place):
    leaked = os.open(place.path, os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        pid = place.run(place.database(environment={"EVENTSTORE_STATS_PERIOD_SEC": "7"}))["pid"]
    finally:
        os.close(leaked)
    daemon = psutil.Process(pid)
    assert daemon.ppid() == 1
    assert daemon.cwd() == str(place.path)  # where the software is: it looks for its log configuration there
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/{pid}/fd/2") == f"{place.path}/run/es-database.out"
    assert str(place.path) not in [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert set(daemon.environ()) == {
        "PATH",
        "LANG",
        "HOME",
        "USER",
        "LD_LIBRARY_PATH",
        "EVENTSTORE_STATS_PERIOD_SEC",
    }
    assert "it says hello" in (place.path / "run" / "es-database.out").read_text()
    assert pid_file(place)["pid"] == pid


def test_the_environment_of_the_task_decides_where_it_has_to_answer(place):
    result = place.run(
        place.database(environment={"EVENTSTORE_EXT_HTTP_PORT": "2199", "STAND_IN": "silent"}, timeout=1)
    )
    assert result["failed"]
    assert f"nothing listens on {place.ip}:2199" in result["msg"]


def test_installed_starts_nothing(place):
    result = place.run(place.database(), "installed")
    assert not result["changed"]
    assert place.processes() == []


def test_check_mode_on_a_bare_machine(place):
    args = place.database(executable="/nowhere/eventstored", config="/nowhere/x.yaml", run_dir="/nowhere/run")
    assert place.run(args, check=True)["changed"]
    assert not place.run(args, "stopped", check=True)["changed"]


# -- a manager and its nodes -----------------------------------------------------------------------------------------


def test_a_manager_is_started_proved_and_stopped_with_its_nodes(place):
    args = place.manager()
    first = place.run(args)
    assert first["changed"]
    assert first["answer"] == {"url": f"http://{place.ip}:30778/gossip", "server": f"{place.ip}:30777", "members": 1}
    # An archive of Python is run by the Python of the module.
    assert psutil.Process(first["pid"]).cmdline()[:2] == [sys.executable, args["executable"]]
    wait_for(lambda: len(place.run(args)["processes"]) == 3)
    found = {each["pid"]: each["listening"] for each in place.run(args)["processes"]}
    assert found[first["pid"]] == [f"{place.ip}:30777", f"{place.ip}:30778"]
    assert set(found) == {each.pid for each in place.processes()}
    assert place.run(args, "stopped")["changed"]
    assert place.processes() == []


def test_nodes_that_outlived_a_killed_manager_are_stopped_too(place):
    args = place.manager()
    manager = place.run(args)["pid"]
    wait_for(lambda: len(place.processes()) == 3)
    os.kill(manager, signal.SIGKILL)
    wait_for(lambda: is_gone(manager))
    assert len(place.processes()) == 2
    assert place.run(args, "stopped", check=True)["changed"]
    stopped = place.run(args, "stopped")
    assert stopped["changed"]
    assert "warnings" not in stopped  # none had to be killed
    assert place.processes() == []
    assert not place.run(args, "stopped")["changed"]


def test_a_changed_file_of_a_node_needs_a_restart_and_started_does_not_do_it(place):
    args = place.manager()
    pid = place.run(args)["pid"]
    wait_for(lambda: len(place.processes()) == 3)
    future = time.time() + 5
    os.utime(place.path / "node1.yaml", (future, future))
    os.utime(place.path / "watchdog.esconfig", (future, future))
    again = place.run(args)
    assert (again["changed"], again["pid"]) == (False, pid)
    node = next(each for each in place.processes() if "node1.yaml" in " ".join(each.cmdline())).pid
    assert sorted(again["restart_needed"]) == [
        f"{place.path}/node1.yaml was written after pid {node} was started",
        f"{place.path}/watchdog.esconfig was written after pid {pid} was started",
    ]


# -- what a stop takes down is read from what runs ---------------------------------------------------------------------

ENDS = ("stopped", "restarted", "absent")


def cluster_node(place, **options) -> dict:
    """The arguments of a running node of a cluster of three."""
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, ClusterSize=3, **options)
    args = place.database()
    place.pid = place.run(args)["pid"]
    return args


def not_stopped(place, args: dict, text: str) -> None:
    """All ways to stop it are refused, in check mode too, and the node lives on."""
    for state in ENDS:
        for check in (True, False):
            result = place.run(args, state, check=check)
            assert result.get("failed"), (state, check)
            assert text in result["msg"]
    assert [each.pid for each in place.processes()] == [place.pid]


@pytest.mark.parametrize("given", [{}, {"arguments": ["--node-executable", "/x"]}, {"executable": "es-manager.pyz"}])
def test_a_node_that_a_task_calls_a_manager_is_not_stopped(place, given):
    args = {**cluster_node(place), "kind": "manager", **given}
    if "executable" in given:
        args["executable"] = str(place.path / given["executable"])
    place.write("manager.yaml", IntIp=place.ip, ExtIp=place.ip, EnableWatchdog="false", DiscoverViaDns="false")
    for config in (args["config"], str(place.path / "manager.yaml")):
        not_stopped(place, {**args, "config": config}, f"kind is manager, but pid {place.pid} (")


def test_a_manager_that_a_task_calls_a_node_is_not_stopped(place):
    args = place.manager(nodes=0)
    place.pid = place.run(args)["pid"]
    not_stopped(place, {**args, "kind": "database", "arguments": []}, f"kind is database, but pid {place.pid} (")


def test_the_way_past_a_wrong_kind_is_the_cluster_s_name(place):
    args = {**cluster_node(place), "kind": "manager", "cluster": {"name": "c", "override": "c"}}
    assert place.run(args, "stopped")["changed"]
    assert place.processes() == []


@pytest.mark.parametrize("given", [{"config": "other.yaml"}, {"config": "absent.yaml"}, {"executable": "other"}])
def test_the_cluster_size_of_a_stop_is_that_of_the_running_node(place, given):
    args = cluster_node(place)
    place.write("other.yaml", IntIp=place.ip, ExtIp=place.ip, ClusterSize=1)
    (place.path / "other").write_text("#!/bin/sh\n")
    (place.path / "other").chmod(0o755)
    wrong = {**args, **{name: str(place.path / value) for name, value in given.items()}}
    for check in (True, False):
        result = place.run(wrong, "stopped", check=check)
        assert "it runs a database node of a cluster of 3 nodes, and cluster is not given" in result["msg"]
    assert [each.pid for each in place.processes()] == [place.pid]


def test_a_file_that_says_since_the_start_that_the_node_is_alone_is_not_believed(place):
    args = cluster_node(place)
    config = place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, ClusterSize=1)
    os.utime(config, (time.time() + 5, time.time() + 5))
    not_stopped(place, args, "a cluster of an unknown number of nodes")


def test_the_nodes_of_a_manager_are_seen_without_its_files(place):
    args = place.manager()
    place.run(args)
    wait_for(lambda: len(place.processes()) == 3)
    alone = place.write("alone.yaml", IntIp=place.ip, ExtIp=place.ip, EnableWatchdog="false")
    for changed in ({"config": str(alone), "arguments": []}, {"config": str(place.path / "absent.yaml")}):
        cluster = {"name": "c", "endpoints": [f"{place.ip}:9"], "settle": 0, "wait": 0}
        result = place.run({**args, **changed, "cluster": cluster}, "stopped")
        assert "runs a database node that is none of the endpoints given" in result["msg"]
        assert len(place.processes()) == 3


def test_a_node_of_another_pid_file_is_a_node(place):
    """Whatever the file of a service's pid names is what the stop takes down."""
    cluster_node(place)
    run = place.path / "run"
    shutil.copy2(run / "es-database.pid", run / "es-other.pid")
    result = place.run({**place.database("other"), "executable": None, "config": None}, "stopped")
    assert "a cluster of 3 nodes, and cluster is not given" in result["msg"]
    assert [each.pid for each in place.processes()] == [place.pid]


def test_what_systemd_runs_is_not_stopped_as_a_plain_process(place, monkeypatch):
    args = cluster_node(place)
    monkeypatch.setattr(daemon.systemd, "unit_of", lambda pid: "es-x.service" if pid == place.pid else "")
    not_stopped(place, args, "provider is process, but systemd runs pid")


# -- a second process on the same database -----------------------------------------------------------------------------

WRAPPER = '#!/bin/sh\n"$(dirname "$0")/eventstored" "$@"\n'


def wrapped(place, args: dict) -> dict:
    path = place.path / "run-node.sh"
    path.write_text(WRAPPER)
    path.chmod(0o755)
    arguments = ["--node-executable", str(path)] if args["kind"] == "manager" else []
    return {**args, "arguments": arguments} if arguments else {**args, "executable": str(path)}


def test_a_wrapper_and_its_node_are_stopped_together(place):
    args = wrapped(place, place.database())
    first = place.run(args)
    assert len(first["processes"]) == len(place.processes()) == 2
    assert not place.run(args)["changed"]
    assert place.run(args, "stopped")["changed"]
    assert place.processes() == []


def test_the_node_of_a_killed_wrapper_is_not_started_twice_and_is_stopped(place):
    args = wrapped(place, place.database())
    wrapper = place.run(args)["pid"]
    os.kill(wrapper, signal.SIGKILL)
    wait_for(lambda: is_gone(wrapper))
    (node,) = [each.pid for each in place.processes()]
    for state, check in (("started", True), ("started", False)):
        result = place.run(args, state, check=check)
        assert f"pid {node} (" in result["msg"]
        assert "runs with a configuration file of es-database" in result["msg"]
    assert [each.pid for each in place.processes()] == [node]
    restarted = place.run(args, "restarted")
    assert restarted["changed"]
    assert is_gone(node)
    os.kill(restarted["pid"], signal.SIGKILL)
    wait_for(lambda: is_gone(restarted["pid"]))
    assert place.run(args, "stopped")["changed"]
    assert place.processes() == []


def test_a_node_that_another_command_line_runs_with_the_file_is_not_started_twice(place):
    args = place.database()
    command = [args["executable"], "--log", "/x", f"--config={args['config']}", "--config", args["config"]]
    with subprocess.Popen(command, env={**os.environ, "STAND_IN": "silent"}) as other:
        wait_for(lambda: psutil.Process(other.pid).cmdline()[1:2] == [args["executable"]])
        result = place.run(args)
        assert f"pid {other.pid} (" in result["msg"]
        assert "runs with a configuration file of es-database; stop it" in result["msg"]
        # It listens on nothing, so it is not known to be the service's, and is left alone.
        assert not place.run(args, "stopped")["changed"]
        other.kill()


def test_who_has_files_of_the_database_open_is_in_the_way(place):
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, Db=place.path / "db")
    place.write("node0.yaml", IntIp=place.ip, ExtIp=place.ip, Db=place.path / "db")
    (place.path / "db").mkdir()
    with (place.path / "db" / "writer.chk").open("w"):
        for args in (place.database(), place.manager(nodes=1)):
            if args["kind"] == "manager":
                place.write("node0.yaml", IntIp=place.ip, ExtIp=place.ip, Db=place.path / "db")
            result = place.run(args)
            assert f"pid {os.getpid()} (" in result["msg"]
            assert f"has {place.path}/db/writer.chk open, which is below Db of" in result["msg"]
    assert place.processes() == []


def test_a_manager_is_not_started_where_a_stranger_holds_a_port_of_its_node(place):
    args = place.manager(nodes=2)
    with socket.create_server((place.ip, 2123)):
        result = place.run(args)
    assert f"{place.ip}:2123 is held by pid {os.getpid()} (" in result["msg"]
    assert f"not by a node of es-manager; change it in {place.path}/node1.yaml, or stop it" in result["msg"]
    assert place.processes() == []


def test_a_manager_takes_over_the_nodes_that_outlived_another_and_its_wrappers(place):
    args = wrapped(place, place.manager(environment={"STAND_IN": "careless"}))
    manager = place.run(args)["pid"]
    wait_for(lambda: len([each for each in place.processes() if each.net_connections()]) == 3)
    for each in place.processes():
        if each.pid == manager or "run-node.sh" in " ".join(each.cmdline()):
            each.kill()
    wait_for(lambda: len(place.processes()) == 2)
    left = {each.pid for each in place.processes()}
    stopped = place.run(args, "stopped")
    assert stopped["changed"]
    assert all(map(is_gone, left))
    assert place.processes() == []


# -- restarts --------------------------------------------------------------------------------------------------------


def test_restart_needed_names_what_differs_and_no_values(place):
    args = place.database(environment={"EVENTSTORE_STATS_PERIOD_SEC": "31"})
    pid = place.run(args)["pid"]
    wanted = {
        **args,
        "environment": {"EVENTSTORE_STATS_PERIOD_SEC": "77007"},
        "arguments": ["--stats-period-sec", "88008"],
    }
    again = place.run(wanted)
    assert (again["changed"], again["pid"]) == (False, pid)
    assert again["restart_needed"] == [
        "it was started with other arguments than those asked for",
        "the environment differs in EVENTSTORE_STATS_PERIOD_SEC",
    ]
    restarted = place.run(wanted, "restarted")
    assert restarted["changed"]
    assert restarted["pid"] != pid
    assert restarted["restart_needed"] == []
    assert [each.pid for each in place.processes()] == [restarted["pid"]]


def test_one_that_runs_elsewhere_than_where_its_software_is_waits_for_a_restart(place):
    args = place.database()
    with subprocess.Popen([args["executable"], "--config", args["config"]], cwd="/") as other:
        wait_for(lambda: psutil.Process(other.pid).net_connections())
        record = daemon.Record.of(other.pid, [args["executable"], "--config", args["config"]])
        (place.path / "run").mkdir()
        record.write(place.path / "run" / "es-database.pid")
        assert f"it runs in /, not in {place.path}" in place.run(args)["restart_needed"]
        other.kill()
    (place.path / "link").symlink_to(place.path)
    linked = {**args, "executable": f"{place.path}/link/eventstored", "environment": {}}
    assert place.run(linked)["restart_needed"] == []


def test_a_manager_runs_in_no_directory_of_its_own(place):
    pid = place.run(place.manager(nodes=0))["pid"]
    assert psutil.Process(pid).cwd() == "/"


def test_a_replaced_executable_needs_a_restart(place):
    args = place.database()
    place.run(args)
    time.sleep(0.05)  # more than one tick of the clock by which starts are known
    new = place.path / "new"
    new.write_bytes((place.path / "eventstored").read_bytes())
    os.utime(new, (1, 1))  # as an archive gives it
    new.chmod(0o755)
    new.replace(place.path / "eventstored")
    (reason,) = place.run(args)["restart_needed"]
    assert reason.startswith(f"{place.path}/eventstored was replaced after pid")


def test_a_new_port_in_the_file_is_a_reason_to_restart_not_a_failure(place):
    args = place.database()
    place.run(args)
    shutil.copy2(place.path / "database.yaml", place.path / "database.yaml.1~")  # as es_config does it
    config = place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, ExtHttpPort=2119)
    os.utime(config, (time.time() + 5, time.time() + 5))
    again = place.run(args)
    assert not again["changed"]
    assert again["restart_needed"]
    assert f"nothing listens on {place.ip}:2119" in str(again["warnings"])
    os.utime(config)
    assert place.run(args, "restarted")["answer"]["url"] == f"http://{place.ip}:2119/info"


def test_a_restart_that_cannot_work_stops_nothing(place):
    args = place.database()
    pid = place.run(args)["pid"]
    (place.path / "database.yaml").write_text("IntIp: 203.0.113.9\nExtIp: 203.0.113.9\n")
    result = place.run(args, "restarted")
    assert result["failed"]
    assert "203.0.113.9 (ExtIp) is not an address of this machine" in result["msg"]
    assert [each.pid for each in place.processes()] == [pid]


# -- bad luck --------------------------------------------------------------------------------------------------------


def test_a_killed_service_is_started_again(place):
    args = place.database()
    pid = place.run(args)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_gone(pid))
    again = place.run(args)
    assert again["changed"]
    assert again["pid"] != pid
    assert fetch(f"http://{place.ip}:2113/info")["state"] == "master"


def test_a_recycled_pid_is_no_service_and_is_not_touched(place):
    args = place.database()
    place.run(args)
    place.run(args, "stopped")
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        try:
            path = place.path / "run" / "es-database.pid"
            record = json.loads(path.read_text())
            path.write_text(json.dumps({**record, "pid": stranger.pid}))
            assert not place.run(args, "stopped")["changed"]
            assert stranger.poll() is None
            started = place.run(args)
            assert started["changed"]
            assert started["pid"] != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("damage", ["", "{", '{"pid": 1}', None])
def test_a_service_whose_pid_file_was_lost_is_found_by_its_command_line(place, damage):
    args = place.database()
    pid = place.run(args)["pid"]
    path = place.path / "run" / "es-database.pid"
    path.unlink() if damage is None else path.write_text(damage)
    again = place.run(args)
    assert (again["changed"], again["pid"]) == (False, pid)
    assert pid_file(place)["pid"] == pid
    assert place.run(args, "stopped")["changed"]
    assert place.processes() == []


def test_a_stubborn_service_is_killed_in_the_end(place):
    args = place.database(environment={"STAND_IN": "stubborn"})
    pid = place.run(args)["pid"]
    started = time.monotonic()
    stopped = place.run({**args, "timeout": 1}, "stopped")
    assert 1 <= time.monotonic() - started < 5
    assert stopped["changed"]
    assert is_gone(pid)
    assert f"pid {pid}" in stopped["warnings"][0]
    assert "did not end within 1 s and was killed" in stopped["warnings"][0]


# -- refusals: everything at once, nothing started -------------------------------------------------------------------


def refused(place, args) -> str:
    result = place.run(args)
    assert result["failed"]
    assert place.processes() == []
    return result["msg"]


def test_a_port_held_by_a_stranger_is_refused_with_its_name(place):
    with socket.create_server((place.ip, 2113)):
        text = refused(place, place.database())
    assert f"{place.ip}:2113 is held by pid {os.getpid()} (" in text
    assert " ".join(psutil.Process().cmdline()) in text
    assert f"not by es-database; change ExtHttpPort in {place.path}/database.yaml, or stop it" in text


def test_a_stranger_on_every_address_holds_the_port_too(place):
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        stranger.bind(("0.0.0.0", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, ExtHttpPort=port)
        assert f"{place.ip}:{port} is held by pid {os.getpid()} (" in refused(place, place.database())


def test_all_problems_are_told_at_once(place):
    (place.path / "eventstored").chmod(0o644)
    place.write("database.yaml", IntIp="203.0.113.9", ExtIp=place.ip, ClusterSize=3, DiscoverViaDns="true")
    with socket.create_server((place.ip, 1113)), socket.create_server((place.ip, 2113)):
        text = refused(place, place.database(user="nobody-here"))
    for part in (
        "user nobody-here does not exist",
        f"{place.path}/eventstored may not be executed",
        "203.0.113.9 (IntIp) is not an address of this machine",
        f"{place.ip}:1113 is held by",
        f"{place.ip}:2113 is held by",
        "Nothing was changed",
    ):
        assert part in text


REFUSED = [
    pytest.param({"executable": "/nowhere/eventstored"}, {}, "/nowhere/eventstored is not there", id="no executable"),
    pytest.param({"executable": "eventstored"}, {}, "is not an absolute path", id="relative executable"),
    pytest.param(
        {"config": "/nowhere/x.yaml"}, {}, "/nowhere/x.yaml: the configuration file is not there", id="no file"
    ),
    pytest.param({}, {"ExtHttpPort": "abc"}, "could not be converted to Int32", id="wrong value"),
    pytest.param({}, {"ExtHttpPort": 0}, "ExtHttpPort is 0", id="port 0"),
    pytest.param({}, {"ExtHttpPort": 1113}, "ExtTcpPort and ExtHttpPort are both", id="one port twice"),
    pytest.param({"name": "../x"}, {}, "name: expected letters, digits", id="name"),
    pytest.param({"provider": "windows"}, {}, "this machine is not Windows", id="windows"),
    pytest.param({"enabled": True}, {}, "nothing starts a plain process with the machine", id="enabled"),
    pytest.param({"environment": {"A": "x\ny"}}, {}, "the value of A has a line break", id="environment"),
    pytest.param({"user": "a b"}, {}, "'a b' is not the name of a user", id="user"),
    pytest.param({"version": "21.10.0"}, {}, "version '21.10.0' is not deployed or operated", id="version"),
]


@pytest.mark.parametrize(("more", "options", "text"), REFUSED)
def test_refused(place, more, options, text):
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, **options)
    assert text in refused(place, place.database(**more))


def test_an_option_that_the_tables_do_not_know_is_left_to_the_server(place):
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, OfAPatchRelease=1)
    result = place.run(place.database())
    assert result["changed"]
    assert "OfAPatchRelease is not known to be an option" in result["warnings"][0]


# -- a process that runs is not a service that works -------------------------------------------------------------------


def test_a_process_that_ends_at_once_is_told_with_its_last_words(place):
    started = time.monotonic()
    text = refused(place, place.database(environment={"STAND_IN": "dies"}))
    assert time.monotonic() - started < 5
    assert "es-database: it ended within" in text
    assert text.endswith("it says hello\nDb: no such directory")


def test_a_process_that_says_that_it_exits_and_lives_on_has_ended(place):
    started = time.monotonic()
    text = refused(place, place.database(environment={"STAND_IN": "gives-up"}))
    assert time.monotonic() - started < 5
    assert "Exit reason: Address already in use" in text


@pytest.mark.parametrize(
    ("mode", "text"), [("silent", "nothing listens on"), ("html", "expected the esVersion and state of a database")]
)
def test_a_process_that_does_not_answer_is_no_started_service(place, mode, text):
    args = place.database(environment={"STAND_IN": mode}, timeout=1)
    for _time in (1, 2):  # a new one, and one that is found running
        result = place.run(args)
        assert result["failed"]
        assert text in result["msg"]
        assert "within 1 s es-database did not answer as a database service does" in result["msg"]
        assert len(place.processes()) == 1


def test_an_answer_from_another_process_is_not_the_services(place):
    """Both are told to listen on the same port; the one that does answers as a node does."""
    args = place.database(environment={"STAND_IN": "silent"}, timeout=1)
    assert place.run(args)["failed"]
    other = place.database("other")
    pid = place.run(other)["pid"]
    assert fetch(f"http://{place.ip}:2113/info")["state"] == "master"
    result = place.run(args)
    assert result["failed"]
    assert f"{place.ip}:2113 is held by pid {pid} (" in result["msg"]
    assert "not by es-database" in result["msg"]


# -- two runs at once, secrets -----------------------------------------------------------------------------------------


def test_two_runs_at_once_start_one_process(place):
    """Two real runs of the module, each in a Python of its own."""
    code = (
        "import json, sys\n"
        "from ansible.module_utils import basic\n"
        "from ansible_collections.eventstore.cluster.plugins.modules import es_service\n"
        "args = json.dumps({'ANSIBLE_MODULE_ARGS': json.loads(sys.argv[1])}).encode()\n"
        "basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = args, 'legacy'\n"
        "es_service.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, json.dumps(place.database())]
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    results = [json.loads(run.communicate(timeout=120)[0]) for run in runs]
    assert sorted(result["changed"] for result in results) == [False, False, True]
    assert len({result["pid"] for result in results}) == 1
    assert len(place.processes()) == 1


def test_a_run_that_waits_for_another_one_in_vain_says_so(place):
    args = place.database(timeout=1)
    (place.path / "run").mkdir()
    lock = place.path / "run" / "es-database.lock"
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        result = place.run(args)
    assert result["failed"]
    assert f"{lock}: another run has been working on es-database for 1 s" in result["msg"]
    assert place.processes() == []


def test_secrets_are_in_no_result(place):
    secret = "s3cret-of-a-test"  # noqa: S105
    args = place.database(
        environment={"EVENTSTORE_CERTIFICATE_PASSWORD": secret, "STAND_IN": ""},
        arguments=["--certificate-password", f"{secret}-2"],
    )
    for result in (place.run(args, diff=True), place.run(args, "stopped", diff=True)):
        assert not result.get("failed")
        assert secret not in json.dumps(result)
    assert secret in json.dumps(pid_file(place))  # so the test would see it


# -- by ansible itself -------------------------------------------------------------------------------------------------


def test_ansible_comes_back_while_the_service_runs_on(place):
    """The action plugin hands over to the module, and the daemon keeps no pipe of ansible's open."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-i", "localhost,", "-c", "local"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", "-m", "eventstore.cluster.es_service", "-o", "-a"]
    collections = Path(__file__).parents[3] / "collections"
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    for state, changed in (("started", True), ("started", False), ("absent", True)):
        arguments = json.dumps({**place.database(), "state": state})
        done = subprocess.run(
            [*command, arguments],
            env=environment,
            cwd=place.path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f'"changed": {json.dumps(changed)}' in done.stdout
        assert len(place.processes()) == (state == "started")
