# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.group import (
    confirmation_warning,
    group_problems,
    strangers,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

GROUPS = {"all": ["a1", "a2", "b1", "w"], "ungrouped": ["w"], "a": ["a1", "a2"], "b": ["b1"], "empty": []}


@pytest.mark.parametrize(
    ("name", "hosts", "text"),
    [
        ("eventstore", ["a1"], "the group eventstore is not in the inventory. Groups of the inventory: a, b, empty"),
        ("empty", ["a1"], "the group empty has no machine. Groups of the inventory: a, b, empty"),
        ("a", ["w", "b1"], "--limit leaves out all machines of the group a: a1, a2"),
        ("a,b", ["a1", "b1"], "the group a,b is not in the inventory. Groups of the inventory: a, b, empty"),
    ],
)
def test_a_play_that_would_work_on_nothing(name, hosts, text):
    (problem,) = group_problems(GROUPS, name, hosts)
    assert (problem.code, problem.text) == ("no-machines", text)
    assert problem.hint.startswith("Nothing was done. ")
    assert "-e eventstore_inventory_group=GROUP" in problem.hint


def test_a_play_that_has_machines():
    assert group_problems(GROUPS, "a", ["w", "a2"]) == []
    assert strangers(GROUPS, "a", ["a2"]) == []


def test_without_an_inventory_there_are_no_groups_to_name():
    (problem,) = group_problems({"all": [], "ungrouped": []}, "eventstore", ["localhost"])
    assert "Groups of the inventory: none" in problem.text


def test_hosts_of_another_group_are_not_planned_as_machines_of_this_one():
    (problem,) = strangers(GROUPS, "a", ["a1", "b1", "w"])
    assert (problem.where, problem.text) == ("b1, w", "not in the group a, whose machines are a1, a2")
    (problem,) = strangers(GROUPS, "eventstore", ["a1"])
    assert problem.code == "no-machines"


def machines(*names: str, groups: dict[str, tuple[str, ...]], **cluster: str) -> dict[str, dict[str, object]]:
    """Variables of machines with an address each; ``cluster``: the name of each machine's cluster, where it is set."""
    return {
        name: {
            "eventstore_int_ip": f"10.9.{number}.5",
            "group_names": sorted(group for group, hosts in groups.items() if name in hosts),
            **({"eventstore_cluster_name": cluster[name]} if name in cluster else {}),
        }
        for number, name in enumerate(names)
    }


SIX = ("a1", "a2", "a3", "b1", "b2", "b3")
NINE = (*SIX, "c1", "c2", "c3")
BELOW = {"eventstore": NINE, "left": NINE[:3], "middle": NINE[3:6], "right": NINE[6:], "ssd": ("a1", "c3")}
NAMED = {name: f"live-{name[0]}" for name in NINE}


def several(*names: str, groups: dict[str, tuple[str, ...]], **cluster: str) -> list[dict[str, str]]:
    made = plan(machines(*names, groups=groups, **cluster))
    found = [problem for problem in made["problems"] if problem["code"] == "several-clusters"]
    if found:
        assert made["problems"] == found
        assert (made["hosts"], made["endpoints"]) == ({}, [])
    return found


def test_clusters_of_two_names_are_refused_with_the_group_of_each():
    (problem,) = several(*SIX, groups=BELOW, **{name: NAMED[name] for name in SIX})
    assert "live-a on a1, a2, a3; live-b on b1, b2, b3" in problem["text"]
    assert "-e eventstore_inventory_group=left or -e eventstore_inventory_group=middle" in problem["hint"]


def test_clusters_without_groups_of_their_own_are_refused_with_advice():
    (problem,) = several(*SIX, groups={"eventstore": SIX}, **{name: NAMED[name] for name in SIX})
    assert "put each cluster's machines into a group of its own" in problem["hint"]


def test_three_clusters_of_the_default_name_are_not_planned_as_one_of_nine():
    (problem,) = several(*NINE, groups=BELOW)
    assert problem["text"].startswith("the groups left, middle, right can each be a cluster")


@pytest.mark.parametrize(
    ("names", "groups", "cluster"),
    [
        (NINE, BELOW, dict.fromkeys(NINE, "one")),
        (NINE, {"eventstore": NINE}, {}),
        (NINE, {"rack1": NINE[:4], "rack2": NINE[4:]}, {}),
        (NINE[:3], {"rack1": NINE[:1], "rack2": NINE[1:2], "rack3": NINE[2:3]}, {}),
        (NINE, {"left": NINE[:3]}, {}),
    ],
    ids=["a name for all", "no groups", "racks of even size", "racks of one", "not all"],
)
def test_one_cluster_with_groups_below_it(names, groups, cluster):
    assert several(*names, groups=groups, **cluster) == []


@pytest.mark.parametrize(
    ("name", "given", "warns"),
    [
        ("cluster1", {"stop_cluster": "cluster1"}, "stop_cluster=cluster1 names the cluster by the default"),
        ("cluster1", {"database_remove_data": "cluster1"}, "database_remove_data=cluster1"),
        ("cluster1", {"rolling_all": "cluster1"}, "rolling_all=cluster1"),
        ("cluster1", {"stop_cluster": "other"}, ""),
        ("cluster1", {}, ""),
        ("live", {"stop_cluster": "live"}, ""),
    ],
)
def test_a_confirmation_by_the_default_name_is_warned_of(name, given, warns):
    warning = confirmation_warning(name, given)
    assert warning.startswith(warns)
    assert bool(warning) == bool(warns)
