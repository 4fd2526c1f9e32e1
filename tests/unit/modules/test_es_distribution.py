# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import subprocess

import pytest


@pytest.fixture
def software(tmp_path: pathlib.Path) -> dict[str, object]:
    """Options for software that somebody else brought."""
    home = tmp_path / "opt/3.4.0"
    home.mkdir(parents=True)
    (home / "eventstored").touch()
    return {"home": str(home), "directories": [str(tmp_path / "etc"), str(tmp_path / "var/lib/data")]}


def test_directories_are_made_once_and_told_in_check_mode(run_module, software) -> None:
    told = run_module("es_distribution", software, check=True, diff=True)
    assert told["changed"]
    assert told["diff"]["after"]["directories"] == software["directories"]
    assert not os.path.exists(software["directories"][0])
    assert run_module("es_distribution", software)["changed"]
    assert all(os.path.isdir(path) for path in software["directories"])
    assert not run_module("es_distribution", software)["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")
def test_directories_are_the_services_and_the_software_is_not(run_module, software) -> None:
    run_module("es_distribution", software)
    assert run_module("es_distribution", {**software, "owner": "65534"})["changed"]
    assert [os.stat(path).st_uid for path in software["directories"]] == [65534, 65534]
    assert os.stat(software["home"]).st_uid == 0
    assert not run_module("es_distribution", {**software, "owner": "65534"})["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")
def test_the_services_read_the_directory_of_the_configuration(run_module, software, tmp_path) -> None:
    given = {**software, "config_dir": str(tmp_path / "conf"), "owner": "65534", "group": "65534"}
    told = run_module("es_distribution", given, check=True, diff=True)["diff"]["after"]["directories"]
    assert told == [str(tmp_path / "conf"), *software["directories"]]
    assert run_module("es_distribution", given)["changed"]
    status = os.stat(tmp_path / "conf")
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 65534, 0o750)
    assert not run_module("es_distribution", given)["changed"]
    os.chown(tmp_path / "conf", 65534, 65534)  # as releases before made it
    assert run_module("es_distribution", given, check=True, diff=True)["diff"]["after"]["directories"] == told[:1]
    run_module("es_distribution", given)
    assert os.stat(tmp_path / "conf").st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")
@pytest.mark.parametrize("check", [True, False])
def test_a_link_of_the_services_account_is_refused_before_anything_is_made(
    run_module, software, tmp_path, check
) -> None:
    roots = tmp_path / "roots"
    roots.mkdir(mode=0o700)
    (tmp_path / "var").mkdir()
    os.chown(tmp_path / "var", 65534, 65534)
    (tmp_path / "var/lib").symlink_to(roots)
    refused = run_module("es_distribution", {**software, "owner": "65534"}, check=check)
    assert refused["msg"].startswith(
        f"{tmp_path}/var/lib/data: lib is a link that the services' account could have created"
    )
    assert os.stat(roots).st_uid == 0
    assert not (tmp_path / "etc").exists()


def test_a_file_in_the_place_of_a_directory_is_refused_before_any_is_made(run_module, software, tmp_path) -> None:
    (tmp_path / "var").touch()
    refused = run_module("es_distribution", {**software, "directories": [str(tmp_path / "etc"), str(tmp_path / "var")]})
    assert refused["failed"]
    assert refused["msg"] == f"{tmp_path / 'var'}: exists, but is not a directory. Move it away"
    assert not (tmp_path / "etc").exists()


@pytest.fixture
def program(software, tmp_path) -> dict[str, object]:
    """Options that also install a program."""
    (tmp_path / "built.pyz").write_text("#!/bin/sh\necho it runs\n")
    wanted = {"src": str(tmp_path / "built.pyz"), "dest": str(tmp_path / "opt/manager.pyz")}
    return {**software, "directories": [], "programs": [wanted], "remote_src": True}


def test_a_program_is_installed_once_and_told_in_check_mode(run_module, program, tmp_path) -> None:
    dest = tmp_path / "opt/manager.pyz"
    told = run_module("es_distribution", program, check=True, diff=True)
    assert told["changed"]
    assert told["diff"]["after"]["programs"] == [str(dest)]
    assert not dest.exists()
    assert run_module("es_distribution", program)["changed"]
    assert subprocess.run([dest], capture_output=True, check=True).stdout == b"it runs\n"
    assert not run_module("es_distribution", program)["changed"]


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("half"), lambda path: path.chmod(0o644)])
def test_a_spoilt_program_is_mended(run_module, program, tmp_path, spoil) -> None:
    dest = tmp_path / "opt/manager.pyz"
    run_module("es_distribution", program)
    spoil(dest)
    assert run_module("es_distribution", program)["changed"]
    assert dest.read_bytes() == (tmp_path / "built.pyz").read_bytes()
    assert dest.stat().st_mode & 0o777 == 0o755


def test_a_program_on_the_controller_is_asked_for_and_nothing_is_done_before_it_comes(run_module, program) -> None:
    checksum = f"sha256:{'0' * 64}"
    wanted = [{**program["programs"][0], "checksum": checksum}]
    asked = run_module(
        "es_distribution", {**program, "programs": wanted, "remote_src": False, "directories": ["/none"]}
    )
    assert asked["needs"] == [wanted[0]["dest"]]
    assert not os.path.exists("/none")


@pytest.mark.parametrize(
    ("dest", "why"), [("opt/x", "Write absolute paths"), ("{tmp_path}", "exists, but is not a file")]
)
def test_a_program_without_a_proper_place_is_refused(run_module, program, tmp_path, dest, why) -> None:
    wanted = [{**program["programs"][0], "dest": dest.format(tmp_path=tmp_path)}]
    refused = run_module("es_distribution", {**program, "programs": wanted, "directories": [str(tmp_path / "etc")]})
    assert refused["failed"]
    assert why in refused["msg"]
    assert not (tmp_path / "etc").exists()
