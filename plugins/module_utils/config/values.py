# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the server reads from a text, and which values are refused before they are written for it."""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t
import unicodedata
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import later
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import (
    KINDS,
    VERSIONS,
    Option,
    OptionSet,
    option_set,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, FormatError

Value = t.Union[bool, int, float, str, tuple[str, ...], tuple[Endpoint, ...], dict[str, t.Any], None]

_INTEGER = re.compile(r"[\t-\r ]*([+-]?[0-9]+)[\t-\r ]*")
_DNS_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\/]+[\\/]")
_LIMITS = {"int": 2**31, "int64": 2**63}
# The names under which the server's messages know the types.
_SERVER_TYPES = {
    "bool": "Boolean",
    "int": "Int32",
    "int64": "Int64",
    "double": "Double",
    "ip": "IPAddress",
    "endpoint[]": "IPEndPoint[]",
    "enum": "ProjectionType",
}


# What to write where the server cannot read a value.
EXPECTED = {
    "bool": "Write true or false",
    "int": "Write a whole number",
    "int64": "Write a whole number",
    "double": "Write a number",
    "ip": "Write an IPv4 address; names are not resolved here",
    "endpoint[]": "Write IP:PORT with an IPv4 address, several as ['192.168.1.11:30777', '192.168.1.12:30777']"
    " or with commas and no blanks",
    "enum": "Write one of the values of the option",
}


def parse(option: Option, raw: str, traits: families.Traits) -> Value:
    """The value the server makes of ``raw``; a list comes here as the server sees it, joined by commas.

    FormatError where the server refuses the text. Lists are tuples, ``endpoint[]`` a tuple of Endpoint. ``traits``: of
    the server that reads it.
    """
    try:
        return _reader(option, traits)(option, raw)
    except (ValueError, OSError):
        shown = "" if option.secret else f" {raw!r}"
        raise FormatError(f"the value{shown} could not be converted to {_SERVER_TYPES[option.type]}") from None


def _parse_bool(_option: Option, raw: str) -> bool:
    return raw.lower() != "false" and raw != "0"


def _parse_int(option: Option, raw: str) -> int:
    match = _INTEGER.fullmatch(raw)
    if not match:
        raise ValueError
    number = int(match[1])
    limit = _LIMITS[option.type]
    if not -limit <= number < limit:
        raise ValueError
    return number


def _parse_double(_option: Option, raw: str) -> float:
    if "_" in raw:  # separates digits in Python; in .NET the comma does
        raise ValueError
    return float(raw.replace(",", ""))


def _parse_ip(_option: Option, raw: str) -> str:
    if ":" in raw:
        return str(ipaddress.IPv6Address(raw))
    if not re.fullmatch(r"[0-9A-Fa-fxX.]+", raw):  # inet_aton ignores what follows a blank
        raise ValueError
    return socket.inet_ntoa(socket.inet_aton(raw))


def _parse_strings(_option: Option, raw: str) -> tuple[str, ...]:
    return tuple(raw.split(",")) if raw.strip() else ()


def _parse_endpoints(option: Option, raw: str) -> tuple[Endpoint, ...]:
    return tuple(_parse_endpoint(option, item) for item in _parse_strings(option, raw))


def _parse_endpoint(option: Option, raw: str) -> Endpoint:
    """Split at each colon, first part an address, second a port, the rest unread: no names and no IPv6."""
    ip, colon, rest = raw.partition(":")
    match = _INTEGER.fullmatch(rest.partition(":")[0])
    if not colon or not match or not 0 <= int(match[1]) <= 65535:
        raise ValueError
    return Endpoint(_parse_ip(option, ip), int(match[1]))


def _parse_enum(option: Option, raw: str) -> str:
    names = {name.lower(): name for name in option.allowed}
    names.update((str(number), name) for number, name in enumerate(option.allowed))
    name = names.get(raw.strip().lower())
    if name is None:
        raise ValueError
    return name


