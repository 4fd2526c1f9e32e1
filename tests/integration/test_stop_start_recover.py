# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole cluster at once: stopped and started in order, recovered without quorum, upgraded where it cannot roll."""

from __future__ import annotations

import shutil
import uuid

import pytest

from tests.lab_site import Site, append, changed, curl, has_full_cluster, stored, wait_for
from tests.watcher import Watcher

NET = "127.0.99"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
STOP = ("playbooks/stop.yml", "-e", "stop_cluster=cluster1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("all"), NET)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.fixture
def stopped(site: Site) -> Site:
    done = site.play(*STOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not site.processes("eventstored")
    return site


def master() -> str:
    return next(address for address in NODES if '"master"' in curl(f"http://{address}/info")[1])


def start(site: Site) -> None:
    done = site.play("playbooks/start.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: has_full_cluster(NET))


def text(output: str) -> str:
    return " ".join(output.split())


def test_stop_takes_the_master_last_and_start_brings_all_back(site: Site) -> None:
    event, last = str(uuid.uuid4()), master()
    assert append(NODES[0], event) == 201
    with Watcher(NODES) as watcher:
        done = site.play(*STOP)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for(lambda: all(watcher.is_down(address) for address in NODES))
        assert watcher.since(last) == max(map(watcher.since, NODES))
    assert not site.processes("eventstored")
    start(site)
    wait_for(lambda: all(event in stored(address) for address in NODES), 10)


def test_recover_explains_and_starts_the_highest_first(stopped: Site) -> None:
    """node1 lacks what the others have acknowledged, and comes last."""
    assert stopped.play("playbooks/start.yml", "--limit", "node2,node3").returncode == 0
    event = str(uuid.uuid4())
    wait_for(lambda: append(NODES[1], event) == 201)
    assert stopped.play(*STOP).returncode == 0
    told = stopped.play("playbooks/recover.yml", "--check")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "bytes less than node" in text(told.stdout)
    assert not stopped.processes("eventstored")
    done = stopped.play("playbooks/recover.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: has_full_cluster(NET))
    born = {host: stopped.node(host).create_time() for host in HOSTS}
    assert max(born, key=lambda host: born[host]) == "node1", (born, done.stdout)
    wait_for(lambda: event in stored(NODES[0]), 10)
    again = stopped.play("playbooks/recover.yml")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "has quorum; there is nothing to recover" in text(again.stdout)
    assert set(changed(again.stdout).values()) == {0}


def test_recover_starts_an_emptied_node_after_the_others(stopped: Site) -> None:
    shutil.rmtree(stopped.lab / "node2/data")
    (stopped.lab / "node2/data").mkdir()
    done = stopped.play("playbooks/recover.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node2/database: does not answer, NO DATA" in text(done.stdout)
    wait_for(lambda: has_full_cluster(NET))
    born = {host: stopped.node(host).create_time() for host in HOSTS}
    assert max(born, key=lambda host: born[host]) == "node2"


def test_recover_refuses_what_could_lose_acknowledged_writes(stopped: Site) -> None:
    """Two emptied nodes and one with data would make a quorum, that of the emptied ones alone too."""
    for host in ("node1", "node2"):
        (stopped.lab / host / "data").rename(stopped.lab / host / "kept")
        (stopped.lab / host / "data").mkdir()
    refused = stopped.play("playbooks/recover.yml")
    assert refused.returncode != 0
    assert "1 of 3 nodes have data, and a majority is needed" in text(refused.stdout)
    assert "node1/database (no data), node2/database (no data)" in text(refused.stdout)
    assert not stopped.processes("eventstored")
    for host in ("node1", "node2"):
        (stopped.lab / host / "data").rmdir()
        (stopped.lab / host / "kept").rename(stopped.lab / host / "data")
    limited = stopped.play("playbooks/recover.yml", "--limit", "node3")
    assert "node1/database (machine not reached), node2/database (machine not reached)" in text(limited.stdout)
    assert not stopped.processes("eventstored")
    start(stopped)


def test_a_hop_that_cannot_roll_is_refused_with_its_plan(site: Site) -> None:
    """The way of two hops rolls; where 3.9.4 is not wanted, the document of 4.0.0 stops all."""
    site.build("4.0.3")
    before = site.processes("eventstored")
    to = ("-e", "eventstore_version=4.0.3", "-e", "upgrade_accept=4.0.3", "-e", "upgrade_shortest=true")
    for told in ((), ("-e", "stop_cluster=cluster1")):
        refused = site.play("playbooks/rolling_upgrade.yml", *to, *told)
        assert refused.returncode != 0
        assert "this hop cannot roll" in text(refused.stdout), refused.stdout
    assert has_full_cluster(NET)
    assert site.processes("eventstored") == before
