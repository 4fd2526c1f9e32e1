# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that runs is adopted by its gossip alone, and site then finds it as the inventory says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.lab_site import Site

NET = "127.0.108"
LOCAL = {"ansible_connection": "'local'", "ansible_python_interpreter": f"'{sys.executable}'"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    """A deployed cluster with an option of the operator's and a port that is not the default."""
    made = Site(
        tmp_path_factory.mktemp("adopt"),
        NET,
        eventstore_cluster_name="orders",
        eventstore_ext_http_port=2213,
        eventstore_database_options={"GossipTimeoutMs": 700},
        eventstore_manager_options={"GossipTimeoutMs": 800},
    )
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


def test_site_finds_the_adopted_cluster_unchanged(site: Site) -> None:
    plugin = {"plugin": "eventstore.cluster.gossip", "endpoints": [f"{NET}.12:30778"], "compose": LOCAL}
    gossip, adopted = site.folder / "orders.gossip.yml", site.folder / "adopted.yml"
    gossip.write_text(yaml.safe_dump(plugin))
    site.inventory = gossip
    done = site.play("playbooks/adopt.yml", "-e", f"adopt_inventory={adopted}")
    assert done.returncode == 0, done.stdout + done.stderr
    text = adopted.read_text()
    said = yaml.safe_load(text)["eventstore"]
    assert list(said["hosts"]) == [f"{NET}.{last}" for last in (11, 12, 13)]
    assert said["vars"]["eventstore_cluster_name"] == "orders"
    assert said["vars"]["eventstore_ext_http_port"] == 2213
    assert said["vars"]["eventstore_database_options"] == {"GossipTimeoutMs": 700}
    assert said["vars"]["eventstore_manager_options"] == {"GossipTimeoutMs": 800}
    assert "# - eventstore_archive and its checksum" in text
    site.inventory = adopted
    checked = site.play("playbooks/site.yml", "--check", "--diff")
    assert checked.returncode == 0, checked.stdout + checked.stderr + text
    counts = re.findall(r"changed=(\d+)", checked.stdout.partition("PLAY RECAP")[2])
    assert counts == ["0"] * 3, checked.stdout + text
    assert "orders has quorum, 3 of 3 nodes in sync" in checked.stdout


def test_a_file_of_the_operator_is_not_overwritten(site: Site, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text("mine")
    refused = site.play("playbooks/adopt.yml", "-e", f"adopt_inventory={mine}")
    assert refused.returncode != 0
    assert f"{mine} exists already" in " ".join(refused.stdout.split())
    assert mine.read_text() == "mine"
