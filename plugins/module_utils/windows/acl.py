# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Security descriptors of Windows as text (SDDL): who has which rights."""

from __future__ import annotations

import re
import typing as t

LOCAL_SERVICE = "S-1-5-19"
ALIASES = {
    "AN": "S-1-5-7",
    "AU": "S-1-5-11",
    "BA": "S-1-5-32-544",
    "BG": "S-1-5-32-546",
    "BU": "S-1-5-32-545",
    "CO": "S-1-3-0",
    "IU": "S-1-5-4",
    "LS": LOCAL_SERVICE,
    "NS": "S-1-5-20",
    "NU": "S-1-5-2",
    "SU": "S-1-5-6",
    "SY": "S-1-5-18",
    "WD": "S-1-1-0",
}
# LOCAL SERVICE is of each of these: Everyone, SERVICE, Authenticated Users, Users.
_ITS_GROUPS = {LOCAL_SERVICE, "S-1-1-0", "S-1-5-6", "S-1-5-11", "S-1-5-32-545"}
_READING = {"FA", "FR", "GA", "GR", "CC"}
_READING_BITS = 0x1 | 0x10000000 | 0x80000000

# To write to a file or add one to a directory, to remove, and to change permissions or owner.
_CHANGING = {"FA", "FW", "GA", "GW", "DC", "SD", "WD", "WO"}
_CHANGING_BITS = 0x2 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000

_MASK = re.compile("0X[0-9A-F]{1,8}")
_ACE = re.compile(r"\(([^()]*)\)")
_DACL = re.compile(r"(?:O:[^:]+(?:G:[^:]+)?|G:[^:]+)?D:([A-Z_]*)((?:\([^()]*\))*)")


class Entry(t.NamedTuple):
    """One entry of a list of rights: kind (A allows, D denies), flags, rights as written, SID."""

    kind: str
    flags: str
    rights: str
    sid: str


def entries(sddl: str) -> list[Entry] | None:
    """The entries of a descriptor; None if it cannot be read."""
    found = _DACL.match(sddl)
    if not found:
        return None
    read = []
    for written in _ACE.findall(found[2]):
        parts = [part.strip().upper() for part in written.split(";")]
        if len(parts) < 6 or (parts[2].startswith("0X") and not _MASK.fullmatch(parts[2])):
            return None
        read.append(Entry(parts[0], parts[1], parts[2], ALIASES.get(parts[5], parts[5])))
    return read


def words(rights: str) -> list[str]:
    """Rights as the two letters of each, or as one number."""
    return [rights] if rights.startswith("0X") else re.findall("..", rights)


def is_for_local_service(sddl: str) -> bool:
    """Whether LOCAL SERVICE may read what has this descriptor, as far as its text says."""
    about = [
        entry
        for entry in entries(sddl) or ()
        if entry.sid in _ITS_GROUPS and not {"IO"} & set(words(entry.flags)) and _reads(entry.rights)
    ]
    return bool(about) and all(entry.kind == "A" for entry in about)


def may_local_service_change(sddl: str) -> bool:
    """Whether LOCAL SERVICE may replace what has this descriptor, or add to it, as far as its text says."""
    about = [entry for entry in entries(sddl) or () if entry.sid in _ITS_GROUPS and _changes(entry.rights)]
    return bool(about) and all(entry.kind == "A" for entry in about)


def _changes(rights: str) -> bool:
    if rights.startswith("0X"):
        return bool(int(rights, 16) & _CHANGING_BITS)
    return bool(_CHANGING & set(words(rights)))


def _reads(rights: str) -> bool:
    if rights.startswith("0X"):
        return bool(int(rights, 16) & _READING_BITS)
    return bool(_READING & set(words(rights)))


__all__ = ["ALIASES", "LOCAL_SERVICE", "Entry", "entries", "is_for_local_service", "may_local_service_change", "words"]
