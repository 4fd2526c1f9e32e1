# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the processes of a service are, and which database nodes they make up: read from what runs.

A task says what someone believes, and a wrong word there must not pass a node by the guard: what cannot be shown to be
something else is a node.
"""

from __future__ import annotations

import functools
import itertools
import os
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, document, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective

# What the archive of the built-in manager has and nothing else.
MANAGER_MODULE = "es_manager/__main__.py"


@dataclass(frozen=True)
class Process:
    """``held``: where it listens. ``told``: under which addresses its options let others know it."""

    pid: int
    parent: int | None = None
    is_manager: bool = False
    held: frozenset[Endpoint] = frozenset()
    told: frozenset[Endpoint] = frozenset()

    @property
    def known_as(self) -> frozenset[Endpoint]:
        return self.held | self.told


Node = list[Process]


def inspect(pids: t.Sequence[int]) -> list[Process]:
    """The processes as they run."""
    held: dict[int, set[Endpoint]] = {}
    for pid, endpoint in procfs.listening(pids):
        held.setdefault(pid, set()).add(endpoint)
    return [Process(pid, procfs.parent(pid), is_manager(pid), frozenset(held.get(pid, ())), _told(pid)) for pid in pids]


def is_manager(pid: int) -> bool:
    """Whether a Python runs the archive of the built-in manager, as ``python es-manager.pyz`` or by its first line."""
    words = procfs.command_line(pid)
    program = os.path.basename(procfs.program(pid) or (words[0] if words else ""))
    return "python" in program and any(
        _is_manager_archive(os.path.join(procfs.directory(pid), word)) for word in words[:2]
    )


def _is_manager_archive(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return MANAGER_MODULE in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def nodes(family: t.Iterable[Process]) -> list[Node]:
    """The database nodes that these processes make up, each with its processes.

    A node is one set of addresses, whatever runs it: what listens is the node, and a wrapper that has started it, and
    what it has started itself, are a part of it. Where nothing listens yet or any more, a process is a node with all
    below it.
    """
    others = {each.pid: each for each in family if not each.is_manager}
    above = {pid: _ancestors(pid, others) for pid in others}
    listeners = [each for each in others.values() if each.held]
    merged = _merge([[each] for each in listeners])
    covered = {pid for each in listeners for pid in (each.pid, *above[each.pid])}  # the wrappers
    silent = [each for pid, each in others.items() if pid not in covered]
    tops: dict[int, list[Process]] = {}
    for each in silent:
        top = next((over for over in reversed(above[each.pid]) if over not in covered), each.pid)
        tops.setdefault(top, []).append(each)
    for top, members in tops.items():
        # A helper of a node or of a wrapper is no node; what has its own options may be one.
        if any(each.told for each in members) or not set(above[top]) & covered:
            merged = _merge([*merged, members])
    return merged


def _ancestors(pid: int, others: t.Mapping[int, Process]) -> list[int]:
    """The processes above it that are no managers, the nearest first."""
    found: list[int] = []
    over = others[pid].parent
    while over is not None and over in others and over not in found:
        found.append(over)
        over = others[over].parent
    return found


def _merge(groups: t.Sequence[Node]) -> list[Node]:
    """Groups with an address in common are one node."""
    merged: list[Node] = []
    for group in groups:
        known = known_as(group)
        same = [each for each in merged if known_as(each) & known]
        merged = [each for each in merged if each not in same] + [[*itertools.chain(*same), *group]]
    return merged


def known_as(node: Node) -> frozenset[Endpoint]:
    return frozenset().union(*(each.known_as for each in node))


def cluster_size(node: Node) -> int | None:
    """What the node counts with since its start; None where that cannot be told, as when its file was written since."""
    listeners = [each for each in node if each.held] or node
    sizes = {cluster_size_of(each.pid) for each in listeners}
    return None if None in sizes else max(filter(None, sizes), default=None)


def cluster_size_of(pid: int) -> int | None:
    """As ``cluster_size``, of one process."""
    path, started = config_file(pid), procfs.started_at(pid)
    if started is None or not procfs.environment_is_visible(pid):
        return None
    source = Path(path) if path else None
    if source and procfs.is_later(source, started):
        source = backup_before(source, started)
        if source is None:
            return None
    effective = effective_of(pid, source=source)
    return effective.value("ClusterSize") if effective else None


def backup_before(path: Path, started: float) -> Path | None:
    """What stood in a file when a process was started, where the file was written later: the last backup from before.

    es_config makes it; it has the time of the file that it was made from.
    """
    backups = [each for each in path.parent.glob(f"{path.name}.*~") if not procfs.is_later(each, started)]
    return max(backups, key=lambda each: each.stat().st_mtime, default=None)


def _told(pid: int) -> frozenset[Endpoint]:
    """By options: what has none, such as a shell, is told nothing, and a node's defaults are not its."""
    named = any(name.startswith(layers.PREFIX) for name in procfs.environment(pid))
    effective = effective_of(pid) if config_file(pid) or named else None
    if effective is None:
        return frozenset()
    return addresses.known_as({name: setting.value for name, setting in effective.items()})


