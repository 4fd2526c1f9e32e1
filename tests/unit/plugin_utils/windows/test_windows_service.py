# SPDX-License-Identifier: GPL-3.0-or-later
"""What es_service decides on Windows: by the service control manager, not by what a program said or ended with."""

from __future__ import annotations

import struct
import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    EventStoreError,
    GossipError,
    HostError,
    ServiceError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.service import readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, script, services
from ansible_collections.eventstore.cluster.plugins.modules.es_service import cluster_of
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import service
from tests.unit.plugin_utils.windows.scripted import Scripted, Step, content, kind, ran, registry, said, state

PROGRAM = "c:\\EventStore\\3.4.0\\EventStore.WindowsManager.exe"
CONFIG, WATCHDOG, DATABASE = (f"c:\\es\\{name}" for name in ("manager.yaml", "watchdog.esconfig", "database.yaml"))
RESTARTS = struct.pack("<7I", 86400, 0, 0, 1, 20, 1, 5000).hex()
GOOD = {
    **{"Start": "0x2", "DelayedAutostart": "0x1", "ImagePath": f'"{PROGRAM}" -x', "FailureActions": RESTARTS},
    "FailureActionsOnNonCrashFailures": "0x1",
}
STOP, START = ran(*services.stop("es")), ran(*services.start("es"))
INSTALL = services.install(PROGRAM, "es", CONFIG)
UNINSTALL = ran(*services.uninstall(PROGRAM, "es"))
NO_PID = ran(*services.query_process("es"), out="PID : 0")
IS_THERE = kind(PROGRAM, "FILE")
PARAMS: dict[str, t.Any] = {
    **{"name": "es", "kind": "manager", "state": "started", "provider": "auto", "enabled": None, "version": "3.4.0"},
    **{"executable": PROGRAM, "config": CONFIG, "timeout": 10.0, "arguments": [], "environment": {}, "user": None},
    **{"group": None, "upgrade": None, "cluster": None},
}


def bring(there: t.Any, state_: str, **params: t.Any) -> dict[str, t.Any]:
    given = {**PARAMS, "state": state_, **params}
    return service.WindowsService(there, given).bring_to(state_, cluster_of(given))


def after(name: str | None, values: dict[str, str] | None = None) -> list[Step]:
    """The last look, from which the result is made."""
    runs = [NO_PID] if name not in (None, "STOPPED") else []
    return [state(name), *([registry(**(values or GOOD))] if name else []), *runs]


def listening(*endpoints: str, again: bool = False) -> Step:
    lines = [f"  TCP    {endpoint}    0.0.0.0:0    LISTENING    7" for endpoint in endpoints]
    return ran(*network.show_listeners(), out="\n".join(lines), again=again)


