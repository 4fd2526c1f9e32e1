# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rolling restart restarts, whose turn is the last, and when it does not begin."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.filter.es_roll import FilterModule

es_roll = FilterModule().filters()["es_roll"]
PLAN = {"cluster_name": "cluster1"}
HOSTS = ["node1", "node2", "node3"]


def service(item="es-cluster1", pending=(), wide=()):
    return {"item": item, "restart_needed": list(pending), "stop_all_needed": list(wide)}


def plan(*results, master="node3", typed=""):
    """``results``: the services of each machine; ``master``: its machine, before the first turn."""
    gossip = {"master": {"host": master} if master else None}
    hostvars = {
        host: {"services_results": {"results": found}, "ansible_facts": {"es_gossip": gossip}}
        for host, found in zip(HOSTS, results)
    }
    return es_roll(PLAN, list(hostvars), hostvars, all=typed)


def restarted(began, master, item="es-cluster1"):
    """As es_service returns it after a restart of a node of a cluster."""
    return [
        {**service(item), "changed": True, "watched": {"began": began, "masters": ["node1/a", f"{master}/database"]}}
    ]


IDLE = [service()]
PENDING = [service(pending=["database.yaml was written after pid 812 was started"])]


def test_where_nothing_is_pending_nothing_is_wanted_unless_the_cluster_is_named():
    assert plan(IDLE, IDLE, IDLE) == {"wanted": {host: [] for host in HOSTS}, "master": "node3", "refusal": ""}
    named = plan(IDLE, IDLE, IDLE, typed="cluster1")
    assert named == {"wanted": {host: ["es-cluster1"] for host in HOSTS}, "master": "node3", "refusal": ""}


def test_only_pending_services_are_restarted():
    both = [service("es-cluster1-a", ["written"]), service("es-cluster1-b")]
    assert plan(both, IDLE, PENDING)["wanted"] == {"node1": ["es-cluster1-a"], "node2": [], "node3": ["es-cluster1"]}


def test_the_masters_machine_is_that_of_the_last_turn_or_of_the_time_before_the_first():
    assert plan(PENDING, PENDING, PENDING)["master"] == "node3"
    assert plan(PENDING, PENDING, PENDING, master="")["master"] == ""
    first, second = restarted("2026-11-28T11:54:55Z", "node2"), restarted("2026-11-28T11:55:10Z", "node1")
    assert plan(PENDING, PENDING, first)["master"] == "node2"
    assert plan(second, PENDING, first)["master"] == "node1"


def test_what_had_its_turn_has_no_other_one_even_where_all_are_to_be_restarted():
    turn = restarted("2026-11-28T11:54:55Z", "node2")
    assert plan(turn, IDLE, IDLE, typed="cluster1")["wanted"]["node1"] == []
    unwatched = [{**service(), "invocation": {"module_args": {"state": "restarted"}}}]
    started = [{**service(), "invocation": {"module_args": {"state": "started"}}}]
    assert plan(unwatched, started, typed="cluster1")["wanted"] == {"node1": [], "node2": ["es-cluster1"]}


def test_another_clusters_name_and_an_option_of_the_whole_cluster_are_refused():
    assert "rolling_all is other, but the cluster is cluster1" in plan(IDLE, typed="other")["refusal"]
    wide = [service(pending=["changed"], wide=["IntTcpPort", "ClusterSize"])]
    said = plan(IDLE, wide, [*wide, {"skipped": True}])["refusal"]
    assert said.startswith("Not restarted: IntTcpPort, ClusterSize must change on all nodes together")
    assert "-e stop_cluster=cluster1" in said


def test_a_machine_that_was_not_reached_has_nothing_to_restart():
    hostvars = {"node1": {"ansible_facts": {}}, "node2": {"services_results": {"skipped": True}, "ansible_facts": {}}}
    assert es_roll(PLAN, ["node1", "node2"], hostvars)["wanted"] == {"node1": [], "node2": []}
