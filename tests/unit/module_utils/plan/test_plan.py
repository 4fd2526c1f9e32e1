# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory in, plan out: the vendor's page to the letter, every shape of a cluster, and what holds for all of them."""

from __future__ import annotations

import collections
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import TopologyError
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import NODE_VARIABLES, PREFIX, VARIABLES


def three(group=None, **hosts):
    return {
        f"node{n}": {"eventstore_int_ip": f"192.168.1.1{n}", **(group or {}), **hosts.get(f"node{n}", {})}
        for n in (1, 2, 3)
    }


def planned(machines):
    made = plan(machines)
    assert made["problems"] == []
    return made


# Example 1 of the vendor's page (3.4.0), the files of the first machine, in the order of the page.
PAGE_DATABASE = {
    "Db": "d:\\es-data",
    "IntIp": "192.168.1.11",
    "ExtIp": "192.168.1.11",
    "IntTcpPort": 1112,
    "IntHttpPort": 2112,
    "ExtTcpPort": 1113,
    "ExtHttpPort": 2113,
    "DiscoverViaDns": False,
    "GossipSeed": ["192.168.1.11:30777"],
    "ClusterSize": 3,
}
PAGE_MANAGER = {
    "IntIp": "192.168.1.11",
    "ExtIp": "192.168.1.11",
    "IntHttpPort": 30777,
    "ExtHttpPort": 30778,
    "DiscoverViaDns": True,
    "ClusterDns": "cluster1.eventstore.local",
    "ClusterGossipPort": 30777,
    "EnableWatchdog": True,
    "WatchdogConfig": "c:\\EventStore-Config\\watchdog.esconfig",
    "Log": "d:\\manager-log",
}


@pytest.mark.parametrize(
    "windows",
    [
        {"ansible_connection": "winrm"},
        {"ansible_connection": "ansible.builtin.psrp"},
        {"ansible_shell_type": "powershell"},
    ],
)
def test_vendor_page_on_windows(windows):
    node1 = planned(three(windows))["hosts"]["node1"]
    assert list(node1["nodes"][0]["options"].items()) == list(PAGE_DATABASE.items())
    assert list(node1["manager"]["options"].items()) == list(PAGE_MANAGER.items())
    assert node1["manager"]["watchdog"] == {
        "path": "c:\\EventStore-Config\\watchdog.esconfig",
        "nodes": [["--config", "c:\\EventStore-Config\\database.yaml"]],
    }
    assert node1["manager"]["service"] == "es-cluster1"
    assert node1["manager"]["arguments"] == []
    assert node1["run_dir"] == ""
    assert node1["urlacls"] == [
        "http://192.168.1.11:2112/",
        "http://192.168.1.11:2113/",
        "http://192.168.1.11:30777/",
        "http://192.168.1.11:30778/",
    ]
    assert node1["directories"] == ["d:\\es-data", "d:\\manager-log"]
    assert node1["software"]["home"] == "c:\\EventStore\\3.4.0"
    assert node1["software"]["executable"] == "EventStore.ClusterNode.exe"


def test_vendor_page_on_linux():
    made = planned(three())
    node2 = made["hosts"]["node2"]
    database = {**PAGE_DATABASE, "Db": "/var/lib/eventstore", "IntIp": "192.168.1.12", "ExtIp": "192.168.1.12"}
    assert node2["nodes"][0]["options"] == {**database, "GossipSeed": ["192.168.1.12:30777"]}
    assert node2["manager"]["options"]["WatchdogConfig"] == "/etc/eventstore/watchdog.esconfig"
    assert node2["manager"]["arguments"] == [
        "--node-executable",
        "/opt/eventstore/3.4.0/eventstored",
        "--watchdog-state",
        "/run/eventstore/es-cluster1/watchdog.state",
    ]
    # The server's own default log directory is among them: under an account of its own it could not make it.
    assert node2["config_dir"] == "/etc/eventstore"
    assert node2["directories"] == [
        "/var/lib/eventstore",
        "/var/log/eventstore",
        "/var/log/eventstore/manager",
    ]
    assert node2["urlacls"] == []
    assert (made["cluster_size"], made["quorum_size"]) == (3, 2)
    assert made["dns"] == {
        "name": "cluster1.eventstore.local",
        "port": 30777,
        "nameservers": [],
        "addresses": ["192.168.1.11", "192.168.1.12", "192.168.1.13"],
    }
    assert made["endpoints"][2:4] == [
        {
            "name": "node2/database",
            "host": "node2",
            "kind": "database",
            "address": "192.168.1.12:2113",
            "internal": "192.168.1.12:2112",
        },
        {
            "name": "node2/manager",
            "host": "node2",
            "kind": "manager",
            "address": "192.168.1.12:30778",
            "internal": "192.168.1.12:30777",
        },
    ]


