# SPDX-License-Identifier: GPL-3.0-or-later
"""No play, whatever its keywords, takes two nodes of a cluster down: counted from outside, every 50 ms."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease_client import Borrower
from tests.lab_site import Site, changed, curl, has_full_cluster, wait_for
from tests.watcher import Watcher, Writer

NET = "127.0.94"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
MANAGERS = [
    {"kind": "manager", "address": f"{NET}.{last}:30778", "internal": f"{NET}.{last}:30777"} for last in (11, 12, 13)
]
ENDPOINTS = [*({"kind": "database", "address": each} for each in NODES), *MANAGERS]
ASKED = {
    "name": "cluster1",
    "endpoints": ENDPOINTS,
    "cluster_size": 3,
    "settle": 0.0,
    "wait": 0.0,
    "stall": 1.0,
    "owner": "t",
}

RESTART = """
    - name: Restart
      ansible.builtin.include_role:
        name: eventstore.cluster.services
        tasks_from: state
      vars: {services_state: restarted}
"""
STOP = """
    - name: Stop
      ansible.builtin.include_role:
        name: eventstore.cluster.services
        tasks_from: state
      vars: {services_state: stopped}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("rolling"), NET)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.fixture
def whole(site: Site):
    """The site with all its nodes in sync."""
    if not has_full_cluster(NET):
        start(site)
    return site


def start(site: Site) -> None:
    play = write(site, "start", "", STOP.replace("stopped", "started").replace("Stop", "Start"))
    started = site.play(play)
    assert started.returncode == 0, started.stdout + started.stderr
    wait_for(lambda: has_full_cluster(NET))


def write(site: Site, name: str, keywords: str, tasks: str) -> str:
    lines = "".join(f"  {keyword}\n" for keyword in keywords.splitlines())
    path = site.folder / f"{name}.yml"
    path.write_text(f"- hosts: eventstore\n  gather_facts: false\n{lines}  tasks:{tasks}")
    return str(path)


def pids(site: Site) -> dict[str, int]:
    return {host: site.node(host).pid for host in HOSTS}


