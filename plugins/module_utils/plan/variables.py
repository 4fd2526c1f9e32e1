# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The inventory's variables: which there are, what they default to, and how they are read.

The defaults make Example 1 of the vendor's page "Setting up a Cluster with Manager Nodes" (3.4.0) come out.
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
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem

PREFIX = "eventstore_"
# Besides eventstore_*: what tells a machine's address and its platform.
ANSIBLE_VARIABLES = ("ansible_host", "ansible_connection", "ansible_shell_type", "group_names")

Check = t.Callable[[t.Any, bool], str]


class Problem(t.NamedTuple):
    """Something that is wrong: a word to look for, a sentence that names the place, and what to do."""

    code: str
    text: str
    hint: str


@dataclass(frozen=True)
class Setting:
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
class Machine:
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
        return f"is {value!r}, but this collection deploys 3.x, 4.x and 5.x: manager nodes ended with 5.x"
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

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "eventstore_version", "str", "3.4.0", "Version of Event Store, 3.x to 5.x.", cluster_wide=True, check=_version
    ),
    Setting(
        "eventstore_cluster_name",
        "str",
        "cluster1",
        "Name of the cluster, for the operator's eyes.",
        cluster_wide=True,
        check=_name,
    ),
    Setting(
        "eventstore_inventory_group",
        "str",
        "eventstore",
        "Name of the inventory group that holds the machines of the cluster, for playbooks only with -e.",
        cluster_wide=True,
    ),
    Setting(
        "eventstore_cluster_mode",
        "str",
        "managers",
        "A manager on each machine, which runs its database nodes; or database nodes only.",
        choices=("managers", "nodes"),
        cluster_wide=True,
    ),
    Setting(
        "eventstore_discovery",
        "str",
        "dns",
        "How machines find each other: a DNS name with one A record for each machine, or a list of addresses.",
        choices=("dns", "seeds"),
        cluster_wide=True,
    ),
    Setting(
        "eventstore_cluster_dns",
        "str",
        "cluster1.eventstore.local",
        "DNS name of the cluster.",
        cluster_wide=True,
        check=_matches(DNS_NAME, "a DNS name"),
    ),
    Setting(
        "eventstore_nameservers",
        "list",
        [],
        "Name servers to ask, as IP or IP:PORT, in place of the system's.",
        elements="str",
        cluster_wide=True,
        check=_nameservers,
    ),
    Setting(
        "eventstore_int_ip",
        "str",
        None,
        "Address for the traffic inside the cluster; ansible_host or the host's name if that is an IP address.",
        check=_ip,
    ),
    Setting("eventstore_ext_ip", "str", None, "Address for clients; the internal one if unset.", check=_ip),
    Setting("eventstore_int_tcp_port", "int", 1112, "Internal TCP port of a database node.", check=_port),
    Setting("eventstore_int_http_port", "int", 2112, "Internal HTTP port of a database node.", check=_port),
    Setting("eventstore_ext_tcp_port", "int", 1113, "External TCP port of a database node.", check=_port),
    Setting("eventstore_ext_http_port", "int", 2113, "External HTTP port of a database node.", check=_port),
    Setting("eventstore_manager_int_http_port", "int", 30777, "Internal HTTP port of a manager.", check=_port),
    Setting(
        "eventstore_manager_ext_http_port",
        "int",
        30778,
        "External HTTP port of a manager, where clients find the cluster.",
        check=_port,
    ),
    Setting(
        "eventstore_nodes",
        "list",
        [{"name": "database"}],
        "The database nodes of this machine.",
        elements="dict",
    ),
    Setting(
        "eventstore_database_options", "dict", {}, "Further options of the database nodes; they win over derived ones."
    ),
    Setting("eventstore_manager_options", "dict", {}, "Further options of the manager; they win over derived ones."),
    Setting(
        "eventstore_service_name",
        "str",
        None,
        "Name of the manager's service, and first part of a database node's; es-<eventstore_cluster_name> if unset.",
        check=_name,
    ),
    Setting(
        "eventstore_service_provider",
        "str",
        "auto",
        "What runs the services.",
        choices=("auto", "systemd", "process", "windows"),
        cluster_wide=True,
    ),
    Setting(
        "eventstore_root",
        "str",
        "/opt/eventstore",
        "Directory of the software, one directory in it for each version.",
        windows="c:\\EventStore",
        check=_path,
    ),
    Setting(
        "eventstore_config_dir",
        "str",
        "/etc/eventstore",
        "Directory of the configuration files.",
        windows="c:\\EventStore-Config",
        check=_path,
    ),
    Setting(
        "eventstore_data_dir",
        "str",
        "/var/lib/eventstore",
        "Directory of the data of the node named database; that of any other node is <eventstore_data_dir>-<name>.",
        windows="d:\\es-data",
        check=_path,
    ),
    Setting(
        "eventstore_log_dir", "str", None, "Directory of the database nodes' logs; the server's if unset.", check=_path
    ),
    Setting(
        "eventstore_manager_log_dir",
        "str",
        "/var/log/eventstore/manager",
        "Directory of the manager's log.",
        windows="d:\\manager-log",
        check=_path,
    ),
    Setting(
        "eventstore_run_dir",
        "str",
        "/run/eventstore",
        "Directory of what a running service notes down; not used on Windows.",
        check=lambda value, _windows: path_problem(value, windows=False),
    ),
    Setting(
        "eventstore_archive",
        "str",
        None,
        "Archive of the software, a path on the controller or a URL; if unset the software has to be there.",
        check=_archive,
    ),
    Setting(
        "eventstore_archive_checksum",
        "str",
        None,
        "Checksum of the archive, sha256:HEX; needed with an archive.",
        check=_matches(r"sha256:[0-9a-fA-F]{64}", "sha256: and 64 hexadecimal digits, as sha256sum prints them"),
    ),
    Setting(
        "eventstore_executable",
        "str",
        "eventstored",
        "The database node's program, in the directory of the version.",
        windows="EventStore.ClusterNode.exe",
        check=_name,
    ),
    Setting("eventstore_keep_versions", "int", 2, "How many versions of the software are kept.", check=_at_least_one),
    Setting(
        "eventstore_user",
        "str",
        None,
        "Account the services run under, made where it is missing; eventstore if unset, with "
        "eventstore_service_provider process and on Windows the connection's.",
        check=_name,
    ),
    Setting(
        "eventstore_group",
        "str",
        None,
        "Group the services run under, made where it is missing; the account's if unset.",
        check=_name,
    ),
    Setting(
        "eventstore_environment",
        "dict",
        {},
        "Environment variables of the services; those of the servers (EVENTSTORE_*) are checked like their options.",
    ),
)

