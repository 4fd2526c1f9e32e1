# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The processes of a Windows machine: which are below a service's, and which of them are database nodes."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script
from ansible_collections.eventstore.cluster.plugins.module_utils.windows.network import ANY, Listener

MANAGER_PROGRAM = "EventStore.WindowsManager.exe"
NODE_PROGRAM = "EventStore.ClusterNode.exe"


class Process(t.NamedTuple):
    pid: int
    parent: int
    command: str

    @property
    def program(self) -> str:
        """The file name of its program, "" where its command line cannot be seen."""
        quoted = re.match(r'\s*"([^"]*)"', self.command)
        words = [quoted[1]] if quoted else self.command.split()
        return re.split(r"[\\/]", words[0])[-1] if words else ""

    def is_program(self, name: str) -> bool:
        """Windows does not tell upper and lower case apart."""
        return self.program.lower() in (name.lower(), name.lower().removesuffix(".exe"))


def read(value: str) -> list[Process]:
    """What ``script.processes`` gave."""
    return [Process(int(pid), int(parent), command) for pid, parent, command in script.table(value)]


def below(found: t.Sequence[Process], pid: int) -> list[Process]:
    """The process and all that it has started, directly or not."""
    family = [each for each in found if each.pid == pid]
    for process in family:
        family += [each for each in found if each.parent == process.pid and each not in family]
    return family


def held_by(pid: int, listeners: t.Iterable[Listener]) -> frozenset[Endpoint]:
    """Where a process listens; what it has on all addresses counts for those on which it listens otherwise."""
    endpoints = [each.endpoint for each in listeners if each.pid == pid]
    ips = {endpoint.host for endpoint in endpoints if endpoint.host != ANY} or {ANY}
    return frozenset(Endpoint(ip, each.port) for each in endpoints for ip in (ips if each.host == ANY else {each.host}))


__all__ = ["MANAGER_PROGRAM", "NODE_PROGRAM", "Process", "below", "held_by", "read"]
