# SPDX-License-Identifier: GPL-3.0-or-later
"""All machines together: whose problem stops a play, and nodes of another version."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.filter.es_machine_problems import FilterModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

es_machine_problems = FilterModule().filters()["es_machine_problems"]
PLAN = plan(
    {f"node{n}": {"eventstore_int_ip": f"192.168.1.1{n}", "eventstore_version": "4.1.1-hotfix1"} for n in (1, 2, 3)}
)
TAKEN = {"code": "port-taken", "text": "node1: 127.0.0.1:2113 is taken", "hint": "Free it"}
OTHER = {"code": "other-version", "text": "node1: was started in 4.0.3 last", "hint": "Upgrade"}
PEER = {"code": "unreachable-peer", "text": "node1: cannot reach node2", "hint": "Open it", "host": "node2"}
WELL = {"problems": []}


def codes(*versions, node1=WELL, node2=WELL, **how):
    members = [
        {"name": f"node{n}/database", "es_version": said, "answers": bool(said)} for n, said in enumerate(versions, 1)
    ]
    hostvars = {"node1": {"preflight_look": node1}, "node2": {"preflight_look": node2} if node2 else {}, "node3": {}}
    found = es_machine_problems({"members": members}, PLAN, list(hostvars), hostvars, **how)
    return [problem["code"] for problem in found]


def test_the_problem_of_one_machine_stops_all():
    assert codes() == []
    assert codes(node1={"problems": [TAKEN]}) == ["port-taken"]


def test_a_peer_counts_only_where_it_was_looked_at_itself():
    look = {"problems": [], "unreached_peers": [PEER]}
    assert codes(node1=look) == ["unreachable-peer"]
    assert codes(node1=look, node2=None) == []
    assert codes(node1=look, node2={"failed": True}) == []


def test_another_version_is_a_problem_unless_it_is_expected():
    look = {"problems": [OTHER, TAKEN]}
    assert codes("4.0.3.0", node1=look) == ["other-version", "port-taken", "other-version"]
    assert codes("4.0.3.0", node1=look, other_version=True) == ["port-taken"]
    assert codes("4.0.3.0", node1=look, only_version=True) == ["other-version", "other-version"]
    assert codes("4.0.3.0", node1=look, last_version="4.1.1-hotfix1") == ["port-taken", "other-version"]


def test_a_node_that_is_silent_or_of_the_same_release_is_no_problem():
    assert codes("4.1.1.0", "") == []
    assert codes("4.1.1.0", "nonsense") == ["other-version"]


def test_new_nodes_do_not_start_beside_those_of_a_smaller_cluster():
    """One node with ClusterSize 1 runs, two are new with 3: two masters become possible."""
    one = {"problems": [], "nodes": [{"name": "database", "running": True, "cluster_size": 1}]}
    new = [{"name": name, "running": False, "cluster_size": None} for name in ("a", "b")]
    two = {"problems": [], "nodes": new}
    for how in ({}, {"only_version": True}, {"other_version": True}):
        assert codes("4.1.1.0", node1=one, node2=two, **how) != []
    assert codes("4.1.1.0", node1={"problems": [], "nodes": [{**one["nodes"][0], "cluster_size": 3}]}, node2=two) == []
