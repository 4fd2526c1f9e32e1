# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database nodes a service's processes make up, and what runs as the built-in manager."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.service import family
from ansible_collections.eventstore.cluster.plugins.module_utils.service.family import Process

HTTP, TCP, OTHER = Endpoint("10.0.0.1", 2112), Endpoint("10.0.0.1", 1112), Endpoint("10.0.0.1", 2122)
MANAGER = Process(1, is_manager=True, held=frozenset({Endpoint("10.0.0.1", 30777)}))


def process(pid, parent, *held, told=()):
    return Process(pid, parent, held=frozenset(held), told=frozenset(told))


NODES = [
    pytest.param([], [], id="nothing"),
    pytest.param([MANAGER], [], id="a manager alone"),
    pytest.param([process(2, 0, HTTP, TCP)], [{2}], id="a node as the main process"),
    pytest.param([MANAGER, process(2, 1, HTTP), process(3, 1, OTHER)], [{2}, {3}], id="two nodes below a manager"),
    pytest.param(
        [MANAGER, process(2, 1, told=[HTTP]), process(3, 2, HTTP, TCP, told=[HTTP])], [{3}], id="a wrapper and its node"
    ),
    pytest.param([process(2, 0), process(3, 2, HTTP), process(4, 2)], [{3}], id="a wrapper that has a helper, too"),
    pytest.param([process(2, 0, HTTP), process(3, 2)], [{2}], id="a node that has a helper"),
    pytest.param([process(2, 0, HTTP), process(3, 2, TCP, told=[HTTP])], [{2, 3}], id="one node in two processes"),
    pytest.param([process(2, 0), process(3, 2, HTTP), process(4, 2, OTHER)], [{3}, {4}], id="two nodes of one wrapper"),
    pytest.param(
        [process(2, 0), process(3, 2, HTTP), process(4, 2, told=[OTHER])], [{3}, {4}], id="the second one starts"
    ),
    pytest.param([process(2, 0, OTHER), process(3, 2, told=[HTTP])], [{2}, {3}], id="a node below a stranger"),
    pytest.param([MANAGER, process(2, 1)], [{2}], id="below a manager, and nothing is known of it"),
    pytest.param([process(2, 0)], [{2}], id="a main process of which nothing is known"),
    pytest.param([MANAGER, process(2, 1), process(3, 2)], [{2, 3}], id="a wrapper whose node does not listen yet"),
    pytest.param(
        [process(2, 0, told=[HTTP]), process(3, 2, told=[HTTP])], [{2, 3}], id="both are told where to listen"
    ),
    pytest.param([MANAGER, process(3, 99, HTTP, told=[HTTP])], [{3}], id="a node that outlived its wrapper"),
    pytest.param([process(2, 3, HTTP), process(3, 2, OTHER)], [{2}, {3}], id="parents in a circle, of recycled pids"),
]


@pytest.mark.parametrize(("members", "expected"), NODES)
def test_what_is_a_node(members, expected):
    found = [{each.pid for each in node} for node in family.nodes(members)]
    assert sorted(found, key=min) == sorted(expected, key=min)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "es-manager.pyz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__main__.py", "print('up', flush=True); input()\n")
        file.writestr("es_manager/__main__.py", "")
    return path


def is_manager(*command, cwd=None):
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd) as child:
        child.stdout.readline()
        try:
            return family.is_manager(child.pid)
        finally:
            child.kill()


def test_the_archive_of_the_manager_in_a_python_is_one(archive):
    assert is_manager(sys.executable, archive, "--config", "x")
    assert is_manager(sys.executable, archive.name, cwd=archive.parent)


def test_what_only_has_the_manager_in_its_command_line_is_none(archive, tmp_path):
    """A database node that a task calls a manager, with whatever words."""
    node = tmp_path / "eventstored"
    node.write_text(f"#!{sys.executable}\nprint('up', flush=True)\ninput()\n")
    node.chmod(0o755)
    sleep = ["/bin/sh", "-c", "echo up; read x"]
    assert not is_manager(node, "--config", archive)
    assert not is_manager(node, archive)  # the third word of what runs
    assert not is_manager(sys.executable, node, archive)
    assert not is_manager(*sleep, archive)
    script = tmp_path / "run-node.sh"
    script.write_text("echo up; read x\n")
    assert not is_manager("/bin/sh", script, archive)
    assert not is_manager("/bin/cat", archive, "-")
    node.rename(archive)  # the name alone
    assert not is_manager(sys.executable, archive)


