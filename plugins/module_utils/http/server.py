# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A small HTTP/1.1 server on asyncio, for the manager and for the lab: bounded in bytes, time and connections.

The standard library's server needs a thread a request, and managed hosts are to have no third-party server.
A request that is too long, too slow or malformed gets a short answer and a closed connection. What a client can make
the server keep is bounded: one answer, one head, a share of the budget of bodies; a full server ends the oldest
connection of the address that has most, so clients that only sit there keep out no one but themselves.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import errno
import http
import json
import logging
import socket
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import (
    END,
    TooLong,
    parse_length,
    parse_request,
)

log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 8 * 1024
# A body of at most this many bytes is refused when the route is known, a longer one before.
MAX_LENGTH = 10**12
READ_TIMEOUT_S = 5.0
# http.sys and Mono's listener keep an idle connection for 15 s (measured: "Keep-Alive: timeout=15").
IDLE_TIMEOUT_S = 15.0
# What is still on its way when the answer has been sent: closed over it, TCP would take the answer back.
DISCARD_BYTES = 256 * 1024
DISCARD_TIMEOUT_S = 1.0
# Bodies up to this size are bounded by the number of connections, larger ones by the budget.
FREE_BODY_BYTES = 16 * 1024
# What the kernel keeps for a client that does not read.
SEND_BUFFER_BYTES = 16 * 1024
# A client with more requests on one connection than that, and no end of them, waits between the answers.
AT_ONCE = 5
PAUSE_S = 0.25
ACCEPT_RETRY_S = 0.25
# accept(2): the listener is no socket that listens. Everything else passes.
LISTENER_IS_LOST = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP)


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


class Budget:
    """The bytes that large bodies take at one time, on all servers that share it."""

    def __init__(self, size: int) -> None:
        self.left = size

    @contextlib.contextmanager
    def share(self, size: int) -> t.Iterator[None]:
        size = size if size > FREE_BODY_BYTES else 0
        if size > self.left:
            raise BadRequest(503, "Too many large bodies at once")
        self.left -= size
        try:
            yield
        finally:
            self.left += size


class _Connection(t.NamedTuple):
    peer: Endpoint
    socket: socket.socket


