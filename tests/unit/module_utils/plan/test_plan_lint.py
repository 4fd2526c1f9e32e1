# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule says NO where it has to, and says nothing else."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.plan import lint
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

CHECKSUM = "sha256:" + "0" * 64


def machines(group=None, *, count=3, **hosts):
    """Machines 192.168.1.11 and up, with variables of the group and of single hosts over it."""
    made = {}
    for number in range(1, count + 1):
        own = {"eventstore_int_ip": f"192.168.1.{10 + number}", **(group or {}), **hosts.get(f"node{number}", {})}
        made[f"node{number}"] = {name: value for name, value in own.items() if value != "unset"}
    return made


def database(**options):
    return {"eventstore_database_options": options}


def manager(**options):
    return {"eventstore_manager_options": options}


def environment(**variables):
    return {"eventstore_environment": variables}


NODES = {"eventstore_cluster_mode": "nodes"}
SEEDS = {"eventstore_discovery": "seeds"}
WINDOWS = {"ansible_connection": "winrm"}
ANY_PREFIX = {
    "IntHttpPrefixes": ["http://*:2112/"],
    "ExtHttpPrefixes": ["http://*:2113/"],
    "AddInterfacePrefixes": False,
}
TWO_NODES = [
    {"name": "database"},
    {"name": "second", "int_tcp_port": 3112, "int_http_port": 4112, "ext_tcp_port": 3113, "ext_http_port": 4113},
]

SOUND = [
    pytest.param(machines(), id="the vendor's page"),
    pytest.param(machines(WINDOWS), id="the vendor's page on Windows"),
    pytest.param(machines(count=5), id="five machines"),
    pytest.param(machines(SEEDS), id="seeds"),
    pytest.param(machines(NODES), id="nodes"),
    pytest.param(machines({**NODES, **SEEDS}), id="nodes and seeds"),
    pytest.param(machines(node2={"eventstore_ext_ip": "10.0.0.2"}), id="two interfaces"),
    pytest.param(
        machines({"eventstore_nodes": TWO_NODES}, node1={"eventstore_nodes": "unset"}), id="five nodes on three"
    ),
    pytest.param(
        machines({"eventstore_nodes": TWO_NODES, **NODES}, node1={"eventstore_nodes": "unset"}), id="dns, two nodes"
    ),
    pytest.param(
        machines(
            {
                **SEEDS,
                "eventstore_nodes": [
                    *TWO_NODES,
                    {"name": "third", "int_tcp_port": 1, "int_http_port": 2, "ext_tcp_port": 3, "ext_http_port": 4},
                ],
            },
            count=1,
        ),
        id="three nodes under one manager",
    ),
    pytest.param(machines(database(RunProjections="All", StatsPeriodSec=30)), id="free options"),
    pytest.param(
        machines({"eventstore_environment": {"TZ": "UTC", "EVENTSTORE_NODE_PRIORITY": "1"}}), id="environment"
    ),
    pytest.param(
        machines({"eventstore_version": "5.0.11", **environment(EVENTSTORE_STATS_PERIOD_SEC="${env:P}", P="10")}),
        id="a reference",
    ),
    pytest.param(machines(environment(EVENTSTORE_WATCHDOG_FAILURE_COUNT="3")), id="the manager's environment"),
    pytest.param(machines({"eventstore_archive": "/a.zip", "eventstore_archive_checksum": CHECKSUM}), id="archive"),
    pytest.param(machines({"eventstore_int_http_port": "2112"}), id="a number that a template gave as text"),
    pytest.param(machines({"eventstore_log_dir": None}), id="null is unset"),
    pytest.param(
        {
            f"node{n}": {
                "eventstore_int_ip": f"127.0.0.1{n}",
                "ansible_connection": "local",
                "eventstore_service_provider": "process",
                "eventstore_data_dir": f"/x/{n}/db",
                "eventstore_config_dir": f"/x/{n}/config",
                "eventstore_run_dir": f"/x/{n}/run",
            }
            for n in (1, 2, 3)
        },
        id="loopback",
    ),
    pytest.param(
        {
            f"node{n}": {
                "eventstore_int_ip": "172.17.0.2",
                **NODES,
                **database(
                    IntIp="0.0.0.0",
                    ExtIp="0.0.0.0",
                    IntIpAdvertiseAs=f"10.0.0.{n}",
                    ExtIpAdvertiseAs=f"10.0.0.{n}",
                    **ANY_PREFIX,
                ),
            }
            for n in (1, 2, 3)
        },
        id="all addresses of each machine",
    ),
    pytest.param(
        {
            f"node{n}": {
                "eventstore_int_ip": "172.17.0.2",
                **NODES,
                **SEEDS,
                **database(
                    IntIpAdvertiseAs="10.0.0.1",
                    ExtIpAdvertiseAs="10.0.0.1",
                    IntHttpPortAdvertiseAs=20000 + n,
                    ExtHttpPortAdvertiseAs=30000 + n,
                    **ANY_PREFIX,
                ),
            }
            for n in (1, 2, 3)
        },
        id="one address in front of three machines",
    ),
    pytest.param({f"192.168.1.1{n}": {} for n in (1, 2, 3)}, id="hosts named by their address"),
    pytest.param({f"node{n}": {"ansible_host": f"192.168.1.1{n}"} for n in (1, 2, 3)}, id="ansible_host"),
    pytest.param(
        machines(
            {
                "ansible_connection": "ansible.builtin.ssh",
                "eventstore_nameservers": ["10.0.0.1", "10.0.0.2:5353", "fd00::53", "[fd00::53]:5353"],
            }
        ),
        id="name servers",
    ),
]


