# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""JSON, numbers and text that other programs wrote, read within bounds.

FormatError is all that comes out, so no other code calls json.loads or int on foreign text.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError

MAX_DEPTH = 32  # gossip has 3
MAX_DIGITS = 64  # int() and float() of thousands of digits take long, or raise from Python 3.11 on
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS = {10: re.compile("-?[0-9]+"), 16: re.compile("[0-9A-Fa-f]+")}


def parse_json(raw: bytes | str) -> t.Any:
    """The value, at most MAX_DEPTH deep, with finite numbers of at most MAX_DIGITS, and text that can be printed."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair cannot be printed or logged
    except RecursionError:
        raise FormatError("it is nested too deep") from None
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(str(error)) from None
    level = [value]
    for _depth in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise FormatError("it is nested too deep")


def parse_number(text: str, low: int, high: int, *, base: int = 10) -> int:
    """A whole number in ASCII digits from ``low`` to ``high``."""
    if len(text) > MAX_DIGITS or not _DIGITS[base].fullmatch(text) or not low <= int(text, base) <= high:
        raise FormatError(f"expected a number from {low} to {high}, got {text[:MAX_DIGITS]!r}")
    return int(text, base)


def printable(text: str, limit: int = 200) -> str:
    """What others wrote, fit for one line of a log, a table or a message: no line break, no escape, not for ever."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:limit])
    return shown if len(text) <= limit else f"{shown}..."


def _inside(value: object) -> t.Iterable[t.Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise FormatError(f"a number has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > MAX_DIGITS or not math.isfinite(float(text)):
        raise FormatError(f"the number {text[:MAX_DIGITS]} is too long")
    return float(text)


def _refuse(name: str) -> t.NoReturn:
    raise FormatError(f"{name} is not JSON")


__all__ = ["parse_json", "parse_number", "printable"]