def test_two_interfaces():
    made = planned(three(node1={"eventstore_ext_ip": "10.0.0.1"}))
    assert made["hosts"]["node1"]["nodes"][0]["listen"] == [
        "192.168.1.11:1112",
        "192.168.1.11:2112",
        "10.0.0.1:1113",
        "10.0.0.1:2113",
    ]
    assert made["hosts"]["node1"]["manager"]["listen"] == ["192.168.1.11:30777", "10.0.0.1:30778"]
    assert made["endpoints"][0]["address"] == "10.0.0.1:2113"
    assert made["endpoints"][0]["internal"] == "192.168.1.11:2112"
    assert made["dns"]["addresses"][0] == "192.168.1.11"


def test_managers_by_seeds():
    made = planned(three({"eventstore_discovery": "seeds"}))
    options = made["hosts"]["node2"]["manager"]["options"]
    assert made["dns"] is None
    assert options["DiscoverViaDns"] is False
    assert options["GossipSeed"] == ["192.168.1.11:30777", "192.168.1.13:30777"]
    assert "ClusterDns" not in options
    assert made["hosts"]["node2"]["nodes"][0]["options"]["GossipSeed"] == ["192.168.1.12:30777"]


def test_nodes_by_dns_gossip_at_their_own_port():
    made = planned(
        three({"eventstore_cluster_mode": "nodes", "eventstore_nameservers": ["10.0.0.53", "10.0.0.54:5353"]})
    )
    node1 = made["hosts"]["node1"]
    options = node1["nodes"][0]["options"]
    assert list(options)[7:] == ["DiscoverViaDns", "ClusterDns", "ClusterGossipPort", "ClusterSize"]
    assert options["ClusterGossipPort"] == made["dns"]["port"] == 2112
    assert node1["manager"] is None
    assert node1["nodes"][0]["service"] == "es-cluster1-database"
    assert node1["nodes"][0]["environment"] == {"EVENTSTORE_NAMESERVERS": "10.0.0.53,10.0.0.54:5353"}
    assert {endpoint["kind"] for endpoint in made["endpoints"]} == {"database"}


def test_nodes_by_seeds():
    made = planned(three({"eventstore_cluster_mode": "nodes", "eventstore_discovery": "seeds"}))
    assert made["hosts"]["node2"]["nodes"][0]["options"]["GossipSeed"] == ["192.168.1.11:2112", "192.168.1.13:2112"]


def test_several_nodes_under_one_manager():
    ports = {"int_tcp_port": 3112, "int_http_port": 4112, "ext_tcp_port": 3113, "ext_http_port": 4113}
    nodes = [{"name": "database"}, {"name": "second", **ports, "options": {"NodePriority": 1}}]
    group = {"eventstore_database_options": {"NodePriority": 5, "StatsPeriodSec": 60}}
    made = planned(three(group, node1={"eventstore_nodes": nodes}, node2={"eventstore_nodes": nodes}))
    first, second = made["hosts"]["node1"]["nodes"]
    assert made["cluster_size"] == second["options"]["ClusterSize"] == 5
    assert second["config"] == "/etc/eventstore/second.yaml"
    assert second["options"]["Db"] == "/var/lib/eventstore-second"
    assert second["options"]["IntHttpPort"] == 4112
    assert second["options"]["GossipSeed"] == ["192.168.1.11:30777"]
    assert second["options"]["StatsPeriodSec"] == 60
    assert (first["options"]["NodePriority"], second["options"]["NodePriority"]) == (5, 1)
    assert len(made["hosts"]["node1"]["manager"]["watchdog"]["nodes"]) == 2
    assert made["dns"]["addresses"] == ["192.168.1.11", "192.168.1.12", "192.168.1.13"]


