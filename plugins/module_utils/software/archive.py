# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""An archive of software, zip or tar.gz: looked through as a whole before the first byte is written.

Pure Python, so that a host needs neither unzip nor tar. An archive is refused that could write outside its
directory, or that holds what software does not: devices, pipes, hard links, two entries of one name.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
import shutil
import stat
import struct
import tarfile
import typing as t
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import has_credentials
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError, UpgradeError
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

MAX_ENTRIES = 100_000
MAX_BYTES = 4 * 1024**3
MAX_LINK_BYTES = 4096
MAX_NAME_BYTES = 2048

REFUSED = (
    "Nothing was unpacked. Download the archive again from its vendor, and compare its checksum with the published one"
)


@dataclass(frozen=True)
class Entry:
    """A file, a directory or a symbolic link; ``path`` is below the directory to unpack to."""

    path: tuple[str, ...]
    kind: str  # file, directory, link
    mode: int
    size: int
    target: str  # of a link
    source: t.Any  # ZipInfo or TarInfo

    def __str__(self) -> str:
        return "/".join(self.path)


class Archive:
    """An open archive whose ``entries`` are harmless.

    ``top``: the directory that holds all the rest, which is left out of their paths; "" if there is none.
    """

    def __init__(self, path: str, opened: zipfile.ZipFile | tarfile.TarFile) -> None:
        self._path = path
        self._opened = opened
        raw = list(_zip_entries(path, opened) if isinstance(opened, zipfile.ZipFile) else _tar_entries(path, opened))
        self.top = _top(raw)
        self.entries = _below(self.top, raw)
        self.size = sum(entry.size for entry in self.entries)
        _check(path, self.entries, self.size)

    def top_level(self) -> list[str]:
        """Names of what will lie in the directory; those of directories end in a slash."""
        directories = {entry.path[0] for entry in self.entries if len(entry.path) > 1 or entry.kind == "directory"}
        return sorted({f"{name}/" if name in directories else name for name in (e.path[0] for e in self.entries)})

    def require(self, executable: str) -> None:
        """Refuse an archive without the program."""
        wanted = tuple(executable.split("/"))
        if not any(entry.path == wanted and entry.kind == "file" for entry in self.entries):
            raise DistributionError(
                f"has no file {executable}; it contains {', '.join(self.top_level()[:20]) or 'nothing'}",
                where=self._path,
                hint="Nothing was unpacked. Check that the archive is for this operating system, and that executable "
                "is right",
            )

    def require_version(self, version: str) -> None:
        """Refuse an archive whose top directory names another version, as the vendor's do: EventStore-OSS-Linux-v4.1.4.

        ``version`` may be any name, and says nothing then; of a hotfix the directory may name what it is one of.
        """
        wanted, found = _release(version), _release(self.top.rpartition("-v")[2])
        if wanted and found and wanted[:3] != found[:3]:
            raise DistributionError(
                f"is the archive of another version: expected {version}, found {self.top}",
                where=self._path,
                hint="Nothing was unpacked. Set eventstore_version to the version of the archive, or set the archive "
                "of this version",
            )

    def unpack(self, directory: Path) -> None:
        """Write everything to an empty directory, and to the disk."""
        for entry in self.entries:
            target = directory.joinpath(*entry.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.kind == "directory":
                target.mkdir(exist_ok=True)
            elif entry.kind == "file":
                self._write(entry, target)
        # Links last: until all files are written there is nothing that a path could be led through.
        for entry in self.entries:
            if entry.kind == "link":
                directory.joinpath(*entry.path).symlink_to(entry.target)
        for path, _directories, _files in os.walk(directory):
            os.chmod(path, 0o755)  # noqa: S103 the service's user reads it

    def _write(self, entry: Entry, target: Path) -> None:
        with _reading(self._path, str(entry)), self._open(entry) as source, open(target, "xb") as file:
            shutil.copyfileobj(source, file, 1024 * 1024)
            if file.tell() != entry.size:
                raise ValueError(f"it should have {entry.size} bytes and has {file.tell()}")
            os.fchmod(file.fileno(), entry.mode)
            file.flush()
            os.fsync(file.fileno())

    def _open(self, entry: Entry) -> t.IO[bytes]:
        if isinstance(self._opened, zipfile.ZipFile):
            return self._opened.open(entry.source)
        return t.cast("t.IO[bytes]", self._opened.extractfile(entry.source))


@contextlib.contextmanager
def open_archive(path: str) -> t.Iterator[Archive]:
    """Open an archive and look through it; DistributionError where it is damaged or not harmless."""
    with _reading(path, "it as zip or tar.gz"):
        opened = zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path, "r:gz")  # noqa: SIM115
    with opened:
        with _reading(path, "its entries"):
            archive = Archive(path, opened)
        yield archive


def check_url(address: str) -> None:
    """Refuse what is no address, or holds a password; the error shows nothing of it."""
    try:
        url = urlsplit(address)
        is_plain = url.scheme in ("http", "https") and bool(url.hostname) and not has_credentials(address)
    except ValueError:
        is_plain = False
    if not is_plain:
        raise DistributionError(
            "url is not an http or https address, or contains a user or a password",
            hint="Write https://HOST/PATH; user and password go to the file .netrc of the user who downloads it",
        )


