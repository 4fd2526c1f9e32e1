# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""An inventory for a cluster that runs already: what a plan of it would have to say, so that site finds it unchanged.

The variables are read from the running servers. Then the plan that they give is compared with the files, and what is
left over becomes a free option. What cannot be told is named, and never guessed in silence.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import NODE_PORTS, plan
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import RunningServer
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import VARIABLES

Values = dict[str, t.Any]
Found = t.Mapping[str, t.Sequence[RunningServer]]

_DEFAULTS: Values = {variable.name.partition("_")[2]: variable.default for variable in VARIABLES}
DEFAULT_USER = "eventstore"  # of systemd's services where the inventory names no account
_MANAGER_PORTS = {"IntHttpPort": "manager_int_http_port", "ExtHttpPort": "manager_ext_http_port"}


def adopt(found: Found) -> tuple[Values, list[str]]:
    """(inventory, what it cannot tell). ``found``: host -> its running servers."""
    unknown = [
        f"{host}: no server runs here, and the inventory leaves the machine out" for host in found if not found[host]
    ]
    machines = {host: servers for host, servers in found.items() if servers}
    if not machines:
        return {"eventstore": {"hosts": {}}}, unknown
    hosts = {host: _variables(servers) for host, servers in machines.items()}
    _add_free_options(hosts, machines, unknown)
    for host, servers in machines.items():
        unknown += [
            f"{host}: {each['config']}: the value of {', '.join(each['secrets'])}"
            for each in servers
            if each["secrets"]
        ]
        own = plan(_prefixed(hosts))["hosts"].get(host)
        if own:
            home = own["software"]["home"]
            unknown += [
                f"{host}: the software is not in {home}, where the roles would have it: {' '.join(each['command'])}"
                for each in servers
                if not any(word.startswith(f"{home}/") for word in each["command"])
            ]
    unknown.append(
        "eventstore_archive and its checksum: without them site installs no software, and an upgrade needs them"
    )
    common = _common(hosts)
    rest = {
        host: {f"eventstore_{name}": value for name, value in own.items() if name not in common}
        for host, own in hosts.items()
    }
    shared = {f"eventstore_{name}": value for name, value in common.items()}
    return {"eventstore": {"vars": shared, "hosts": rest}}, unknown


def _common(hosts: t.Mapping[str, Values]) -> Values:
    """What all machines have with the same value."""
    first, *others = hosts.values() or [{}]
    return {
        name: value
        for name, value in first.items()
        if name != "int_ip" and all(each.get(name) == value for each in others)
    }


def _prefixed(hosts: t.Mapping[str, Values]) -> dict[str, Values]:
    return {host: {f"eventstore_{name}": value for name, value in own.items()} for host, own in hosts.items()}


def _variables(servers: t.Sequence[RunningServer]) -> Values:
    """The variables of one machine, without those that are the defaults."""
    managers = [each for each in servers if each["kind"] == "manager"]
    nodes = [each for each in servers if each["kind"] == "database"]
    first = (managers or nodes)[0]
    options = first["options"]
    values = {
        "cluster_mode": "managers" if managers else "nodes",
        "int_ip": options["IntIp"],
        "ext_ip": options.get("ExtIp", options["IntIp"]),
        "config_dir": posixpath.dirname(first["config"]),
        "service_provider": "auto" if first["unit"] else "process",
        "discovery": "dns" if options.get("DiscoverViaDns", True) else "seeds",
        **({"cluster_dns": options["ClusterDns"]} if "ClusterDns" in options else {}),
        **_software(first),
        **_environment(first),
    }
    if first["unit"] and (first["user"], first["group"]) != (DEFAULT_USER, DEFAULT_USER):
        values |= {"user": first["user"], "group": None if first["group"] == first["user"] else first["group"]}
    if managers:
        values |= {name: options[option] for option, name in _MANAGER_PORTS.items() if option in options}
        values |= {"manager_log_dir": options["Log"]} if "Log" in options else {}
    values |= _nodes(_ordered(nodes, first["watchdog"]))
    if values["ext_ip"] == values["int_ip"]:
        del values["ext_ip"]
    return {name: value for name, value in values.items() if value != _DEFAULTS[name] or name == "version"}


