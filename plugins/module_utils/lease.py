# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease on stopping nodes of a cluster: each manager lends it to one owner at a time, a majority of them decides.

It is kept in memory. A manager that was restarted has forgotten it; the others have not, and no one else gets a
majority of them while only one manager at a time is restarted. What an expired or forgotten lease no longer keeps
apart, the guard does: it counts the nodes that are down.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json

if t.TYPE_CHECKING:
    pass

PATH = "/lease"
MAX_S = 3600.0
MAX_OWNER = 200
TIMEOUT_S = 2.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True)
class Lease:
    """``owner`` has had it for ``held_s`` seconds and keeps it for ``left_s`` more; nobody has it without an owner."""

    owner: str = ""
    held_s: float = 0.0
    left_s: float = 0.0

    def to_wire(self) -> dict[str, object]:
        return {"owner": self.owner, "held_s": round(self.held_s, 1), "left_s": round(self.left_s, 1)}

    def __str__(self) -> str:
        return f"{self.owner} has had it for {self.held_s:.0f} s; it expires in {self.left_s:.0f} s"


class Book:
    """What one manager has lent."""

    def __init__(self, *, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._owner = ""
        self._since = self._until = 0.0

    def holder(self) -> Lease:
        now = self._clock()
        if not self._owner or now >= self._until:
            return Lease()
        return Lease(self._owner, now - self._since, self._until - now)

    def ask(self, owner: str, seconds: float) -> bool:
        """Lend it for so long, or longer to the one who has it; 0 gives it back. False if another one has it."""
        holder = self.holder()
        if holder.owner not in ("", owner):
            return False
        now = self._clock()
        if not holder.owner:
            self._since = now
        self._owner, self._until = owner, now + seconds
        return True


def parse(body: bytes) -> tuple[str, float]:
    """Read what is posted: owner and seconds; FormatError says what was expected."""
    data = parse_json(body)
    owner, seconds = (data.get("owner"), data.get("seconds")) if isinstance(data, dict) else (None, None)
    if not isinstance(owner, str) or not owner.isprintable() or not 0 < len(owner) <= MAX_OWNER:
        raise FormatError(f"expected an owner of 1 to {MAX_OWNER} printable characters")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_S:
        raise FormatError(f"expected seconds from 0 to {MAX_S:g}")
    return owner, float(seconds)


class Taken(ServiceError):
    """Somebody else has the lease, or too few managers answer."""


__all__ = ["HEADERS", "MAX_S", "PATH", "Book", "Lease", "Taken", "parse"]
