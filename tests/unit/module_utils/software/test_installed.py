# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t
import zipfile
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError
from ansible_collections.eventstore.cluster.plugins.module_utils.software import installed
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import Archive, open_archive
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

CHECKSUM = "sha256:" + 64 * "a"


@pytest.fixture
def archive(tmp_path: Path) -> t.Iterator[Archive]:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("top/eventstored", "program")
        file.writestr("top/web/index.html", "page")
    with open_archive(str(tmp_path / "a.zip")) as opened:
        yield opened


def make_version(home: Path, *, age: int = 0) -> Path:
    """A version as this collection leaves it behind."""
    home.mkdir(parents=True)
    (home / "eventstored").write_text("program")
    (home / ".es_distribution.json").write_text(json.dumps({"checksum": CHECKSUM}))
    os.utime(home / ".es_distribution.json", (1_000_000 - age, 1_000_000 - age))
    return home


def unpack(archive: Archive, home: Path) -> None:
    installed.unpack(archive, home, "eventstored", CHECKSUM)


def test_unpacked_is_complete_and_executable(tmp_path: Path, archive: Archive) -> None:
    home = tmp_path / "deep" / "3.4.0"
    assert not installed.is_complete(home, "eventstored", CHECKSUM)
    unpack(archive, home)
    assert installed.is_complete(home, "eventstored", CHECKSUM)
    assert os.listdir(home.parent) == ["3.4.0"]
    # A zip that zipfile writes from a text has mode 0600, like one from Windows.
    assert os.access(home / "eventstored", os.X_OK)


def test_an_empty_directory_is_taken(tmp_path: Path, archive: Archive) -> None:
    home = tmp_path / "3.4.0"
    home.mkdir()
    unpack(archive, home)
    assert (home / "eventstored").read_text() == "program"


def test_without_an_archive_the_program_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "eventstored").touch()
    assert installed.is_complete(tmp_path, "eventstored", None)
    with pytest.raises(DistributionError, match="other does not exist, and no archive is given"):
        installed.is_complete(tmp_path, "other", None)


def test_refuses_a_directory_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "eventstored").touch()
    with pytest.raises(DistributionError, match="this collection did not unpack it"):
        installed.is_complete(tmp_path, "eventstored", CHECKSUM)


def test_refuses_another_archive_of_the_version(tmp_path: Path) -> None:
    home = make_version(tmp_path / "3.4.0")
    other = "sha256:" + 64 * "b"
    with pytest.raises(DistributionError, match=f"expected {other}, found {CHECKSUM}"):
        installed.is_complete(home, "eventstored", other)


def test_refuses_a_version_that_has_lost_its_program(tmp_path: Path) -> None:
    home = make_version(tmp_path / "3.4.0")
    (home / "eventstored").unlink()
    with pytest.raises(DistributionError, match="eventstored is missing"):
        installed.is_complete(home, "eventstored", CHECKSUM)