# What an item of eventstore_nodes can say; where it is silent the machine's variable holds.
NODE_SETTINGS: tuple[Setting, ...] = (
    Setting("name", "str", None, "Name of the node, and of its file.", check=_matches(NODE_NAME, "a name for a file")),
    Setting("int_tcp_port", "int", None, "In place of eventstore_int_tcp_port.", check=_port),
    Setting("int_http_port", "int", None, "In place of eventstore_int_http_port.", check=_port),
    Setting("ext_tcp_port", "int", None, "In place of eventstore_ext_tcp_port.", check=_port),
    Setting("ext_http_port", "int", None, "In place of eventstore_ext_http_port.", check=_port),
    Setting("data_dir", "str", None, "In place of eventstore_data_dir, with nothing added to it.", check=_path),
    Setting("options", "dict", {}, "Further options; they win over eventstore_database_options."),
)

# Their files would be the manager's.
RESERVED_NODE_NAMES = ("manager", "watchdog")

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_NODE_BY_NAME = {setting.name: setting for setting in NODE_SETTINGS}
_PYTHON_TYPES: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "list": (list, "a list"),
    "dict": (dict, "a mapping"),
}


def nearest(name: str, names: t.Iterable[str]) -> str:
    """The name that was probably meant, "" if none is near."""
    # The prefix all have in common would make everything near.
    by_rest = {each.replace(PREFIX, "", 1): each for each in names}
    close = difflib.get_close_matches(name.replace(PREFIX, "", 1), by_rest, n=1, cutoff=0.7)
    return by_rest[close[0]] if close else ""


def read_machine(host: str, variables: t.Mapping[str, t.Any], problems: list[Problem]) -> Machine:
    """Read one machine's variables; what is wrong with them is added to ``problems``."""
    connection = str(variables.get("ansible_connection", "")).rpartition(".")[2]
    windows = connection in ("winrm", "psrp") or variables.get("ansible_shell_type") in ("powershell", "cmd")
    given = {name: value for name, value in variables.items() if name.startswith(PREFIX) and value is not None}
    problems += _unknown(host, given, _BY_NAME)
    values: dict[str, t.Any] = {}
    for setting in SETTINGS:
        values[setting.name] = setting.windows if windows and setting.windows is not None else setting.default
        if setting.name in given:
            values[setting.name] = _read(f"{host}: {setting.name}", setting, given[setting.name], windows, problems)
    values["eventstore_nodes"] = _read_nodes(host, values["eventstore_nodes"], windows, problems)
    _derive(host, given, values, variables, problems, windows=windows)
    return Machine(host, windows, connection == "local", values, tuple(variables.get("group_names") or ()))


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
                    f"{host}: eventstore_int_ip is not set, and {address!r}, where Ansible connects to, is {kind}",
                    "Write the machine's address inside the cluster, such as eventstore_int_ip: 192.168.1.11",
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
                f"{host}: eventstore_archive is set, and eventstore_archive_checksum is not",
                "Write what sha256sum prints for the archive you trust: eventstore_archive_checksum: sha256:HEX",
            )
        )


