# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat

import pytest
from ansible.module_utils import basic

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.posix import read_text, write_text


@pytest.fixture
def module(tmp_path, module_args):
    with module_args({"_ansible_remote_tmp": str(tmp_path)}):
        yield basic.AnsibleModule(argument_spec={})


def names(directory):
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("ansible-moduletmp"))


def test_read_keeps_line_ends(tmp_path):
    path = tmp_path / "a"
    path.write_bytes("é\r\nb\n".encode())
    assert read_text(str(path)) == "é\r\nb\n"


def test_read_nothing(tmp_path):
    assert read_text(str(tmp_path / "missing")) is None
    assert read_text(str(tmp_path / "no" / "such" / "directory")) is None


def test_read_refuses_a_directory(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}: expected a file, found a directory"):
        read_text(str(tmp_path))


def test_read_refuses_what_is_no_regular_file():
    with pytest.raises(ConfigError, match="/dev/null: expected a file, found something other than a regular file"):
        read_text("/dev/null")


def test_read_refuses_what_is_no_text(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc\xff\xfe")
    with pytest.raises(ConfigError, match=f"{path}: byte 4 is not UTF-8 text"):
        read_text(str(path))


def test_read_below_a_file(tmp_path):
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        read_text(str(path / "b"))


def test_write_a_new_file(tmp_path, module):
    path = tmp_path / "a"
    old = os.umask(0o027)
    try:
        assert write_text(module, str(path), "é\r\n", backup=True) is None
    finally:
        os.umask(old)
    assert path.read_bytes() == "é\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == ["a"]


def test_write_replaces_in_one_step_and_keeps_the_mode(tmp_path, module):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o604)
    with path.open() as reader:
        assert write_text(module, str(path), "new", backup=False) is None
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert names(tmp_path) == ["a"]


def test_write_keeps_a_backup(tmp_path, module):
    path = tmp_path / "a"
    path.write_text("old")
    backup = write_text(module, str(path), "new", backup=True)
    with open(backup) as file:
        assert file.read() == "old"
    assert path.read_text() == "new"


def test_write_follows_a_link(tmp_path, module):
    target = tmp_path / "target"
    target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_text(module, str(link), "new", backup=False)
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_write_without_a_directory_leaves_nothing(tmp_path, module):
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_text(module, str(tmp_path / "no" / "a"), "new", backup=False)
    assert names(tmp_path) == []


def test_a_move_that_fails_leaves_the_old_file_and_no_other(tmp_path, module, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def fail(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "atomic_move", fail)
    with pytest.raises(ConfigError, match=f"{path}: cannot be written: No space left on device"):
        write_text(module, str(path), "new", backup=False)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]
