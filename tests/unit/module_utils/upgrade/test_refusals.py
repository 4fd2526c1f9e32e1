# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a hop may begin: each reason says no where it holds, and lets pass what just does not."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.filter.es_upgrade_check import FilterModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import ROLLING, STOP_ALL
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.refusals import RULES, Asked, Begin, refusal

es_upgrade_check = FilterModule().filters()["es_upgrade_check"]
HOSTS = ("node1", "node2", "node3")
PROBLEM = {"code": "behind", "text": "node2/database: is 9 bytes behind", "hint": "Wait"}
HEALTHY = {"has_quorum": True, "healthy": True, "problems": []}
SICK = {"has_quorum": True, "healthy": False, "problems": [PROBLEM]}
DOWN = {"has_quorum": False, "healthy": False, "problems": [PROBLEM]}
DOOR = {"since": "4.1.0", "text": "it writes records", "going_back": "not at all"}
ROLL = {"from": "4.0.3", "to": "4.1.4", "mode": ROLLING, "nodes": [], "before": [], "one_way": []}
STOP = {**ROLL, "mode": STOP_ALL}
DOORS = {**ROLL, "before": ["back up"], "one_way": [DOOR]}
RUNS = {"running": [{"pid": 1}], "last_versions": {"es-cluster1": "4.0.3"}}
RUN = dict.fromkeys(HOSTS, RUNS)
INTERRUPTED = {**RUN, "node2": {"running": [], "last_versions": {}, "full_stop_begun": True}}
NOTHING = Asked()
NAMED = Asked(stop_all=True, stop_cluster="cluster1")


def planned(**variables):
    hosts = {host: {"eventstore_int_ip": f"192.168.1.1{n}", **variables} for n, host in enumerate(HOSTS, 1)}
    return plan({host: {"eventstore_version": "4.1.4", **each} for host, each in hosts.items()})


PLAN = planned()
WINDOWS = planned(ansible_connection="winrm", eventstore_int_ip="192.168.1.11")


def begin(hops=(ROLL,), *, gossip=HEALTHY, problems=(), looks=RUN, asked=NOTHING, made=PLAN):
    return Begin(made, gossip, hops, problems, looks, asked)


REFUSED = [
    (begin(looks={"node1": RUNS}), ["node2, node3 would be left out", "without --limit"]),
    (begin([], problems=[PROBLEM]), ["- behind: node2/database"]),
    (begin(made=WINDOWS), ["node1, node2, node3 run Windows", "README"]),
    (begin([ROLL, ROLL]), ["4.1.4 is 2 hops away", "Set eventstore_version to 4.1.4 first"]),
    (begin(gossip=DOWN), ["cluster1 has no quorum", "eventstore.cluster.recover", "- behind: "]),
    (begin([STOP], gossip=SICK, asked=NAMED), ["is not healthy", "eventstore_version=4.0.3", "- behind: "]),
    (begin([STOP]), ["cannot roll", "eventstore.cluster.full_stop_upgrade"]),
    (begin(asked=Asked(stop_all=True)), ["can roll", "eventstore.cluster.rolling_upgrade"]),
    (begin([STOP], asked=Asked(stop_all=True, stop_cluster="other")), ["-e stop_cluster=cluster1"]),
    (begin([DOORS]), ["before this hop (1)", "undone after it (1)", "-e upgrade_accept=4.1.4"]),
    (begin([DOORS], asked=Asked(accept="4.1.3")), ["-e upgrade_accept=4.1.4"]),
]


@pytest.mark.parametrize(("case", "words"), REFUSED, ids=range(len(REFUSED)))
def test_it_says_no(case, words):
    said = refusal(case)
    assert all(word in said for word in words), said
    assert not said.startswith("- ") or case.problems
    assert said.startswith("- ") or "Nothing was changed" in said or "No node was stopped" in said


@pytest.mark.parametrize(
    "case",
    [
        begin(),
        begin([]),
        begin([], gossip=DOWN, made=WINDOWS),
        begin(gossip=SICK),
        begin([STOP], asked=NAMED),
        begin([STOP], asked=NAMED, gossip=DOWN, looks=INTERRUPTED),
        begin([DOORS], asked=Asked(accept="4.1.4")),
        begin([DOORS], asked=Asked(check=True)),
        begin([STOP], asked=Asked(check=True)),
    ],
    ids=lambda case: f"{len(case.hops)} hops, {case.asked}",
)
def test_it_says_nothing_where_the_hop_may_begin(case):
    assert refusal(case) == ""


def test_every_rule_is_the_first_to_say_no_of_some_case_above():
    first = {next(rule for rule in RULES if rule(case)) for case, _words in REFUSED}
    assert first == set(RULES)


def members(*versions):
    names = zip(HOSTS, versions)
    common = {"state": "slave", "is_alive": True, "address": "a", "internal": "i"}
    return [{"name": f"{host}/database", "host": host, "es_version": said, **common} for host, said in names]


def check(*versions, stopped=(), **asked):
    gossip = {**HEALTHY, "members": members(*versions), "quorum_size": 2, "cluster_size": 3}
    looks = {host: {**RUNS, "running": [] if host in stopped else RUNS["running"]} for host in HOSTS}
    return es_upgrade_check(
        gossip, PLAN, list(HOSTS), {host: {"preflight_look": looks[host]} for host in HOSTS}, **asked
    )


def test_the_hop_and_its_lines_come_with_the_refusal():
    said = check("4.0.3.0", "4.0.3.0", "4.0.3.0")
    assert (said["hop"]["from"], said["hop"]["to"]) == ("4.0.3", "4.1.4")
    assert any("Hop 1 of 1" in line for line in said["lines"])
    assert "-e upgrade_accept=4.1.4" in said["refusal"]
    assert check("4.0.3.0", "4.0.3.0", "4.0.3.0", accept="4.1.4")["refusal"] == ""


def test_nothing_to_do():
    said = check("4.1.4.0", "4.1.4.0", "4.1.4.0")
    assert (said["hop"], said["refusal"]) == ({}, "")


def test_a_silent_node_is_refused_unless_nothing_runs_on_its_machine_or_all_are_stopped():
    assert "unknown-version" in check("4.0.3.0", "4.0.3.0", "")["refusal"]
    assert check("4.0.3.0", "4.0.3.0", "", stopped=["node3"])["hop"]["from"] == "4.0.3"
    assert "unknown-version" not in check("4.0.3.0", "4.0.3.0", "", stop_all=True)["refusal"]
