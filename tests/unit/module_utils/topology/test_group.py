# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.topology.group import group_problems, strangers

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
    assert problem.text == "b1, w: not in the group a, whose machines are a1, a2"
    (problem,) = strangers(GROUPS, "eventstore", ["a1"])
    assert problem.code == "no-machines"
