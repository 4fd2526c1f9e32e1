# SPDX-License-Identifier: GPL-3.0-or-later
"""The dump of options that a server prints at each start and with --what-if: read from 3.x to 25.x, written as 3.x.

3.4 to 20.10: a TAB before each line; 21.10, 22.10: five blanks; from 23.10: in groups. A title is an option's name in
capital words. What stands behind it is the raw text, not the value that the server makes of it.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config.document import MASK
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import DEFAULT
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective

_HEADING = re.compile(r"\s*(?:\[[^\]]*\]\s*)?(?:MODIFIED|DEFAULT) OPTIONS:\s*")
_LINE = re.compile(r"\s+([A-Z0-9][A-Z0-9 ]*):\s+(.*?)\s*\((<DEFAULT>|[^()<>]+)\)\s*")
_EMPTY = "<empty>"


def parse(text: str) -> dict[str, tuple[str, str]]:
    """Title -> raw value and source, as they stand in the dump; ConfigError where there is no dump."""
    found: dict[str, tuple[str, str]] = {}
    in_dump = False
    for line in text.splitlines():
        if _HEADING.fullmatch(line):
            in_dump = True
            continue
        match = _LINE.fullmatch(line) if in_dump else None
        if match:
            title, value, source = match.groups()
            found[title] = ("" if value == _EMPTY else value, source)
    if not found:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise ConfigError(
            f"expected a dump of options with the heading MODIFIED OPTIONS, got {first[:200]!r}",
            hint="Up to 20.10 the server reports wrong options on standard error and exits with 0",
        )
    return found


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
