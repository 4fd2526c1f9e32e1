# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The plan of a cluster: what every machine is to run, with which options, made from the inventory's variables."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, TopologyError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import join
from ansible_collections.eventstore.cluster.plugins.module_utils.plan import environment, lint
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.group import several_clusters
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.options import default_log, doubts, read_options
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.server import PlannedServer
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import (
    MachinePlan,
    ManagerPlan,
    NodePlan,
    Options,
    Plan,
    PlannedEndpoint,
    servers,
    units,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import (
    HostVariables,
    differences,
    read_machine,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import quorum

NODE_PORTS = {
    "IntTcpPort": "int_tcp_port",
    "IntHttpPort": "int_http_port",
    "ExtTcpPort": "ext_tcp_port",
    "ExtHttpPort": "ext_http_port",
}


def plan(machines: t.Mapping[str, t.Mapping[str, t.Any]]) -> Plan:
    """Plan the cluster of these machines: host -> its eventstore_* and ansible_* variables.

    ``problems`` has all that is wrong. If a variable cannot be read, ``hosts`` and ``endpoints`` are empty.
    """
    if not machines:
        raise TopologyError(
            "there is no machine to plan a cluster for",
            hint="Put the machines into the group eventstore of the inventory",
        )
    problems: list[Problem] = []
    inventory = [read_machine(host, variables, problems) for host, variables in machines.items()]
    problems += several_clusters(inventory) or differences(inventory)
    problems += environment.check(inventory)
    cluster = inventory[0]
    size = sum(len(variables["nodes"]) for variables in inventory)
    made: Plan = {
        "version": cluster["version"],
        "cluster_name": cluster["cluster_name"],
        "mode": cluster["cluster_mode"],
        "cluster_size": size,
        "quorum_size": quorum(size),
        "provider": cluster["service_provider"],
        "dns": None,
        "endpoints": [],
        "hosts": {},
        "problems": [],
    }
    if not any(problem.code in ("wrong-value", "not-cluster-wide", "several-clusters") for problem in problems):
        _fill(made, inventory, problems)
        problems += lint.check(made, inventory)
    made["problems"] = [problem.facts() for problem in problems]
    return made


def _fill(made: Plan, inventory: list[HostVariables], problems: list[Problem]) -> None:
    """Add what depends on all machines: discovery, endpoints and peers."""
    nodes = {variables.host: _nodes(variables, problems) for variables in inventory}
    managers = {variables.host: _manager(variables, problems) for variables in inventory}
    # The servers that the others discover: the managers, or without them the database nodes.
    if made["mode"] == "managers":
        known = list(managers.values())
    else:
        known = [node for each in nodes.values() for node in each]
    cluster = inventory[0]
    if cluster["discovery"] == "dns":
        made["dns"] = {
            "name": cluster["cluster_dns"],
            "port": known[0].seed.port,
            "nameservers": cluster["nameservers"],
            "addresses": list(dict.fromkeys(server.seed.host for server in known)),
        }
    for variables in inventory:
        host = variables.host
        manager = managers[host] if made["mode"] == "managers" else None
        made["hosts"][host] = _machine(made, variables, nodes[host], manager, known)
        made["endpoints"] += _endpoints(nodes[host], manager)
    inside = {host: _inside(machine) for host, machine in made["hosts"].items()}
    for host, machine in made["hosts"].items():
        machine["peers"] = {other: reached for other, reached in inside.items() if other != host}


def _nodes(variables: HostVariables, problems: list[Problem]) -> list[PlannedServer]:
    servers = []
    for node in variables["nodes"]:
        given = {**variables["database_options"], **node.get("options", {})}
        free = read_options(node["name"], "database", variables, given, problems)
        suffix = "" if node["name"] == "database" else f"-{node['name']}"
        network = {
            "Db": node.get("data_dir", variables["data_dir"].rstrip("/\\") + suffix),
            "IntIp": variables["int_ip"],
            "ExtIp": variables["ext_ip"],
            **{option: node.get(name, variables[name]) for option, name in NODE_PORTS.items()},
        }
        servers.append(PlannedServer(variables.host, node["name"], "database", _overridden(network, free), free))
    return servers


def _manager(variables: HostVariables, problems: list[Problem]) -> PlannedServer:
    free = read_options("manager", "manager", variables, variables["manager_options"], problems)
    network = {
        "IntIp": variables["int_ip"],
        "ExtIp": variables["ext_ip"],
        "IntHttpPort": variables["manager_int_http_port"],
        "ExtHttpPort": variables["manager_ext_http_port"],
    }
    return PlannedServer(variables.host, "manager", "manager", _overridden(network, free), free)


def _overridden(derived: Options, free: Options) -> Options:
    return {name: free.get(name, value) for name, value in derived.items()}


def _discovery(made: Plan, server: PlannedServer, known: list[PlannedServer]) -> Options:
    if made["dns"]:
        # With managers their internal port; among database nodes the nodes' own, never the default 30777.
        return {"DiscoverViaDns": True, "ClusterDns": made["dns"]["name"], "ClusterGossipPort": made["dns"]["port"]}
    seeds = [str(other.seed) for other in known if other is not server]
    return {"DiscoverViaDns": False, **({"GossipSeed": seeds} if seeds else {})}


def _machine(
    made: Plan,
    variables: HostVariables,
    nodes: list[PlannedServer],
    manager: PlannedServer | None,
    known: list[PlannedServer],
) -> MachinePlan:
    environment = dict(variables["environment"])
    if variables["nameservers"] and not variables.windows:
        environment["EVENTSTORE_NAMESERVERS"] = ",".join(variables["nameservers"])
    planned = []
    for node in nodes:
        found = (
            {"DiscoverViaDns": False, "GossipSeed": [str(manager.seed)]} if manager else _discovery(made, node, known)
        )
        planned.append(_node_plan(variables, node, {**found, "ClusterSize": made["cluster_size"]}, environment))
    machine: MachinePlan = {
        "platform": "windows" if variables.windows else "linux",
        "user": variables["user"],
        "group": variables["group"],
        "config_dir": variables["config_dir"],
        "run_dir": "" if variables.windows else variables["run_dir"],
        "software": {
            "root": variables["root"],
            "home": join(variables["root"], variables["version"]),
            "archive": variables["archive"],
            "checksum": variables["archive_checksum"],
            "executable": variables["executable"],
            "keep_versions": variables["keep_versions"],
        },
        "directories": [],
        "notes": _notes(variables["version"], nodes, manager),
        "peers": {},
        "nodes": planned,
        "manager": None,
        "urlacls": _urlacls(nodes, manager) if variables.windows else [],
    }
    if manager:
        discovery = _discovery(made, manager, known)
        machine["manager"] = _manager_plan(variables, manager, discovery, environment, planned)
    machine["directories"] = _unique(*(unit["directories"] for unit in units(machine)))
    return machine


def _node_plan(
    variables: HostVariables, node: PlannedServer, discovery: Options, environment: dict[str, str]
) -> NodePlan:
    log = {"Log": variables["log_dir"]} if variables["log_dir"] else {}
    unsaid_log = None if variables.windows else default_log(variables["version"])
    options = {**node.derived, **discovery, **log, **node.free}
    return {
        "name": node.name,
        "service": f"{variables['service_name']}-{node.name}",
        "config": join(variables["config_dir"], f"{node.name}.yaml"),
        "options": options,
        "environment": environment,
        "listen": _listen(options),
        "log": options.get("Log", unsaid_log),
        "data": _unique([options.get("Db"), options.get("Index")]),
        "directories": _written(options, unsaid_log),
    }


def _manager_plan(
    variables: HostVariables,
    manager: PlannedServer,
    discovery: Options,
    environment: dict[str, str],
    nodes: list[NodePlan],
) -> ManagerPlan:
    root, home = variables["root"], join(variables["root"], variables["version"])
    watchdog = join(variables["config_dir"], "watchdog.esconfig")
    options = {
        **manager.derived,
        **discovery,
        "EnableWatchdog": True,
        "WatchdogConfig": watchdog,
        "Log": variables["manager_log_dir"],
        **manager.free,
    }
    vendors = join(home, "EventStore.WindowsManager.exe")  # in the vendor's archive for Windows
    return {
        "service": variables["service_name"],
        "program": vendors if variables.windows else join(root, "es-manager.pyz"),
        "config": join(variables["config_dir"], "manager.yaml"),
        "options": options,
        "watchdog": {"path": watchdog, "nodes": [["--config", node["config"]] for node in nodes]},
        "arguments": [] if variables.windows else _arguments(variables, home),
        "environment": environment,
        "listen": _listen(options),
        "directories": _unique(*(node["directories"] for node in nodes), _written(options)),
    }


def _arguments(variables: HostVariables, home: str) -> list[str]:
    state = join(join(variables["run_dir"], variables["service_name"]), "watchdog.state")
    return ["--node-executable", join(home, variables["executable"]), "--watchdog-state", state]


def _listen(options: Options) -> list[str]:
    return [f"{ip}:{port}" for _option, ip, port in addresses.listeners(options)]


def _inside(machine: MachinePlan) -> list[str]:
    """Where a machine's servers are reached by those of the other machines."""
    return [
        str(addresses.advertised(service["options"], port))
        for service in servers(machine)
        for port in addresses.LISTENERS
        if port.startswith("Int") and service["options"].get(port)
    ]


def _written(options: Options, unsaid_log: str | None = None) -> list[str]:
    """The directories that a server with these options writes to: there, and its own, before it starts."""
    return _unique([options.get("Db"), options.get("Index"), options.get("Log", unsaid_log)])


def _unique(*lists: t.Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(filter(None, itertools.chain(*lists))))


def _notes(version: str, nodes: list[PlannedServer], manager: PlannedServer | None) -> list[str]:
    found = [f"{node.name}: {doubt}" for node in nodes if (doubt := addresses.client_doubt(node.options))]
    for server in [*nodes, *([manager] if manager else [])]:
        found += (f"{server.name}: {doubt}" for doubt in doubts(server.kind, version, server.options))
    return found


def _urlacls(nodes: list[PlannedServer], manager: PlannedServer | None) -> list[str]:
    """The prefixes that the servers register with http.sys."""
    servers = [*nodes, *([manager] if manager else [])]
    urls = (addresses.prefixes(server.options, side) for server in servers for side in addresses.SIDES)
    # One that HttpListener refuses cannot be reserved either; the lint has it.
    return [url for url in _unique(*urls) if not addresses.prefix_problem(url)]


def _endpoints(nodes: list[PlannedServer], manager: PlannedServer | None) -> t.Iterator[PlannedEndpoint]:
    for server in [*nodes, *([manager] if manager else [])]:
        # A node that does not gossip outside answers 404 there.
        side = "Ext" if server.free.get("GossipOnExt", True) else "Int"
        yield {
            "name": server.label,
            "host": server.host,
            "kind": server.kind,
            "address": str(addresses.asked(server.options, side)),
            "internal": str(server.seed),
        }


__all__ = ["plan"]