@pytest.mark.parametrize("given", SOUND)
def test_says_nothing_of_a_sound_plan(given):
    made = plan(given)
    assert made["problems"] == []
    assert list(made["hosts"]) == list(given)


# variables of the machines, the code, and what the text and the hint have to name
WRONG = [
    # variables
    pytest.param(
        machines({"eventstore_int_htp_port": 1}, count=3),
        ["unknown-variable"] * 3,
        ["node1", "eventstore_int_htp_port"],
        "Write eventstore_int_http_port",
        id="typo",
    ),
    pytest.param(
        machines(node2={"eventstore_tuning": 1}),
        ["unknown-variable"],
        ["node2", "eventstore_tuning"],
        "another prefix",
        id="unknown",
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": [{"name": "database", "int_htp_port": 1}]}),
        ["unknown-variable"],
        ["node2: eventstore_nodes[0]", "int_htp_port"],
        "int_http_port",
        id="typo in a node",
    ),
    pytest.param(
        machines(node2={"eventstore_int_http_port": "many"}),
        ["wrong-value"],
        ["node2: eventstore_int_http_port", "'many'", "not an integer"],
        "",
        id="text for a number",
    ),
    pytest.param(
        machines(node2={"eventstore_int_http_port": "²"}), ["wrong-value"], ["'²'"], "", id="a digit that is no number"
    ),
    pytest.param(
        machines(node2={"eventstore_int_http_port": True}), ["wrong-value"], ["True"], "", id="bool for a number"
    ),
    pytest.param(
        machines(node2={"eventstore_ext_http_port": 65536}), ["wrong-value"], ["65536", "1 to 65535"], "", id="port"
    ),
    pytest.param(
        machines({"eventstore_version": 3.4}), ["wrong-value"] * 3, ["3.4"], "quotes", id="version as a number"
    ),
    pytest.param(
        machines({"eventstore_version": "20.10.6"}), ["wrong-value"] * 3, ["20.10.6", "3.x, 4.x and 5.x"], "", id="20"
    ),
    pytest.param(
        machines({"eventstore_version": "3.4"}), ["wrong-value"] * 3, ["three numbers"], "", id="short version"
    ),
    pytest.param(
        machines({"eventstore_cluster_mode": "manager"}),
        ["wrong-value"] * 3,
        ["managers, nodes"],
        "Write managers",
        id="choice",
    ),
    pytest.param(
        machines(node2={"eventstore_int_ip": "node2.example"}),
        ["wrong-value"],
        ["node2.example", "IPv4"],
        "",
        id="name for an address",
    ),
    pytest.param(machines(node2={"eventstore_int_ip": "::1"}), ["wrong-value"], ["IPv4", "but IPv6"], "", id="IPv6"),
    pytest.param(
        machines(node2={"eventstore_int_ip": "unset", "ansible_host": "fd00::12"}),
        ["wrong-value"],
        ["'fd00::12', where Ansible connects to, is an IPv6 address"],
        "eventstore_int_ip: 192.168.1.11",
        id="connected to over IPv6",
    ),
    pytest.param(
        machines(node2=database(GossipSeed=["::1"])), ["wrong-option"], ["'::1'", "IPv6"], "", id="a seed in IPv6"
    ),
    pytest.param(
        machines(node2={"eventstore_int_ip": "unset"}),
        ["wrong-value"],
        ["node2", "'node2'", "eventstore_int_ip is not set"],
        "eventstore_int_ip: 192.168.1.11",
        id="no address",
    ),
    pytest.param(
        machines({"eventstore_nameservers": "10.0.0.1"}), ["wrong-value"] * 3, ["a list"], "", id="text for a list"
    ),
    pytest.param(
        machines({"eventstore_nameservers": ["dns.example"]}),
        ["wrong-value"] * 3,
        ["dns.example", "IP:PORT"],
        "",
        id="name server by name",
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": ["database"]}), ["wrong-value"], ["not a dictionary"], "", id="node as text"
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": []}), ["wrong-value"], ["eventstore_nodes is empty"], "", id="no node"
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": [{"int_http_port": 1}]}),
        ["wrong-value"],
        ["has no name"],
        "",
        id="node without name",
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": [{"name": "../x"}]}), ["wrong-value"], ["'../x'"], "", id="name with a path"
    ),
    pytest.param(
        machines(node2={"eventstore_nodes": [{"name": "Manager"}]}),
        ["wrong-value"],
        ["the manager's"],
        "",
        id="reserved name",
    ),
    pytest.param(
        machines(node2={"eventstore_data_dir": "es-data"}),
        ["wrong-value"],
        ["'es-data'", "not an absolute path"],
        "whole path",
        id="relative",
    ),
    pytest.param(machines(node2={"eventstore_data_dir": "~/data"}), ["wrong-value"], ["~"], "", id="tilde"),
    pytest.param(
        machines(WINDOWS, node2={"eventstore_data_dir": "d:\x1bs-data"}),
        ["wrong-value"],
        ["double quotes"],
        "single",
        id="double quoted",
    ),
    pytest.param(
        machines(WINDOWS, node2={"eventstore_data_dir": "/es-data"}),
        ["wrong-value"],
        ["drive"],
        "",
        id="Linux path on Windows",
    ),
    pytest.param(
        machines(node2={"eventstore_data_dir": "d:\\es-data"}),
        ["wrong-value"],
        ["absolute"],
        "",
        id="Windows path on Linux",
    ),
    pytest.param(
        machines(node2={"eventstore_archive": "a.zip"}),
        ["checksum-missing"],
        ["node2", "eventstore_archive_checksum"],
        "sha256sum",
        id="no checksum",
    ),
    pytest.param(
        machines(node2={"eventstore_archive": "a.zip", "eventstore_archive_checksum": "sha256:12"}),
        ["wrong-value"],
        ["eventstore_archive_checksum", "64 hex"],
        "",
        id="malformed checksum",
    ),
    pytest.param(
        machines(node2={"eventstore_environment": {"A": 1}}), ["wrong-value"], ["A"], "", id="environment value"
    ),
    pytest.param(
        machines(node2={"eventstore_version": "4.1.4"}),
        ["not-cluster-wide"],
        ["eventstore_version", "3.4.0 on node1, node3", "4.1.4 on node2"],
        "",
        id="mixed versions",
    ),
    pytest.param(machines(node2=NODES), ["not-cluster-wide"], ["eventstore_cluster_mode"], "", id="mixed modes"),
    pytest.param(machines(node2=SEEDS), ["not-cluster-wide"], ["eventstore_discovery"], "", id="mixed discovery"),
    pytest.param(
        machines(node2={"eventstore_cluster_dns": "b.example"}),
        ["not-cluster-wide"],
        ["eventstore_cluster_dns"],
        "",
        id="mixed names",
    ),
    pytest.param(
        machines(
            node2={
                "eventstore_nodes": [
                    {"name": "a"},
                    {"name": "A", "int_tcp_port": 1, "int_http_port": 2, "ext_tcp_port": 3, "ext_http_port": 4},
                ]
            },
            count=2,
        ),
        ["node-twice", "file-twice"][:1],
        ["two nodes 'A'"],
        "",
        id="a name twice",
    ),
    # options
    pytest.param(
        machines(node2=database(ClusterSiez=3)),
        ["unknown-option"],
        ["node2/database", "ClusterSiez", "ClusterSize"],
        "eventstore_database_options",
        id="misspelt option",
    ),
    pytest.param(
        machines(node2=database(GossipOnSingleNode=True)),
        ["unknown-option"],
        ["4.0.3"],
        "",
        id="option of a later version",
    ),
    pytest.param(
        machines(node2=database(EnableWatchdog=True)), ["unknown-option"], ["manager"], "", id="the manager's option"
    ),
    pytest.param(
        machines(node2=manager(ClusterSize=3)),
        ["unknown-option"],
        ["node2/manager", "ClusterSize"],
        "eventstore_manager_options",
        id="the node's",
    ),
    pytest.param(machines(node2=database(StatsOnExt="no")), ["wrong-option"], ["StatsOnExt", "'no'"], "", id="bool no"),
    pytest.param(
        machines(node2=database(StatsOnExt="off")), ["wrong-option"], ["StatsOnExt", "'off'"], "", id="bool off"
    ),
    pytest.param(
        machines(node2=database(StatsPeriodSec="often")),
        ["wrong-option"],
        ["StatsPeriodSec", "'often'"],
        "",
        id="option type",
    ),
    pytest.param(
        machines(node2=database(WhatIf=True)), ["wrong-option"], ["WhatIf", "no place in a file"], "", id="what if"
    ),
    pytest.param(
        machines(node2=database(Config="/etc/x")), ["wrong-option"], ["Config", "no place in a file"], "", id="config"
    ),
    pytest.param(
        machines(node2=database(Index="index")), ["wrong-option"], ["Index", "'index'"], "", id="relative option"
    ),
    pytest.param(
        machines(node2=database(Index="d:\\index")),
        ["wrong-option"],
        ["Index", "absolute"],
        "",
        id="Windows option on Linux",
    ),
    pytest.param(
        machines(node2=database(**{"StatsPeriodSec": 1, "stats-period-sec": 2})),
        ["wrong-option"],
        ["given twice"],
        "",
        id="option twice",
    ),
    # the size of the cluster
    pytest.param(machines(count=2), ["even-cluster"], ["2 database nodes"], "Make it 3", id="two"),
    pytest.param(machines(count=4), ["even-cluster"], ["4 database nodes"], "Make it 3 or 5", id="four"),
    pytest.param(
        machines(count=1), ["cluster-of-one"], ["node1/database", "never answers GET /gossip"], "three", id="one"
    ),
    pytest.param(
        machines(node2=database(ClusterSize=5)),
        ["cluster-size"],
        ["node2/database", "ClusterSize is 5", "3 database nodes"],
        "Take ClusterSize out",
        id="five of three",
    ),
    pytest.param(
        machines(database(ClusterSize=1)), ["cluster-size"] * 3, ["ClusterSize is 1"], "", id="each its own master"
    ),
    # addresses and ports
    pytest.param(
        machines(node2={"eventstore_int_ip": "192.168.1.11"}),
        ["address-twice"] + ["port-clash"] * 6,
        ["node1 and node2", "192.168.1.11"],
        "eventstore_nodes",
        id="address twice",
    ),
    pytest.param(
        machines(node2={"eventstore_ext_ip": "192.168.1.11"}),
        ["address-twice"] + ["port-clash"] * 3,
        ["node1 and node2"],
        "",
        id="the other's address",
    ),
    pytest.param(
        machines(node2={"eventstore_int_ip": "0.0.0.0"}),
        ["wildcard-address"] * 2,
        ["node2/database", "IntIp and ExtIp: 0.0.0.0", "first address of its machine"],
        "IntIpAdvertiseAs and ExtIpAdvertiseAs in eventstore_database_options",
        id="wildcard",
    ),
    pytest.param(
        machines(node2={"eventstore_ext_ip": "0.0.0.0"}),
        ["wildcard-address", "wildcard-address", "http-prefix"],
        ["node2", "ExtIp: 0.0.0.0"],
        "ExtIpAdvertiseAs",
        id="external wildcard",
    ),
    pytest.param(
        machines(NODES, node2=database(IntIp="0.0.0.0", ExtIp="0.0.0.0", **ANY_PREFIX)),
        ["wildcard-address"],
        ["node2/database", "is given to the others, which cannot reach it"],
        "IntIpAdvertiseAs",
        id="advertises the wildcard",
    ),
    pytest.param(
        machines(NODES, node2=database(IntIpAdvertiseAs="0.0.0.0", **ANY_PREFIX)),
        ["wildcard-address"],
        ["node2/database: IntIpAdvertiseAs: 0.0.0.0"],
        "",
        id="the wildcard as the advertised address",
    ),
    pytest.param(
        machines(NODES, node2=database(ExtIp="0.0.0.0", ExtIpAdvertiseAs="192.168.1.12")),
        ["http-prefix"],
        ["node2/database", "internal HTTP server has no prefix", "where ExtIp is 0.0.0.0"],
        "IntHttpPrefixes: ['http://*:2112/'], ExtHttpPrefixes: ['http://*:2113/'] and AddInterfacePrefixes: false",
        id="a prefix for the other side only",
    ),
    pytest.param(
        machines(NODES, node2=database(AddInterfacePrefixes=False)),
        ["http-prefix"] * 2,
        ["internal HTTP server has no prefix", "AddInterfacePrefixes is false"],
        "",
        id="no prefix at all",
    ),
    pytest.param(
        machines(NODES, node2=database(IntIpAdvertiseAs="198.51.100.5")),
        ["http-prefix"],
        ["node2/database", "400 Invalid host to 198.51.100.5", "http://192.168.1.12:2112/"],
        "IntHttpPrefixes",
        id="a translated address that no prefix answers to",
    ),
    pytest.param(
        machines(
            NODES,
            node2=database(
                ExtHttpPrefixes=["http://es.example:2113/"],
                IntHttpPrefixes=["http://+:2112/"],
                AddInterfacePrefixes=False,
            ),
        ),
        ["http-prefix"],
        ["node2/database", "external", "400 Invalid host to 192.168.1.12"],
        "",
        id="answers to its name only",
    ),
    pytest.param(
        machines(NODES, node2=database(**{**ANY_PREFIX, "IntHttpPrefixes": ["http://*:3112/"]})),
        ["http-prefix"],
        ["node2/database", "does not listen on IntHttpPort 2112", "http://*:3112/"],
        "",
        id="a prefix with another port",
    ),
    pytest.param(
        machines(
            NODES,
            node2=database(
                AddInterfacePrefixes=False,
                IntHttpPrefixes=["http://*:2112"],
                ExtHttpPrefixes=["ftp://*:2113/", "http://*:99999/", "http://[::1/", "node2:2113"],
            ),
        ),
        ["http-prefix"] * 5,
        ["IntHttpPrefixes has 'http://*:2112'", "end in /", "does not start"],
        "eventstore_database_options",
        id="prefixes that HttpListener refuses",
    ),
    pytest.param(
        machines({**NODES, **database(IntIpAdvertiseAs="198.51.100.5", **ANY_PREFIX)}),
        ["address-twice"] * 2,
        ["node1/database and node2/database", "198.51.100.5:2112"],
        "IntHttpPortAdvertiseAs",
        id="all advertise one address",
    ),
    pytest.param(
        machines(NODES, node2=database(IntIpAdvertiseAs="127.0.0.1", **ANY_PREFIX)),
        ["loopback-address"],
        ["node2", "IntIpAdvertiseAs is 127.0.0.1"],
        "",
        id="advertises loopback",
    ),
    pytest.param(
        {
            f"node{n}": {
                "eventstore_int_ip": f"127.0.0.1{n}",
                "ansible_connection": "local",
                "eventstore_service_provider": "process",
                "eventstore_cluster_mode": "nodes",
                "eventstore_data_dir": f"/x/{n}/db",
                "eventstore_config_dir": f"/x/{n}/config",
                "eventstore_run_dir": f"/x/{n}/run",
                **database(ExtIp="0.0.0.0", ExtIpAdvertiseAs=f"127.0.0.1{n}", **ANY_PREFIX),
            }
            for n in (1, 2, 3)
        },
        ["port-clash"] * 6,
        ["0.0.0.0:1113"],
        "",
        id="all addresses of one computer",
    ),
    pytest.param(
        machines(node2={"eventstore_int_ip": "127.0.0.1"}),
        ["loopback-address"],
        ["node2", "IntIp is 127.0.0.1"],
        "",
        id="loopback",
    ),
    pytest.param(
        machines(node2={"eventstore_ext_http_port": 2112}),
        ["port-clash"],
        ["node2: 192.168.1.12:2112", "IntHttpPort", "ExtHttpPort"],
        "",
        id="internal and external HTTP port equal",
    ),
    pytest.param(
        machines(node2=database(ExtHttpPort=2112)),
        ["port-clash"],
        ["node2: 192.168.1.12:2112"],
        "",
        id="clash by a free option",
    ),
    pytest.param(
        machines(node2=database(IntSecureTcpPort=1113)),
        ["port-clash"],
        ["IntSecureTcpPort of node2/database"],
        "",
        id="secure port",
    ),
    pytest.param(
        machines(node2={"eventstore_ext_http_port": 30778}),
        ["port-clash"],
        ["ExtHttpPort of node2/database", "ExtHttpPort of node2/manager"],
        "",
        id="node and manager",
    ),
    pytest.param(
        machines(node1={"eventstore_nodes": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
        ["port-clash"] * 12,
        ["node1/a", "node1/b"],
        "eventstore_nodes",
        id="three nodes on the same ports",
    ),
    pytest.param(
        machines(
            {
                **SEEDS,
                **NODES,
                **database(ExtIp="0.0.0.0", ExtIpAdvertiseAs="192.168.1.11"),
                "eventstore_nodes": [
                    {
                        "name": name,
                        "int_tcp_port": ports[0],
                        "int_http_port": ports[1],
                        "ext_tcp_port": ports[2],
                        "ext_http_port": ports[3],
                        "options": {"IntHttpPrefixes": [f"http://192.168.1.11:{ports[1]}/"]},
                    }
                    for name, ports in {
                        "a": (1112, 2112, 1113, 2113),
                        "b": (3, 4, 5, 2112),
                        "c": (7, 8, 9, 10),
                    }.items()
                ],
            },
            count=1,
        ),
        ["port-clash"],
        ["2112"],
        "",
        id="wildcard against an address",
    ),
    # discovery
    pytest.param(
        machines(node2=manager(ClusterGossipPort=2112)),
        ["gossip-port"],
        ["node2/manager", "ClusterGossipPort is 2112", "30777"],
        "eventstore_manager_options",
        id="gossip port",
    ),
    pytest.param(
        machines(NODES, node2=database(ClusterGossipPort=30777)),
        ["gossip-port"],
        ["node2/database", "30777", "2112"],
        "",
        id="the trap",
    ),
    pytest.param(
        machines(node2=manager(ClusterDns="b.example")),
        ["cluster-dns"],
        ["node2/manager", "b.example"],
        "eventstore_cluster_dns",
        id="another name",
    ),
    pytest.param(
        machines(node2=manager(GossipSeed="192.168.1.11:30777")),
        ["seeds-ignored"],
        ["node2/manager"],
        "",
        id="seeds beside DNS",
    ),
    pytest.param(
        machines(node2={"eventstore_manager_int_http_port": 30779}),
        ["gossip-ports-differ"],
        ["node2", "30779", "30777 on node1"],
        "eventstore_discovery: seeds",
        id="managers' ports",
    ),
    pytest.param(
        machines(NODES, node2={"eventstore_int_http_port": 4112}),
        ["gossip-ports-differ"],
        ["node2", "4112"],
        "",
        id="nodes' ports",
    ),
    pytest.param(
        machines(node2=database(DiscoverViaDns=True)),
        ["cluster-dns", "seeds-ignored"],
        ["node2/database", "not set"],
        "",
        id="DNS for a node",
    ),
    pytest.param(
        machines(SEEDS, node2=manager(DiscoverViaDns=True)),
        ["dns-unplanned"],
        ["node2/manager"],
        "",
        id="DNS without a name",
    ),
    pytest.param(machines(node2=manager(DiscoverViaDns=False)), ["no-seed"], ["node2/manager"], "", id="neither"),
    pytest.param(machines(node2=database(GossipSeed=[])), ["no-seed"], ["node2/database"], "", id="no seed"),
    pytest.param(
        machines(SEEDS, node2=manager(GossipSeed=["192.168.1.12:30777"])),
        ["own-seed"],
        ["node2/manager"],
        "",
        id="only itself",
    ),
    pytest.param(
        machines(node2=database(GossipSeed=["192.168.9.9:30777"])),
        ["foreign-seed"],
        ["192.168.9.9:30777"],
        "",
        id="a stranger",
    ),
    pytest.param(
        machines(node2=database(GossipSeed=["192.168.1.12:30778"])),
        ["foreign-seed"],
        ["192.168.1.12:30778"],
        "",
        id="the external port",
    ),
    pytest.param(
        machines(node2=database(GossipSeed=["node1:30777"])), ["wrong-option"], ["node1:30777"], "", id="seed by name"
    ),
    pytest.param(
        machines(node2=database(GossipSeed=["192.168.1.11"])),
        ["wrong-option"],
        ["192.168.1.11", "port"],
        "",
        id="seed without port",
    ),
    pytest.param(
        machines(node2=database(GossipSeed="192.168.1.11:30777, 192.168.1.12:30777")),
        ["wrong-option"],
        ["blank"],
        "",
        id="blank in seeds",
    ),
    # the watchdog
    pytest.param(
        machines(NODES, node2=manager(GossipIntervalMs=500)), ["no-managers"], ["node2"], "", id="options of no manager"
    ),
    pytest.param(
        machines(node2=manager(WatchdogConfig="/srv/w")),
        ["watchdog-elsewhere"],
        ["/srv/w", "/etc/eventstore/watchdog.esconfig"],
        "",
        id="elsewhere",
    ),
    pytest.param(machines(node2=manager(EnableWatchdog=False)), ["watchdog-off"], ["node2/manager"], "", id="off"),
    pytest.param(
        machines(node2={"eventstore_config_dir": "/etc/event store"}),
        ["watchdog-path"],
        ["node2", "blank"],
        "eventstore_config_dir",
        id="blank in a path",
    ),
    # files
    pytest.param(
        machines(
            node1={"eventstore_nodes": [TWO_NODES[0], {**TWO_NODES[1], "data_dir": "/var/lib/eventstore/"}]}, count=2
        ),
        ["data-twice"],
        ["node1/database", "node1/second", "/var/lib/eventstore"],
        "",
        id="data twice",
    ),
    pytest.param(
        machines(
            node1={"eventstore_nodes": [TWO_NODES[0], {**TWO_NODES[1], "data_dir": "/var/lib/eventstore/b"}]}, count=2
        ),
        ["data-twice"],
        ["node1/second"],
        "",
        id="data within data",
    ),
    pytest.param(
        machines(
            {"ansible_connection": "local", "eventstore_service_provider": "process"},
            node1={"eventstore_data_dir": "/a"},
            node2={"eventstore_data_dir": "/b"},
        ),
        ["file-twice"] * 6,
        ["node1 and node2", "/etc/eventstore/database.yaml"],
        "eventstore_config_dir",
        id="one disk",
    ),
    pytest.param(
        {
            f"node{n}": {
                "eventstore_int_ip": f"127.0.0.1{n}",
                "ansible_connection": "local",
                "eventstore_data_dir": f"/x/{n}/db",
                "eventstore_config_dir": f"/x/{n}/config",
                "eventstore_run_dir": f"/x/{n}/run",
            }
            for n in (1, 2, 3)
        },
        ["service-twice"] * 2,
        ["node1 and node2", "es-cluster1"],
        "eventstore_service_provider: process",
        id="one systemd",
    ),
    # the environment
    pytest.param(
        machines(node2={"eventstore_environment": {"EVENTSTORE_CONFIG": "/x"}}),
        ["config-variable"],
        ["node2", "EVENTSTORE_CONFIG"],
        "",
        id="config",
    ),
    pytest.param(
        machines(NODES, node2={"eventstore_environment": {"EVENTSTORE_INT_IP": "192.168.1.1"}}),
        ["environment-wins"],
        ["node2/database", "EVENTSTORE_INT_IP", "IntIp"],
        "eventstore_database_options",
        id="wins",
    ),
    pytest.param(
        machines(NODES, node2=environment(EVENTSTORE_INT_IP_ADVERTISE_AS="192.168.1.12")),
        ["environment-wins"],
        ["node2/database", "EVENTSTORE_INT_IP_ADVERTISE_AS", "which the plan has to know"],
        "Set IntIpAdvertiseAs in eventstore_database_options",
        id="an address",
    ),
    pytest.param(
        machines(environment(EVENTSTORE_LOG="/x")),
        ["environment-wins"] * 6,
        ["node1/database", "sets Log"],
        "",
        id="a directory",
    ),
    pytest.param(
        machines(environment(EVENTSTORE_WORKERTHREADS="10")),
        ["environment-ignored"],
        ["node1, node2, node3: EVENTSTORE_WORKERTHREADS in eventstore_environment is unknown to the server"],
        "Did you mean EVENTSTORE_WORKER_THREADS?",
        id="misspelt",
    ),
    pytest.param(
        machines(node2=environment(eventstore_worker_threads="10")),
        ["environment-ignored"],
        ["node2", "eventstore_worker_threads"],
        "EVENTSTORE_WORKER_THREADS",
        id="in small letters",
    ),
    pytest.param(
        machines(node2=environment(EVENSTORE_WORKER_THREADS="10")),
        ["environment-ignored"],
        ["EVENSTORE_WORKER_THREADS"],
        "Write EVENTSTORE_WORKER_THREADS",
        id="misspelt prefix",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_NODE_PRIORITY="")),
        ["environment-ignored"],
        ["EVENTSTORE_NODE_PRIORITY", "is empty"],
        "",
        id="empty",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_STRUCTURED_LOG="false")),
        ["environment-ignored"],
        ["EVENTSTORE_STRUCTURED_LOG"],
        "It came with 5.0.0",
        id="of a later version",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_HTTP_PORT="2113")),
        ["environment-ignored"],
        ["EVENTSTORE_HTTP_PORT"],
        "up to 5.x it is ExtHttpPort",
        id="of a much later version",
    ),
    pytest.param(
        machines(NODES, node2=environment(EVENTSTORE_ENABLE_WATCHDOG="false")),
        ["environment-ignored"],
        ["EVENTSTORE_ENABLE_WATCHDOG"],
        "",
        id="the manager's where there is none",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_WORKER_THREADS="many")),
        ["environment-value"],
        ["node2: EVENTSTORE_WORKER_THREADS", "'many' is not a whole number"],
        "Correct EVENTSTORE_WORKER_THREADS",
        id="not a number",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_SKIP_DB_VERIFY="no")),
        ["environment-value"],
        ["'no' is not true or false", "would read true"],
        "",
        id="a boolean that is misread",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_CERTIFICATE_FILE="d:\\x.pfx")),
        ["environment-value"],
        ["EVENTSTORE_CERTIFICATE_FILE", "absolute"],
        "",
        id="a path of another platform",
    ),
    pytest.param(
        machines({"eventstore_version": "5.0.11"}, node2=environment(EVENTSTORE_STATS_PERIOD_SEC="${env:PERIOD}")),
        ["environment-value"],
        ["PERIOD is not set"],
        "",
        id="a reference to nothing",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_WHAT_IF="true")),
        ["config-variable"],
        ["EVENTSTORE_WHAT_IF"],
        "Take EVENTSTORE_WHAT_IF out",
        id="what if in the environment",
    ),
    pytest.param(
        machines(node2=environment(EVENTSTORE_WORKER_THREADS="many", EVENTSTORE_RUN_PROJECTIONS=True, **{"a b": "c"})),
        ["environment-value", "wrong-value", "wrong-value"],
        ["EVENTSTORE_WORKER_THREADS"],
        "",
        id="all of it at once",
    ),
]


