# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Configuration files of two versions side by side: ``PATH.VERSION`` is used next, or kept for the way back.

A step that is interrupted is done again from its beginning: ``PATH`` is always one of the two files, and whole.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic


@dataclass(frozen=True)
class StagedFiles:
    """The ``files`` of a service that goes from version ``start`` to ``end``."""

    start: str
    end: str
    files: tuple[Path, ...]

    def current(self, path: Path) -> Path:
        """Where the text of the new version is now."""
        staged = _beside(path, self.end)
        return staged if staged.exists() else path

    def forward(self) -> None:
        """Put the files of the new version in their places; those of the old one stay next to them."""
        for path in self.files:
            staged = _beside(path, self.end)
            with _os_errors_of(path):
                if staged.exists() and path.exists() and staged.read_bytes() != path.read_bytes():
                    _copy(path, _beside(path, self.start))
                    _copy(staged, path, owner_of=path)
                    staged.unlink()
                elif staged.exists():  # equal, and then what is kept is older; or the first one
                    staged.replace(path) if not path.exists() else staged.unlink()

    def back(self) -> None:
        """Put the files of the old version back; those of the new one wait again."""
        for path in self.files:
            kept = _beside(path, self.start)
            with _os_errors_of(path):
                if kept.exists():
                    _copy(path, _beside(path, self.end))
                    _copy(kept, path)


def _beside(path: Path, version: str) -> Path:
    return path.with_name(f"{path.name}.{version}")


def _copy(source: Path, target: Path, owner_of: Path | None = None) -> None:
    """Copy in one step. Owner and mode are those of ``owner_of``, but never wider than the source's own mode.

    The source may have the file's first secret: then its own group reads it, where others cannot any more.
    """
    own, like = source.stat(), (owner_of or source).stat()
    loses_readers = like.st_mode & ~own.st_mode & 0o004
    owner = (like.st_uid, own.st_gid if loses_readers else like.st_gid)
    atomic.write(target, source.read_bytes(), mode=like.st_mode & own.st_mode & 0o7777, owner=owner)


@contextlib.contextmanager
def _os_errors_of(path: Path) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"cannot be replaced: {error.strerror}", where=str(path), hint="Run as root") from error


__all__ = ["StagedFiles"]
