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

HEAD = """\
..
  SPDX-License-Identifier: GPL-3.0-or-later

  Written by scripts/problem_codes.py: change the texts in the code that reports them.

.. _ansible_collections.eventstore.cluster.docsite.problems:

Problem codes
=============

A problem has a code, a text, a hint and, unless the text names it, the host or server that has it. The codes are in
``es_gossip.problems``, in the results of ``es_preflight`` and ``es_plan``, and in brackets at the end of the message of
a refused stop. Below, ``…`` stands for a name, an address or a number.
"""


class Problem(t.NamedTuple):
    """One place that reports a problem."""

    code: str
    text: str
    hint: str


def problems(path: Path) -> t.Iterator[Problem]:
    """The problems that a file reports, with the constants of the file that they name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {_name(each.targets[0]): each.value for each in tree.body if isinstance(each, ast.Assign)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = [_text(each, constants) for each in [*call.args, *(keyword.value for keyword in call.keywords)]]
        if _name(call.func) == "as_problem":  # the error's text and hint
            given += ["…", "…"]
        elif _name(call.func) != "Problem":
            continue
        if len(given) >= 3 and given[0] != "…":
            yield Problem(*given[:3])


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _text(node: ast.AST, constants: t.Mapping[str, ast.AST]) -> str:
    """The text of an expression, with a mark for whatever is known at run time only."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each, constants) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, constants) + _text(node.right, constants)
    if isinstance(node, ast.Name) and node.id in constants:
        return _text(constants[node.id], {})
    return "…"


def _line(text: str) -> str:
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
