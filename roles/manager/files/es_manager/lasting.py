# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on for as long as the manager runs: no task ends unseen."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, ServiceError

log = logging.getLogger("es-manager")

# Between one try and the next, of work that fails again and again.
PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0)
# Work that was done for so long has recovered from what was wrong before.
WELL_S = 30.0


async def lasting(name: str, work: t.Callable[[], t.Awaitable[object]], *, patience_s: float = float("inf")) -> None:
    """Do ``work`` again after every error. It may end by itself, if that is its end.

    ServiceError once nothing but errors came for ``patience_s``: the manager ends, and its unit starts another one.
    """
    tries, since = 0, time.monotonic()
    while True:
        started = time.monotonic()
        try:
            await work()
            return
        except Exception as error:  # whatever it is, to do without the work is worse
            now = time.monotonic()
            if now - started >= WELL_S:
                tries, since = 0, now
            if now - since > patience_s:
                raise ServiceError(f"{name} failed for {now - since:.0f} s: {described(error)}") from error
            pause_s = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
            tries += 1
            log.error("%s failed: %s; tried again in %g s", name, described(error), pause_s)
        await asyncio.sleep(pause_s)


def described(error: BaseException) -> str:
    """One line; of what no one foresaw, with the place."""
    if isinstance(error, (EventStoreError, OSError)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    places = [f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in frames]
    return f"{type(error).__name__}: {error}{''.join(places)}"


__all__ = ["described", "lasting"]
