# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ansible_collections.eventstore.cluster.plugins.plugin_utils.zipapp import build

MAIN = "outer.program.start:main"
PROGRAM = """
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from outer.program.part import ANSWER

def main():
    print(Endpoint.parse("127.0.0.1:2113").port, ANSWER)
    return 7
"""


@pytest.fixture
def package(tmp_path):
    directory = tmp_path / "outer" / "program"
    directory.mkdir(parents=True)
    (directory / "start.py").write_text(PROGRAM)
    (directory / "part.py").write_text("ANSWER = 42\n")
    return directory


def test_it_runs_alone_and_gives_the_exit_code_of_main(package, tmp_path):
    target = tmp_path / "program.pyz"
    build(target, package=package, main=MAIN)
    done = subprocess.run([sys.executable, "-I", target], capture_output=True, text=True, cwd="/", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("2113 42\n", "", 7)
    assert os.access(target, os.X_OK)
    assert target.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_the_same_sources_give_the_same_bytes_whatever_their_times_and_place(package, tmp_path):
    first, second = tmp_path / "first.pyz", tmp_path / "second.pyz"
    build(first, package=package, main=MAIN)
    copy = tmp_path / "elsewhere" / "outer" / "program"
    shutil.copytree(package, copy)
    os.utime(copy / "start.py", (0, 0))
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "start.cpython-311.pyc").write_bytes(b"x")
    build(second, package=copy, main=MAIN)
    assert first.read_bytes() == second.read_bytes()
    (copy / "part.py").write_text("ANSWER = 43\n")
    build(second, package=copy, main=MAIN)
    assert first.read_bytes() != second.read_bytes()


def test_an_equal_file_is_not_written_again(package, tmp_path):
    target = tmp_path / "program.pyz"
    build(target, package=package, main=MAIN)
    os.utime(target, (1, 1))
    build(target, package=package, main=MAIN)
    assert target.stat().st_mtime == 1
    assert [path.name for path in tmp_path.glob("program*")] == ["program.pyz"]


@pytest.mark.parametrize("main", ["outer.program.start", "main", "start:main", "other.program.start:main"])
def test_a_main_of_another_package_is_refused(package, tmp_path, main):
    with pytest.raises(ValueError, match="is not package"):
        build(tmp_path / "program.pyz", package=package, main=main)
