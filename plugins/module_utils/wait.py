# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Waiting for a condition, on the monotonic clock."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

T = t.TypeVar("T")

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.1


@dataclass(frozen=True)
class Waited(t.Generic[T]):
    """``ok``: the condition held; ``last``: the last observation; ``elapsed_s``: seconds waited."""

    ok: bool
    last: T
    elapsed_s: float


def wait_until(
    observe: t.Callable[[], T],
    holds: t.Callable[[T], bool],
    *,
    timeout_s: float,
    settle_s: float = 0.0,
) -> Waited[T]:
    """Observe until ``holds`` has been true for ``settle_s`` without a break, or ``timeout_s`` is over.

    Pauses grow from 20 ms to 100 ms, so a fast condition is seen fast and a slow one costs little; the last one ends
    with the settle time.
    At least one observation is made. Exceptions of ``observe`` pass through.
    """
    start = time.monotonic()
    pause = FIRST_PAUSE_S
    held_since: float | None = None
    while True:
        last = observe()
        now = time.monotonic()
        if not holds(last):
            held_since = None
        else:
            held_since = now if held_since is None else held_since
            if now - held_since >= settle_s:
                return Waited(True, last, now - start)
        if now - start >= timeout_s:
            return Waited(False, last, now - start)
        settled_in_s = pause if held_since is None else held_since + settle_s - now
        time.sleep(min(pause, settled_in_s, max(0.0, timeout_s - (now - start))))
        pause = min(pause * 1.5, LONGEST_PAUSE_S)


__all__ = ["Waited", "wait_until"]
