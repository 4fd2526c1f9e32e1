# SPDX-License-Identifier: GPL-3.0-or-later
"""es_distribution on Windows: what is refused before anything is brought, and which versions may go."""

from __future__ import annotations

import base64
import hashlib
import json
import ntpath
import pathlib
import tarfile
import typing as t
import zipfile

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError, HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import distribution
from tests.unit.plugin_utils.windows.scripted import Scripted, Step, content, copied, done, kind, ran, refused, said

ROOT = "c:\\EventStore"
HOME = f"{ROOT}\\3.4.0"
EXE = "EventStore.ClusterNode.exe"
PROGRAM, MARKER = f"{HOME}\\{EXE}", f"{HOME}\\.es_distribution.json"
TEMPORARY = f"{ROOT}\\.es_distribution-3.4.0"
ZIP = f"{TEMPORARY}.zip"
PARAMS: dict[str, t.Any] = {
    **{"home": HOME, "src": None, "url": None, "checksum": None, "executable": EXE, "keep_versions": 0},
    **{"config_dir": None, "directories": [], "owner": None, "group": None, "remote_src": False, "programs": []},
}
ELEVATED = ran(*network.show_session(), out='"Label","S-1-16-12288"')


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "EventStore.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"EventStore-v3.4.0/{EXE}", "program")
    return path


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def bring(there: t.Any, state: str = "present", src: pathlib.Path | None = None, **params: t.Any) -> dict[str, t.Any]:
    given = {"src": str(src), "checksum": f"sha256:{digest(src)}"} if src else {}
    return distribution.Distribution(there, {**PARAMS, **given, **params}, lambda path: path).bring_to(state)


def texts(*values: str) -> str:
    return base64.b64encode("|".join(values).encode()).decode()


def marked(checksum: str) -> bytes:
    return json.dumps({"checksum": f"sha256:{checksum}"}).encode()


NEW = [kind(PROGRAM, "ABSENT"), content(MARKER, None), kind(HOME, "ABSENT")]
CLEAR = done(script.remove(TEMPORARY, ZIP))
UNPACKED = f"{TEMPORARY}\\EventStore-v3.4.0"


def coming(archive: pathlib.Path) -> list[Step]:
    """Until it came; what an older run has left goes before."""
    free = said(script.free_bytes("c"), "FREE:1000000")
    return [*NEW, free, *CLEAR, *done(script.make_directories(ROOT)), copied(archive, ZIP)]


def unpack(archive: pathlib.Path) -> str:
    return script.unpack(ZIP, digest(archive), TEMPORARY)


def install(archive: pathlib.Path) -> str:
    marker = (f"{UNPACKED}\\.es_distribution.json", marked(digest(archive)).decode())
    return script.install(UNPACKED, HOME, marker, left=(TEMPORARY, ZIP))


def installed(archive: pathlib.Path) -> list[Step]:
    return [kind(PROGRAM, "FILE"), content(MARKER, marked(digest(archive)))]


def test_it_is_unpacked_beside_its_place_marked_and_moved_there(archive: pathlib.Path) -> None:
    with Scripted(*coming(archive), *done(unpack(archive), install(archive))) as there:
        assert bring(there, src=archive)["changed"]
    with Scripted(*installed(archive)) as there:
        assert not bring(there, src=archive)["changed"]
    with Scripted(*NEW, check_mode=True) as there:
        result = bring(there, src=archive)
    assert (result["changed"], result["diff"]["after"]["entries"]) == (True, [EXE])


def test_a_scanner_that_holds_a_new_program_is_waited_for(archive: pathlib.Path, clock: list[float]) -> None:
    """Windows calls it denied to move a directory in which a file is open."""
    held = refused(install(archive), 5)
    with Scripted(*coming(archive), *done(unpack(archive)), held, held, *done(install(archive))) as there:
        assert bring(there, src=archive)["changed"]
    assert clock[0] > 0
    held = refused(install(archive), 5, again=True)
    steps = [*coming(archive), *done(unpack(archive)), held, *CLEAR]
    with Scripted(*steps) as there, pytest.raises(HostError, match=r"denied.*virus scanner"):
        bring(there, src=archive)


def test_what_came_damaged_is_not_unpacked_and_does_not_stay(archive: pathlib.Path) -> None:
    steps = [*coming(archive), said(unpack(archive), f"HASH:{'A' * 64}"), *CLEAR]
    wanted = f"expected sha256:{digest(archive)}, found sha256:{'a' * 64}"
    with Scripted(*steps) as there, pytest.raises(DistributionError, match=wanted):
        bring(there, src=archive)


@pytest.mark.parametrize("failing", ["copy", "unpack"])
def test_a_step_that_fails_leaves_nothing_that_looks_complete(archive: pathlib.Path, failing: str) -> None:
    steps = coming(archive)
    if failing == "copy":
        steps = [*steps[:-1], copied(archive, ZIP, error="broken pipe"), *done(script.remove(ZIP)), *CLEAR]
    else:
        steps += [refused(unpack(archive), 112, "disk full"), *CLEAR]
    with Scripted(*steps) as there, pytest.raises(HostError):
        bring(there, src=archive)


