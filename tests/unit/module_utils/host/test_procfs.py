# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes from /proc: real ones against psutil, rare ones from made files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs

STAT = "S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0"


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc made of files: ``proc(pid, stat=…, cmdline=…)``."""
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    (tmp_path / "net").mkdir()

    def make(pid: int, **files: str | bytes) -> None:
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / str(pid) / name).write_bytes(data)

    return make


COMMS = ["node", "a b", "(x)", "x) S 1 (y", ") Z 9", ""]


@pytest.mark.parametrize("comm", COMMS)
def test_a_name_may_hold_blanks_and_parentheses(proc, comm):
    proc(7, stat=f"7 ({comm}) {STAT.format(start=4711)}")
    assert procfs.start_time(7) == 4711
    assert procfs.parent(7) == 1


@pytest.mark.parametrize("state", ["Z", "X"])
def test_what_has_ended_but_is_not_fetched_does_not_run(proc, state):
    proc(7, stat=f"7 (x) {STAT.format(start=4711)}".replace(" S ", f" {state} "))
    assert procfs.start_time(7) is None
    assert not procfs.is_running(7, 4711)


def test_another_process_with_the_same_pid_is_another(proc):
    proc(7, stat=f"7 (x) {STAT.format(start=4711)}")
    assert procfs.is_running(7, 4711)
    assert not procfs.is_running(7, 4710)
    assert not procfs.is_running(8, 4711)


def test_a_real_process_as_psutil_sees_it():
    before = time.time()
    command, environment = [sys.executable, "-c", "print('up', flush=True), input()", "a b", ""], {"A": "1=2", "B": ""}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        child.stdout.readline()  # the kernel shows no arguments of a process that has only just been made
        after = time.time()
        real = psutil.Process(child.pid)
        assert procfs.command_line(child.pid) == real.cmdline() == command
        started = procfs.started_at(child.pid)  # psutil knows it only to a second
        assert before - 0.02 <= started <= after
        assert procfs.parent(child.pid) == os.getpid()
        assert procfs.environment(child.pid) == environment
        assert child.pid in procfs.find(command)
        assert child.pid not in procfs.find(command[:-1])
        child.kill()
        child.wait()
    assert procfs.start_time(child.pid) is None
    assert procfs.command_line(child.pid) == []
    assert procfs.started_at(child.pid) is None


def test_a_zombie_does_not_run():
    child = subprocess.Popen(["/bin/true"])
    try:
        give_up = time.monotonic() + 5
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < give_up:
            time.sleep(0.01)
        assert procfs.start_time(child.pid) is None
    finally:
        child.wait()


def test_descendants_are_children_and_theirs_only(proc):
    for pid, above in ((2, 1), (10, 2), (11, 10), (12, 11), (13, 2), (14, 1)):
        proc(pid, stat=f"{pid} (x) {STAT.format(start=1)}".replace("S 1 ", f"S {above} ", 1))
    assert procfs.descendants([10]) == [11, 12]
    assert procfs.descendants([2]) == [10, 11, 12, 13]
    assert procfs.descendants([14]) == []
    assert procfs.descendants([10, 2]) == [10, 11, 12, 13]


SCRIPTS = [
    ("#!/bin/bash\n", "/bin/bash\0{0}\0-x\0"),
    ("#!/bin/bash -e\n", "/bin/bash\0-e\0{0}\0-x\0"),
    ("#! /usr/bin/env python3\n", "python3\0{0}\0-x\0"),
    ("", "{0}\0-x\0"),
]


@pytest.mark.parametrize(("line", "shown"), SCRIPTS)
def test_a_script_is_found_by_the_command_line_that_was_asked_for(proc, tmp_path, line, shown):
    script = tmp_path / "eventstored"
    script.write_text(f"{line}exit\n")
    proc(7, stat=f"7 (x) {STAT.format(start=1)}", cmdline=shown.format(script))
    proc(8, stat=f"8 (x) {STAT.format(start=1)}", cmdline=f"/usr/bin/sudo\0{script}\0-x\0")
    proc(9, stat=f"9 (x) {STAT.format(start=1)}", cmdline=f"{shown.format(script)}-y\0")
    assert procfs.find([str(script), "-x"]) == [7]


CGROUPS = [
    ("0::/system.slice/es-cluster1.service\n", "es-cluster1.service"),
    ("12:pids:/x\n1:name=systemd:/system.slice/es-cluster1.service\n0::/\n", "es-cluster1.service"),
    ("0::/user.slice/user-0.slice/user@0.service/app.slice/es-cluster1.service\n", "es-cluster1.service"),
    ("0::/system.slice/es-cluster1.service/init.scope\n", "es-cluster1.service"),
    ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
    ("0::/\n", ""),
    ("2:cpu:/es-cluster1.service\n", ""),  # somebody's own hierarchy
    ("", ""),
]


@pytest.mark.parametrize(("text", "unit"), CGROUPS)
def test_the_unit_of_a_process_is_read_from_its_control_group(proc, text, unit):
    proc(7, cgroup=text)
    assert procfs.unit(7) == unit
    assert procfs.unit(8) == ""


def test_what_a_process_has_and_where_it_is(tmp_path):
    (tmp_path / "db" / "x").mkdir(parents=True)
    (tmp_path / "db-2").mkdir()
    (tmp_path / "db" / "chunk").touch()
    os.symlink(tmp_path / "db", tmp_path / "link")
    code = "import sys; files = [open(name, 'ab+') for name in sys.argv[1:]]; read = open('db/chunk'); "
    code += "print('up', flush=True); input()"
    command = [sys.executable, "-c", code, "db/x/writer.chk", "db-2/writer.chk"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as child:
        child.stdout.readline()
        assert procfs.files_below(child.pid, str(tmp_path / "link")) == [str(tmp_path / "db/x/writer.chk")]
        assert procfs.files_below(child.pid, str(tmp_path / "db-3")) == []
        assert procfs.directory(child.pid) == psutil.Process(child.pid).cwd() == str(tmp_path)
        assert procfs.program(child.pid) == psutil.Process(child.pid).exe()
        assert procfs.ancestors(child.pid)[0] == os.getpid()
        assert procfs.environment_is_visible(child.pid)
        child.kill()
    assert procfs.files_below(child.pid, str(tmp_path)) == []
    assert (procfs.directory(child.pid), procfs.program(child.pid)) == ("", "")
    assert procfs.ancestors(child.pid) == []
    assert not procfs.environment_is_visible(child.pid)


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:0840 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 0
   1: 0B00007F:0841 0B00007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 502 1 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0840 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 503 1 0
   1: 0000000000000000FFFF00000B00007F:0842 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 504 1 0
"""