class HttpServer:
    """Serves ``handler`` on one endpoint: ``await start()``, later ``await stop()``.

    ``max_requests`` bounds those of one connection, which then are not answered as fast as they come. ``wants_body``
    looks at a request without its body; of one that it does not want, no body is read.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        handler: Handler,
        *,
        max_body_bytes: int = 1024 * 1024,
        max_connections: int = 256,
        max_requests: int | None = None,
        wants_body: t.Callable[[Request], bool] = lambda _request: True,
        budget: Budget | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._max_connections = max_connections
        self._max_requests = max_requests
        self._wants_body = wants_body
        self._budget = budget or Budget(max_connections * max_body_bytes)
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; OSError if the port is taken or the address is not on this machine."""
        family = socket.AF_INET6 if ":" in self.endpoint.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            listener.bind(tuple(self.endpoint))
            listener.listen(128)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    async def failed(self) -> None:
        """Wait until the server accepts no connections any more although no one stopped it; OSError says why."""
        if self._accepting:
            await asyncio.shield(self._accepting)

    async def stop(self) -> None:
        """Stop listening and end what is still connected."""
        tasks = [*self._connections, *self._ending, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        last: int | None = None
        with listener:
            while True:
                try:
                    connection, address = await asyncio.get_running_loop().sock_accept(listener)
                except OSError as error:  # noqa: PERF203 -- each has to be tried again
                    if error.errno in LISTENER_IS_LOST:
                        raise
                    if error.errno != last:
                        log.error("%s accepts no connections: %s; tried again", self.endpoint, error.strerror)
                    last = error.errno
                    await asyncio.sleep(ACCEPT_RETRY_S)
                else:
                    last = None
                    self._connected(connection, Endpoint(*address[:2]))
                    # A queue of connections must not keep out everything else.
                    await asyncio.sleep(0)

    def _connected(self, connection: socket.socket, peer: Endpoint) -> None:
        while len(self._connections) >= self._max_connections:
            self._end_one()
        task = asyncio.get_running_loop().create_task(self._serve(connection, peer))
        self._connections[task] = _Connection(peer, connection)
        task.add_done_callback(self._ended)

    def _end_one(self) -> None:
        """The oldest connection of the address that has most makes room."""
        counts = collections.Counter(each.peer.host for each in self._connections.values())
        busiest = max(counts, key=counts.__getitem__)
        task = next(task for task, each in self._connections.items() if each.peer.host == busiest)
        del self._connections[task]
        self._ending.add(task)
        task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)
        self._ending.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a connection to %s failed: %r", self.endpoint, error)

    async def _serve(self, connection: socket.socket, peer: Endpoint) -> None:
        writer = None
        try:
            local = Endpoint(*connection.getsockname()[:2])
            reader, writer = await _streams(connection)
            number = 1
            while await self._serve_one(reader, writer, peer, local, is_last=number == self._max_requests):
                number += 1
                if self._max_requests and number > AT_ONCE:
                    await asyncio.sleep(PAUSE_S)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # the peer is gone, or does not read: no one is left to answer
        finally:
            # Never waited for: what has been written is with the kernel by now, or no one reads it.
            if writer is None:
                connection.close()
            else:
                writer.transport.abort()

    async def _serve_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Endpoint,
        local: Endpoint,
        *,
        is_last: bool,
    ) -> bool:
        """Answer one request; False when the connection is to be closed."""
        try:
            first = await asyncio.wait_for(reader.read(1), IDLE_TIMEOUT_S)
            if not first:
                return False
            # Both the head and the body have to come within this time.
            deadline = asyncio.get_running_loop().time() + READ_TIMEOUT_S
            request, length = await _by(deadline, self._read_head(first, reader, peer, local))
            if length and not self._wants_body(request):
                await _write(writer, await self._answer(request), keep=False, head=request.method == "HEAD")
                await _discard(reader, writer)
                return False
            if length > self._max_body_bytes:
                raise BadRequest(413, f"The body is longer than {self._max_body_bytes} bytes")
            with self._budget.share(length):
                if request.headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await _by(deadline, reader.readexactly(length))
                response = await self._answer(dataclasses.replace(request, body=body))
        except BadRequest as error:
            await _write(writer, Response.of_text(str(error), error.status), keep=False)
            await _discard(reader, writer)
            return False
        keep = not is_last and request.headers.get("connection", "").lower() != "close"
        await _write(writer, response, keep=keep, head=request.method == "HEAD")
        return keep

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Exception as error:  # one request must not end more than itself
            log.error("%s %r from %s failed: %r", request.method, request.path[:100], request.peer, error)
            return Response.of_text("This request failed; the log says why", 500)

    async def _read_head(
        self, first: bytes, reader: asyncio.StreamReader, peer: Endpoint, local: Endpoint
    ) -> tuple[Request, int]:
        try:
            head = first + await reader.readuntil(END)
        except asyncio.LimitOverrunError:
            raise BadRequest(431, f"The request's head is longer than {MAX_HEAD_BYTES} bytes") from None
        try:
            method, target, headers = parse_request(head[: -len(END)])
            split = urllib.parse.urlsplit(target)
            length = parse_length("Content-Length", headers.get("content-length", "0"), MAX_LENGTH)
        except TooLong as error:
            raise BadRequest(413, str(error)) from None
        except ValueError as error:  # urlsplit's too, as of //[
            raise BadRequest(400, str(error)) from None
        if "transfer-encoding" in headers:
            raise BadRequest(411, "Send a Content-Length; chunked bodies are not read")
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        return Request(method, urllib.parse.unquote(split.path), query, headers, b"", peer, local), length


async def _streams(connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _protocol = await loop.connect_accepted_socket(lambda: protocol, connection)
    # drain() then waits until all is with the kernel, so at most one answer waits here for a client that does not read.
    transport.set_write_buffer_limits(high=0)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


T = t.TypeVar("T")


async def _by(deadline: float, work: t.Awaitable[T]) -> T:
    return await asyncio.wait_for(work, max(0.0, deadline - asyncio.get_running_loop().time()))


async def _discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and drop what is still coming, for a moment, so that the answer before it arrives."""

    async def discard() -> None:
        writer.write_eof()
        left = DISCARD_BYTES
        while left > 0:
            data = await reader.read(MAX_HEAD_BYTES)
            if not data:
                return
            left -= len(data)

    await asyncio.wait_for(discard(), DISCARD_TIMEOUT_S)


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


__all__ = ["BadRequest", "Budget", "Handler", "HttpServer", "Request", "Response"]
