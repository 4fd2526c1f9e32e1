# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The problems of a plan. The rules read the options as they will be written, whatever set them.

A rule is a function of the plan and the inventory that yields problems; numbers such as #1585 are issues of
kurrent-io/KurrentDB in which operators paid for what the rule finds.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, WatchdogError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import is_within, join, same_path
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.options import environment_names
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.server import PlannedServer
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import ManagerPlan, Plan, servers, units
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import HostVariables

# What a plan makes of options that it does not set itself: addresses, directories, endpoints.
PLANNED = addresses.OPTIONS | {"GossipOnExt", "Index", "Log"}

Problems = t.Iterator[Problem]
Rule = t.Callable[[Plan, t.Sequence[HostVariables]], Problems]
_T = t.TypeVar("_T")


def check(plan: Plan, inventory: t.Sequence[HostVariables]) -> list[Problem]:
    """All problems of a plan, in the order of the rules."""
    return [problem for rule in RULES for problem in rule(plan, inventory)]


def _servers(plan: Plan, kind: str = "") -> t.Iterator[PlannedServer]:
    return (server for host in plan["hosts"] for server in _servers_of(plan, host) if kind in ("", server.kind))


def _servers_of(plan: Plan, host: str) -> t.Iterator[PlannedServer]:
    machine = plan["hosts"][host]
    for node in machine["nodes"]:
        yield PlannedServer(host, node["name"], "database", node["options"])
    if machine["manager"]:
        yield PlannedServer(host, "manager", "manager", machine["manager"]["options"])


def _known(plan: Plan) -> list[PlannedServer]:
    """The servers that the others discover: managers, or without them database nodes."""
    return list(_servers(plan, "manager" if plan["mode"] == "managers" else "database"))


def _first(items: t.Iterable[_T]) -> _T:
    return next(iter(items))


