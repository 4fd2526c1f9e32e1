# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples, run as they stand against scripted nodes: what is copied has to be safe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.doubles.gossip import picture
from tests.doubles.gossip.server import Act, ScriptedCluster

ROOT = Path(__file__).parents[2]
NET = "127.0.57"


@pytest.fixture
def cluster() -> t.Iterator[ScriptedCluster]:
    with ScriptedCluster() as servers:
        yield servers


def serve(cluster: ScriptedCluster, *states: str) -> None:
    """Node 1 of machine 1 is in the first state, that of machine 2 in the second; all say the same."""
    words = {f"{NET}.{number}": state for number, state in enumerate(states, start=1)}
    for ip, state in words.items():
        if "dead" in state:
            continue
        gossip = picture.body(picture.picture(f"{ip}:2112", words))
        info = json.dumps({"esVersion": "3.4.0.0", "state": state.lower()}).encode()
        cluster.answer(f"{ip}:2113", "/gossip", Act(gossip))
        cluster.answer(f"{ip}:2113", "/info", Act(info))


def run(tmp_path: Path, *arguments: str, machines: int = 3) -> subprocess.CompletedProcess[str]:
    hosts = {f"node{number}": {"eventstore_int_ip": f"{NET}.{number}"} for number in range(1, machines + 1)}
    variables = {
        "ansible_connection": "ssh",  # no task of the examples connects to a machine
        "eventstore_version": "3.4.0",
        "eventstore_cluster_mode": "nodes",
        "eventstore_discovery": "seeds",
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"eventstore": {"hosts": hosts, "vars": variables}}))
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1"}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), "--forks", "50"]
    return subprocess.run(
        [*command, *(arguments or ["examples/conditional.yml"])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def worked(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The hosts on which the work ran."""
    return re.findall(r"^ok: \[(\S+)\] => *\n *msg: Maintenance would run", done.stdout, re.MULTILINE)


@pytest.fixture
def changed() -> t.Iterator[t.Callable[..., str]]:
    """``changed(OLD=NEW)``: the example with other lines, beside it."""
    playbook = ROOT / "examples" / f".conditional-{os.getpid()}.yml"

    def change(*replacements: tuple[str, str]) -> str:
        text = (ROOT / "examples/conditional.yml").read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        playbook.write_text(text)
        return str(playbook)

    yield change
    playbook.unlink(missing_ok=True)


QUICK = ("        settle: 5\n", "        wait_timeout: 1\n")


def test_the_conditional_example_works_on_one_slave_and_no_other(cluster, tmp_path):
    serve(cluster, "Master", "Slave", "Slave")
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert worked(done) == ["node2"]


def test_the_conditional_example_chooses_the_first_slave_also_where_the_play_is_cut_into_batches(
    cluster, tmp_path, changed
):
    serve(cluster, "Slave", "Slave", "Master", "Slave", "Slave")
    playbook = changed(QUICK, ("  gather_facts: false\n", "  gather_facts: false\n  serial: 2\n"))
    done = run(tmp_path, playbook, machines=5)
    assert done.returncode == 0, done.stdout + done.stderr
    assert worked(done) == ["node1"]


def test_the_conditional_example_does_nothing_beyond_its_limit(cluster, tmp_path, changed):
    serve(cluster, "Slave", "Master", "Slave")
    assert worked(run(tmp_path, changed(QUICK), "--limit", "node3")) == []


@pytest.mark.parametrize("states", [("Master", "Slave", "Slave dead"), ("Unknown", "Slave", "Slave")])
def test_the_conditional_example_does_nothing_where_no_node_can_be_spared(cluster, tmp_path, changed, states):
    serve(cluster, *states)
    done = run(tmp_path, changed(QUICK))
    assert done.returncode == 2, done.stdout + done.stderr
    assert worked(done) == []
    # The second look does not rest on the first one alone.
    playbook = changed(("        until: steady\n        settle: 5\n", "        until: none\n"))
    done = run(tmp_path, playbook)
    assert done.returncode == 2, done.stdout + done.stderr
    assert worked(done) == []
