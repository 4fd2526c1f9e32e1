# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What runs of one service, and how that differs from its files. Only reads."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data, family, readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.permission import ServiceNodes

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import Definition, Provider


class Running:
    """One service: its definition, its provider, and its options as the files give them (None: they cannot be read).

    ``previous``: the same service in the version that an upgrade comes from; what runs may still be that one's.
    """

    def __init__(
        self,
        definition: Definition,
        provider: Provider,
        *,
        options: OptionSet,
        config: str | None,
        effective: Effective | None,
        previous: Running | None = None,
    ) -> None:
        self.definition = definition
        self.provider = provider
        self.config = config or ""
        self.effective = effective
        self.listeners = readiness.listeners(effective) if effective else []
        self._options = options
        self._previous = previous
        self._node_entries = self._read_watchdog()
        self.node_commands = (
            [[str(effective.value("NodeExecutable")), *each.arguments] for each in self._node_entries]
            if effective
            else []
        )

    # -- processes -------------------------------------------------------------------------------------------------

    def pids(self) -> list[int]:
        """The service's processes: the main one, all below it, and nodes, which can outlive a manager or a wrapper."""
        main = self.provider.pid()
        roots = [*([] if main is None else [main]), *self.provider.members()]
        for command in [*self.node_commands, *(self._previous.node_commands if self._previous else ())]:
            roots += procfs.find(command)
        roots += self._outlived()
        return list(dict.fromkeys([*roots, *procfs.descendants(roots)]))

    def _outlived(self) -> list[int]:
        """What runs with a file of the service, whatever its command line, and listens, or has started what does.

        Of a wrapper that was killed the node lives on, with a command line of its own.
        """
        found = [*self.with_same_files(), *(self._previous.with_same_files() if self._previous else ())]
        if not found:
            return []
        listeners = {pid for pid, _endpoint in procfs.listening({*found, *procfs.descendants(found)})}
        above = {over for pid in listeners for over in procfs.ancestors(pid)}
        return [pid for pid in found if pid in listeners | above]

    def with_same_files(self) -> list[int]:
        """The processes that were started with a configuration file of the service or of its nodes."""
        node_files = [entry.config for entry in self._node_entries]
        return family.with_config(list(filter(None, [self.config, *node_files])))

    def node_pids(self) -> list[int]:
        """The processes that were started as database nodes."""
        pids = [pid for command in self.node_commands for pid in procfs.find(command)]
        if self.definition.kind == "database":
            pids += filter(None, [self.provider.pid()])
        return pids

    def nodes_listen(self) -> bool:
        """Whether each node of a manager listens; of a wrapper, what that has started."""
        held = {pid for pid, _endpoint in procfs.listening(self.pids())}
        return all(
            held & {*found, *procfs.descendants(found)} for found in (procfs.find(each) for each in self.node_commands)
        )

    def nodes(self) -> ServiceNodes:
        """The database nodes among the processes, which a stop takes down: as they run, whatever the caller thinks."""
        nodes = family.nodes(family.inspect(self.pids()))
        sizes = {family.cluster_size(node) for node in nodes}
        size = None if None in sizes else max(filter(None, sizes), default=None)
        return ServiceNodes(Stop(self.definition.name, tuple(map(family.known_as, nodes))), size)

    def inspect(self) -> readiness.Readiness:
        """Whether the service answers where it is to listen, and what."""
        return self.inspect_at(self.listeners, self.definition.kind)

    def inspect_at(self, listeners: t.Sequence[readiness.Listener], kind: str) -> readiness.Readiness:
        endpoint = readiness.http_endpoint(listeners)
        return readiness.inspect(kind, endpoint, name=self.definition.name, own=self.pids())

    # -- files -----------------------------------------------------------------------------------------------------

    def restart_reasons(self, pid: int) -> list[str]:
        """Reasons why the running service differs from its current files; empty if a restart would change nothing."""
        reasons = self.provider.reasons(pid)
        names = self._changed_variables(pid)
        if names:
            reasons.append(f"the environment differs in {', '.join(names)}")
        started = procfs.started_at(pid)
        if started is not None and _replaced(self.definition.program, started):
            reasons.append(f"{self.definition.program} was replaced after pid {pid} was started")
        for each, path, written in self._written_since():
            changed = self._changed_options(each, path, written)
            reason = f"{path} was written after pid {each} was started"
            if changed is None:
                reasons.append(reason)
            elif changed:
                reasons.append(f"{reason}, with another {', '.join(changed)}")
        return reasons

    def cluster_wide_changes(self) -> list[str]:
        """Options that the files have another value for than the processes, and that all nodes have to change at once.

        Others look for a node, count by it or talk to it under the old value, so it would not come back alone.
        """
        found: set[str] = set()
        for pid, path, started in self._written_since():
            found.update(self._changed_options(pid, path, started, "cluster") or ())
        return sorted(found)

    def _written_since(self) -> t.Iterator[tuple[int, Path, float]]:
        """(process, file, Unix time of the process's start) of each file that was written after that start."""
        for pid in self.pids():
            started = procfs.started_at(pid)
            for path in self._files_of(pid):
                if started is not None and procfs.is_later(path, started):
                    yield pid, path, started

    def _changed_options(self, pid: int, path: Path, started: float, *changes: str) -> list[str] | None:
        """Names of options whose value in the file differs from what the process was started with; None if unknown.

        What stood in the file when the process was started is the last backup from before. ``changes``: classes of
        options; by default all that take a restart.
        """
        before = family.backup_before(path, started)
        kind = self.definition.kind if pid == self.provider.pid() else "database"
        was = family.effective_of(pid, kind, before) if before else None
        now = family.effective_of(pid, kind)
        if was is None or now is None:
            return None
        return [
            name
            for name in {**was, **now}
            if (name not in was or name not in now or was.value(name) != now.value(name))
            and (now if name in now else was)[name].option.change in (changes or ("restart", "cluster"))
        ]

    def _files_of(self, pid: int) -> list[Path]:
        """The configuration files of a process: from its command line, and the watchdog file of the manager."""
        paths: list[str | None] = []
        with contextlib.suppress(EventStoreError):
            paths.append(layers.config_file(self._options, procfs.command_line(pid)))
        if pid == self.provider.pid() and self.effective and "WatchdogConfig" in self.effective:
            paths.append(self.effective.value("WatchdogConfig"))
        return [Path(path) for path in paths if path and path.startswith("/")]

    def _changed_variables(self, pid: int) -> list[str]:
        has = procfs.environment(pid)
        if not has:  # another user's
            return []
        asked = self.definition.environment
        names = {*asked, *(name for name in has if name.startswith(layers.PREFIX))}
        return sorted(name for name in names if has.get(name) != asked.get(name))

    # -- nodes as the files give them ------------------------------------------------------------------------------

    def _read_watchdog(self) -> list[watchdog.Entry]:
        """The nodes that a manager with these options starts."""
        effective = self.effective
        if self.definition.kind != "manager" or effective is None or not effective.value("EnableWatchdog"):
            return []
        path = effective.value("WatchdogConfig")
        if not path or not effective.value("NodeExecutable"):
            return []
        try:
            return list(watchdog.parse(Path(path).read_text(encoding="utf-8"), where=path))
        except (OSError, UnicodeDecodeError, EventStoreError):
            return []  # the manager itself says what is wrong with it

    def node_settings(self) -> t.Iterator[tuple[str, Effective]]:
        """(configuration file, its effective options) of each database node that the service starts."""
        if self.definition.kind == "database":
            if self.effective:
                yield self.config, self.effective
            return
        for entry in self._node_entries:
            effective = family.settings(entry.arguments, entry.config, self.definition.environment)
            if effective:
                yield entry.config or "", effective

    def places(self, current: t.Callable[[Path], Path] = Path) -> list[data.Place]:
        """Where the nodes that a start brings up look for their data. ``current``: where a file's new text is now."""
        if self.definition.kind == "database":
            return [data.place_of(self.effective, self.config)] if self.effective else []
        found = (data.place(command[1:], self.definition.environment, current) for command in self.node_commands)
        return [place for place in found if place]


def _replaced(program: str, started: float) -> bool:
    """Whether another file has come to a program's place: by the inode's time, for archives give files old ones."""
    try:
        return os.stat(program).st_ctime > started + 1 / os.sysconf("SC_CLK_TCK")
    except OSError:
        return False


__all__ = ["Running"]