def test_what_a_service_writes_to():
    nodes = [{"name": "a"}, {"name": "b", "int_http_port": 3112, "options": {"Index": "/fast/b"}}]
    group = {"eventstore_nodes": nodes, "eventstore_log_dir": "/data/log"}
    host = plan(three(group))["hosts"]["node1"]
    ours = ["/var/lib/eventstore-a", "/data/log", "/var/lib/eventstore-b", "/fast/b"]
    assert [node["directories"] for node in host["nodes"]] == [ours[:2], [*ours[2:], "/data/log"]]
    assert host["manager"]["directories"] == [*ours, "/var/log/eventstore/manager"]
    assert host["directories"] == host["manager"]["directories"]


USERS = [
    ({}, "eventstore"),
    ({"eventstore_service_provider": "systemd"}, "eventstore"),
    ({"eventstore_service_provider": "process"}, None),
    ({"eventstore_service_provider": "process", "eventstore_user": "es"}, "es"),
    ({"eventstore_user": "root"}, "root"),
    ({"ansible_connection": "winrm"}, None),
]


@pytest.mark.parametrize(("group", "user"), USERS)
def test_the_account_of_the_services(group, user):
    assert planned(three(group))["hosts"]["node1"]["user"] == user


def test_free_options_win_and_everything_follows_them():
    group = {
        "eventstore_database_options": {"int-http-port": "3112", "Log": "/data/log", "RunProjections": "all"},
        "eventstore_manager_options": {"IntHttpPort": 40777, "ExtHttpPort": 40778},
    }
    made = planned(three(group))
    node, manager = made["hosts"]["node1"]["nodes"][0], made["hosts"]["node1"]["manager"]
    assert list(node["options"]) == [*PAGE_DATABASE, "Log", "RunProjections"]
    assert node["options"]["IntHttpPort"] == 3112
    assert node["options"]["RunProjections"] == "All"
    assert node["options"]["GossipSeed"] == ["192.168.1.11:40777"]
    assert "192.168.1.11:3112" in node["listen"]
    assert "/data/log" in made["hosts"]["node1"]["directories"]
    assert node["directories"] == ["/var/lib/eventstore", "/data/log"]
    assert manager["options"]["ClusterGossipPort"] == made["dns"]["port"] == 40777
    assert made["endpoints"][0]["internal"] == "192.168.1.11:3112"
    assert made["endpoints"][1]["address"] == "192.168.1.11:40778"


def test_a_node_that_does_not_gossip_outside_is_asked_inside():
    made = planned(three(node1={"eventstore_database_options": {"GossipOnExt": False}}))
    assert made["endpoints"][0]["address"] == "192.168.1.11:2112"
    assert made["endpoints"][2]["address"] == "192.168.1.12:2113"


TRANSLATED = {
    "IntHttpPrefixes": ["http://*:2112/"],
    "ExtHttpPrefixes": ["http://*:2113/", "http://es.example:8080/"],
    "AddInterfacePrefixes": False,
}


def translated(**options):
    hosts = {
        f"node{n}": {"eventstore_database_options": {**TRANSLATED, "IntIpAdvertiseAs": f"198.51.100.{n}", **options}}
        for n in (1, 2, 3)
    }
    return three({"eventstore_cluster_mode": "nodes"}, **hosts)


