# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine, read from /proc. A process is known by its pid *and* its start time: pids come again."""

from __future__ import annotations

import typing as t
from pathlib import Path

PROC = Path("/proc")


def start_time(pid: int) -> int | None:
    """Clock ticks from the machine's boot to the start of the process; None if it does not run (or is a zombie)."""
    try:
        # The second field, the name in parentheses, may hold blanks and parentheses itself (proc(5)).
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_running(pid: int, started: int) -> bool:
    """Whether the very process that began at ``started`` still runs."""
    return start_time(pid) == started


def command_line(pid: int) -> list[str]:
    """The arguments of a process, the program first; empty if it does not run."""
    try:
        content = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode("utf-8", "surrogateescape") for part in content.split(b"\0")[:-1]]


def all_pids() -> t.Iterator[int]:
    """The pids of all processes that can be seen."""
    for path in PROC.iterdir():
        if path.name.isdigit():
            yield int(path.name)


def boot_id() -> str:
    """What tells this boot of the machine from any other: start times count from it."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


__all__ = ["all_pids", "boot_id", "command_line", "is_running", "start_time"]
