# SPDX-License-Identifier: GPL-3.0-or-later
"""How managers and nodes find each other: the addresses of a DNS name, and records against machines.

Servers take all A and AAAA records of ClusterDns, each with the port ClusterGossipPort; SRV records are not used.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError


def resolve(name: str, *, nameservers: t.Sequence[str] = (), timeout_s: float = 2.0) -> list[str]:
    """Give all addresses of ``name``, sorted; GossipError if there is none within ``timeout_s``.

    Asks the system's resolver, or with ``nameservers`` (``IP`` or ``IP:PORT``) these and nobody else.
    """
    try:
        return [str(ipaddress.ip_address(name))]
    except ValueError:
        pass
    addresses = _ask(name, nameservers, timeout_s) if nameservers else _ask_system(name, timeout_s)
    return sorted(set(addresses), key=_by_number)


def compare_records(found: t.Iterable[str], expected: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """Give (missing, extra): addresses expected and not found, and found but not expected."""
    have, want = ({str(ipaddress.ip_address(text)) for text in texts} for texts in (found, expected))
    return sorted(want - have, key=_by_number), sorted(have - want, key=_by_number)


def _by_number(text: str) -> tuple[int, int]:
    address = ipaddress.ip_address(text)
    return address.version, int(address)


def _not_found(name: str, asked: str, reason: str) -> GossipError:
    return GossipError(
        f"expected an address for each machine of the cluster, but {asked} says: {reason}",
        where=f"DNS name {name}",
        hint="Give the name one A record per machine, or name a server that has them",
    )


def _ask_system(name: str, timeout_s: float) -> list[str]:
    answer: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answer.append([str(entry[4][0]).partition("%")[0] for entry in found])
        except (OSError, UnicodeError) as error:
            answer.append(error if isinstance(error, OSError) else OSError(str(error)))

    # getaddrinfo knows no timeout, and the default of resolv.conf is 5 s for each server and try.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not answer:
        raise _not_found(name, "the system's resolver", f"nothing within {timeout_s:g} s")
    if isinstance(answer[0], OSError):
        raise _not_found(name, "the system's resolver", answer[0].strerror or str(answer[0]))
    return answer[0]


def _ask(name: str, nameservers: t.Sequence[str], timeout_s: float) -> list[str]:
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        raise GossipError(
            "the Python library dnspython is needed to ask name servers other than the system's, but it is missing",
            where=f"DNS name {name}",
            hint="Install dnspython for the Python that runs this, or leave the name servers out",
        ) from None
    resolver = dns.resolver.Resolver(configure=False)
    for server in nameservers:
        ip, port = _nameserver(server)
        resolver.nameservers = [*resolver.nameservers, ip]
        resolver.nameserver_ports[ip] = port
    # Two questions, A and AAAA, have to get past all name servers that are silent.
    resolver.timeout = timeout_s / (2 * len(nameservers))
    deadline = time.monotonic() + timeout_s
    asked = ", ".join(nameservers)
    addresses: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            answer = resolver.resolve(
                name, kind, search=False, raise_on_no_answer=False, lifetime=deadline - time.monotonic()
            )
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise _not_found(name, asked, str(error)) from None
        addresses += [record.address for record in answer]
    if not addresses:
        raise _not_found(name, asked, "the name has no A or AAAA record")
    return addresses


def _nameserver(text: str) -> tuple[str, int]:
    ip, port = text, "53"
    if text.startswith("["):
        ip, _bracket, port = text[1:].partition("]")
        port = port[1:] or "53"
    elif text.count(":") == 1:
        ip, _colon, port = text.partition(":")
    try:
        return str(ipaddress.ip_address(ip)), int(port)
    except ValueError:
        raise GossipError(
            "expected the address of a name server as IP or IP:PORT", where=f"name server {text!r}"
        ) from None


__all__ = ["compare_records", "resolve"]
