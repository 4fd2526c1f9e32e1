# SPDX-License-Identifier: GPL-3.0-or-later
"""The name server, asked by hand-made packets: nothing here uses the library that the server is made with."""

from __future__ import annotations

import socket
import struct
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer, answer, has_records, parse_record

NAME = "cluster1.eventstore.local"
ADDRESSES = ["127.0.0.11", "127.0.0.12", "127.0.0.13"]
AT = ("127.0.41.20", 15353)
A, AAAA = 1, 28
NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 3, 4, 5


def question(name: str, kind: int = A, *, flags: int = 0x0100, family: int = 1, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    asked = labels + b"\0" + struct.pack(">HH", kind, family)
    return struct.pack(">HHHHHH", 0xBEEF, flags, count, 0, 0, 0) + asked * count


def addresses(reply: bytes) -> tuple[int, list[str]]:
    """Status and the addresses: each stands in the last four bytes of a 16-byte record with a compressed name."""
    number, flags, _questions, answers, _authority, _more = struct.unpack_from(">HHHHHH", reply)
    assert number == 0xBEEF
    assert flags & 0x8000
    records = reply[len(reply) - 16 * answers :]
    return flags & 15, [socket.inet_ntoa(records[n * 16 + 12 : n * 16 + 16]) for n in range(answers)]


@pytest.fixture(scope="module")
def server() -> t.Iterator[DnsServer]:
    with DnsServer(Endpoint(*AT), {NAME: ADDRESSES}) as server:
        yield server


def by_udp(packet: bytes, timeout_s: float = 2.0) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.sendto(packet, AT)
        return sock.recv(4096)


def by_tcp(packet: bytes) -> bytes:
    with socket.create_connection(AT, timeout=2) as sock, sock.makefile("rb") as file:
        sock.sendall(struct.pack(">H", len(packet)) + packet)
        return file.read(struct.unpack(">H", file.read(2))[0])


@pytest.mark.parametrize("ask", [by_udp, by_tcp])
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (question(NAME), (NOERROR, ADDRESSES)),
        (question(NAME.upper()), (NOERROR, ADDRESSES)),
        (question(NAME, AAAA), (NOERROR, [])),
        (question("other.local"), (NXDOMAIN, [])),
        (question(NAME, family=3), (REFUSED, [])),
        (question(NAME, count=2), (REFUSED, [])),
        (question(NAME, flags=0x2000), (NOTIMP, [])),
        (question(NAME)[:-3], (FORMERR, [])),
    ],
)
@pytest.mark.usefixtures("server")
def test_answers(ask: t.Callable[[bytes], bytes], packet: bytes, expected: tuple[int, list[str]]) -> None:
    status, found = addresses(ask(packet))
    assert (status, sorted(found)) == expected


@pytest.mark.parametrize("packet", [b"", b"x", b"\0" * 11, question(NAME, flags=0x8180)])
@pytest.mark.usefixtures("server")
def test_what_is_no_query_gets_no_answer_and_the_next_one_does(packet: bytes) -> None:
    assert answer(packet, {}) is None
    with pytest.raises(socket.timeout):
        by_udp(packet, 0.1)
    assert addresses(by_udp(question(NAME)))[0] == NOERROR


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: question(NAME)[:12] + tail))
def test_garbage_never_raises(packet: bytes) -> None:
    reply = answer(packet, {}, limit=512)
    assert reply is None or (len(packet) >= 12 and reply[:2] == packet[:2])


def test_records_can_be_replaced(server: DnsServer) -> None:
    server.set_records({NAME: ["10.0.0.1"]})
    assert addresses(by_udp(question(NAME))) == (NOERROR, ["10.0.0.1"])
    assert has_records(server_endpoint := Endpoint(*AT), {NAME: ["10.0.0.1"]})
    assert not has_records(server_endpoint, {NAME: ADDRESSES})
    assert not has_records(server_endpoint, {"other.local": ["10.0.0.1"]})
    server.set_records({NAME: ADDRESSES})


def test_too_many_addresses_for_udp_come_by_tcp(server: DnsServer) -> None:
    many = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(300)]
    server.set_records({NAME: many})
    flags = struct.unpack_from(">H", by_udp(question(NAME)), 2)[0]
    assert flags & 0x0200, "the answer must be marked as cut"
    assert sorted(addresses(by_tcp(question(NAME)))[1]) == sorted(many)
    server.set_records({NAME: ADDRESSES})


def test_records_as_text() -> None:
    assert parse_record("a.b=127.0.0.1,127.0.0.2") == ("a.b", ["127.0.0.1", "127.0.0.2"])
    for text in ("a.b", "=127.0.0.1", "a.b=", "a.b=host", "a.b=127.0.0.1,", "a..b=127.0.0.1"):
        with pytest.raises(ValueError, match="is not NAME=ADDRESS"):
            parse_record(text)
