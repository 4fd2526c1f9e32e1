# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that mean harm, with raw sockets: what the manager keeps for them is bounded, and others are answered."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time
import typing as t

import psutil
import pytest

from tests.integration.manager.machines import curl, eventually

MANY = 300
PORTS = (30777, 30778)
GET = b"GET /gossip HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

TEST_MALFORMED = [
    (b"GET //[ HTTP/1.1\r\n\r\n", b"400"),
    (b"GET http://[::1 HTTP/1.1\r\n\r\n", b"400"),
    (b"POST /gossip HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
    (b"POST /gossip HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /gossip HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", b"400"),
    (b"POST /gossip HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
    (b"POST /gossip HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    (b"GET /gossip HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b"431"),
    (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"431"),
    (b"GET /gossip HTTP/1.1\r\n: y\r\n\r\n", b"400"),
    (b"GET /%00%0d%0a%1b[31m HTTP/1.1\r\n\r\n", b"404"),
    (bytes(range(256)) * 4 + b"\r\n\r\n", b"400"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300 + b"\r\n\r\n", b"400"),
]


@contextlib.contextmanager
def connected(machine, port: int, count: int = MANY, sending: bytes = b"") -> t.Iterator[list[socket.socket]]:
    """So many connections, each with something sent as far as it is taken."""
    with contextlib.ExitStack() as stack:
        made = []
        for _number in range(count):
            each = stack.enter_context(socket.socket())
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.settimeout(10)
            each.connect((machine.ip, port))
            each.setblocking(False)
            with contextlib.suppress(OSError):
                each.send(sending)
            made.append(each)
        yield made


def descriptors(machine) -> int:
    return len(os.listdir(f"/proc/{machine.process.pid}/fd"))


def resident_mb(machine) -> float:
    return psutil.Process(machine.process.pid).memory_info().rss / 1e6


def answer(machine, port: int, request: bytes) -> bytes:
    with socket.create_connection((machine.ip, port), timeout=10) as connection:
        with contextlib.suppress(OSError):  # refused before all was sent
            connection.sendall(request)
        received = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                received += part
        return received


@pytest.fixture
def abused(machine):
    machine.configure(machine.node())
    machine.start()
    eventually(machine.starts)
    return machine


@pytest.mark.slow
@pytest.mark.parametrize("port", PORTS)
def test_clients_that_never_read_are_ended_and_leave_nothing(abused, port):
    before = descriptors(abused)
    with connected(abused, port, sending=GET * 2000):
        assert descriptors(abused) <= before + 256 + 20
        eventually(lambda: curl(f"{abused.external}/ping")[0] == 200)
        # They keep their side open, and read nothing.
        eventually(lambda: descriptors(abused) <= before + 2, timeout_s=90)
        assert resident_mb(abused) < 80


@pytest.mark.slow
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("sending", [b"", BODY % (b"/gossip", 1000)])
def test_connections_that_only_sit_there_keep_out_nobody(abused, port, sending):
    before = descriptors(abused)
    with connected(abused, port, sending=sending):
        assert descriptors(abused) <= before + 256 + 20
        for url in (f"{abused.external}/gossip", f"{abused.internal}/gossip"):
            assert curl("--max-time", "3", url)[0] == 200
        eventually(lambda: descriptors(abused) <= before + 2, timeout_s=90)


@pytest.mark.slow
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("path", [b"/gossip", b"/nowhere"])
def test_bodies_have_one_budget_and_are_not_read_where_none_is_wanted(abused, port, path):
    # Whole but for the last byte, so that all of them are kept for as long as possible.
    with connected(abused, port, sending=BODY % (path, 1024 * 1024)) as clients:
        for each in clients:
            each.setblocking(True)
            each.settimeout(0.2)
            with contextlib.suppress(OSError):
                each.sendall(b" " * (1024 * 1024 - 1))
        assert resident_mb(abused) < 80
        assert curl(f"{abused.external}/ping")[0] == 200
    assert resident_mb(abused) < 80


def test_a_body_that_nobody_wants_is_answered_before_it_came(abused):
    wanted = {
        (30778, b"/gossip"): b"405",
        (30778, b"/lease"): b"404",
        (30777, b"/ping"): b"405",
        (30777, b"/x"): b"404",
    }
    for (port, path), status in wanted.items():
        began = time.monotonic()
        assert answer(abused, port, BODY % (path, 10**9)).split(b" ")[1] == status
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("port", PORTS)
def test_malformed_requests_get_an_answer_and_no_traceback(abused, port):
    lines = abused.logged().count("\n")
    for request, status in TEST_MALFORMED:
        assert answer(abused, port, request)[9:12] == status, request[:60]
    for request, _status in TEST_MALFORMED[:6] * 50:
        answer(abused, port, request)
    assert abused.logged().count("\n") - lines < 100
    abused.process.terminate()
    _out, err = abused.process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "\x1b" not in err


@pytest.mark.parametrize("port", PORTS)
def test_resets_are_nothing_to_talk_about(abused, port):
    before, lines = descriptors(abused), abused.logged().count("\n")
    for sending in (b"", GET, GET * 100, BODY % (b"/gossip", 100_000)):
        with connected(abused, port, 100, sending) as clients:
            for each in clients:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: descriptors(abused) <= before + 2, timeout_s=90)
    assert abused.logged().count("\n") - lines < 20
    assert curl(f"{abused.external}/gossip")[0] == 200


def test_a_killed_node_is_started_again_meanwhile(abused):
    (first,) = abused.starts()
    with connected(abused, 30777, sending=GET * 50), connected(abused, 30778, sending=GET[:-2]):
        os.kill(first, signal.SIGKILL)
        eventually(abused.starts, lambda starts: len(starts) == 2, timeout_s=5)
