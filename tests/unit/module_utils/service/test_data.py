# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node would be started without the data it had: changed paths, disks that are away, copies, memory."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data


def number(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def database(directory: pathlib.Path, writer: int = 4096, *, epoch: int = 0, identity: bytes = b"one") -> pathlib.Path:
    """What a server leaves in its directory: two chunks, the first written again once, and the checkpoints."""
    directory.mkdir(parents=True)
    for name in ("chunk-000000.000000", "chunk-000000.000001", "chunk-000001.000000"):
        (directory / name).write_bytes((name.encode() + identity).ljust(256, b"\0"))
    for name, value in (("writer.chk", writer), ("chaser.chk", writer), ("epoch.chk", epoch), ("truncate.chk", -1)):
        (directory / name).write_bytes(number(value))
    return directory


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "database.yaml"
    path.write_text(f"Db: {tmp_path}/old\n")
    return path


def losses(config: pathlib.Path, db: pathlib.Path, *used: pathlib.Path, in_memory: bool = False) -> list[data.Loss]:
    node = data.Place(str(config), str(db), f"{db}/index", in_memory, "Db")
    return data.losses(node, map(str, used))


def codes(*arguments, **keywords) -> list[str]:
    return [loss.code for loss in losses(*arguments, **keywords)]


def test_what_a_directory_has(tmp_path):
    found = data.find(str(database(tmp_path / "old", 7, epoch=3)))
    assert found is not None
    assert (found.chunks, found.writer, found.epoch) == (3, 7, 3)
    assert found.header.startswith(b"chunk-000000.000001one")
    assert len(found.header) == 128
    assert "3 chunks, " in found.amount
    (tmp_path / "empty").mkdir()
    assert data.find(str(tmp_path / "empty")) is None
    assert data.find(str(tmp_path / "none")) is None
    assert data.find(str(tmp_path / "old/writer.chk")) is None


def test_a_database_without_its_checkpoint_is_one(tmp_path):
    (database(tmp_path / "old") / "writer.chk").unlink()
    found = data.find(str(tmp_path / "old"))
    assert found is not None
    assert found.writer > 0


def test_a_first_start_and_the_same_place_lose_nothing(tmp_path, config):
    assert not losses(config, tmp_path / "old")
    database(tmp_path / "old")
    data.note(str(config), str(tmp_path / "old"))
    assert not losses(config, tmp_path / "old")
    (tmp_path / "link").symlink_to("old")
    assert not losses(config, tmp_path / "link")


@pytest.mark.parametrize("known", ["noted", "used"])
def test_a_changed_path_is_refused_with_places_amount_and_ways_out(tmp_path, config, known):
    old = database(tmp_path / "old")
    if known == "noted":
        data.note(str(config), str(old))
    (loss,) = losses(config, tmp_path / "new", *([old] if known == "used" else []))
    assert loss.code == "data-left-behind"
    for word in (f"they are in {old} (3 chunks, ", "log up to 4096", f"Db is {tmp_path}/new now", "no database"):
        assert word in loss.text
    for word in (f"mv {old} {tmp_path}/new", "eventstore_data_dir", "-e start_empty="):
        assert word in loss.hint


def test_data_that_were_moved_are_the_same(tmp_path, config):
    old = database(tmp_path / "old")
    data.note(str(config), str(old))
    old.rename(tmp_path / "new")
    assert not losses(config, tmp_path / "new")


def test_a_whole_copy_is_the_same_and_an_older_one_is_not(tmp_path, config):
    old = database(tmp_path / "old")
    shutil.copytree(old, tmp_path / "new")
    data.note(str(config), str(old))
    assert not losses(config, tmp_path / "new")
    (old / "writer.chk").write_bytes(number(5000))
    (loss,) = losses(config, tmp_path / "new")
    assert "an older copy of it" in loss.text
    (tmp_path / "new/writer.chk").write_bytes(number(5000))
    (old / "epoch.chk").write_bytes(number(4500))
    assert codes(config, tmp_path / "new") == ["data-left-behind"]


def test_another_database_is_not_the_same(tmp_path, config):
    data.note(str(config), str(database(tmp_path / "old")))
    database(tmp_path / "new", 9999, identity=b"two")
    (loss,) = losses(config, tmp_path / "new")
    assert "another database" in loss.text


def test_a_database_that_nothing_was_written_to_is_no_loss(tmp_path, config):
    data.note(str(config), str(database(tmp_path / "old", 0, epoch=-1)))
    assert not losses(config, tmp_path / "new")


@pytest.mark.parametrize("how", ["not mounted", "emptied", "moved to nowhere"])
def test_a_node_that_had_data_is_not_started_on_nothing(tmp_path, config, how):
    old = database(tmp_path / "old")
    data.note(str(config), str(old))
    shutil.rmtree(old)
    if how != "moved to nowhere":
        old.mkdir()
    (loss,) = losses(config, tmp_path / ("new" if how == "moved to nowhere" else "old"))
    assert loss.code == "data-missing"
    assert f"database had its data in {old}, and now there is no database in" in loss.text
    assert "If the disk is not mounted" in loss.hint
    data.forget(str(config))
    assert not losses(config, tmp_path / "old")


@pytest.mark.parametrize("there", [True, False])
def test_memory_has_no_data(tmp_path, config, there):
    data.note(str(config), str(tmp_path / "old"))
    if there:
        database(tmp_path / "old")
    (loss,) = losses(config, tmp_path / "old", in_memory=True)
    assert "MemDb is true" in loss.text


@pytest.mark.parametrize(
    ("text", "environment", "arguments", "expected"),
    [
        ("Db: /data\n", {}, (), ("/data", "/data/index", False, "Db")),
        ("Db: /data\nIndex: /fast\n", {}, (), ("/data", "/fast", False, "Db")),
        ("MemDb: true\nFutureOption: 1\n", {}, (), ("/var/lib/eventstore", "/var/lib/eventstore/index", True, "Db")),
        ("Db: /data\n", {"EVENTSTORE_DB": "/other"}, (), ("/other", "/other/index", False, "EVENTSTORE_DB")),
        ("Db: /data\n", {"EVENTSTORE_DB": "/other"}, ("--db", "/last"), ("/last", "/last/index", False, "Db")),
        ("Db: /data\n", {"EVENTSTORE_MEM_DB": "true"}, (), ("/data", "/data/index", True, "Db")),
        ("Db: [\n", {}, (), None),
    ],
)
def test_every_layer_can_say_where_the_data_are(config, text, environment, arguments, expected):
    config.write_text(text)
    place = data.place(["--config", str(config), *arguments], environment)
    assert (place and (place.db, place.index, place.in_memory, place.option)) == expected
    if place:
        assert (place.config, place.name) == (str(config), "database")


def test_where_a_planned_node_looks(config):
    def planned(options: dict[str, object], environment: dict[str, object]) -> data.Place:
        return data.planned({"config": str(config), "options": options, "environment": environment})

    assert planned({"Db": "/data", "ClusterSize": 3}, {"EVENTSTORE_CERTIFICATE_PASSWORD": "x"}).db == "/data"
    assert planned({"Db": "/data", "MemDb": True, "Index": "/fast"}, {}).in_memory
    assert planned({"Db": "/data"}, {"EVENTSTORE_DB": "${env:DISK}", "DISK": "/other"}).db == "/other"
    environment = {"EVENTSTORE_DB": "${env:DISK}", "DISK": "/other", "EVENTSTORE_CERTIFICATE_PASSWORD": "x"}
    assert data.where_of(environment) == {"EVENTSTORE_DB": "${env:DISK}", "DISK": "/other"}


def test_the_open_files_of_a_process_tell_where_its_data_are(tmp_path):
    """Whatever its configuration says by now."""
    old = database(tmp_path / "old")
    assert data.used_by(os.getpid()) is None
    with (old / "writer.chk").open("rb"):
        assert data.used_by(os.getpid()) == str(old)
    with (old / "chunk-000001.000000").open("rb"):
        assert data.used_by(os.getpid()) == str(old)


def test_an_index_that_stays_behind_is_told(tmp_path, config):
    def node(index: str) -> data.Place:
        return data.Place(str(config), str(tmp_path / "old"), str(tmp_path / index), False, "Db")

    assert not data.index_left_behind(node("new"), node("before"))
    (tmp_path / "before").mkdir()
    (tmp_path / "before/indexmap").write_text("000000\n1\n")
    (loss,) = data.index_left_behind(node("new"), node("before"))
    assert f"it is in {tmp_path}/before, and Index is {tmp_path}/new now" in loss.text
    assert f"mv {tmp_path}/before {tmp_path}/new" in loss.hint
    shutil.copytree(tmp_path / "before", tmp_path / "new")
    assert not data.index_left_behind(node("new"), node("before"))
    (tmp_path / "new/indexmap").write_text("another")
    assert data.index_left_behind(node("new"), node("before"))


def test_a_directory_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path, config, monkeypatch):
    data.note(str(config), str(database(tmp_path / "old")))

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(ServiceError, match="it is not known whether it contains a database"):
        losses(config, tmp_path / "new")


