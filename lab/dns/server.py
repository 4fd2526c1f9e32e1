# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server that knows a few A records and nothing else, over UDP and TCP.

A record that is not here does not exist (NXDOMAIN); nothing is asked elsewhere. Packets that are no query get no
answer, so that two servers cannot keep each other busy. It can be broken for one kind of records.
"""

from __future__ import annotations

import ipaddress
import socketserver
import struct
import threading
import typing as t

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

if t.TYPE_CHECKING:
    from types import TracebackType

    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

TTL_S = 1
UDP_BYTES = 512
TCP_TIMEOUT_S = 5.0
QUERY_TIMEOUT_S = 0.5
HEADER_BYTES = 12

Records = t.Mapping[str, t.Sequence[str]]
# A kind of records (``AAAA``) -> the error that is answered to it (``SERVFAIL``); or nothing, or nothing over TCP while
# over UDP it does not fit.
Broken = t.Mapping[str, str]
SILENT, TRUNCATED = "silent", "truncated"


def parse_record(text: str) -> tuple[str, list[str]]:
    """Read ``name=address,address``; ValueError says what is wrong."""
    name, equals, addresses = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is not NAME=ADDRESS,ADDRESS")
    try:
        dns.name.from_text(name)
        return name, [str(ipaddress.IPv4Address(address)) for address in addresses.split(",")]
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{text!r} is not NAME=ADDRESS,ADDRESS: {error}") from None


def answer(
    wire: bytes, records: t.Mapping[dns.name.Name, t.Sequence[str]], *, limit: int = 65535, broken: Broken | None = None
) -> bytes | None:
    """The answer to a packet; None if it deserves none. ``limit`` is the most that the transport takes."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return _malformed(wire)
    if query.flags & dns.flags.QR:
        return None
    reply = dns.message.make_response(query)
    if query.opcode() != dns.opcode.QUERY:
        reply.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1 or query.question[0].rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.REFUSED)
    else:
        reply.flags |= dns.flags.AA
        asked = query.question[0]
        found = records.get(asked.name)
        way = (broken or {}).get(dns.rdatatype.to_text(asked.rdtype), "")
        if way == SILENT or (way == TRUNCATED and limit > UDP_BYTES):
            return None
        if way == TRUNCATED:
            reply.flags |= dns.flags.TC
        elif way:
            reply.set_rcode(dns.rcode.from_text(way))
        elif found is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype in (dns.rdatatype.A, dns.rdatatype.ANY):
            reply.answer = [dns.rrset.from_text_list(asked.name, TTL_S, "IN", "A", list(found))]
    limit = min(limit, max(UDP_BYTES, query.payload)) if limit <= UDP_BYTES else limit
    try:
        return reply.to_wire(max_size=limit)
    except dns.exception.TooBig:
        reply.answer = []
        reply.flags |= dns.flags.TC
        return reply.to_wire(max_size=limit)


def _malformed(wire: bytes) -> bytes | None:
    """FORMERR to what is at least a query's header, silence to anything else."""
    if len(wire) < HEADER_BYTES or wire[2] & 0x80:
        return None
    return wire[:2] + struct.pack(">BBHHHH", 0x80 | (wire[2] & 0x79), dns.rcode.FORMERR, 0, 0, 0, 0)


def has_records(endpoint: Endpoint, records: Records) -> bool:
    """Whether the server at ``endpoint`` has exactly these addresses for each name."""
    for name, addresses in records.items():
        query = dns.message.make_query(name, dns.rdatatype.A)
        try:
            reply = dns.query.udp(query, endpoint.host, port=endpoint.port, timeout=QUERY_TIMEOUT_S)
        except (OSError, dns.exception.DNSException):
            return False
        if {record.address for rrset in reply.answer for record in rrset} != set(addresses):
            return False
    return True


class DnsServer:
    """Serves records until closed; a context manager for tests. ``records`` may be replaced while it runs."""

    def __init__(self, endpoint: Endpoint, records: Records, *, broken: Broken | None = None) -> None:
        self.set_records(records)
        server = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                packet, sock = self.request
                reply = answer(packet, server.by_name, limit=UDP_BYTES, broken=broken)
                if reply is not None:
                    sock.sendto(reply, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            timeout = TCP_TIMEOUT_S

            def handle(self) -> None:
                while True:
                    size = self.rfile.read(2)
                    if len(size) < 2:
                        return
                    reply = answer(self.rfile.read(struct.unpack(">H", size)[0]), server.by_name, broken=broken)
                    if reply is None:
                        return
                    self.wfile.write(struct.pack(">H", len(reply)) + reply)

        self._servers: list[socketserver.BaseServer] = [_UdpServer((endpoint.host, endpoint.port), Udp)]
        try:
            self._servers.append(_TcpServer((endpoint.host, endpoint.port), Tcp))
        except OSError:
            self._servers[0].server_close()
            raise
        self._threads = [threading.Thread(target=each.serve_forever, daemon=True) for each in self._servers]
        for thread in self._threads:
            thread.start()

    def set_records(self, records: Records) -> None:
        self.by_name = {dns.name.from_text(name): list(addresses) for name, addresses in records.items()}

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> DnsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Quiet:
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is nothing to report."""


class _UdpServer(_Quiet, socketserver.UDPServer):
    max_packet_size = 4096


class _TcpServer(_Quiet, socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


__all__ = ["DnsServer", "Records", "answer", "has_records", "parse_record"]
