# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is the old one or the new one at every step, and is on the disk before its name is."""

from __future__ import annotations

import os
import signal
import stat

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def names(path):
    return sorted(each.name for each in path.parent.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode_and_owner_are_those_given_whatever_the_umask(path, umask):
    usual = os.umask(umask)
    try:
        atomic.write(path, b"new", mode=0o640, owner=(os.getuid(), os.getgid()))
    finally:
        os.umask(usual)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(path) == ["file"]


def test_the_owner(path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    atomic.write(path, b"new", mode=0o600, owner=(1234, 4321))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("call", ["fsync", "replace", "fchown", "fchmod"])
def test_after_an_error_the_old_file_is_there_and_nothing_else(path, call, monkeypatch):
    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        atomic.write(path, b"new", mode=0o600)
    assert (path.read_bytes(), names(path)) == (b"old", ["file"])


def test_the_content_is_on_the_disk_before_the_name_and_then_the_name_is(path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def kind(descriptor):
        return "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"

    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append(kind(descriptor)), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("replace"), replace(*names)))
    atomic.write(path, b"new", mode=0o600)
    assert calls == ["file", "replace", "directory"]
    calls.clear()
    atomic.write(path, b"newer", mode=0o600, durable=False)
    assert calls == ["replace"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(path):
    link = path.with_name("link")
    link.symlink_to(path)
    atomic.write(link, b"new", mode=0o600)
    assert (link.is_symlink(), link.read_bytes(), path.read_bytes()) == (False, b"new", b"old")


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(path):
    target = path.with_name("target")
    path.with_name(f".file.{os.getpid()}.new").symlink_to(target)
    atomic.write(path, b"new", mode=0o600)
    assert (path.read_bytes(), names(path)) == (b"new", ["file"])


def test_what_a_killed_run_has_left_is_cleared_and_nothing_else(path):
    others = [".file.new", ".file.x.new", ".files.1.new", "file.1.new"]
    for name in others:
        path.with_name(name).touch()
    child = os.fork()
    if child == 0:
        os.replace = lambda *_names: os.kill(os.getpid(), signal.SIGKILL)
        atomic.write(path, b"new", mode=0o600)
    os.waitpid(child, 0)
    assert f".file.{child}.new" in names(path)
    atomic.clear(path)
    assert names(path) == sorted([*others, "file"])


def test_a_staged_file_is_private_and_goes_if_it_is_not_used(path):
    with atomic.staged(path, b"secret") as temporary:
        assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600
        assert os.path.dirname(temporary) == str(path.parent)
    assert names(path) == ["file"]
