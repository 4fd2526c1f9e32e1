# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The dump of options that a server prints at each start and with --what-if: read from 3.x to 26.x, written as 3.x.

3.4 to 20.10: a TAB before each line; 21.10, 22.10: five blanks; from 23.10: in groups, and all values begin in one
column, which is another one in each series. A title is an option's name in capital words. What stands behind it is the
raw text, not the value that the server makes of it. With LogConsoleFormat Json there are no such lines.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config.document import MASK
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import DEFAULT
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective

_HEADING = re.compile(r"\s*(?:\[[^\]]*\]\s*)?(?:MODIFIED|DEFAULT) OPTIONS:\s*")
_START = re.compile(r"(\s+)([A-Z0-9][A-Z0-9 ]*):")
_SOURCE = re.compile(r"\((<DEFAULT>|[^()<>]+)\)\s*")
_WIDTH = 25  # of a title and its colon up to 20.10, behind which one blank stands; later layouts align by their longest
_VALUE = re.compile(r"\s+[A-Z0-9][A-Z0-9 ]*: +(?=\S)")
_EMPTY = "<empty>"


def parse(text: str) -> dict[str, tuple[str, str]]:
    """Title -> raw value and source, as they stand in the dump; ConfigError where there is no dump.

    A value can have line breaks, and blanks at its edges.
    """
    found: dict[str, tuple[str, str]] = {}
    in_dump, title, lines = False, "", [""]
    column = _column(text)
    for line in text.split("\n"):
        start = _START.match(line) if in_dump else None
        if _HEADING.fullmatch(line):
            in_dump, title = True, ""
        elif start:  # what was open before had no source: it is the title of a group
            title, lines = start[2], [_behind(line, start, column)]
        else:
            lines.append(line)
        last, source = _cut(lines[-1]) if title else ("", "")
        if source:
            raw = "\n".join([*lines[:-1], last])
            found[title] = ("" if raw == _EMPTY else raw, source)
            title = ""
    if not found:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise ConfigError(
            f"expected a dump of options with the heading MODIFIED OPTIONS, got {first[:200]!r}",
            hint="Up to 20.10 the server reports wrong options on standard error and exits with 0",
        )
    return found


def _column(text: str) -> int:
    """Where most values begin: those of which nothing is in the way, as most are defaults."""
    starts = collections.Counter(match.end() for match in map(_VALUE.match, text.splitlines()) if match)
    return starts.most_common(1)[0][0] if starts else 0


def _behind(line: str, start: re.Match[str], column: int) -> str:
    """What stands behind a title, without what aligns it."""
    if start[1] == "\t":
        column = max(start.end(), len(start[1]) + _WIDTH) + 1
    is_aligned = line[start.end() : column].isspace()
    return line[column:] if is_aligned else line[start.end() :].lstrip()


def _cut(line: str) -> tuple[str, str]:
    """The end of a value, and its source behind it; "" where there is none."""
    at = line.rfind("(")
    match = _SOURCE.fullmatch(line, at) if at >= 0 else None
    return (line[:at].removesuffix(" "), match[1]) if match else (line, "")


def render(effective: Effective) -> str:
    """The dump in the layout of 3.4 to 5.0. Unlike the server's, it hides secrets."""
    modified = [setting for setting in effective.values() if setting.source != DEFAULT]
    defaults = [setting for setting in effective.values() if setting.source == DEFAULT]
    lines = ["MODIFIED OPTIONS:", ""]
    for setting in [*modified, None, *defaults]:
        if setting is None:
            lines += ["" if modified else "NONE\n", "DEFAULT OPTIONS:", ""]
            continue
        shown = MASK if setting.option.secret and setting.raw else setting.raw or _EMPTY
        lines.append(f"\t{setting.option.title + ':':<25} {shown} ({setting.source})")
    return "\n".join(lines) + "\n"


__all__ = ["parse", "render"]
