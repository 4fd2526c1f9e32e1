# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager answers over HTTP: gossip to anyone who asks, and on the internal port to anyone who gossips.

Routes, headers and status codes are those of a 3.4.0 database node (measured); it answers in JSON only. The internal
port also lends the lease on stopping nodes, which no server has.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import (
    Budget,
    HttpServer,
    Request,
    Response,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import lease
from es_manager import logs

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from es_manager.trust import Trust

log = logging.getLogger("es-manager")
network = logging.getLogger(logs.NETWORK)

HEADERS = {
    "Cache-Control": "max-age=0, no-cache, must-revalidate",
    "Vary": "Accept",
    "Access-Control-Allow-Origin": "*",
}
# Of one connection, as Mono's listener (measured: "Keep-Alive: timeout=15,max=100").
MAX_REQUESTS = 100
# All bodies of more than a few KB at one time. Gossip of a cluster has some KB.
BODIES_BYTES = 4 * 1024 * 1024
JSON_RANGES = frozenset({"", "*/*", "application/*", "application/json"})


class GossipServer:
    """Serves the membership on both endpoints of the manager."""

    def __init__(self, trust: Trust, *, internal: Endpoint, external: Endpoint) -> None:
        self._trust = trust
        self._internal = internal
        self._leases = lease.LeaseTable(clock=time.monotonic)
        budget = Budget(BODIES_BYTES)

        def serve(at: Endpoint) -> HttpServer:
            return HttpServer(at, self._answer, max_requests=MAX_REQUESTS, wants_body=self._wants_body, budget=budget)

        self._servers = {"Int": serve(internal), "Ext": serve(external)}

    async def start(self) -> None:
        """Listen on both; ServiceError names the option whose address or port cannot be had."""
        for prefix, server in self._servers.items():
            try:
                await server.start()
            except OSError as error:  # noqa: PERF203 -- two servers
                await self.stop()
                raise _not_available(prefix, server.endpoint, error) from None

    async def failed(self) -> None:
        """Wait until one of the servers cannot listen any more; OSError says why."""
        waits = [asyncio.ensure_future(server.failed()) for server in self._servers.values()]
        try:
            await asyncio.gather(*waits)
        finally:
            for each in waits:
                each.cancel()

    async def stop(self) -> None:
        for server in self._servers.values():
            await server.stop()

    def _wants_body(self, request: Request) -> bool:
        """Only what is posted on the internal port, and only as JSON, is read at all."""
        return (
            request.local == self._internal
            and request.method == "POST"
            and request.path in ("/gossip", lease.PATH)
            and _is_json(request)
            and (request.path != lease.PATH or self._trust.is_machine(request.peer.host))
        )

    async def _answer(self, request: Request) -> Response:
        answer = self._route(request)
        return Response(answer.status, {**answer.headers, **HEADERS}, answer.body)

    def _route(self, request: Request) -> Response:
        internal = request.local == self._internal
        if request.path == "/gossip":
            allowed = ["GET", "POST", "OPTIONS"] if internal else ["GET", "OPTIONS"]
        elif request.path == "/ping":
            allowed = ["GET", "OPTIONS"]
        elif request.path == lease.PATH and internal:
            allowed = ["GET", "POST", "OPTIONS"]
        else:
            return Response.of_text("Not found", 404)
        if request.method not in allowed:
            refusal = Response.of_text(f"{request.method} is not allowed here", 405)
            return Response(405, {**refusal.headers, "Allow": ", ".join(allowed)}, refusal.body)
        if request.method == "OPTIONS":
            return Response(200, {"Access-Control-Allow-Methods": ", ".join(allowed)})
        if request.path == "/ping":
            return Response.of_json({"text": "Ping request successfully handled"})
        if request.path == lease.PATH:
            if not self._trust.is_machine(request.peer.host):
                return Response.of_text(_no_lease(request.peer.host), 403)
            return self._lend(request) if request.method == "POST" else Response.of_json(self._holder())
        return self._receive(request) if request.method == "POST" else self._show(request)

    def _show(self, request: Request) -> Response:
        ranges = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
        if request.query.get("format", "json") != "json" or (
            "format" not in request.query and not ranges & JSON_RANGES
        ):
            return Response.of_text("Gossip is available as application/json", 406)
        return Response.of_json(members.render(self._trust.info()))

    def _lend(self, request: Request) -> Response:
        if not _is_json(request):
            return Response.of_text("A request for a lease must be application/json", 415)
        try:
            asked = lease.parse(request.body)
        except ValueError as error:
            return Response.of_text(f"Not a request for a lease: {error}", 400)
        granted = self._leases.ask(asked)
        if granted:
            did = f"has for {asked.seconds:g} s" if asked.seconds else "lost" if asked.breaks else "gave back"
            log.info("%s %s the lease on stopping nodes", asked.owner, did)
        return Response.of_json(self._holder(), 200 if granted else 409)

    def _holder(self) -> dict[str, object]:
        return self._leases.holder().to_wire()

    def _receive(self, request: Request) -> Response:
        if not _is_json(request):
            return Response.of_text("Gossip is received as application/json", 415)
        try:
            info = members.parse(request.body, where=f"gossip from {request.peer.host}")
            lines = self._trust.posted(info, request.peer.host)
        except GossipError as error:
            return Response.of_text(str(error), 400)
        for line in lines:
            network.info("%s", line)
        return Response.of_json(members.render(self._trust.info()))


def _no_lease(ip: str) -> str:
    return (
        f"{ip} is not permitted to use the lease on stopping nodes: it is not this machine, a seed or an address of "
        f"the DNS name of this manager, or in its option LeaseClients. If {ip} is a machine of the cluster, add it: "
        f"eventstore_environment: {{EVENTSTORE_LEASE_CLIENTS: {ip}}}"
    )


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _not_available(prefix: str, endpoint: Endpoint, error: OSError) -> ServiceError:
    if error.errno == errno.EADDRINUSE:
        pid = procfs.holder(endpoint)
        by = f"process {pid} ({' '.join(procfs.command_line(pid))})" if pid else "another process"
        return ServiceError(
            f"{endpoint} is in use by {by}", where=f"{prefix}HttpPort", hint="Stop the process, or set another port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ServiceError(
            f"{endpoint.host} is not an address of this machine",
            where=f"{prefix}Ip",
            hint="Set an address of this machine",
        )
    return ServiceError(f"cannot listen on {endpoint}: {error.strerror}", where=f"{prefix}HttpPort")


__all__ = ["GossipServer"]
