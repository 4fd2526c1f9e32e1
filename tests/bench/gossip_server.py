# SPDX-License-Identifier: GPL-3.0-or-later
"""A gossip server for the benches: one process and one listening socket for any number of loopback addresses.

``python gossip_server.py PORT HANGING COUNT SIZE``: COUNT nodes in clusters of SIZE; the first HANGING ones accept
and never answer. It says so little and so fast that the asking is what is measured.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "collections")]

from tests.doubles.gossip import picture  # noqa: E402


def address(number: int) -> str:
    """The address of node ``number``: three consecutive ones are a cluster."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


def answers(number: int, size: int) -> dict[bytes, bytes]:
    """What node ``number`` of clusters of ``size`` answers to /gossip and /info, heads and all."""
    first = number - number % size
    words = {address(first + at): "Slave" if at else "Master" for at in range(size)}
    own = address(number)
    gossip = picture.body(picture.picture(f"{own}:2112", words))
    info = json.dumps({"esVersion": "3.4.0.0", "state": words[own].lower()}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return {path: head % len(body) + body for path, body in ((b"/gossip", gossip), (b"/info", info))}


def main(port: int, hanging: int, count: int, size: int) -> None:
    prepared = {address(number): answers(number, size) for number in range(hanging, count)}
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", port))
    listener.listen(4096)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    print("ready", flush=True)
    while True:
        for number, _events in poll.poll():
            if number == listener.fileno():
                try:
                    while True:
                        connection, _peer = listener.accept()
                        connections[connection.fileno()] = connection
                        poll.register(connection.fileno(), select.EPOLLIN)
                except BlockingIOError:
                    continue
            connection = connections[number]
            request = connection.recv(4096)
            node = prepared.get(connection.getsockname()[0])
            if request and node is None:
                continue
            if request and node:
                connection.send(node[request.split(b" ", 2)[1]])
            del connections[number]
            connection.close()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