@pytest.mark.parametrize(("given", "codes", "named", "hint"), WRONG)
def test_says_what_is_wrong(given, codes, named, hint):
    problems = plan(given)["problems"]
    assert [problem["code"] for problem in problems] == codes
    for fragment in named:
        assert fragment in f"{problems[0]['where']}: {problems[0]['text']}"
    assert hint in problems[0]["hint"]
    assert all(problem["hint"] for problem in problems)


def test_a_secret_is_in_no_text():
    made = plan(machines(database(CertificatePassword="hunter2\n", ClusterSize=5)))
    assert made["problems"]
    assert "hunter2" not in repr(made["problems"])


@pytest.mark.parametrize("name", ["EVENTSTORE_CERTIFICATE_PASSWORD", "EVENTSTORE_CERTIFICATEPASSWORD", "EVENSTORE_DB"])
@pytest.mark.parametrize("value", ["hunter2\x07", "hunter2\n", ["hunter2"]])
def test_a_secret_of_the_environment_is_in_no_text(name, value):
    made = plan(machines(environment(**{name: value})))
    assert made["problems"]
    assert "hunter2" not in repr(made["problems"])


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_needed(rule, monkeypatch):
    """Without a rule at least one row of the table above would not be found."""
    monkeypatch.setattr(lint, "RULES", tuple(other for other in lint.RULES if other is not rule))
    missed = [row for row in WRONG if [problem["code"] for problem in plan(row.values[0])["problems"]] != row.values[1]]
    assert missed
