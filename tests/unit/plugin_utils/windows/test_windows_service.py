# SPDX-License-Identifier: GPL-3.0-or-later
"""What es_service decides on Windows: by the service control manager, not by what a program said or ended with."""

from __future__ import annotations

import base64
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
from tests.unit.plugin_utils.windows.scripted import (
    Scripted,
    Step,
    again,
    content,
    kind,
    process,
    ran,
    registry,
    said,
    state,
)

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
IS_THERE = kind(PROGRAM, "FILE")
PARAMS: dict[str, t.Any] = {
    **{"name": "es", "kind": "manager", "state": "started", "provider": "auto", "enabled": None, "version": "3.4.0"},
    **{"executable": PROGRAM, "config": CONFIG, "timeout": 10.0, "arguments": [], "environment": {}, "user": None},
    **{"group": None, "upgrade": None, "cluster": None, "start_empty": False},
}


def bring(there: t.Any, state_: str, **params: t.Any) -> dict[str, t.Any]:
    given = {**PARAMS, "state": state_, **params}
    return service.WindowsService(there, given).bring_to(state_, cluster_of(given))


def look(name: str | None, values: dict[str, str] | None = None, *, pid: int = 0) -> list[Step]:
    """The service control manager is asked, and the registry of what it knows."""
    runs = [process(pid)] if name not in (None, "STOPPED") else []
    return [state(name), *([registry(**(values or GOOD))] if name else []), *runs]


def listening(*endpoints: str, pid: int = 7, http: str = "") -> list[Step]:
    lines = [f"  TCP    {endpoint}    0.0.0.0:0    LISTENING    {pid}" for endpoint in endpoints]
    return [ran(*network.show_listeners(), out="\n".join(lines)), ran(*network.show_queues(), out=http)]


def queue(*urls: str, pid: int) -> str:
    return "\n".join(["Cola:", "    Procesos:", f"        {pid}", "    URL:", *(f"        {url}" for url in urls)])


MANAGER, NODE_PID = 800, 812
RUNS_MANAGER = f'{MANAGER} 700 "{PROGRAM}" -InstanceName es'
RUNS_NODE = f"{NODE_PID} {MANAGER} c:\\EventStore\\3.4.0\\EventStore.ClusterNode.exe --config c:\\es\\database.yaml"


def processes(*rows: str) -> Step:
    table = "\0".join(rows or (RUNS_MANAGER,))
    return said(script.processes(), f"PROCESSES:{base64.b64encode(table.encode()).decode()}")


