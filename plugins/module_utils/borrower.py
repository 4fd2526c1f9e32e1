# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wants to stop nodes borrows the lease from a majority of the managers."""

from __future__ import annotations

import asyncio
import json
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import http_client
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.lease import (
    HEADERS,
    PATH,
    TIMEOUT_S,
    Lease,
    Taken,
)

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint


class Borrower:
    """Takes the lease from a majority of managers, keeps it and gives it back."""

    def __init__(self, managers: t.Sequence[Endpoint], owner: str, *, cluster: str) -> None:
        self._managers = list(managers)
        self._needed = len(self._managers) // 2 + 1
        self._owner = owner
        self._cluster = cluster

    def take(self, seconds: float) -> bool:
        """Get it or keep it; Taken if that fails. False where managers know no leases and nobody else has one."""
        granted, other, silent, deaf = asyncio.run(self._ask_all(self._owner, seconds))
        if granted >= self._needed:
            return True
        if not other and granted + deaf >= self._needed:
            return False
        self.give_back()
        if other:
            problem = f"another stop is under way: {other}"
            hint = f"Wait for it. If it has ended without giving the lease back: break_lease: '{other.owner}'"
        else:
            problem = f"{len(silent)} of {len(self._managers)} managers lend no lease: {'; '.join(silent)}"
            hint = f"A majority of them, {self._needed}, has to: start the managers first"
        raise Taken(problem, where=f"lease of {self._cluster}", hint=hint)

    def give_back(self, owner: str = "") -> None:
        """End the own lease, or break that of another owner. A manager that does not hear it lets it expire."""
        asyncio.run(self._ask_all(owner or self._owner, 0))

    async def _ask_all(self, owner: str, seconds: float) -> tuple[int, Lease | None, list[str], int]:
        """(how many lent it, who else has it, who did not answer and why, how many know no leases)."""
        body = json.dumps({"owner": owner, "seconds": seconds}).encode()
        granted, deaf = 0, 0
        other: Lease | None = None
        silent: list[str] = []
        tasks = [asyncio.ensure_future(_post(manager, body)) for manager in self._managers]
        try:
            for task in asyncio.as_completed(tasks):
                try:
                    status, lease = await task
                except GossipError as error:
                    silent.append(str(error))
                    continue
                granted += status == 200
                deaf += status == 404
                other = lease if status == 409 else other
                if seconds and granted >= self._needed:
                    break  # a machine that is down is not waited for
        finally:
            for left in tasks:
                left.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return granted, other, silent, deaf


async def _post(manager: Endpoint, body: bytes) -> tuple[int, Lease]:
    answer = await http_client.request("POST", manager, PATH, body=body, headers=HEADERS, timeout_s=TIMEOUT_S)
    where = f"http://{manager}{PATH}"
    if answer.status == 404:  # a manager of an earlier release, or not the built-in one
        return answer.status, Lease()
    try:
        data = parse_json(answer.body)
        lease = Lease(str(data["owner"]), float(data["held_s"]), float(data["left_s"]))
    except (ValueError, KeyError, TypeError):
        raise GossipError(f"expected a lease, but came status {answer.status}", where=where) from None
    if answer.status not in (200, 409):
        raise GossipError(f"expected status 200 or 409, but came {answer.status}", where=where)
    return answer.status, lease


__all__ = ["Borrower"]
