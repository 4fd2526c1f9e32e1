# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""URL reservations of http.sys: which there are, which there should be, and the commands between.

Read in whatever language Windows speaks: only ``anything: URL`` and ``SDDL:`` of ``netsh http show urlacl`` count. Who
has which rights is compared as sets of rights and SIDs, never as text.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_number
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import acl

# The descriptor of a reservation that shows none.
UNKNOWN = "?"
LISTEN, DELEGATE = "listen", "delegate"
# Of a reservation, GENERIC_ALL is both.
_RIGHTS = {"GA": {LISTEN, DELEGATE}, "GX": {LISTEN}, "GW": {DELEGATE}}
_BITS = {0x10000000: "GA", 0x20000000: "GX", 0x40000000: "GW"}
_ALIAS_OF = {sid: alias for alias, sid in acl.ALIASES.items()}
# English names are known here, because a Windows of another language does not know them.
_ACCOUNTS = {
    "anonymous logon": "S-1-5-7",
    "authenticated users": "S-1-5-11",
    "administrators": "S-1-5-32-544",
    "users": "S-1-5-32-545",
    "everyone": "S-1-1-0",
    "interactive": "S-1-5-4",
    "local service": "S-1-5-19",
    "localservice": "S-1-5-19",
    "network service": "S-1-5-20",
    "networkservice": "S-1-5-20",
    "service": "S-1-5-6",
    "system": "S-1-5-18",
    "localsystem": "S-1-5-18",
}
_SID = re.compile(r"S-1-[0-9]{1,15}(-[0-9]{1,10}){1,15}", re.IGNORECASE)
_URL = re.compile(r"(https?)://(\[[^\]/]*\]|[^:/?#\[\]]*)(?::([^/?#]*))?(/.*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")
_PATH = re.compile(r"/([A-Za-z0-9._~!$&()*+,;=:@%-]+/)*")
_DACL = re.compile(r"D:(\([^()]*\))+")

# The second colon is that of Chinese and Japanese.
_LABELLED_URL = re.compile("\\s*\\S.*?[:\uff1a]\\s*(https?://\\S+)\\s*", re.IGNORECASE)
_LABELLED_SDDL = re.compile("\\s*SDDL\\s*[:\uff1a]\\s*(\\S.*?)\\s*")


class Url(t.NamedTuple):
    """A prefix as http.sys knows it. ``+`` and ``*``, an address and a name are different hosts to it."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Equal for equal prefixes: case does not count."""
        return self.scheme, self.host, self.port, self.path.lower()


class Ace(t.NamedTuple):
    """``kind`` A allows, D denies; ``rights`` in words, or as they are written where they are not those of a URL."""

    kind: str
    rights: frozenset[str]
    sid: str


@dataclass(frozen=True)
class Reservation:
    """``spelling``: the URL exactly as Windows stores it, which is how it has to be deleted; ``url``: None if odd."""

    spelling: str
    url: Url | None
    sddl: str


@dataclass(frozen=True)
class Step:
    """One prefix to change. ``before`` and ``after``: its SDDL, "" where there is none. ``stored``: its spelling."""

    url: Url
    stored: str
    before: str
    after: str

    @property
    def commands(self) -> list[list[str]]:
        """The programs to run, in order: Windows cannot change a reservation, only delete and add it."""
        delete = [delete_command(self.stored)] if self.before else []
        return delete + ([add_command(str(self.url), self.after)] if self.after else [])


@dataclass(frozen=True)
class Conflict:
    """A reservation of another prefix on a port that is asked for."""

    spelling: str
    sddl: str
    reason: str


def show_command() -> list[str]:
    return ["netsh.exe", "http", "show", "urlacl"]


def add_command(url: str, sddl: str) -> list[str]:
    return ["netsh.exe", "http", "add", "urlacl", f"url={url}", f"sddl={sddl}"]


def delete_command(url: str) -> list[str]:
    return ["netsh.exe", "http", "delete", "urlacl", f"url={url}"]


# -- URLs --------------------------------------------------------------------------------------------------------------


def parse_url(text: str, *, where: str = "url") -> Url:
    """A prefix to reserve, in its normal form; HostError if http.sys would not take it, or if no one means it."""
    found = _URL.fullmatch(text)
    if not found or not text.isascii():
        raise _refused(text, "is not http or https with an ASCII host", where)
    scheme, host, port, path = found[1].lower(), found[2], found[3], found[4] or "/"
    if not port:
        raise _refused(text, "has no port", where)
    try:
        number = 0 if port.startswith("0") else parse_number(port, 1, 65535)
    except FormatError:
        number = 0
    if not number:
        raise _refused(text, f"has the port {port[:20]!r}, which is not a number from 1 to 65535", where)
    path = path if path.endswith("/") else f"{path}/"
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise _refused(
            text, "has a path that is not a prefix: a prefix has no query, no fragment, no space and no '..'", where
        )
    return Url(scheme, _host(text, host, where), number, path)


def _host(text: str, host: str, where: str) -> str:
    if host in ("+", "*"):
        return host
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        if re.fullmatch(r"[0-9.]+", host):
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise _refused(text, f"has the host {host!r}, which is not an address", where) from None
    if not _HOST.fullmatch(host):
        raise _refused(text, f"has the host {host!r}, which is not a name, an address, '+' or '*'", where)
    return host.lower()


def _refused(text: str, problem: str, where: str) -> HostError:
    return HostError(
        f"{text!r} {problem}", where=where, hint="Nothing was changed. Write the URL as http://192.168.1.11:2112/"
    )


# -- accounts and rights -----------------------------------------------------------------------------------------------


