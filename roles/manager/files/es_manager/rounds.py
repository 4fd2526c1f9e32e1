# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of gossip, and the discovery of whom to gossip with: what moves a Membership."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import http_client
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import discovery, members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import (
    STARTUP_INTERVAL_S,
    STARTUP_ROUNDS,
)

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership

log = logging.getLogger("es-manager")

RESOLVE_AGAIN_S = 10.0
RETRY_RESOLVE_S = 1.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


async def gossip(membership: Membership, *, own_ip: str, interval_s: float, timeout_s: float) -> None:
    """Exchange with one member a round, for ever. A member that does not answer delays no round."""
    exchanges: set[asyncio.Task[None]] = set()
    for number in itertools.count():
        target = membership.target()
        if target:
            task = asyncio.create_task(_exchange(membership, target, own_ip, timeout_s))
            exchanges.add(task)
            task.add_done_callback(exchanges.discard)
        await asyncio.sleep(STARTUP_INTERVAL_S if number < STARTUP_ROUNDS else interval_s)


async def _exchange(membership: Membership, target: Endpoint, own_ip: str, timeout_s: float) -> None:
    body = json.dumps(members.render(membership.info())).encode()
    try:
        answer = await http_client.request(
            "POST", target, "/gossip", body=body, headers=HEADERS, timeout_s=timeout_s, local_ip=own_ip
        )
        if answer.status != 200:
            raise GossipError(f"expected 200, but it answered {answer.status}", where=f"http://{target}/gossip")
        lines = membership.receive(members.parse(answer.body, where=f"http://{target}/gossip"))
    except GossipError as error:
        lines = membership.send_failed(target, str(error))
    for line in lines:
        log.info("%s", line)


async def discover(membership: Membership, name: str, port: int, *, nameservers: t.Sequence[str]) -> None:
    """Resolve the cluster's DNS name again and again, so that a machine added later is found, too."""
    last = ""
    while True:
        try:
            addresses = await asyncio.to_thread(discovery.resolve, name, nameservers=nameservers)
        except GossipError as error:
            now, pause_s = str(error), RETRY_RESOLVE_S
            if now != last:
                log.error("%s; it is asked again every second", now)
        else:
            now, pause_s = ", ".join(addresses), RESOLVE_AGAIN_S
            if now != last:
                log.info("%s has the addresses %s", name, now)
            for line in membership.add_seeds(Endpoint(address, port) for address in addresses):
                log.info("%s", line)
        last = now
        await asyncio.sleep(pause_s)


__all__ = ["discover", "gossip"]