def test_too_little_room_is_told_before_anything_is_brought(archive: pathlib.Path) -> None:
    steps = [*NEW, said(script.free_bytes("c"), "FREE:6")]
    with Scripted(*steps) as there, pytest.raises(DistributionError, match="unpacks to 7 bytes, but 6 are free"):
        bring(there, src=archive)


TEST_WRONG_ARCHIVES: list[tuple[str, str]] = [
    ("EventStore-v3.4.0/other.exe", EXE),
    ("EventStore-v3.4.0/nul.txt", "not a file name on Windows"),
    ("../evil.txt", "evil.txt"),
    ("EventStore-v3.4.0/a:b", "not a file name on Windows"),
]


@pytest.mark.parametrize(("name", "why"), TEST_WRONG_ARCHIVES)
def test_an_archive_that_is_none_for_windows_is_not_brought(tmp_path: pathlib.Path, name: str, why: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, "x")
        if "other" not in name:
            made.writestr(f"EventStore-v3.4.0/{EXE}", "program")
    with Scripted(*NEW) as there, pytest.raises(DistributionError, match=why):
        bring(there, src=path)


def test_a_wrong_checksum_and_another_kind_of_archive_are_refused(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with Scripted(*NEW) as there, pytest.raises(DistributionError, match=digest(archive)):
        bring(there, src=archive, checksum=f"sha256:{'0' * 64}")
    (tmp_path / EXE).write_text("program")
    packed = tmp_path / "a.tar.gz"
    with tarfile.open(packed, "w:gz") as made:
        made.add(tmp_path / EXE, EXE)
    with Scripted(*NEW) as there, pytest.raises(DistributionError, match="is not a zip file"):
        bring(there, src=packed)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (
            [kind(PROGRAM, "FILE"), content(MARKER, None), kind(HOME, "DIRECTORY")],
            "this collection did not unpack it",
        ),
        (
            [kind(PROGRAM, "FILE"), content(MARKER, marked("0" * 64))],
            f"another archive: expected .*, found sha256:{'0' * 64}",
        ),
        ([kind(PROGRAM, "FILE"), content(MARKER, "{")], "is damaged"),
        ([kind(PROGRAM, "FILE"), content(MARKER, "[]")], "is damaged"),
    ],
)
def test_what_is_there_and_is_something_else_stays(archive: pathlib.Path, steps: list[Step], why: str) -> None:
    with Scripted(*steps) as there, pytest.raises(DistributionError, match=why):
        bring(there, src=archive)


def test_software_has_its_program(archive: pathlib.Path) -> None:
    gone = [kind(PROGRAM, "ABSENT"), content(MARKER, marked(digest(archive)))]
    with Scripted(*gone) as there, pytest.raises(DistributionError, match=f"{EXE} is missing"):
        bring(there, src=archive)
    for found in ("ABSENT", "DIRECTORY"):
        with Scripted(kind(PROGRAM, found)) as there, pytest.raises(DistributionError, match="no archive is given"):
            bring(there)
    with Scripted(kind(PROGRAM, "FILE")) as there:
        assert not bring(there, keep_versions=1)["changed"]


def test_a_file_in_the_place_of_a_directory_is_refused_before_any_is_made() -> None:
    steps = [kind("d:\\a", "ABSENT"), kind("d:\\b", "FILE")]
    with Scripted(*steps) as there, pytest.raises(DistributionError, match="is not a directory"):
        bring(there, directories=["d:\\a", "d:\\b"])


@pytest.mark.parametrize(
    "given",
    [
        *({"owner": "x"}, {"group": "x"}, {"remote_src": True}, {"programs": [{"src": "a"}]}, {"keep_versions": -1}),
        *({"checksum": "md5:0"}, {"home": "EventStore"}, {"home": "c:\\a\\..\\b"}, {"executable": "..\\x.exe"}),
        *(
            {"url": "ftp://x/y.zip", "checksum": f"sha256:{'0' * 64}"},
            {"url": "https://a:b@x/y", "checksum": f"sha256:{'0' * 64}"},
        ),
    ],
)
def test_bad_options_are_refused(given: dict[str, t.Any]) -> None:
    steps = NEW if "url" in given else []
    with Scripted(*steps) as there, pytest.raises((DistributionError, HostError)):
        bring(there, **given)


# -- versions ----------------------------------------------------------------------------------------------------------


def versions(**ages: str) -> list[Step]:
    """What is in the directory; no age: somebody else's."""
    paths = [f"C:\\EventStore\\{name.replace('_', '.').strip('v')}" for name in ages]
    strange = ["C:\\EventStore\\it\u2019s", "C:\\EventStore\\.es_distribution-3.0.0"]
    steps = [said(script.directories(ROOT), f"DIRECTORIES:{texts(*paths, *strange)}")]
    for path, age in zip(paths, ages.values()):
        marker = ntpath.join(path, ".es_distribution.json")
        steps.append(content(marker, marked("0") if age else None, written=f"2026-11-{age}T00:00:00"))
    return steps