_READERS: dict[str, t.Callable[[Option, str], Value]] = {
    "bool": _parse_bool,
    "int": _parse_int,
    "int64": _parse_int,
    "double": _parse_double,
    "ip": _parse_ip,
    "endpoint[]": _parse_endpoints,
    "string": lambda _option, raw: raw,
    "string[]": _parse_strings,
    "enum": _parse_enum,
}


# -- from 21.6 on --------------------------------------------------------------------------------------------------


def _keyed_bool(_option: Option, raw: str) -> bool:
    if raw.strip().lower() not in ("true", "false"):
        raise ValueError
    return raw.strip().lower() == "true"


def _keyed_int(option: Option, raw: str) -> int:
    """.NET's converter of numbers: decimal, or hexadecimal behind 0x, # or &h."""
    match = re.fullmatch(r"(?:0[xX]|#|&[hH])([0-9A-Fa-f]{1,16})", raw.strip())
    return _parse_int(option, str(int(match[1], 16))) if match else _parse_int(option, raw)


def _keyed_ip(option: Option, raw: str) -> str:
    return str(ipaddress.IPv6Address(raw)) if ":" in raw else _parse_ip(option, raw)


def _keyed_endpoints(_option: Option, raw: str) -> tuple[Endpoint, ...]:
    """Names and addresses, split at commas; blanks and empty entries do not count. No IPv6 in any form."""
    return tuple(_keyed_endpoint(item.strip()) for item in raw.split(",") if item.strip())


