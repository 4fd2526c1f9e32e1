# SPDX-License-Identifier: GPL-3.0-or-later
"""Which starts are refused because of the nodes that run with another ClusterSize."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.sizes import start_problems

RUNS_3, RUNS_5, RUNS, NEW = (True, 3), (True, 5), (True, None), (False, None)
WAS_3, WAS_5 = (False, 3), (False, 5)


def codes(size, *nodes, answering=()):
    """Of a cluster with a node a machine; None for a machine that was not checked."""
    plan = {"cluster_size": size, "hosts": {f"es{i}": {"nodes": [{"name": "database"}]} for i in range(len(nodes))}}
    seen = {
        f"es{i}": [{"name": "database", "running": node[0], "cluster_size": node[1]}]
        for i, node in enumerate(nodes)
        if node
    }
    problems = start_problems(plan, seen, [f"es{i}/database" for i in answering])
    return [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("size", "nodes", "expected"),
    [
        pytest.param(3, [NEW, NEW, NEW], [], id="a first deployment"),
        pytest.param(3, [RUNS_3, RUNS_3, RUNS_3], [], id="nothing to start"),
        pytest.param(3, [RUNS_3, RUNS_3, WAS_3], [], id="a node that was stopped"),
        pytest.param(3, [RUNS_3, RUNS_3, NEW], [], id="a replaced machine"),
        pytest.param(5, [RUNS_3, RUNS_3, RUNS_3, NEW, NEW], ["two-masters"], id="two machines more"),
        pytest.param(5, [RUNS_3, RUNS_3, RUNS_3, NEW], ["two-masters"], id="the first new one beside the old size"),
        pytest.param(5, [RUNS_3, RUNS_5, RUNS_5, NEW], [], id="the first new one in the measured order"),
        pytest.param(5, [RUNS_3, RUNS_5, RUNS_5, RUNS_5, NEW], ["two-masters"], id="the second before the master"),
        pytest.param(5, [RUNS_5, RUNS_5, RUNS_5, RUNS_5, NEW], [], id="the second new one"),
        pytest.param(5, [WAS_3, WAS_3, WAS_3, NEW, NEW], [], id="all stopped: all start with the new size"),
        pytest.param(5, [RUNS_3, WAS_3, WAS_3, NEW, NEW], ["two-masters"], id="one old node still runs"),
        pytest.param(3, [RUNS_5, RUNS_5, WAS_5], [], id="fewer, those that run keep the larger size"),
        pytest.param(5, [RUNS, RUNS, RUNS, NEW, NEW], [], id="a size that cannot be read counts as planned"),
    ],
)
def test_starts(size, nodes, expected):
    assert codes(size, *nodes) == expected


def test_a_new_node_waits_for_the_sizes_of_machines_that_were_not_checked_and_run():
    assert codes(5, None, None, None, NEW, NEW, answering=[0, 1, 2]) == ["cluster-size-unknown"]
    assert codes(3, NEW, NEW, None) == []  # a machine that is off, at a first deployment
    assert codes(3, WAS_3, None, None, answering=[1, 2]) == []  # a start with --limit


def test_the_problem_names_the_nodes_their_sizes_and_the_ways_out():
    plan = {"cluster_size": 5, "hosts": {f"es{i}": {"nodes": [{"name": "database"}]} for i in range(1, 6)}}
    node = {"name": "database", "running": True, "cluster_size": 3}
    seen = {f"es{i}": [node] for i in (1, 2, 3)}
    seen.update({f"es{i}": [{"name": "database", "running": False, "cluster_size": None}] for i in (4, 5)})
    (problem,) = start_problems(plan, seen, [])
    assert problem.text.startswith(
        "es4/database and es5/database would start with ClusterSize 5 beside es1/database, es2/database and "
        "es3/database, which run with ClusterSize 3: "
    )
    assert "eventstore.cluster.stop" in problem.hint