def using(*programs: str, services: t.Sequence[str] = ()) -> list[Step]:
    return [ELEVATED, said(script.programs(), f"PROGRAMS:{texts(*programs)},{texts(*services)}")]


def removing(version: str) -> list[Step]:
    path, temporary = f"C:\\EventStore\\{version}", f"C:\\EventStore\\.es_distribution-{version}"
    return done(script.remove(temporary), script.move(path, temporary), script.remove(temporary))


# The ages of what is there are of another order than the numbers; 2.0.0 was not unpacked here.
THERE = versions(v2_0_0="", v3_0_0="02", v3_4_0="04", v4_0_0="01", v3_1_0="03")
TEST_KEPT = [
    (0, [], []),
    (1, using(), ["4.0.0", "3.0.0", "3.1.0"]),
    (2, using(), ["4.0.0", "3.0.0"]),
    (3, using(), ["4.0.0"]),
    (4, [], []),
    (9, [], []),
    (1, using("c:\\eventstore\\3.0.0\\a.exe", "C:\\EventStore\\4.0.0-rc\\a.exe"), ["4.0.0", "3.1.0"]),
    (1, using("C:/EventStore/3.1.0/x/a.exe"), ["4.0.0", "3.0.0"]),
    (2, using(services=['"c:\\EventStore\\4.0.0\\EventStore.WindowsManager.exe" -x']), ["3.0.0"]),
    (2, using(services=["\\??\\C:\\EVENTSTORE\\4.0.0\\a.exe", "c:\\EventStore\\3.0.0\\b.exe"]), []),
]  # fmt: skip


@pytest.mark.parametrize(("keep", "used", "gone"), TEST_KEPT)
def test_the_oldest_go_that_nothing_uses(archive: pathlib.Path, keep: int, used: list[Step], gone: list[str]) -> None:
    there_ = THERE[:1] if keep > 4 else THERE if keep else []  # so few need not be looked into
    looks = [*installed(archive), *there_, *used]
    wanted = [f"C:\\EventStore\\{version}" for version in gone]
    with Scripted(*looks, *(step for version in gone for step in removing(version))) as there:
        result = bring(there, src=archive, keep_versions=keep)
    assert (result["changed"], result["removed"]) == (bool(gone), wanted)
    with Scripted(*looks, check_mode=True) as there:
        assert bring(there, src=archive, keep_versions=keep) == result


def test_what_windows_holds_fast_stays_and_fails(archive: pathlib.Path) -> None:
    move = script.move("C:\\EventStore\\4.0.0", "C:\\EventStore\\.es_distribution-4.0.0")
    held = [*removing("4.0.0")[:1], refused(move, 5, "in use", again=True)]
    with Scripted(*installed(archive), *THERE, *using(), *held) as there, pytest.raises(HostError, match="in use"):
        bring(there, src=archive, keep_versions=3)


def test_a_session_that_may_not_see_what_runs_removes_nothing(archive: pathlib.Path) -> None:
    blind = ran(*network.show_session(), out='"Label","S-1-16-8192"')
    with (
        Scripted(*installed(archive), *THERE, blind) as there,
        pytest.raises(DistributionError, match="not permitted"),
    ):
        bring(there, src=archive, keep_versions=1)
    steps = [kind(HOME, "DIRECTORY"), content(MARKER, marked("0" * 64)), blind]
    with Scripted(*steps) as there, pytest.raises(DistributionError, match="not permitted"):
        bring(there, "absent")


def test_before_the_first_version_check_mode_finds_none(archive: pathlib.Path) -> None:
    with Scripted(*NEW, said(script.directories(ROOT), "DIRECTORIES:"), check_mode=True) as there:
        assert bring(there, src=archive, keep_versions=1)["removed"] == []


def test_absent_removes_what_was_unpacked_here_and_nothing_uses() -> None:
    look = [kind(HOME, "DIRECTORY"), content(MARKER, marked("0" * 64))]
    goes = done(script.remove(TEMPORARY), script.move(HOME, TEMPORARY), script.remove(TEMPORARY))
    with Scripted(*look, *using("c:\\x.exe"), *goes) as there:
        assert bring(there, "absent")["removed"] == [HOME]
    with Scripted(*look, *using("c:\\x.exe"), check_mode=True) as there:
        assert bring(there, "absent")["changed"]
    for used in (using(PROGRAM.upper()), using(services=[f'"{PROGRAM}" x'])):
        with (
            Scripted(*look, *used) as there,
            pytest.raises(DistributionError, match=r"is used by .*Nothing was removed"),
        ):
            bring(there, "absent")
    with Scripted(kind(HOME, "DIRECTORY"), content(MARKER, None)) as there:
        assert not bring(there, "absent")["changed"]
    with Scripted(kind(HOME, "ABSENT")) as there:
        assert not bring(there, "absent")["changed"]
