# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows says of its addresses, its ports and the session: numbers count, words of any language do not."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

_IP = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
# A socket that listens has no other end, whatever its state is called.
_LISTENING = re.compile(
    rf"^\s*TCP\s+((?:{_IP}|\[[0-9a-f:]+\]):[1-9][0-9]*)\s+(?:0\.0\.0\.0|\[::\]):0\s+\S.*?\s([0-9]+)\s*$", re.M | re.I
)
# An address of the machine is reached through itself, whatever "on-link" is called.
_OWN = re.compile(rf"^\s*({_IP})\s+255\.255\.255\.255\s+\S.*?\s\1\s+[0-9]+\s*$", re.MULTILINE)
_MULTICAST = ("224.", "255.")
# Mandatory labels of an administrator's elevated session, and of the system itself.
_ELEVATED = re.compile(r"\bS-1-16-(12288|16384)\b")


class Listener(t.NamedTuple):
    """A TCP port that is listened on, and the process that does."""

    endpoint: Endpoint
    pid: int


def show_listeners() -> list[str]:
    return ["netstat.exe", "-ano", "-p", "TCP"]


def show_addresses() -> list[str]:
    return ["route.exe", "print", "-4"]


def show_session() -> list[str]:
    return ["whoami.exe", "/groups", "/fo", "csv", "/nh"]


def read_listeners(output: str) -> list[Listener]:
    """Who listens where, of ``netstat -ano``."""
    return [Listener(Endpoint.parse(address), int(pid)) for address, pid in _LISTENING.findall(output)]


def read_addresses(output: str) -> list[str]:
    """The IPv4 addresses of the machine, of ``route print``."""
    return [ip for ip in dict.fromkeys(_OWN.findall(output)) if not ip.startswith(_MULTICAST)]


def is_elevated(output: str) -> bool:
    """Whether the session of ``whoami /groups`` may change the machine."""
    return bool(_ELEVATED.search(output))


__all__ = [
    "Listener",
    "is_elevated",
    "read_addresses",
    "read_listeners",
    "show_addresses",
    "show_listeners",
    "show_session",
]
