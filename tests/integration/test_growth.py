# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines more in the inventory of three that run: refused while the three run, done with an outage."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from tests.lab_site import Site, curl, wait_for

NET = "127.0.107"
NEW = ("node4", "node5")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    """Three machines that run, and five in the inventory."""
    made = Site(tmp_path_factory.mktemp("growth"), NET, eventstore_cluster_mode="nodes")
    try:
        made.deploy()
        path = made.inventory / "hosts.yml"
        data = yaml.safe_load(path.read_text())
        data["eventstore"]["hosts"].update({name: {"eventstore_int_ip": f"{NET}.1{name[-1]}"} for name in NEW})
        path.write_text(yaml.safe_dump(data))
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize(
    ("playbook", "arguments", "code"),
    [
        ("site.yml", (), "two-masters"),
        ("site.yml", ("--limit", "node4,node5"), "cluster-size-unknown"),
    ],
)
def test_new_nodes_do_not_start_beside_nodes_of_a_smaller_cluster(site: Site, playbook, arguments, code) -> None:
    before = files(site)
    done = site.play(playbook, *arguments)
    said = " ".join(done.stdout.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{code}: node4/database and node5/database would start with ClusterSize 5" in said, done.stdout
    assert len(site.processes("eventstored")) == 3
    assert files(site) == before


def files(site: Site) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in site.lab.glob("*/config/*") if path.is_file()}


@pytest.mark.slow
def test_with_an_outage_the_cluster_grows(site: Site) -> None:
    for playbook, *arguments in (
        ("playbooks/stop.yml", "-e", "stop_cluster=cluster1"),
        ("site.yml", "-e", "quorum_until=quorum", "--limit", "node1,node2,node3"),
        ("site.yml",),
    ):
        done = site.play(playbook, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: states() == ["master", *["slave"] * 4])


def states() -> list[str]:
    found = []
    for last in range(11, 16):
        status, body = curl(f"http://{NET}.{last}:2113/info")
        found.append(json.loads(body)["state"] if status == 200 else "")
    return sorted(found)
