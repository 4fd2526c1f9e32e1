# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Directories of data, removed with everything in them; a mount point stays, and what a link of the operator leads to.

The service's account can change what lies in its own directories. A link is followed only where root or the caller made
it, and everything is reached by descriptors, so that no link can come in between.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.directories import Others, opened
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs

# What a file system makes in its root, and its check needs.
KEPT = frozenset({"lost+found"})
# Under this name a node keeps its index in its database, unless an option names another place.
INDEX = "index"


class Directory(t.NamedTuple):
    """A directory that is there: where it really is, and whether it stays when it is emptied."""

    path: str
    real: str
    stays: bool
    is_empty: bool


def look(paths: t.Sequence[str]) -> list[Directory]:
    """Those of the directories that are there, the inner ones first; DistributionError if one cannot be removed."""
    mounted = mounts()
    found = [each for each in (_look(path, mounted) for path in paths) if each]
    ours = {each.real for each in found} | {f"{each.real}/{INDEX}" for each in found}
    for each in found:
        foreign = sorted(mount for mount in mounted - ours if mount.startswith(f"{each.real}/"))
        if foreign:
            raise DistributionError(
                f"{', '.join(foreign)} is mounted below the directory",
                where=each.path,
                hint="Nothing was removed. Unmount it first, so that its content is not removed",
            )
    return sorted({each.real: each for each in found}.values(), key=lambda each: -len(each.real))


def require_unused(directories: t.Sequence[Directory]) -> None:
    """DistributionError if a process has a file open in one of them."""
    for directory in directories:
        users = [pid for pid in procfs.all_pids() if pid != os.getpid() and _has_open(pid, directory.real)]
        if users:
            named = ", ".join(f"{pid} ({' '.join(procfs.command_line(pid))[:80]})" for pid in users)
            raise DistributionError(
                f"is used by process {named}",
                where=directory.path,
                hint="Nothing was removed from it. Stop the process first",
            )


def remove(directory: Directory) -> None:
    """Remove the directory with everything in it, or empty it where it stays; links in it are not followed."""
    mounted = mounts()
    with opened(directory.path, Others()) as descriptor:
        if descriptor is None:
            return
        _empty(descriptor, directory.real, mounted, KEPT if directory.real in mounted else frozenset())
    if not directory.stays:
        with opened(os.path.dirname(directory.real), Others()) as parent:
            if parent is not None:
                os.rmdir(os.path.basename(directory.real), dir_fd=parent)


def _look(path: str, mounted: set[str]) -> Directory | None:
    if not os.path.isabs(path) or os.path.normpath(path) == "/":
        raise DistributionError(f"expected an absolute path of a directory, found {path!r}", where="directories")
    with opened(path, Others()) as descriptor:
        if descriptor is None:
            return None
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        names = set(os.listdir(descriptor)) - (KEPT if real in mounted else set())
    inner = {mount[len(real) + 1 :].partition("/")[0] for mount in mounted if mount.startswith(f"{real}/")}
    stays = real in mounted or real != os.path.normpath(path) or bool(inner)
    return Directory(path, real, stays, not names - inner)


def _empty(descriptor: int, real: str, mounted: set[str], kept: frozenset[str]) -> None:
    with os.scandir(descriptor) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.name not in kept]
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=descriptor)
            continue
        path = f"{real}/{name}"
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        try:
            _empty(inner, path, mounted, KEPT if path in mounted else frozenset())
        finally:
            os.close(inner)
        if not any(f"{mount}/".startswith(f"{path}/") for mount in mounted):
            os.rmdir(name, dir_fd=descriptor)


def mounts() -> set[str]:
    """Where something is mounted, bind mounts too; blanks and backslashes are octal there (proc(5))."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        fields = [line.split(" ")[4] for line in file]
    return {re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) for field in fields}


def _has_open(pid: int, directory: str) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        for descriptor in (procfs.PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed by then
                if os.readlink(descriptor).startswith(f"{directory}/"):
                    return True
    return False


__all__ = ["Directory", "look", "mounts", "remove", "require_unused"]
