# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager is to do, from its options; everything is checked before anything is started."""

from __future__ import annotations

import ipaddress
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, layers, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError
from es_manager.supervisor import Node
from es_manager.trust import Network

ANY_IPS = ("0.0.0.0", "::")
# The newest table of options has those of all versions before.
VERSION = VERSIONS[-1]


@dataclass(frozen=True)
class Watchdog:
    """The nodes to keep running, the state file, and the failure budget (-1: none)."""

    nodes: tuple[Node, ...]
    state: Path
    failure_count: int
    time_window_s: int


@dataclass(frozen=True)
class Settings:
    """Everything the manager works with. ``dns`` is the name to resolve and the port of the managers there."""

    internal: Endpoint
    external: Endpoint
    dns: tuple[str, int] | None
    nameservers: tuple[str, ...]
    seeds: tuple[Endpoint, ...]
    gossip_interval_s: float
    gossip_timeout_s: float
    lease_clients: tuple[Network, ...]
    log: Path | None
    watchdog: Watchdog | None
    warnings: tuple[str, ...]


def load(arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> layers.Effective:
    """Apply the four layers; ConfigError names the option and the place."""
    table = option_set("manager", VERSION)
    name = layers.config_file(table, arguments)
    text = _read(name, "--config") if name else None
    return layers.effective(table, file=text, file_name=name or "", environment=environment, arguments=arguments)


def settings(effective: layers.Effective, environment: t.Mapping[str, str]) -> Settings:
    """Check and derive; ConfigError or WatchdogError for what cannot work."""
    value = effective.value
    internal = Endpoint(value("IntIp"), value("IntHttpPort"))
    external = Endpoint(value("ExtIp"), value("ExtHttpPort"))
    for name in ("IntIp", "ExtIp"):
        if value(name) in ANY_IPS:
            _refuse(effective, name, "is advertised, and other machines cannot reach it", "Set this machine's address")
    for name in ("IntHttpPort", "ExtHttpPort"):
        if not value(name):
            _refuse(effective, name, "is not a port", "Write a port from 1 to 65535")
    if internal == external:
        _refuse(effective, "ExtHttpPort", f"gives {external}, on which IntHttpPort listens", "Set two different ports")
    for name in ("GossipIntervalMs", "GossipTimeoutMs"):
        if value(name) < 1:
            _refuse(effective, name, "is too short", "Write a number of milliseconds from 1")
    by_dns = value("DiscoverViaDns")
    if by_dns and not value("ClusterDns").strip():
        _refuse(effective, "ClusterDns", "is empty while DiscoverViaDns is true", "Write the cluster's DNS name")
    log = Path(value("Log")) if value("Log") else None
    watched, warnings = _watchdog(effective, environment, log) if value("EnableWatchdog") else (None, ())
    return Settings(
        internal=internal,
        external=external,
        dns=(value("ClusterDns"), value("ClusterGossipPort")) if by_dns else None,
        nameservers=value("Nameservers"),
        seeds=() if by_dns else value("GossipSeed"),
        gossip_interval_s=value("GossipIntervalMs") / 1000,
        gossip_timeout_s=value("GossipTimeoutMs") / 1000,
        lease_clients=_networks(effective),
        log=log,
        watchdog=watched,
        warnings=(*effective.ignored, *warnings),
    )


def _networks(effective: layers.Effective) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in effective.value("LeaseClients"))
    except ValueError as error:
        return _refuse(effective, "LeaseClients", f"is not a list of addresses: {error}", "Write IPs, or networks")


def _watchdog(
    effective: layers.Effective, environment: t.Mapping[str, str], log: Path | None
) -> tuple[Watchdog, tuple[str, ...]]:
    value = effective.value
    name = value("WatchdogConfig")
    if not name:
        _refuse(
            effective,
            "WatchdogConfig",
            "does not name a file",
            "Set the path of a file, or EnableWatchdog: false for a relay of gossip only",
        )
    entries = watchdog.parse(_read(name, "WatchdogConfig"), where=name)
    watchdog.require_separate_configs(entries, where=name)
    warnings = [] if entries else [f"{name} lists no node; this manager only relays gossip"]
    executable = value("NodeExecutable")
    if entries and not (os.path.isabs(executable) and os.path.isfile(executable) and os.access(executable, os.X_OK)):
        _refuse(
            effective,
            "NodeExecutable",
            "is not a program with an absolute path",
            "Set the path of the database node's program",
        )
    # Next to the log, which the manager must be able to write anyway; the configuration directory need not be writable.
    directory = log or Path(name).parent
    nodes: list[Node] = []
    for entry in entries:
        text = _read(entry.config, f"{name}, line {entry.line}, --config") if entry.config else None
        endpoint = own_log = None
        try:
            endpoint, own_log = _seen_from_outside(entry, text, environment, executable)
        except ConfigError as error:
            warnings.append(f"the node of {name}, line {entry.line}, will probably not start: {error}")
        if endpoint in (Endpoint(value("IntIp"), value("IntHttpPort")), Endpoint(value("ExtIp"), value("ExtHttpPort"))):
            _refuse(
                effective,
                "ExtHttpPort",
                f"clashes with the node of {name}, line {entry.line}, at {endpoint}",
                "Set another port for one of them",
            )
        label = Path(entry.config).stem if entry.config else "node"
        taken = [node.name for node in nodes]
        if label in taken:
            label = f"{label}-{entry.line}"
        nodes.append(Node(label, (executable, *entry.arguments), directory / f"{label}.out", endpoint, own_log))
    state = Path(value("WatchdogState") or directory / f"{Path(name).name}.state")
    return (
        Watchdog(tuple(nodes), state, value("WatchdogFailureCount"), value("WatchdogFailureTimeWindow")),
        tuple(warnings),
    )


def _seen_from_outside(
    entry: watchdog.Entry, text: str | None, environment: t.Mapping[str, str], executable: str
) -> tuple[Endpoint, Path | None]:
    """Where the node's HTTP answers, and where it logs. The external port is there in a cluster of one, too."""
    effective = layers.effective(
        option_set("database", VERSION),
        file=text,
        file_name=entry.config or "",
        environment=environment,
        arguments=entry.arguments,
    )
    own = Endpoint(effective.value("ExtIp"), effective.value("ExtHttpPort"))
    ip, port = next(iter(addresses.http_listeners(effective.by_name, "Ext")), own)
    endpoint = Endpoint({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ip, ip), port)
    written = effective.value("Log")
    # It works in the directory of its program.
    return endpoint, Path(executable).parent / written if written else None


def _read(name: str, option: str) -> str:
    try:
        return Path(name).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{name} cannot be read: {reason}", where=option, hint="Check the path and its mode"
        ) from None


def _refuse(effective: layers.Effective, name: str, problem: str, hint: str) -> t.NoReturn:
    setting = effective[name]
    where = "" if setting.source == layers.DEFAULT else setting.source
    raise ConfigError(f"{name} ({setting.raw or 'empty'}) {problem}", where=where, hint=hint)


__all__ = ["Settings", "Watchdog", "load", "settings"]
