# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Files that are replaced in one step: readers see the old file or the new one, also after a crash of the machine."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

if t.TYPE_CHECKING:
    Path = t.Union[str, os.PathLike[str]]


def write(path: Path, content: bytes, *, mode: int, owner: tuple[int, int] = (-1, -1), durable: bool = True) -> None:
    """Replace ``path``, or the link that is there; OSError if that fails, and then ``path`` is as it was.

    ``owner``: user and group by number, -1 for this process's own. Without ``durable`` a crash may lose the file, which
    is enough for what a boot makes worthless, and saves a wait for the disk.
    """
    with staged(path, content, mode=mode, owner=owner, durable=durable) as temporary:
        os.replace(temporary, path)
    if durable:
        sync(os.path.dirname(os.path.abspath(path)))


@contextlib.contextmanager
def staged(
    path: Path, content: bytes, *, mode: int = 0o600, owner: tuple[int, int] = (-1, -1), durable: bool = True
) -> t.Iterator[str]:
    """A file with this content next to ``path``, to be renamed to it; removed at the end where it is still there."""
    directory, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.new")
    _remove(temporary)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)  # after the owner, whose change clears bits of the mode
            if durable:
                os.fsync(descriptor)
        yield temporary
    finally:
        _remove(temporary)


def clear(path: Path) -> None:
    """Remove what runs that were killed while they wrote ``path`` have left next to it."""
    directory, name = os.path.split(os.path.abspath(path))
    leftover = re.compile(rf"\.{re.escape(name)}\.[0-9]+\.new")
    for found in filter(leftover.fullmatch, os.listdir(directory)):
        _remove(os.path.join(directory, found))


def sync(directory: Path) -> None:
    """Bring the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


__all__ = ["clear", "staged", "sync", "write"]
