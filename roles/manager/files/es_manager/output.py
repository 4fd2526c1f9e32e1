# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says: its output, which the manager catches, and its own log, where it says why it ended."""

from __future__ import annotations

import asyncio
import re
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json, printable
from ansible_collections.eventstore.cluster.plugins.module_utils.service.readiness import SAYS_IT_EXITS

TAIL_BYTES = 64 * 1024
MAX_LINE = 300
LOOK_S = 0.5
# A node that truncates its database logs this, exits with 0 and wants to be started again (measured, 3.4.0 to 5.0.11).
TRUNCATION = ("TRUNCATION IS NEEDED", "ATTEMPT TO TRUNCATE EPOCH")
# <Log>/<date>/<address>-<port>-cluster-node.log, from 5.0 on .json with one object a line.
LOGS = ("*/*-cluster-node.log", "*/*-cluster-node.json")
_VALUE = re.compile(r"\{@?(\w+)[^{}]*\}")


def size(path: Path) -> int:
    """The bytes of a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def last_lines(path: Path, count: int = 5, *, since: int = 0) -> str:
    """The last lines of a node's output from the byte ``since`` on, as one line."""
    try:
        lines = _tail(path, since)
    except OSError as error:
        return f"not readable ({error})"
    return " | ".join(line[:MAX_LINE] for line in lines[-count:]) or "none"


def marks(log: Path | None) -> dict[Path, int]:
    """How far a node's own logs go now; what comes later is the word of the process that starts."""
    try:
        return {path: size(path) for pattern in LOGS for path in log.glob(pattern)} if log else {}
    except OSError:
        return {}


def truncations(output: Path, since: int, log: Path | None, marked: t.Mapping[Path, int]) -> str:
    """Why the node that ended has truncated its database, from its output, else from its log; empty if it has not."""
    try:
        said = _tail(output, since)
        for path in marks(log):
            said += map(_said, _tail(path, marked.get(path, 0)))
    except OSError:
        return ""
    found = dict.fromkeys(line[:MAX_LINE] for line in said if any(words in line for words in TRUNCATION))
    return " | ".join([*found][-3:])


async def given_up(path: Path, since: int) -> str:
    """Wait until the node says that it exits; returns its words. Only what comes after the byte ``since`` counts."""
    rest = b""
    while True:
        await asyncio.sleep(LOOK_S)
        if size(path) < since:  # someone emptied or removed it
            since, rest = 0, b""
        while size(path) > since:
            with path.open("rb") as file:
                file.seek(since)
                new = file.read(TAIL_BYTES)
            since += len(new)
            rest = rest[-len(SAYS_IT_EXITS) :] + new
            if SAYS_IT_EXITS.encode() in rest:
                await asyncio.sleep(LOOK_S)  # the reason is the line after it
                return last_lines(path, 2, since=max(0, since - TAIL_BYTES))


def _tail(path: Path, since: int = 0) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(since, size(path) - TAIL_BYTES))
        lines = file.read(TAIL_BYTES).decode("utf-8", "replace").split("\n")
    # Of a long line the JSON has to be whole.
    return [printable(line.strip(), 10 * MAX_LINE) for line in lines if line.strip()]


def _said(line: str) -> str:
    """From 5.0 on the values stand apart from the text: ``"Message": "at {position}", "EventProperties": {…}``."""
    try:
        entry = parse_json(line)
        values = entry.get("EventProperties") or {}
        return printable(_VALUE.sub(lambda match: str(values.get(match[1], match[0])), entry["Message"]), MAX_LINE)
    except (FormatError, AttributeError, KeyError, TypeError):
        return line


__all__ = ["given_up", "last_lines", "marks", "size", "truncations"]
