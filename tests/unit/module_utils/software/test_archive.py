# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
import typing as t
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError
from ansible_collections.eventstore.cluster.plugins.module_utils.software import archive
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import check_checksum, open_archive

LINK = stat.S_IFLNK | 0o777


class Item(t.NamedTuple):
    """What goes into an archive, whether that is sane or not."""

    name: str
    content: str = ""  # of a link: its target
    mode: int = stat.S_IFREG | 0o644
    type: bytes = tarfile.REGTYPE  # in a tar


def link(name: str, target: str) -> Item:
    return Item(name, target, LINK, tarfile.SYMTYPE)


def directory(name: str) -> Item:
    return Item(f"{name}/", "", stat.S_IFDIR | 0o755, tarfile.DIRTYPE)


def write_zip(path: Path, items: t.Sequence[Item]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for item in items:
            info = zipfile.ZipInfo(item.name)
            info.create_system = 3
            info.external_attr = item.mode << 16
            file.writestr(info, item.content)
    return path


def write_tar(path: Path, items: t.Sequence[Item]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for item in items:
            info = tarfile.TarInfo(item.name.rstrip("/") if item.type == tarfile.DIRTYPE else item.name)
            info.mode = stat.S_IMODE(item.mode)
            info.type = item.type
            if item.type == tarfile.REGTYPE:
                info.size = len(item.content.encode())
                file.addfile(info, io.BytesIO(item.content.encode()))
            else:
                info.linkname = item.content
                file.addfile(info)
    return path


# zipfile warns when a name is written twice.
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")

WRITERS = {"zip": write_zip, "tar.gz": write_tar}
in_both_formats = pytest.mark.parametrize("suffix", WRITERS)

SOFTWARE = [
    directory("EventStore-v3.4.0"),
    Item("EventStore-v3.4.0/eventstored", "program", stat.S_IFREG | 0o755),
    Item("EventStore-v3.4.0/clusternode-web/index.html", "page"),
    Item("EventStore-v3.4.0/libjs1.so.1", "library", stat.S_IFREG | 0o600),
    link("EventStore-v3.4.0/libjs1.so", "libjs1.so.1"),
    link("EventStore-v3.4.0/clusternode-web/lib", "../libjs1.so"),
]


def unpacked(archive_path: Path, into: Path) -> None:
    into.mkdir()
    with open_archive(str(archive_path)) as opened:
        opened.unpack(into)


@in_both_formats
def test_unpacks_what_is_in_it(tmp_path: Path, suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"a.{suffix}", SOFTWARE)
    unpacked(path, tmp_path / "out")
    listed = subprocess.check_output(["find", ".", "-printf", "%P %y %m %l\n"], cwd=tmp_path / "out", text=True)  # noqa: S607
    assert sorted(listed.splitlines()) == [
        " d 755 ",
        "clusternode-web d 755 ",
        "clusternode-web/index.html f 644 ",
        "clusternode-web/lib l 777 ../libjs1.so",
        "eventstored f 755 ",
        "libjs1.so l 777 libjs1.so.1",
        "libjs1.so.1 f 644 ",
    ]
    assert (tmp_path / "out/clusternode-web/lib").read_text() == "library"


@in_both_formats
def test_top_level_is_what_will_lie_in_the_directory(tmp_path: Path, suffix: str) -> None:
    with open_archive(str(WRITERS[suffix](tmp_path / "a", SOFTWARE))) as opened:
        assert opened.top_level() == ["clusternode-web/", "eventstored", "libjs1.so", "libjs1.so.1"]


@pytest.mark.parametrize(
    ("names", "top_level"),
    [
        (["eventstored", "web/x"], ["eventstored", "web/"]),
        (["./top/eventstored", "./top/web/x"], ["eventstored", "web/"]),
        (["eventstored"], ["eventstored"]),
        (["top/sub/x"], ["sub/"]),
        ([], []),
    ],
)
@in_both_formats
def test_leaves_out_one_directory_that_holds_all(
    tmp_path: Path, suffix: str, names: list[str], top_level: list[str]
) -> None:
    with open_archive(str(WRITERS[suffix](tmp_path / "a", [Item(name) for name in names]))) as opened:
        assert opened.top_level() == top_level


HOSTILE = {
    "parent": [Item("top/../../escaped", "x")],
    "hidden parent": [Item("top/a/../../../escaped", "x")],
    "absolute": [Item("/escaped", "x")],
    "windows separator": [Item("top\\..\\..\\escaped", "x")],
    "absolute link": [Item("top/eventstored"), link("top/etc", "/etc")],
    "link to the parent": [Item("top/eventstored"), link("top/up", "..")],
    "link above in steps": [Item("top/eventstored"), link("top/a/up", "../../..")],
    # a/b is the top; a/b/.. as text is a, and in the file system the parent of the top.
    "link through a link": [Item("top/eventstored"), link("top/a/b", ".."), link("top/c", "a/b/..")],
    "file below a link": [link("top/web", "a"), Item("top/web/x", "x"), Item("top/eventstored")],
    "file below a file": [Item("top/a", "x"), Item("top/a/b", "x")],
    "file instead of a link": [Item("top/z"), link("top/a", "z"), Item("top/a", "x")],
    "two files of one name": [Item("top/a", "one"), Item("top/./a", "two")],
    "directory and file": [directory("top/a"), Item("top/a", "x")],
    "empty link": [Item("top/eventstored"), link("top/a", "")],
    "pipe": [Item("top/a", "", stat.S_IFIFO | 0o644, tarfile.FIFOTYPE)],
    "device": [Item("top/a", "", stat.S_IFCHR | 0o644, tarfile.CHRTYPE)],
}


@pytest.mark.parametrize("items", HOSTILE.values(), ids=HOSTILE)
@in_both_formats
def test_refuses_what_could_write_elsewhere(tmp_path: Path, suffix: str, items: list[Item]) -> None:
    path = WRITERS[suffix](tmp_path / "a", items)
    with pytest.raises(DistributionError, match="Nothing was unpacked") as raised, open_archive(str(path)):
        pass
    assert str(raised.value).startswith(f"{path}: ")
    assert os.listdir(tmp_path) == ["a"]


def test_refuses_hard_links(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a", [Item("top/x"), Item("top/passwd", "/etc/passwd", type=tarfile.LNKTYPE)])
    with pytest.raises(DistributionError, match="hard link"), open_archive(str(path)):
        pass


def test_gives_no_special_rights(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a", [Item("a", "x", stat.S_IFREG | 0o6777)])
    unpacked(path, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/a").stat().st_mode) == 0o755


@in_both_formats
def test_refuses_more_than_it_may_unpack(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = WRITERS[suffix](tmp_path / "a", [Item("top/a", "x" * 1000), Item("top/b", "x" * 1000)])
    monkeypatch.setattr(archive, "MAX_BYTES", 1999)
    with pytest.raises(DistributionError, match="unpacks to 2000 bytes"), open_archive(str(path)):
        pass
    monkeypatch.setattr(archive, "MAX_BYTES", 2000)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1)
    with pytest.raises(DistributionError, match="more than 1 entries"), open_archive(str(path)):
        pass


def test_a_zip_that_lies_about_a_size_writes_no_more_than_it_says(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a", [Item("bomb", "x" * 1000)])
    content = path.read_bytes()
    central = content.index(b"PK\x01\x02")
    said = (10).to_bytes(4, "little")
    path.write_bytes(content[: central + 24] + said + content[central + 28 :])
    (tmp_path / "out").mkdir()
    with open_archive(str(path)) as opened, pytest.raises(DistributionError, match="cannot read bomb"):
        opened.unpack(tmp_path / "out")
    assert (tmp_path / "out/bomb").stat().st_size <= 10


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04", b"\x1f\x8b\x08\x00garbage"])
def test_refuses_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(DistributionError, match=r"as zip or tar\.gz"), open_archive(str(path)):
        pass


@in_both_formats
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_archives_raise_nothing_else(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = WRITERS[suffix](tmp_path / "a", SOFTWARE)
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    inside = tmp_path / "in" / "out"
    shutil.rmtree(inside.parent, ignore_errors=True)
    inside.mkdir(parents=True)
    try:
        with open_archive(str(path)) as opened:
            opened.unpack(inside)
    except DistributionError:
        pass
    assert os.listdir(inside.parent) == ["out"]


# An archive of a few names and links in which collisions and detours are likely.
WORDS = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.lists(WORDS, min_size=1, max_size=4).map("/".join)
ITEMS = st.lists(
    st.one_of(
        PATHS.map(lambda path: Item(path, "x")),
        PATHS.map(directory),
        st.tuples(PATHS, PATHS).map(lambda pair: link(*pair)),
    ),
    max_size=6,
)


@in_both_formats
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=ITEMS)
def test_nothing_accepted_leads_outside(tmp_path: Path, suffix: str, items: list[Item]) -> None:
    path = WRITERS[suffix](tmp_path / "a", items)
    inside = tmp_path / "out"
    shutil.rmtree(inside, ignore_errors=True)
    inside.mkdir()
    try:
        with open_archive(str(path)) as opened:
            opened.unpack(inside)
    except DistributionError:
        assert os.listdir(inside) == []
    for found, directories, files in os.walk(inside):
        for name in directories + files:
            real = os.path.realpath(os.path.join(found, name))
            assert real == str(inside) or real.startswith(f"{inside}/")
    assert sorted(os.listdir(tmp_path)) == ["a", "out"]


def test_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    printed = subprocess.check_output(["sha256sum", str(path)], text=True).split()[0]  # noqa: S607
    check_checksum(str(path), f"sha256:{printed}")
    with pytest.raises(DistributionError, match=f"expected sha256:0+, found sha256:{printed}"):
        check_checksum(str(path), "sha256:" + 64 * "0")
    with pytest.raises(DistributionError, match="No such file"):
        check_checksum(str(tmp_path / "b"), f"sha256:{printed}")


def test_names_what_is_in_an_archive_without_the_program(tmp_path: Path) -> None:
    with open_archive(str(write_zip(tmp_path / "a", [Item("EventStore.ClusterNode.exe"), Item("web/x")]))) as opened:
        opened.require("web/x")
        for wanted in ("eventstored", "web"):
            with pytest.raises(
                DistributionError, match=f"has no file {wanted}; it has EventStore.ClusterNode.exe, web/"
            ):
                opened.require(wanted)


@pytest.mark.parametrize(
    ("top", "version", "refused"),
    [
        ("EventStore-OSS-Linux-v4.1.4", "4.1.3", True),
        ("EventStore-OSS-Ubuntu-16.04-v3.4.0", "16.4.0", True),
        ("EventStore-OSS-Linux-v4.1.4", "4.1.4", False),
        ("EventStore-OSS-Linux-v4.1.1", "4.1.1-hotfix1", False),
        ("EventStore-OSS-Linux-v4.1.1-hotfix1", "4.1.1", False),
        ("EventStore-OSS-Linux-v4.1.4", "current", False),
        ("EventStore-OSS-Linux", "4.1.3", False),
        ("eventstore-v4", "4.1.3", False),
    ],
)
def test_the_version_that_an_archive_says_it_is(tmp_path: Path, top: str, version: str, refused: bool) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [Item(f"{top}/eventstored"), Item(f"{top}/web/index.html")])
    with open_archive(str(path)) as opened:
        if not refused:
            opened.require_version(version)
            return
        with pytest.raises(DistributionError) as error:
            opened.require_version(version)
    assert f"expected {version}, found {top}" in str(error.value)
    assert str(path) in str(error.value)
    assert "eventstore_version" in str(error.value)


def test_an_archive_without_a_top_directory_says_no_version(tmp_path: Path) -> None:
    with open_archive(str(write_zip(tmp_path / "a.zip", [Item("eventstored"), Item("x-v4.1.4")]))) as opened:
        opened.require_version("4.1.3")
