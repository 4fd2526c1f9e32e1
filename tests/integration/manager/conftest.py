# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's archive, built once, and machines that are cleaned up whatever a test does."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.plugin_utils.zipapp import build
from tests.integration.manager.machines import Machine

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def program(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("program") / "es-manager.pyz"
    build(target, package=REPOSITORY / "roles/manager/files/es_manager", main="es_manager.__main__:main")
    return target


@pytest.fixture
def new_machine(tmp_path, program) -> t.Iterator[t.Callable[[], Machine]]:
    machines: list[Machine] = []

    def make() -> Machine:
        machines.append(Machine(tmp_path / f"machine{len(machines)}", program))
        return machines[-1]

    yield make
    for each in machines:
        each.clean()


@pytest.fixture
def machine(new_machine) -> Machine:
    return t.cast("Machine", new_machine())
