# SPDX-License-Identifier: GPL-3.0-or-later
"""es_service with a stand-in for systemd, which refuses what it does not know."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.service import systemd

FAKE = Path(__file__).with_name("fake_systemd.py")
VENDOR = """\
[Service]
Type=forking
PIDFile=/var/run/eventstore/eventstore.pid
ExecStart=/usr/bin/eventstored --some --where
[Install]
WantedBy=multi-user.target
"""


class World:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.etc, self.lib = path / "etc", path / "lib"

    def calls(self) -> list[str]:
        """What systemctl was told to do since the last time."""
        log = self.path / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith(("systemctl show", "journalctl"))]

    def files(self) -> list[str]:
        paths = [path for place in (self.etc, self.lib) for path in place.rglob("*")]
        return sorted(str(path.relative_to(self.path)) for path in paths if path.is_file())


@pytest.fixture
def world(place, monkeypatch):
    made = World(place.path / "systemd")
    for directory in (made.etc, made.lib, made.path / "bin"):
        directory.mkdir(parents=True)
    for name in ("systemctl", "journalctl"):
        path = made.path / "bin" / name
        path.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        path.chmod(0o755)
    (made.path / "journal").touch()
    monkeypatch.setenv("FAKE_SYSTEMD", str(made.path))
    monkeypatch.setenv("PATH", f"{made.path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "UNITS", made.etc)
    return made


def test_check_run_again_change_restart_stop_absent(place, world):
    args = place.database(provider="systemd")
    unit = world.etc / "es-database.service"

    checked = place.run(args, check=True, diff=True)
    assert checked["changed"]
    assert f"ExecStart={place.path}/eventstored --config" in checked["diff"]["after"]
    assert "starts with the machine:\nTrue" in checked["diff"]["after"]
    assert world.calls() == []
    assert world.files() == []

    first = place.run(args)
    assert first["changed"]
    assert (first["status"], first["unit"]) == ("active (running)", str(unit))
    assert first["answer"]["state"] == "master"
    assert first["restart_needed"] == []
    assert world.calls() == [
        "systemctl daemon-reload",
        "systemctl enable es-database.service",
        "systemctl start es-database.service",
    ]
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    process = psutil.Process(first["pid"])
    assert process.environ()["LD_LIBRARY_PATH"] == str(place.path)

    for check in (True, False):
        again = place.run(args, check=check, diff=True)
        assert not again["changed"]
        assert again["diff"] == {"before": "", "after": ""}
    assert world.calls() == []

    more = {**args, "arguments": ["--stats-period-sec", "7"]}
    checked = place.run(more, check=True)
    assert checked["changed"]
    assert checked["restart_needed"] == [f"{unit} would be written"]
    changed = place.run(more)
    assert changed["changed"]
    assert changed["pid"] == first["pid"]
    assert changed["restart_needed"] == [f"{unit} was written after pid {first['pid']} was started"]
    assert world.calls() == ["systemctl daemon-reload"]
    restarted = place.run(more, "restarted")
    assert restarted["restart_needed"] == []
    assert psutil.Process(restarted["pid"]).cmdline()[-2:] == ["--stats-period-sec", "7"]
    assert [each.pid for each in place.processes()] == [restarted["pid"]]

    stopped = place.run(more, "stopped")
    assert stopped["changed"]
    assert stopped["status"] == "inactive (dead)"
    assert place.processes() == []
    assert not place.run(more, "stopped")["changed"]
    assert unit.exists()
    world.calls()
    assert place.run(more, "absent", check=True)["changed"]
    assert unit.exists()
    assert place.run(more, "absent")["changed"]
    assert world.calls() == ["systemctl disable es-database.service", "systemctl daemon-reload"]
    assert list(world.etc.iterdir()) == []
    assert not place.run(more, "absent")["changed"]


def test_a_boot_does_not_start_a_node_whose_data_are_not_there(place, world):
    """As after a boot without the disk: what starts the node then is systemd alone."""
    disk, away, new = (place.path / name for name in ("disk", "away", "new"))
    disk.mkdir()
    (disk / "writer.chk").write_bytes((4096).to_bytes(8, "little"))
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, Db=disk)
    args = place.database(provider="systemd")
    note = Path(f"{args['config']}.data")
    place.run(args, "installed")
    note.write_text(f"{disk}\n")

    def boot() -> int:
        return subprocess.run(
            ["systemctl", "start", "es-database.service"],  # noqa: S607
            capture_output=True,
            check=False,
        ).returncode

    disk.rename(away)
    disk.mkdir()
    assert boot() == 1
    assert place.processes() == []
    assert f"There is no database in {disk}" in (world.path / "journal").read_text()
    disk.rmdir()
    away.rename(disk)
    assert boot() == 0
    assert len(place.processes()) == 1
    place.run(args, "stopped")

    disk.rename(new)
    place.write("database.yaml", IntIp=place.ip, ExtIp=place.ip, Db=new)
    assert boot() == 1
    assert place.run(args)["status"] == "active (running)"
    assert note.read_text() == f"{new}\n"


def test_installed_starts_nothing_and_can_leave_the_boot_alone(place, world):
    args = place.database(provider="systemd", enabled=False)
    assert place.run(args, "installed")["changed"]
    assert world.calls() == ["systemctl daemon-reload"]
    assert place.processes() == []
    assert not place.run(args, "installed")["changed"]
    assert place.run({**args, "enabled": True}, "stopped")["changed"]
    assert world.calls() == ["systemctl enable es-database.service"]
    assert world.files() == ["etc/es-database.env", "etc/es-database.service"]
    assert place.run({**args, "enabled": False}, "stopped")["changed"]
    assert world.calls() == ["systemctl disable es-database.service"]


def test_a_unit_of_a_package_gets_a_drop_in_only(place, world):
    (world.lib / "eventstore.service").write_text(VENDOR)
    args = place.database(provider="systemd") | {"name": "eventstore"}
    subprocess.run(["systemctl", "daemon-reload"], check=True)  # noqa: S607  as a package does
    result = place.run(args)
    assert result["answer"]["state"] == "master"
    assert result["unit"] == f"{world.etc}/eventstore.service.d/es_service.conf"
    assert (world.lib / "eventstore.service").read_text() == VENDOR
    drop_in = "etc/eventstore.service.d/es_service.conf"
    assert world.files() == ["etc/eventstore.env", drop_in, "lib/eventstore.service"]
    assert not place.run(args)["changed"]
    assert place.run(args, "absent")["changed"]
    assert world.files() == ["lib/eventstore.service"]
    assert list(world.etc.iterdir()) == []


def test_a_unit_written_by_hand_is_not_overwritten(place, world):
    (world.etc / "es-database.service").write_text(VENDOR)
    subprocess.run(["systemctl", "daemon-reload"], check=True)  # noqa: S607
    result = place.run(place.database(provider="systemd"))
    assert result["answer"]["state"] == "master"
    assert (world.etc / "es-database.service").read_text() == VENDOR


def test_secrets_are_for_root_only(place, world):
    secret = "s3cret-of-a-test"  # noqa: S105
    args = place.database(provider="systemd", environment={"EVENTSTORE_CERTIFICATE_PASSWORD": secret, "A": "1"})
    first = place.run(args, diff=True)
    path = world.etc / "es-database.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert psutil.Process(first["pid"]).environ()["EVENTSTORE_CERTIFICATE_PASSWORD"] == secret
    assert secret not in (world.etc / "es-database.service").read_text()
    assert secret not in json.dumps(first)
    assert "\nEVENTSTORE_CERTIFICATE_PASSWORD\n" in first["diff"]["after"]
    args["environment"]["EVENTSTORE_CERTIFICATE_PASSWORD"] = f"{secret}-2"
    second = place.run(args, diff=True)
    assert secret not in json.dumps(second)
    assert "\nEVENTSTORE_CERTIFICATE_PASSWORD (new value)\n" in second["diff"]["after"]
    assert "\nA\n" in second["diff"]["after"]
    assert "the environment differs in EVENTSTORE_CERTIFICATE_PASSWORD" in second["restart_needed"]


@pytest.mark.usefixtures("world")
def test_a_service_that_ends_at_once_is_told_with_the_journal(place):
    result = place.run(place.database(provider="systemd", environment={"STAND_IN": "dies"}))
    assert result["failed"]
    assert "es-database: it exited within" in result["msg"]
    assert result["msg"].endswith("it says hello\nDb: no such directory")


def test_a_service_that_systemd_is_about_to_start_again_is_started(place, world):
    args = place.database(provider="systemd")
    os.kill(place.run(args)["pid"], signal.SIGKILL)
    while place.processes():
        pass
    world.calls()
    again = place.run(args)
    assert again["changed"]
    assert world.calls() == ["systemctl start es-database.service"]
    assert again["answer"]["state"] == "master"


def test_a_node_runs_where_its_software_is(place, world):
    first = place.run(place.database(provider="systemd"))
    assert f"\nWorkingDirectory={place.path}\n" in (world.etc / "es-database.service").read_text()
    assert psutil.Process(first["pid"]).cwd() == str(place.path)


@pytest.mark.usefixtures("world")
def test_nodes_that_a_manager_leaves_behind_are_stopped(place):
    args = place.manager(provider="systemd", environment={"STAND_IN": "careless"})
    place.run(args)
    while len(place.processes()) < 3:
        pass
    stopped = place.run(args, "stopped")
    assert stopped["changed"]
    assert "warnings" not in stopped  # none had to be killed
    assert place.processes() == []


def test_a_masked_unit_is_refused(place, world):
    (world.etc / "es-database.service").symlink_to("/dev/null")
    result = place.run(place.database(provider="systemd"))
    assert result["failed"]
    assert "es-database.service is masked (systemctl unmask es-database.service)" in result["msg"]


def test_a_machine_without_systemd_is_told(place, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    result = place.run(place.database(provider="systemd"))
    assert result["failed"]
    assert result["msg"] == "provider systemd: systemctl is not installed on this machine. Use provider: process"


def test_auto_is_systemd_where_the_machine_was_booted_with_it(place, world, monkeypatch):
    monkeypatch.setattr(systemd, "BOOTED", world.path)
    assert "unit" in place.run(place.database(provider="auto"), check=True)
    monkeypatch.setattr(systemd, "BOOTED", world.path / "absent")
    assert "unit" not in place.run(place.database(provider="auto"), check=True)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("words", [["restart", "x.service"], ["start", "x"], ["show", "--all", "x.service"], ["stop"]])
def test_the_stand_in_refuses_what_it_does_not_know(words):
    assert subprocess.run(["systemctl", *words], capture_output=True, check=False).returncode != 0  # noqa: S607
