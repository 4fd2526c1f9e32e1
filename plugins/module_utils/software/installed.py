# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Versions of the software side by side in one directory: unpacked whole or not at all, removed when nothing uses them.

A version is unpacked to a temporary sibling and renamed at the end; a marker in it holds the checksum of its archive.
Directories without the marker were made by someone else and are never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic, removal
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.software import archive

MARKER = ".es_distribution.json"
TEMPORARY = ".es_distribution-"

T = t.TypeVar("T")


def is_complete(home: Path, executable: str, checksum: str | None) -> bool:
    """``is_whole`` of a directory on this host."""
    is_free = not home.exists() or (home.is_dir() and not any(home.iterdir()))
    found = None if is_free or checksum is None else _checksum(home)
    has_program = (home / executable).is_file()
    return is_whole(str(home), executable, checksum, has_program=has_program, is_free=is_free, found=found)


def is_whole(
    home: str, executable: str, checksum: str | None, *, has_program: bool, is_free: bool, found: str | None
) -> bool:
    """Whether the software of this archive is there; False if nothing is; DistributionError if something else is.

    Without a checksum the software has to be there, wherever it came from. ``is_free``: nothing is at ``home``;
    ``found``: the checksum in its marker.
    """
    if checksum is None:
        if not has_program:
            raise DistributionError(
                f"{executable} does not exist, and no archive is given",
                where=home,
                hint="Unpack the software there, or set its archive and checksum",
            )
        return True
    if is_free:
        return False
    if found is None:
        raise DistributionError(
            "exists, but this collection did not unpack it, so its archive is not known",
            where=home,
            hint="Remove the archive from the task to use the directory as it is, or move the directory away",
        )
    if found != checksum:
        raise DistributionError(
            f"holds the software of another archive: expected {checksum}, found {found}",
            where=home,
            hint="Use the archive it came from; or stop what runs from it, move it away, and run again",
        )
    if not has_program:
        raise DistributionError(
            f"{executable} is missing", where=home, hint="Move the directory away, and run the task again"
        )
    return True


def read_marker(content: bytes, *, where: str, home: str) -> str:
    """The checksum of the archive that a version was unpacked from; DistributionError if the marker is damaged."""
    try:
        return str(parse_json(content)["checksum"])
    except (ValueError, KeyError, TypeError) as error:
        raise DistributionError(f"is damaged: {error}", where=where, hint=f"Move {home} away, and run again") from error


def require_room(size: int, free: int, *, where: str) -> None:
    """DistributionError if an archive that unpacks to ``size`` bytes does not fit."""
    if size > free:
        raise DistributionError(
            f"the archive unpacks to {size} bytes, but {free} are free",
            where=where,
            hint="Nothing was unpacked. Make room there",
        )


def check_request(params: t.Mapping[str, t.Any]) -> str | None:
    """The checksum of a task in lower case; DistributionError for a number of versions or a checksum that is none."""
    if params["keep_versions"] < 0:
        raise DistributionError(f"keep_versions is {params['keep_versions']}", hint="Write 0 to keep all, or 1 or more")
    checksum = (params["checksum"] or "").lower() or None
    if checksum and not re.fullmatch("sha256:[0-9a-f]{64}", checksum):
        raise DistributionError(
            f"checksum is {params['checksum']!r}",
            hint="Write sha256: and the 64 hexadecimal digits that sha256sum prints",
        )
    return checksum


