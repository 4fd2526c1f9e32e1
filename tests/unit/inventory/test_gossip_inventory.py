# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin as ansible-inventory runs it, with real gossip of scripted servers read by the real code; no socket."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import add_fragments

from ansible_collections.eventstore.cluster.plugins.inventory.gossip import DOCUMENTATION, InventoryModule
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, machines
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import REFUSED, Request, Result
from tests.doubles.gossip import picture

WORDS = {
    "10.0.0.1/database": "Slave at=100",
    "10.0.0.1/manager": "Manager",
    "10.0.0.2": "Master at=300",
    "10.0.0.10": "Clone at=50",
    "10.0.0.3": "Slave dead",
}
SERVERS = {
    "10.0.0.1:30778": ("10.0.0.1:30777", None),
    "10.0.0.1:2113": ("10.0.0.1:2112", "slave"),
    "10.0.0.2:2113": ("10.0.0.2:2112", "master"),
    "10.0.0.10:2113": ("10.0.0.10:2112", "clone"),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The servers above answer, and no other does. Gives the addresses that were asked, a request each."""
    requests: list[str] = []

    def answer(request: Request) -> Result:
        requests.append(f"{request.endpoint}{request.path}")
        server = SERVERS.get(str(request.endpoint))
        if server is None:
            return Result(b"", REFUSED, "connection refused", 0, 0.0, 0.0)
        internal, state = server
        body = picture.body(picture.picture(internal, WORDS))
        if request.path == "/info":
            body = json.dumps({"esVersion": "3.9.4.0", "state": state}).encode()
        return Result(body, "", "", 200, 0.0, 1.0)

    monkeypatch.setattr(facts.sweep, "sweep", lambda sent, **_rules: [answer(request) for request in sent])
    monkeypatch.setattr(facts, "CONFIRM_AFTER_S", 0.0)  # node3 is a doubt, which a second sweep would settle
    return requests


def loaded() -> InventoryModule:
    """The plugin with its documented options, as the loader of plugins makes it."""
    documentation = yaml.safe_load(DOCUMENTATION)
    add_fragments(documentation, __file__, fragment_loader)
    name = InventoryModule.NAME
    constants.config.initialize_plugin_configuration_definitions("inventory", name, documentation["options"])
    plugin = InventoryModule()
    plugin._load_name = plugin._original_path = name
    plugin._redirected_names, plugin.ansible_aliases, plugin.ansible_name = [name], [name], name
    return plugin


@pytest.fixture
def read(tmp_path):
    """Read a configuration file of the plugin into an inventory."""

    def run(inventory: InventoryData | None = None, *, name: str = "a.gossip.yml", flush: bool = False, **options):
        path = tmp_path / name
        data = {"plugin": "eventstore.cluster.gossip", "endpoints": ["10.0.0.1:30778"], **options}
        path.write_text(yaml.safe_dump(data))
        made = inventory or InventoryData()
        plugin = loaded()
        plugin.parse(made, DataLoader(), str(path), cache=not flush)
        with contextlib.suppress(AttributeError):  # as ansible does; without the option there is no cache
            plugin.update_cache_if_changed()
        return made

    return run


def groups(inventory: InventoryData) -> dict[str, list[str]]:
    return {name: [host.name for host in group.hosts] for name, group in inventory.groups.items() if group.hosts}


def test_one_endpoint_gives_all_machines_in_the_groups_of_their_roles(asked, read):
    assert groups(read()) == {
        "eventstore": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.10"],
        "slave": ["10.0.0.1"],
        "manager": ["10.0.0.1"],
        "master": ["10.0.0.2"],
        "clone": ["10.0.0.10"],
        "unreachable": ["10.0.0.3"],
    }
    assert asked[0] == "10.0.0.1:30778/gossip"
    assert {"10.0.0.3:2113/gossip", "10.0.0.2:2113/info"} <= set(asked)


@pytest.mark.usefixtures("asked")
def test_host_variables_are_what_gossip_says(read):
    inventory = read()
    slave = inventory.hosts["10.0.0.1"].vars
    assert (slave["ansible_host"], slave["es_internal_ip"]) == ("10.0.0.1", "10.0.0.1")
    assert (slave["es_state"], slave["es_version"], slave["es_lag_bytes"]) == ("Slave", "3.9.4.0", 200)
    assert [node["address"] for node in slave["es_nodes"]] == ["10.0.0.1:2113"]
    assert slave["es_manager"]["internal"] == "10.0.0.1:30777"
    assert inventory.hosts["10.0.0.3"].vars["es_nodes"][0]["answers"] is False
    assert inventory.groups["eventstore"].vars["es_gossip"]["master"]["internal"] == "10.0.0.2:2112"
    assert not [name for name in slave if name.startswith("eventstore_")]  # these are settings, and the roles' own


@pytest.mark.usefixtures("asked")
def test_a_host_of_an_earlier_source_keeps_its_name_and_its_connection(read):
    inventory = InventoryData()
    for name, variable in (("es1", "eventstore_int_ip"), ("es2", "ansible_host")):
        inventory.add_host(name)
        inventory.set_variable(name, variable, "10.0.0." + name[-1])
    inventory.set_variable("es1", "ansible_host", "es1.example.net")
    read(inventory)
    assert groups(inventory)["master"] == ["es2"]
    assert groups(inventory)["slave"] == ["es1"]
    assert inventory.hosts["es1"].vars["ansible_host"] == "es1.example.net"


@pytest.mark.usefixtures("asked")
def test_groups_and_variables_of_the_operator(read):
    inventory = read(
        strict=True,
        compose={"es_port": "es_nodes[0].address.split(':')[1] | int"},
        groups={"behind": "(es_lag_bytes or 0) > 210"},
        keyed_groups=[{"key": "es_state", "prefix": "is", "separator": "-"}],
    )
    made = groups(inventory)
    assert made["behind"] == ["10.0.0.10"]
    assert made["is_Master"] == ["10.0.0.2"]
    assert inventory.hosts["10.0.0.2"].vars["es_port"] == 2113


@pytest.mark.usefixtures("asked")
def test_strict_refuses_an_expression_that_fails(read):
    wrong = {"es_x": "es_nodez | length"}
    assert "es_x" not in read(compose=wrong).hosts["10.0.0.1"].vars
    with pytest.raises(AnsibleError, match="es_x"):
        read(compose=wrong, strict=True)


def test_the_second_reading_comes_from_the_cache_and_a_flush_asks_again(asked, read, tmp_path):
    cached = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    first = groups(read(**cached))
    count = len(asked)
    assert groups(read(**cached)) == first
    assert len(asked) == count
    read(flush=True, **cached)
    assert len(asked) > count


def test_of_a_name_all_addresses_are_asked(asked, read, monkeypatch):
    resolved = []

    def resolve(name, *, nameservers, timeout_s):
        resolved.append((name, list(nameservers), timeout_s))
        return ["10.0.0.1", "10.0.0.9"]

    monkeypatch.setattr(machines, "resolve", resolve)
    inventory = read(endpoints=["orders.example.net:30778"], nameservers=["10.0.0.53"], timeout=1.5)
    assert resolved == [("orders.example.net", ["10.0.0.53"], 1.5)]
    assert {"10.0.0.1:30778/gossip", "10.0.0.9:30778/gossip"} <= set(asked)
    assert groups(inventory)["unreachable"] == ["10.0.0.3", "10.0.0.9"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        (["10.0.0.7:2113", "10.0.0.8:2113"], r"came none: 10.0.0.7:2113: connection refused; 10.0.0.8:2113: "),
        (["10.0.0.1"], "endpoints: '10.0.0.1' has no port; write it as HOST:PORT"),
        (["10.0.0.1:http"], "does not end in a port"),
        ([], "expected at least one endpoint"),
    ],
)
def test_without_gossip_there_is_no_inventory_but_a_reason(read, endpoints, said):
    with pytest.raises(AnsibleParserError, match=said):
        read(endpoints=endpoints)


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [("gossip.yml", True), ("a.gossip.yaml", True), ("b.eventstore.yml", True), ("hosts.yml", False)],
)
def test_the_plugin_reads_files_of_its_own_names_only(tmp_path, name, is_taken):
    (tmp_path / name).write_text("plugin: eventstore.cluster.gossip\n")
    assert loaded().verify_file(str(tmp_path / name)) is is_taken


def test_a_server_that_listens_everywhere_is_at_the_address_at_which_it_was_asked():
    node = {"address": "10.0.0.4:2113", "internal": "0.0.0.0:2112", "state": "Leader", "answers": True}
    (machine,) = machines.machines({"members": [node], "managers": []})
    assert (machine.host, machine.groups) == ("10.0.0.4", ["master"])
