# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options that modules import, from options.yml; --check compares it with what is there."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import yaml

DATA = Path(__file__).with_suffix(".yml")
TABLE = DATA.parent.parent / "plugins/module_utils/config/modern.py"

WIDTH = 120
HEAD = '''\
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Every option of database nodes from 20.6 on. From scripts/options.yml, by scripts/options.py."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import Option

OPTIONS = (
'''
MIDDLE = """)

SECTIONS = {
"""
TAIL = """}

__all__ = ["OPTIONS", "SECTIONS"]
"""


def _literal(value: object) -> str:
    if isinstance(value, list):
        return repr(tuple(value)).replace("'", '"')
    return repr(value).replace("'", '"')


def _option(name: str, facts: dict[str, t.Any]) -> str:
    words = [_literal(each) for each in (name, facts.pop("type"), facts.pop("default"))]
    if "later" in facts:
        facts["later"] = [tuple(pair) for pair in facts["later"].items()]
    words += [f"{key}={_literal(value)}" for key, value in facts.items()]
    line = f"    Option({', '.join(words)}),\n"
    if len(line) <= WIDTH:
        return line
    return "    Option(\n" + "".join(f"        {word},\n" for word in words) + "    ),\n"


def _section(since: str, names: list[str]) -> str:
    line = f"    {_literal(since)}: {_literal(names)},\n"
    if len(line) <= WIDTH:
        return line
    return f"    {_literal(since)}: (\n" + "".join(f"        {_literal(name)},\n" for name in names) + "    ),\n"


def table() -> str:
    """The module's text."""
    groups = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    sections = [_section(since, names) for since, names in groups.pop("Sections").items()]
    lines = [_option(name, facts) for options in groups.values() for name, facts in options.items()]
    return HEAD + "".join(lines) + MIDDLE + "".join(sections) + TAIL


def main() -> int:
    if sys.argv[1:] != ["--check"]:
        TABLE.write_text(table(), encoding="utf-8")
    elif TABLE.read_text(encoding="utf-8") != table():
        print(f"{TABLE.name} is not what {DATA.name} says: run python scripts/options.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
