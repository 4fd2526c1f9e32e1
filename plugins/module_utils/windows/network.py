# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What Windows says of its addresses, its ports and the session: numbers count, words of any language do not.

Programs that serve HTTP with HttpListener, as Event Store does up to 5.x, do not bind their ports themselves: http.sys
does, by default on all addresses, and netstat shows ``0.0.0.0:2113`` and the process 4, which is Windows. Which process
a URL belongs to only http.sys tells. The TCP ports (1112, 1113) a node binds itself.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

_IP = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
# A socket that listens has no other end, whatever its state is called.
_LISTENING = re.compile(
    rf"^[ \t]*TCP[ \t]+((?:{_IP}|\[[0-9a-f:]+\]):[1-9][0-9]*)[ \t]+(?:0\.0\.0\.0|\[::\]):0"
    r"[ \t]+\S.*?[ \t]([0-9]{1,10})[ \t\r]*$",
    re.M | re.I,
)
# An address of the machine is reached through itself, whatever "on-link" is called.
_OWN = re.compile(rf"^[ \t]*({_IP})[ \t]+255\.255\.255\.255[ \t]+\S.*?[ \t]\1[ \t]+[0-9]+[ \t\r]*$", re.MULTILINE)
_MULTICAST = ("224.", "255.")
# Mandatory labels of an administrator's elevated session, and of the system itself.
_ELEVATED = re.compile(r"\bS-1-16-(12288|16384)\b")


# The process of Windows itself.
SYSTEM = 4
ANY = "0.0.0.0"
# Of ``netsh http show servicestate view=requestq``, in public captures: a queue begins at the left edge; in it are
# its processes, as numbers alone (Windows Server 2012) or as "ID: 4796, image: ..." (later), and its URLs. One of an
# address ends with it: HTTP://127.0.0.1:8000:127.0.0.1/.
_QUEUE = re.compile(r"^\S[^:\uff1a\n]*[:\uff1a]", re.MULTILINE)
_QUEUE_PROCESS = re.compile(
    r"^[ \t]+(?:\S[^:\uff1a\n]*[:\uff1a][ \t]*([0-9]{1,10}),[ \t].*|([0-9]{1,10}))[ \t\r]*$", re.MULTILINE
)
_QUEUE_URL = re.compile(
    r"^[ \t]+<?https?://(\[[0-9a-f:.%]+\]|[^/:\s]+):([0-9]{1,5})(?::[^/\s]+)?/\S*[ \t\r]*$", re.M | re.I
)


class Listener(t.NamedTuple):
    """A TCP port that is listened on, and the process that does.

    ``pid``: SYSTEM where http.sys does, and it could not be told for which process.
    """

    endpoint: Endpoint
    pid: int

    def holds(self, endpoint: Endpoint) -> bool:
        """Whether nothing else can listen there."""
        return self.endpoint.port == endpoint.port and self.endpoint.host in (endpoint.host, ANY, "::")


def show_listeners() -> list[str]:
    return ["netstat.exe", "-ano", "-p", "TCP"]


def show_queues() -> list[str]:
    return ["netsh.exe", "http", "show", "servicestate", "view=requestq"]


def show_addresses() -> list[str]:
    return ["route.exe", "print", "-4"]


def show_session() -> list[str]:
    return ["whoami.exe", "/groups", "/fo", "csv", "/nh"]


def read_listeners(netstat: str, queues: str) -> list[Listener]:
    """Which process listens where: those of http.sys by its own list, all others by that of ``netstat -ano``."""
    told = read_queues(queues)
    ports = {listener.endpoint.port for listener in told}
    found = []
    for address, pid in _LISTENING.findall(netstat):
        with contextlib.suppress(ValueError):  # no address of any machine
            found.append(Listener(Endpoint.parse(address), int(pid)))
    return told + [each for each in found if each.pid != SYSTEM or each.endpoint.port not in ports]


def read_queues(output: str) -> list[Listener]:
    """For which processes http.sys listens, of ``netsh http show servicestate view=requestq``.

    A URL with ``+``, ``*`` or a name for its host is one of all addresses.
    """
    starts = [match.start() for match in _QUEUE.finditer(output)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(output)]):
        block = output[start:end]
        pids = [int(one or other) for one, other in _QUEUE_PROCESS.findall(block)]
        for host, port in _QUEUE_URL.findall(block):
            if 0 < int(port) < 65536:
                ip = host if re.fullmatch(_IP, host) else ANY
                found += [Listener(Endpoint(ip, int(port)), pid) for pid in pids]
    return found


def read_addresses(output: str) -> list[str]:
    """The IPv4 addresses of the machine, of ``route print``."""
    return [ip for ip in dict.fromkeys(_OWN.findall(output)) if not ip.startswith(_MULTICAST)]


def is_elevated(output: str) -> bool:
    """Whether the session of ``whoami /groups`` may change the machine."""
    return bool(_ELEVATED.search(output))


__all__ = [
    "ANY",
    "SYSTEM",
    "Listener",
    "is_elevated",
    "read_addresses",
    "read_listeners",
    "read_queues",
    "show_addresses",
    "show_listeners",
    "show_queues",
    "show_session",
]
