# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""How managers and nodes find each other: the addresses of a DNS name, and records against machines.

Servers take all A and AAAA records of ClusterDns, each with the port ClusterGossipPort; SRV records are not used.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError

if t.TYPE_CHECKING:
    import dns.resolver


def resolve(name: str, *, nameservers: t.Sequence[str] = (), timeout_s: float = 2.0) -> list[str]:
    """Give all addresses of ``name``, sorted; GossipError if there is none within ``timeout_s``.

    Asks the system's resolver, or with ``nameservers`` (``IP`` or ``IP:PORT``) these and no one else.
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
        f"expected an address for each machine of the cluster, got from {asked}: {reason}",
        where=f"DNS name {name}",
        hint="Add one A record for each machine, or set a name server that has them",
    )


def _ask_system(name: str, timeout_s: float) -> list[str]:
    """A resolver that is waiting for AAAA records, which a broken name server never gives, is asked for A alone."""
    answers: queue.Queue[list[str] | OSError] = queue.Queue()

    def ask(family: int) -> None:
        try:
            found = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
            answers.put([str(entry[4][0]).partition("%")[0] for entry in found])
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    end, waiting, errors = time.monotonic() + timeout_s, 0, []
    for family, until in ((socket.AF_UNSPEC, end - timeout_s / 2), (socket.AF_INET, end)):
        # getaddrinfo knows no timeout, and the default of resolv.conf is 5 s for each server and try.
        threading.Thread(target=ask, args=(family,), daemon=True).start()
        waiting += 1
        while waiting:
            try:
                answer = answers.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(answer, list):
                return answer
            errors.append(answer.strerror or str(answer))
            waiting -= 1
    raise _not_found(name, "the system's resolver", errors[0] if errors else f"no answer within {timeout_s:g} s")


def _ask(name: str, nameservers: t.Sequence[str], timeout_s: float) -> list[str]:
    """Both kinds of records at once. A server that fails for one has said nothing against the other (RFC 4074)."""
    try:
        import dns.resolver
    except ImportError:
        raise GossipError(
            "the Python library dnspython is needed for name servers other than the system's, but is missing",
            where=f"DNS name {name}",
            hint="Install dnspython for the Python that runs this, or remove the name servers",
        ) from None
    resolver = dns.resolver.Resolver(configure=False)
    for server in nameservers:
        ip, port = _nameserver(server)
        resolver.nameservers = [*resolver.nameservers, ip]
        resolver.nameserver_ports[ip] = port
    # A question has to get past all name servers that are silent, and past a packet that is lost.
    resolver.timeout = timeout_s / (len(nameservers) + 1)
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(lambda kind: _question(resolver, name, kind, timeout_s), ("A", "AAAA")))
    addresses = [address for records, _why in found for address in records]
    if not addresses:
        reasons = [why for _records, why in found if why]
        raise _not_found(name, ", ".join(nameservers), reasons[0] if reasons else "the name has no A or AAAA record")
    return addresses


def _question(resolver: dns.resolver.Resolver, name: str, kind: str, timeout_s: float) -> tuple[list[str], str]:
    """The addresses, or why there are none; neither where the name has no such record."""
    import dns.exception
    import dns.message

    try:
        answer = resolver.resolve(name, kind, search=False, raise_on_no_answer=False, lifetime=timeout_s)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        tries = getattr(error, "kwargs", {}).get("errors", ())
        if any(isinstance(failure, dns.message.Truncated) for each in tries for failure in each):
            return (
                [],
                f"more {kind} records than fit into a packet, and over TCP, where all would fit, it does not answer",
            )
        return [], str(error)
    return [record.address for record in answer], ""


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
