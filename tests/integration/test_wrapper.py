# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that a wrapper such as run-node.sh starts: the two are one node, whatever happens to either."""

from __future__ import annotations

import psutil
import pytest

from tests.lab_site import Site, has_full_cluster, wait_for
from tests.watcher import Watcher

pytestmark = pytest.mark.slow
NET = "127.0.106"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("wrapper"), NET, eventstore_executable="run-node.sh")
    try:
        made.deploy()
        wait_for(lambda: has_full_cluster(NET))
        yield made
    finally:
        made.remove()


def test_a_rolling_restart_knows_that_each_node_is_back(site: Site) -> None:
    before = {host: site.node(host).pid for host in HOSTS}
    with Watcher(NODES) as watcher:
        done = site.play("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert watcher.worst == 1, watcher.worst_nodes
    assert all(site.node(host).pid != before[host] for host in HOSTS)
    assert has_full_cluster(NET)


def test_the_node_of_a_killed_manager_and_a_killed_wrapper_is_not_started_twice(site: Site) -> None:
    manager, node = site.manager("node2"), site.node("node2")
    wrapper = node.parent()
    assert wrapper
    assert any("run-node.sh" in word for word in wrapper.cmdline())
    for each in (manager, wrapper):
        each.kill()
    wait_for(
        lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in (manager, wrapper))
    )
    started = site.play("playbooks/start.yml")
    assert started.returncode == 0, started.stdout + started.stderr
    assert site.manager("node2").pid != manager.pid
    assert site.node("node2").pid == node.pid  # and there is only one
    assert has_full_cluster(NET)
