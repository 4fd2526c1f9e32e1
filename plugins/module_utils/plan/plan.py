# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The plan of a cluster: what every machine is to run, with which options, made from the inventory's variables."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import TopologyError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import join
from ansible_collections.eventstore.cluster.plugins.module_utils.plan import environment, lint
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.group import several_clusters
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.options import default_log, doubts, read_options
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import (
    Machine,
    Problem,
    differences,
    read_machine,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import quorum

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

    Options = dict[str, t.Any]

NODE_PORTS = {
    "IntTcpPort": "int_tcp_port",
    "IntHttpPort": "int_http_port",
    "ExtTcpPort": "ext_tcp_port",
    "ExtHttpPort": "ext_http_port",
}


@dataclass(frozen=True)
class _Server:
    """A database node or a manager: where it listens (``network``, free options included) and its ``free`` options."""

    name: str
    network: Options
    free: Options

    @property
    def options(self) -> Options:
        return {**self.network, **self.free}

    @property
    def seed(self) -> Endpoint:
        """What the others look for, and its name in gossip."""
        return addresses.advertised(self.options, "IntHttpPort")


def plan(machines: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Plan the cluster of these machines: host -> its eventstore_* and ansible_* variables.

    What is wrong is in ``problems``. Where a variable cannot be read, ``hosts`` and ``endpoints`` stay empty.
    """
    if not machines:
        raise TopologyError(
            "there is no machine to plan a cluster for",
            hint="Put the machines into the group eventstore of the inventory",
        )
    problems: list[Problem] = []
    read = [read_machine(host, variables, problems) for host, variables in machines.items()]
    problems += several_clusters(read) or differences(read)
    problems += environment.check(read)
    cluster = read[0]
    size = sum(len(machine["nodes"]) for machine in read)
    made: dict[str, t.Any] = {
        "version": cluster["version"],
        "cluster_name": cluster["cluster_name"],
        "mode": cluster["cluster_mode"],
        "cluster_size": size,
        "quorum_size": quorum(size),
        "provider": cluster["service_provider"],
        "dns": None,
        "endpoints": [],
        "hosts": {},
    }
    if not any(problem.code in ("wrong-value", "not-cluster-wide", "several-clusters") for problem in problems):
        _fill(made, read, problems)
        problems += lint.check(made, read)
    made["problems"] = [problem._asdict() for problem in problems]
    return made


def _fill(made: dict[str, t.Any], machines: list[Machine], problems: list[Problem]) -> None:
    """Add what needs the whole cluster: who finds whom, and how many they are."""
    nodes = {machine.host: _nodes(machine, problems) for machine in machines}
    managers = {machine.host: _manager(machine, problems) for machine in machines}
    # Whom the others look for: the managers, or where there are none the database nodes.
    if made["mode"] == "managers":
        known = list(managers.values())
    else:
        known = [node for each in nodes.values() for node in each]
    cluster = machines[0]
    if cluster["discovery"] == "dns":
        made["dns"] = {
            "name": cluster["cluster_dns"],
            "port": known[0].seed.port,
            "nameservers": cluster["nameservers"],
            "addresses": list(dict.fromkeys(server.seed.host for server in known)),
        }
    for machine in machines:
        host = machine.host
        manager = managers[host] if made["mode"] == "managers" else None
        made["hosts"][host] = _host(made, machine, nodes[host], manager, known)
        made["endpoints"] += _endpoints(host, nodes[host], manager)
    inside = {host: _inside(planned) for host, planned in made["hosts"].items()}
    for host, planned in made["hosts"].items():
        planned["peers"] = {other: reached for other, reached in inside.items() if other != host}


def _nodes(machine: Machine, problems: list[Problem]) -> list[_Server]:
    servers = []
    for node in machine["nodes"]:
        given = {**machine["database_options"], **node.get("options", {})}
        free = read_options(node["name"], "database", machine, given, problems)
        suffix = "" if node["name"] == "database" else f"-{node['name']}"
        network = {
            "Db": node.get("data_dir", machine["data_dir"].rstrip("/\\") + suffix),
            "IntIp": machine["int_ip"],
            "ExtIp": machine["ext_ip"],
            **{option: node.get(name, machine[name]) for option, name in NODE_PORTS.items()},
        }
        servers.append(_Server(node["name"], _overridden(network, free), free))
    return servers


def _manager(machine: Machine, problems: list[Problem]) -> _Server:
    free = read_options("manager", "manager", machine, machine["manager_options"], problems)
    network = {
        "IntIp": machine["int_ip"],
        "ExtIp": machine["ext_ip"],
        "IntHttpPort": machine["manager_int_http_port"],
        "ExtHttpPort": machine["manager_ext_http_port"],
    }
    return _Server("manager", _overridden(network, free), free)


def _overridden(derived: Options, free: Options) -> Options:
    return {name: free.get(name, value) for name, value in derived.items()}


def _discovery(made: dict[str, t.Any], server: _Server, known: list[_Server]) -> Options:
    if made["dns"]:
        # With managers their internal port; among database nodes the nodes' own, never the default 30777.
        return {"DiscoverViaDns": True, "ClusterDns": made["dns"]["name"], "ClusterGossipPort": made["dns"]["port"]}
    seeds = [str(other.seed) for other in known if other is not server]
    return {"DiscoverViaDns": False, **({"GossipSeed": seeds} if seeds else {})}


def _host(
    made: dict[str, t.Any], machine: Machine, nodes: list[_Server], manager: _Server | None, known: list[_Server]
) -> dict[str, t.Any]:
    home = join(machine["root"], machine["version"])
    variables = dict(machine["environment"])
    if machine["nameservers"] and not machine.windows:
        variables["EVENTSTORE_NAMESERVERS"] = ",".join(machine["nameservers"])
    planned: dict[str, t.Any] = {
        "platform": "windows" if machine.windows else "linux",
        "int_ip": machine["int_ip"],
        "ext_ip": machine["ext_ip"],
        "user": machine["user"],
        "group": machine["group"],
        "config_dir": machine["config_dir"],
        "run_dir": None if machine.windows else machine["run_dir"],
        "software": {
            "root": machine["root"],
            "home": home,
            "archive": machine["archive"],
            "checksum": machine["archive_checksum"],
            "executable": machine["executable"],
            "keep_versions": machine["keep_versions"],
        },
        "nodes": [],
        "manager": None,
        "notes": _notes(machine["version"], nodes, manager),
    }
    for node in nodes:
        discovery = (
            {"DiscoverViaDns": False, "GossipSeed": [str(manager.seed)]} if manager else _discovery(made, node, known)
        )
        log = {"Log": machine["log_dir"]} if machine["log_dir"] else {}
        unsaid_log = None if machine.windows else default_log(machine["version"])
        options = {**node.network, **discovery, "ClusterSize": made["cluster_size"], **log, **node.free}
        planned["nodes"].append(
            {
                "name": node.name,
                "service": f"{machine['service_name']}-{node.name}",
                "config": join(machine["config_dir"], f"{node.name}.yaml"),
                "options": options,
                "environment": variables,
                "listen": [f"{ip}:{port}" for _option, ip, port in addresses.listeners(options)],
                "log": options.get("Log", unsaid_log),
                "data": _unique([options.get("Db"), options.get("Index")]),
                "directories": _written(options, unsaid_log),
            }
        )
    if manager:
        watchdog = join(machine["config_dir"], "watchdog.esconfig")
        options = {
            **manager.network,
            **_discovery(made, manager, known),
            "EnableWatchdog": True,
            "WatchdogConfig": watchdog,
            "Log": machine["manager_log_dir"],
            **manager.free,
        }
        planned["manager"] = {
            "service": machine["service_name"],
            # On Windows the vendor's archive holds the manager.
            "program": join(home, "EventStore.WindowsManager.exe")
            if machine.windows
            else join(machine["root"], "es-manager.pyz"),
            "config": join(machine["config_dir"], "manager.yaml"),
            "options": options,
            "watchdog": {"path": watchdog, "nodes": [["--config", node["config"]] for node in planned["nodes"]]},
            "arguments": [] if machine.windows else _arguments(machine, home),
            "environment": variables,
            "listen": [f"{ip}:{port}" for _option, ip, port in addresses.listeners(options)],
            "directories": _unique(*(node["directories"] for node in planned["nodes"]), _written(options)),
        }
    services = [planned["manager"]] if manager else planned["nodes"]
    planned["directories"] = _unique(*(service["directories"] for service in services))
    planned["urlacls"] = _urlacls(nodes, manager) if machine.windows else []
    return planned


def _arguments(machine: Machine, home: str) -> list[str]:
    state = join(join(machine["run_dir"], machine["service_name"]), "watchdog.state")
    return ["--node-executable", join(home, machine["executable"]), "--watchdog-state", state]


def _inside(planned: dict[str, t.Any]) -> list[str]:
    """Where a machine's servers are reached by those of the other machines."""
    servers = [*planned["nodes"], *([planned["manager"]] if planned["manager"] else [])]
    return [
        str(addresses.advertised(server["options"], port))
        for server in servers
        for port in addresses.LISTENERS
        if port.startswith("Int") and server["options"].get(port)
    ]


def _written(options: Options, unsaid_log: str | None = None) -> list[str]:
    """The directories that a server with these options writes to: there, and its own, before it starts."""
    return _unique([options.get("Db"), options.get("Index"), options.get("Log", unsaid_log)])


def _unique(*lists: t.Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(filter(None, itertools.chain(*lists))))


def _notes(version: str, nodes: list[_Server], manager: _Server | None) -> list[str]:
    found = [f"{node.name}: {doubt}" for node in nodes if (doubt := addresses.client_doubt(node.options))]
    servers = [("database", node) for node in nodes] + ([("manager", manager)] if manager else [])
    for kind, server in servers:
        found += (f"{server.name}: {doubt}" for doubt in doubts(kind, version, server.options))
    return found


def _urlacls(nodes: list[_Server], manager: _Server | None) -> list[str]:
    """The prefixes that the servers register with http.sys."""
    servers = [*nodes, *([manager] if manager else [])]
    urls = (addresses.prefixes(server.options, side) for server in servers for side in addresses.SIDES)
    # One that HttpListener refuses cannot be reserved either; the lint has it.
    return [url for url in _unique(*urls) if not addresses.prefix_problem(url)]


def _endpoints(host: str, nodes: list[_Server], manager: _Server | None) -> t.Iterator[dict[str, str]]:
    for server in [*nodes, *([manager] if manager else [])]:
        # A node that does not gossip outside answers 404 there.
        side = "Ext" if server.free.get("GossipOnExt", True) else "Int"
        yield {
            "name": f"{host}/{server.name}",
            "host": host,
            "kind": "manager" if server is manager else "database",
            "address": str(addresses.asked(server.options, side)),
            "internal": str(server.seed),
        }


__all__ = ["plan"]