def effective_of(pid: int, kind: str = "database", source: Path | None = None) -> Effective | None:
    """What this process works with, started with its file or with ``source``; None if that cannot be told."""
    path = str(source) if source else config_file(pid)
    return settings(_arguments(pid), path, procfs.environment(pid), kind)


def settings(
    arguments: t.Sequence[str], path: str | None, environment: t.Mapping[str, str], kind: str = "database"
) -> Effective | None:
    """What a server started like this works with; None if that cannot be told."""
    options = _newest(kind)
    try:
        text = Path(path).read_text("utf-8-sig") if path else None
        items = document.read(text, where=path or "").items if text else ()
        return layers.effective(
            options.extended(item.key for item in items if not options.find(item.key)),
            file=text,
            file_name=path or "",
            environment=environment,
            arguments=arguments,
        )
    except (OSError, UnicodeDecodeError, EventStoreError):
        return None


def config_file(pid: int) -> str | None:
    """The file that the command line of a process chooses, of whatever program it is."""
    path = chosen_file(procfs.command_line(pid))
    return os.path.realpath(os.path.join(procfs.directory(pid), path)) if path else None


def chosen_file(command: t.Sequence[str]) -> str | None:
    """The configuration file that a command line chooses, as it stands there."""
    words = _options(command)
    if not any("config" in word.lower() for word in words):  # most processes of a machine
        return None
    try:
        return layers.config_file(_newest("database"), words)
    except EventStoreError:
        return None


def with_config(paths: t.Iterable[str]) -> list[int]:
    """The processes that were started with one of these files and are no asking for options or help."""
    wanted = {os.path.realpath(path) for path in paths}
    own = {os.getpid(), *procfs.ancestors(os.getpid())}
    found = (pid for pid in procfs.all_pids() if pid not in own and config_file(pid) in wanted)
    return sorted(
        pid
        for pid in found
        if not _ASKS.intersection(map(str.lower, _arguments(pid))) and not procfs.is_of_container(pid)
    )


_ASKS = frozenset({"--whatif", "-whatif", "--what-if", "-what-if", "--help", "-help", "--version", "-version"})
_newest = functools.lru_cache(maxsize=None)(lambda kind: option_set(kind, VERSIONS[-1]))  # it has all of those before


def _arguments(pid: int) -> list[str]:
    return _options(procfs.command_line(pid))


def _options(command: t.Sequence[str]) -> list[str]:
    return list(itertools.dropwhile(lambda word: not word.startswith("-"), command))


__all__ = [
    "Node",
    "Process",
    "backup_before",
    "chosen_file",
    "cluster_size",
    "cluster_size_of",
    "config_file",
    "effective_of",
    "inspect",
    "is_manager",
    "known_as",
    "nodes",
    "settings",
    "with_config",
]
