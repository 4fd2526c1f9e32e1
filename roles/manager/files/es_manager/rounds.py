# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of gossip, and the discovery of peers: what moves a Membership."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import discovery, members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import (
    STARTUP_INTERVAL_S,
    STARTUP_ROUNDS,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.http import client
from es_manager import logs
from es_manager.lasting import described

if t.TYPE_CHECKING:
    from es_manager.trust import Trust

log = logging.getLogger(logs.NETWORK)

RESOLVE_AGAIN_S = 10.0
RETRY_RESOLVE_S = 1.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


async def gossip(trust: Trust, *, own_ip: str, interval_s: float, timeout_s: float) -> None:
    """Exchange with one member a round, and with those in doubt at once. One that does not answer delays no round."""
    loop = asyncio.get_running_loop()
    exchanges: dict[Endpoint, asyncio.Task[None]] = {}
    number, next_round = 0, loop.time()
    while True:
        targets = trust.due()
        if loop.time() >= next_round:
            targets += filter(None, [trust.target()])
            number += 1
            quick = number <= STARTUP_ROUNDS or trust.is_stirred
            next_round = loop.time() + (min(STARTUP_INTERVAL_S, interval_s) if quick else interval_s)
        elif trust.is_stirred:
            next_round = min(next_round, loop.time() + STARTUP_INTERVAL_S)
        for target in targets:
            if target not in exchanges:
                exchanges[target] = loop.create_task(_exchange(trust, target, own_ip, timeout_s))
                exchanges[target].add_done_callback(functools.partial(_done, exchanges, target))
        await asyncio.sleep(min(STARTUP_INTERVAL_S, interval_s))


def _done(exchanges: dict[Endpoint, asyncio.Task[None]], target: Endpoint, task: asyncio.Task[None]) -> None:
    del exchanges[target]
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("gossip with %s failed: %s", target, described(error))


async def _exchange(trust: Trust, target: Endpoint, own_ip: str, timeout_s: float) -> None:
    body = json.dumps(members.render(trust.info())).encode()
    try:
        answer = await client.request(
            "POST", target, "/gossip", body=body, headers=HEADERS, timeout_s=timeout_s, local_ip=own_ip
        )
        if answer.status != 200:
            raise GossipError(f"expected 200, got {answer.status}", where=f"http://{target}/gossip")
        lines = trust.answered(target, members.parse(answer.body, where=f"http://{target}/gossip"))
    except GossipError as error:
        lines = trust.failed(target, str(error))
    for line in lines:
        log.info("%s", line)


async def discover(trust: Trust, name: str, port: int, *, nameservers: t.Sequence[str]) -> None:
    """Resolve the cluster's DNS name again and again, so that a machine added later is found, too."""
    last = ""
    while True:
        try:
            addresses = await asyncio.to_thread(discovery.resolve, name, nameservers=nameservers)
        except GossipError as error:
            now, pause_s = str(error), RETRY_RESOLVE_S
            if now != last:
                log.error("%s; the query is repeated every second", now)
        else:
            now, pause_s = ", ".join(addresses), RESOLVE_AGAIN_S
            if now != last:
                log.info("%s has the addresses %s", name, now)
            for line in trust.found(Endpoint(address, port) for address in addresses):
                log.info("%s", line)
        last = now
        await asyncio.sleep(pause_s)


__all__ = ["discover", "gossip"]