def known_sid(account: str) -> str | None:
    """The SID of an account that every Windows has, whatever its language; None: the host has to be asked."""
    if _SID.fullmatch(account):
        return account.upper()
    authority, _backslash, name = account.rpartition("\\")
    if authority.lower() not in ("", "nt authority", "builtin"):
        return None
    return _ACCOUNTS.get(name.lower())


def to_sddl(sid: str, *, listen: bool, delegate: bool) -> str:
    """The descriptor that gives these rights to one account; HostError if it would give none."""
    rights = {(True, False): "GX", (False, True): "GW", (True, True): "GA"}.get((listen, delegate))
    if not _SID.fullmatch(sid):
        raise HostError(f"expected a SID such as S-1-5-19, got {sid!r}", where="user")
    if rights is None:
        raise HostError(
            "listen and delegate are both false, so the reservation would have no effect",
            where="listen, delegate",
            hint="Nothing was changed. Use state: absent to remove the reservation",
        )
    return f"D:(A;;{rights};;;{_ALIAS_OF.get(sid, sid)})"


def parse_sddl(text: str) -> frozenset[Ace] | None:
    """Who has which rights, in whatever order and spelling it is written; None if it cannot be read."""
    entries = acl.entries(text)
    return None if entries is None else frozenset(Ace(each.kind, _rights(each.rights), each.sid) for each in entries)


def check_sddl(text: str, *, where: str = "sddl") -> str:
    """A descriptor to write: HostError unless it says who may listen, and nothing else."""
    aces = parse_sddl(text)
    if not _DACL.fullmatch(text) or not aces or any(ace.kind not in ("A", "D") or not ace.sid for ace in aces):
        raise HostError(
            f"{text!r} is not the descriptor of a reservation",
            where=where,
            hint="Nothing was changed. Write the descriptor as D:(A;;GX;;;S-1-5-19), GX to listen, GW to delegate, GA "
            "for both",
        )
    return text


def _rights(text: str) -> frozenset[str]:
    words = acl.words(text)
    if text.startswith("0X"):
        mask = int(text, 16)
        rest = mask & ~sum(_BITS)
        words = [word for bit, word in _BITS.items() if mask & bit] + ([hex(rest)] if rest else [])
    return frozenset(right for word in words for right in _RIGHTS.get(word, {word}))


# -- what is there -----------------------------------------------------------------------------------------------------


def parse_show(output: str) -> list[Reservation]:
    """The reservations that ``netsh http show urlacl`` lists. A descriptor that was wrapped is put together again."""
    found: list[tuple[str, str]] = []
    unfinished = False
    for line in output.splitlines():
        url, sddl = _LABELLED_URL.fullmatch(line), _LABELLED_SDDL.fullmatch(line)
        if url:
            found.append((url[1], ""))
        elif sddl and found:
            found[-1] = (found[-1][0], sddl[1])
        elif unfinished and line.strip():
            found[-1] = (found[-1][0], found[-1][1] + line.strip())
        else:
            continue
        unfinished = bool(found) and found[-1][1].count("(") > found[-1][1].count(")")
    return [Reservation(spelling, _as_stored(spelling), sddl) for spelling, sddl in found]


def _as_stored(spelling: str) -> Url | None:
    """A prefix that is there; others' can have paths that are not for this collection to write."""
    found = _URL.fullmatch(spelling)
    try:
        prefix = parse_url(f"{found[1]}://{found[2]}:{found[3]}/") if found else None
    except HostError:
        return None
    return prefix and prefix._replace(path=(found and found[4]) or "/")


# -- what is to be done ------------------------------------------------------------------------------------------------


def plan(wanted: t.Sequence[Url], sddl: str | None, existing: t.Sequence[Reservation]) -> list[Step]:
    """What brings the prefixes to this descriptor, or with None away; nothing for those that are right."""
    stored = {entry.url.key: entry for entry in existing if entry.url}
    steps = []
    for url in wanted:
        entry = stored.get(url.key)
        if sddl is None and entry:
            steps.append(Step(url, entry.spelling, entry.sddl or UNKNOWN, ""))
        elif sddl is not None and not (entry and is_equal(entry.sddl, sddl)):
            steps.append(Step(url, entry.spelling if entry else "", (entry.sddl or UNKNOWN) if entry else "", sddl))
    return steps


def is_equal(one: str, other: str) -> bool:
    """Whether two descriptors give the same rights to the same accounts."""
    aces = parse_sddl(one)
    return aces is not None and aces == parse_sddl(other)


def conflicts(wanted: t.Sequence[Url], sddl: str | None, existing: t.Sequence[Reservation]) -> list[Conflict]:
    """Reservations of other prefixes on the same ports, with which http.sys may refuse the service or serve another.

    An address that the machine had before leaves one behind; so does a trial with ``http://+:2112/``.
    """
    keys = {url.key for url in wanted}
    ports = {url.port: url for url in wanted}
    found = []
    for entry in existing:
        if entry.url is None or entry.url.key in keys or entry.url.port not in ports:
            continue
        url = ports[entry.url.port]
        if entry.url.scheme != url.scheme:
            reason = f"{entry.url.scheme} on the port of {url}"
        elif sddl is not None and is_equal(entry.sddl, sddl):
            reason = f"stale: the same account, another prefix on the port of {url}"
        else:
            reason = f"other accounts on the port of {url}"
        found.append(Conflict(entry.spelling, entry.sddl, reason))
    return found


__all__ = [
    "UNKNOWN",
    "Ace",
    "Conflict",
    "Reservation",
    "Step",
    "Url",
    "add_command",
    "check_sddl",
    "conflicts",
    "delete_command",
    "is_equal",
    "known_sid",
    "parse_sddl",
    "parse_show",
    "parse_url",
    "plan",
    "show_command",
    "to_sddl",
]
