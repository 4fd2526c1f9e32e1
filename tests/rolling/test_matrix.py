# SPDX-License-Identifier: GPL-3.0-or-later
"""Every keyword of a play that people trust to keep a quorum, against every way in which a node can be lost.

Some minutes long, so it is not part of ``make test``: ``make rolling``. A watcher outside counts nodes that are down.
"""

from __future__ import annotations

import itertools
import os
import signal
import time

import pytest

from tests.lab_site import Site, has_full_cluster, wait_for
from tests.watcher import Watcher

# Each worker has machines of its own; what is refused need not wait until the cluster is ready after all.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
NETS = {"managers": f"127.{100 + WORKER}.95", "nodes": f"127.{100 + WORKER}.96"}
AT_ONCE = ("-f", "50", "-e", "stop_wait=0.5")
KEYWORDS = {
    "serial 1": "serial: 1",
    "serial 1, fatal": "serial: 1\nany_errors_fatal: true",
    "serial 1, both": "serial: 1\nany_errors_fatal: true\nmax_fail_percentage: 0",
    "serial 2": "serial: 2",
    "serial 2, fatal": "serial: 2\nany_errors_fatal: true",
    "serial 100 %": 'serial: "100%"',
    "no serial, 100 % may fail": "max_fail_percentage: 100\nignore_errors: true",
    "throttle": "throttle: 1",
    "free": "strategy: free",
    "host_pinned": "strategy: host_pinned",
    "unreachable ignored": "ignore_unreachable: true\nignore_errors: true",
}
INCLUDE = "    - name: Include\n      ansible.builtin.include_role: {name: eventstore.cluster.%s, tasks_from: %s}\n"
PLAN = INCLUDE % ("preflight", "plan")
START = INCLUDE % ("services", "state")
STOP = START + "      vars: {services_state: stopped}\n"
# A role cannot be a handler, so here is the module as an operator writes it.
HANDLER = """    - name: Restart
      eventstore.cluster.es_service:
        name: "{{ service.service }}"
        kind: "{{ 'manager' if host.manager else 'database' }}"
        state: restarted
        executable: "{{ host.software.root ~ '/es-manager.pyz' if host.manager
          else host.software.home ~ '/' ~ host.software.executable }}"
        config: "{{ service.config }}"
        arguments: "{{ service.arguments | default([]) }}"
        environment: "{{ service.environment }}"
        run_dir: "{{ host.run_dir }}"
        cluster:
          name: "{{ preflight_plan.cluster_name }}"
          endpoints: "{{ preflight_plan.endpoints }}"
          cluster_size: "{{ preflight_plan.cluster_size }}"
      vars:
        host: "{{ preflight_plan.hosts[inventory_hostname] }}"
        service: "{{ host.manager or host.nodes[0] }}"
"""
LOSSES = {
    "fails after the stop": "    - name: Fail\n      ansible.builtin.fail: {msg: the change did not work}\n",
    "is unreachable after the stop": (
        "    - name: Go away\n      ansible.builtin.command: {cmd: 'true'}\n      changed_when: false\n"
        "      vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}\n"
    ),
    "goes on": "",
}


@pytest.fixture(scope="module", params=NETS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("matrix"), NETS[request.param], eventstore_cluster_mode=request.param)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.fixture
def whole(site: Site):
    if not has_full_cluster(site.net):
        started = site.play(write(site, "start", "", START))
        assert started.returncode == 0, started.stdout + started.stderr
        wait_for(lambda: has_full_cluster(site.net))
    return site


def write(site: Site, name: str, keywords: str, tasks: str, handlers: str = "") -> str:
    lines = "".join(f"  {keyword}\n" for keyword in keywords.splitlines())
    after = f"  handlers:\n{handlers}" if handlers else ""
    path = site.folder / f"{name}.yml"
    path.write_text(f"- hosts: eventstore\n  gather_facts: false\n{lines}  tasks:\n{tasks}{after}")
    return str(path)


def nodes(site: Site) -> list[str]:
    return [f"{site.net}.{last}:2113" for last in (11, 12, 13)]


@pytest.mark.parametrize(
    ("keywords", "loss"),
    list(itertools.product(KEYWORDS.values(), LOSSES.values())),
    ids=map(str, itertools.product(KEYWORDS, LOSSES)),
)
def test_a_stop(whole: Site, keywords: str, loss: str) -> None:
    play = write(whole, "stop", keywords, STOP + loss)
    with Watcher(nodes(whole)) as watcher:
        whole.play(play, *AT_ONCE)
    assert watcher.worst == 1, watcher.worst_nodes


@pytest.mark.parametrize("keywords", KEYWORDS.values(), ids=KEYWORDS)
def test_a_restart_by_handlers(whole: Site, keywords: str) -> None:
    changed = (
        "    - name: Change\n      ansible.builtin.command: {cmd: 'true'}\n"
        "      changed_when: true\n      notify: Restart\n"
    )
    changed += PLAN
    play = write(whole, "handler", keywords, changed, HANDLER)
    with Watcher(nodes(whole)) as watcher:
        done = whole.play(play, "-f", "50")
    assert done.returncode == 0, done.stdout + done.stderr
    assert watcher.worst == 1, watcher.worst_nodes
    assert len(watcher.outages) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--limit", "node2,node3"),
        ("--tags", "all"),
        ("--start-at-task", "stop"),
        ("-e", "stop_cluster=another"),
        ("-e", "stop_cluster="),
    ],
    ids=" ".join,
)
def test_what_an_operator_types(whole: Site, arguments: tuple[str, ...]) -> None:
    play = write(whole, "stop", "ignore_errors: true", STOP)
    with Watcher(nodes(whole)) as watcher:
        whole.play(play, *AT_ONCE, *arguments)
    assert watcher.worst <= 1, watcher.worst_nodes


def test_a_stop_in_the_background_is_refused(whole: Site) -> None:
    task = (
        "    - name: Stop\n      eventstore.cluster.es_service:\n"
        "        {name: any, kind: database, state: stopped, cluster: {name: cluster1}}\n"
        "      async: 60\n      poll: 0\n"
    )
    play = write(whole, "background", "", task)
    assert "async would let the next host stop its node" in whole.play(play).stdout


@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0, 2.0])
def test_the_controller_is_killed(whole: Site, after_s: float) -> None:
    with Watcher(nodes(whole)) as watcher:
        killed = whole.start("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1")
        wait_for(watcher.is_down, 60)
        time.sleep(after_s)  # the moment of the kill is what is varied
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        done = whole.play("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1")
        wait_for(lambda: has_full_cluster(whole.net))
    assert watcher.worst == 1, watcher.worst_nodes
    assert done.returncode == 0, done.stdout + done.stderr