def _read_nodes(host: str, items: t.Any, windows: bool, problems: list[Problem]) -> list[dict[str, t.Any]]:
    if not items:
        problems.append(
            Problem(
                "wrong-value",
                f"{host}: eventstore_nodes is empty",
                "Name at least one database node, or take the machine out of the group",
            )
        )
    nodes: list[dict[str, t.Any]] = []
    for index, item in enumerate(items):
        place = f"{host}: eventstore_nodes[{index}]"
        problems += _unknown(place, item, _NODE_BY_NAME)
        node = {
            name: _read(f"{place}.{name}", _NODE_BY_NAME[name], value, windows, problems)
            for name, value in item.items()
            if name in _NODE_BY_NAME and value is not None
        }
        if item.get("name") is None:
            problems.append(Problem("wrong-value", f"{place} has no name", "Write for example name: database"))
        if node.get("name") is None:
            continue
        if node["name"].lower() in RESERVED_NODE_NAMES:
            problems.append(
                Problem(
                    "wrong-value",
                    f"{place}.name is {node['name']!r}, but the file of that name is the manager's",
                    "Give the node another name",
                )
            )
        if node["name"].lower() in (other["name"].lower() for other in nodes):
            problems.append(
                Problem(
                    "node-twice",
                    f"{host}: eventstore_nodes names two nodes {node['name']!r}",
                    "Give each database node of a machine a name of its own",
                )
            )
        nodes.append(node)
    return nodes


def _unknown(place: str, given: t.Mapping[str, t.Any], known: t.Mapping[str, Setting]) -> t.Iterator[Problem]:
    for name in given:
        if name not in known:
            meant = nearest(str(name), known)
            hint = f"Write {meant}" if meant else "A variable of your own needs another prefix"
            yield Problem("unknown-variable", f"{place}: {name} is not a variable of this collection", hint)


def _read(place: str, setting: Setting, value: t.Any, windows: bool, problems: list[Problem]) -> t.Any:
    """The value as its type; in its place the default, and a problem, if it cannot be read."""
    kind, kind_name = _PYTHON_TYPES[setting.type]
    if kind is int and isinstance(value, str) and re.fullmatch(r" *[0-9]{1,9} *", value):
        value = int(value)  # a template gives a text up to ansible-core 2.18
    problem = ""
    if not isinstance(value, kind) or isinstance(value, bool):
        # What was to be a mapping of options or variables may hold a password.
        problem = f"is {_shown(value) if kind is not dict else f'a {type(value).__name__}'}, not {kind_name}"
    elif setting.elements and not _all_are(value, setting.elements):
        problem = f"has an item that is not {_PYTHON_TYPES[setting.elements][1]}"
    elif setting.choices and value not in setting.choices:
        problem = f"is {value!r}, not one of {', '.join(setting.choices)}"
    problem = problem or setting.check(value, windows)
    if not problem:
        return value
    problems.append(Problem("wrong-value", f"{place} {problem}", _advice(setting, value)))
    return setting.default


def _all_are(items: t.Any, kind: str) -> bool:
    return all(isinstance(item, _PYTHON_TYPES[kind][0]) for item in items)


def _shown(value: t.Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, (list, dict)) else repr(value)


def _advice(setting: Setting, value: t.Any) -> str:
    if setting.choices:
        meant = nearest(str(value), setting.choices)
        return f"Write {meant}" if meant else f"Write one of {', '.join(setting.choices)}"
    if setting.check is _path and isinstance(value, str):
        return "Write the whole path, and on Windows without quotes or in single ones: 'd:\\es-data'"
    if setting.type == "str" and isinstance(value, (int, float)):
        return "Put it in quotes"
    return setting.description


def differences(machines: t.Sequence[Machine]) -> t.Iterator[Problem]:
    """Cluster-wide variables that are not equal on all machines."""
    for setting in SETTINGS:
        if not setting.cluster_wide:
            continue
        hosts_by_value: dict[str, list[str]] = {}
        for machine in machines:
            hosts_by_value.setdefault(str(machine.values[setting.name]), []).append(machine.host)
        if len(hosts_by_value) > 1:
            said = "; ".join(f"{value} on {', '.join(hosts)}" for value, hosts in hosts_by_value.items())
            yield Problem(
                "not-cluster-wide",
                f"{setting.name} differs between the machines: {said}",
                "Set it once, in the variables of the group",
            )


__all__ = [
    "ANSIBLE_VARIABLES",
    "NODE_SETTINGS",
    "PREFIX",
    "SETTINGS",
    "Machine",
    "Problem",
    "Setting",
    "differences",
    "nearest",
    "read_machine",
]
