# SPDX-License-Identifier: GPL-3.0-or-later
"""A gossip server over TLS for the benches: one process, one certificate for ``*.bench.test``, any loopback address.

``python tls_server.py PORT CERTIFICATE``: it says the same to all, and keeps connections open, as servers of 20.x do.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "collections")]

from tests.doubles.gossip import picture  # noqa: E402


async def serve(port: int, certificate: str) -> None:
    words = {"127.1.0.1": "Leader", "127.1.0.2": "Follower", "127.1.0.3": "Follower"}
    body = picture.modern_body("127.1.0.1", words)
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(connected, "0.0.0.0", port, ssl=context, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
