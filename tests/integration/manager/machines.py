# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines with a manager, from its archive, and stand-in nodes, on 127.<worker>.31.x: one address a machine."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import psutil
import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

PATIENCE_S = 60.0  # a computer that does other things meanwhile is no defect
LAST_BYTES = itertools.count(1)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])

# Writes down its pid, then does what the file beside its configuration says.
NODE = '#!/bin/sh\necho $$ >> "$2.pids"\n. "$2.behaviour"\n'
RUN = "sleep 300 & wait"


def eventually(
    observe: t.Callable[[], t.Any], holds: t.Callable[[t.Any], bool] = bool, *, timeout_s: float = PATIENCE_S
) -> t.Any:
    waited = wait_until(observe, holds, timeout_s=timeout_s)
    assert waited.ok, waited.last
    return waited.last


def curl(*arguments: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body; status 0 where there is no answer."""
    done = subprocess.run(
        ["/usr/bin/curl", "-s", "-i", "--max-time", "5", *arguments], capture_output=True, text=True, check=False
    )
    head, _blank, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    if head.startswith("HTTP/1.1 100"):
        head, _blank, body = body.partition("\n\n")
    first, *lines = head.split("\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int([*first.split(" "), "0", "0"][1]), headers, body


class Machine:
    """One machine: its files, its manager's process, its nodes' processes."""

    def __init__(self, path: Path, program: Path) -> None:
        self.path = path
        self.ip = f"127.{WORKER}.31.{next(LAST_BYTES)}"
        self.log = path / "log"
        self.state = self.log / "watchdog.esconfig.state"
        self.internal = f"http://{self.ip}:30777"
        self.external = f"http://{self.ip}:30778"
        self.process: subprocess.Popen[str] | None = None
        self._program = program
        self._options: dict[str, t.Any] = {}
        self._started: list[subprocess.Popen[str]] = []
        path.mkdir()
        self.executable = path / "eventstored"
        self.executable.write_text(NODE)
        self.executable.chmod(0o755)

    def node(self, name: str = "database", behaviour: str = RUN, **options: t.Any) -> Path:
        """Write a node's configuration and what it does; returns the path of the configuration."""
        config = self.path / f"{name}.yaml"
        config.write_text(yaml.safe_dump({"ExtIp": self.ip, "IntIp": self.ip, **options}))
        Path(f"{config}.behaviour").write_text(behaviour)
        return config

    def behave(self, behaviour: str, name: str = "database") -> None:
        Path(f"{self.path / name}.yaml.behaviour").write_text(behaviour)

    def configure(self, *configs: Path, **options: t.Any) -> None:
        watchdog = self.path / "watchdog.esconfig"
        watchdog.write_text("".join(f"# --config {config}\n" for config in configs))
        self._options = {
            "IntIp": self.ip,
            "ExtIp": self.ip,
            "DiscoverViaDns": False,
            "EnableWatchdog": bool(configs),
            "WatchdogConfig": str(watchdog),
            "NodeExecutable": str(self.executable),
            "Log": str(self.log),
            **options,
        }
        (self.path / "manager.yaml").write_text(yaml.safe_dump(self._options))

    def launch(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the manager and do not wait for anything."""
        self.process = subprocess.Popen(
            [sys.executable, self._program, "--config", self.path / "manager.yaml", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        self._started.append(self.process)
        return self.process

    def start(self) -> None:
        self.launch()
        eventually(lambda: curl(f"{self.external}/ping")[0], lambda status: status == 200)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def refused(self) -> tuple[int, str]:
        """Start a manager that is to end by itself; its exit code and what it wrote to stderr."""
        process = self.launch()
        _out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, err

    def starts(self, name: str = "database") -> list[int]:
        """The pids of all starts of a node, so far."""
        path = self.path / f"{name}.yaml.pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def nodes(self) -> list[int]:
        """The processes that run the stand-in now."""
        return sorted(
            process.pid
            for process in psutil.process_iter(["cmdline", "status"])
            if str(self.executable) in (process.info["cmdline"] or [])[:2]
            and process.info["status"] != psutil.STATUS_ZOMBIE
        )

    def groups(self) -> list[int]:
        """The living processes of the sessions of all nodes, whatever they run."""
        sessions = {pid for path in self.path.glob("*.pids") for pid in map(int, path.read_text().split())}
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in sessions and fields[0] != "Z":
                    found.append(pid)
        return found

    def logged(self) -> str:
        path = self.log / "es-manager.log"
        return path.read_text() if path.exists() else ""

    def await_log(self, text: str) -> str:
        return str(eventually(self.logged, lambda log: text in log))

    def gossip(self) -> dict[str, dict[str, t.Any]]:
        """What the manager says of the cluster, by internal HTTP endpoint."""
        body = json.loads(curl(f"{self.external}/gossip")[2])
        return {f"{each['internalHttpIp']}:{each['internalHttpPort']}": each for each in body["members"]}

    def clean(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in self.groups():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