@pytest.mark.parametrize("marker", ["", "{", "[]", "{}", "null"])
def test_refuses_a_damaged_marker(tmp_path: Path, marker: str) -> None:
    home = make_version(tmp_path / "3.4.0")
    (home / ".es_distribution.json").write_text(marker)
    with pytest.raises(DistributionError, match="is damaged"):
        installed.is_complete(home, "eventstored", CHECKSUM)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failed_unpack_leaves_nothing(
    tmp_path: Path, archive: Archive, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    home = tmp_path / "versions" / "3.4.0"
    with pytest.raises(type(failure) if isinstance(failure, OSError) else KeyboardInterrupt):
        unpack(archive, home)
    assert os.listdir(home.parent) == []


def test_a_killed_unpack_leaves_nothing_that_looks_complete(tmp_path: Path, archive: Archive) -> None:
    home = tmp_path / "versions" / "3.4.0"
    pid = os.fork()
    if pid == 0:
        archive.unpack = lambda directory: (directory / "eventstored").touch() or os.kill(os.getpid(), 9)  # type: ignore[method-assign, func-returns-value]
        unpack(archive, home)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 9
    assert not installed.is_complete(home, "eventstored", CHECKSUM)
    assert installed.versions(home.parent) == []
    left = installed.leftovers(home.parent)
    assert [path.name for path in left] == os.listdir(home.parent)
    assert len(left) == 1
    installed.clear(home.parent)
    assert os.listdir(home.parent) == []


def test_the_next_run_needs_no_clearing(tmp_path: Path, archive: Archive) -> None:
    left = tmp_path / "versions" / ".es_distribution-3.4.0"
    left.mkdir(parents=True)
    (left / "eventstored").write_text("half")
    unpack(archive, tmp_path / "versions" / "3.4.0")
    assert (tmp_path / "versions/3.4.0/eventstored").read_text() == "program"
    assert os.listdir(tmp_path / "versions") == ["3.4.0"]


def test_one_run_at_a_time(tmp_path: Path, archive: Archive) -> None:
    """The second of two runs on one machine waits, and finds the work done."""
    parent = tmp_path / "versions"
    parent.mkdir()
    home = parent / "3.4.0"
    holder = subprocess.Popen(
        ["flock", "--exclusive", str(parent), "sh", "-c", "echo held; read line"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        pid = os.fork()
        if pid == 0:
            unpack(archive, home)
            os._exit(0)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        make_version(home)
    finally:
        holder.communicate(b"\n")
    assert os.waitpid(pid, 0)[1] == 0
    assert not (home / "web").exists()


def test_refuses_what_does_not_fit(tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    free = archive.size - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 10, free))  # type: ignore[attr-defined]
    with pytest.raises(DistributionError, match=f"unpacks to {archive.size} bytes, but {free} are free"):
        unpack(archive, tmp_path / "versions" / "3.4.0")
    assert not (tmp_path / "versions").exists()


@pytest.mark.parametrize(
    ("keep", "gone"),
    [(0, []), (1, ["4.0.0", "3.0.0", "3.1.0"]), (2, ["4.0.0", "3.0.0"]), (3, ["4.0.0"]), (4, []), (9, [])],
)
def test_the_oldest_are_superfluous(tmp_path: Path, keep: int, gone: list[str]) -> None:
    """The age counts, not the number; somebody else's directory never does."""
    make_version(tmp_path / "4.0.0", age=300)
    make_version(tmp_path / "3.0.0", age=200)
    make_version(tmp_path / "3.1.0", age=100)
    home = make_version(tmp_path / "3.4.0", age=400)
    (tmp_path / "2.0.0").mkdir()
    (tmp_path / "2.0.0" / "eventstored").touch()
    assert [path.name for path in installed.superfluous(home, keep)] == gone


def users_of(directory: Path) -> list[int]:
    """For a moment a process that was started has no command line yet."""
    return wait_until(lambda: installed.users(directory), bool, timeout_s=10).last


@pytest.mark.parametrize(
    ("argv", "directory"),
    [
        (["{used}/sleep", "60"], "/"),
        (["sh", "-c", "read line", "{used}/eventstored"], "/"),
        (["sh", "-c", "read line"], "{used}"),
    ],
    ids=["program", "argument", "working directory"],
)
def test_what_a_process_uses_stays(tmp_path: Path, argv: list[str], directory: str) -> None:
    used = make_version(tmp_path / "3.0.0", age=100)
    home = make_version(tmp_path / "3.4.0")
    shutil.copy("/bin/sleep", used)
    process = subprocess.Popen(
        [word.format(used=used) for word in argv], cwd=directory.format(used=used), stdin=subprocess.PIPE
    )
    try:
        assert users_of(used) == [process.pid]
        assert installed.superfluous(home, 1) == []
        with pytest.raises(DistributionError, match=f"is used by process {process.pid} "):
            installed.is_removable(used)
    finally:
        process.kill()
        process.communicate()
    assert installed.superfluous(home, 1) == [used]
    assert installed.is_removable(used)


def test_a_name_that_only_begins_alike_is_not_used(tmp_path: Path) -> None:
    make_version(tmp_path / "3.4.0")
    other = make_version(tmp_path / "3.4.0-rc1")
    process = subprocess.Popen(["sh", "-c", "read line", str(other / "eventstored")], stdin=subprocess.PIPE)  # noqa: S607
    try:
        assert users_of(other) == [process.pid]
        assert installed.users(tmp_path / "3.4.0") == []
    finally:
        process.communicate(b"\n")


def test_a_link_of_the_operator_in_place_of_a_version_stays(tmp_path: Path) -> None:
    target = make_version(tmp_path / "disk" / "3.4.0")
    (tmp_path / "opt").mkdir()
    home = tmp_path / "opt" / "3.4.0"
    home.symlink_to(target)
    assert installed.versions(home.parent) == []
    assert not installed.is_removable(home)


def test_only_own_versions_are_removable(tmp_path: Path) -> None:
    (tmp_path / "3.4.0").mkdir()
    (tmp_path / "3.4.0" / "eventstored").touch()
    assert not installed.is_removable(tmp_path / "3.4.0")
    assert not installed.is_removable(tmp_path / "absent")
    installed.remove(make_version(tmp_path / "3.3.0"))
    assert os.listdir(tmp_path) == ["3.4.0"]
