# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP/1.1 server on asyncio, for the manager and for the lab: bounded in bytes, time and connections.

The standard library's server needs a thread a request, and managed hosts are to have no third-party server.
A request that is too long, too slow or malformed gets a short answer and a closed connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

MAX_HEAD_BYTES = 8 * 1024
READ_TIMEOUT_S = 5.0
# http.sys and Mono's listener keep an idle connection for 15 s (measured: "Keep-Alive: timeout=15").
IDLE_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Request:
    """One request. ``path`` is decoded and without the query; header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: Endpoint
    local: Endpoint


@dataclass(frozen=True)
class Response:
    """One answer; ``Content-Length`` and ``Connection`` are added by the server."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of_json(cls, data: object, status: int = 200) -> Response:
        body = json.dumps(data, indent=2).encode()
        return cls(status, {"Content-Type": "application/json; charset=utf-8"}, body)

    @classmethod
    def of_text(cls, text: str, status: int = 200) -> Response:
        return cls(status, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())


Handler = t.Callable[[Request], t.Awaitable[Response]]


class BadRequest(Exception):
    """A request that gets ``status`` and a closed connection."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class HttpServer:
    """Serves ``handler`` on one endpoint: ``await start()``, later ``await stop()``."""

    def __init__(
        self,
        endpoint: Endpoint,
        handler: Handler,
        *,
        max_body_bytes: int = 1024 * 1024,
        max_connections: int = 256,
    ) -> None:
        self.endpoint = endpoint
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._max_connections = max_connections
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        """Listen; OSError if the port is taken or the address is not on this machine."""
        self._server = await asyncio.start_server(
            self._connected, self.endpoint.ip, self.endpoint.port, limit=MAX_HEAD_BYTES, backlog=128
        )

    async def stop(self) -> None:
        """Stop listening and end what is still connected."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = t.cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            if len(self._connections) > self._max_connections:
                await _write(writer, Response.of_text("Too many connections", 503), keep=False)
                return
            while await self._serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer is gone, or the server stops: nobody is left to answer
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be closed."""
        try:
            first = await asyncio.wait_for(reader.read(1), IDLE_TIMEOUT_S)
            if not first:
                return False
            request = await asyncio.wait_for(self._read(first, reader, writer), READ_TIMEOUT_S)
        except asyncio.TimeoutError:
            return False
        except BadRequest as error:
            await _write(writer, Response.of_text(str(error), error.status), keep=False)
            return False
        keep = request.headers.get("connection", "").lower() != "close"
        await _write(writer, await self._handler(request), keep=keep, head=request.method == "HEAD")
        return keep

    async def _read(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        try:
            head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise BadRequest(431, f"The request's head is longer than {MAX_HEAD_BYTES} bytes") from None
        method, path, query, headers = _parse_head(head)
        if "transfer-encoding" in headers:
            raise BadRequest(411, "Send a Content-Length; chunked bodies are not read")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise BadRequest(400, "Content-Length is not a number")
        if int(length) > self._max_body_bytes:
            raise BadRequest(413, f"The body is longer than {self._max_body_bytes} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length))
        peer, local = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        return Request(method, path, query, headers, body, Endpoint(*peer[:2]), Endpoint(*local[:2]))


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str], dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[0].isalpha() or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "This is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "A header line is malformed")
        headers[name.lower()] = value.strip()
    target = urllib.parse.urlsplit(words[1])
    query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
    return words[0].upper(), urllib.parse.unquote(target.path), query, headers


async def _write(writer: asyncio.StreamWriter, response: Response, *, keep: bool, head: bool = False) -> None:
    try:
        reason = http.HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    fields = {
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "keep-alive" if keep else "close",
    }
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head else response.body))
    await asyncio.wait_for(writer.drain(), READ_TIMEOUT_S)


__all__ = ["BadRequest", "Handler", "HttpServer", "Request", "Response"]