def test_another_archive_of_python_is_none(tmp_path):
    path = tmp_path / "es-manager.pyz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__main__.py", "print('up', flush=True); input()\n")
        file.writestr("lab/node/program.py", "")
    assert not is_manager(sys.executable, path, "--config", "x")


def test_a_manager_whose_archive_is_gone_counts_as_a_node(archive):
    with subprocess.Popen([sys.executable, archive], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        archive.unlink()
        assert not family.is_manager(child.pid)
        child.kill()


# -- what it was started with ------------------------------------------------------------------------------------------


@pytest.fixture
def node(tmp_path):
    """A process that was started with a configuration file; ``node(environment)`` gives its pid."""
    (tmp_path / "database.yaml").write_text("IntIp: 10.0.0.1\nExtIp: 10.0.0.1\nClusterSize: 3\n")
    children = []

    def start(environment=None, words=("--config", "database.yaml"), cwd=tmp_path):
        code = "print('up', flush=True); input()"
        # A program of one word: a node has no options before its own.
        program = tmp_path / f"node{len(children)}"
        program.write_text(f"#!{sys.executable}\n{code}\n")
        program.chmod(0o755)
        command = [str(program), *words]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, env={"PATH": "", **(environment or {})}
        )
        children.append(child)
        child.stdout.readline()
        return child.pid

    yield start
    for child in children:
        child.kill()
        child.communicate()


def size(pid):
    return family.cluster_size([Process(pid)])


def later(path, seconds=5):
    stat = path.stat()
    os.utime(path, (stat.st_atime, stat.st_mtime + seconds))


def test_the_cluster_size_is_that_of_the_start(node, tmp_path):
    pid = node()
    assert size(pid) == 3
    assert size(node({"EVENTSTORE_CLUSTER_SIZE": "5"})) == 5
    path = tmp_path / "database.yaml"
    shutil.copy2(path, tmp_path / "database.yaml.1.2026-11-28@14:00:00~")
    path.write_text("ClusterSize: 1\n")
    later(path)
    assert size(pid) == 3


def test_a_file_that_was_written_after_the_start_says_nothing_of_the_cluster_size(node, tmp_path):
    pid = node()
    path = tmp_path / "database.yaml"
    path.write_text("ClusterSize: 1\n")
    later(path)
    assert size(pid) is None


def test_without_its_environment_the_cluster_size_is_not_known(node, monkeypatch):
    pid = node()
    monkeypatch.setattr(procfs, "environment_is_visible", lambda _pid: False)
    assert size(pid) is None


def test_a_file_that_cannot_be_read_says_nothing_of_the_cluster_size(node, tmp_path):
    pid = node()
    (tmp_path / "database.yaml").unlink()
    assert size(pid) is None


CHOOSES = [
    (("--config", "database.yaml"), True),
    (("--CONFIG", "database.yaml"), True),
    (("--config=database.yaml",), True),
    (("-config", "database.yaml"), True),
    (("--log", "x", "--config", "./database.yaml"), True),
    (("--config", "{}/database.yaml"), True),
    (("--config", "{}/link.yaml"), True),
    (("--config", "other.yaml"), False),
    (("--whatif", "--config", "database.yaml"), False),
    (("--config", "database.yaml", "--version"), False),
    (("database.yaml",), False),
    ((), False),
]


@pytest.mark.parametrize(("words", "chooses"), CHOOSES)
def test_who_was_started_with_a_file_is_found_whatever_its_command_line(node, tmp_path, words, chooses):
    (tmp_path / "link.yaml").symlink_to("database.yaml")
    pid = node(words=[word.format(tmp_path) for word in words])
    assert family.with_config([str(tmp_path / "database.yaml")]) == ([pid] if chooses else [])


def test_the_same_path_in_a_container_is_another_file(node, tmp_path, monkeypatch):
    pid = node()
    assert not procfs.is_of_container(pid)
    real = os.readlink
    monkeypatch.setattr(
        procfs.os, "readlink", lambda path: "pid:[1]" if str(path) == f"/proc/{pid}/ns/pid" else real(path)
    )
    assert procfs.is_of_container(pid)
    assert family.with_config([str(tmp_path / "database.yaml")]) == []


def test_addresses_are_those_of_the_options_and_defaults_are_nobody_s(node):
    told = Endpoint("10.0.0.1", 2112)
    found = family.inspect([node(), node(words=()), node({"EVENTSTORE_INT_IP": "10.0.0.9"}, words=())])
    assert told in found[0].told
    assert found[1].told == frozenset()
    assert Endpoint("10.0.0.9", 2112) in found[2].told
