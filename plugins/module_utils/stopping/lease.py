# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The lease on stopping nodes of a cluster: each manager lends it to one owner at a time, a majority of them decides.

It is kept in memory. A manager that was restarted has forgotten it; the others have not, and no one else gets a
majority of them while only one manager at a time is restarted. What an expired or forgotten lease no longer keeps
apart, the guard does: it counts the nodes that are down.
"""

from __future__ import annotations

import hmac
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json

PATH = "/lease"
MAX_S = 3600.0
MAX_OWNER = 200
MAX_TOKEN = 64
TIMEOUT_S = 2.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True)
class Lease:
    """``owner`` has had it for ``held_s`` seconds and keeps it for ``left_s`` more; no one has it without an owner."""

    owner: str = ""
    held_s: float = 0.0
    left_s: float = 0.0

    def to_wire(self) -> dict[str, object]:
        return {"owner": self.owner, "held_s": round(self.held_s, 1), "left_s": round(self.left_s, 1)}

    def __str__(self) -> str:
        return f"{self.owner} has held it for {self.held_s:.0f} s; it expires in {self.left_s:.0f} s"


@dataclass(frozen=True)
class Request:
    """What is asked of a manager: to lend the lease for so long, or longer to the one who has it; 0 gives it back.

    ``token``: the secret of the owner, whose name everyone may read. ``renew``: only a lease that is still held is made
    longer. ``breaks``: the lease of this owner is ended, whatever its token; an operator's word, not the owner's.
    """

    owner: str
    seconds: float
    token: str = field(default="", repr=False)
    renew: bool = False
    breaks: bool = False

    def to_wire(self) -> dict[str, object]:
        return {
            "owner": self.owner,
            "seconds": self.seconds,
            "token": self.token,
            "renew": self.renew,
            "break": self.breaks,
        }


class LeaseTable:
    """What one manager has lent."""

    def __init__(self, *, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._owner = self._token = ""
        self._since = self._until = 0.0

    def holder(self) -> Lease:
        now = self._clock()
        if not self._owner or now >= self._until:
            return Lease()
        return Lease(self._owner, now - self._since, self._until - now)

    def ask(self, request: Request) -> bool:
        """Do what is asked for; False if another one has the lease, or no one who could renew it."""
        holder = self.holder()
        is_owner = holder.owner == request.owner and (request.breaks or self._is_token(request.token))
        if not (is_owner or (not holder.owner and not request.renew)):
            return False
        now = self._clock()
        if not holder.owner:
            self._since = now
        self._owner, self._token, self._until = request.owner, request.token, now + request.seconds
        return True

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(self._token.encode(), token.encode())


def parse(body: bytes) -> Request:
    """Read what is posted; FormatError says what was expected."""
    data = parse_json(body)
    if not isinstance(data, dict):
        raise FormatError("expected a JSON object")
    owner, seconds, token = data.get("owner"), data.get("seconds"), data.get("token", "")
    if not isinstance(owner, str) or not owner.isprintable() or not 0 < len(owner) <= MAX_OWNER:
        raise FormatError(f"expected an owner of 1 to {MAX_OWNER} printable characters")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_S:
        raise FormatError(f"expected seconds from 0 to {MAX_S:g}")
    if not isinstance(token, str) or not token.isprintable() or len(token) > MAX_TOKEN:
        raise FormatError(f"expected a token of at most {MAX_TOKEN} printable characters")
    renew, breaks = data.get("renew", False), data.get("break", False)
    if not isinstance(renew, bool) or not isinstance(breaks, bool) or (breaks and (seconds or renew)):
        raise FormatError("expected true or false for renew and break, and break only with 0 seconds")
    return Request(owner, float(seconds), token, renew, breaks)


class LeaseHeld(ServiceError):
    """Somebody else has the lease, or too few managers answer."""


__all__ = ["HEADERS", "MAX_S", "PATH", "Lease", "LeaseHeld", "LeaseTable", "Request", "parse"]
