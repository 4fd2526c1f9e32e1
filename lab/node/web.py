# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node answers over HTTP, as measured on 3.4.0."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import os
import re
import resource
import typing as t
from html import escape

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.http.client import request as send
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import Request, Response
from lab.node.node import NotReady, WriteTimeout
from lab.node.peers import unpack
from lab.node.streams import BadEvents, to_payload
from lab.node.version import VERSION

if t.TYPE_CHECKING:
    from lab.node.node import Node

HANG_S = 10.0
EVENTS_TYPE = "application/vnd.eventstore.events+json"
USERS = {"admin": ("changeit", {"$admins"}), "ops": ("changeit", {"$ops"})}
COMMON_HEADERS = {
    "Cache-Control": "max-age=0, no-cache, must-revalidate",
    "Vary": "Accept",
    "Access-Control-Allow-Origin": "*",
    "Server": "EventStore-Lab",
}
UNAUTHORIZED = Response(401, {"WWW-Authenticate": 'Basic realm="ES"'})
NOT_READY = Response.of_text("Server Is Not Ready", 503)
IN_TIME = Response.of_text("Server was unable to handle request in time", 408)

Answering = t.Callable[[Request], t.Awaitable[Response]]


class Web:
    """The answers of one listener; ``side`` is Int or Ext."""

    def __init__(self, node: Node, side: str) -> None:
        self._node = node
        self._is_internal = side == "Int"
        self._side, self._values = side, node.options.by_name
        self._routes: dict[str, dict[str, Answering]] = {
            "/ping": {"GET": self._ping},
            "/info": {"GET": self._info},
            "/info/options": {"GET": self._options},
        }
        if self._has("GossipOnExt"):
            posts = {"POST": self._gossip_post} if self._is_internal else {}
            self._routes["/gossip"] = {"GET": self._gossip, "OPTIONS": self._allow, **posts}
        if self._has("StatsOnExt"):
            self._routes["/stats"] = {"GET": self._stats}
        if self._has("AdminOnExt"):
            self._routes["/"] = {"GET": self._home}
            self._routes["/admin/shutdown"] = {"POST": self._shutdown}
        if self._is_internal:
            self._routes["/lab/raft"] = {"POST": self._raft}

    def _has(self, option: str) -> bool:
        return self._is_internal or self._node.options.value(option)

    async def handle(self, request: Request) -> Response:
        host = re.sub(":[0-9]*$", "", request.headers.get("host", ""))  # of the port, Mono takes no notice
        if not addresses.answers_to(self._values, self._side, host):
            return Response(400, {"Content-Type": "text/html"}, b"<h1>Bad Request (Invalid host)</h1>")
        methods = self._routes.get(request.path)
        if methods is None and request.path.startswith("/streams/"):
            methods = {"GET": self._read, "POST": self._write}
        if methods is None:
            return Response(404)
        answering = methods.get(request.method)
        if answering is None:
            return Response(405, {"Allow": ", ".join(sorted(methods))})
        response = await answering(request)
        return dataclasses.replace(response, headers={**COMMON_HEADERS, **response.headers})

    # -- about the node ----------------------------------------------------------------------------------------------

    async def _home(self, request: Request) -> Response:
        return Response(302, {"Location": f"http://{request.local}/web/index.html"})

    async def _allow(self, _request: Request) -> Response:
        return Response(200)

    async def _ping(self, _request: Request) -> Response:
        return Response.of_json({"msgTypeId": 166, "text": "Ping request successfully handled"})

    async def _info(self, _request: Request) -> Response:
        state = self._node.state.lower()
        return Response.of_json({"esVersion": f"{VERSION}.0", "state": state, "projectionsMode": "None"})

    async def _options(self, request: Request) -> Response:
        if "$admins" not in self._groups(request):
            return UNAUTHORIZED
        return Response.of_json(
            [
                {"name": name, "description": "", "group": "", "value": "" if s.option.secret else _shown(s.value)}
                for name, s in self._node.options.items()
            ]
        )

    async def _stats(self, _request: Request) -> Response:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        node = self._node
        proc = {"id": os.getpid(), "mem": usage.ru_maxrss * 1024, "cpuSeconds": usage.ru_utime + usage.ru_stime}
        written = {"writerCheckpoint": node.disk.end, "chaserCheckpoint": node.disk.chaser.position}
        return Response.of_json({"proc": proc, "es": written})

    async def _shutdown(self, request: Request) -> Response:
        if "content-length" not in request.headers:
            return Response(411)
        if not self._groups(request):
            return UNAUTHORIZED
        self._node.shut_down()
        return Response(200)

    def _groups(self, request: Request) -> set[str]:
        kind, _blank, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            user, _colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return set()
        expected, groups = USERS.get(user, ("", set()))
        right = kind.lower() == "basic" and password == expected and self._node.has_users
        return groups if right else set()

    # -- gossip ------------------------------------------------------------------------------------------------------

    async def _gossip(self, request: Request) -> Response:
        kind = _gossip_format(request)
        if isinstance(kind, int):
            return Response(kind)
        return await self._cluster(kind)

    async def _gossip_post(self, request: Request) -> Response:
        if "content-type" not in request.headers:
            return Response(415)
        if self._node.gossip_works.is_set():
            try:
                if members.parse_object(request.body, where=f"POST of {request.peer}"):
                    self._node.receive_gossip(members.parse(request.body, where=f"POST of {request.peer}"))
            except GossipError as error:
                return Response.of_text(str(error), 400)
        return await self._cluster("json")

    async def _cluster(self, kind: str) -> Response:
        """Before the seeds are known, and on a single node always, no one answers in the server."""
        try:
            await asyncio.wait_for(self._node.gossip_works.wait(), HANG_S)
        except asyncio.TimeoutError:
            return IN_TIME
        data = members.render(self._node.own_info())
        if kind == "xml":
            body = '<?xml version="1.0" encoding="utf-8"?>' + _xml("ClusterInfoDto", data, "MemberInfoDto")
            return Response(200, {"Content-Type": "application/xml; charset=utf-8"}, body.encode())
        response = Response.of_json(data)
        if kind == "text":
            return dataclasses.replace(response, headers={"Content-Type": "text/plain; charset=utf-8"})
        return response

    async def _raft(self, request: Request) -> Response:
        try:
            received = unpack(request.body)
        except (ValueError, TypeError, KeyError) as error:
            return Response.of_text(f"This is not a request of a lab node: {error}", 400)
        return Response.of_json(self._node.handle(received))

    # -- streams -----------------------------------------------------------------------------------------------------

    async def _read(self, request: Request) -> Response:
        stream, _slash, number = request.path[len("/streams/") :].partition("/")
        first, count = number or request.query.get("from", "0"), "1" if number else request.query.get("count", "100")
        if not re.fullmatch(r"[0-9]{1,15}", first) or not re.fullmatch(r"[0-9]{1,15}", count):
            return Response(400 if not number else 404)
        if stream not in self._node.streams:
            return Response(404)
        events = self._node.streams.events(stream, int(first), int(count))
        if number:
            return Response.of_json(events[0]) if events else Response(404)
        return Response.of_json({"stream": stream, "events": events})

    async def _write(self, request: Request) -> Response:
        stream = request.path[len("/streams/") :]
        if not stream or "/" in stream:
            return Response(404)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != EVENTS_TYPE:
            return Response.of_text(f"Send {EVENTS_TYPE}", 415)
        try:
            payload = to_payload(stream, request.body)
        except BadEvents as error:
            return Response.of_text(str(error), 400)
        try:
            number = await self._node.write(payload)
        except NotReady:
            return await self._elsewhere(request)
        except WriteTimeout:
            return Response.of_text("Write timeout", 500)
        return Response(201, {"Location": f"http://{request.local}/streams/{stream}/{number}"})

    async def _elsewhere(self, request: Request) -> Response:
        """Not the master: say who is, or ask it. A slave goes on naming the master that it lost (measured)."""
        master = self._node.master
        if master is None or master.key == self._node.membership.own.key:
            return NOT_READY
        if request.headers.get("es-requiremaster", "").lower() == "true":
            return Response(307, {"Location": f"http://{master.external_http}{request.path}"})
        headers = {"Content-Type": request.headers["content-type"], "ES-RequireMaster": "True"}
        try:
            answer = await asyncio.wait_for(
                send("POST", master.key, request.path, body=request.body, headers=headers, timeout_s=2 * HANG_S), HANG_S
            )
        except asyncio.TimeoutError:
            return IN_TIME
        except GossipError:
            return Response.of_text("Error while forwarding request", 500)
        if answer.status == 307:
            return NOT_READY
        kept = {name: answer.headers[name] for name in ("location", "content-type") if name in answer.headers}
        return Response(answer.status, {name.title(): value for name, value in kept.items()}, answer.body)


def _shown(value: object) -> str:
    """As the server shows an effective value; a list without any separator (measured)."""
    if isinstance(value, tuple):
        return "".join(str(item) for item in value)
    return "" if value is None else str(value)


def _gossip_format(request: Request) -> str | int:
    """The format to answer in, or the status of a refusal, as measured."""
    if "format" in request.query:
        wanted = request.query["format"]
        return wanted if wanted in ("json", "xml", "text") else 406 if wanted == "atom" else 500
    accept = request.headers.get("accept", "").split(",")[0].partition(";")[0].strip().lower()
    kinds = {"application/xml": "xml", "text/xml": "xml", "text/plain": "text"}
    if accept in ("", "*/*", "application/*", "application/json"):
        return "json"
    return kinds.get(accept, 406)


def _xml(name: str, value: object, item: str = "") -> str:
    if isinstance(value, dict):
        content = "".join(_xml(key[0].upper() + key[1:], inner, item) for key, inner in value.items())
    elif isinstance(value, list):
        content = "".join(_xml(item, inner) for inner in value)
    else:
        content = escape(str(value).lower() if isinstance(value, bool) else str(value), quote=False)
    return f"<{name}>{content}</{name}>"


__all__ = ["Web"]
