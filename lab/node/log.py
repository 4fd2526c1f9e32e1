# SPDX-License-Identifier: GPL-3.0-or-later
"""The log and the ballot on disk.

``events.log``  records one after the other: header (magic, length, term, kind, CRC of payload, CRC of header), payload
``writer.chk``  8 bytes: up to here the log was on disk when someone was told so
``chaser.chk``  8 bytes: up to here it is committed
``epoch.chk``   8 bytes: where the newest epoch begins, -1 where there is none; for others to read, as in the server
``ballot.chk``  term, vote and whether the log is incomplete, as JSON with a CRC

A record cut short *behind* writer.chk is a write that a crash interrupted; no one was told of it, so it is cut off.
A bad record *before* writer.chk is damage: the node must not start, for it would forget what it acknowledged.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import typing as t
import zlib
from array import array

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from lab.node.raft import Ballot, Entry, Kind

if t.TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"ESL1"
HEADER = struct.Struct(">4sIQBII")
CHECKPOINT = struct.Struct("<q")  # as the server writes them
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024


class DamagedLog(EventStoreError):
    """What is on disk is not what was written."""


def encode(entry: Entry) -> bytes:
    """An entry as it stands in the file and on the wire."""
    fields = (MAGIC, len(entry.payload), entry.term, int(entry.kind), zlib.crc32(entry.payload))
    head = HEADER.pack(*fields, 0)[:-4]
    return head + struct.pack(">I", zlib.crc32(head)) + entry.payload


def decode(data: bytes, offset: int = 0) -> tuple[Entry, int]:
    """The entry at ``offset`` and where the next one begins; ValueError says what is wrong."""
    if len(data) - offset < HEADER.size:
        raise ValueError(f"{len(data) - offset} bytes where a header of {HEADER.size} is expected")
    magic, length, term, kind, payload_crc, header_crc = HEADER.unpack_from(data, offset)
    start = offset + HEADER.size
    if magic != MAGIC or zlib.crc32(data[offset : start - 4]) != header_crc or kind not in list(Kind):
        raise ValueError("the header's checksum is wrong")
    if len(data) - start < length:
        raise ValueError(f"{len(data) - start} bytes where a payload of {length} is expected")
    payload = data[start : start + length]
    if zlib.crc32(payload) != payload_crc:
        raise ValueError("the payload's checksum is wrong")
    return Entry(term, Kind(kind), payload), start + length


class DiskFull(EventStoreError):
    """There is no room for what the node could be told to store."""


class Checkpoint:
    """A position in its own file; written in place, since eight bytes never cross a sector."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        stored = os.pread(self._fd, CHECKPOINT.size, 0)
        if stored and len(stored) != CHECKPOINT.size:
            raise DamagedLog(f"{len(stored)} bytes, expected {CHECKPOINT.size}", where=str(path))
        self.position: int = CHECKPOINT.unpack(stored)[0] if stored else 0

    def write(self, position: int, *, sync: bool = False) -> None:
        os.pwrite(self._fd, CHECKPOINT.pack(position), 0)
        if sync:
            os.fsync(self._fd)
        self.position = position

    def close(self) -> None:
        os.close(self._fd)


