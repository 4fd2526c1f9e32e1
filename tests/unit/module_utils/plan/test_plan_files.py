# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.files import files
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

HOSTS = {f"node{n}": {"eventstore_int_ip": f"192.168.1.1{n}"} for n in (1, 2, 3)}


def paths(host, **how):
    return [(each["kind"], each["path"], "nodes" in each) for each in files(host, **how)]


@pytest.mark.parametrize(
    ("how", "folder", "suffix", "lists"),
    [
        ({}, "/etc/eventstore", "", True),
        ({"suffix": ".4.1.4"}, "/etc/eventstore", ".4.1.4", False),
        ({"directory": "/srv/node1"}, "/srv/node1", "", False),
    ],
)
def test_the_files_of_a_machine(how, folder, suffix, lists):
    planned = plan(HOSTS)["hosts"]["node1"]
    assert paths(planned, **how) == [
        ("database", f"{folder}/database.yaml{suffix}", False),
        ("manager", f"{folder}/manager.yaml{suffix}", lists),
    ]
    assert [each["options"] for each in files(planned, **how)] == [
        planned["nodes"][0]["options"],
        planned["manager"]["options"],
    ]


def test_a_machine_without_manager_and_one_of_windows():
    nodes = {name: {**host, "eventstore_cluster_mode": "nodes"} for name, host in HOSTS.items()}
    assert paths(plan(nodes)["hosts"]["node2"]) == [("database", "/etc/eventstore/database.yaml", False)]
    windows = {name: {**host, "ansible_connection": "winrm"} for name, host in HOSTS.items()}
    assert paths(plan(windows)["hosts"]["node3"], directory="/srv/x") == [
        ("database", "/srv/x/database.yaml", False),
        ("manager", "/srv/x/manager.yaml", False),
    ]