def test_others_use_the_advertised_address():
    made = planned(translated(IntHttpPortAdvertiseAs=12112, IntTcpPortAdvertiseAs=11112))
    node1 = made["hosts"]["node1"]
    assert made["dns"]["addresses"] == ["198.51.100.1", "198.51.100.2", "198.51.100.3"]
    assert made["dns"]["port"] == node1["nodes"][0]["options"]["ClusterGossipPort"] == 12112
    assert made["endpoints"][0]["internal"] == "198.51.100.1:12112"
    assert made["endpoints"][0]["address"] == "192.168.1.11:2113"
    assert node1["peers"]["node2"] == ["198.51.100.2:11112", "198.51.100.2:12112"]
    # where it listens is still its own
    assert node1["nodes"][0]["listen"] == [
        "192.168.1.11:1112",
        "192.168.1.11:2112",
        "192.168.1.11:1113",
        "192.168.1.11:2113",
        "192.168.1.11:8080",
    ]
    seeds = planned({host: {**v, "eventstore_discovery": "seeds"} for host, v in translated().items()})
    assert seeds["hosts"]["node1"]["nodes"][0]["options"]["GossipSeed"] == ["198.51.100.2:2112", "198.51.100.3:2112"]


def test_a_node_on_all_addresses_is_asked_at_its_advertised_one():
    machines = translated(IntIp="0.0.0.0", ExtIp="0.0.0.0")
    for number, variables in enumerate(machines.values(), 1):
        variables["eventstore_database_options"]["ExtIpAdvertiseAs"] = f"203.0.113.{number}"
    made = planned(machines)
    assert made["endpoints"][1]["address"] == "203.0.113.2:2113"
    assert made["endpoints"][1]["internal"] == "198.51.100.2:2112"
    assert made["hosts"]["node2"]["nodes"][0]["listen"][:2] == ["0.0.0.0:1112", "0.0.0.0:2112"]


def test_clients_that_would_not_get_through_are_a_note_and_no_problem():
    """Over TCP they do, and the cluster itself does not use that address."""
    made = planned(three(node1={"eventstore_database_options": {"ExtIpAdvertiseAs": "203.0.113.1"}}))
    (note,) = made["hosts"]["node1"]["notes"]
    assert "database: HTTP clients that use the advertised 203.0.113.1:2113 get 400 Invalid host" in note
    assert made["hosts"]["node2"]["notes"] == []
    assert made["endpoints"][0]["address"] == "192.168.1.11:2113"


def test_a_nodes_manager_is_its_seed_whatever_the_node_advertises():
    made = planned({host: {**v, "eventstore_cluster_mode": "managers"} for host, v in translated().items()})
    assert made["hosts"]["node2"]["nodes"][0]["options"]["GossipSeed"] == ["192.168.1.12:30777"]
    assert made["dns"]["addresses"] == ["192.168.1.11", "192.168.1.12", "192.168.1.13"]


URLACLS = [
    (TRANSLATED, ["http://*:2112/", "http://*:2113/", "http://es.example:8080/"]),
    ({}, ["http://192.168.1.11:2112/", "http://192.168.1.11:2113/"]),
    (
        {"ExtHttpPrefixes": ["http://es.example:2113/"]},
        ["http://192.168.1.11:2112/", "http://es.example:2113/", "http://192.168.1.11:2113/"],
    ),
    (
        {"IntIp": "0.0.0.0", "ExtIp": "0.0.0.0", "IntIpAdvertiseAs": "10.0.0.1", "ExtIpAdvertiseAs": "10.0.0.1"},
        ["http://*:2112/", "http://*:2113/"],
    ),
]


@pytest.mark.parametrize(("options", "urls"), URLACLS)
def test_each_prefix_of_a_node_is_reserved(options, urls):
    windows = {"ansible_connection": "winrm", "eventstore_cluster_mode": "nodes"}
    made = planned(three(windows, node1={"eventstore_database_options": options}))
    assert made["hosts"]["node1"]["urlacls"] == urls