def checksum(path: str) -> str:
    """``sha256:HEX`` of the file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1024 * 1024), b""):
                digest.update(block)
    except OSError as error:
        raise DistributionError(
            f"cannot be read: {error.strerror}", where=path, hint="Put the file there, or fix its path"
        ) from error
    return f"sha256:{digest.hexdigest()}"


def check_checksum(path: str, expected: str) -> None:
    """Compare the archive with ``sha256:HEX``, as an operator writes it."""
    found = checksum(path)
    if found != expected:
        raise DistributionError(
            f"checksum mismatch: expected {expected}, got {found}",
            where=path,
            hint="Nothing was unpacked. Download the archive again, or fix the checksum if it belongs to another "
            "archive",
        )


@contextlib.contextmanager
def _reading(where: str, what: str) -> t.Iterator[None]:
    """Say in our words what zipfile, tarfile and gzip raise on damaged or encrypted content."""
    try:
        yield
    except (
        EOFError,
        IndexError,  # zipfile and tarfile on odd names and fields
        KeyError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        ValueError,
        gzip.BadGzipFile,
        struct.error,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DistributionError(f"cannot read {what}: {error}", where=where, hint=REFUSED) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # a seek to where nothing is; others are the disk's
            raise
        raise DistributionError(f"cannot read {what}: {error}", where=where, hint=REFUSED) from error


def _zip_entries(where: str, opened: zipfile.ZipFile) -> t.Iterator[Entry]:
    for info in _limited(where, opened.infolist()):
        mode = info.external_attr >> 16
        kind = "directory" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
        # An archive made on Windows has no file types and no modes.
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise _refused(where, info.filename, "is a device or a pipe")
        target = ""
        if kind == "link":
            if info.file_size > MAX_LINK_BYTES:
                raise _refused(where, info.filename, f"is a link of {info.file_size} bytes")
            target = os.fsdecode(opened.read(info))
        size = info.file_size if kind == "file" else 0
        yield Entry(_parts(where, info.filename), kind, _mode(mode or 0o644), size, target, info)


def _tar_entries(where: str, opened: tarfile.TarFile) -> t.Iterator[Entry]:
    for info in _limited(where, opened):
        if not (info.isreg() or info.isdir() or info.issym()):
            raise _refused(where, info.name, "is a device, a pipe or a hard link")
        kind = "directory" if info.isdir() else "link" if info.issym() else "file"
        size = info.size if kind == "file" else 0
        yield Entry(_parts(where, info.name), kind, _mode(info.mode), size, info.linkname, info)


def _limited(where: str, infos: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
    for count, info in enumerate(infos):
        if count >= MAX_ENTRIES:
            raise DistributionError(f"has more than {MAX_ENTRIES} entries", where=where, hint=REFUSED)
        yield info


def _release(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except UpgradeError:
        return None


def _mode(mode: int) -> int:
    """Readable and, where the archive says so, executable; never setuid, never writable for all."""
    return 0o755 if mode & 0o100 else 0o644


def _parts(where: str, name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise _refused(where, name, "has a name that could lead outside the directory")
    sizes = [len(os.fsencode(part)) for part in parts]
    if sum(sizes) > MAX_NAME_BYTES or any(size > 255 for size in sizes):
        raise _refused(where, name[:60], "has a name that is too long for a file")
    return parts


def _top(entries: list[Entry]) -> str:
    """The one directory that all lies in, "" if there is none."""
    tops = {entry.path[0] for entry in entries if entry.path}
    if len(tops) != 1 or any(len(entry.path) == 1 and entry.kind != "directory" for entry in entries):
        return ""
    return tops.pop()


def _below(top: str, entries: list[Entry]) -> list[Entry]:
    depth = 1 if top else 0
    return [
        Entry(entry.path[depth:], entry.kind, entry.mode, entry.size, entry.target, entry.source)
        for entry in entries
        if len(entry.path) > depth
    ]


def _check(where: str, entries: list[Entry], size: int) -> None:
    if size > MAX_BYTES:
        raise DistributionError(f"unpacks to {size} bytes; at most {MAX_BYTES} are accepted", where=where, hint=REFUSED)
    kinds: dict[tuple[str, ...], str] = {}
    for entry in entries:
        if kinds.get(entry.path, entry.kind) != entry.kind or (entry.path in kinds and entry.kind != "directory"):
            raise _refused(where, str(entry), "is in it twice")
        kinds[entry.path] = entry.kind
    links = {path for path, kind in kinds.items() if kind == "link"}
    for entry in entries:
        for length in range(1, len(entry.path)):
            if kinds.get(entry.path[:length], "directory") != "directory":
                raise _refused(
                    where, str(entry), f"lies below {'/'.join(entry.path[:length])}, which is not a directory"
                )
        if entry.kind == "link" and not _stays_inside(entry, links):
            raise _refused(where, str(entry), f"is a link to {entry.target!r}, which could lead outside the directory")


def _stays_inside(link: Entry, links: set[tuple[str, ...]]) -> bool:
    """Whether each step of a link's target is inside, and none but the last goes through another link.

    Through another link ``..`` means another directory than the text says.
    """
    if link.target.startswith("/") or "\0" in link.target or not 0 < len(os.fsencode(link.target)) <= MAX_NAME_BYTES:
        return False
    steps = [step for step in link.target.split("/") if step not in ("", ".")]
    at = list(link.path[:-1])
    for step in steps:
        if tuple(at) in links or (step == ".." and not at):
            return False
        at = at[:-1] if step == ".." else [*at, step]
    return True


def _refused(where: str, name: str, problem: str) -> DistributionError:
    return DistributionError(f"{name!r} {problem}", where=where, hint=REFUSED)


__all__ = ["Archive", "Entry", "check_checksum", "check_url", "checksum", "open_archive"]
