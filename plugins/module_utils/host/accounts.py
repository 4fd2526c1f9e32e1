# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Names of accounts. In a container a process can have a uid or gid that no account or group has: it goes by number."""

from __future__ import annotations

import grp
import os
import pwd


def user_name(uid: int) -> str:
    """The account of a uid, or the number as text."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group of a gid, or the number as text."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def own() -> pwd.struct_passwd:
    """The account of this process; without one what the process itself knows stands for it."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        home = os.environ.get("HOME", "/")
        return pwd.struct_passwd((str(uid), "*", uid, os.getegid(), "", home, "/bin/sh"))


__all__ = ["group_name", "own", "user_name"]
