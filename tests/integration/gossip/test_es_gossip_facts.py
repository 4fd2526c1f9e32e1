# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way: real ansible-playbook, real sockets, scripted nodes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until
from tests.doubles.gossip import picture
from tests.doubles.gossip.server import Act, ScriptedCluster

ROOT = Path(__file__).parents[3]
WORDS = {"127.0.51.1": "Master", "127.0.51.2": "Slave", "127.0.51.3": "Slave", "127.0.51.1/manager": "Manager"}
ENDPOINTS = [
    {
        "name": f"node{number}/database",
        "host": f"node{number}",
        "kind": "database",
        "address": f"127.0.51.{number}:2113",
        "internal": f"127.0.51.{number}:2112",
    }
    for number in (1, 2, 3)
]
MANAGER = {
    "name": "node1/manager",
    "host": "node1",
    "kind": "manager",
    "address": "127.0.51.1:30778",
    "internal": "127.0.51.1:30777",
}


def serve(cluster: ScriptedCluster, words: dict[str, str], *numbers: int) -> None:
    for number in numbers:
        ip = f"127.0.51.{number}"
        gossip = picture.body(picture.picture(f"{ip}:2112", words))
        cluster.answer(f"{ip}:2113", "/gossip", Act(gossip, way="chunked"))
        state = {"esVersion": "3.4.0.0", "state": words[ip].split()[0].lower()}
        cluster.answer(f"{ip}:2113", "/info", Act(json.dumps(state).encode()))


@pytest.fixture
def whole_cluster(scripted_cluster):
    serve(scripted_cluster, WORDS, 1, 2, 3)
    gossip = picture.body(picture.picture("127.0.51.1:30777", WORDS))
    scripted_cluster.answer("127.0.51.1:30778", "/gossip", Act(gossip))
    return scripted_cluster


