# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import struct
import tempfile
import types
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.node.log import HEADER, DamagedLog, DiskFull, FileBallotBox, FileLog, decode, encode
from lab.node.peers import pack, unpack
from lab.node.raft import Append, Ballot, Entry, Kind, Vote

ENTRIES = st.lists(
    st.builds(Entry, st.integers(0, 2**64 - 1), st.sampled_from(list(Kind)), st.binary(max_size=200)),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def directory() -> t.Iterator[Path]:
    """A new directory at each call, for hypothesis calls a test many times with one fixture."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def fresh(directory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=directory))


def written(directory: Path, entries: t.Sequence[Entry]) -> bytes:
    """Write the entries one by one and close; the bytes of the log."""
    log = FileLog(directory)
    for entry in entries:
        log.append([entry])
    log.close()
    return (directory / "events.log").read_bytes()


def contents(directory: Path) -> list[Entry]:
    log = FileLog(directory)
    try:
        return [log.read(index, 0)[0] for index in range(1, log.last_index + 1)]
    finally:
        log.close()


@given(ENTRIES)
def test_a_record_reads_back_what_was_written(entries: list[Entry]) -> None:
    data = b"".join(encode(entry) for entry in entries)
    offset = 0
    for entry in entries:
        found, offset = decode(data, offset)
        assert found == entry
    assert offset == len(data)


@given(ENTRIES, st.data())
def test_a_changed_byte_never_reads_as_a_record(entries: list[Entry], data: st.DataObject) -> None:
    record = bytearray(encode(entries[0]))
    place = data.draw(st.integers(0, len(record) - 1))
    record[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"checksum|expected"):
        decode(bytes(record))


@settings(max_examples=30)
@given(entries=ENTRIES, data=st.data())
def test_a_write_torn_at_any_byte_is_cut_off_and_the_rest_kept(entries: list[Entry], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        whole = written(directory, entries[:-1])
        torn = encode(entries[-1])
        torn = torn[: data.draw(st.integers(0, len(torn) - 1))]
        (directory / "events.log").write_bytes(whole + torn)
        log = FileLog(directory)
        assert log.cut_bytes == len(torn)
        log.close()
        assert contents(directory) == entries[:-1]
        assert (directory / "events.log").read_bytes() == whole


@settings(max_examples=30)
@given(entries=ENTRIES, data=st.data())
def test_damage_to_what_was_acknowledged_refuses_the_start(entries: list[Entry], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        whole = bytearray(written(directory, entries))
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] ^= data.draw(st.integers(1, 255))
        (directory / "events.log").write_bytes(whole)
        starts = [0]
        for entry in entries:
            starts.append(starts[-1] + HEADER.size + len(entry.payload))
        record = max(start for start in starts if start <= place)
        with pytest.raises(DamagedLog, match=f"at byte {record} of {len(whole)}") as error:
            FileLog(directory)
        assert error.value.where == str(directory / "events.log")
        assert (directory / "events.log").read_bytes() == whole, "a refused log must stay as it is"


@settings(max_examples=20)
@given(entries=ENTRIES, data=st.data())
def test_a_log_that_lost_its_end_refuses_the_start(entries: list[Entry], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        whole = written(directory, entries)
        (directory / "events.log").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(DamagedLog, match=r"expected|were written"):
            FileLog(directory)


def test_truncated_entries_are_gone_and_others_can_follow(directory: Path) -> None:
    entries = [Entry(1, Kind.EVENTS, bytes([number])) for number in range(5)]
    log = FileLog(directory)
    log.append(entries)
    log.truncate(2)
    assert (log.last_index, log.term_at(2), log.read(3, 100)) == (2, 1, [])
    log.append([Entry(2, Kind.EPOCH, b"new")])
    assert log.last_epoch() == 3
    log.close()
    assert contents(directory) == [*entries[:2], Entry(2, Kind.EPOCH, b"new")]


def test_reading_takes_at_least_one_and_at_most_the_bytes_asked_for(directory: Path) -> None:
    log = FileLog(directory)
    log.append([Entry(1, Kind.EVENTS, b"x" * 100) for _ in range(5)])
    size = HEADER.size + 100
    assert [len(log.read(2, limit)) for limit in (0, size, 2 * size - 1, 2 * size, 99 * size)] == [1, 1, 1, 2, 4]
    log.close()


def test_positions_are_bytes_of_the_file(directory: Path) -> None:
    log = FileLog(directory)
    log.append([Entry(1, Kind.EVENTS, b"abc"), Entry(1, Kind.EVENTS, b"")])
    assert log.end == (directory / "events.log").stat().st_size
    assert (directory / "writer.chk").read_bytes() == struct.pack("<q", log.end)
    assert [log.index_at(log.end_of(index)) for index in range(3)] == [0, 1, 2]
    with pytest.raises(DamagedLog, match="committed up to byte 1, but none ends there"):
        log.index_at(1)
    log.close()


def test_one_directory_is_open_in_one_process_only(directory: Path) -> None:
    log = FileLog(directory)
    with pytest.raises(DamagedLog, match="another process"):
        FileLog(directory)
    log.close()
    FileLog(directory).close()


@pytest.mark.parametrize(("blocks", "opens"), [(2047, False), (2048, True)])
def test_a_node_that_could_store_no_event_does_not_start(
    directory: Path, monkeypatch, blocks: int, opens: bool
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(f_bavail=blocks, f_frsize=4096))
    if opens:
        FileLog(directory).close()
    else:
        with pytest.raises(DiskFull, match="Make room"):
            FileLog(directory)


def test_a_log_without_its_checkpoint_refuses_the_start(directory: Path) -> None:
    written(directory, [Entry(1, Kind.EVENTS, b"1")])
    (directory / "writer.chk").unlink()
    with pytest.raises(DamagedLog, match="the file is missing"):
        FileLog(directory)


def test_a_copy_made_while_the_node_wrote_opens(directory: Path) -> None:
    """Checkpoints first, then the log, as the vendor's backup does."""
    source, copy = fresh(directory), fresh(directory)
    log = FileLog(source)
    log.append([Entry(1, Kind.EVENTS, b"1")])
    for name in ("writer.chk", "chaser.chk"):
        shutil.copy(source / name, copy)
    log.append([Entry(1, Kind.EVENTS, b"2")])
    shutil.copy(source / "events.log", copy)
    log.close()
    os.truncate(copy / "events.log", (copy / "events.log").stat().st_size - 1)
    assert [entry.payload for entry in contents(copy)] == [b"1"]


def test_the_ballot_is_kept_and_a_damaged_one_refused(directory: Path) -> None:
    box = FileBallotBox(directory)
    assert box.ballot == Ballot()
    box.save(Ballot(7, "127.0.0.11:2112", True))
    assert FileBallotBox(directory).ballot == Ballot(7, "127.0.0.11:2112", True)
    path = directory / "ballot.chk"
    path.write_text(path.read_text().replace("7", "8", 1) if "7" in path.read_text()[:8] else "x")
    with pytest.raises(DamagedLog, match="checksum"):
        FileBallotBox(directory)


NAMES = st.text(max_size=20)


@given(
    st.builds(
        Append,
        *[st.integers(0, 2**40), NAMES, *[st.integers(0, 2**40)] * 4, NAMES],
        st.tuples(NAMES, NAMES),
        ENTRIES.map(tuple),
    )
    | st.builds(
        Vote, st.integers(0, 9), NAMES, st.integers(0, 9), st.integers(0, 9), NAMES, st.tuples(NAMES), st.booleans()
    )
)
def test_a_request_arrives_as_it_was_sent(request: Append | Vote) -> None:
    assert unpack(pack(request)) == request


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\n", b'{"voters": 1}', b'{"voters": [], "x": 1}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        unpack(body)
