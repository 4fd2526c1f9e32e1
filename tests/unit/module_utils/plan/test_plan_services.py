# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a machine are read from its plan, whatever they are."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.filter.es_services import FilterModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

es_services = FilterModule().filters()["es_services"]

TWO_NODES = {"eventstore_nodes": [{"name": "a"}, {"name": "b", "int_tcp_port": 1114, "ext_tcp_port": 1115}]}


def machine(**variables):
    hosts = {f"node{n}": {"eventstore_int_ip": f"192.168.1.1{n}", **variables} for n in (1, 2, 3)}
    return plan(hosts)["hosts"]["node1"]


def test_a_manager_is_the_one_service_of_its_machine_and_has_the_files_of_its_nodes():
    (found,) = es_services(machine(**TWO_NODES))
    assert (found["kind"], found["name"]) == ("manager", "es-cluster1")
    assert found["executable"] == "/opt/eventstore/es-manager.pyz"
    assert "--node-executable" in found["arguments"]
    assert found["config"] == "/etc/eventstore/manager.yaml"
    assert found["files"] == [f"/etc/eventstore/{name}.yaml" for name in ("manager", "a", "b")]
    assert {"/var/lib/eventstore-a", "/var/lib/eventstore-b"} <= set(found["writable"])


def test_without_a_manager_each_database_node_is_a_service_with_its_own_file():
    found = es_services(machine(eventstore_cluster_mode="nodes", **TWO_NODES))
    assert [each["name"] for each in found] == ["es-cluster1-a", "es-cluster1-b"]
    assert {each["kind"] for each in found} == {"database"}
    assert {each["executable"] for each in found} == {"/opt/eventstore/3.4.0/eventstored"}
    assert [each["files"] for each in found] == [["/etc/eventstore/a.yaml"], ["/etc/eventstore/b.yaml"]]
    assert [each["arguments"] for each in found] == [[], []]
    assert "/var/lib/eventstore-b" not in found[0]["writable"]


def test_a_windows_manager_is_the_vendors_and_has_no_arguments():
    (found,) = es_services(machine(ansible_connection="winrm"))
    assert found["executable"].endswith("\\EventStore.WindowsManager.exe")
    assert found["arguments"] == []
