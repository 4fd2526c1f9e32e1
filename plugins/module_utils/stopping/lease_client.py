# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Who wants to stop nodes borrows the lease from a majority of the managers."""

from __future__ import annotations

import asyncio
import json
import secrets
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.http import client
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease import (
    HEADERS,
    PATH,
    TIMEOUT_S,
    Lease,
    LeaseHeld,
    Request,
)

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint


@dataclass
class _Answers:
    """How many managers lent it, which other owner has it, who did not answer and why, how many know no leases."""

    granted: int = 0
    other: Lease | None = None
    silent: list[str] = field(default_factory=list)
    without_leases: int = 0


class LeaseClient:
    """Takes the lease from a majority of managers, keeps it and gives it back."""

    def __init__(self, managers: t.Sequence[Endpoint], owner: str, *, cluster: str) -> None:
        self._managers = list(managers)
        self._needed = len(self._managers) // 2 + 1
        self._owner = owner
        # Everyone may read the owner's name; what was lent to this process only this process makes longer or ends.
        self._token = secrets.token_hex(16)
        self._cluster = cluster

    def take(self, seconds: float) -> bool:
        """Get it or keep it; LeaseHeld if that fails. False where managers know no leases and nobody else has one."""
        answers = asyncio.run(self._ask_all(Request(self._owner, seconds, self._token)))
        if answers.granted >= self._needed:
            return True
        if not answers.other and answers.granted + answers.without_leases >= self._needed:
            return False
        self.release()
        other, silent = answers.other, answers.silent
        where = f"lease of {self._cluster}"
        if other:
            hint = f"Wait for it. If it has ended without giving the lease back: break_lease: '{other.owner}'"
            raise LeaseHeld.of(Problem("lease-held", f"not stopped: another stop is in progress: {other}", hint, where))
        text = f"not stopped: {len(silent)} of {len(self._managers)} managers lend no lease: {'; '.join(silent)}"
        hint = f"A majority of them, {self._needed}, has to: start the managers first"
        raise LeaseHeld.of(Problem("no-lease", text, hint, where))

    def renew(self, seconds: float) -> bool:
        """Keep what was taken and never lost since; False if that cannot be said of a majority of the managers."""
        answers = asyncio.run(self._ask_all(Request(self._owner, seconds, self._token, renew=True)))
        without = 0 if answers.other else answers.without_leases
        return answers.granted + without >= self._needed

    def release(self) -> None:
        """End the own lease. A manager that does not hear it lets it expire."""
        asyncio.run(self._ask_all(Request(self._owner, 0, self._token)))

    def end(self, owner: str) -> None:
        """Break the lease of another owner, on the operator's word."""
        asyncio.run(self._ask_all(Request(owner, 0, breaks=True)))

    async def _ask_all(self, request: Request) -> _Answers:
        body = json.dumps(request.to_wire()).encode()
        answers = _Answers()
        tasks = [asyncio.ensure_future(_post(manager, body)) for manager in self._managers]
        try:
            for task in asyncio.as_completed(tasks):
                try:
                    status, lease = await task
                except GossipError as error:
                    answers.silent.append(str(error))
                    continue
                answers.granted += status == 200
                answers.without_leases += status == 404
                # Nobody's: it was renewed, but this manager has forgotten it, or has let it expire.
                answers.other = lease if status == 409 and lease.owner else answers.other
                if request.seconds and answers.granted >= self._needed:
                    break  # a machine that is down is not waited for
        finally:
            for left in tasks:
                left.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return answers


async def _post(manager: Endpoint, body: bytes) -> tuple[int, Lease]:
    answer = await client.request("POST", manager, PATH, body=body, headers=HEADERS, timeout_s=TIMEOUT_S)
    where = f"http://{manager}{PATH}"
    if answer.status == 404:  # a manager of an earlier release, or not the built-in one
        return answer.status, Lease()
    try:
        data = parse_json(answer.body)
        lease = Lease(str(data["owner"]), float(data["held_s"]), float(data["left_s"]))
    except (ValueError, KeyError, TypeError):
        raise GossipError(_refusal(answer), where=where) from None
    if answer.status not in (200, 409):
        raise GossipError(f"expected status 200 or 409, got {answer.status}", where=where)
    return answer.status, lease


def _refusal(answer: client.Answer) -> str:
    """A manager says in words why it refuses, which address and which option."""
    said = answer.body[:500].decode("utf-8", "replace") if answer.status in (400, 403, 415) else ""
    return "".join(filter(str.isprintable, said)).strip() or f"expected a lease, got status {answer.status}"


__all__ = ["LeaseClient"]
