# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at a Windows machine finds wrong with it: each wrong answer alone makes its problem, and no other."""

from __future__ import annotations

import itertools
import types
import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, script, urlacl
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import host as host_module
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import preflight
from tests.unit.plugin_utils.windows.scripted import Scripted, Step, content, kind, process, ran, said, state

NOW = 1795427490.0  # 2026-11-23T09:51:30
IP = "192.168.1.11"
ROUTES = f"  {IP}  255.255.255.255  On-link  {IP}  281"
HOME = "c:\\EventStore\\3.4.0"
PROGRAM, MANAGER = f"{HOME}\\EventStore.ClusterNode.exe", f"{HOME}\\EventStore.WindowsManager.exe"
CONFIG = {name: f"c:\\EventStore-Config\\{name}" for name in ("database.yaml", "manager.yaml", "watchdog.esconfig")}
ALL_IPS = " ".join(f"192.168.1.{last}" for last in (11, 12, 13))


def planned(**variables: t.Any) -> dict[str, t.Any]:
    """The plan of the first of three machines."""
    group = {
        **{"ansible_connection": "winrm", "eventstore_cluster_dns": "c.local", "eventstore_archive": "es.zip"},
        **variables,
    }
    made = plan({f"node{n}": {"eventstore_int_ip": f"192.168.1.{10 + n}", **group} for n in (1, 2, 3)})
    return {**made["hosts"]["node1"], "dns": made["dns"], "provider": made["provider"]}


def free(drive: str, size: int = 10**12) -> Step:
    return said(script.free_bytes(drive), f"FREE:{size}")


def listeners(*lines: str, http: str = "") -> list[Step]:
    return [ran(*network.show_listeners(), out="\n".join(lines)), ran(*network.show_queues(), out=http)]


def queue(*urls: str, pid: int) -> str:
    return "\n".join(
        ["Warteschlange:", "    Prozesse:", f"        ID: {pid}, image: <?>", *(f"    {url}" for url in urls)]
    )


def clock(text: str) -> Step:
    return said(script.time(), f"TIME:{text}")


def dns(answer: str) -> Step:
    return said(script.addresses_of("c.local"), answer)


TRUSTED = ("c:\\EventStore", "c:\\EventStore-Config")


def missing(path: str) -> Step:
    return said(script.permissions(path), "ERROR:-2146233087|Cannot find path.")


# A bare machine that can run its part, in the order in which it is asked. The URL list is in a language of its own.
FINE: dict[str, list[Step]] = {
    "program": [kind(PROGRAM, "ABSENT")],
    "service": [state(None, service="es-cluster1")],
    "session": [ran(*network.show_session(), out='"x","S-1-16-12288"')],
    "clock": [clock("2026-11-23T09:51:30")],
    "manager": [],
    "addresses": [ran(*network.show_addresses(), out=ROUTES)],
    "listeners": listeners(),
    "directories": [],
    "space": [free("d"), free("c")],
    "files": [content(path, None) for path in CONFIG.values()],
    "dns": [dns(f"ADDRESSES:{ALL_IPS} fe80::1")],
    "urls": [ran(*urlacl.show_command(), out="")],
    "permissions": [missing(path) for path in TRUSTED],
}
INSTALLED = {"program": [kind(PROGRAM, "FILE")], "manager": [kind(MANAGER, "FILE")], "space": [free("d")]}


