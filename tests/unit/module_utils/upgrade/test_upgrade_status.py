# SPDX-License-Identifier: GPL-3.0-or-later
"""In the middle of an upgrade: when it stops, what is said of each machine, and whether there is a way back."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.filter.es_upgrade_status import FilterModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

es_upgrade_status = FilterModule().filters()["es_upgrade_status"]
HOSTS = ("node1", "node2", "node3")
PLAN = plan(
    {host: {"eventstore_int_ip": f"192.168.1.1{n}", "eventstore_version": "4.0.3"} for n, host in enumerate(HOSTS)}
)
DOOR = {"since": "4.0.0", "text": "it writes records", "going_back": "to 3.9.4 only"}
HOP = {"from": "3.4.0", "to": "4.0.3", "mode": "stop all", "one_way": [DOOR]}
OLD, NEW = {"es-cluster1": "3.4.0"}, {"es-cluster1": "4.0.3"}


def look(versions, *, runs=False):
    return {"last_versions": versions, "running": [{"pid": 1}] if runs else []}


def status(*answers, looks, failures=(), hop=HOP):
    members = [{"name": f"{host}/database", "es_version": said} for host, said in zip(HOSTS, answers)]
    hostvars = {host: {"preflight_look": look} for host, look in zip(HOSTS, looks)}
    for host, why in dict(failures).items():
        hostvars[host]["upgrade_failure"] = why
    return es_upgrade_status({"members": members}, PLAN, hop, list(hostvars), hostvars)


STOPPED = [look(OLD)] * 3


@pytest.mark.parametrize(
    ("answers", "looks", "failures", "problem"),
    [
        (["", "", ""], STOPPED, {}, None),
        (["4.0.3.0", "4.0.3.0", ""], STOPPED, {}, None),
        (["4.0.3.0", "3.4.0.0", ""], STOPPED, {}, "node2/database (3.4.0.0) runs; with nodes of 4.0.3 it cannot"),
        (["", "", "nonsense"], STOPPED, {}, "node3/database (nonsense) runs"),
        (["", "", ""], STOPPED[:2], {}, "node3 cannot be reached any more"),
        (["", "", ""], STOPPED, {"node2": "it ended"}, "node2: it ended"),
    ],
)
def test_it_stops_where_it_must(answers, looks, failures, problem):
    problems = status(*answers, looks=looks, failures=failures)["problems"]
    assert len(problems) == (problem is not None)
    assert problem is None or problem in problems[0]


def test_in_a_roll_nodes_of_the_previous_version_run_rightly():
    answers = ["4.0.3.0", "3.9.4.0", "3.9.4.0"]
    for hop in ({**HOP, "mode": "rolling", "from": "3.9.4"}, {}):
        result = status(*answers, looks=STOPPED, hop=hop)
        assert (result["problems"], result["running"]) == ([], ["node1/database"])
        assert len(result["lines"]) == 4


def test_the_first_machine_failed_and_the_others_can_go_back():
    lines = status("", "", "", looks=[look(NEW), look(OLD), look(OLD)], failures={"node1": "it ended"})["lines"]
    assert lines[:3] == [
        "node1 is stopped; 4.0.3 was started there last; it has failed",
        "node2 is stopped; 3.4.0 was started there last",
        "node3 is stopped; 3.4.0 was started there last",
    ]
    assert "It goes on from here" in lines[3]
    assert "start with -e eventstore_version=3.4.0 --limit node2,node3" in lines[4]
    assert "node1 may have opened its database in 4.0.3" in lines[5]
    assert "preflight_last_version=3.4.0" in lines[5]
    assert lines[6:] == ["it writes records; going back: to 3.9.4 only"]


def test_all_are_stopped_and_untouched():
    lines = status("", "", "", looks=STOPPED)["lines"]
    assert "--limit node1,node2,node3" in lines[4]
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        (["4.0.3.0", "", ""], [look(NEW, runs=True), look(OLD), look(OLD)]),
        (["", "", ""], [look(NEW), look(NEW), look(OLD)]),
        (["", "", ""], [look(NEW), look(OLD)]),
        (["", "", ""], [look({}), look({}), look(OLD)]),
    ],
    ids=["a new one runs", "two touched", "out of reach", "unknown"],
)
def test_no_way_back_is_promised(answers, looks):
    lines = status(*answers, looks=looks)["lines"]
    assert any("Going back to 3.4.0 is not planned" in line for line in lines)
    assert not any("--limit" in line for line in lines)
    assert lines[-1] == "it writes records; going back: to 3.9.4 only"