def test_addresses_of_sockets_as_the_kernel_writes_them(proc, tmp_path, monkeypatch):
    monkeypatch.setattr(procfs.sys, "byteorder", "little")
    (tmp_path / "net" / "tcp").write_text(TCP)
    (tmp_path / "net" / "tcp6").write_text(TCP6)
    proc(7)
    for number, target in enumerate(["socket:[501]", "socket:[502]", "socket:[503]", "socket:[504]", "/dev/null"]):
        (tmp_path / "7" / "fd" / str(number)).symlink_to(target)
    assert procfs.listening([7]) == [
        (7, Endpoint("127.0.0.11", 2112)),
        (7, Endpoint("127.0.0.11", 2114)),  # an IPv4 address in an IPv6 socket
        (7, Endpoint("::", 2112)),
    ]


def test_who_listens_here():
    with socket.create_server(("127.0.61.201", 0)) as server, socket.socket() as everywhere:
        everywhere.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        everywhere.bind(("0.0.0.0", 0))
        everywhere.listen()
        endpoint, port = Endpoint(*server.getsockname()), everywhere.getsockname()[1]
        assert (os.getpid(), endpoint) in procfs.listening([os.getpid()])
        assert procfs.holder(endpoint) == os.getpid()
        assert procfs.holder(Endpoint("127.0.61.202", port)) == os.getpid()
        assert procfs.holder(Endpoint("127.0.61.202", endpoint.port)) is None
        assert procfs.sockets_are_visible(os.getpid())
    assert procfs.holder(endpoint) is None
    assert not procfs.sockets_are_visible(0)


def test_a_file_is_later_only_beyond_a_tick_of_the_clock(tmp_path):
    path = tmp_path / "x"
    path.touch()
    os.utime(path, (100.0, 100.0))
    assert not procfs.is_later(path, 100.0)
    assert not procfs.is_later(path, 99.995)
    assert procfs.is_later(path, 99.9)
    assert not procfs.is_later(tmp_path / "absent", 0)