def _keyed_endpoint(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[^:/\[\]; \t]+", host) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError
    if int(port) > 65535:
        raise ValueError
    return Endpoint(host, int(port))


_KEYED: dict[str, t.Callable[[Option, str], Value]] = {
    **_READERS,
    "bool": _keyed_bool,
    "int": _keyed_int,
    "int64": _keyed_int,
    "ip": _keyed_ip,
    "endpoint[]": _keyed_endpoints,
}


def _reader(option: Option, traits: families.Traits) -> t.Callable[[Option, str], Value]:
    is_new = traits.reader != families.RAGS or (option.type == "endpoint[]" and traits.names_as_addresses)
    return (_KEYED if is_new else _READERS)[option.type]


def plain(value: Value) -> bool | int | float | str | list[str] | dict[str, t.Any] | None:
    """``value`` in the types of JSON."""
    return [str(item) for item in value] if isinstance(value, tuple) else value


# -- what a user asks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """``values`` by the options' own names, in the order given; ``unknown``: what the server will not know, and why."""

    values: dict[str, Value]
    unknown: dict[str, str]


def check(
    options: OptionSet, wanted: t.Mapping[str, object], *, where: str = "options", refuse_unknown: bool = True
) -> Checked:
    """Check every wanted option and value; ConfigError lists all problems."""
    values: dict[str, Value] = {}
    unknown: dict[str, str] = {}
    problems: list[str] = []
    for key, given in wanted.items():
        name = str(key)
        option = options.find(name)
        if isinstance(given, dict) and not option:
            wrong = options.section_problem(name)
            problems += [f"{name}: has settings below it, but is {wrong}"] if wrong else []
            values[name] = given
            continue
        why = _why_unknown(options, name, option)
        if why:
            unknown[name] = why
        written = option.name if option else name
        if written in values:
            problems.append(f"{written} is given twice, the second time as {name}; keep one")
        try:
            values[written] = check_value(option, given, options.traits) if option else _check_any(given)
        except ValueError as error:
            problems.append(f"{name}: {error}")
            values[written] = None
    # With something else to correct the unknown ones are told in any case: they may be the same hand's slips.
    if problems or refuse_unknown:
        problems = [*unknown.values(), *problems]
    if len(problems) > 1:
        problems = [f"{number}) {problem}" for number, problem in enumerate(problems, 1)]
    if problems:
        raise ConfigError(" ".join(problems), where=where)
    return Checked(values, unknown)


def _why_unknown(options: OptionSet, name: str, option: Option | None) -> str:
    if option:
        return f"{name} is an option of the built-in manager, the vendor's does not know it" if option.builtin else ""
    if options.traits.managers:
        other_kind = next(kind for kind in KINDS if kind != options.kind)
        if option_set(other_kind, options.version).find(name):
            return f"{name} is an option of a {other_kind} node, this is the file of a {options.kind} node"
        newer = option_set(options.kind, VERSIONS[-1]).find(name)
        if newer:
            exactly = f"{name} came with {newer.since}"
            return exactly if not newer.after else f"{name} came after {newer.after}; it is in {newer.since}"
    meant = later.meant(options, name)
    return f"{name} is not an option of a {options.kind} node {options.version}{f'; {meant}' if meant else ''}"


def check_value(option: Option, given: object, traits: families.Traits) -> Value:
    """The value that is to be written for ``option``; ValueError says what is wrong and what to write."""
    if option.environment_only:
        raise ValueError("can only be set by an environment variable; the server does not start with it in a file")
    if given is None:
        raise ValueError("has no value; leave the option out, or give '' for an empty text")
    if traits.names_as_addresses and option.type in _WITH_NAMES:
        return _WITH_NAMES[option.type](option, given)
    if traits.reader != families.RAGS and option.type == "bool":
        return _check_strict_bool(given)
    return _CHECKS[option.type](option, given)


def _check_any(given: object) -> Value:
    """A value for an option of which nothing is known but that the server takes scalars and lists of scalars."""
    if isinstance(given, (bool, int, float)):
        return given
    if isinstance(given, (list, tuple)):
        return _check_items(given)
    return _check_text(given)


def _check_bool(option: Option, given: object) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise ValueError(
        f"{given!r} is not true or false; the server would read {str(_parse_bool(option, str(given))).lower()}"
        " (to it only false and 0 are false)"
    )


def _check_strict_bool(given: object) -> bool:
    if str(given).lower() not in ("true", "false") or not isinstance(given, (bool, str)):
        raise ValueError(f"{given!r} is not true or false; the server does not start with it")
    return str(given).lower() == "true"


def _check_int(option: Option, given: object) -> int:
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]+", given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError(f"{given!r} is not a whole number")
    limit = _LIMITS[option.type]
    if not -limit <= given < limit:
        raise ValueError(f"{given} is too large for the server; it takes {-limit} to {limit - 1}")
    if "Port" in option.name:
        lowest = 0 if option.default == 0 else 1
        if not lowest <= given <= 65535:
            raise ValueError(f"{given} is not a port; expected {lowest} to 65535")
    if option.name == "ClusterSize" and (given < 1 or given % 2 == 0):
        raise ValueError(
            f"{given} is not a size for a cluster; use 1, 3, 5, …: the majority of an even number of nodes"
            " bears no more losses than that of one node less"
        )
    return given


def _check_double(_option: Option, given: object) -> float:
    number: object = given
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", given):
        number = float(given)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < 1e15:
        raise ValueError(f"{given!r} is not a number")
    return number


def _check_ip(_option: Option, given: object) -> str:
    text = _check_text(given)
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        hint = "; write a number such as 192.168.1.11, names are not resolved here"
        if ":" in text:
            hint = "; 3.x to 5.x have no seeds in IPv6, so nodes could not find each other"
        raise ValueError(f"{text!r} is not an IPv4 address{hint}") from None


def _check_any_ip(_option: Option, given: object) -> str:
    text = _check_text(given)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IP address; a name goes into an option such as NodeHostAdvertiseAs"
        ) from None


