# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A server's addresses: where it listens, what it tells the others to be, to which Host headers it answers.

The three are equal only where nothing translates addresses. ``options`` maps names to values: those of a plan, or all
of ``layers.Effective``. Managers have no *AdvertiseAs and no prefixes. Source: Program.cs of 3.4.0; VNodeBuilder.cs of
4.0 to 5.0 does the same; what gossip gives was measured on 3.4.0.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint, is_ip

Options = t.Mapping[str, t.Any]

ANY_IP = "0.0.0.0"
SIDES = {"Int": "internal", "Ext": "external"}
# option of a port -> option of its address
LISTENERS = {
    "IntTcpPort": "IntIp",
    "IntHttpPort": "IntIp",
    "ExtTcpPort": "ExtIp",
    "ExtHttpPort": "ExtIp",
    "IntSecureTcpPort": "IntIp",
    "ExtSecureTcpPort": "ExtIp",
}
# All that the functions below read.
OPTIONS = frozenset(
    {
        *LISTENERS,
        *LISTENERS.values(),
        *(f"{name}AdvertiseAs" for name in (*LISTENERS, *LISTENERS.values())),
        *(f"{side}HttpPrefixes" for side in SIDES),
        "AddInterfacePrefixes",
    }
)

_PREFIX = re.compile(r"(?i:https?)://(\[[0-9A-Fa-f:.]+\]|[^/:\s\[\]]+)(?::([0-9]{1,5}))?(/\S*)?")


class Prefix(t.NamedTuple):
    """A URL prefix, as HttpListener and http.sys take it; ``host`` is ``*`` or ``+`` where it answers to any name."""

    host: str
    port: int


def listeners(options: Options) -> list[tuple[str, str, int]]:
    """(option, IP, port) of everything a server listens on; a port of 0 is off.

    A prefix with another host than an IP counts for the side's own IP: there, at least, it is listened on. Those that
    answer to an IP come first.
    """
    found = []
    for port, ip in LISTENERS.items():
        if port.endswith("HttpPort") and ip in options:
            read = sorted(_read(prefixes(options, port[:3])), key=lambda each: not _answers(each, options[ip]))
            found += [(port, _ip_of(each, options[ip]), each.port) for each in read]
        elif options.get(port):
            found.append((port, options[ip], options[port]))
    return list(dict.fromkeys(found))


def http_listeners(options: Options, side: str) -> list[Endpoint]:
    """Where the HTTP server of a side listens; none if it has no prefix."""
    return [Endpoint(ip, port) for option, ip, port in listeners(options) if option == f"{side}HttpPort"]


def advertised(options: Options, port: str) -> Endpoint:
    """What gossip gives for an option of LISTENERS: other servers and clients use it, and IntHttpPort's is the name."""
    ip = LISTENERS[port]
    return Endpoint(
        options.get(f"{ip}AdvertiseAs") or options[ip], options.get(f"{port}AdvertiseAs") or options.get(port, 0)
    )


def known_as(options: Options) -> frozenset[Endpoint]:
    """Every HTTP address under which gossip, or someone who asks, can know the server."""
    http = [(ip, port) for option, ip, port in listeners(options) if option.endswith("HttpPort")]
    found = {Endpoint(*each) for each in http} | {advertised(options, f"{side}HttpPort") for side in SIDES}
    return frozenset(each for each in found if not is_any(each.host))


def asked(options: Options, side: str) -> Endpoint:
    """Where the collection itself asks: at the server's own address, or if it does not answer there the advertised."""
    own = http_listeners(options, side)
    others = advertised(options, f"{side}HttpPort")
    answering = [each for each in own if not is_any(each.host) and answers_to(options, side, *each)]
    return answering[0] if answering else others


def prefixes(options: Options, side: str) -> list[str]:
    """What the HTTP server of a side registers: on Windows each needs a reservation, and other Host headers get 400."""
    given = list(options.get(f"{side}HttpPrefixes") or ())
    ip, port = options[f"{side}Ip"], options[f"{side}HttpPort"]
    if not options.get("AddInterfacePrefixes", True):
        return given
    if not any(is_any(options[f"{each}Ip"]) for each in SIDES):
        given += [f"http://{ip}:{port}/", *([f"http://localhost:{port}/"] if ip == "127.0.0.1" else [])]
    elif is_any(ip):  # and where only the other side is, this one gets none (KurrentDB#790)
        given.append(f"http://*:{port}/")
    return list(dict.fromkeys(given))


