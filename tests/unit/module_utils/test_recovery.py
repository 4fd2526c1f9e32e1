# SPDX-License-Identifier: GPL-3.0-or-later
"""Without quorum: nothing is started where an acknowledged write could be lost, and else the highest position first."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.recovery import recover

HOSTS = ("a", "b", "c")
PLAN = {
    "cluster_name": "cluster1",
    "cluster_size": 3,
    "endpoints": [{"name": f"{host}/database", "kind": "database"} for host in HOSTS],
}


def gossip(*running, quorum=False):
    members = [{"name": f"{host}/database", "state": "Unknown", "answers": host in running} for host in HOSTS]
    return {"has_quorum": quorum, "cluster_size": 3, "members": members}


def checkpoints(**machines):
    def number(value):
        return base64.b64encode(value.to_bytes(8, "little", signed=True)).decode()

    return {
        host: {"database": {"epoch.chk": number(value[0]), "writer.chk": number(value[1])} if value else {}}
        for host, value in machines.items()
    }


def text(answer):
    return "\n".join(answer["lines"])


@pytest.mark.parametrize(
    ("machines", "order", "last"),
    [
        ({"a": (10, 500), "b": (10, 700), "c": (10, 600)}, ["b", "c", "a"], []),
        ({"a": (10, 900), "b": (20, 700), "c": (20, 600)}, ["b", "c", "a"], []),  # a later epoch counts more than bytes
        ({"b": (10, 500), "c": (10, 700)}, ["c", "b"], []),
        ({"a": None, "b": (10, 500), "c": (10, 700)}, ["c", "b"], ["a"]),
        ({"a": (-1, 0), "b": (10, 500), "c": (10, 700)}, ["c", "b"], ["a"]),
    ],
)
def test_the_order(machines, order, last):
    answer = recover(gossip(), PLAN, checkpoints(**machines))
    assert (answer["order"], answer["last"], answer["problems"]) == (order, last, [])


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        ({"c": (10, 700)}, "a/database (machine unreachable), b/database (machine unreachable)"),
        ({"a": None, "b": (-1, 0), "c": (10, 700)}, "a/database (no data), b/database (no data)"),
        ({"a": None, "c": (10, 700)}, "b/database (machine unreachable), a/database (no data)"),
        ({}, "0 of 3 nodes have data"),
    ],
)
def test_refused(machines, words):
    answer = recover(gossip(), PLAN, checkpoints(**machines))
    assert (answer["order"], answer["last"]) == ([], [])
    (problem,) = answer["problems"]
    assert words in problem["text"]
    assert "nothing was started" in problem["text"]


def test_it_explains():
    answer = recover(gossip("a"), PLAN, checkpoints(a=(10, 500), b=(10, 700)))
    assert "2 of 3 nodes must be in sync" in text(answer)
    assert "a/database: Unknown, epoch at 10, log up to 500, 200 bytes less than b/database" in text(answer)
    assert "c/database: MISSING" in text(answer)


def test_nodes_that_run_and_do_not_find_each_other():
    answer = recover(gossip("a", "b"), PLAN, checkpoints(a=(10, 500), b=(10, 700)))
    assert "run and do not find each other" in text(answer)


def test_a_cluster_with_quorum_is_left_alone():
    answer = recover(gossip("a", "b", quorum=True), PLAN, checkpoints(a=(10, 500), b=None))
    assert (answer["order"], answer["problems"]) == ([], [])
    assert "nothing to recover" in text(answer)


def test_a_larger_cluster_size_of_the_nodes_wins():
    answer = recover({**gossip(), "cluster_size": 5}, PLAN, checkpoints(a=(10, 500), b=(10, 700)))
    assert answer["problems"]


def test_a_checkpoint_that_is_cut_short_is_no_data():
    files = {"database": {"writer.chk": base64.b64encode(b"\1\2").decode()}}
    answer = recover(gossip(), PLAN, {"a": files, **checkpoints(b=(10, 500), c=(10, 700))})
    assert answer["last"] == ["a"]
