# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A host, which is an IP address or a name, and a port."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_number

# RFC 1123, and the underscore that containers have in their names. Only digits and dots would be a broken address.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z", re.ASCII)
_MAX_NAME = 253


_NO_NAMES = "names are not accepted here"


class Endpoint(t.NamedTuple):
    """A host (text) and a port; compares, sorts and hashes as a pair."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, names: bool = False) -> Endpoint:
        """Read ``192.168.1.11:2113``, ``[::1]:2113``, and with ``names`` ``node1.example.org:2113``.

        Without ``names`` only addresses, as 3.x to 5.x know nothing else. FormatError says what is wrong with the text.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            raise FormatError(f"{text!r} has no port; write it as {'HOST' if names else 'IP'}:PORT")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not (is_ip(host) or (names and is_name(host))):
            what = "an IP address or a name" if names else "an IP address"
            why = "IPv6 is written as [IP]:PORT" if text.count(":") != 1 else "" if names else _NO_NAMES
            raise FormatError(f"{text!r} does not begin with {what}{f'; {why}' if why else ''}")
        try:
            return cls(host, parse_number(port, 1, 65535))
        except FormatError:
            raise FormatError(f"{text!r} does not end in a port from 1 to 65535") from None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_ip(host: str) -> bool:
    """It is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_name(host: str) -> bool:
    """It can be the name of a machine in DNS; an address is none."""
    labels = host.rstrip(".").split(".") if len(host) <= _MAX_NAME else []
    return bool(labels) and all(map(_LABEL.match, labels)) and not labels[-1].isdigit()


__all__ = ["Endpoint", "is_ip", "is_name"]
