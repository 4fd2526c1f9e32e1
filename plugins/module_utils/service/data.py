# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Where a database node has its data, and whether it would be started without them.

A node on an empty directory gets everything from the others; when all are, nothing is left, and no server says a word.
So the directory in which a node had a database is noted in ``CONFIG.data`` next to its configuration. While the note is
there, nothing starts the node where that database, or the same one that was moved, is not: a changed Db, a disk that is
not mounted and an emptied directory are one case. Who may start it empty, and only then, removes the note first.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, Problem, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import NodePlan
from ansible_collections.eventstore.cluster.plugins.module_utils.recovery import EPOCH, WRITER
from ansible_collections.eventstore.cluster.plugins.module_utils.service import family
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import write

NOTE_SUFFIX = ".data"
# The options that say where data are.
WHERE = ("Db", "Index", "MemDb")
# VersionedPatternFileNamingStrategy.cs: the chunk's number and how often it was written again (scavenges).
CHUNK = re.compile(r"chunk-(\d{6})\.\d{6}")
# ChunkHeader.cs: the first 128 bytes of a chunk, its own GUID among them. A copy has it, another database has not.
HEADER_BYTES = 128
INDEX_MAP = "indexmap"
EMPTY_HINT = (
    "To start a machine without its data and replicate from scratch, if the other nodes have quorum: -e "
    "start_empty=<the machine's name in the inventory>"
)


@dataclass(frozen=True)
class Data:
    """A database on the disk; ``writer``: up to where its log goes, ``epoch``: where the newest one begins."""

    directory: str
    chunks: int
    size: int
    writer: int
    epoch: int
    header: bytes

    @property
    def amount(self) -> str:
        chunks = f"{self.chunks} chunk{'' if self.chunks == 1 else 's'}, " if self.chunks else ""
        return f"{chunks}{self.size} bytes, log up to {self.writer}"

    def holds(self, other: Data) -> bool:
        """Whether it is the other one, moved or copied, and nothing is missing."""
        return self.header == other.header and self.writer >= other.writer and self.epoch >= other.epoch


@dataclass(frozen=True)
class Place:
    """Where a node looks for its data: of which layers ``db`` comes is in ``option``."""

    config: str
    db: str
    index: str
    in_memory: bool
    option: str

    @property
    def name(self) -> str:
        return os.path.basename(self.config).partition(".")[0]


