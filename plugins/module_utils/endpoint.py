# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""An IP address and a port."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_number


class Endpoint(t.NamedTuple):
    """An IP address (text) and a port; compares, sorts and hashes as a pair."""

    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``192.168.1.11:2113`` or ``[::1]:2113``; FormatError says what is wrong with the text."""
        ip, colon, port = text.rpartition(":")
        if not colon:
            raise FormatError(f"{text!r} has no port; write it as IP:PORT")
        ip = ip[1:-1] if ip.startswith("[") and ip.endswith("]") else ip
        try:
            ipaddress.ip_address(ip)
        except ValueError:
            why = "names are not accepted here" if text.count(":") == 1 else "IPv6 is written as [IP]:PORT"
            raise FormatError(f"{text!r} does not begin with an IP address; {why}") from None
        try:
            return cls(ip, parse_number(port, 1, 65535))
        except FormatError:
            raise FormatError(f"{text!r} does not end in a port from 1 to 65535") from None

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


__all__ = ["Endpoint"]
