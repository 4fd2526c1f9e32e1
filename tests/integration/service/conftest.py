# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of this machine on 127.<worker>.61.x, one address a test, and the certainty that none is left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

STAND_IN = Path(__file__).with_name("stand_in.py")
LAST_BYTES = itertools.count(1)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


@dataclass
class Place:
    """A directory and an address for one test's services."""

    path: Path
    ip: str
    run_module: t.Callable[..., dict[str, t.Any]]

    def write(self, name: str, **options: t.Any) -> Path:
        path = self.path / name
        path.write_text("".join(f"{key}: {value}\n" for key, value in options.items()))
        return path

    def database(self, name: str = "database", **more: t.Any) -> dict[str, t.Any]:
        """The arguments of a database node."""
        config = self.path / f"{name}.yaml"
        if not config.exists():
            self.write(config.name, IntIp=self.ip, ExtIp=self.ip)
        return {
            "name": f"es-{name}",
            "kind": "database",
            "provider": "process",
            "executable": str(self.path / "eventstored"),
            "config": str(config),
            "run_dir": str(self.path / "run"),
            "timeout": 30,
            **more,
        }

    def manager(self, *, nodes: int = 2, **more: t.Any) -> dict[str, t.Any]:
        """The arguments of a manager with nodes on ports of their own."""
        watchdog = self.path / "watchdog.esconfig"
        lines = []
        for number in range(nodes):
            node = self.write(f"node{number}.yaml", IntIp=self.ip, ExtIp=self.ip, ExtHttpPort=2113 + 10 * number)
            lines.append(f"# --config {node}\n")
        watchdog.write_text("".join(lines))
        self.write("manager.yaml", IntIp=self.ip, ExtIp=self.ip, WatchdogConfig=watchdog)
        given = self.database("manager", arguments=["--node-executable", str(self.path / "eventstored")], **more)
        return {**given, "kind": "manager", "executable": str(self.path / "es-manager.pyz")}

    def run(self, args: dict[str, t.Any], state: str = "started", **options: t.Any) -> dict[str, t.Any]:
        return self.run_module("es_service", {**args, "state": state}, **options)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs out of this test's directory."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and str(self.path) in " ".join(process.cmdline()):
                    found.append(process)
        return found


@pytest.fixture
def place(tmp_path, run_module):
    program = STAND_IN.read_text().replace("/usr/bin/env python3", sys.executable, 1)
    (tmp_path / "eventstored").write_text(program)
    with zipfile.ZipFile(tmp_path / "es-manager.pyz", "w") as archive:
        archive.writestr("__main__.py", program)
        archive.writestr("es_manager/__main__.py", "")  # what the built-in manager is known by
    for name in ("eventstored", "es-manager.pyz"):
        (tmp_path / name).chmod(0o755)
    made = Place(tmp_path, f"127.{WORKER}.61.{next(LAST_BYTES)}", run_module)
    yield made
    for process in made.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()
