# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The inventory's variables: their names, types and defaults, and how they are read.

The defaults make Example 1 of the vendor's page "Variable up a Cluster with Manager Nodes" (3.4.0) come out.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import has_credentials
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem

PREFIX = "eventstore_"
# Besides eventstore_*: what tells a machine's address and its platform.
ANSIBLE_VARIABLES = ("ansible_host", "ansible_connection", "ansible_shell_type", "group_names")

Check = t.Callable[[t.Any, bool], str]


@dataclass(frozen=True)
class Variable:
    """One variable. ``type`` and ``elements`` are those of an Ansible argument specification.

    ``default`` None: not set, or derived as the description says. ``windows``: the default there, where it differs.
    ``cluster_wide``: has to be equal on all machines. ``check(value, windows)`` says what is wrong, "" if nothing is.
    """

    name: str
    type: str
    default: t.Any
    description: str
    choices: tuple[str, ...] = ()
    elements: str | None = None
    windows: t.Any = None
    cluster_wide: bool = False
    check: Check = lambda _value, _windows: ""


@dataclass(frozen=True)
class HostVariables:
    """One machine's variables, read. ``local``: the connection is local, so its disk is the controller's."""

    host: str
    windows: bool
    local: bool
    values: dict[str, t.Any]
    groups: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> t.Any:
        return self.values[PREFIX + name]


def _matches(pattern: str, expected: str) -> Check:
    return lambda value, _windows: "" if re.fullmatch(pattern, value) else f"is {value!r}, not {expected}"


def _path(value: str, windows: bool) -> str:
    return path_problem(value, windows=windows)


def _archive(value: str, _windows: bool) -> str:
    if has_credentials(value):
        return "holds a user or a password, which would be shown; they go to the file .netrc of the user on the host"
    return "" if value.strip() else "is empty"


def _at_least_one(value: int, _windows: bool) -> str:
    return "" if value >= 1 else f"is {value}, not 1 or more"


def _version(value: str, _windows: bool) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", value):
        return f"is {value!r}, not a version with three numbers such as 3.4.0"
    if not families.is_supported(value):
        return f"is {value!r}, a version of which nothing is known; this collection deploys 3.x, 4.x and 5.x"
    if not families.traits(value).managers:
        return (
            f"is {value!r}, but this collection deploys 3.x, 4.x and 5.x: manager nodes ended with 5.x; for later"
            " versions there are es_config, which writes and checks their files, and es_gossip_facts"
        )
    return ""


def _ip(value: str, _windows: bool) -> str:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        # 3.x-5.x read gossip seeds as IPv4 only, and an address is somebody's seed.
        return f"is {value!r}, not an IPv4 address{', but IPv6' if _is_ipv6(value) else ''}"
    return ""


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _port(value: int, _windows: bool) -> str:
    return "" if 0 < value < 65536 else f"is {value}, not a port from 1 to 65535"


def _nameservers(value: list[str], _windows: bool) -> str:
    wrong = next((text for text in value if not _is_nameserver(text)), None)
    return f"has {wrong!r}, which is neither IP nor IP:PORT" if wrong else ""


def _is_nameserver(text: str) -> bool:
    is_ip = _is_ipv6(text) or (text.count(".") == 3 and ":" not in text)
    try:
        Endpoint.parse(f"{text}:53" if is_ip else text)
    except ValueError:
        return False
    return True


NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
NODE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
DNS_NAME = r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
_name = _matches(NAME, "a name of letters, digits, '.', '_' and '-'")

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "eventstore_version", "str", "3.4.0", "Version of Event Store, 3.x to 5.x.", cluster_wide=True, check=_version
    ),
    Variable(
        "eventstore_cluster_name",
        "str",
        "cluster1",
        "Name of the cluster, for the operator's eyes.",
        cluster_wide=True,
        check=_name,
    ),
    Variable(
        "eventstore_inventory_group",
        "str",
        "eventstore",
        "Name of the inventory group that holds the machines of the cluster, for playbooks only with -e.",
        cluster_wide=True,
    ),
    Variable(
        "eventstore_report",
        "str",
        None,
        "HTML file on the controller, to which status, site, rolls and upgrades write a page about the cluster.",
    ),
    Variable(
        "eventstore_cluster_mode",
        "str",
        "managers",
        "A manager on each machine, which runs its database nodes; or database nodes only.",
        choices=("managers", "nodes"),
        cluster_wide=True,
    ),
    Variable(
        "eventstore_discovery",
        "str",
        "dns",
        "How machines find each other: a DNS name with one A record for each machine, or a list of addresses.",
        choices=("dns", "seeds"),
        cluster_wide=True,
    ),
    Variable(
        "eventstore_cluster_dns",
        "str",
        "cluster1.eventstore.local",
        "DNS name of the cluster.",
        cluster_wide=True,
        check=_matches(DNS_NAME, "a DNS name"),
    ),
    Variable(
        "eventstore_nameservers",
        "list",
        [],
        "Name servers to ask, as IP or IP:PORT, in place of the system's.",
        elements="str",
        cluster_wide=True,
        check=_nameservers,
    ),
    Variable(
        "eventstore_int_ip",
        "str",
        None,
        "Address for the traffic inside the cluster; ansible_host or the host's name if that is an IP address.",
        check=_ip,
    ),
    Variable("eventstore_ext_ip", "str", None, "Address for clients; the internal one if unset.", check=_ip),
    Variable("eventstore_int_tcp_port", "int", 1112, "Internal TCP port of a database node.", check=_port),
    Variable("eventstore_int_http_port", "int", 2112, "Internal HTTP port of a database node.", check=_port),
    Variable("eventstore_ext_tcp_port", "int", 1113, "External TCP port of a database node.", check=_port),
    Variable("eventstore_ext_http_port", "int", 2113, "External HTTP port of a database node.", check=_port),
    Variable("eventstore_manager_int_http_port", "int", 30777, "Internal HTTP port of a manager.", check=_port),
    Variable(
        "eventstore_manager_ext_http_port",
        "int",
        30778,
        "External HTTP port of a manager, where clients find the cluster.",
        check=_port,
    ),
    Variable(
        "eventstore_nodes",
        "list",
        [{"name": "database"}],
        "The database nodes of this machine.",
        elements="dict",
    ),
    Variable(
        "eventstore_database_options", "dict", {}, "Further options of the database nodes; they win over derived ones."
    ),
    Variable("eventstore_manager_options", "dict", {}, "Further options of the manager; they win over derived ones."),
    Variable(
        "eventstore_service_name",
        "str",
        None,
        "Name of the manager's service, and first part of a database node's; es-<eventstore_cluster_name> if unset.",
        check=_name,
    ),
    Variable(
        "eventstore_service_provider",
        "str",
        "auto",
        "What runs the services.",
        choices=("auto", "systemd", "process", "windows"),
        cluster_wide=True,
    ),
    Variable(
        "eventstore_root",
        "str",
        "/opt/eventstore",
        "Directory of the software, one directory in it for each version.",
        windows="c:\\EventStore",
        check=_path,
    ),
    Variable(
        "eventstore_config_dir",
        "str",
        "/etc/eventstore",
        "Directory of the configuration files.",
        windows="c:\\EventStore-Config",
        check=_path,
    ),
    Variable(
        "eventstore_data_dir",
        "str",
        "/var/lib/eventstore",
        "Directory of the data of the node named database; that of any other node is <eventstore_data_dir>-<name>.",
        windows="d:\\es-data",
        check=_path,
    ),
    Variable(
        "eventstore_log_dir", "str", None, "Directory of the database nodes' logs; the server's if unset.", check=_path
    ),
    Variable(
        "eventstore_manager_log_dir",
        "str",
        "/var/log/eventstore/manager",
        "Directory of the manager's log.",
        windows="d:\\manager-log",
        check=_path,
    ),
    Variable(
        "eventstore_run_dir",
        "str",
        "/run/eventstore",
        "Directory of what a running service notes down; not used on Windows.",
        check=lambda value, _windows: path_problem(value, windows=False),
    ),
    Variable(
        "eventstore_archive",
        "str",
        None,
        "Archive of the software, a path on the controller or a URL; if unset the software has to be there.",
        check=_archive,
    ),
    Variable(
        "eventstore_archive_checksum",
        "str",
        None,
        "Checksum of the archive, sha256:HEX; needed with an archive.",
        check=_matches(r"sha256:[0-9a-fA-F]{64}", "sha256: and 64 hexadecimal digits, as sha256sum prints them"),
    ),
    Variable(
        "eventstore_executable",
        "str",
        "eventstored",
        "The database node's program, in the directory of the version.",
        windows="EventStore.ClusterNode.exe",
        check=_name,
    ),
    Variable("eventstore_keep_versions", "int", 2, "How many versions of the software are kept.", check=_at_least_one),
    Variable(
        "eventstore_user",
        "str",
        None,
        "Account the services run under, made where it is missing; eventstore if unset, with "
        "eventstore_service_provider process and on Windows the connection's.",
        check=_name,
    ),
    Variable(
        "eventstore_group",
        "str",
        None,
        "Group the services run under, made where it is missing; the account's if unset.",
        check=_name,
    ),
    Variable(
        "eventstore_environment",
        "dict",
        {},
        "Environment variables of the services; those of the servers (EVENTSTORE_*) are checked like their options.",
    ),
)