def find(directory: str) -> Data | None:
    """The database in a directory; None if there is none. ServiceError if that cannot be seen."""
    try:
        names = os.listdir(directory)
        chunks = sorted(name for name in names if CHUNK.fullmatch(name))
        if not chunks and WRITER not in names:
            return None
        stats = [os.stat(os.path.join(directory, name)) for name in names if _is_file(directory, name)]
        return Data(
            directory,
            len(chunks),
            sum(each.st_blocks * 512 for each in stats),  # the last chunk is sparse
            _number(directory, WRITER, names, otherwise=1),  # without it no one knows how much is there
            _number(directory, EPOCH, names, otherwise=-1),
            _header(directory, chunks),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ServiceError(
            f"cannot be read: {error.strerror}, so it is not known whether it contains a database",
            where=directory,
            hint="Set become: true",
        ) from None


def _is_file(directory: str, name: str) -> bool:
    return os.path.isfile(os.path.join(directory, name))


def _number(directory: str, name: str, names: t.Sequence[str], *, otherwise: int) -> int:
    content = Path(directory, name).read_bytes() if name in names else b""
    return int.from_bytes(content, "little", signed=True) if len(content) == 8 else otherwise


def _header(directory: str, chunks: t.Sequence[str]) -> bytes:
    """Of the first chunk, in its newest version."""
    first = [name for name in chunks if name.startswith(chunks[0].partition(".")[0])]
    if not first:
        return b""
    with open(os.path.join(directory, first[-1]), "rb") as stream:
        return stream.read(HEADER_BYTES)


def place_of(effective: layers.Effective, config: str) -> Place:
    """Where a node with these options looks for its data."""
    db = effective["Db"]
    return Place(
        config=config,
        db=str(db.value),
        index=str(effective.value("Index") or os.path.join(str(db.value), "index")),
        in_memory=bool(effective.value("MemDb")),
        option="EVENTSTORE_DB" if db.source == layers.ENVIRONMENT else "Db",
    )


def planned(node: NodePlan) -> Place:
    """Where a database node of the plan looks for its data."""
    options = option_set("database", VERSIONS[-1])
    given = {name: node["options"][name] for name in WHERE if name in node["options"]}
    text = document.to_text(given) if given else None
    return place_of(layers.effective(options, file=text, environment=where_of(node["environment"])), node["config"])


def where_of(environment: t.Mapping[str, str]) -> dict[str, str]:
    """The variables of a node's environment that say where its data are; the rest can hold secrets."""
    names = {option.environment_name for option in option_set("database", VERSIONS[-1]) if option.name in WHERE}
    found = {name: value for name, value in environment.items() if name in names}
    referred = {f"${{env:{name}}}": name for name in environment}
    return {**found, **{referred[text]: environment[referred[text]] for text in found.values() if text in referred}}


def place(
    arguments: t.Sequence[str],
    environment: t.Mapping[str, str],
    current: t.Callable[[Path], Path] = lambda path: path,
) -> Place | None:
    """Where a node that is started with these looks; None where that cannot be told, which the node says itself.

    ``current(path)``: where the configuration that it will have at ``path`` is now.
    """
    try:
        config = layers.config_file(option_set("database", VERSIONS[-1]), arguments)
    except EventStoreError:
        return None
    effective = family.settings(arguments, str(current(Path(config))), environment) if config else None
    return place_of(effective, config) if effective and config else None


# -- what is known of where the data were ------------------------------------------------------------------------------


def used_by(pid: int) -> str | None:
    """The directory whose database a process, or one below it, has open; None if there is none that can be seen."""
    for each in (pid, *procfs.descendants([pid])):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            for descriptor in (procfs.PROC / str(each) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    directory, name = os.path.split(os.readlink(descriptor))
                    if name == WRITER or CHUNK.fullmatch(name):
                        return directory
    return None


def used_for(config: str, pids: t.Iterable[int]) -> list[str]:
    """The directories whose databases those of the processes have open that were started with this configuration."""
    mine = (pid for pid in pids if any(config in word.split("=", 1) for word in procfs.command_line(pid)))
    return list(dict.fromkeys(filter(None, map(used_by, mine))))


def note_path(config: str) -> Path:
    return Path(f"{config}{NOTE_SUFFIX}")


def noted(config: str) -> str | None:
    """The directory in which the node had a database; None if it has never been seen to have one."""
    try:
        return note_path(config).read_text("utf-8", "surrogateescape").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(
            f"cannot be read: {error.strerror}", where=str(note_path(config)), hint="Set become: true"
        ) from None


def note(config: str, directory: str) -> None:
    """Remember where the node has its database."""
    if noted(config) != directory:
        write(note_path(config), f"{directory}\n", 0o644)


def follow(node: Place) -> None:
    """Note where the data are that were moved; before a start, for ``start_check`` reads the note."""
    if noted(node.config) and not node.in_memory and find(node.db) and not losses(node):
        note(node.config, os.path.realpath(node.db))


def forget(config: str) -> None:
    """Let the node be started empty."""
    note_path(config).unlink(missing_ok=True)


# -- the rule ----------------------------------------------------------------------------------------------------------


def losses(node: Place, used: t.Iterable[str | None] = ()) -> list[Problem]:
    """The data that the node would be started without. ``used``: other directories that may have had some."""
    was = noted(node.config)
    had = list(dict.fromkeys(filter(None, [was, *used])))
    here = None if node.in_memory else find(node.db)
    there = [data for data in map(find, had) if data]
    behind = [each for each in there if each.writer > 0 and not _is_kept(node, here, each)]
    if behind:
        return [_left_behind(node, here, each) for each in behind]
    return [_gone(node, was)] if was and not (here or there) else []


def obstacle(arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> str:
    """Why a node must not be started with these; empty if it may be. Cheap where its data are where they were."""
    try:
        node = place(arguments, environment) if _has_note(arguments) else None
        found = losses(node) if node and not _is_at_home(node) else []
    except EventStoreError as error:
        return str(error)
    return "; ".join(f"{loss.text}. {loss.hint}" for loss in found)


def start_check(config: str) -> list[str]:
    """A command that ends with 1 where the note leads to no database: for a start that none of this code sees."""
    return ["/bin/sh", "-c", _START_CHECK, "sh", str(note_path(config))]


_START_CHECK = (
    '[ -e "$1" ] || exit 0; IFS= read -r dir <"$1"; '
    f'for file in "$dir/{WRITER}" "$dir"/chunk-*; do [ -e "$file" ] && exit 0; done; '
    'echo "There is no database in $dir, where this node had its data (as $1 says). Mount its disk; where the data were'
    ' moved, start it with playbook eventstore.cluster.start" >&2; exit 1'
)


def _has_note(arguments: t.Sequence[str]) -> bool:
    config = layers.config_file(option_set("database", VERSIONS[-1]), arguments)
    return bool(config and noted(config))


def _is_at_home(node: Place) -> bool:
    home = os.path.realpath(node.db)
    return noted(node.config) == home and not node.in_memory and os.path.exists(os.path.join(home, WRITER))


def _is_kept(node: Place, here: Data | None, there: Data) -> bool:
    return here is not None and (os.path.samefile(node.db, there.directory) or here.holds(there))


def _left_behind(node: Place, here: Data | None, there: Data) -> Problem:
    if node.in_memory:
        now, what = "MemDb is true", "set MemDb back to false"
    else:
        now = f"{node.option} is {node.db} now, which has {_other(here, there)}"
        what = (
            f"stop the node, move the data (mv {there.directory} {node.db}) and run the task again; or set "
            f"{node.option} back to {there.directory} where you changed it (eventstore_data_dir, eventstore_nodes, "
            "eventstore_database_options or eventstore_environment)"
        )
    return Problem(
        "data-left-behind",
        f"the data of {node.name} would be left behind: they are in {there.directory} ({there.amount}), and {now}",
        f"To keep them, {what}. {EMPTY_HINT}",
    )


def _other(here: Data | None, there: Data) -> str:
    if here is None:
        return "no database"
    if here.header != there.header:
        return f"another database ({here.amount})"
    return f"an older copy of it ({here.amount})"


def _gone(node: Place, was: str) -> Problem:
    now = "MemDb is true" if node.in_memory else f"there is no database in {node.db}"
    return Problem(
        "data-missing",
        f"{node.name} had its data in {was}, and now {now}",
        "If the disk is not mounted, mount it. If the data were moved, move them back. If they are lost, the other "
        f"nodes have a copy. {EMPTY_HINT}",
    )


def index_left_behind(node: Place, before: Place) -> list[Problem]:
    """The index of another place, which the node would build again from the whole log."""
    maps = [Path(each.index, INDEX_MAP) for each in (before, node)]
    try:
        old, new = (path.read_bytes() if path.is_file() else None for path in maps)
    except OSError as error:
        raise ServiceError(f"cannot be read: {error.strerror}", where=before.index, hint="Set become: true") from None
    if old is None or old == new:
        return []
    return [
        Problem(
            "index-left-behind",
            f"the index of {node.name} would be left behind: it is in {before.index}, and Index is {node.index} now, "
            f"which has {'none' if new is None else 'another one'}. The node would rebuild it from its whole log, "
            "which can take hours",
            f"To keep it, stop the node, move the index (mv {before.index} {node.index}) and run the task again; or "
            f"set Index back. {EMPTY_HINT}",
        )
    ]


__all__ = [
    "WHERE",
    "Data",
    "Place",
    "find",
    "follow",
    "forget",
    "index_left_behind",
    "losses",
    "note",
    "note_path",
    "noted",
    "obstacle",
    "place",
    "place_of",
    "planned",
    "start_check",
    "used_by",
    "used_for",
    "where_of",
]
