# SPDX-License-Identifier: GPL-3.0-or-later
"""A second witness for services: es_service's own work over the service control manager of wine.

The texts that would go to a Windows host are read by the stand-in, and the programs in them are wine's ``sc.exe``,
``net.exe`` and ``reg.exe``, and tests/doubles/windows/wine/service.c, a service with the vendor's words.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import subprocess
import types
import typing as t

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.service import readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import services
from ansible_collections.eventstore.cluster.plugins.modules.es_service import cluster_of
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.service import WindowsService
from tests.doubles.windows import cmdlets, programs, shells
from tests.doubles.windows.machine import Machine, Refused
from tests.lab_site import wait_for

SOURCE = pathlib.Path(__file__).parents[3] / "tests/doubles/windows/wine/service.c"
COMPILER = "x86_64-w64-mingw32-gcc"
WINE, WINESERVER = shutil.which("wine"), shutil.which("wineserver") or shutil.which("/usr/lib/wine/wineserver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WINE and WINESERVER and shutil.which(COMPILER)),
        reason="wine or its compiler is missing: tests/doubles/windows/wine/install",
    ),
]

PROGRAM = "c:\\Event Store\\EventStore.WindowsManager.exe"
CONFIG = "c:\\Event Store\\manager.yaml"


class Wine:
    """A prefix with our program in it; stands where the action plugin does."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),  # its server makes a directory there and leaves it
            "WINEPREFIX": str(folder / "prefix"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",  # asks for no downloads
        }
        self._folder = folder
        self._connection = types.SimpleNamespace(transport="winrm")
        self.ran: list[list[str]] = []
        built = folder / "service.exe"
        subprocess.run([COMPILER, "-Wall", "-Wextra", "-Werror", "-O1", "-o", built, SOURCE], check=True)
        # The first process makes the prefix. Without one that stays, wine ends its service control manager.
        self._alive = subprocess.Popen([str(WINE), built, "wait"], env=self.environment, **QUIET)
        try:
            wait_for(lambda: "RUNNING" in self.run("sc.exe", "query", "PlugPlay").stdout, 90)
        except BaseException:
            self.end()
            raise
        self.machine = Machine(folder / "machine")
        (self.machine.drives / "C").rmdir()
        (self.machine.drives / "C").symlink_to(folder / "prefix/drive_c")
        self.machine.make_directory("c:\\Event Store")
        self.machine.put(PROGRAM, built.read_bytes())
        self.machine.put(CONFIG, b"IntIp: 127.0.0.1\r\nExtIp: 127.0.0.1\r\nEnableWatchdog: false\r\n")

    def run(self, program: str, *arguments: str) -> programs.Done:
        """Run a program. Its output goes to a file: what wine leaves running would keep a pipe open."""
        with (self._folder / "output").open("w+b") as output:
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            command = [str(WINE), program, *arguments]
            done = subprocess.run(command, env=self.environment, check=False, timeout=120, **streams)
            output.seek(0)
            self.ran.append([program, *arguments])
            return programs.Done(done.returncode, output.read().decode("utf-8", "replace"))

    def end(self) -> None:
        subprocess.run([str(WINESERVER), "-k"], env=self.environment, check=False, timeout=60)
        subprocess.run([str(WINESERVER), "-w"], env=self.environment, check=False, timeout=60)
        self._alive.wait(60)
        assert self._all() == []

    def processes(self) -> list[int]:
        """Those of the service, as Linux has them."""
        return [each.pid for each in self._all() if "-InstanceName" in (each.info["cmdline"] or [])]

    def instances(self, _machine: Machine, given: dict[str, t.Any]) -> t.Any:
        """Wine has no CIM: its processes as Linux has them, below what Windows would call them."""
        pids = self.processes()
        if given["classname"] == "Win32_Service":
            return {"processid": pids[0] if pids else 0}
        command = f'"{PROGRAM}" -InstanceName es-one'
        return [{"processid": pid, "parentprocessid": 700, "commandline": command} for pid in pids]

    def process(self, _machine: Machine, given: dict[str, t.Any]) -> dict[str, t.Any]:
        if given["id"] not in self.processes():
            raise Refused("Cannot find a process.")
        started = datetime.datetime.fromtimestamp(psutil.Process(given["id"]).create_time(), datetime.timezone.utc)
        time = {"tostring": lambda _form: started.strftime("%Y-%m-%dT%H:%M:%S")}
        return {"id": given["id"], "starttime": {"touniversaltime": lambda: time}}

    def _all(self) -> list[psutil.Process]:
        prefix = self.environment["WINEPREFIX"]
        all_ = psutil.process_iter(["cmdline", "environ", "status"])
        ended = psutil.STATUS_ZOMBIE
        return [
            each
            for each in all_
            if (each.info["environ"] or {}).get("WINEPREFIX") == prefix and each.info["status"] != ended
        ]

    def _low_level_execute_command(self, command: str, *, sudoable: bool) -> dict[str, t.Any]:
        assert not sudoable
        ran = shells.evaluate(self.machine, command)
        return {"stdout": "\r\n".join(ran.output), "stderr": "\n".join(ran.errors), "rc": ran.code}


QUIET: dict[str, t.Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


@pytest.fixture
def wine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    made = Wine(tmp_path)

    def run(_machine: Machine, program: str, arguments: list[str]) -> programs.Done:
        done = made.run(program, *arguments)
        # Where there is no such service, wine says nothing, and ends with 1 or 0; Windows ends with 1060.
        if [program, arguments[0]] == ["sc.exe", "query"] and not done.stdout:
            done.code = services.NOT_INSTALLED
        return done

    for name in ("sc.exe", "net.exe", "reg.exe"):
        monkeypatch.setitem(programs.PROGRAMS, name, run)
    monkeypatch.setattr(programs, "_installer", run)
    monkeypatch.setitem(cmdlets.KNOWN, "get-ciminstance", made.instances)
    monkeypatch.setitem(cmdlets.KNOWN, "get-process", made.process)
    # Nobody answers over HTTP here, and that is not what is asked of wine.
    monkeypatch.setattr(readiness, "ask", lambda *_asked: {})
    try:
        yield made
    finally:
        made.end()


def test_a_service_from_its_installation_to_its_removal(wine: Wine) -> None:
    def bring(state: str) -> dict[str, t.Any]:
        params = {
            **{"name": "es-one", "kind": "manager", "provider": "auto", "version": "3.4.0", "executable": PROGRAM},
            **{"config": CONFIG, "state": state, "enabled": None, "timeout": 30.0, "cluster": None},
        }
        wine.ran.clear()
        return WindowsService(Host(t.cast("t.Any", wine), "wine", False), params).bring_to(state, cluster_of(params))

    assert bring("stopped")["status"] == "not installed"
    started = bring("started")
    assert (started["changed"], started["status"], started["start_mode"]) == (True, "RUNNING", "auto")
    assert [PROGRAM, "install", "-InstanceName", "es-one", "-ManagerConfig", CONFIG] in wine.ran
    assert ["net.exe", "start", "es-one"] in wine.ran
    assert "Windows does not restart it after a failure" in started["warnings"][0]
    (first,) = wine.processes()

    assert bring("started")["changed"] is False
    assert wine.processes() == [first]
    assert bring("restarted")["status"] == "RUNNING"
    (second,) = wine.processes()
    assert second != first

    stopped = bring("stopped")
    assert (stopped["changed"], stopped["status"]) == (True, "STOPPED")
    assert wine.processes() == []

    assert bring("absent")["changed"]
    assert bring("absent")["changed"] is False
    assert wine.run("reg.exe", "query", services.KEY + "es-one").code == 1
