# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine tells of the version that was started on it last, and when preflight refuses another one."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import preflight
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.service import systemd
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import Definition
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade import last_version

PYTHON = "/opt/python/3.11.2/bin/python3"
MANAGER = [PYTHON, "/opt/eventstore/es-manager.pyz", "--config", "/etc/eventstore/manager.yaml"]


@pytest.mark.parametrize(
    ("command", "version"),
    [
        ([*MANAGER, "--node-executable", "/opt/eventstore/3.4.0/eventstored", "--watchdog-state", "/x"], "3.4.0"),
        (["/opt/eventstore/4.1.1-hotfix1/eventstored", "--config", "/etc/5.0.0/database.yaml"], "4.1.1-hotfix1"),
        (["/srv/5.0.11/bin/eventstored"], "5.0.11"),
        (["/usr/bin/eventstored", "--config", "/opt/eventstore/3.4.0/x"], ""),
        (["/opt/eventstore/current/eventstored"], ""),
        ([*MANAGER, "--node-executable", "/usr/bin/eventstored"], ""),
        ([], ""),
    ],
)
def test_the_version_of_a_command_line(command, version):
    assert last_version.version_of(command) == version


@pytest.fixture(params=["managers", "nodes"])
def machine(request, tmp_path):
    variables = {
        "eventstore_cluster_mode": request.param,
        "eventstore_version": "4.0.3",
        "eventstore_root": f"{tmp_path}/software",
        "eventstore_config_dir": f"{tmp_path}/config",
        "eventstore_data_dir": f"{tmp_path}/data",
        "eventstore_run_dir": f"{tmp_path}/run",
        "eventstore_service_provider": "process",
    }
    made = plan({f"node{n}": {"eventstore_int_ip": f"127.0.71.{n}", **variables} for n in (1, 2, 3)})
    assert made["problems"] == []
    for name in ("config", "data", "run"):
        (tmp_path / name).mkdir()
    return {**made["hosts"]["node1"], "dns": made["dns"], "provider": "process"}


def service(machine):
    return (machine["manager"] or machine["nodes"][0])["service"]


def command(machine, version):
    program = f"{machine['software']['root']}/{version}/eventstored"
    return [*MANAGER, "--node-executable", program] if machine["manager"] else [program, "--config", "x y"]


def unpack(machine, *versions):
    for version in versions:
        home = pathlib.Path(machine["software"]["root"], version)
        home.mkdir(parents=True)
        (home / "eventstored").write_text("")


def told(machine):
    return [problem.text for problem in preflight._last_version(machine, last_version.last_versions(machine))]


def record(machine, version):
    data = {"pid": 1, "start_time": 1, "boot_id": "of before", "argv": command(machine, version)}
    pathlib.Path(machine["run_dir"], f"{service(machine)}.pid").write_text(json.dumps(data))


def test_a_first_deployment(machine):
    assert last_version.last_versions(machine) == {}
    unpack(machine, "3.4.0")  # of another cluster
    assert told(machine) == []


def test_the_pid_file_of_a_process_that_ended(machine):
    record(machine, "3.4.0")
    assert told(machine) == [f"{service(machine)} last ran 3.4.0, but eventstore_version is 4.0.3"]
    record(machine, "4.0.3")
    assert told(machine) == []


@pytest.mark.parametrize("of_package", [False, True])
def test_the_unit_of_systemd(machine, of_package, tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "UNITS", tmp_path)
    definition = Definition(service(machine), "manager", tuple(command(machine, "3.4.0")))
    path = tmp_path / f"{definition.name}.service"
    if of_package:
        path.write_text("[Service]\nExecStart=/usr/4.0.3/eventstored\n")
        path = tmp_path / f"{definition.name}.service.d" / systemd.DROP_IN
        path.parent.mkdir()
    path.write_text((systemd.drop_in if of_package else systemd.unit)(definition, None))
    assert systemd.installed_command(definition.name) == list(definition.argv)
    assert last_version.last_versions({**machine, "provider": "systemd"}) == {definition.name: "3.4.0"}
    path.unlink()
    assert last_version.last_versions({**machine, "provider": "systemd"}) == {}


def test_data_without_a_trace_are_of_a_version_that_is_there(machine):
    pathlib.Path(machine["nodes"][0]["options"]["Db"], "writer.chk").write_bytes(bytes(8))
    assert told(machine) == []  # of a machine that was restored, for all that is known
    unpack(machine, "3.4.0", "3.9.4", "not-a-version")
    assert told(machine) == [f"{service(machine)} last ran 3.9.4, but eventstore_version is 4.0.3"]
    unpack(machine, "4.0.3", "4.1.4")  # it may wait for an upgrade
    assert told(machine) == []


def test_without_a_trace_what_waits_beside_the_files_tells_of_an_upgrade(machine):
    config = pathlib.Path(machine["nodes"][0]["config"])
    beside = config.with_name(f"{config.name}.4.0.3")
    config.write_text("Db: /x\n")
    beside.write_text("Db: /x\n")  # kept for a way back, and brought back
    assert told(machine) == []
    beside.write_text("Db: /y\n")
    assert told(machine) == [f"{beside} belongs to an interrupted upgrade, and the last version is not known"]
    record(machine, "4.0.3")
    assert told(machine) == []
