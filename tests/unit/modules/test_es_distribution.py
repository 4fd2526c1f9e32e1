# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

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


def test_a_file_in_the_place_of_a_directory_is_refused_before_any_is_made(run_module, software, tmp_path) -> None:
    (tmp_path / "var").touch()
    refused = run_module("es_distribution", {**software, "directories": [str(tmp_path / "etc"), str(tmp_path / "var")]})
    assert refused["failed"]
    assert refused["msg"] == f"{tmp_path / 'var'}: is there, and is no directory. Move it away"
    assert not (tmp_path / "etc").exists()