def _software(first: RunningServer) -> Values:
    """Where the software is, and under which name the service runs, from a command line."""
    command = first["command"]
    said = {command[place]: command[place + 1] for place in range(len(command) - 1) if command[place].startswith("--")}
    before = command[: next((place for place, word in enumerate(command) if word.startswith("-")), len(command))]
    program = said.get("--node-executable", before[-1] if before else "")
    home = posixpath.dirname(program)
    values = {
        "executable": posixpath.basename(program),
        "root": posixpath.dirname(home),
        "version": posixpath.basename(home),
    }
    state, service = said.get("--watchdog-state", ""), first["unit"].removesuffix(".service")
    if state:
        service = posixpath.basename(posixpath.dirname(state))
        values["run_dir"] = posixpath.dirname(posixpath.dirname(state))
    elif first["kind"] == "database":
        service = service.removesuffix(f"-{first['name']}")
    named = re.fullmatch("es-(.+)", service)
    return {**values, **({"cluster_name": named[1]} if named else {"service_name": service} if service else {})}


def _environment(first: RunningServer) -> Values:
    environment = dict(first["environment"])
    servers = environment.pop("EVENTSTORE_NAMESERVERS", "")
    return {"environment": environment, "nameservers": servers.split(",") if servers else []}


def _ordered(nodes: t.Sequence[RunningServer], order: t.Sequence[str]) -> list[RunningServer]:
    return sorted(nodes, key=lambda node: order.index(node["config"]) if node["config"] in order else len(order))


def _nodes(nodes: t.Sequence[RunningServer]) -> Values:
    logs = {node["options"].get("Log") for node in nodes}
    values: Values = {"log_dir": logs.pop()} if len(logs) == 1 else {}
    ports = [
        {name: node["options"][option] for option, name in NODE_PORTS.items() if option in node["options"]}
        for node in nodes
    ]
    if [node["name"] for node in nodes] == ["database"]:
        return {**values, **ports[0], "data_dir": nodes[0]["options"].get("Db", _DEFAULTS["data_dir"])}
    values["nodes"] = [
        {"name": node["name"], **own, **({"data_dir": node["options"]["Db"]} if "Db" in node["options"] else {})}
        for node, own in zip(nodes, ports)
    ]
    return values


def _add_free_options(hosts: dict[str, Values], machines: Found, unknown: list[str]) -> None:
    """What the files have and the plan has not becomes a free option; what only the plan has is named."""
    planned = plan(_prefixed(hosts))
    unknown += [f"the plan of this inventory: {problem['where']}: {problem['text']}" for problem in planned["problems"]]
    for host, machine in planned["hosts"].items():
        services = {
            each["config"]: each for each in (*machine["nodes"], *([machine["manager"]] if machine["manager"] else []))
        }
        for server in machines[host]:
            service = services.get(server["config"])
            if service is None:
                unknown.append(
                    f"{host}: {server['config']} is no file of the plan, whose files are {', '.join(services)}"
                )
                continue
            options, wanted = server["options"], service["options"]
            free = {name: value for name, value in options.items() if wanted.get(name) != value}
            unknown += [
                f"{host}: {server['config']}: site would add {name}"
                for name in wanted
                if name not in options and name not in server["secrets"]
            ]
            _set_free(hosts[host], server, free)


def _set_free(values: Values, server: RunningServer, free: Values) -> None:
    if not free:
        return
    if server["kind"] == "manager":
        values["manager_options"] = free
    elif "nodes" in values:
        next(node for node in values["nodes"] if node["name"] == server["name"])["options"] = free
    else:
        values["database_options"] = free


__all__ = ["adopt"]
