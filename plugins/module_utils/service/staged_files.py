# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Configuration files of two versions side by side: ``PATH.VERSION`` waits for its turn, or is kept for the way back.

A step that is interrupted is done again from its beginning: ``PATH`` is always one of the two files, and whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError


@dataclass(frozen=True)
class Switch:
    """The ``files`` of a service that goes from version ``start`` to ``end``."""

    start: str
    end: str
    files: tuple[Path, ...]

    def current(self, path: Path) -> Path:
        """Where the text of the new version is now."""
        staged = _beside(path, self.end)
        return staged if staged.exists() else path

    def forward(self) -> None:
        """Put the files of the new version in their places; those of the old one stay beside them."""
        for path in self.files:
            staged = _beside(path, self.end)
            with _told(path):
                if staged.exists() and path.exists() and staged.read_bytes() != path.read_bytes():
                    _copy(path, _beside(path, self.start))
                    _own_like(staged, path, staged.stat().st_mode)
                    staged.replace(path)
                elif staged.exists():  # equal, and then what is kept is older; or the first one
                    staged.replace(path) if not path.exists() else staged.unlink()

    def back(self) -> None:
        """Put the files of the old version back; those of the new one wait again."""
        for path in self.files:
            kept = _beside(path, self.start)
            with _told(path):
                if kept.exists():
                    _copy(path, _beside(path, self.end))
                    _copy(kept, path)


def _beside(path: Path, version: str) -> Path:
    return path.with_name(f"{path.name}.{version}")


def _copy(source: Path, target: Path) -> None:
    """In one step: ``target`` is the old one or the new one, and whole."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as stream, open(source, "rb") as content:
            shutil.copyfileobj(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        _own_like(temporary, source, 0o7777)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _own_like(path: Path, pattern: Path, most: int) -> None:
    """Its owner, and of its mode what is in ``most`` too: a file may have got its first secret."""
    owner, closes = pattern.stat(), pattern.stat().st_mode & ~most & 0o004
    os.chown(path, owner.st_uid, -1 if closes else owner.st_gid)  # its own group reads it then
    path.chmod(owner.st_mode & most & 0o7777)


@contextlib.contextmanager
def _told(path: Path) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"cannot be replaced: {error.strerror}", where=str(path), hint="Run as root") from error


__all__ = ["Switch"]
