# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that answer as a script says, and misbehave on demand, while they run.

Raw streams, because a proper HTTP server cannot break off, drip or lie.

Over TLS it does as 23.10.6 to 26.1.0 were measured to do: the leaf alone is served whatever the SNI, connections stay
open, a request with a wrong password gets 401 whatever the URL, and plain HTTP gets nothing and an orderly end.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http
import socket
import ssl
import struct
import tempfile
import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from tests.doubles.certificates import Pair

HUGE_BYTES = 100 * 1024 * 1024
JSON = "application/json; charset=utf-8"

# Ways to answer.
WAYS = {
    "whole": "with a Content-Length",
    "chunked": "in chunks of 100 bytes, as Mono's listener does",
    "until-close": "without a length, to the end of the connection",
    "hang": "not at all, and the connection stays open",
    "close": "not at all, and the connection is closed",
    "reset": "not at all, and the connection is reset",
    "cut": "with half of the body, then the connection is closed",
    "drip": "one byte each 10 ms, of 1 MB",
    "huge": "with 100 MB, announced by a Content-Length",
    "huge-chunked": "with 100 MB in chunks",
    "raw": "with the body alone, which is no HTTP",
}


@dataclass(frozen=True)
class Act:
    """How one path of one endpoint is answered."""

    body: bytes | t.Callable[[], bytes] = b""
    status: int = 200
    way: str = "whole"
    delay_s: float = 0.0
    content_type: str = JSON
    needs_user: bool = False

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"{self.way!r} is no way to answer; these are: {', '.join(WAYS)}")


class ScriptedCluster:
    """A thread with its own loop and any number of endpoints.

    ``with ScriptedCluster() as cluster: cluster.answer("127.0.51.1:2113", "/gossip", Act(…))``.
    A path without an act gets 404. ``requests`` counts what was asked, ``connections`` what was opened, and ``users``
    says with which passwords.
    """

    def __init__(self, users: t.Mapping[str, str] | None = None) -> None:
        self.requests: dict[tuple[Endpoint, str], int] = {}
        self.connections: dict[Endpoint, int] = {}
        self._users = {base64.b64encode(f"{name}:{word}".encode()).decode() for name, word in (users or {}).items()}
        self._certificates: dict[Endpoint, ssl.SSLContext] = {}
        self._acts: dict[tuple[Endpoint, str], Act] = {}
        self._servers: dict[Endpoint, asyncio.AbstractServer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> ScriptedCluster:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def answer(self, address: str, path: str, act: Act) -> None:
        """Answer ``path`` so from now on; the endpoint listens."""
        endpoint = Endpoint.parse(address)
        self._acts[endpoint, path] = act
        if endpoint not in self._servers:
            self._call(self._listen(endpoint))

    def serve_tls(self, address: str, pair: Pair) -> None:
        """Speak TLS there from the next ``answer`` on, with this certificate; ``refuse`` ends it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(pair.pem)
            file.flush()
            context.load_cert_chain(file.name)
        self._certificates[Endpoint.parse(address)] = context

    def refuse(self, address: str) -> None:
        """Listen no more, and drop what is connected to it; ``answer`` brings it back."""
        self._call(self._close(Endpoint.parse(address)))

    def _call(self, coroutine: t.Coroutine[t.Any, t.Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, endpoint: Endpoint) -> None:
        self._servers[endpoint] = await asyncio.start_server(
            self._connected, *endpoint, backlog=1024, ssl=self._certificates.get(endpoint)
        )

    async def _close(self, endpoint: Endpoint) -> None:
        server = self._servers.pop(endpoint, None)
        self._certificates.pop(endpoint, None)
        if server:
            server.close()
        await self._cancel(task for task in self._tasks if task.get_name() == str(endpoint))

    async def _stop(self) -> None:
        for server in self._servers.values():
            server.close()
        await self._cancel(self._tasks)

    async def _cancel(self, tasks: t.Iterable[asyncio.Task[None]]) -> None:
        ending = list(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = t.cast("asyncio.Task[None]", asyncio.current_task())
        endpoint = Endpoint(*writer.get_extra_info("sockname")[:2])
        task.set_name(str(endpoint))
        self._tasks.add(task)
        self.connections[endpoint] = self.connections.get(endpoint, 0) + 1
        stays = endpoint in self._certificates
        try:
            while await self._answer(endpoint, reader, writer, stays):
                pass
        except asyncio.CancelledError:
            writer.transport.abort()  # over TLS an orderly end would wait for the client's
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stays: bool
    ) -> bool:
        """Read a request and answer it; True if another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ")[1].partition("?")[0]
        key = endpoint, path
        self.requests[key] = self.requests.get(key, 0) + 1
        act = self._acts.get(key, Act(status=404))
        given = head.partition("Authorization: Basic ")[2].partition("\r\n")[0]
        if (given or act.needs_user) and given not in self._users:
            act = Act(status=401)
        await self._play(act, writer, stays)
        return stays and act.way in ("whole", "chunked")

    async def _play(self, act: Act, writer: asyncio.StreamWriter, stays: bool) -> None:
        await asyncio.sleep(act.delay_s)
        if act.way == "hang":
            await asyncio.Event().wait()
        if act.way in ("hang", "close"):
            return
        if act.way == "reset":
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        content = act.body() if callable(act.body) else act.body
        for part in self._parts(act, content, stays):
            writer.write(part)
            await writer.drain()
            if act.way == "drip":
                await asyncio.sleep(0.01)

    def _parts(self, act: Act, content: bytes, stays: bool) -> t.Iterator[bytes]:
        if act.way == "raw":
            yield content
            return
        reason = http.HTTPStatus(act.status).phrase if act.status in list(http.HTTPStatus) else "Unknown"
        head = f"HTTP/1.1 {act.status} {reason}\r\nContent-Type: {act.content_type}\r\n"
        head += "" if stays else "Connection: close\r\n"
        chunked = act.way in ("chunked", "huge-chunked")
        if chunked:
            head += "Transfer-Encoding: chunked\r\n"
        elif act.way != "until-close":
            length = {"huge": HUGE_BYTES, "drip": 1024 * 1024}.get(act.way, len(content))
            head += f"Content-Length: {length}\r\n"
        yield f"{head}\r\n".encode("latin-1")
        if act.way == "cut":
            yield content[: len(content) // 2]
        elif act.way == "drip":
            while True:
                yield b" "
        elif act.way == "huge":
            yield from (b" " * 65536 for _ in range(HUGE_BYTES // 65536))
        elif chunked:
            pieces: t.Iterable[bytes] = (content[start : start + 100] for start in range(0, len(content), 100))
            if act.way == "huge-chunked":
                pieces = (b" " * 65536 for _ in range(HUGE_BYTES // 65536))
            yield from (b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            yield b"0\r\n\r\n"
        else:
            yield content


__all__ = ["JSON", "WAYS", "Act", "ScriptedCluster"]
