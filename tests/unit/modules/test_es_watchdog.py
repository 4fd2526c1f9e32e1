# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat

import pytest

A = ["--config", "/etc/a.yaml"]
B = ["--config", "/etc/b.yaml"]
TEXT_A = "# --config /etc/a.yaml\n"
TEXT_AB = f"{TEXT_A}# --config /etc/b.yaml\n"

TEST_REFUSED = [
    ([["--config", "/etc/my nodes/a.yaml"]], "has a space"),
    ([["--config", "/etc/a.yaml\n# --config /etc/b.yaml"]], "control character"),
    ([[]], "expected the options of a node"),
    ([["--config", "a.yaml"]], "not an absolute path"),
    ([A, A], "nodes 1 and 2 both have --config /etc/a.yaml"),
    ([["--config", True]], "expected strings as arguments, got True"),
    (["--config /etc/a.yaml"], "has a space"),
]

TEST_DAMAGED = [
    (b"\xff\xfe#\x00", "not UTF-8"),
    (b"IntIp: 127.0.0.1\n", "a line begins with '#'"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watchdog.esconfig"


def test_check_run_check_again_run_again(run_module, path):
    args = {"path": str(path), "nodes": [A]}
    checked = run_module("es_watchdog", args, check=True, diff=True)
    assert checked["changed"]
    assert not path.exists()
    done = run_module("es_watchdog", args, diff=True)
    assert done["changed"]
    assert done["diff"] == checked["diff"]
    assert path.read_bytes() == TEXT_A.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not run_module("es_watchdog", args, check=True)["changed"]
    assert not run_module("es_watchdog", args)["changed"]


def test_a_change_shows_in_the_diff_and_keeps_mode_and_backup(run_module, path):
    path.write_text(TEXT_A)
    path.chmod(0o600)
    result = run_module("es_watchdog", {"path": str(path), "nodes": [A, B], "backup": True}, diff=True)
    assert result["diff"][0]["before"] == TEXT_A
    assert result["diff"][0]["after"] == TEXT_AB
    assert result["nodes"] == [A, B]
    assert path.read_text() == TEXT_AB
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open(result["backup_file"]) as backup:
        assert backup.read() == TEXT_A


def test_mode_alone_is_a_change(run_module, path):
    path.write_text(TEXT_A)
    path.chmod(0o600)
    args = {"path": str(path), "nodes": [A], "mode": "0640"}
    assert run_module("es_watchdog", args, check=True)["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run_module("es_watchdog", args)["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not run_module("es_watchdog", args)["changed"]


def test_another_spelling_of_the_vendor_is_made_canonical(run_module, path):
    path.write_bytes(b"#--config /etc/a.yaml\r\n")
    assert run_module("es_watchdog", {"path": str(path), "nodes": [A]})["changed"]
    assert path.read_bytes() == TEXT_A.encode()


def test_a_number_is_an_argument(run_module, path):
    run_module("es_watchdog", {"path": str(path), "nodes": [[*A, "--node-priority", 5]]})
    assert path.read_text() == "# --config /etc/a.yaml --node-priority 5\n"


@pytest.mark.parametrize(("nodes", "message"), TEST_REFUSED)
def test_what_cannot_be_written_is_refused_and_the_file_stays(run_module, path, nodes, message):
    path.write_text(TEXT_AB)
    result = run_module("es_watchdog", {"path": str(path), "nodes": nodes})
    assert result["failed"]
    assert message in result["msg"]
    assert path.read_text() == TEXT_AB


@pytest.mark.parametrize(("content", "message"), TEST_DAMAGED)
def test_a_damaged_file_is_left_alone_unless_forced(run_module, path, content, message):
    path.write_bytes(content)
    args = {"path": str(path), "nodes": [A]}
    result = run_module("es_watchdog", args)
    assert result["failed"]
    assert message in result["msg"]
    assert "force: true" in result["msg"]
    assert path.read_bytes() == content
    assert run_module("es_watchdog", {**args, "force": True})["changed"]
    assert path.read_bytes() == TEXT_A.encode()


def test_a_directory_in_its_place_is_refused_even_if_forced(run_module, path):
    path.mkdir()
    assert "found a directory" in run_module("es_watchdog", {"path": str(path), "nodes": [A], "force": True})["msg"]


def test_a_missing_directory_is_named(run_module, tmp_path):
    result = run_module("es_watchdog", {"path": str(tmp_path / "no" / "w.esconfig"), "nodes": [A]})
    assert "is missing" in result["msg"]
