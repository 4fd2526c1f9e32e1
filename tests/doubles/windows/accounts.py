# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, SIDs and the descriptors of URL reservations, as this stand-in for http.sys keeps them."""

from __future__ import annotations

import re
import typing as t

from tests.doubles.windows.machine import NotUnderstood

# Well-known names are translated by Windows; their SIDs are not.
NAMES = {
    "S-1-5-19": {
        "en": "NT AUTHORITY\\LOCAL SERVICE",
        "de": "NT-AUTORITÄT\\Lokaler Dienst",
        "it": "NT AUTHORITY\\SERVIZIO LOCALE",
    },
    "S-1-5-20": {
        "en": "NT AUTHORITY\\NETWORK SERVICE",
        "de": "NT-AUTORITÄT\\Netzwerkdienst",
        "it": "NT AUTHORITY\\SERVIZIO DI RETE",
    },
    "S-1-5-18": {"en": "NT AUTHORITY\\SYSTEM", "de": "NT-AUTORITÄT\\SYSTEM", "it": "NT AUTHORITY\\SYSTEM"},
    "S-1-1-0": {"en": "\\Everyone", "de": "\\Jeder", "it": "\\Everyone"},
    "S-1-5-32-544": {
        "en": "BUILTIN\\Administrators",
        "de": "VORDEFINIERT\\Administratoren",
        "it": "BUILTIN\\Administrators",
    },
    "S-1-5-32-545": {"en": "BUILTIN\\Users", "de": "VORDEFINIERT\\Benutzer", "it": "BUILTIN\\Users"},
}
ALIASES = {
    "LS": "S-1-5-19",
    "NS": "S-1-5-20",
    "SY": "S-1-5-18",
    "WD": "S-1-1-0",
    "BA": "S-1-5-32-544",
    "BU": "S-1-5-32-545",
    "AU": "S-1-5-11",
}
SID = {"deployer": "S-1-5-21-1004336348-1177238915-682003330-1001"}

GENERIC_ALL, GENERIC_EXECUTE, GENERIC_WRITE = 0x10000000, 0x20000000, 0x40000000
RIGHTS = {"GA": GENERIC_ALL, "GX": GENERIC_EXECUTE, "GW": GENERIC_WRITE}
ENTRY = re.compile(r"\((A|D);([A-Z]*);((?:[A-Z]{2})+|0x[0-9A-Fa-f]+);;;([A-Z]{2}|S-[0-9-]+)\)")


class Entry(t.NamedTuple):
    """One entry of a descriptor: ``A`` or ``D``, rights as bits, the SID."""

    kind: str
    rights: int
    sid: str


def sid_of(account: str, known: dict[str, str], locale: str) -> str | None:
    """The SID of an account by its name in this machine's language; None if no one has it."""
    if re.fullmatch(r"S-1(-\d+)+", account):
        return account
    wanted = account.lower()
    for sid, names in NAMES.items():
        name = names[locale].lower()
        if wanted in (name, name.partition("\\")[2], name.lstrip("\\")):
            return sid
    return next((sid for name, sid in known.items() if name.lower() == wanted), None)


def name_of(sid: str, known: dict[str, str], locale: str) -> str:
    if sid in NAMES:
        return NAMES[sid][locale]
    return next((name for name, each in known.items() if each == sid), sid)


def entries(sddl: str) -> list[Entry] | None:
    """The entries of ``D:(...)``; None if Windows would not take the text."""
    match = re.fullmatch(r"D:((?:\([^()]*\))+)", sddl)
    if not match:
        return None
    found = []
    for text in re.findall(r"\([^()]*\)", match[1]):
        parts = ENTRY.fullmatch(text)
        if not parts:
            return None
        kind, flags, rights, who = parts.groups()
        if flags:
            raise NotUnderstood(f"inheritance in the descriptor of a reservation: {sddl!r}")
        sid = ALIASES.get(who, who if who.startswith("S-") else None)
        bits = 0
        words = [rights] if rights.startswith("0x") else re.findall("..", rights)
        for word in words:
            bit = int(word, 16) if word.startswith("0x") else RIGHTS.get(word)
            if bit is None:
                raise NotUnderstood(f"the right {word} in {sddl!r}")
            bits |= bit
        if sid is None:
            return None
        found.append(Entry(kind, bits, sid))
    return found


def shown(sddl: str) -> str:
    """A descriptor with the aliases of well-known SIDs, as http.sys shows it."""
    alias = {sid: name for name, sid in ALIASES.items()}
    return re.sub(r"S-1(-\d+)+", lambda match: alias.get(match[0], match[0]), sddl)


__all__ = ["GENERIC_ALL", "GENERIC_EXECUTE", "GENERIC_WRITE", "SID", "Entry", "entries", "name_of", "shown", "sid_of"]