def _cluster_size(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    size = plan["cluster_size"]
    if size == 1:
        yield Problem(
            "cluster-of-one",
            f"the cluster has one database node, {_first(_servers(plan, 'database')).label}: a node with ClusterSize 1 "
            "does not open its internal ports and never answers GET /gossip, so its state cannot be checked",
            "Add machines to the group until there are three, or three nodes to eventstore_nodes",
        )
    elif size % 2 == 0:
        yield Problem(
            "even-cluster",
            f"the cluster has {size} database nodes, an even number: it can lose no more nodes than a cluster of "
            f"{size - 1}",
            f"Plan {size - 1} or {size + 1} nodes" if size > 2 else "Plan 3 nodes",
        )
    for server in _servers(plan, "database"):
        said = server.options["ClusterSize"]
        if said != size:
            # A wrong size shows nowhere in gossip; 1 makes every node its own master (#1878).
            yield Problem(
                "cluster-size",
                f"ClusterSize is {said}, but the plan has {size} database nodes",
                f"Remove ClusterSize from {server.variable}; it is derived from the inventory",
                server.label,
            )


def _wildcards(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    """A plan has to know what a server tells the others to be; of one that does not say so, it cannot."""
    for server in _servers(plan):
        sides = [side for side in addresses.SIDES if addresses.is_any(server.advertised(side).host)]
        if not sides:
            continue
        way_out = "the machine's own address in eventstore_int_ip and eventstore_ext_ip"
        why = "is advertised, and other servers cannot reach it"
        if server.kind == "database":
            way_out = f"{' and '.join(f'{side}IpAdvertiseAs' for side in sides)} in {server.variable}, or {way_out}"
            if server.options.get("AddInterfacePrefixes", True):
                why = "makes the node advertise the first address of its machine, which is not known"
        named = " and ".join(f"{side}IpAdvertiseAs" if server.is_translated(side) else f"{side}Ip" for side in sides)
        yield Problem(
            "wildcard-address",
            f"{named}: {addresses.ANY_IP} {why}",
            f"Set {way_out}",
            server.label,
        )


def _addresses(plan: Plan, inventory: t.Sequence[HostVariables]) -> Problems:
    hosts_by_ip: dict[str, dict[str, str]] = {}
    for server in _servers(plan):
        for side in addresses.SIDES:
            ip = server.advertised(side).host
            option = f"{side}IpAdvertiseAs" if server.is_translated(side) else f"{side}Ip"
            if not addresses.is_any(ip):
                hosts_by_ip.setdefault(ip, {}).setdefault(server.host, option)
    loopback = {ip: ipaddress.ip_address(ip).is_loopback for ip in hosts_by_ip}
    for ip, hosts in hosts_by_ip.items():
        if loopback[ip] and len(inventory) > 1 and not all(loopback.values()):
            yield Problem(
                "loopback-address",
                f"{_first(hosts.values())} is {ip}, which the other machines cannot reach",
                "Set eventstore_int_ip or eventstore_ext_ip to an address of the machine",
                ", ".join(hosts),
            )
        # A translation can have one address for several machines, with a port for each.
        elif len(hosts) > 1 and any(not option.endswith("AdvertiseAs") for option in hosts.values()):
            yield Problem(
                "address-twice",
                f"{' and '.join(hosts)} have the same address {ip}",
                "Set a different address for each machine; list several nodes of one machine in its eventstore_nodes",
            )


def _advertised_twice(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    """Two servers under one name in gossip are one to all others."""
    users: dict[Endpoint, PlannedServer] = {}
    for server in _servers(plan):
        for side in addresses.SIDES:
            given = server.advertised(side)
            other = users.setdefault(given, server)
            if other is not server and other.host != server.host and server.is_translated(side):
                yield Problem(
                    "address-twice",
                    f"{other.label} and {server.label} both advertise {given} ({side}IpAdvertiseAs)",
                    f"Set a different {side}IpAdvertiseAs for each machine, or a different {side}HttpPortAdvertiseAs, "
                    f"in {server.variable}",
                )


def _port_clashes(plan: Plan, inventory: t.Sequence[HostVariables]) -> Problems:
    """Two servers on one socket. 0.0.0.0 and an address behind a translation are each machine's own."""
    local = {variables.host for variables in inventory if variables.local}
    by_port: dict[int, list[tuple[PlannedServer, str, bool, str]]] = {}
    for server in _servers(plan):
        for option, ip, port in addresses.listeners(server.options):
            own = addresses.is_any(ip) or server.is_translated(option[:3])
            user = f"{option} of {server.label}"
            for other, other_ip, other_own, other_user in by_port.setdefault(port, []):
                one_machine = server.host == other.host or {server.host, other.host} <= local
                same = ip == other_ip and not (own or other_own)
                if same or (one_machine and (ip == other_ip or any(map(addresses.is_any, (ip, other_ip))))):
                    # The server does not refuse it: it hangs, half started (measured on 3.4.0; #1585).
                    yield Problem(
                        "port-clash",
                        f"{ip}:{port} is planned twice, as {other_user} and as {user}",
                        "Set another port for one of them; set the ports of several nodes in eventstore_nodes",
                        server.host,
                    )
            by_port[port].append((server, ip, own, user))


def _prefixes(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    """Where the HTTP servers listen, and to which names they answer."""
    for server in _servers(plan, "database"):
        for side, word in addresses.SIDES.items():
            if side == "Int" and plan["cluster_size"] == 1:
                continue  # it is not even started (measured on 3.4.0)
            wrong = addresses.refused_prefixes(server.options, side)
            for text, why in wrong.items():
                yield Problem(
                    "http-prefix",
                    f"{side}HttpPrefixes has {text!r}, but {why}; the node does not start",
                    f"Correct {side}HttpPrefixes in {server.variable}",
                    server.label,
                )
            doubt = "" if wrong else addresses.prefix_doubt(server.options, side)
            if doubt:
                yield Problem(
                    "http-prefix",
                    f"its {word} HTTP server {doubt}",
                    f"Set {addresses.any_prefixes(server.options)} in {server.variable}",
                    server.label,
                )


def _discovery(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    known = _known(plan)
    members = {str(server.seed) for server in _servers(plan)}
    for server in _servers(plan):
        if server.options["DiscoverViaDns"]:
            yield from _dns_of(plan, server)
        else:
            lone = server.kind == known[0].kind and len(known) == 1
            yield from _seeds_of(server, members, lone=lone)


def _dns_of(plan: Plan, server: PlannedServer) -> Problems:
    options, dns = server.options, plan["dns"]
    if not dns:
        yield Problem(
            "dns-unplanned",
            "DiscoverViaDns is true, but eventstore_discovery is seeds, and the server ignores seeds "
            "when it discovers by DNS",
            f"Remove DiscoverViaDns from {server.variable}, or set eventstore_discovery: dns",
            server.label,
        )
        return
    if options.get("ClusterDns") != dns["name"]:
        yield Problem(
            "cluster-dns",
            f"ClusterDns is {options.get('ClusterDns', 'not set')}, but eventstore_cluster_dns is {dns['name']}",
            f"Remove ClusterDns from {server.variable} and set eventstore_cluster_dns",
            server.label,
        )
    port = options.get("ClusterGossipPort", 30777)
    if port != dns["port"]:
        who = "managers listen" if plan["mode"] == "managers" else "database nodes listen"
        # The addresses of the DNS name are asked at this port; at a wrong one no one answers (#1585).
        yield Problem(
            "gossip-port",
            f"ClusterGossipPort is {port}, but the {who} on IntHttpPort {dns['port']}",
            f"Remove ClusterGossipPort from {server.variable}; it is derived from the port",
            server.label,
        )
    if options.get("GossipSeed"):
        yield Problem(
            "seeds-ignored",
            "GossipSeed is set, but the server ignores it because DiscoverViaDns is true",
            f"Remove GossipSeed from {server.variable}, or set eventstore_discovery: seeds",
            server.label,
        )


def _seeds_of(server: PlannedServer, members: set[str], *, lone: bool) -> Problems:
    seeds = server.options.get("GossipSeed", [])
    advice = f"Remove GossipSeed from {server.variable}; the seeds are derived from the inventory"
    if not seeds:
        if not lone:
            yield Problem("no-seed", "GossipSeed is empty, so the server finds no other server", advice, server.label)
        return
    for seed in seeds:
        if seed not in members:
            text = f"GossipSeed {seed} is the internal HTTP address of no server in the plan"
            yield Problem("foreign-seed", text, advice, server.label)
    if all(seed == str(server.seed) for seed in seeds):
        yield Problem("own-seed", "GossipSeed lists only the server itself", advice, server.label)


def _gossip_ports(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    """One port serves all addresses of a DNS name, so someone has to listen there on every machine."""
    if not plan["dns"]:
        return
    port = plan["dns"]["port"]
    ports: dict[str, list[int]] = {}
    for server in _known(plan):
        ports.setdefault(server.host, []).append(server.advertised("Int").port)
    for host, found in ports.items():
        if port not in found:
            yield Problem(
                "gossip-ports-differ",
                f"the internal HTTP port is {', '.join(map(str, found))}, but {port} on {_first(ports)}: with a DNS "
                "name, servers query all machines on one port",
                "Use the same port, or set eventstore_discovery: seeds",
                host,
            )


def _watchdog(plan: Plan, inventory: t.Sequence[HostVariables]) -> Problems:
    if plan["mode"] == "nodes":
        hosts = [variables.host for variables in inventory if variables["manager_options"]]
        if hosts:
            yield Problem(
                "no-managers",
                "eventstore_manager_options is set, but eventstore_cluster_mode is nodes",
                "Remove one of the two variables",
                ", ".join(hosts),
            )
        return
    for server in _servers(plan, "manager"):
        machine = plan["hosts"][server.host]
        windows = machine["platform"] == "windows"
        planned = t.cast(ManagerPlan, machine["manager"])["watchdog"]
        try:
            watchdog.render(planned["nodes"])
        except WatchdogError as error:
            yield Problem(
                "watchdog-path",
                error.problem,
                "Set eventstore_config_dir to a directory without spaces and quotes",
                server.host,
            )
        written, read = planned["path"], server.options["WatchdogConfig"]
        if same_path(read, windows=windows) != same_path(written, windows=windows):
            yield Problem(
                "watchdog-elsewhere",
                f"WatchdogConfig is {read}, but the file that lists the nodes is {written}",
                "Remove WatchdogConfig from eventstore_manager_options and set eventstore_config_dir",
                server.label,
            )
        if not server.options["EnableWatchdog"]:
            yield Problem(
                "watchdog-off",
                "EnableWatchdog is false, so the manager does not start its database nodes",
                "Remove EnableWatchdog from eventstore_manager_options, or set eventstore_cluster_mode: nodes",
                server.label,
            )


def _shared_files(plan: Plan, inventory: t.Sequence[HostVariables]) -> Problems:
    """Files and directories that two servers would write; machines with a local connection share one disk."""
    databases: dict[str, list[tuple[str, str]]] = {}
    files: dict[tuple[str, str], str] = {}
    for variables in inventory:
        disk = "" if variables.local else variables.host
        machine = plan["hosts"][variables.host]
        run_dir, started = machine["run_dir"], [unit["service"] for unit in units(machine)]
        written = [(service["config"], service["config"]) for service in servers(machine)]
        written += [(join(run_dir, unit), run_dir) for unit in started if run_dir]
        # Where units are systemd's, or perhaps are, the computer has one of each name.
        for unit in sorted(started) if variables.local and plan["provider"] != "process" else ():
            other = files.setdefault(("systemd", unit), variables.host)
            if other != variables.host:
                yield Problem(
                    "service-twice",
                    f"{other} and {variables.host} are on one computer and would both have the service {unit}",
                    "Set a different eventstore_service_name for each machine, or eventstore_service_provider: process",
                )
        for path, shown in dict(written).items():
            other = files.setdefault((disk, same_path(path, windows=variables.windows)), variables.host)
            if other != variables.host:
                yield Problem(
                    "file-twice",
                    f"{other} and {variables.host} are on one disk and would both write {shown}",
                    "Set a different eventstore_config_dir and eventstore_run_dir for each machine",
                )
        for node in machine["nodes"]:
            label = f"{variables.host}/{node['name']}"
            path = same_path(node["options"]["Db"], windows=variables.windows)
            for other_label, other_path in databases.setdefault(disk, []):
                # The lock of 3.4.0 does not keep a second node out: both become master on the same files (measured).
                if is_within(path, other_path) or is_within(other_path, path):
                    yield Problem(
                        "data-twice",
                        f"{other_label} and {label} would keep their data in the same directory, "
                        f"{node['options']['Db']}",
                        "Set a different eventstore_data_dir for each machine, or data_dir in eventstore_nodes",
                    )
            databases[disk].append((label, path))


def _environment(plan: Plan, _inventory: t.Sequence[HostVariables]) -> Problems:
    for host, machine in plan["hosts"].items():
        service = units(machine)[0]
        for server in _servers_of(plan, host):
            names = environment_names(server.kind, plan["version"])
            for name in service["environment"]:
                option = names.get(name, "")
                if option in server.options:
                    yield Problem(
                        "environment-wins",
                        f"{name} in eventstore_environment overrides {option} of its file",
                        f"Remove {name}; to change {option}, set it in {server.variable}",
                        server.label,
                    )
                elif option in PLANNED:
                    yield Problem(
                        "environment-wins",
                        f"{name} in eventstore_environment sets {option}, which the plan must know",
                        f"Set {option} in {server.variable} instead",
                        server.label,
                    )


RULES: tuple[Rule, ...] = (
    _cluster_size,
    _wildcards,
    _addresses,
    _advertised_twice,
    _port_clashes,
    _prefixes,
    _gossip_ports,
    _discovery,
    _watchdog,
    _shared_files,
    _environment,
)

__all__ = ["RULES", "check"]
