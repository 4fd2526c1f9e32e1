# SPDX-License-Identifier: GPL-3.0-or-later
"""Services under an account of their own: what it writes, links and forges in its directories does not reach root."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs

from .conftest import Place

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a service under another account")

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def open_place(place: Place) -> t.Iterator[Place]:
    """A place that the account can reach, whose run_dir is the account's, as releases before made it."""
    path = Path(tempfile.mkdtemp(prefix="es-account-"))
    path.chmod(0o755)
    for name in ("eventstored", "es-manager.pyz"):
        shutil.copy2(place.path / name, path / name)
    (path / "run").mkdir(mode=0o750)
    os.chown(path / "run", NOBODY.pw_uid, NOBODY.pw_gid)
    made = Place(path, place.ip, place.run_module)
    yield made
    for process in made.processes():
        process.kill()
    shutil.rmtree(path)


def forge(path: Path, text: str) -> None:
    path.write_text(text)
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)
    os.lchown(path, NOBODY.pw_uid, NOBODY.pw_gid)


def owner(path: Path) -> str:
    return pwd.getpwuid(path.lstat().st_uid).pw_name


def test_the_service_writes_to_a_directory_of_its_own_and_root_keeps_the_rest(open_place):
    args = open_place.manager(user="nobody")
    assert "failed" not in open_place.run(args)
    run = open_place.path / "run"
    assert (owner(run), owner(run / "es-manager"), owner(run / "es-manager.pid")) == ("root", "nobody", "root")
    assert [process.username() for process in open_place.processes()] == ["nobody"] * 3
    assert not open_place.run(args)["changed"]
    assert open_place.run(args, "stopped")["changed"]
    assert open_place.processes() == []


def test_a_service_of_a_release_before_is_found_and_its_directory_taken_back(open_place):
    args = open_place.database(user="nobody")
    pid = open_place.run(args)["pid"]
    run = open_place.path / "run"
    os.chown(run, NOBODY.pw_uid, NOBODY.pw_gid)
    again = open_place.run(args)
    assert (again["pid"], again["changed"], owner(run)) == (pid, False, "root")
    os.chown(run, NOBODY.pw_uid, NOBODY.pw_gid)
    assert open_place.run(args, "stopped")["changed"]
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("name", ["es-database.out", "es-database.lock", "es-database.pid", ".es-database.pid.1"])
@pytest.mark.parametrize("make", [link, os.link])
def test_roots_files_are_not_written_through_what_the_account_has_put_there(open_place, name, make):
    secret = open_place.path / "root-only"
    secret.write_text("root's")
    secret.chmod(0o600)
    planted = open_place.path / "run" / name
    if make is link:
        link(planted, secret)
    else:
        os.link(secret, planted)
    open_place.run(open_place.database(user="nobody"))
    assert secret.read_text() == "root's"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_lock_does_not_make_files_elsewhere(open_place):
    link(open_place.path / "run" / "es-database.lock", open_place.path / "made")
    assert open_place.run(open_place.database(user="nobody"))["failed"]
    assert not (open_place.path / "made").exists()


@pytest.mark.parametrize("state", ["stopped", "restarted", "absent"])
def test_a_forged_pid_file_stops_nothing(open_place, state):
    victim = subprocess.Popen(["/bin/sleep", "600"])  # root's
    try:
        record = {
            "pid": victim.pid,
            "start_time": procfs.start_time(victim.pid),
            "boot_id": procfs.boot_id(),
            "argv": ["sleep", "600"],
        }
        forge(open_place.path / "run" / "es-database.pid", json.dumps(record))
        result = open_place.run(open_place.database(user="nobody"), state)
        assert result.get("pid") != victim.pid
        assert victim.poll() is None
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()


def test_a_pipe_in_the_place_of_a_file_does_not_hang(open_place):
    for name in ("es-database.pid", "es-database.out"):
        os.mkfifo(open_place.path / "run" / name)
        os.chown(open_place.path / "run" / name, NOBODY.pw_uid, NOBODY.pw_gid)
    assert open_place.run(open_place.database(user="nobody"))["failed"]
    assert open_place.processes() == []


def test_a_linked_directory_of_the_service_is_refused(open_place):
    roots = open_place.path / "roots"
    roots.mkdir(mode=0o700)
    link(open_place.path / "run" / "es-manager", roots)
    refused = open_place.run(open_place.manager(user="nobody"))
    assert refused["failed"]
    assert "link" in refused["msg"]
    assert owner(roots) == "root"