class FileLog:
    """Raft's log in a directory; holds the directory's lock while open."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        disk = os.statvfs(directory)
        if disk.f_bavail * disk.f_frsize < MAX_PAYLOAD_BYTES:
            # It would win elections by its long log, and end at the next event, again and again.
            raise DiskFull(f"less than {MAX_PAYLOAD_BYTES} bytes are free", where=str(directory), hint="Make room")
        self.path = directory / "events.log"
        self._lock = _lock(directory)
        existed = self.path.exists()
        if existed and not (directory / "writer.chk").exists():
            raise DamagedLog(
                "the file is missing, so a damaged log could not be told from an interrupted write",
                where=str(directory / "writer.chk"),
                hint="Restore the whole directory from a backup, or empty it: the node then gets everything anew",
            )
        self.writer = Checkpoint(directory / "writer.chk")
        self.chaser = Checkpoint(directory / "chaser.chk")
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._terms = array("Q", [0])
        self._kinds = bytearray(1)
        self._ends = array("Q", [0])  # entry i ends at _ends[i] and begins at _ends[i - 1]
        self._epoch = Checkpoint(directory / "epoch.chk")
        self.cut_bytes = self._load()
        self._note_epoch()
        if not existed:
            _sync_directory(directory)

    @property
    def last_index(self) -> int:
        return len(self._terms) - 1

    @property
    def end(self) -> int:
        """Bytes of the whole log."""
        return self._ends[-1]

    def end_of(self, index: int) -> int:
        return self._ends[index]

    def index_at(self, position: int) -> int:
        """The entry that ends at ``position``; DamagedLog if none does."""
        for index in range(self.last_index, -1, -1):
            if self._ends[index] == position:
                return index
        raise DamagedLog(
            f"entries are committed up to byte {position}, but none ends there (the log has {self.end} bytes)",
            where=str(self.path),
            hint="Restore the whole directory from a backup, or empty it: the node then gets everything anew",
        )

    def term_at(self, index: int) -> int:
        return self._terms[index]

    def kind_at(self, index: int) -> Kind:
        return Kind(self._kinds[index])

    def last_epoch(self) -> int:
        """The index of the newest EPOCH entry, 0 if there is none."""
        return max(self._kinds.rfind(int(Kind.EPOCH)), 0)

    def append(self, entries: t.Sequence[Entry]) -> None:
        data = b"".join(encode(entry) for entry in entries)
        _write_all(self._fd, data, self.end)
        os.fdatasync(self._fd)
        for entry in entries:
            self._remember(entry)
        self.writer.write(self.end)
        self._note_epoch()

    def truncate(self, last_index: int) -> None:
        end = self._ends[last_index]
        self.writer.write(end, sync=True)
        os.ftruncate(self._fd, end)
        os.fsync(self._fd)
        del self._terms[last_index + 1 :], self._kinds[last_index + 1 :], self._ends[last_index + 1 :]
        self._note_epoch()

    def read(self, first_index: int, max_bytes: int) -> list[Entry]:
        """Entries from ``first_index``, at least one if there is one, up to ``max_bytes``."""
        start = self._ends[first_index - 1]
        last = first_index
        while last < self.last_index and self._ends[last + 1] - start <= max_bytes:
            last += 1
        if first_index > self.last_index:
            return []
        data = os.pread(self._fd, self._ends[last] - start, start)
        entries: list[Entry] = []
        offset = 0
        while offset < len(data):
            try:
                entry, offset = decode(data, offset)
            except ValueError as error:
                raise DamagedLog(f"{error}, at byte {start + offset}", where=str(self.path)) from None
            entries.append(entry)
        return entries

    def lists_of_voters(self) -> t.Iterable[tuple[int, Entry]]:
        for index in range(1, self.last_index + 1):
            if self._kinds[index] != Kind.EVENTS:
                yield index, self.read(index, 0)[0]

    def close(self) -> None:
        self.writer.close()
        self.chaser.close()
        self._epoch.close()
        os.close(self._fd)
        os.close(self._lock)

    def _load(self) -> int:
        """Read and check every record; the number of bytes cut off behind the last whole one."""
        size = os.fstat(self._fd).st_size
        durable = self.writer.position
        with open(self._fd, "rb", closefd=False) as file:
            while self.end < size:
                data = file.read(HEADER.size)
                length = HEADER.unpack(data)[1] if len(data) == HEADER.size else 0
                data += file.read(length) if length <= MAX_PAYLOAD_BYTES else b""
                try:
                    entry, _end = decode(data)
                except ValueError as error:
                    if self.end < durable:
                        raise self._damage(f"{error}, at byte {self.end} of {size}") from None
                    os.ftruncate(self._fd, self.end)
                    os.fsync(self._fd)
                    break
                self._remember(entry)
        if self.end < durable:
            raise self._damage(f"it ends at byte {self.end}, but {durable} bytes were written")
        self.writer.write(self.end, sync=True)
        return size - self.end

    def _damage(self, problem: str) -> DamagedLog:
        hint = "Restore the whole directory from a backup, or empty it: the node then gets everything anew"
        return DamagedLog(problem, where=str(self.path), hint=hint)

    def _note_epoch(self) -> None:
        index = self.last_epoch()
        position = self._ends[index - 1] if index else -1
        if position != self._epoch.position:
            self._epoch.write(position)

    def _remember(self, entry: Entry) -> None:
        self._terms.append(entry.term)
        self._kinds.append(entry.kind)
        self._ends.append(self.end + HEADER.size + len(entry.payload))


class FileBallotBox:
    """The ballot, replaced as a whole so that a crash leaves the old or the new one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "ballot.chk"
        self.ballot = self._read() if self._path.exists() else Ballot()

    def save(self, ballot: Ballot) -> None:
        text = json.dumps(ballot._asdict())
        part = self._path.with_suffix(".tmp")
        with part.open("w", encoding="utf-8") as file:
            file.write(f"{zlib.crc32(text.encode()):08x} {text}\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        _sync_directory(self._directory)
        self.ballot = ballot

    def _read(self) -> Ballot:
        crc, _blank, text = self._path.read_text(encoding="utf-8", errors="replace").rstrip("\n").partition(" ")
        if crc != f"{zlib.crc32(text.encode()):08x}":
            raise DamagedLog(
                "the checksum is wrong",
                where=str(self._path),
                hint="Restore the whole directory from a backup, or empty it: the node then gets everything anew",
            )
        return Ballot(**json.loads(text))


def _write_all(fd: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        view = view[written:]
        position += written


def _lock(directory: Path) -> int:
    """The real 3.4.0 on Linux lets two processes destroy one directory; its stand-in does not."""
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise DamagedLog("another process has this directory open", where=str(directory)) from None
    return fd


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    with contextlib.suppress(OSError):  # some file systems cannot
        os.fsync(fd)
    os.close(fd)


__all__ = [
    "CHECKPOINT",
    "HEADER",
    "Checkpoint",
    "DamagedLog",
    "DiskFull",
    "FileBallotBox",
    "FileLog",
    "decode",
    "encode",
]
