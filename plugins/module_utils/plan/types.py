# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The plan of a cluster, key by key; ARCHITECTURE.md shows one. Addresses are IP:PORT, paths those of the machine."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts

Options = dict[str, t.Any]


class ServicePlan(t.TypedDict):
    """What a database node and a manager have in common."""

    service: str
    config: str
    options: Options  # in the order in which they are written
    environment: dict[str, str]
    listen: list[str]
    directories: list[str]  # to which it writes


class NodePlan(ServicePlan):
    """A database node; ``service`` is used where there is no manager."""

    name: str
    log: str | None  # None: the server's default directory
    data: list[str]


class WatchdogPlan(t.TypedDict):
    """The file that lists the nodes of a manager."""

    path: str
    nodes: list[list[str]]


class ManagerPlan(ServicePlan):
    """A manager; ``arguments`` are those of the built-in one."""

    program: str
    watchdog: WatchdogPlan
    arguments: list[str]


class Software(t.TypedDict):
    """The versions side by side on a machine; ``home`` is that of the planned one."""

    root: str
    home: str
    archive: str | None
    checksum: str | None
    executable: str
    keep_versions: int


class MachinePlan(t.TypedDict):
    """What one machine is to run."""

    platform: str  # linux or windows
    user: str | None
    group: str | None
    config_dir: str
    run_dir: str  # "" on Windows
    software: Software
    directories: list[str]  # the account's, parents first
    notes: list[str]
    peers: dict[str, list[str]]  # other machine -> addresses that this one has to reach
    nodes: list[NodePlan]
    manager: ManagerPlan | None
    urlacls: list[str]


class Dns(t.TypedDict):
    """The DNS name by which servers find each other."""

    name: str
    port: int
    nameservers: list[str]
    addresses: list[str]


class PlannedEndpoint(t.TypedDict):
    """A server to ask for the state of the cluster; ``internal`` is its name in gossip."""

    name: str
    host: str
    kind: str
    address: str
    internal: str


class Plan(t.TypedDict):
    """A cluster; with ``problems`` it is not to be used."""

    version: str
    cluster_name: str
    mode: str  # managers or nodes
    cluster_size: int
    quorum_size: int
    provider: str
    dns: Dns | None
    endpoints: list[PlannedEndpoint]
    hosts: dict[str, MachinePlan]
    problems: list[ProblemFacts]


class _Inspection(t.TypedDict, total=False):
    start_empty: bool


class InspectedMachine(MachinePlan, _Inspection):
    """A machine's part with what es_preflight needs of the cluster's."""

    dns: Dns | None
    provider: str


class RunningServer(t.TypedDict):
    """A server as it runs on a machine.

    ``options``: of its file; ``secrets``: names of options and variables whose values are left out.
    """

    kind: str
    name: str
    config: str
    options: dict[str, t.Any]
    environment: dict[str, str]
    secrets: list[str]
    command: list[str]
    unit: str
    user: str
    group: str
    watchdog: list[str]


def servers(machine: MachinePlan) -> list[ServicePlan]:
    """The nodes of a machine, and its manager last."""
    return [*machine["nodes"], *([machine["manager"]] if machine["manager"] else [])]


def units(machine: MachinePlan) -> list[ServicePlan]:
    """What the provider starts: the manager, or without one the nodes."""
    return [machine["manager"]] if machine["manager"] else [*machine["nodes"]]


__all__ = [
    "Dns",
    "InspectedMachine",
    "MachinePlan",
    "ManagerPlan",
    "NodePlan",
    "Options",
    "Plan",
    "PlannedEndpoint",
    "RunningServer",
    "ServicePlan",
    "Software",
    "WatchdogPlan",
    "servers",
    "units",
]