def _check_seeds(option: Option, given: object) -> tuple[Endpoint, ...]:
    endpoints = []
    for text in _check_strings(option, given):
        try:
            endpoint = Endpoint.parse(text, names=True)
        except ValueError as error:
            raise ValueError(f"{error}; an entry looks like es1.example.org:2113") from None
        if ":" in endpoint.host:
            raise ValueError(f"{text!r} is IPv6, which the server does not read in {option.name}")
        endpoints.append(endpoint)
    return tuple(endpoints)


def _check_endpoints(option: Option, given: object) -> tuple[Endpoint, ...]:
    endpoints = []
    for text in _check_strings(option, given):
        try:
            endpoint = Endpoint.parse(text)
        except ValueError as error:
            raise ValueError(f"{error}; an entry looks like 192.168.1.11:30777") from None
        if ":" in endpoint.host:
            raise ValueError(f"{text!r} is IPv6, which 3.x to 5.x do not read in {option.name}")
        endpoints.append(endpoint)
    return tuple(endpoints)


def _check_strings(_option: Option, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        given = given.split(",") if given else []
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"{given!r} is not a list")
    return _check_items(given)


def _check_items(items: t.Sequence[object]) -> tuple[str, ...]:
    texts = tuple(_check_text(item) for item in items)
    for text in texts:
        if text != text.strip() or not text:
            raise ValueError(f"the entry {text!r} is empty or has a blank at its edge, which the server keeps")
        if "," in text:
            raise ValueError(f"the entry {text!r} has a comma, at which the server would split it")
    return texts


def dns_name_problem(text: str) -> str:
    """Why nothing can have this name; the server resolves the whole text, a list too."""
    if not text.strip() or _DNS_NAME.fullmatch(text):
        return ""  # that it is empty is a matter of other options
    several = "; one name has a record for each machine" if re.search("[,; ]", text) else ""
    return f"{text!r} is no DNS name{several}"


def _check_string(option: Option, given: object) -> str:
    text = _check_text(given, secret=option.secret)
    if option.name == "ClusterDns" and dns_name_problem(text):
        raise ValueError(dns_name_problem(text))
    if option.path:
        _check_path(option, text)
    return text


def _check_text(given: object, *, secret: bool = False) -> str:
    shown = "the value" if secret else repr(given)
    if not isinstance(given, str):
        raise ValueError(f"{shown} is not a string; put it in quotes")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in "\ufeff\ufffe\uffff" for char in given):
        raise ValueError(
            f"{shown} has a control character or a line break; a path of Windows in double quotes becomes that:"
            " write it in single quotes or in none"
        )
    return given


def _check_path(option: Option, text: str) -> None:
    if not text and option.default in ("", None):
        return
    if text.startswith("~"):
        raise ValueError(f"{text!r} begins with ~, which the server does not expand; write the whole path")
    if text[:1] in ("'", '"'):
        raise ValueError(f"{text!r} has quotes within the text; leave them out")
    if not text.startswith("/") and not _WINDOWS_PATH.match(text):
        raise ValueError(
            f"{text!r} is not an absolute path; a node may be started from any directory,"
            r" so write /srv/eventstore or d:\eventstore"
        )


def _check_enum(option: Option, given: object) -> str:
    for name in option.allowed:
        if isinstance(given, str) and given.lower() == name.lower():
            return name
    raise ValueError(f"{given!r} is not one of {', '.join(option.allowed)}")


_CHECKS: dict[str, t.Callable[[Option, object], Value]] = {
    "bool": _check_bool,
    "int": _check_int,
    "int64": _check_int,
    "double": _check_double,
    "ip": _check_ip,
    "endpoint[]": _check_endpoints,
    "string": _check_string,
    "string[]": _check_strings,
    "enum": _check_enum,
}

_WITH_NAMES: dict[str, t.Callable[[Option, object], Value]] = {"ip": _check_any_ip, "endpoint[]": _check_seeds}

__all__ = ["EXPECTED", "Checked", "Value", "check", "check_value", "dns_name_problem", "parse", "plain"]