# What an item of eventstore_nodes can say; where it is silent the machine's variable holds.
NODE_VARIABLES: tuple[Variable, ...] = (
    Variable("name", "str", None, "Name of the node, and of its file.", check=_matches(NODE_NAME, "a name for a file")),
    Variable("int_tcp_port", "int", None, "In place of eventstore_int_tcp_port.", check=_port),
    Variable("int_http_port", "int", None, "In place of eventstore_int_http_port.", check=_port),
    Variable("ext_tcp_port", "int", None, "In place of eventstore_ext_tcp_port.", check=_port),
    Variable("ext_http_port", "int", None, "In place of eventstore_ext_http_port.", check=_port),
    Variable("data_dir", "str", None, "In place of eventstore_data_dir, with nothing added to it.", check=_path),
    Variable("options", "dict", {}, "Further options; they win over eventstore_database_options."),
)

# Their files would be the manager's.
RESERVED_NODE_NAMES = ("manager", "watchdog")

_BY_NAME = {variable.name: variable for variable in VARIABLES}
_NODE_BY_NAME = {variable.name: variable for variable in NODE_VARIABLES}
_PYTHON_TYPES: dict[str, tuple[type, str]] = {
    "str": (str, "a string"),
    "int": (int, "an integer"),
    "list": (list, "a list"),
    "dict": (dict, "a dictionary"),
}


def nearest(name: str, names: t.Iterable[str]) -> str:
    """The nearest of ``names``, "" if none is near."""
    # The prefix all have in common would make everything near.
    by_rest = {each.replace(PREFIX, "", 1): each for each in names}
    close = difflib.get_close_matches(name.replace(PREFIX, "", 1), by_rest, n=1, cutoff=0.7)
    return by_rest[close[0]] if close else ""


def read_machine(host: str, variables: t.Mapping[str, t.Any], problems: list[Problem]) -> HostVariables:
    """Read one host's variables; adds their problems to ``problems``."""
    connection = str(variables.get("ansible_connection", "")).rpartition(".")[2]
    windows = connection in ("winrm", "psrp") or variables.get("ansible_shell_type") in ("powershell", "cmd")
    given = {name: value for name, value in variables.items() if name.startswith(PREFIX) and value is not None}
    problems += _unknown(host, "", given, _BY_NAME)
    values: dict[str, t.Any] = {}
    for variable in VARIABLES:
        values[variable.name] = variable.windows if windows and variable.windows is not None else variable.default
        if variable.name in given:
            values[variable.name] = _read(host, variable.name, variable, given[variable.name], windows, problems)
    values["eventstore_nodes"] = _read_nodes(host, values["eventstore_nodes"], windows, problems)
    _derive(host, given, values, variables, problems, windows=windows)
    return HostVariables(host, windows, connection == "local", values, tuple(variables.get("group_names") or ()))


def _derive(
    host: str,
    given: t.Mapping[str, t.Any],
    values: dict[str, t.Any],
    variables: t.Mapping[str, t.Any],
    problems: list[Problem],
    *,
    windows: bool,
) -> None:
    if "eventstore_int_ip" not in given:
        address = values["eventstore_int_ip"] = str(variables.get("ansible_host") or host)
        if _ip(address, False):
            kind = "an IPv6 address" if _is_ipv6(address) else "a name"
            problems.append(
                Problem(
                    "wrong-value",
                    f"eventstore_int_ip is not set, and {address!r}, where Ansible connects to, is {kind}",
                    "Write the machine's address inside the cluster, such as eventstore_int_ip: 192.168.1.11",
                    host,
                )
            )
    if values["eventstore_ext_ip"] is None:
        values["eventstore_ext_ip"] = values["eventstore_int_ip"]
    if values["eventstore_user"] is None and not windows and values["eventstore_service_provider"] != "process":
        values["eventstore_user"] = "eventstore"
    if values["eventstore_service_name"] is None:
        values["eventstore_service_name"] = f"es-{values['eventstore_cluster_name']}"
    if values["eventstore_archive"] and "eventstore_archive_checksum" not in given:
        problems.append(
            Problem(
                "checksum-missing",
                "eventstore_archive is set, and eventstore_archive_checksum is not",
                "Write what sha256sum prints for the archive you trust: eventstore_archive_checksum: sha256:HEX",
                host,
            )
        )


