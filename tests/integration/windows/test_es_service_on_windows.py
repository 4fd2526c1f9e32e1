# SPDX-License-Identifier: GPL-3.0-or-later
"""es_service on the stand-in: the vendor's installer, net.exe, and what the service control manager says afterwards.

A started service is a real manager: it is asked with curl.
"""

from __future__ import annotations

import contextlib
import typing as t

import psutil
import pytest

from tests.doubles.windows import services
from tests.integration.windows.machines import Ansible, Windows
from tests.lab_site import curl

NET = "127.0.101"
WAYS = {"winrm": "de", "psrp": "it", "ssh": "en"}
PROGRAM = "c:\\Event Store\\EventStore.WindowsManager.exe"
CONFIG = "c:\\Event Store\\manager.yaml"
PORTS = (30777, 30778)


def es_service(state: str, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    arguments = {"name": "es-one", "kind": "manager", "state": state, "executable": PROGRAM, "config": CONFIG, **more}
    return {"eventstore.cluster.es_service": arguments, "check_mode": check}


def machine(folder: t.Any, way: str, ip: str, **settings: t.Any) -> Windows:
    """A machine with a manager's files and reservations, and no service."""
    made = Windows(folder, way, ip, **settings)
    made.machine.make_directory("c:\\Event Store")
    made.machine.put(PROGRAM, b"")
    made.machine.put(
        CONFIG, f"IntIp: {ip}\r\nExtIp: {ip}\r\nDiscoverViaDns: false\r\nEnableWatchdog: false\r\n".encode()
    )
    made.machine.write("urlacl", {f"http://{ip}:{port}/": "D:(A;;GX;;;LS)" for port in PORTS})
    return made


LIFE = {
    "check": es_service("started", check=True),
    "install": es_service("installed"),
    "install again": es_service("installed"),
    "check start": es_service("started", check=True),
    "start": es_service("started"),
    "start again": es_service("started"),
    "check started": es_service("started", check=True),
    "by hand": es_service("started", enabled=False),
    "automatic": es_service("started", enabled=True),
    "stop": es_service("stopped"),
    "stop again": es_service("stopped"),
    "start once more": es_service("started"),
    "restart": es_service("restarted"),
    "check remove": es_service("absent", check=True),
    "remove": es_service("absent"),
    "remove again": es_service("absent"),
    "bad name": es_service("started", name="-x"),
    "bad path": es_service("started", config="c:\\a\\..\\manager.yaml"),
}
SAME = ("install again", "start again", "check started", "stop again", "remove again", "bad name", "bad path")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("services")
    with contextlib.ExitStack() as stack:
        machines = {
            way: stack.enter_context(machine(folder / way, way, f"{NET}.{last}", locale=locale))
            for last, (way, locale) in enumerate(WAYS.items(), start=11)
        }
        results = Ansible(folder / "ansible").tasks(machines, list(LIFE.values()))
        yield machines, {way: dict(zip(LIFE, results[way])) for way in machines}


@pytest.mark.parametrize("way", WAYS)
def test_only_what_differs_changes(life: t.Any, way: str) -> None:
    machines, results = life
    assert machines[way].refused() == []
    failed = {step: result.get("msg") for step, result in results[way].items() if result.get("failed")}
    assert list(failed) == ["bad name", "bad path"], failed
    assert [step for step, result in results[way].items() if not result.get("changed")] == list(SAME)


@pytest.mark.parametrize("way", WAYS)
def test_the_documented_commands_are_what_is_run(life: t.Any, way: str) -> None:
    machines, results = life
    install = [PROGRAM, "install", "-InstanceName", "es-one", "-ManagerConfig", CONFIG]
    start, stop = ["net.exe", "start", "es-one"], ["net.exe", "stop", "es-one"]
    mode = ["sc.exe", "config", "es-one", "start="]
    assert machines[way].changes() == [
        *(install, start, [*mode, "demand"], [*mode, "delayed-auto"], stop, start, stop, start, stop),
        [PROGRAM, "uninstall", "-InstanceName", "es-one"],
    ]
    assert machines[way].services == {}
    shown = [each.replace('"', "") for each in results[way]["check"]["commands"]]
    assert shown == [" ".join(install), " ".join(start)]


# What is wrong, what is asked for, what is said, and the state afterwards (None: no service).
FAULTS: dict[str, tuple[str, dict[str, t.Any], str, tuple[str, ...], int | None]] = {
    "nobody logged in": ("winrm", {"logged_in": False}, "started", ("nothing", "logged"), None),
    "not elevated": ("psrp", {"elevated": False, "locale": "de"}, "installed", ("administrator",), None),
    "not there": ("ssh", {"missing": ["EventStore.WindowsManager.exe"]}, "installed", ("does not exist",), None),
    "does not start": ("winrm", {"start_fails": True, "locale": "it"}, "started", ("es-one",), services.STOPPED),
    "slow": ("psrp", {"delay_s": {"net.exe": 1.5}}, "started", (), services.RUNNING),
    "marked for a while": ("winrm", {"marked_s": 2.5}, "absent", (), None),
    "marked for good": ("psrp", {"marked_s": 900}, "absent", ("delet",), services.STOPPED),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("faults")
    names = {name: name.replace(" ", "_") for name in FAULTS}
    with contextlib.ExitStack() as stack:
        machines = {}
        for last, (name, (way, settings, state, _words, _after)) in enumerate(FAULTS.items(), start=31):
            made = stack.enter_context(machine(folder / names[name], way, f"{NET}.{last}", **settings))
            if state == "absent":
                services.install(made.machine, "es-one", PROGRAM, "", CONFIG)
            machines[names[name]] = made
        ansible = Ansible(folder / "ansible")
        task = es_service("{{ wanted[inventory_hostname] }}", timeout=6)
        task["vars"] = {"wanted": {names[name]: fault[2] for name, fault in FAULTS.items()}}
        done = ansible.tasks(machines, [task], "-e", "ansible_psrp_operation_timeout=1")
        states = {
            name: {each: services.state(service) for each, service in machines[names[name]].services.items()}
            for name in FAULTS
        }
        answers = {name: curl(f"http://{machines[names[name]].ip}:30778/gossip?format=json") for name in FAULTS}
        yield {name: (machines[names[name]], done[names[name]][0], states[name], answers[name]) for name in FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_or_waited_for(faults: t.Any, fault: str) -> None:
    machine_, result, states, answer = faults[fault]
    _way, _settings, _state, words, after = FAULTS[fault]
    assert machine_.refused() == []
    assert bool(result.get("failed")) == bool(words), result
    assert [word for word in words if word not in result["msg"]] == [] if words else True
    assert states == ({} if after is None else {"es-one": after})
    assert (answer[0] == 200 and '"Manager"' in answer[1]) == (after == services.RUNNING)


def test_what_is_stopped_as_a_manager_and_is_none_is_left_alone(tmp_path: t.Any) -> None:
    """A node, or a wrapper of one, that somebody has made a service of Windows; ``kind`` says otherwise."""
    with machine(tmp_path / "wrong", "winrm", f"{NET}.61") as made:
        services.install(made.machine, "es-one", f'"{PROGRAM}" -InstanceName es-one', "", CONFIG)
        services.start(made.machine, "es-one")
        (pid, created) = (made.services["es-one"][name] for name in ("pid", "created"))
        stored = made.services
        stored["es-one"]["image"] = '"c:\\Event Store\\nssm.exe"'
        made.machine.write("services", stored)
        tasks = [es_service(state) for state in ("stopped", "restarted", "absent")]
        before = made.changes()
        results = Ansible(tmp_path / "ansible").tasks({"wrong": made}, tasks)["wrong"]
        assert made.refused() == []
        for result in results:
            assert "kind is manager, but the service runs nssm.exe" in result["msg"]
        assert made.changes() == before
        assert psutil.Process(pid).create_time() == created