@pytest.fixture(autouse=True)
def controller(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The controller's clock, read before and after each start of PowerShell; the starts still to come, in seconds."""
    durations: list[float] = []
    readings = [NOW]
    asked = itertools.count()

    def read() -> float:
        if next(asked) % 2 and durations:
            readings.append(readings[-1] + durations.pop(0))
        return readings[-1]

    monkeypatch.setattr(host_module, "time", types.SimpleNamespace(time=read))
    return durations


def look(given: dict[str, t.Any], **answers: list[Step]) -> dict[str, t.Any]:
    directories = {
        path: kind(path, "ABSENT") for path in [given["software"]["root"], given["config_dir"], *given["directories"]]
    }
    steps = {**FINE, "directories": list(directories.values()), **answers}
    with Scripted(*(step for name in FINE for step in steps[name])) as there:
        return preflight.inspect(there, given)


def test_a_machine_that_can_run_its_part_has_no_problem() -> None:
    assert look(planned()) == {
        **{"changed": False, "problems": [], "notes": [], "software_installed": False, "running": []},
        "nodes": [{"name": "database", "running": False, "cluster_size": None}],
    }
    assert look(planned(), **INSTALLED)["software_installed"]


def test_the_cluster_size_of_a_node_is_that_of_its_file() -> None:
    files = [content(path, "ClusterSize: 5\n" if path == CONFIG["database.yaml"] else None) for path in CONFIG.values()]
    assert look(planned(), files=files)["nodes"] == [{"name": "database", "running": False, "cluster_size": 5}]


def test_what_runs_holds_its_own_ports() -> None:
    done = look(planned(), service=[state("RUNNING", service="es-cluster1"), process(812, "es-cluster1")], listeners=[])
    assert done["running"] == [{"service": "es-cluster1", "config": CONFIG["manager.yaml"], "pid": 812}]
    assert done["problems"] == []


HTTP_SYS = " TCP  0.0.0.0"
DATABASE = "IntIp: 192.168.1.11\n"
TEST_PROBLEMS: list[tuple[str, dict[str, t.Any], dict[str, list[Step]], str]] = [
    ("not-admin", {}, {"session": [ran(*network.show_session(), out='"x","S-1-16-8192"')]}, "LocalAccountTokenFilter"),
    ("clock-skew", {}, {"clock": [clock("2026-11-23T09:52:32")]}, "62 s ahead"),
    ("clock-skew", {}, {"clock": [clock("2026-11-23T09:50:28")]}, "62 s behind"),
    ("no-software", {"eventstore_archive": None}, {}, "eventstore_archive is not set"),
    ("no-manager", {}, {**INSTALLED, "manager": [kind(MANAGER, "ABSENT")]}, "the commercial one"),
    ("address-absent", {}, {"addresses": [ran(*network.show_addresses(), out="")]}, f"{IP} is not an address"),
    ("port-taken", {}, {"listeners": listeners(f" TCP  {IP}:1113  0.0.0.0:0  ABH\u00d6REN  812")}, "process 812"),
    ("port-taken", {}, {"listeners": listeners(f"{HTTP_SYS}:30778  0.0.0.0:0  LISTENING  4")}, "servicestate"),
    (
        "port-taken",
        {},
        {"listeners": listeners(f"{HTTP_SYS}:2113  0.0.0.0:0  X  4", http=queue(f"HTTP://{IP}:2113:{IP}/", pid=815))},
        "Stop process 815",
    ),
    ("port-taken", {}, {"listeners": listeners(http=queue("HTTP://+:2113/X/", pid=816))}, "Stop process 816"),
    ("disk-full", {}, {"space": [free("d", 2**20), free("c")]}, "drive d has 1 MiB left"),
    ("disk-full", {}, {"space": [free("d"), free("c", 2**20)]}, "drive c has 1 MiB left"),
    ("no-drive", {}, {"space": [said(script.free_bytes("d"), "ERROR:0|not ready"), free("c")]}, "not ready"),
    ("dns-missing", {}, {"dns": [dns("ADDRESSES:192.168.1.12 192.168.1.11")]}, "192.168.1.13"),
    ("dns-extra", {}, {"dns": [dns(f"ADDRESSES:{ALL_IPS} 10.0.0.1")]}, "10.0.0.1"),
    ("dns-unresolved", {}, {"dns": [dns("ERROR:0|No such host")]}, "No such host"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "variables", "answers", "told"), TEST_PROBLEMS)
def test_one_wrong_answer_makes_one_problem(
    code: str, variables: dict[str, t.Any], answers: dict[str, list[Step]], told: str
) -> None:
    problems = look(planned(**variables), **answers)["problems"]
    assert {problem["code"] for problem in problems} == {code}
    assert any(told in f"{problem['text']} {problem['hint']}" for problem in problems)


@pytest.mark.parametrize("path", CONFIG.values())
@pytest.mark.parametrize("damaged", [None, b"\xff"])
def test_a_damaged_file_is_told_and_an_empty_one_is_none(path: str, damaged: bytes | None) -> None:
    damaged = damaged or (b"no line of it\n" if path.endswith("esconfig") else b"a: [")
    files = [content(each, damaged if each == path else b"\xef\xbb\xbf\r\n") for each in CONFIG.values()]
    (problem,) = look(planned(), files=files)["problems"]
    assert problem["code"] == "file-damaged"
    assert path in problem["text"]
    assert f"move {path} {path}.damaged" in problem["hint"]


def test_a_file_in_the_place_of_a_directory_is_told() -> None:
    given = planned()
    paths = dict.fromkeys([given["software"]["root"], given["config_dir"], *given["directories"]])
    for wrong in paths:
        steps = [kind(path, "FILE" if path == wrong else "DIRECTORY") for path in paths]
        (problem,) = look(given, directories=steps)["problems"]
        assert problem["code"] == "not-a-directory"
        assert wrong in problem["text"]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"eventstore_user": "x"}, "not-for-windows"),
        ({"eventstore_environment": {"A": "b"}}, "not-for-windows"),
        ({"eventstore_service_provider": "systemd"}, "not-linux"),
    ],
)
def test_what_windows_has_not_is_told(variables: dict[str, t.Any], code: str) -> None:
    assert [each["code"] for each in look(planned(**variables))["problems"]] == [code]


