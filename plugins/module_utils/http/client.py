# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One HTTP request on asyncio, for the manager and for the lab. The sweep of many endpoints is in gossip/client."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_number

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

MAX_HEAD_BYTES = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """A status, headers with lower-case names, and the whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


async def request(
    method: str,
    endpoint: Endpoint,
    path: str,
    *,
    body: bytes = b"",
    headers: t.Mapping[str, str] | None = None,
    timeout_s: float,
    max_body_bytes: int = 4 * 1024 * 1024,
    local_ip: str | None = None,
) -> Answer:
    """Send one request on a connection of its own and read the whole answer.

    GossipError when there is no whole, well-formed answer within ``timeout_s``.
    """
    try:
        return await asyncio.wait_for(
            _request(method, endpoint, path, body, headers or {}, max_body_bytes, local_ip), timeout_s
        )
    except asyncio.TimeoutError:
        raise GossipError(f"no answer within {timeout_s:g} s", where=f"http://{endpoint}{path}") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise GossipError(f"no answer: {error}", where=f"http://{endpoint}{path}") from error


async def _request(
    method: str,
    endpoint: Endpoint,
    path: str,
    body: bytes,
    headers: t.Mapping[str, str],
    max_body_bytes: int,
    local_ip: str | None,
) -> Answer:
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, limit=MAX_HEAD_BYTES, local_addr=(local_ip, 0) if local_ip else None
    )
    try:
        fields = {"Host": str(endpoint), "Content-Length": str(len(body)), "Connection": "close", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()
        status, answered = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        return Answer(status, answered, await _read_body(reader, answered, max_body_bytes))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1."):
        raise ValueError(f"not an HTTP answer: {lines[0][:80]!r}")
    pairs = (line.partition(":") for line in lines[1:-2])
    return parse_number(words[1], 100, 999), {name.strip().lower(): value.strip() for name, _colon, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: t.Mapping[str, str], max_body_bytes: int) -> bytes:
    """Read by Content-Length, by chunks (Mono's listener sends them) or up to the end of the connection."""
    if "content-length" in headers:
        return await reader.readexactly(parse_number(headers["content-length"], 0, max_body_bytes))
    parts: list[bytes] = []
    size = 0
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    while True:
        if chunked:
            size_line = (await reader.readuntil(b"\r\n")).decode("latin-1")
            length = parse_number(size_line.split(";")[0].strip(), 0, max_body_bytes, base=16)
            part = (await reader.readexactly(length + 2))[:-2]
        else:
            part = await reader.read(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > max_body_bytes:
            raise ValueError(f"a body of more than {max_body_bytes} bytes")


__all__ = ["Answer", "request"]