@pytest.mark.parametrize(
    ("noted", "left", "starts"),
    [
        pytest.param(False, (), True, id="a first start"),
        pytest.param(True, ("writer.chk", "chunk-000000.000000"), True, id="at home"),
        pytest.param(True, ("chunk-000000.000000",), True, id="without the checkpoint"),
        pytest.param(True, ("writer.chk",), True, id="without a chunk"),
        pytest.param(True, (), False, id="not mounted"),
        pytest.param(True, ("index", "lost+found"), False, id="without a database"),
    ],
)
def test_a_start_at_boot_checks_the_note(tmp_path, noted, left, starts):
    """The command of the unit, as systemd runs it; a blank and a quote in the names must not matter."""
    config, old = tmp_path / "a node's.yaml", tmp_path / "the disk's data"
    old.mkdir()
    for name in left:
        (old / name).touch()
    if noted:
        data.note(str(config), str(old))
    done = subprocess.run(data.start_check(str(config)), capture_output=True, text=True, check=False)
    assert done.returncode == (0 if starts else 1), done.stderr
    assert done.stdout == ""
    assert (f"There is no database in {old}" in done.stderr) is not starts


def test_the_note_follows_data_that_were_moved_whole(tmp_path, config):
    def follow(directory: str) -> str | None:
        data.follow(data.Place(str(config), str(tmp_path / directory), "", False, "Db"))
        return data.noted(str(config))

    old = database(tmp_path / "old")
    assert follow("old") is None  # only a node that ran is known to have had these
    data.note(str(config), str(old))
    database(tmp_path / "another", identity=b"two")
    for directory in ("another", "none", "old"):
        assert follow(directory) == str(old)
    old.rename(tmp_path / "new")
    (tmp_path / "link").symlink_to("new")
    assert follow("link") == str(tmp_path / "new")
    data.follow(data.Place(str(config), str(tmp_path / "another"), "", True, "Db"))
    assert data.noted(str(config)) == str(tmp_path / "new")