def unpack(software: archive.Archive, home: Path, executable: str, checksum: str) -> None:
    """Unpack to ``home``, which appears when all is on the disk."""
    existing = next(path for path in home.parents if path.exists())
    require_room(software.size, shutil.disk_usage(existing).free, where=str(existing))
    home.parent.mkdir(parents=True, exist_ok=True)
    with _lock(home.parent):
        if is_complete(home, executable, checksum):  # by another run, while this one waited
            return
        temporary = home.with_name(f"{TEMPORARY}{home.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700)
        try:
            software.unpack(temporary)
            (temporary / executable).chmod(0o755)  # an archive made on Windows keeps no modes
            atomic.write(temporary / MARKER, json.dumps({"checksum": checksum}).encode(), mode=0o644)
            temporary.rename(home)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        atomic.sync(home.parent)


def remove(home: Path) -> None:
    """Remove a version; interrupted, it leaves nothing that looks complete."""
    with _lock(home.parent):
        temporary = home.with_name(f"{TEMPORARY}{home.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        home.rename(temporary)
        shutil.rmtree(temporary)


def clear(parent: Path) -> None:
    """Remove what interrupted runs left behind."""
    with _lock(parent):
        for path in leftovers(parent):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def leftovers(parent: Path) -> list[Path]:
    """What interrupted runs left behind."""
    return sorted(parent.glob(f"{TEMPORARY}*"))


def versions(parent: Path) -> list[Path]:
    """The versions that this collection unpacked, the oldest first."""
    markers = [path for path in parent.glob(f"*/{MARKER}") if not path.parent.name.startswith(TEMPORARY)]
    found = [path.parent for path in sorted(markers, key=lambda path: (path.stat().st_mtime_ns, path))]
    return [home for home in found if not _is_operators(home)]


def _is_operators(home: Path) -> bool:
    """Whether it is a link or a mount point: here a version is always a directory that was put in its place."""
    return home.is_symlink() or str(home.parent.resolve() / home.name) in removal.mounts()


def oldest(found: t.Sequence[T], home: T, keep: int) -> list[T]:
    """Of versions, the oldest first, those to remove so that ``keep`` remain with ``home``; 0 keeps all."""
    others = [version for version in found if version != home]
    return others[: max(0, len(others) + 1 - keep)] if keep else []


def superfluous(home: Path, keep: int) -> list[Path]:
    """The ``oldest`` versions that no process uses."""
    return [path for path in oldest(versions(home.parent), home, keep) if not users(path)]


def is_removable(home: Path) -> bool:
    """Whether this collection unpacked it; DistributionError while a process uses it."""
    if _checksum(home) is None or _is_operators(home):
        return False
    pids = users(home)
    if pids:
        named = ", ".join(f"{pid} ({' '.join(procfs.command_line(pid))[:80]})" for pid in pids)
        raise DistributionError(
            f"is used by process {named}",
            where=str(home),
            hint="Nothing was removed. Stop the processes that use it first",
        )
    return True


def users(directory: Path) -> list[int]:
    """Processes whose program, working directory or an argument is in a directory."""
    places = {str(directory), str(directory.resolve())}

    def inside(path: str) -> bool:
        return any(path == place or path.startswith(f"{place}/") for place in places)

    found = []
    for pid in procfs.all_pids():
        named = procfs.command_line(pid)
        for link in ("exe", "cwd"):
            with contextlib.suppress(OSError):  # it has ended, or belongs to another user
                named.append(os.readlink(procfs.PROC / str(pid) / link))
        if any(inside(path) for path in named):
            found.append(pid)
    return sorted(found)


def is_installed(program: Path, checksum: str) -> bool:
    """Whether a program that is one file is there, whole, and everybody's to execute."""
    return program.is_file() and program.stat().st_mode & 0o777 == 0o755 and archive.checksum(str(program)) == checksum


def install(source: Path, program: Path) -> None:
    """Bring a program that is one file to its place, whole or not at all."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with _lock(program.parent):
        atomic.clear(program)
        atomic.write(program, source.read_bytes(), mode=0o755)


@contextlib.contextmanager
def _lock(parent: Path) -> t.Iterator[None]:
    """One run at a time: several hosts of an inventory may be one machine. The kernel lets go when the run dies."""
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _checksum(home: Path) -> str | None:
    marker = home / MARKER
    try:
        content = marker.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise DistributionError("is no directory", where=str(home), hint="Move it away, and run again") from error
    return read_marker(content, where=str(marker), home=str(home))


__all__ = [
    "check_request",
    "clear",
    "install",
    "is_complete",
    "is_installed",
    "is_removable",
    "is_whole",
    "leftovers",
    "oldest",
    "read_marker",
    "remove",
    "require_room",
    "superfluous",
    "unpack",
    "users",
    "versions",
]
