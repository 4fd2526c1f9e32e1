# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin as an operator runs it: ansible-inventory, and a play that finds the hosts by their roles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.doubles.gossip import picture
from tests.doubles.gossip.server import Act, ScriptedCluster

ROOT = Path(__file__).parents[3]
WORDS = {"127.0.52.1": "Master", "127.0.52.2": "Slave", "127.0.52.3": "Slave dead", "127.0.52.1/manager": "Manager"}


@pytest.fixture
def inventory(tmp_path: Path, scripted_cluster: ScriptedCluster) -> Path:
    """Two of three nodes and a manager answer; the configuration file of the plugin names the manager alone."""
    for ip, state in (("127.0.52.1", "master"), ("127.0.52.2", "slave")):
        gossip = picture.body(picture.picture(f"{ip}:2112", WORDS))
        scripted_cluster.answer(f"{ip}:2113", "/gossip", Act(gossip, way="chunked"))
        info = json.dumps({"esVersion": "3.4.0.0", "state": state}).encode()
        scripted_cluster.answer(f"{ip}:2113", "/info", Act(info))
    gossip = picture.body(picture.picture("127.0.52.1:30777", WORDS))
    scripted_cluster.answer("127.0.52.1:30778", "/gossip", Act(gossip))
    made = tmp_path / "orders.gossip.yml"
    made.write_text(
        yaml.safe_dump(
            {
                "plugin": "eventstore.cluster.gossip",
                "endpoints": ["127.0.52.1:30778"],
                "compose": {"ansible_connection": "'local'"},
                "keyed_groups": [{"key": "es_version", "prefix": "version"}],
            }
        )
    )
    return made


def run(tmp_path: Path, program: str, *arguments: str) -> str:
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1"}
    command = [sys.executable, "-m", "ansible", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stderr
    return done.stdout


def test_the_graph_shows_who_is_what(tmp_path, inventory):
    lines = run(tmp_path, "inventory", "-i", str(inventory), "--graph").splitlines()
    graph: dict[str, list[str]] = {}
    for line in (line.strip(" |-") for line in lines):
        if line.startswith("@"):
            members = graph.setdefault(line.strip("@:"), [])
        else:
            members.append(line)
    assert graph["master"] == graph["manager"] == ["127.0.52.1"]
    assert graph["slave"] == ["127.0.52.2"]
    assert graph["unreachable"] == ["127.0.52.3"]
    assert graph["version_3_4_0_0"] == ["127.0.52.1", "127.0.52.2"]
    assert graph["eventstore"] == ["127.0.52.1", "127.0.52.2", "127.0.52.3"]


def test_a_play_works_on_a_role(tmp_path, inventory):
    play = {
        "hosts": "slave",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "{{ es_state }} of {{ es_gossip.master.internal }}"}}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    said = run(tmp_path, "playbook", "-i", str(inventory), str(tmp_path / "play.yml"))
    assert "Slave of 127.0.52.1:2112" in said
    assert "127.0.52.2" in said.partition("PLAY RECAP")[2]
    assert "127.0.52.3" not in said
