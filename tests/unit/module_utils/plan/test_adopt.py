# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan makes is what runs; adopting that has to give the plan again."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.adopt import adopt
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import RunningServer

Values = dict[str, t.Any]
HOSTS = {f"es{number}": {"eventstore_int_ip": f"192.168.1.1{number}"} for number in (1, 2, 3)}
BASE: Values = {
    "eventstore_version": "4.1.4",
    "eventstore_cluster_name": "orders",
    "eventstore_service_provider": "systemd",
}


def running(variables: t.Mapping[str, Values]) -> dict[str, list[RunningServer]]:
    """The servers as they run when site has deployed this inventory with systemd."""
    made = plan(variables)
    assert not made["problems"], made["problems"]
    found: dict[str, list[RunningServer]] = {}
    for host, machine in made["hosts"].items():
        manager, software = machine["manager"], machine["software"]
        program = f"{software['home']}/{software['executable']}"
        nodes = [
            _server("database", node, [program], (manager or node)["service"], machine) for node in machine["nodes"]
        ]
        found[host] = nodes
        if manager:
            words = ["/usr/bin/python3", manager["program"], "--config", manager["config"], *manager["arguments"]]
            found[host].append(_server("manager", manager, words, manager["service"], machine))
            found[host][-1]["watchdog"] = [words[1] for words in manager["watchdog"]["nodes"]]
    return found


def _server(kind: str, service: t.Any, command: list[str], unit: str, machine: t.Any) -> RunningServer:
    name = service["config"].rpartition("/")[2].removesuffix(".yaml")
    return {
        **{"kind": kind, "name": name, "config": service["config"], "options": dict(service["options"])},
        **{"environment": dict(service["environment"]), "secrets": [], "unit": f"{unit}.service", "watchdog": []},
        **{"command": command if kind == "manager" else [*command, "--config", service["config"]]},
        **{"user": machine["user"], "group": machine["group"] or machine["user"]},
    }


def described(adopted: Values) -> dict[str, Values]:
    """The variables of each host of an inventory."""
    group = adopted["eventstore"]
    return {host: {**group["vars"], **values} for host, values in group["hosts"].items()}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"eventstore_discovery": "seeds"},
        {"eventstore_cluster_mode": "nodes"},
        {"eventstore_nameservers": ["192.168.1.53"], "eventstore_log_dir": "/logs", "eventstore_root": "/srv/es"},
        {"eventstore_user": "es", "eventstore_group": "data", "eventstore_config_dir": "/srv/config"},
        {"eventstore_ext_http_port": 2213, "eventstore_manager_ext_http_port": 30888, "eventstore_run_dir": "/run/es"},
        {"eventstore_database_options": {"MemDb": True}, "eventstore_manager_options": {"GossipTimeoutMs": 800}},
        {"eventstore_environment": {"EVENTSTORE_STATS_PERIOD_SEC": "60"}},
    ],
    ids=lambda variables: " ".join(variables).replace("eventstore_", "") or "defaults",
)
def test_the_adopted_inventory_plans_what_runs(variables):
    check_round({host: {**BASE, **variables, **own} for host, own in HOSTS.items()})


def test_several_nodes_of_a_machine_are_adopted_in_their_order():
    inventory = {host: {**BASE, **own} for host, own in HOSTS.items()}
    ports = {"int_tcp_port": 3112, "ext_tcp_port": 3113, "int_http_port": 4112, "ext_http_port": 4113}
    for host in ("es1", "es2"):
        database = {"name": "database", "options": {"StatsPeriodSec": 60}}
        inventory[host]["eventstore_nodes"] = [{"name": "second", **ports}, database]
    check_round(inventory)


def check_round(inventory: dict[str, Values]) -> None:
    """The plan of the adopted inventory is that of the inventory which was deployed."""
    adopted, unknown = adopt(running(inventory))
    again, wanted = plan(described(adopted)), plan(inventory)
    assert again["problems"] == []
    for host, machine in wanted["hosts"].items():
        assert again["hosts"][host] == machine
    assert [line for line in unknown if not line.startswith("eventstore_archive")] == []


def test_what_all_machines_share_is_said_once_and_defaults_are_not_said():
    inventory = {host: {**BASE, **own} for host, own in HOSTS.items()}
    adopted, _unknown = adopt(running(inventory))
    assert adopted == {"eventstore": {"vars": BASE_SAID, "hosts": HOSTS}}


def test_software_in_another_place_than_the_roles_put_it_is_named():
    found = running({host: {**BASE, **own} for host, own in HOSTS.items()})
    command = found["es3"][-1]["command"]
    command[command.index("--node-executable") + 1] = "/usr/lib/eventstore/eventstored"
    _adopted, unknown = adopt(found)
    assert any("es3: eventstore_version is 'eventstore'" in line for line in unknown)


BASE_SAID = {"eventstore_version": "4.1.4", "eventstore_cluster_name": "orders"}


def test_one_machine_may_differ():
    inventory = {host: {**BASE, **own} for host, own in HOSTS.items()}
    inventory["es2"]["eventstore_data_dir"] = "/mnt/es"
    adopted, _unknown = adopt(running(inventory))
    assert adopted["eventstore"]["hosts"]["es2"]["eventstore_data_dir"] == "/mnt/es"
    assert "eventstore_data_dir" not in adopted["eventstore"]["vars"]


def test_what_cannot_be_told_is_named():
    found = running({host: {**BASE, **own} for host, own in HOSTS.items()})
    found["es1"][0]["secrets"] = ["CertificatePassword"]
    del found["es2"][0]["options"]["ClusterSize"]
    found["es4"] = []
    _adopted, unknown = adopt(found)
    text = "\n".join(unknown)
    for words in (
        "es1: /etc/eventstore/database.yaml: the value of CertificatePassword",
        "es2: /etc/eventstore/database.yaml: site would add ClusterSize",
        "es4: no server runs here",
        "eventstore_archive",
    ):
        assert words in text


def test_without_a_running_server_there_is_nothing_to_adopt():
    adopted, unknown = adopt({"es1": []})
    assert adopted["eventstore"]["hosts"] == {}
    assert "es1: no server runs here" in unknown[0]
