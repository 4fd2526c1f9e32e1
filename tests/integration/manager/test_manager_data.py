# SPDX-License-Identifier: GPL-3.0-or-later
"""After a boot the manager starts its nodes itself: not one that had data and would begin on an empty directory."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.manager.machines import eventually

# What a server does first: its directory, and in it its database.
OPENS = 'db="${2%.yaml}-data"; mkdir -p "$db"; echo 12345678 > "$db/writer.chk"; sleep 300 & wait'


@pytest.fixture
def node(machine):
    """A node that has run here and has left its data."""
    config = machine.node(behaviour=OPENS, Db=str(machine.path / "database-data"))
    machine.configure(config)
    (machine.path / "database-data").mkdir()
    (machine.path / "database-data/writer.chk").write_bytes(bytes([1] * 8))
    (machine.path / "database.yaml.data").write_text(f"{machine.path}/database-data\n")
    return config


def test_it_waits_for_a_disk_that_comes_late(machine, node):
    """Another node of the same manager is started meanwhile."""
    (machine.path / "database-data").rename(machine.path / "unmounted")
    other = machine.node("other")
    machine.configure(node, other)
    machine.start()
    log = machine.await_log("node database is not started: ")
    assert f"had its data in {machine.path}/database-data, and now there is no database in" in log
    assert "If the disk is not mounted" in log
    eventually(lambda: machine.starts("other"))
    assert machine.starts() == []
    (machine.path / "unmounted").rename(machine.path / "database-data")
    eventually(machine.starts)
    assert machine.logged().count("is not started") == 1


@pytest.mark.usefixtures("node")
def test_a_database_path_that_was_changed_is_not_followed_without_the_data(machine):
    machine.node(behaviour=OPENS, Db=str(machine.path / "new"))
    machine.start()
    log = machine.await_log("node database is not started: ")
    assert f"Db is {machine.path}/new now, which has no database" in log
    assert f"mv {machine.path}/database-data {machine.path}/new" in log
    assert machine.starts() == []


@pytest.mark.usefixtures("node")
def test_the_note_of_the_data_is_all_that_holds_it_back(machine):
    """An operator has named the machine, and es_service has removed the note."""
    (machine.path / "database-data/writer.chk").unlink()
    machine.start()
    machine.await_log("is not started")
    (machine.path / "database.yaml.data").unlink()
    eventually(machine.starts)


@pytest.mark.usefixtures("node")
def test_a_node_that_is_killed_and_loses_its_data_stays_down(machine):
    machine.start()
    (pid,) = eventually(machine.nodes, lambda pids: len(pids) == 1)
    (machine.path / "database-data").rename(machine.path / "gone")
    os.kill(pid, signal.SIGKILL)
    machine.await_log("is not started")
    assert len(machine.starts()) == 1
    assert machine.stop() == 0  # at once, though a node is waited for


def test_a_first_start_is_no_loss(machine):
    machine.configure(machine.node(behaviour=OPENS, Db=str(machine.path / "database-data")))
    machine.start()
    eventually(machine.starts)
    assert "is not started" not in machine.logged()
