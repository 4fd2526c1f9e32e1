# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The watchdog file: one line ``# <command line>`` for each database node that a manager starts.

Known are three shipped spellings: ``# --config X``, ``#--config X`` and ``#--config=X``. How the vendor's manager
reads quotes, blanks in a path, comments or lines without ``#`` is documented nowhere, so none of them is written and
a file that has them is refused.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers, options
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import WatchdogError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem, same_path

# Every version knows --config; the version matters for no line of this file.
DATABASE_VERSION = "3.4.0"


@dataclass(frozen=True)
class Entry:
    """The command line of one database node, and the line (from 1) of the file it stands in."""

    arguments: tuple[str, ...]
    line: int = field(default=0, compare=False)

    @property
    def config(self) -> str | None:
        """The configuration file it names, in whatever spelling of ``--config``."""
        return layers.config_file(options.option_set("database", DATABASE_VERSION), self.arguments)


def parse(text: str, *, where: str = "watchdog file") -> list[Entry]:
    """Read a watchdog file; WatchdogError names the line that cannot be understood for certain."""
    entries = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.removesuffix("\r").strip(" \t")
        if not line:
            continue
        place = f"{where}, line {number}"
        if not line.startswith("#"):
            raise WatchdogError(
                f"a line begins with '#' and then has the options of a node, but this one is {line!r}",
                where=place,
                hint="Write the line as '# --config /path/to/database.yaml'",
            )
        arguments = tuple(re.split(r"[ \t]+", line[1:].strip(" \t")))
        _require_expressible(arguments, where=place)
        entries.append(Entry(arguments, number))
    return entries


def render(nodes: t.Iterable[t.Sequence[str]], *, where: str = "watchdog file") -> str:
    """Write the canonical file for the arguments of each node; ``parse`` gives back the same arguments."""
    lines = []
    for number, arguments in enumerate(nodes, start=1):
        _require_expressible(arguments, where=f"{where}, node {number}")
        lines.append(f"# {' '.join(arguments)}\n")
    return "".join(lines)


def require_separate_configs(entries: t.Sequence[Entry], *, where: str = "watchdog file") -> None:
    """Refuse configuration files that are relative, and nodes that would run on the same database.

    The server itself does not refuse a second process on its Db directory (measured on 3.4.0).
    """
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        shown = " ".join(entry.arguments)
        key = shown
        if entry.config is not None:
            windows = not entry.config.startswith("/")
            problem = path_problem(entry.config, windows=windows)
            if problem:
                raise WatchdogError(
                    f"node {number}: --config {problem}", where=where, hint="Write the absolute path of the file"
                )
            shown = f"--config {entry.config}"
            key = same_path(entry.config, windows=windows)
        first = seen.setdefault(key, number)
        if first != number:
            raise WatchdogError(
                f"nodes {first} and {number} both have {shown}",
                where=where,
                hint="Use a different configuration file and database for each node",
            )


def wanted(nodes: t.Iterable[t.Sequence[object]]) -> str:
    """The text of the file for ``nodes``; WatchdogError if they cannot be written, or not be run next to each other."""
    entries = []
    for number, node in enumerate(nodes, start=1):
        for argument in node:
            if isinstance(argument, bool) or not isinstance(argument, (str, int)):
                raise WatchdogError(f"expected strings as arguments, got {argument!r}", where=f"nodes, node {number}")
        entries.append(Entry(tuple(str(argument) for argument in node)))
    text = render((entry.arguments for entry in entries), where="nodes")
    require_separate_configs(entries, where="nodes")
    return text


def _require_expressible(arguments: t.Sequence[str], *, where: str) -> None:
    if not arguments or not arguments[0].startswith("-"):
        raise WatchdogError(
            f"expected the options of a node, such as '--config /path/to/database.yaml', got {list(arguments)!r}",
            where=where,
            hint="The file cannot have comments: remove the line, or write a node's arguments",
        )
    for argument in arguments:
        if not argument or any(char in " \"'" or not char.isprintable() for char in argument):
            raise WatchdogError(
                f"the argument {argument!r} is empty or has a space, a quote or a control character, "
                "and how a manager reads these in this file is not known",
                where=where,
                hint="Use a path without these characters",
            )


__all__ = ["Entry", "parse", "render", "require_separate_configs", "wanted"]
