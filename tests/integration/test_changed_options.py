# SPDX-License-Identifier: GPL-3.0-or-later
"""A changed option of each class, on a cluster that runs: what site.yml says of it, and what a rolling restart does."""

from __future__ import annotations

import json

import pytest

from tests.lab_site import Site, has_full_cluster, wait_for
from tests.watcher import Watcher

NET = "127.0.92"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
PENDING = "is pending"


@pytest.fixture(scope="module", params=[pytest.param("managers", marks=pytest.mark.slow), "nodes"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("options"), NET, eventstore_cluster_mode=request.param)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


def pids(site: Site) -> dict[str, int]:
    return {host: site.node(host).pid for host in HOSTS}


def service(site: Site) -> str:
    return "es-cluster1" if site.processes("es-manager.pyz") else "es-cluster1-database"


def options(**changed: object) -> tuple[str, ...]:
    return ("-e", json.dumps({"eventstore_database_options": changed}))


@pytest.mark.slow
def test_a_change_without_an_effect_restarts_nothing(site: Site) -> None:
    """The file has one more line, with the default."""
    before = pids(site)
    changed = options(StatsPeriodSec=30)
    said = site.deploy(*changed)
    assert "StatsPeriodSec" in (site.lab / "node1/config/database.yaml").read_text()
    assert PENDING not in said.stdout
    done = site.play("playbooks/rolling_restart.yml", *changed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pids(site) == before


@pytest.mark.slow
def test_an_option_that_takes_nothing_is_none_of_a_file(site: Site) -> None:
    before = pids(site)
    refused = site.play("site.yml", *options(WhatIf=False))
    assert refused.returncode != 0
    assert "WhatIf cannot be in a file" in refused.stdout
    assert pids(site) == before


def test_an_option_that_takes_a_restart_is_told_and_rolled_out_one_node_at_a_time(site: Site) -> None:
    before = pids(site)
    changed = options(StatsPeriodSec=77)
    said = site.deploy(*changed)
    assert said.stdout.count(PENDING) == 3
    assert f"a restart of {service(site)} {PENDING}" in said.stdout
    assert "with another StatsPeriodSec" in " ".join(said.stdout.split())
    assert pids(site) == before
    with Watcher(NODES) as watcher:
        done = site.play("playbooks/rolling_restart.yml", *changed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert watcher.worst == 1, watcher.worst_nodes
    assert all(now != before[host] for host, now in pids(site).items())
    assert PENDING not in site.deploy(*changed).stdout


@pytest.mark.slow
def test_an_option_that_was_changed_back_takes_no_restart(site: Site) -> None:
    before = pids(site)
    running = {"StatsPeriodSec": 77} if "77" in (site.lab / "node1/config/database.yaml").read_text() else {}
    site.deploy(*options(StatsPeriodSec=78))
    assert PENDING not in site.deploy(*options(**running)).stdout
    assert pids(site) == before


@pytest.mark.slow
def test_an_option_of_the_whole_cluster_is_not_rolled_out(site: Site) -> None:
    before = pids(site)
    changed = options(StatsPeriodSec=77, IntTcpPort=1212)
    said = site.deploy(*changed)
    assert said.stdout.count(PENDING) == 3
    assert pids(site) == before
    refused = site.play("playbooks/rolling_restart.yml", *changed)
    assert refused.returncode != 0
    assert "IntTcpPort must change on all nodes together" in " ".join(refused.stdout.split())
    assert pids(site) == before
    for playbook in ("stop", "start"):
        done = site.play(f"playbooks/{playbook}.yml", *changed, "-e", "stop_cluster=cluster1")
        assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: has_full_cluster(NET))
    assert PENDING not in site.deploy(*changed).stdout
