# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from lab.archive import build


def test_the_archive_has_the_shape_of_the_vendors_and_runs(tmp_path: Path) -> None:
    built = build(tmp_path, version="4.1.4", python=sys.executable)
    assert built == (tmp_path / "EventStore-Lab-v4.1.4.zip", True)
    digest = hashlib.sha256(built.path.read_bytes()).hexdigest()
    assert (tmp_path / "EventStore-Lab-v4.1.4.zip.sha256").read_text() == f"{digest}\n"
    with zipfile.ZipFile(built.path) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
        program = archive.read("EventStore-Lab-v4.1.4/eventstored")
        assert b"It is not a database" in archive.read("EventStore-Lab-v4.1.4/README.md")
    top = "EventStore-Lab-v4.1.4"
    assert modes == {f"{top}/README.md": 0o644, f"{top}/eventstored": 0o755, f"{top}/run-node.sh": 0o755}
    assert program.startswith(f"#!{sys.executable}\n".encode())
    path = tmp_path / "eventstored"
    path.write_bytes(program)
    path.chmod(0o755)
    said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=True, cwd="/").stdout
    assert said.startswith("EventStore version 4.1.4.0 ")
    assert "stand-in" in said


def test_the_same_sources_give_the_same_bytes_and_no_write(tmp_path: Path) -> None:
    first = build(tmp_path / "one", version="3.4.0", python="/usr/bin/python3")
    second = build(tmp_path / "two", version="3.4.0", python="/usr/bin/python3")
    assert first.path.read_bytes() == second.path.read_bytes()
    before = first.path.stat()
    assert build(tmp_path / "one", version="3.4.0", python="/usr/bin/python3") == (first.path, False)
    assert first.path.stat().st_mtime_ns == before.st_mtime_ns
    assert build(tmp_path / "one", version="3.4.0", python="/usr/bin/python3.9").changed


@pytest.mark.parametrize("damage", ["EventStore-Lab-v3.4.0.zip", "EventStore-Lab-v3.4.0.zip.sha256"])
def test_a_damaged_file_is_written_anew(tmp_path: Path, damage: str) -> None:
    build(tmp_path, version="3.4.0", python="/usr/bin/python3")
    whole = (tmp_path / damage).read_bytes()
    (tmp_path / damage).write_bytes(b"x")
    assert build(tmp_path, version="3.4.0", python="/usr/bin/python3").changed
    assert (tmp_path / damage).read_bytes() == whole


@pytest.mark.parametrize(
    ("version", "python", "said"),
    [
        ("20.10.6", "/usr/bin/python3", "version '20.10.6'"),
        ("3.4.0", "python3", "absolute path without blanks"),
        ("3.4.0", "/opt/my python/bin/python", "absolute path without blanks"),
        ("3.4.0", "/" + "x" * 300, "absolute path without blanks"),
    ],
)
def test_what_would_not_run_is_not_built(tmp_path: Path, version: str, python: str, said: str) -> None:
    with pytest.raises(EventStoreError, match=said):
        build(tmp_path, version=version, python=python)
    assert list(tmp_path.iterdir()) == []
