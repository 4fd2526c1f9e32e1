# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One HTTP request on asyncio, for the manager and for the lab. The sweep of many endpoints is in http/sweep."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import (
    MAX_BODY_BYTES,
    READ_BYTES,
    AnswerParser,
)

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint


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
    max_body_bytes: int = MAX_BODY_BYTES,
    local_ip: str | None = None,
) -> Answer:
    """Send one request on its own connection and read the whole answer.

    GossipError when there is no whole, well-formed answer within ``timeout_s``.
    """
    try:
        return await asyncio.wait_for(
            _request(method, endpoint, path, body, headers or {}, max_body_bytes, local_ip), timeout_s
        )
    except asyncio.TimeoutError:
        raise GossipError(f"no answer within {timeout_s:g} s", where=f"http://{endpoint}{path}") from None
    except (OSError, ValueError) as error:
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
        endpoint.host, endpoint.port, local_addr=(local_ip, 0) if local_ip else None
    )
    try:
        fields = {"Host": str(endpoint), "Content-Length": str(len(body)), "Connection": "close", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()
        parser = AnswerParser(max_body_bytes)
        data = await reader.read(READ_BYTES)
        while data and not parser.feed(data):
            data = await reader.read(READ_BYTES)
        if not data:
            parser.end()
        return Answer(parser.status, parser.headers, parser.body)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


__all__ = ["Answer", "request"]