def _read_nodes(host: str, items: t.Any, windows: bool, problems: list[Problem]) -> list[dict[str, t.Any]]:
    if not items:
        problems.append(
            Problem(
                "wrong-value",
                "eventstore_nodes is empty",
                "Name at least one database node, or take the machine out of the group",
                host,
            )
        )
    nodes: list[dict[str, t.Any]] = []
    for index, item in enumerate(items):
        place = f"eventstore_nodes[{index}]"
        problems += _unknown(host, f"{place}.", item, _NODE_BY_NAME)
        node = {
            name: _read(host, f"{place}.{name}", _NODE_BY_NAME[name], value, windows, problems)
            for name, value in item.items()
            if name in _NODE_BY_NAME and value is not None
        }
        if item.get("name") is None:
            problems.append(Problem("wrong-value", f"{place} has no name", "Write for example name: database", host))
        if node.get("name") is None:
            continue
        if node["name"].lower() in RESERVED_NODE_NAMES:
            problems.append(
                Problem(
                    "wrong-value",
                    f"{place}.name is {node['name']!r}, but the file of that name is the manager's",
                    "Give the node another name",
                    host,
                )
            )
        if node["name"].lower() in (other["name"].lower() for other in nodes):
            problems.append(
                Problem(
                    "node-twice",
                    f"eventstore_nodes names two nodes {node['name']!r}",
                    "Give each database node of a machine a name of its own",
                    host,
                )
            )
        nodes.append(node)
    return nodes


def _unknown(
    host: str, prefix: str, given: t.Mapping[str, t.Any], known: t.Mapping[str, Variable]
) -> t.Iterator[Problem]:
    for name in given:
        if name not in known:
            meant = nearest(str(name), known)
            hint = f"Write {meant}" if meant else "A variable of your own needs another prefix"
            yield Problem("unknown-variable", f"{prefix}{name} is not a variable of this collection", hint, host)


def _read(host: str, place: str, variable: Variable, value: t.Any, windows: bool, problems: list[Problem]) -> t.Any:
    """The value as its type; in its place the default, and a problem, if it cannot be read."""
    kind, kind_name = _PYTHON_TYPES[variable.type]
    if kind is int and isinstance(value, str) and re.fullmatch(r" *[0-9]{1,9} *", value):
        value = int(value)  # a template gives a text up to ansible-core 2.18
    problem = ""
    if not isinstance(value, kind) or isinstance(value, bool):
        # What was to be a mapping of options or variables may hold a password.
        problem = f"is {_shown(value) if kind is not dict else f'a {type(value).__name__}'}, not {kind_name}"
    elif variable.elements and not _all_are(value, variable.elements):
        problem = f"has an item that is not {_PYTHON_TYPES[variable.elements][1]}"
    elif variable.choices and value not in variable.choices:
        problem = f"is {value!r}, not one of {', '.join(variable.choices)}"
    problem = problem or variable.check(value, windows)
    if not problem:
        return value
    problems.append(Problem("wrong-value", f"{place} {problem}", _advice(variable, value), host))
    return variable.default


def _all_are(items: t.Any, kind: str) -> bool:
    return all(isinstance(item, _PYTHON_TYPES[kind][0]) for item in items)


def _shown(value: t.Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, (list, dict)) else repr(value)


def _advice(variable: Variable, value: t.Any) -> str:
    if variable.choices:
        meant = nearest(str(value), variable.choices)
        return f"Write {meant}" if meant else f"Write one of {', '.join(variable.choices)}"
    if variable.check is _path and isinstance(value, str):
        return "Write the whole path, and on Windows without quotes or in single ones: 'd:\\es-data'"
    if variable.type == "str" and isinstance(value, (int, float)):
        return "Put it in quotes"
    return variable.description


def differences(inventory: t.Sequence[HostVariables]) -> t.Iterator[Problem]:
    """Cluster-wide variables that are not equal on all machines."""
    for variable in VARIABLES:
        if not variable.cluster_wide:
            continue
        hosts_by_value: dict[str, list[str]] = {}
        for each in inventory:
            hosts_by_value.setdefault(str(each.values[variable.name]), []).append(each.host)
        if len(hosts_by_value) > 1:
            said = "; ".join(f"{value} on {', '.join(hosts)}" for value, hosts in hosts_by_value.items())
            yield Problem(
                "not-cluster-wide",
                f"{variable.name} differs between the machines: {said}",
                "Set it once, in the variables of the group",
            )


__all__ = [
    "ANSIBLE_VARIABLES",
    "NODE_VARIABLES",
    "PREFIX",
    "VARIABLES",
    "HostVariables",
    "Variable",
    "differences",
    "nearest",
    "read_machine",
]