def test_a_roll_under_appends_loses_none_and_takes_the_master_last(whole: Site) -> None:
    before = pids(whole)
    master = next(address for address in NODES if '"master"' in curl(f"http://{address}/info")[1])
    with Watcher(NODES) as watcher, Writer(NODES) as writer:
        done = whole.play("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert watcher.worst == 1, watcher.worst_nodes
    assert watcher.samples > 300
    assert sorted(address for address, _from, _to in watcher.outages) == NODES
    told = " ".join(done.stdout.split())
    assert "after the last turn, " in told
    assert "1 election" in told.partition("stop to caught up")[2]  # the master's turn
    assert watcher.outages[-1][0] == master
    assert all(now != before[host] for host, now in pids(whole).items())
    assert len(writer.acknowledged) > 50
    for address in NODES:
        wait_for(lambda address=address: not writer.lost(address), 10)
    own = sum(end - start for _address, start, end in watcher.outages)
    whole_roll = watcher.outages[-1][2] - watcher.outages[0][1]
    print(f"first stop to last node in sync {whole_roll:.1f} s, {whole_roll / own:.2f} x their own {own:.1f} s")
    print(f"longest gap between acknowledged appends {writer.longest_gap_s:.1f} s")


@pytest.mark.slow
def test_what_waits_for_no_restart_is_left_alone_and_a_machine_that_is_done_too(whole: Site) -> None:
    before = pids(whole)
    idle = whole.play("playbooks/rolling_restart.yml")
    assert idle.returncode == 0, idle.stdout + idle.stderr
    assert set(changed(idle.stdout).values()) == {0}
    os.utime(whole.lab / "node2/config/database.yaml")
    done = whole.play("playbooks/rolling_restart.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    now = pids(whole)
    assert [host for host in HOSTS if now[host] != before[host]] == ["node2"]


def test_stop_stops_one_and_refuses_the_others(whole: Site) -> None:
    """The worst keywords of all; tests/rolling has the others."""
    with Watcher(NODES) as watcher:
        done = whole.play(write(whole, "stop", "strategy: free\nignore_errors: true", STOP), "-f", "50")
    assert watcher.worst == 1, (watcher.worst_nodes, done.stdout)
    assert "1 of 3 nodes would be left in sync" in done.stdout.replace("\n", " ").replace("  ", "")
    assert "override: cluster1" in done.stdout


@pytest.mark.slow
def test_two_controllers_at_once(whole: Site) -> None:
    play = write(whole, "restart", "serial: 100%", RESTART)
    with Watcher(NODES) as watcher:
        running = [whole.start(play, controller=name) for name in ("alice", "bob")]
        ended = [(process.communicate(timeout=400)[0], process.returncode) for process in running]
    assert watcher.worst == 1, (watcher.worst_nodes, ended)
    assert any(status == 0 for _output, status in ended) or "another stop is under way" in str(ended)


@pytest.mark.slow
def test_a_controller_that_is_killed_leaves_no_second_node_down_and_the_next_run_goes_on(whole: Site) -> None:
    with Watcher(NODES) as watcher:
        killed = whole.start(write(whole, "restart", "serial: 1", RESTART))
        wait_for(watcher.is_down, 60)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        done = whole.play("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1")
        wait_for(lambda: has_full_cluster(NET))
    assert watcher.worst == 1, watcher.worst_nodes
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("whole")
def test_of_many_that_ask_at_the_same_moment_one_at_a_time_is_permitted() -> None:
    """The whole cluster is well all the time, so that nothing but the lease keeps them apart."""
    inside: list[str] = []
    worst: list[int] = []

    def ask(number: int) -> None:
        asked = permission.Cluster({**ASKED, "settle": 0.0, "wait": 30.0, "owner": f"controller{number}"})
        addresses = frozenset({Endpoint(f"{NET}.{11 + number % 3}", 2112)})
        members = permission.Members(Stop("es-cluster1", (addresses,)), 3)
        with permission.permit(asked, members, hold_s=30, check_mode=False):
            inside.append(str(number))
            worst.append(len(inside))
            time.sleep(0.3)  # as long as a stop takes: the others must have time to be wrong
            inside.pop()

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(ask, range(5)))
    assert worst == [1] * 5


@pytest.mark.usefixtures("whole")
def test_a_lease_that_was_left_behind_is_explained_and_broken_by_name(site: Site) -> None:
    left = Borrower(
        [Endpoint(f"{NET}.{last}", 30777) for last in (11, 12, 13)], "alice@away:1:node1", cluster="cluster1"
    )
    left.take(600)
    play = write(site, "restart", "", RESTART)
    refused = site.play(play, "--limit", "node2")
    text = " ".join(refused.stdout.split())
    assert "another stop is under way: alice@away:1:node1 has had it for" in text
    done = site.play(play, "--limit", "node2", "-e", "break_lease=alice@away:1:node1")
    assert done.returncode == 0, done.stdout + done.stderr


# A run of es_service that is paused between its decision and the stop, as a machine that is suspended pauses it.
PAUSED = """
import json, os, signal, sys
from ansible.module_utils import basic
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission
from ansible_collections.eventstore.cluster.plugins.modules import es_service
permission.MAX_S = 5.0  # a lease that ends soon
confirm = permission.Cluster._confirm
def pause(*arguments):
    os.kill(os.getpid(), signal.SIGSTOP)
    confirm(*arguments)
permission.Cluster._confirm = pause
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.argv[1].encode(), "legacy"
es_service.main()
"""


def test_who_was_paused_after_the_decision_beyond_the_lease_does_not_stop_a_second_node(whole: Site) -> None:
    manager = whole.manager("node2").cmdline()
    given = {
        "name": "es-cluster1",
        "kind": "manager",
        "state": "stopped",
        "provider": "process",
        "executable": manager[1],
        "config": manager[manager.index("--config") + 1],
        "run_dir": str(whole.lab / "node2" / "run"),
        "cluster": {**ASKED, "wait": 2.0, "owner": "paused"},
    }
    command = [sys.executable, "-c", PAUSED, json.dumps({"ANSIBLE_MODULE_ARGS": given})]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    node = whole.node("node2").pid
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as paused,
        Watcher(NODES) as seen,
    ):
        wait_for(lambda: psutil.Process(paused.pid).status() == psutil.STATUS_STOPPED, 60)
        assert "paused" in curl(f"http://{NET}.11:30777/lease")[1]
        wait_for(lambda: "paused" not in curl(f"http://{NET}.11:30777/lease")[1], 60)
        stopped = whole.play(write(whole, "stop", "", STOP), "--limit", "node3")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        paused.send_signal(signal.SIGCONT)
        said = json.loads(paused.communicate(timeout=240)[0])
    assert said["failed"]
    assert "1 of 3 nodes would be left in sync" in said["msg"]
    assert whole.node("node2").pid == node
    assert seen.worst == 1, seen.worst_nodes
    start(whole)
