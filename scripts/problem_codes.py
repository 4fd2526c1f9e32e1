# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of all problem codes, from the code that reports them; --check compares it with what is there."""

from __future__ import annotations

import ast
import re
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/docsite/rst/problems.rst"
SOURCES = ROOT / "plugins"
NAMES = ("Problem", "_problem", "Loss")

HEAD = """\
..
  SPDX-License-Identifier: GPL-3.0-or-later

  Written by scripts/problem_codes.py: change the texts in the code that reports them.

.. _ansible_collections.eventstore.cluster.docsite.problems:

Problem codes
=============

A problem has a code, a text and a hint. The codes are in ``es_gossip.problems`` and in the results of
``es_preflight`` and ``es_plan``. Below, ``…`` stands for a name, an address or a number.
"""


class Problem(t.NamedTuple):
    """One place that reports a problem."""

    code: str
    text: str
    hint: str


def problems(path: Path) -> t.Iterator[Problem]:
    """The problems that a file reports, with the constants of their texts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
            code, *texts = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [_text(each) for each in texts][:2]
        elif isinstance(node, ast.Dict) and {_text(key) for key in node.keys if key} >= {"code", "text", "hint"}:
            values = {_text(key): value for key, value in zip(node.keys, node.values) if key}
            code, texts = values["code"], [_text(values["text"]), _text(values["hint"])]
        else:
            continue
        if isinstance(code, ast.Constant) and len(texts) == 2:
            yield Problem(str(code.value), *texts)


def _text(node: ast.AST) -> str:
    """The text of an expression, with a mark for whatever is known at run time only."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"


def _line(text: str) -> str:
    text = re.sub(r"\{\w+\}", "…", text)  # a text that is filled in by str.format
    text = re.sub(r"(… ?)+", lambda match: "… " if match[0].endswith(" ") else "…", " ".join(text.split()))
    return re.sub(r"([*`|_\\])", r"\\\1", text).strip()


def page() -> str:
    """The page, sorted by code."""
    found: dict[str, list[Problem]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for each in problems(path):
            found.setdefault(each.code, []).append(each)
    parts = [HEAD]
    for code, places in sorted(found.items()):
        parts.append(f"{code}\n{'-' * len(code)}\n")
        for text, hint in dict.fromkeys((_line(each.text), _line(each.hint)) for each in places):
            parts.append(f"{text}\n\n  {hint}\n")
    return "\n".join(parts)


def main() -> int:
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
        print(
            f"{PAGE.relative_to(ROOT)} is not what the code says: run python scripts/problem_codes.py", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
