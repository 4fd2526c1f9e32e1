# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stranger sees: playbooks that have nothing to work on, several clusters in one inventory, errors to read.

No server is started: nothing listens at the addresses of the inventory.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
import yaml

from tests.lab_site import BIN, ROOT


def cluster(net: str, *names: str, **variables: object) -> dict[str, t.Any]:
    hosts = {name: {"eventstore_int_ip": f"127.0.{net}.{last}"} for last, name in enumerate(names, 11)}
    return {"hosts": hosts, "vars": {"eventstore_discovery": "seeds", **variables}}


A = cluster("95", "a1", "a2", "a3")
B = cluster("96", "b1", "b2", "b3")


class Play(t.Protocol):
    def __call__(
        self, playbook: str, inventory: object, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook."""


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Play:
    def run(playbook: str, inventory: object, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory) if inventory else "")
        name = playbook if playbook.endswith(".yml") else f"eventstore.cluster.{playbook}"
        named = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        variables = {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "PWD": str(tmp_path),
        }
        return subprocess.run(
            [str(BIN / "ansible-playbook"), name, "-i", "hosts.yml", *arguments],
            cwd=tmp_path,
            env={**named, **variables, "ANSIBLE_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


def text(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("playbook", ["remove", "rolling_restart"])
def test_without_the_group_a_playbook_fails_and_says_so(play: Play, playbook: str) -> None:
    done = play(playbook, {"mine": A})
    assert done.returncode == 2, done.stdout
    assert "the group eventstore is not in the inventory. Groups of the inventory: mine" in text(done)


@pytest.mark.parametrize(
    ("inventory", "arguments", "words"),
    [
        (None, (), "Groups of the inventory: none"),
        ({"eventstore": {"hosts": {}}}, (), "eventstore"),
        ({"eventstore": A, "other": B}, ("--limit", "b1"), "--limit leaves out all machines of the group eventstore"),
        ({"eventstore": A}, ("-e", "eventstore_inventory_group=b"), "the group b is not in the inventory"),
        (
            {"b": cluster("96", "b1", eventstore_inventory_group="b")},
            (),
            "the group eventstore is not in the inventory",
        ),
    ],
    ids=["no inventory", "no machine", "limit", "another group", "the group only in the inventory"],
)
def test_nothing_to_do_is_no_success(play: Play, inventory: object, arguments: tuple[str, ...], words: str) -> None:
    done = play("status", inventory, *arguments)
    assert done.returncode != 0, done.stdout
    assert words in text(done)
    assert "Nothing was done" in text(done)


def test_a_limit_that_leaves_a_machine_is_no_empty_play(play: Play) -> None:
    done = play("render", {"eventstore": A, "other": B}, "--limit", "a2")
    assert done.returncode == 0, done.stdout
    assert f"Written to {pathlib.Path.cwd()}" not in text(done)
    assert "eventstore-rendered: a2" in text(done)


def test_two_clusters_are_refused_together_and_each_is_planned_alone(play: Play, tmp_path: pathlib.Path) -> None:
    both = {
        "orders": {**A, "vars": {**A["vars"], "eventstore_cluster_name": "orders"}},
        "billing": {**B, "vars": {**B["vars"], "eventstore_cluster_name": "billing"}},
    }
    inventory = {"eventstore": {"children": both}}
    refused = play("render", inventory)
    assert refused.returncode == 2, refused.stdout
    assert "billing on b1, b2, b3; orders on a1, a2, a3" in text(refused)
    assert "-e eventstore_inventory_group=billing or -e eventstore_inventory_group=orders" in text(refused)
    assert not (tmp_path / "eventstore-rendered").exists()
    done = play("render", inventory, "-e", "eventstore_inventory_group=billing")
    assert done.returncode == 0, done.stdout
    assert sorted(path.name for path in (tmp_path / "eventstore-rendered").iterdir()) == ["b1", "b2", "b3"]
    seeds = yaml.safe_load((tmp_path / "eventstore-rendered/b1/manager.yaml").read_text())["GossipSeed"]
    assert seeds == ["127.0.96.12:30777", "127.0.96.13:30777"]


def test_render_writes_to_a_folder_here_and_says_where(play: Play, tmp_path: pathlib.Path) -> None:
    done = play("render", {"eventstore": A})
    assert done.returncode == 0, done.stdout
    assert f"Written to {tmp_path}/eventstore-rendered: a1, a2, a3" in text(done)
    files = {path.name for path in (tmp_path / "eventstore-rendered/a1").iterdir()}
    assert files == {"database.yaml", "manager.yaml", "watchdog.esconfig"}
    assert "Written to" in text(play("render", {"eventstore": A}, "-e", "render_directory=mine"))
    assert (tmp_path / "mine/a3/database.yaml").is_file()


def test_status_without_quorum_fails_after_the_table_unless_it_is_told_not_to(play: Play) -> None:
    done = play("status", {"eventstore": A})
    assert done.returncode == 2, done.stdout
    assert "cluster1 NO QUORUM, 0 of 3 nodes in sync, 2 needed. Not healthy: no-quorum" in text(done)
    assert done.stdout.index("machine") < done.stdout.index("Not healthy:")
    assert play("status", {"eventstore": A}, "-e", "status_fail=false").returncode == 0


@pytest.mark.parametrize("callback", ["default", "yaml", "minimal"])
def test_a_failed_quorum_ends_with_one_short_sentence_in_every_callback(
    play: Play, tmp_path: pathlib.Path, callback: str
) -> None:
    role = {"role": "eventstore.cluster.quorum", "quorum_timeout": 1}
    (tmp_path / "quorum.yml").write_text(json.dumps([{"hosts": "eventstore", "gather_facts": False, "roles": [role]}]))
    chosen = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"} if callback == "yaml" else {"ANSIBLE_STDOUT_CALLBACK": callback}
    done = play("quorum.yml", {"eventstore": A}, **chosen)
    assert done.returncode == 2, done.stdout
    shown = done.stdout[done.stdout.rindex("FAILED! =>") :]
    assert "the cluster has no quorum" in shown[:250], shown
    assert "no-answer" in done.stdout
    if callback != "minimal":  # which also shows what has not failed
        assert max(map(len, done.stdout.splitlines())) < 600
        assert "last_commit_position" not in done.stdout


def test_a_failed_task_of_es_gossip_facts_shows_its_message_and_no_facts(play: Play, tmp_path: pathlib.Path) -> None:
    task = {"endpoints": ["127.0.95.11:2113", "127.0.95.12:2113"], "until": "quorum", "wait_timeout": 0.2}
    tasks = [{"eventstore.cluster.es_gossip_facts": task}]
    (tmp_path / "ask.yml").write_text(json.dumps([{"hosts": "a1", "gather_facts": False, "tasks": tasks}]))
    done = play("ask.yml", {"eventstore": A})
    line = done.stdout[done.stdout.index("FAILED! => ") + 11 :].splitlines()[0]
    assert set(json.loads(line)) == {"changed", "msg"}
    assert json.loads(line)["msg"].startswith("until: quorum: the cluster has no quorum")
