# SPDX-License-Identifier: GPL-3.0-or-later
"""One lasting connection to each peer: cheap requests, and news at once when the peer's process dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import typing as t
from collections import deque

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.node.log import decode, encode
from lab.node.raft import Answer, Append, Request, Vote

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 2.0


def pack(request: Request) -> bytes:
    """A line of JSON, then the entries as they stand in the log."""
    fields = dict(vars(request))
    entries = fields.pop("entries", ())
    return json.dumps(fields).encode() + b"\n" + b"".join(encode(entry) for entry in entries)


def unpack(body: bytes) -> Request:
    """The inverse of ``pack``; ValueError or TypeError if it is none."""
    line, _newline, data = body.partition(b"\n")
    fields = json.loads(line)
    fields["voters"] = tuple(fields["voters"])
    if "pre" in fields:
        return Vote(**fields)
    entries, offset = [], 0
    while offset < len(data):
        entry, offset = decode(data, offset)
        entries.append(entry)
    return Append(**fields, entries=tuple(entries))


class Peer:
    """Requests to one endpoint, answered in order. ``on_broken`` is called when the connection ends."""

    def __init__(self, endpoint: Endpoint, local_ip: str, on_broken: t.Callable[[], None]) -> None:
        self.endpoint = endpoint
        self._local_ip = local_ip
        self._on_broken = on_broken
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._connecting = asyncio.Lock()

    async def connect(self) -> None:
        """Make sure that there is a connection; OSError if no one listens there."""
        async with self._connecting:
            if self._writer is not None:
                return
            opening = asyncio.open_connection(self.endpoint.host, self.endpoint.port, local_addr=(self._local_ip, 0))
            try:
                reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
            except asyncio.TimeoutError:
                raise TimeoutError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
            self._writer = writer
            self._reading = asyncio.ensure_future(self._read(reader, writer))

    async def ask(self, request: Request) -> Answer | None:
        """The peer's answer; None if there is none in time, or if the peer takes us for a stranger."""
        try:
            await self.connect()
            writer = self._writer
            if writer is None:
                return None
            body = pack(request)
            head = f"POST /lab/raft HTTP/1.1\r\nHost: {self.endpoint}\r\nContent-Length: {len(body)}\r\n\r\n"
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting.append(answer)
            writer.write(head.encode() + body)
            fields = json.loads(await asyncio.wait_for(answer, ANSWER_TIMEOUT_S))
            return Answer(**fields) if fields else None
        except asyncio.TimeoutError:
            self.close()  # a late answer would be taken for that to the next request
            return None
        except (OSError, ValueError, TypeError):
            return None

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                future = self._waiting.popleft()
                if not future.done():
                    future.set_result(body if b" 200 " in head[:20] else b"null")
        if self._writer is writer:
            self.close()
            self._on_broken()

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
        self._reading = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(ConnectionResetError("the connection is closed"))


__all__ = ["Peer", "pack", "unpack"]