NO_NODES = content(CONFIG, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nEnableWatchdog: false\n")
FOUND = [state("STOPPED"), registry(**GOOD), NO_NODES]
RUNS = [state("RUNNING"), registry(**GOOD), NO_NODES]


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked over HTTP; all answer."""
    asked: list[str] = []

    def ask(_kind: str, endpoint: t.Any) -> dict[str, t.Any]:
        asked.append(str(endpoint))
        return {"serverIp": endpoint.ip}

    monkeypatch.setattr(readiness, "ask", ask)
    return asked


# -- installing --------------------------------------------------------------------------------------------------------


def test_the_service_that_is_there_afterwards_counts_and_not_how_the_installer_ended() -> None:
    steps = [IS_THERE, ran(*INSTALL, out="fatal", code=3), state(None), state("STOPPED"), *FOUND[:2]]
    with Scripted(state(None), NO_NODES, *steps, *after("STOPPED")) as there:
        done = bring(there, "installed")
        assert there.commands == [" ".join(INSTALL)]
    assert (done["changed"], done["status"], done["start_mode"]) == (True, "STOPPED", "delayed")
    assert done["warnings"] == []


@pytest.mark.parametrize("printed", ["", "Cannot start service from the command line or a debugger."])
def test_an_installer_that_ends_with_0_and_installs_nothing_is_explained(clock: list[float], printed: str) -> None:
    steps = [NO_NODES, IS_THERE, ran(*INSTALL, out=printed), state(None, again=True)]
    with Scripted(state(None), *steps) as there, pytest.raises(HostError, match="knows no service es") as failed:
        bring(there, "started")
    assert (printed or "It printed nothing") in str(failed.value)
    assert " ".join(INSTALL) in str(failed.value)
    assert clock[0] >= service.SEEN_TIMEOUT_S


@pytest.mark.parametrize("found", ["ABSENT", "DIRECTORY"])
def test_nothing_is_run_that_is_not_there(found: str) -> None:
    with (
        Scripted(state(None), NO_NODES, kind(PROGRAM, found)) as there,
        pytest.raises(ServiceError, match="Unpack the vendor's software first"),
    ):
        bring(there, "installed")
    given = [state("STOPPED"), registry(**GOOD), NO_NODES, kind(PROGRAM, found)]
    with Scripted(*given) as there, pytest.raises(ServiceError, match=r"sc\.exe delete es"):
        bring(there, "absent")


def test_a_service_that_is_marked_for_deletion_is_waited_for_before_it_is_installed(clock: list[float]) -> None:
    marked = {**GOOD, "DeleteFlag": "0x1"}
    begin = [state("STOPPED"), registry(**marked), NO_NODES]
    installs = [IS_THERE, ran(*INSTALL), state("STOPPED"), *FOUND[:2]]
    with Scripted(*begin, state("STOPPED"), state(None), *installs, *after("STOPPED")) as there:
        assert bring(there, "installed")["changed"]
    with (
        Scripted(*begin, state("STOPPED", again=True), registry(**marked)) as there,
        pytest.raises(ServiceError, match=r"it is marked for deletion, so it cannot be installed: .*1072"),
    ):
        bring(there, "installed")
    assert clock[0] >= 10


def test_a_service_that_is_there_is_not_installed_again_and_one_from_elsewhere_is_told() -> None:
    old = {**GOOD, "ImagePath": '"C:\\EventStore\\3.3.0\\EventStore.WindowsManager.exe" -x'}
    with Scripted(state("STOPPED"), registry(**old), NO_NODES, *after("STOPPED", old)) as there:
        done = bring(there, "installed")
    assert not done["changed"]
    assert "was installed from another place: " in done["warnings"][0]
    assert "3.3.0" in done["warnings"][0]


# -- how it starts, and what follows its end ---------------------------------------------------------------------------

MODES = [
    ("0x2", {"DelayedAutostart": "0x1"}, "delayed"),
    ("0x2", {"DelayedAutostart": "0x0"}, "auto"),
    ("0x3", {}, "manual"),
]


@pytest.mark.parametrize(("start", "more", "mode"), MODES)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_wrong_start_mode_is_set_and_looked_at(start: str, more: dict[str, str], mode: str, enabled: bool) -> None:
    found = registry(**{**GOOD, "Start": start, **more})
    is_right = enabled == (mode != "manual")
    sets = ran(*services.set_start_mode("es", automatic=enabled), code=5)  # what it ends with does not count
    wanted = {**GOOD, "Start": "0x2" if enabled else "0x3"}
    steps = [] if is_right else [sets, state("STOPPED"), registry(**wanted)]
    with Scripted(state("STOPPED"), found, NO_NODES, *steps, *after("STOPPED")) as there:
        assert bring(there, "installed", enabled=enabled)["changed"] is not is_right
    if not is_right:
        with (
            Scripted(state("STOPPED"), found, NO_NODES, sets, state("STOPPED"), found) as there,
            pytest.raises(ServiceError, match=f"its start mode stayed {mode}: sc.exe ended with 5"),
        ):
            bring(there, "installed", enabled=enabled)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({**GOOD, "FailureActions": ""}, "Windows does not restart it after a failure"),
        ({**GOOD, "FailureActionsOnNonCrashFailures": "0x0"}, "An end with exit code 0 is never followed by a restart"),
    ],
)
def test_a_service_that_windows_would_not_restart_is_told_at_each_run(values: dict[str, str], told: str) -> None:
    with Scripted(state("STOPPED"), registry(**values), NO_NODES, *after("STOPPED", values)) as there:
        done = bring(there, "installed")
    assert not done["changed"]
    assert [told in warning for warning in done["warnings"]] == [True]


# -- starting ----------------------------------------------------------------------------------------------------------


def test_a_start_is_over_when_the_manager_answers_and_not_before(answers: list[str]) -> None:
    waits = [state("START_PENDING"), state("START_PENDING"), state("RUNNING")]
    with Scripted(*FOUND, ran(*services.start("es"), code=2), *waits, *after("RUNNING")) as there:
        done = bring(there, "started")
    assert (done["changed"], done["status"]) == (True, "RUNNING")
    assert answers == ["192.168.1.11:30778"]


@pytest.mark.parametrize(
    ("seen", "told", "waits"),
    [
        (state("STOPPED"), "it is STOPPED and not RUNNING", False),
        (state(None), "it is not installed and not RUNNING", False),
        (state("START_PENDING", again=True), "it is START_PENDING and not RUNNING", True),
        (state("PAUSED", again=True), "it is PAUSED and not RUNNING", True),
    ],
)
def test_a_start_that_comes_to_nothing_fails_with_what_the_host_said(
    clock: list[float], answers: list[str], seen: Step, told: str, waits: bool
) -> None:
    with (
        Scripted(*FOUND, ran(*services.start("es"), out="The service was started.", code=0), seen) as there,
        pytest.raises(ServiceError, match=rf"{told}; net\.exe ended with 0: The service was started"),
    ):
        bring(there, "started")
    assert (clock[0] >= 10) == waits
    assert answers == []


def test_a_manager_that_runs_and_does_not_answer_fails_and_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_asked: object) -> dict[str, t.Any]:
        raise GossipError("no answer")

    monkeypatch.setattr(readiness, "ask", silent)
    with (
        Scripted(*FOUND, START, state("RUNNING")) as there,
        pytest.raises(ServiceError, match=r"within 10 s it did not answer .*left running"),
    ):
        bring(there, "started")
    with Scripted(*RUNS, NO_PID) as there, pytest.raises(ServiceError, match="did not answer"):
        bring(there, "started")


def test_one_that_runs_with_older_files_is_told_and_not_touched() -> None:
    pid = ran(*services.query_process("es"), out="        PID                : 812")
    times = [
        said(script.started_at(812), "TIME:2026-11-23T08:51:30"),
        said(script.written_at(CONFIG), "TIME:2026-11-23T08:51:31"),
    ]
    with Scripted(*RUNS, pid, *times, *RUNS[:2], pid, *times) as there:
        done = bring(there, "started")
    assert (done["changed"], done["pid"]) == (False, 812)
    assert done["restart_needed"] == [f"{CONFIG} was written after pid 812 was started"]
    same = [times[0], said(script.written_at(CONFIG), "TIME:2026-11-23T08:51:30")]
    with Scripted(*RUNS, pid, *same, *RUNS[:2], pid, *same) as there:
        assert bring(there, "started")["restart_needed"] == []


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_the_end_of_the_service() -> None:
    waits = [state("STOP_PENDING"), state("STOP_PENDING"), state("STOPPED"), listening()]
    with Scripted(*RUNS, listening(), ran(*services.stop("es"), code=2), *waits, *after("STOPPED")) as there:
        assert bring(there, "stopped")["status"] == "STOPPED"
    with Scripted(*FOUND, *after("STOPPED")) as there:
        assert not bring(there, "stopped")["changed"]


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize("stays", ["STOP_PENDING", "RUNNING"])
def test_a_stop_that_does_not_end_fails_and_nothing_follows_it(clock: list[float], wanted: str, stays: str) -> None:
    steps = [listening(), ran(*services.stop("es"), out="2186", code=2), state(stays, again=True)]
    with Scripted(*RUNS, *steps) as there, pytest.raises(ServiceError, match=f"it is {stays} after 10 s; .* 2: 2186"):
        bring(there, wanted)
    assert clock[0] >= 10


NODES = [
    content(CONFIG, f"IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nEnableWatchdog: true\nWatchdogConfig: {WATCHDOG}\n"),
    content(WATCHDOG, f"# --config {DATABASE}\n"),
]
NODE = content(DATABASE, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nClusterSize: 3\n")
SINGLE = content(DATABASE, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nClusterSize: 1\n")
LISTENS = listening("192.168.1.11:2112", "192.168.1.11:2113", "192.168.1.11:30777")


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize(
    ("files", "size"),
    [
        ([*NODES, NODE], "of a cluster of 3 nodes"),
        ([*NODES, content(DATABASE, None)], "of a cluster of an unknown number of nodes"),
        ([NODES[0], content(WATCHDOG, None)], "of a cluster of an unknown number of nodes"),
        ([content(CONFIG, "a: [")], "of a cluster of an unknown number of nodes"),
    ],
    ids=["member", "no node file", "no list", "damaged"],
)
def test_a_stop_of_a_member_is_refused_where_the_cluster_cannot_be_asked(
    files: list[Step], size: str, wanted: str
) -> None:
    """And where the files do not tell which nodes there are, whatever listens may be one."""
    must = wanted == "restarted" and files[0] not in NODES
    steps = [*RUNS[:2], *files, *([] if must else [LISTENS])]
    with Scripted(*steps) as there, pytest.raises(EventStoreError) as refused:
        bring(there, wanted)
    if not must:  # that one is refused for its damaged file before
        assert size in str(refused.value)
        assert "not stopped" in str(refused.value)
    assert there.commands == []


@pytest.mark.parametrize(("cluster", "node"), [(None, SINGLE), ({"name": "c", "override": "c"}, NODE)])
def test_a_cluster_of_one_or_one_whose_name_was_typed_is_stopped(cluster: dict[str, t.Any] | None, node: Step) -> None:
    given = cluster and {**dict.fromkeys(("settle", "wait", "stall"), 0), "owner": "me", **cluster}
    steps = [*NODES, node, LISTENS, STOP, state("STOPPED"), listening()]
    with Scripted(*RUNS[:2], *steps, *after("STOPPED")) as there:
        assert bring(there, "stopped", cluster=given)["warnings"] == []


def test_nodes_that_outlive_their_manager_are_told(clock: list[float]) -> None:
    left = listening("192.168.1.11:2112", again=True)
    with Scripted(*RUNS[:2], *NODES, SINGLE, LISTENS, STOP, state("STOPPED"), left, *after("STOPPED")) as there:
        (told,) = bring(there, "stopped")["warnings"]
    assert "still listen on 192.168.1.11:2112" in told
    assert clock[0] >= 10


# -- removing ----------------------------------------------------------------------------------------------------------


def test_what_is_removed_is_gone_and_not_only_told_to_be() -> None:
    with Scripted(*FOUND, IS_THERE, UNINSTALL, state("STOPPED"), state(None), *after(None)) as there:
        assert bring(there, "absent")["status"] == "not installed"
    with Scripted(state(None), NO_NODES, *after(None)) as there:
        assert not bring(there, "absent")["changed"]
    marked = registry(**GOOD, DeleteFlag="0x1")
    for left, told in (
        (marked, "marked for deletion.*Close the Services window"),
        (registry(**GOOD), "and not marked"),
    ):
        steps = [*FOUND, IS_THERE, UNINSTALL, state("STOPPED", again=True), left]
        with Scripted(*steps) as there, pytest.raises(ServiceError, match=told):
            bring(there, "absent")
    with Scripted(*FOUND) as there, pytest.raises(ServiceError, match="executable is missing"):
        bring(there, "absent", executable=None)
    with Scripted(state("STOPPED"), marked, NO_NODES, state(None), *after(None)) as there:  # nothing is run twice
        assert bring(there, "absent")["changed"]


# -- check mode, and what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "steps", "commands"),
    [
        ("started", [state(None), NO_NODES, *after(None)], [" ".join(INSTALL), "net.exe start es"]),
        ("restarted", [*RUNS, listening(), *after("RUNNING")], ["net.exe stop es", "net.exe start es"]),
        (
            "absent",
            [*RUNS, listening(), *after("RUNNING")],
            ["net.exe stop es", f"{PROGRAM} uninstall -InstanceName es"],
        ),
    ],
)
def test_check_mode_tells_the_commands_and_runs_none(wanted: str, steps: list[Step], commands: list[str]) -> None:
    with Scripted(*steps, check_mode=True) as there:
        assert bring(there, wanted)["changed"]
        assert there.commands == commands


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "database"}, "only below a manager"),
        ({"provider": "systemd"}, "provider is systemd"),
        ({"arguments": ["-x"]}, "arguments is given"),
        ({"environment": {"A": "b"}}, "environment is given"),
        ({"user": "x"}, "user is given"),
        ({"group": "x"}, "group is given"),
        ({"upgrade": {"from": "3.3.0"}}, "the way back would need"),
    ],
)
def test_options_that_would_be_ignored_are_refused(given: dict[str, t.Any], told: str) -> None:
    service.refuse_foreign(PARAMS)
    with pytest.raises(ServiceError, match=told):
        service.refuse_foreign({**PARAMS, **given})


def test_a_state_that_cannot_be_told_ends_it_before_anything_is_done() -> None:
    for answer in (ran(*services.query("es"), code=5), ran(*services.query("es"), out="STATE : 9 GONE")):
        with Scripted(answer) as there, pytest.raises(HostError, match="expected the state of a service"):
            bring(there, "absent")