NO_NODES = content(CONFIG, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nEnableWatchdog: false\n")
FOUND = [*look("STOPPED"), NO_NODES]
RUNS = [*look("RUNNING", pid=MANAGER), NO_NODES]
ALONE = [processes(), *listening()]


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked over HTTP; all answer."""
    asked: list[str] = []

    def ask(_kind: str, endpoint: t.Any) -> dict[str, t.Any]:
        asked.append(str(endpoint))
        return {"serverIp": endpoint.host}

    monkeypatch.setattr(readiness, "ask", ask)
    return asked


# -- installing --------------------------------------------------------------------------------------------------------


def test_the_service_that_is_there_afterwards_counts_and_not_how_the_installer_ended() -> None:
    steps = [IS_THERE, ran(*INSTALL, out="fatal", code=3), *look(None), *look("STOPPED")]
    with Scripted(state(None), NO_NODES, *steps) as there:
        done = bring(there, "installed")
        assert there.commands == [" ".join(INSTALL)]
    assert (done["changed"], done["status"], done["start_mode"]) == (True, "STOPPED", "delayed")
    assert done["warnings"] == []


@pytest.mark.parametrize("printed", ["", "Cannot start service from the command line or a debugger."])
def test_an_installer_that_ends_with_0_and_installs_nothing_is_explained(clock: list[float], printed: str) -> None:
    # There is nothing to start then, and net.exe says so.
    steps = [NO_NODES, IS_THERE, ran(*INSTALL, out=printed), ran(*services.start("es"), code=2)]
    steps.append(state(None, again=True))
    with Scripted(state(None), *steps) as there, pytest.raises(HostError, match="has no service es") as failed:
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
    begin = [*look("STOPPED", marked), NO_NODES]
    installs = [IS_THERE, ran(*INSTALL), *look("STOPPED")]
    with Scripted(*begin, *look("STOPPED", marked), state(None), *installs) as there:
        assert bring(there, "installed")["changed"]
    with (
        Scripted(*begin, *again(look("STOPPED", marked))) as there,
        pytest.raises(ServiceError, match=r"it is marked for deletion, so it cannot be installed: .*1072"),
    ):
        bring(there, "installed")
    assert clock[0] >= 10


def test_a_service_that_is_there_is_not_installed_again_and_one_from_elsewhere_is_told() -> None:
    old = {**GOOD, "ImagePath": '"C:\\EventStore\\3.3.0\\EventStore.WindowsManager.exe" -x'}
    with Scripted(*look("STOPPED", old), NO_NODES) as there:
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
    with Scripted(state("STOPPED"), found, NO_NODES, *steps) as there:
        assert bring(there, "installed", enabled=enabled)["changed"] is not is_right
    if not is_right:
        with (
            Scripted(state("STOPPED"), found, NO_NODES, sets, state("STOPPED"), found) as there,
            pytest.raises(ServiceError, match=f"its start mode stayed {mode}: sc.exe exited with 5"),
        ):
            bring(there, "installed", enabled=enabled)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({**GOOD, "FailureActions": ""}, "Windows does not restart it after a failure"),
        ({**GOOD, "FailureActionsOnNonCrashFailures": "0x0"}, "Windows never restarts it after exit code 0"),
    ],
)
def test_a_service_that_windows_would_not_restart_is_told_at_each_run(values: dict[str, str], told: str) -> None:
    with Scripted(*look("STOPPED", values), NO_NODES) as there:
        done = bring(there, "installed")
    assert not done["changed"]
    assert [told in warning for warning in done["warnings"]] == [True]


# -- starting ----------------------------------------------------------------------------------------------------------


def test_a_start_is_over_when_the_manager_answers_and_not_before(answers: list[str]) -> None:
    waits = [*look("START_PENDING") * 2, *look("RUNNING", pid=MANAGER)]
    with Scripted(*FOUND, ran(*services.start("es"), code=2), *waits) as there:
        done = bring(there, "started")
    assert (done["changed"], done["status"]) == (True, "RUNNING")
    assert answers == ["192.168.1.11:30778"]


@pytest.mark.parametrize(
    ("seen", "told", "waits"),
    [
        (look("STOPPED"), "it is STOPPED and not RUNNING", False),
        (look(None), "it is not installed and not RUNNING", False),
        (look("START_PENDING"), "it is START_PENDING and not RUNNING", True),
        (look("PAUSED"), "it is PAUSED and not RUNNING", True),
    ],
)
def test_a_start_that_comes_to_nothing_fails_with_what_the_host_said(
    clock: list[float], answers: list[str], seen: list[Step], told: str, waits: bool
) -> None:
    started = ran(*services.start("es"), out="The service was started.", code=0)
    with (
        Scripted(*FOUND, started, *(again(seen) if waits else seen)) as there,
        pytest.raises(ServiceError, match=rf"{told}; net\.exe exited with 0: The service was started"),
    ):
        bring(there, "started")
    assert (clock[0] >= 10) == waits
    assert answers == []


def test_a_manager_that_runs_and_does_not_answer_fails_and_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_asked: object) -> dict[str, t.Any]:
        raise GossipError("no answer")

    monkeypatch.setattr(readiness, "ask", silent)
    with (
        Scripted(*FOUND, START, *look("RUNNING")) as there,
        pytest.raises(ServiceError, match=r"within 10 s it did not answer .*left running"),
    ):
        bring(there, "started")
    with Scripted(*RUNS) as there, pytest.raises(ServiceError, match="did not answer"):
        bring(there, "started")


def test_one_that_runs_with_older_files_is_told_and_not_touched() -> None:
    text = "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nEnableWatchdog: false\n"
    for written, reasons in (("08:51:31", [f"{CONFIG} was written after pid {MANAGER} was started"]), ("08:51:30", [])):
        config = content(CONFIG, text, written=f"2026-11-23T{written}")
        with Scripted(*RUNS[:3], config) as there:
            result = bring(there, "started")
        assert (result["changed"], result["pid"], result["restart_needed"]) == (False, MANAGER, reasons)


def test_a_node_that_outlived_its_manager_is_seen_before_a_second_one_is_started_on_its_data() -> None:
    """By the TCP port that it binds itself, and by the URL that http.sys has for it."""
    for held in (
        listening("192.168.1.11:1112", pid=99),
        listening("0.0.0.0:2113", pid=4, http=queue("HTTP://192.168.1.11:2113:192.168.1.11/", pid=99)),
        listening(http=queue("HTTP://+:2112/", pid=99)),
    ):
        for wanted in ("started", "restarted"):
            with (
                Scripted(*FOUND[:2], *NODES, NODE, *held) as there,
                pytest.raises(ServiceError, match=r"are in use: .*\(process 99\).*two nodes damage the same data"),
            ):
                bring(there, wanted)
            assert there.commands == []
        with Scripted(*FOUND[:2], *NODES, NODE, *held) as there:
            (told,) = bring(there, "stopped")["warnings"]
        assert "(process 99)" in told
    unknown = listening("0.0.0.0:2113", pid=4)
    with Scripted(*FOUND[:2], *NODES, NODE, *unknown) as there, pytest.raises(ServiceError, match="servicestate"):
        bring(there, "started")


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_the_end_of_the_service() -> None:
    waits = [*look("STOP_PENDING") * 2, *look("STOPPED")]
    with Scripted(*RUNS, *ALONE, ran(*services.stop("es"), code=2), *waits) as there:
        assert bring(there, "stopped")["status"] == "STOPPED"
    with Scripted(*FOUND) as there:
        assert not bring(there, "stopped")["changed"]


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize("stays", ["STOP_PENDING", "RUNNING"])
def test_a_stop_that_does_not_end_fails_and_nothing_follows_it(clock: list[float], wanted: str, stays: str) -> None:
    steps = [*ALONE, ran(*services.stop("es"), out="2186", code=2), *again(look(stays))]
    with Scripted(*RUNS, *steps) as there, pytest.raises(ServiceError, match=f"it is {stays} after 10 s; .* 2: 2186"):
        bring(there, wanted)
    assert clock[0] >= 10


NODES = [
    content(CONFIG, f"IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nEnableWatchdog: true\nWatchdogConfig: {WATCHDOG}\n"),
    content(WATCHDOG, f"# --config {DATABASE}\n"),
]
NODE = content(DATABASE, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nClusterSize: 3\n")
SINGLE = content(DATABASE, "IntIp: 192.168.1.11\nExtIp: 192.168.1.11\nClusterSize: 1\n")
LISTENS = listening(
    *("192.168.1.11:1112", "192.168.1.11:1113"),
    pid=NODE_PID,
    http=queue("HTTP://192.168.1.11:2112/", "HTTP://192.168.1.11:2113/", pid=NODE_PID),
)
OVERRIDE = {"name": "c", "override": "c", "owner": "me", "settle": 0.0, "wait": 0.0, "stall": 0.0}
WITH_NODE = [processes(RUNS_MANAGER, RUNS_NODE), *LISTENS]


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize(
    ("files", "size"),
    [
        ([*NODES, NODE], "of a cluster of 3 nodes"),
        ([*NODES, content(DATABASE, None)], "of a cluster of an unknown number of nodes"),
        ([NODES[0], content(WATCHDOG, None)], "of a cluster of an unknown number of nodes"),
        ([content(CONFIG, "a: [")], "of a cluster of an unknown number of nodes"),
        ([NO_NODES], "of a cluster of an unknown number of nodes"),
    ],
    ids=["member", "no node file", "no list", "damaged", "files without nodes"],
)
def test_a_stop_of_a_member_is_refused_where_the_cluster_cannot_be_asked(
    files: list[Step], size: str, wanted: str
) -> None:
    """Whatever the files say: what counts is what runs."""
    must = wanted == "restarted" and files[0] not in (*NODES, NO_NODES)
    steps = [*RUNS[:3], *files, *([] if must else WITH_NODE)]
    with Scripted(*steps) as there, pytest.raises(EventStoreError) as refused:
        bring(there, wanted)
    if not must:  # that one is refused for its damaged file before
        assert size in str(refused.value)
        assert "not stopped" in str(refused.value)
    assert there.commands == []


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
@pytest.mark.parametrize("config", [CONFIG, None])
@pytest.mark.parametrize("override", [None, OVERRIDE])
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([f"{MANAGER} 700 c:\\ES\\EventStore.ClusterNode.exe --config {DATABASE}"], "runs EventStore.ClusterNode.exe"),
        ([f'{MANAGER} 700 "c:\\my tools\\nssm.exe"', RUNS_NODE], r"runs nssm\.exe"),
        ([f"{MANAGER} 700 ", RUNS_NODE], "are not known"),
        (["5 4 c:\\x.exe"], "are not known"),
    ],
    ids=["a node", "a wrapper of a node", "hidden", "gone"],
)
def test_what_is_stopped_as_a_manager_has_to_be_one(
    rows: list[str], told: str, override: dict[str, t.Any] | None, config: str | None, wanted: str
) -> None:
    """``kind: manager`` for a node's service would else be a stop without nodes."""
    if wanted == "restarted" and config is None:
        return
    files = [NO_NODES] if config else []
    steps = [*RUNS[:3], *files, processes(*rows)]
    with Scripted(*steps) as there, pytest.raises(ServiceError, match=f"{told}.*Nothing was stopped"):
        bring(there, wanted, config=config, cluster=override)
    assert there.commands == []


def test_a_node_below_the_manager_counts_before_it_listens_and_whatever_its_name_is() -> None:
    for row, listens in (
        (RUNS_NODE, listening()),
        (f"{NODE_PID} {MANAGER} c:\\x\\Renamed.exe", LISTENS),
        (f"{NODE_PID} 801 c:\\x\\child.exe\0801 {MANAGER} cmd.exe", LISTENS),
    ):
        steps = [processes(RUNS_MANAGER, *row.split("\0")), *listens]
        with Scripted(*RUNS, *steps) as there, pytest.raises(ServiceError, match="not stopped"):
            bring(there, "stopped")
    other = f"{NODE_PID} 5 c:\\x\\EventStore.ClusterNode.exe"  # of another service
    with Scripted(*RUNS, processes(RUNS_MANAGER, other), *LISTENS, STOP, *look("STOPPED")) as there:
        assert bring(there, "stopped")["changed"]


@pytest.mark.parametrize(("cluster", "node"), [(None, SINGLE), (OVERRIDE, NODE)])
def test_a_cluster_of_one_or_one_whose_name_was_typed_is_stopped(cluster: dict[str, t.Any] | None, node: Step) -> None:
    ends = [STOP, *look("STOPPED"), *listening()]
    with Scripted(*RUNS[:3], *NODES, node, *WITH_NODE, *ends) as there:
        assert bring(there, "stopped", cluster=cluster)["warnings"] == []


def test_nodes_that_outlive_their_manager_are_told(clock: list[float]) -> None:
    ends = [STOP, *look("STOPPED"), *again(listening("192.168.1.11:1112", pid=NODE_PID))]
    with Scripted(*RUNS[:3], *NODES, SINGLE, *WITH_NODE, *ends) as there:
        (told,) = bring(there, "stopped")["warnings"]
    assert f"still listen on 192.168.1.11:1112 (process {NODE_PID})" in told
    assert clock[0] >= 10


# -- removing ----------------------------------------------------------------------------------------------------------


def test_what_is_removed_is_gone_and_not_only_told_to_be() -> None:
    with Scripted(*FOUND, IS_THERE, UNINSTALL, *look("STOPPED"), *look(None)) as there:
        assert bring(there, "absent")["status"] == "not installed"
    with Scripted(state(None), NO_NODES) as there:
        assert not bring(there, "absent")["changed"]
    marked = {**GOOD, "DeleteFlag": "0x1"}
    for left, told in ((marked, "marked for deletion.*Close the Services window"), (GOOD, "and not marked")):
        steps = [*FOUND, IS_THERE, UNINSTALL, *again(look("STOPPED", left))]
        with Scripted(*steps) as there, pytest.raises(ServiceError, match=told):
            bring(there, "absent")
    with Scripted(*FOUND) as there, pytest.raises(ServiceError, match="executable is missing"):
        bring(there, "absent", executable=None)
    with Scripted(*look("STOPPED", marked), NO_NODES, state(None)) as there:  # nothing is run twice
        assert bring(there, "absent")["changed"]


# -- check mode, and what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "steps", "commands"),
    [
        ("started", [state(None), NO_NODES], [" ".join(INSTALL), "net.exe start es"]),
        ("restarted", [*RUNS, *ALONE], ["net.exe stop es", "net.exe start es"]),
        (
            "absent",
            [*RUNS, *ALONE],
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
        ({"kind": "database"}, "only under the service of a manager"),
        ({"provider": "systemd"}, "provider is systemd"),
        ({"arguments": ["-x"]}, "arguments is set"),
        ({"environment": {"A": "b"}}, "environment is set"),
        ({"user": "x"}, "user is set"),
        ({"group": "x"}, "group is set"),
        ({"upgrade": {"from": "3.3.0"}}, "the way back would need"),
        ({"start_empty": True}, "do not record the directory"),
    ],
)
def test_options_that_would_be_ignored_are_refused(given: dict[str, t.Any], told: str) -> None:
    service.refuse_unsupported_options(PARAMS)
    with pytest.raises(ServiceError, match=told):
        service.refuse_unsupported_options({**PARAMS, **given})


def test_a_state_that_cannot_be_told_ends_it_before_anything_is_done() -> None:
    for answer in (ran(*services.query("es"), code=5), ran(*services.query("es"), out="STATE : 9 GONE")):
        with Scripted(answer) as there, pytest.raises(HostError, match="expected the state of a service"):
            bring(there, "absent")