def test_log_stands_before_free_options():
    made = planned(three({"eventstore_log_dir": "/data/log", "eventstore_database_options": {"StatsPeriodSec": 1}}))
    assert list(made["hosts"]["node1"]["nodes"][0]["options"]) == [*PAGE_DATABASE, "Log", "StatsPeriodSec"]


def test_environment_is_the_services():
    group = {"eventstore_environment": {"TZ": "UTC"}, "eventstore_nameservers": ["127.0.0.10:15353"]}
    manager = planned(three(group))["hosts"]["node1"]["manager"]
    assert manager["environment"] == {"TZ": "UTC", "EVENTSTORE_NAMESERVERS": "127.0.0.10:15353"}


def test_paths_keep_the_style_of_their_directory():
    made = planned(three({"ansible_connection": "winrm", "eventstore_config_dir": "e:/es/"}))
    assert made["hosts"]["node1"]["nodes"][0]["config"] == "e:/es/database.yaml"


def test_where_a_variable_cannot_be_read_nothing_is_planned():
    made = plan(three(node2={"eventstore_int_http_port": "many"}))
    assert made["problems"]
    assert made["hosts"] == {}
    assert made["endpoints"] == []


def test_no_machines():
    with pytest.raises(TopologyError, match="group eventstore"):
        plan({})


# -- the table of variables --------------------------------------------------------------------------------------------


def test_variables_are_sound():
    for setting in (*VARIABLES, *NODE_VARIABLES):
        assert setting.description.endswith(".")
        assert setting.type in ("str", "int", "list", "dict")
        assert (setting.elements is not None) == (setting.type == "list")
        for default in filter(None, (setting.default, setting.windows)):
            assert not setting.choices or default in setting.choices
            assert setting.check(default, default is setting.windows) == ""
    assert all(setting.name.startswith(PREFIX) for setting in VARIABLES)


# -- what holds for every cluster --------------------------------------------------------------------------------------


@st.composite
def inventories(draw):
    """Inventories without a fault: any shape, ports, platform and some free options."""
    hosts = draw(st.integers(1, 5))
    counts = draw(
        st.lists(st.integers(1, 3), min_size=hosts, max_size=hosts).filter(lambda n: sum(n) > 1 and sum(n) % 2 == 1)
    )
    ports = draw(st.lists(st.integers(1, 65535), min_size=14, max_size=14, unique=True))
    group = {
        "eventstore_cluster_mode": draw(st.sampled_from(["managers", "nodes"])),
        "eventstore_discovery": draw(st.sampled_from(["dns", "seeds"])),
        "eventstore_version": draw(st.sampled_from(["3.4.0", "4.1.4", "5.0.11"])),
        "eventstore_manager_int_http_port": ports[12],
        "eventstore_manager_ext_http_port": ports[13],
        "eventstore_database_options": draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "NodePriority": st.integers(-5, 5),
                    "CertificatePassword": st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
                    "SkipDbVerify": st.booleans(),
                    "MinFlushDelayMs": st.floats(0, 100),
                    "Defines": st.lists(st.sampled_from(["a", "b"]), max_size=2),
                },
            )
        ),
        "ansible_connection": draw(st.sampled_from(["ssh", "winrm"])),
    }
    two_interfaces = draw(st.booleans())
    names = ("int_tcp_port", "int_http_port", "ext_tcp_port", "ext_http_port")
    return {
        f"host{n}": {
            **group,
            "eventstore_int_ip": f"10.0.0.{n + 1}",
            **({"eventstore_ext_ip": f"10.1.0.{n + 1}"} if two_interfaces else {}),
            "eventstore_nodes": [
                {"name": f"n{i}", **dict(zip(names, ports[4 * i : 4 * i + 4]))} for i in range(counts[n])
            ],
        }
        for n in range(hosts)
    }


