# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of two versions change places, and back, also when a step was interrupted and is done again."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.service.staged_files import StagedFiles


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "database.yaml"
    path.write_text("old")
    path.chmod(0o640)
    return path


@pytest.fixture
def staged(file):
    return StagedFiles("4.0.3", "4.1.4", (file,))


def stage(file, text="new"):
    file.with_name("database.yaml.4.1.4").write_text(text)


def names(file):
    return {path.name: path.read_text() for path in file.parent.iterdir()}


def test_forward_and_back(file, staged):
    stage(file)
    assert staged.current(file).read_text() == "new"
    staged.forward()
    assert names(file) == {"database.yaml": "new", "database.yaml.4.0.3": "old"}
    assert staged.current(file) == file
    staged.back()
    assert names(file) == {"database.yaml": "old", "database.yaml.4.0.3": "old", "database.yaml.4.1.4": "new"}
    staged.forward()
    assert names(file) == {"database.yaml": "new", "database.yaml.4.0.3": "old"}


def test_what_is_staged_again_after_the_switch_does_not_take_the_way_back(file, staged):
    stage(file)
    staged.forward()
    stage(file)
    staged.forward()
    assert names(file) == {"database.yaml": "new", "database.yaml.4.0.3": "old"}


def test_nothing_staged_nothing_done(file, staged):
    staged.forward()
    staged.back()
    assert names(file) == {"database.yaml": "old"}


def test_the_first_file(file, staged):
    file.unlink()
    stage(file)
    staged.forward()
    assert names(file) == {"database.yaml": "new"}


def test_the_mode_is_the_stricter_one(file, staged):
    stage(file)
    file.with_name("database.yaml.4.1.4").chmod(0o644)
    staged.forward()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.with_name("database.yaml.4.0.3").stat().st_mode & 0o777 == 0o640


def test_a_directory_in_the_way_is_an_error_with_a_place(file, staged):
    stage(file)
    file.with_name("database.yaml.4.0.3").mkdir()
    with pytest.raises(ServiceError, match=r"database\.yaml"):
        staged.forward()
    assert file.read_text() == "old"
