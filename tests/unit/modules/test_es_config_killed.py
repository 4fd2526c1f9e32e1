# SPDX-License-Identifier: GPL-3.0-or-later
"""es_config is killed at every step that it makes on the disk; files are read, and nothing of the module is asked."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.files import journal

STEPS = ("rename", "replace", "unlink", "open")
JOURNAL = ".es_config-unfinished"


def given(directory: Path, size: int) -> dict:
    paths = {kind: str(directory / f"{kind}.yaml") for kind in ("database", "manager")}
    options = {"ClusterSize": size}
    manager = {"IntHttpPort": 30000 + size, "WatchdogConfig": str(directory / "watchdog.esconfig")}
    node = ["--config", paths["database"], "--stats-period-sec", str(size)]
    return {
        "version": "3.4.0",
        "files": [
            {"path": paths["database"], "kind": "database", "options": options},
            {"path": paths["manager"], "kind": "manager", "options": manager, "nodes": [node]},
        ],
    }


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir()) if not path.name.startswith(".")}


def killed_at(step: int, directory: Path, run) -> bool:
    """Run in a child that kills itself before its ``step``-th change to the disk; whether it came so far."""
    child = os.fork()
    if child == 0:
        count = itertools.count()
        for name in STEPS:
            real = getattr(os, name)

            def counted(*args, _real=real, _name=name, **more):
                writes = _name != "open" or args[1] & os.O_CREAT
                if writes and os.path.dirname(str(args[0])) == str(directory) and next(count) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return _real(*args, **more)

            setattr(os, name, counted)
        try:
            run()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_mixed_set_is_always_noted_and_the_next_run_ends_the_work(run_module, tmp_path):
    directory = tmp_path / "etc"
    directory.mkdir()
    run_module("es_config", given(directory, 3))
    old = contents(directory)
    run_module("es_config", given(directory, 5))
    new = contents(directory)
    assert len(new) == 3
    assert all(old[name] != new[name] for name in new)
    mixed = 0
    for step in itertools.count():
        run_module("es_config", given(directory, 3))
        assert sorted(os.listdir(directory)) == sorted(old)
        if not killed_at(step, directory, lambda: run_module("es_config", given(directory, 5))):
            break
        left = contents(directory)
        assert all(text in (old[name], new[name]) for name, text in left.items())
        if left not in (old, new):
            mixed += 1
            assert (directory / JOURNAL).exists()
        is_noted = (directory / JOURNAL).exists()
        told = run_module("es_config", given(directory, 5), check=True)
        assert told["changed"] == (left != new or is_noted)
        assert ("was killed" in str(told.get("warnings"))) == is_noted
        assert run_module("es_config", given(directory, 5))["changed"] == told["changed"]
        assert contents(directory) == new
        assert sorted(os.listdir(directory)) == sorted(new)
        assert not run_module("es_config", given(directory, 5))["changed"]
    assert mixed >= 2
    assert step >= 8


def test_a_run_that_writes_another_set_does_not_forget_the_one_before(run_module, tmp_path):
    run_module("es_config", given(tmp_path, 3))
    for step in range(100):
        killed_at(step, tmp_path, lambda: run_module("es_config", given(tmp_path, 5)))
        if (tmp_path / JOURNAL).exists():
            break
    one = {
        "path": str(tmp_path / "database.yaml"),
        "kind": "database",
        "version": "3.4.0",
        "options": {"ClusterSize": 7},
    }
    assert "manager.yaml" in str(run_module("es_config", {**one, "options": {"ClusterSize": 7}})["warnings"])
    assert (tmp_path / JOURNAL).exists()
    assert run_module("es_config", given(tmp_path, 5))["changed"]
    assert not (tmp_path / JOURNAL).exists()


def test_two_sets_in_one_directory_are_noted_and_ended_each_for_itself(tmp_path):
    first, second = ([str(tmp_path / name) for name in names] for names in ("ab", "cd"))
    journal.begin(first)
    journal.begin(second)  # the run of the first one was killed
    assert journal.unfinished(first[0]) == [*first, *second]
    journal.end(second)
    assert (journal.unfinished(first[0]), journal.unfinished(second[0])) == (first, [])
    journal.end(first)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["started", "restarted"])
def test_a_service_that_would_read_a_mixed_set_is_warned_of(run_module, tmp_path, state):
    (tmp_path / "database.yaml").write_text("ClusterSize: 1\n")
    (tmp_path / JOURNAL).write_text(f'["{tmp_path}/database.yaml", "{tmp_path}/manager.yaml"]')
    args = {"name": "es-x", "kind": "database", "state": state, "provider": "process", "run_dir": str(tmp_path / "run")}
    program = {"executable": str(tmp_path / "none"), "config": str(tmp_path / "database.yaml")}
    told = run_module("es_service", {**args, **program}, check=True)
    assert f"A run was killed while it wrote {tmp_path}/database.yaml" in str(told["warnings"])