@pytest.mark.parametrize(
    ("first", "second", "is_wrong"),
    [
        ("09:51:30", None, False),
        ("09:53:00", "09:53:05", False),  # the middle of the two counts
        ("09:52:40", "09:52:40", False),  # it took 40 s to ask, so it can be anywhere between 30 s and 70 s ahead
        ("09:52:40", "09:53:13", True),
        ("09:53:30", None, True),
    ],
)
def test_a_clock_is_wrong_only_if_it_is_whenever_it_was_read(
    controller: list[float], first: str, second: str | None, is_wrong: bool
) -> None:
    controller.extend([40.0, 1.0])
    steps = [clock(f"2026-11-23T{text}") for text in (first, second) if text]
    with Scripted(*steps) as there:
        assert bool(list(preflight._clock(there))) == is_wrong


def test_a_reservation_in_the_way_is_noted_and_is_no_problem() -> None:
    shown = "    URL prenotati : http://+:2113/\n        Utente: \\Everyone\n            SDDL: D:(A;;GX;;;WD)\n"
    done = look(planned(), urls=[ran(*urlacl.show_command(), out=shown)])
    (note,) = done["notes"]
    assert "http://+:2113/ is reserved" in note
    assert done["problems"] == []


# What a directory has that is made below C:, and what the advice makes of it.
DEFAULT = "O:BAG:DUD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;OICIID;0x1301bf;;;AU)"
ADVISED = "O:BAG:DUD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;LS)"


@pytest.mark.parametrize(
    ("sddl", "is_told"),
    [
        (DEFAULT, True),
        (ADVISED, False),
        ("D:(A;;FW;;;LS)", True),
        ("D:(A;;FW;;;LS)(D;;FW;;;LS)", False),
        ("odd", False),
    ],
)
def test_what_the_services_account_could_replace_is_noted(sddl: str, is_told: bool) -> None:
    answers = [said(script.permissions(TRUSTED[0]), f"SDDL:{sddl}"), missing(TRUSTED[1])]
    notes = look(planned(), permissions=answers)["notes"]
    assert ["icacls c:\\EventStore /inheritance:r" in note for note in notes] == [True] * is_told


def test_a_linux_plan_is_refused_before_anything_is_asked() -> None:
    with Scripted() as there, pytest.raises(HostError, match="its variables do not say so"):
        preflight.inspect(there, {**planned(), "platform": "linux"})
