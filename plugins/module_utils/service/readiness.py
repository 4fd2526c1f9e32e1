# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether a service can start where it is told to listen, and whether it then does what it is for.

A running process proves nothing: a 3.4.0 node whose port is taken or whose address is not on the machine prints
"Exiting with exit code: 1." and lives on (measured), and another one may answer in its place.
"""

from __future__ import annotations

import errno
import socket
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json, printable
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective

ANSWER_TIMEOUT_S = 2.0
# A server that gives up prints this and can live on nevertheless (measured on 3.4.0).
SAYS_IT_EXITS = "Exiting with exit code:"


@dataclass(frozen=True)
class Listener:
    """A port on which a service is to listen, and the options that say so."""

    endpoint: Endpoint
    ip_option: str
    port_option: str


@dataclass(frozen=True)
class Readiness:
    """What was seen of a service: ``problem`` is empty when it is ready."""

    problem: str = ""
    answer: dict[str, t.Any] = field(default_factory=dict)


def listeners(effective: Effective) -> list[Listener]:
    """Everything that a service with these options listens on. A port of 0 is off."""
    # A single node opens nothing internal (measured on 3.4.0).
    alone = "ClusterSize" in effective and effective.value("ClusterSize") == 1
    tls_only = "DisableInsecureTCP" in effective and effective.value("DisableInsecureTCP")
    return [
        Listener(Endpoint(ip, number), addresses.LISTENERS[port], port)
        for port, ip, number in addresses.listeners(effective.by_name)
        if not (alone and port.startswith("Int")) and not (tls_only and port in ("IntTcpPort", "ExtTcpPort"))
    ]


def http_endpoint(wanted: t.Sequence[Listener]) -> Endpoint:
    """Where the service is asked whether it is ready."""
    for listener in wanted:
        if listener.port_option == "ExtHttpPort":
            return listener.endpoint
    raise ConfigError("ExtHttpPort is 0", hint="Set a port: the readiness of the service is checked there")


def obstacles(wanted: t.Sequence[Listener], *, name: str, config: str, own: t.Container[int]) -> list[str]:
    """Why a service could not listen there, all reasons at once; ``own``: processes that make room for it."""
    problems = _clashes(wanted, config)
    foreign: dict[str, str] = {}
    for listener in wanted:
        endpoint = listener.endpoint
        if endpoint.host in foreign:
            continue
        try:
            _bind(Endpoint(endpoint.host, 0))
        except OSError as error:
            foreign[endpoint.host] = (
                f"{endpoint.host} ({listener.ip_option}) is not an address of this machine ({error.strerror}); "
                f"change {listener.ip_option} in {config}, or see 'ip address show'"
            )
            continue
        try:
            _bind(endpoint)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                problems.append(f"{endpoint} ({listener.port_option}) cannot be used to listen: {error.strerror}")
                continue
            pid = procfs.holder(endpoint)
            if pid is None or pid not in own:
                problems.append(
                    f"{endpoint} is held by {procfs.describe(pid)}, not by {name}; "
                    f"change {listener.port_option} in {config}, or stop the process"
                )
    return [*foreign.values(), *problems]


def held_by_others(endpoints: t.Iterable[Endpoint], *, name: str, config: str, own: t.Container[int]) -> list[str]:
    """Which of the ports that a node will need something else listens on."""
    found = procfs.listening(procfs.all_pids())
    return [
        f"{endpoint} is held by {procfs.describe(pid)}, not by {name}; change the port in {config}, or stop the process"
        for endpoint in endpoints
        for pid, theirs in found
        if procfs.overlap(theirs, endpoint) and pid not in own
    ]


def data_used_by_others(directory: str, *, config: str, own: t.Container[int]) -> list[str]:
    """Who writes to a database: two nodes on one database destroy it, and the server refuses no second one."""
    if not directory.startswith("/"):
        return []  # below whichever directory the server runs in
    found = {pid: procfs.files_below(pid, directory) for pid in procfs.all_pids() if pid not in own}
    return [
        f"{procfs.describe(pid)} has {files[0]} open, which is below Db of {config}; stop the process"
        for pid, files in found.items()
        if files
    ]


def _clashes(wanted: t.Sequence[Listener], config: str) -> list[str]:
    return [
        (
            f"{one.port_option} and {other.port_option} are both {other.endpoint}; set another port for one of them in "
            f"{config}"
        )
        for number, one in enumerate(wanted)
        for other in wanted[number + 1 :]
        if procfs.overlap(one.endpoint, other.endpoint)
    ]


def _bind(endpoint: Endpoint) -> None:
    with socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET) as probe:
        # As servers do: what is left of closed connections holds no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(endpoint)


def inspect(kind: str, endpoint: Endpoint, *, name: str, own: t.Sequence[int]) -> Readiness:
    """Whether the service's own processes hold its external HTTP port, and answer there as they must."""
    held = [pid for pid, theirs in procfs.listening(own) if procfs.overlap(theirs, endpoint)]
    if not held and all(procfs.sockets_are_visible(pid) for pid in own):
        pid = procfs.holder(endpoint)
        if pid is None:
            return Readiness(f"nothing is listening on {endpoint}")
        return Readiness(f"{endpoint} is held by {procfs.describe(pid)}, not by {name}")
    try:
        return Readiness(answer=ask(kind, endpoint))
    except GossipError as error:
        return Readiness(str(error))


def ask(kind: str, endpoint: Endpoint) -> dict[str, t.Any]:
    """The first facts of what a service answers; GossipError if that is not what its kind answers.

    A database node is asked for /info: alone in its cluster it hangs on /gossip for 10 s (measured on 3.4.0).
    """
    ip = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint.host, endpoint.host)
    asked = Endpoint(ip, endpoint.port)
    path = "/info" if kind == "database" else "/gossip"
    url = f"http://{asked}{path}"
    (answer,) = sweep.sweep([sweep.Request(asked, path)], timeout_s=ANSWER_TIMEOUT_S)
    if answer.error:
        raise GossipError(answer.text, where=url)
    if kind == "manager":
        info = members.parse(answer.body, where=url)
        return {"url": url, "server": str(info.server), "members": len(info.members)}
    try:
        data = parse_json(answer.body)
        return {
            "url": url,
            "version": printable(str(data["esVersion"]), 40),
            "state": printable(str(data["state"]), 40),
        }
    except (ValueError, KeyError, TypeError):
        start = answer.body[:80].decode("utf-8", "replace")
        raise GossipError(f"expected the esVersion and state of a database node, got {start!r}", where=url) from None


__all__ = [
    "Listener",
    "Readiness",
    "ask",
    "data_used_by_others",
    "held_by_others",
    "http_endpoint",
    "inspect",
    "listeners",
    "obstacles",
]