def play(tmp_path: Path, task: dict[str, object], *arguments: str, inventory: str = "localhost,"):
    """Run one play with the task and one that shows the fact; returns what ansible-playbook printed."""
    playbook = [
        {
            "hosts": "all",
            "gather_facts": False,
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "tasks": [
                {"name": "Ask", "eventstore.cluster.es_gossip_facts": task},
                {"name": "Show", "ansible.builtin.debug": {"msg": "QUORUM {{ ansible_facts.es_gossip.has_quorum }}"}},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(playbook))
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1"}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", inventory, str(tmp_path / "play.yml"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.usefixtures("whole_cluster")
@pytest.mark.parametrize("place", ["controller", "target"])
@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_playbook_gets_the_fact(tmp_path, place, arguments):
    task = {"endpoints": [*ENDPOINTS, MANAGER], "cluster_size": 3, "until": "healthy", "wait_timeout": 5, "from": place}
    done = play(tmp_path, task, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "QUORUM True" in done.stdout
    assert "changed=0" in done.stdout


def test_a_playbook_fails_with_the_problems(scripted_cluster, tmp_path):
    serve(scripted_cluster, {**WORDS, "127.0.51.3": "Slave dead"}, 1, 2)
    done = play(tmp_path, {"endpoints": ENDPOINTS, "cluster_size": 3, "until": "healthy", "wait_timeout": 0.1})
    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert "- no-answer: node3/database (127.0.51.3:2113) does not answer: connection refused" in output
    assert "On node3 look whether the database node runs" in output
    assert "QUORUM" not in output


@pytest.mark.usefixtures("whole_cluster")
def test_a_host_that_cannot_be_reached_does_not_matter(tmp_path):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {gone: {ansible_host: 192.0.2.1, ansible_connection: ssh}}}\n")
    task = {"endpoints": ENDPOINTS, "cluster_size": 3}
    done = play(tmp_path, task, "-e", "ansible_connection=ssh", inventory=str(inventory))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "QUORUM True" in done.stdout


def test_the_module_returns_the_fact_and_nothing_else(whole_cluster, run_module):
    result = run_module("es_gossip_facts", {"endpoints": [*ENDPOINTS, MANAGER], "cluster_size": 3, "from": "target"})
    facts = result["ansible_facts"]["es_gossip"]
    assert set(result) - {"invocation"} == {"changed", "ansible_facts"}
    assert facts["healthy"], facts["problems"]
    assert facts["nodes_by_state"] == {"Master": ["node1/database"], "Slave": ["node2/database", "node3/database"]}
    assert [each["es_version"] for each in facts["members"]] == ["3.4.0.0"] * 3
    assert whole_cluster.requests[("127.0.51.1", 30778), "/gossip"] == 1
    assert (("127.0.51.1", 30778), "/info") not in whole_cluster.requests


def test_waiting_sees_the_moment_of_quorum(scripted_cluster, run_module):
    serve(scripted_cluster, {**WORDS, "127.0.51.2": "Unknown", "127.0.51.3": "Unknown"}, 1, 2, 3)
    args = {"endpoints": ENDPOINTS, "cluster_size": 3, "until": "quorum", "wait_timeout": 0.3}
    failed = run_module("es_gossip_facts", args)
    assert failed["failed"]
    assert failed["msg"].startswith("until: quorum: the cluster has no quorum")
    assert "ansible_facts" not in failed
    serve(scripted_cluster, WORDS, 1, 2, 3)
    assert run_module("es_gossip_facts", args)["ansible_facts"]["es_gossip"]["has_quorum"]


def test_misbehaving_nodes_cost_no_more_than_the_timeout(scripted_cluster, run_module):
    serve(scripted_cluster, WORDS, 1)
    for path in ("/gossip", "/info"):
        scripted_cluster.answer("127.0.51.2:2113", path, Act(way="huge"))
        scripted_cluster.answer("127.0.51.3:2113", path, Act(b"<html>It works!</html>", content_type="text/html"))
    facts = run_module("es_gossip_facts", {"endpoints": ENDPOINTS, "timeout": 1})["ansible_facts"]["es_gossip"]
    assert [view["error"] for view in facts["views"]] == ["", "too_long", "not_gossip"]
    assert not facts["has_quorum"]


TWO = {"127.0.51.1": "Master", "127.0.51.2": "Slave", "127.0.51.3": "Slave dead"}


def problems(facts: dict[str, t.Any]) -> dict[str, str]:
    return {each["code"]: f"{each['text']}. {each['hint']}" for each in facts["problems"]}


@contextlib.contextmanager
def after_sweeps(cluster: ScriptedCluster, *pictures: dict[str, str]) -> t.Iterator[None]:
    """Once two more sweeps have begun, so that one is over, all nodes say the next of these."""

    def begun() -> int:
        return cluster.requests.get((Endpoint("127.0.51.1", 2113), "/info"), 0)

    def change() -> None:
        for words in pictures:
            least = begun() + 2
            wait_until(lambda least=least: begun() >= least, bool, timeout_s=60)
            serve(cluster, words, 1, 2, 3)

    thread = threading.Thread(target=change)
    thread.start()
    yield
    thread.join()


def test_a_node_that_wakes_up_is_looked_at_again_before_harmful_advice_is_given(scripted_cluster, run_module):
    """Its /info answers first, as if it were a cluster of its own; its /gossip a moment later."""
    serve(scripted_cluster, TWO, 1, 2)
    state = json.dumps({"esVersion": "3.4.0.0", "state": "master"}).encode()
    scripted_cluster.answer("127.0.51.3:2113", "/info", Act(state))
    scripted_cluster.answer("127.0.51.3:2113", "/gossip", Act(way="hang"))
    args = {"endpoints": ENDPOINTS, "cluster_size": 3, "timeout": 0.5}
    with after_sweeps(scripted_cluster, WORDS):
        facts = run_module("es_gossip_facts", args)["ansible_facts"]["es_gossip"]
    assert facts["healthy"], facts["problems"]
    assert facts["watched"]["two_masters"] == ["node1/database", "node3/database"]


def test_a_cluster_of_its_own_is_told_after_some_seconds(scripted_cluster, run_module):
    serve(scripted_cluster, TWO, 1, 2)
    state = json.dumps({"esVersion": "3.4.0.0", "state": "master"}).encode()
    scripted_cluster.answer("127.0.51.3:2113", "/info", Act(state))
    scripted_cluster.answer("127.0.51.3:2113", "/gossip", Act(way="hang"))
    args = {"endpoints": ENDPOINTS, "cluster_size": 3, "timeout": 0.5}
    facts = run_module("es_gossip_facts", args)["ansible_facts"]["es_gossip"]
    assert set(problems(facts)) == {"no-quorum", "several-masters", "cluster-size-one"}
    assert facts["watched"]["two_masters_s"] >= 4
    assert scripted_cluster.requests[("127.0.51.1", 2113), "/gossip"] > 2


def test_a_healthy_cluster_is_asked_once(whole_cluster, run_module):
    run_module("es_gossip_facts", {"endpoints": [*ENDPOINTS, MANAGER], "cluster_size": 3})
    assert set(whole_cluster.requests.values()) == {1}


def test_watching_sees_an_election_and_a_node_that_ends(scripted_cluster, run_module):
    serve(scripted_cluster, WORDS, 1, 2, 3)
    ending = {**WORDS, "127.0.51.1": "ShuttingDown", "127.0.51.2": "Master epoch=2", "127.0.51.3": "Slave epoch=2"}
    again = {**ending, "127.0.51.1": "Slave epoch=2 start=2"}
    with after_sweeps(scripted_cluster, ending, again):
        result = run_module("es_gossip_facts", {"endpoints": ENDPOINTS, "cluster_size": 3, "watch": 6})
    watched = result["ansible_facts"]["es_gossip"]["watched"]
    assert watched["seconds"] >= 6
    assert (watched["elections"], watched["epochs"]) == (1, [1, 2])
    assert watched["masters"] == ["node1/database", "node2/database"]
    assert (watched["ended"], watched["restarted"]) == (["node1/database"], ["node1/database"])
    assert watched["calm_s"] < watched["seconds"]


def test_a_web_server_on_a_nodes_port_is_not_told_to_gossip(scripted_cluster, run_module, tmp_path):
    """A real one; and beside it a real node's answer, which has switched gossip off."""
    serve(scripted_cluster, {**WORDS, "127.0.51.2": "Slave dead", "127.0.51.3": "Slave dead"}, 1)
    scripted_cluster.answer("127.0.51.2:2113", "/info", Act(b'{"esVersion": "3.4.0.0", "state": "slave"}'))
    command = [sys.executable, "-m", "http.server", "2113", "--bind", "127.0.51.3", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as web:
        try:
            wait_until(lambda: "404" in curl_status("127.0.51.3:2113"), bool, timeout_s=30)
            args = {"endpoints": ENDPOINTS, "cluster_size": 3}
            facts = run_module("es_gossip_facts", args)["ansible_facts"]["es_gossip"]
        finally:
            web.terminate()
    told = {each["text"].partition(" ")[0]: each for each in facts["problems"] if each["code"] == "no-answer"}
    assert told["node2/database"]["hint"].startswith("On node2 set GossipOnExt: true")
    assert "HTTP status 404 File not found, from SimpleHTTP" in told["node3/database"]["text"]
    assert told["node3/database"]["hint"].startswith("Something else than a database node answers at 127.0.51.3:2113")


def curl_status(address: str) -> str:
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}/gossip"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_program_plays_a_script(tmp_path):
    script = tmp_path / "script.yaml"
    script.write_text(
        "- {address: '127.0.51.9:2113', server: '127.0.51.9:2112', members: {127.0.51.9: Master}}\n"
        "- {at: 0.1, address: '127.0.51.9:2113', body: 'now this', status: 503}\n"
    )
    environment = {**os.environ, "PYTHONPATH": "collections"}
    command = [sys.executable, "-m", "tests.doubles.gossip", str(script)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert "all steps are done" in server.stdout.readline()
        curl = subprocess.run(
            ["curl", "-s", "-w", "%{http_code}", "http://127.0.51.9:2113/gossip"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        assert curl.stdout == "now this503"
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        if server.stdout:
            server.stdout.close()