@settings(max_examples=60)
@given(inventories())
def test_every_sound_inventory_gives_a_sound_plan(machines):
    made = planned(machines)
    assert json.loads(json.dumps(made)) == made
    servers = [
        (host, kind, server)
        for host, of_host in made["hosts"].items()
        for kind, server in [
            *(("database", node) for node in of_host["nodes"]),
            *([("manager", of_host["manager"])] if of_host["manager"] else []),
        ]
    ]
    listened = collections.Counter(text for _host, _kind, server in servers for text in server["listen"])
    assert max(listened.values()) == 1
    known_kind = "manager" if made["mode"] == "managers" else "database"
    known = {
        f"{server['options']['IntIp']}:{server['options']['IntHttpPort']}": host
        for host, kind, server in servers
        if kind == known_kind
    }
    for host, kind, server in servers:
        options = server["options"]
        own = f"{options['IntIp']}:{options['IntHttpPort']}"
        if kind == "database":
            assert options["ClusterSize"] == sum(kind == "database" for _host, kind, _server in servers)
        if kind == "database" and made["mode"] == "managers":
            assert options["DiscoverViaDns"] is False
            assert [known[seed] for seed in options["GossipSeed"]] == [host]
        elif made["dns"]:
            asked = {f"{ip}:{options['ClusterGossipPort']}" for ip in made["dns"]["addresses"]}
            assert {known[address] for address in asked} == set(machines)
            assert options["ClusterDns"] == made["dns"]["name"]
        else:
            assert set(options.get("GossipSeed", [])) == set(known) - {own}
        _assert_reads_back(kind, made["version"], options)


def _assert_reads_back(kind, version, options):
    known = option_set(kind, version)
    text = document.render(known, options)
    items = {item.key: item.raw for item in document.read(text, where="file").items}
    assert list(items) == list(options)
    for name, wanted in options.items():
        read = values.parse(known.find(name), document.joined(items[name]), known.traits)
        assert ([str(each) for each in read] if isinstance(read, tuple) else read) == wanted


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["database", "/a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NODE = st.dictionaries(st.sampled_from([setting.name for setting in NODE_VARIABLES]), JSON, max_size=4)
OPTION = st.sampled_from(
    [
        "IntIp",
        "IntHttpPort",
        "IntIpAdvertiseAs",
        "ExtHttpPrefixes",
        "Db",
        "GossipSeed",
        "DiscoverViaDns",
        "ClusterSize",
        "WatchdogConfig",
    ]
)
OPTIONS = st.dictionaries(OPTION, JSON | st.sampled_from(["10.0.0.1", "10.0.0.1:1", "::1", 2112]), max_size=3)
GIVEN = st.dictionaries(
    st.sampled_from([setting.name for setting in VARIABLES] + ["ansible_host", "ansible_connection"]), JSON, max_size=4
)


@settings(max_examples=100)
@example({"a": {}}, [], {}, {"Db": ["0"], "IntIpAdvertiseAs": "x", "ExtHttpPrefixes": 1})
@example({"a": {}}, [], {"ExtHttpPrefixes": ["http://x"], "IntIpAdvertiseAs": "::1"}, {})
@given(
    st.dictionaries(st.sampled_from(["a", "10.0.0.2"]), GIVEN, min_size=1),
    st.lists(NODE, max_size=2),
    OPTIONS,
    OPTIONS,
)
def test_whatever_comes_in_problems_come_out(machines, nodes, database, manager):
    for variables in machines.values():
        variables.setdefault("eventstore_int_ip", "10.0.0.1")
        variables.setdefault("eventstore_database_options", database)
        variables.setdefault("eventstore_manager_options", manager)
        if nodes:
            variables.setdefault("eventstore_nodes", nodes)
    assert all(problem["hint"] for problem in plan(machines)["problems"])


@pytest.mark.parametrize(("version", "count"), [("5.0.3", 1), ("5.0.11", 0)])
def test_an_option_that_a_patch_release_may_be_without_is_a_note(version, count):
    shared = {"eventstore_version": version, "eventstore_database_options": {"WriteStatsToDb": False}}
    made = planned(three(shared))
    notes = made["hosts"]["node1"]["notes"]
    assert [note for note in notes if note.startswith("database: WriteStatsToDb may be unknown")] == notes
    assert len(notes) == count