def answers_to(options: Options, side: str, host: str, port: int | None = None) -> bool:
    """Whether a request with this host in its Host header is answered, and not with 400 Invalid host."""
    return any(_answers(each, host) and port in (None, each.port) for each in _read(prefixes(options, side)))


def _answers(prefix: Prefix, host: str) -> bool:
    return prefix.host in ("*", "+", host.lower())


def ports(options: Options, side: str) -> set[int]:
    """The ports on which the HTTP server of a side listens."""
    return {each.port for each in _read(prefixes(options, side))}


def prefix_problem(text: str) -> str:
    """Why HttpListener refuses a prefix, so that the server does not start; "" if it takes it."""
    match = _PREFIX.fullmatch(text)
    if not match:
        return "it must have the form http://*:2113/, with http:// or https://"
    if match[2] and not 0 < int(match[2]) < 65536:
        return "its port is not from 1 to 65535"
    return "" if text.endswith("/") else "it must end in /"


def refused_prefixes(options: Options, side: str) -> dict[str, str]:
    """The prefixes of a side that HttpListener refuses, and why."""
    problems = {text: prefix_problem(text) for text in options.get(f"{side}HttpPrefixes") or ()}
    return {text: why for text, why in problems.items() if why}


def prefix_doubt(options: Options, side: str) -> str:
    """Why the others, or the collection, do not get through to the HTTP server of a side; "" if they do."""
    given, others = prefixes(options, side), advertised(options, f"{side}HttpPort")
    port = options[f"{side}HttpPort"]
    if not given:
        why = "AddInterfacePrefixes is false" if not options.get("AddInterfacePrefixes", True) else _one_sided(side)
        return f"has no prefix, so it does not listen: {side}HttpPrefixes is empty, and {why}"
    if port not in ports(options, side) and not options.get(f"{side}HttpPortAdvertiseAs"):
        shown = ", ".join(given)
        return f"does not listen on {side}HttpPort {port}, which other servers query: its prefixes are {shown}"
    asking = [others.host] if side == "Int" else [asked(options, side).host]
    refused = [ip for ip in asking if not is_any(ip) and not answers_to(options, side, ip)]
    if refused:
        return f"answers 400 Invalid host to {refused[0]}, at which it is queried: its prefixes are {', '.join(given)}"
    return ""


def client_doubt(options: Options) -> str:
    """Why HTTP clients do not get through at the address that they are told; "" if they do. Over TCP they do."""
    others = advertised(options, "ExtHttpPort")
    if is_any(others.host) or answers_to(options, "Ext", others.host):
        return ""
    return (
        f"HTTP clients that use the advertised {others} get 400 Invalid host, because no prefix matches: set "
        f"{any_prefixes(options)}"
    )


def any_prefixes(options: Options) -> str:
    """Options with which both sides answer to every name; an IP next to * on one port is an address in use on Linux."""
    each = (f"{side}HttpPrefixes: ['http://*:{options[f'{side}HttpPort']}/']" for side in SIDES)
    return f"{', '.join(each)} and AddInterfacePrefixes: false"


def _one_sided(side: str) -> str:
    other = "Ext" if side == "Int" else "Int"
    return f"where {other}Ip is {ANY_IP} the server adds a prefix for that side only"


def is_any(ip: str) -> bool:
    """Whether it stands for all addresses of a machine, and so for none to the others."""
    return is_ip(ip) and ipaddress.ip_address(ip).is_unspecified


def _read(texts: t.Iterable[str]) -> t.Iterator[Prefix]:
    for text in texts:
        match = None if prefix_problem(text) else _PREFIX.fullmatch(text)
        if match:
            default = 443 if text.lower().startswith("https") else 80
            yield Prefix(match[1].lower(), int(match[2] or default))


def _ip_of(prefix: Prefix, own: str) -> str:
    try:
        return str(ipaddress.IPv4Address(prefix.host))
    except ValueError:
        return own


__all__ = [
    "ANY_IP",
    "LISTENERS",
    "OPTIONS",
    "SIDES",
    "Prefix",
    "advertised",
    "answers_to",
    "any_prefixes",
    "asked",
    "client_doubt",
    "http_listeners",
    "is_any",
    "known_as",
    "listeners",
    "ports",
    "prefix_doubt",
    "prefix_problem",
    "prefixes",
    "refused_prefixes",
]
