# SPDX-License-Identifier: GPL-3.0-or-later
"""es_config, es_watchdog and es_distribution on the stand-in, by every connection; bytes are read from its folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import typing as t
import zipfile

import pytest
import yaml

from tests.doubles.windows import services
from tests.doubles.windows.software import windows_archive
from tests.integration.windows.machines import Ansible, Windows

NET = "127.0.102"
WAYS = {"winrm": "de", "psrp": "it", "ssh": "en"}
# Every character that a shell, PowerShell or a program could take for its own, and a file may have in its name.
ODD = "c:\\Event Store\\it's $x; `y & (z) %PATH% [1] {2} @a #b ^ ü 日本"
# Versions from which a process runs, or a service that is stopped would; and what nobody unpacked here.
RUNS, REGISTERED = "3.0.0", "3.1.0 ü"
EXECUTABLES = ["EventStore.ClusterNode.exe", "EventStore.WindowsManager.exe"]
OTHERS = [RUNS, REGISTERED, "2.0.0", "it\u2019s"]
OPTIONS = {
    "Db": "d:\\es data\\it's",
    "IntIp": "192.168.1.11",
    "ExtIp": "192.168.1.11",
    "DiscoverViaDns": False,
    "GossipSeed": ["192.168.1.11:30777"],
    "ClusterSize": 3,
    "CertificateSubjectName": "CN=\"a\"; $x 'b' # ü",
}


def task(module: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    return {f"eventstore.cluster.{module}": arguments, "check_mode": check, "diff": True}


def config(check: bool = False, path: str = f"{ODD}\\database.yaml", **more: t.Any) -> dict[str, t.Any]:
    options = {**OPTIONS, **more.pop("change", {})}
    return task("es_config", check, path=path, kind="database", version="3.4.0", options=options, backup=True, **more)


def watchdog(check: bool = False, *names: str, state: str = "present") -> dict[str, t.Any]:
    nodes = [["--config", f"c:\\EventStore-Config\\{name}.yaml"] for name in names or ("database",)]
    given = {"nodes": nodes, "backup": True} if state == "present" else {"state": state}
    return task("es_watchdog", check, path=f"{ODD}\\watchdog.esconfig", **given)


def life(step: t.Callable[..., dict[str, t.Any]], name: str) -> dict[str, dict[str, t.Any]]:
    return {
        f"{name}: check": step(True),
        f"{name}: run": step(),
        f"{name}: check again": step(True),
        f"{name}: run again": step(),
    }


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, t.Any]]:
    folder = tmp_path_factory.mktemp("archives")
    archive = windows_archive(folder)
    digest = archive.with_name(f"{archive.name}.sha256").read_text().strip()

    def distribution(check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        arguments = {
            "home": "c:\\Event Store\\3.4.0",
            "src": str(archive),
            "checksum": f"sha256:{digest}",
            "executable": "EventStore.ClusterNode.exe",
            "directories": ["d:\\es data", "d:\\es data\\log"],
            **more,
        }
        return task("es_distribution", check, **{name: value for name, value in arguments.items() if value is not None})

    damaged = folder / "damaged.zip"
    damaged.write_bytes(archive.read_bytes()[:-30])
    evil = folder / "evil.zip"
    with zipfile.ZipFile(evil, "w") as opened:
        opened.writestr("../evil.txt", "x")
    gone = {"state": "absent", "src": None, "checksum": None, "directories": None}
    return {
        **life(distribution, "distribution"),
        "wrong checksum": distribution(home="c:\\Event Store\\x", checksum=f"sha256:{'0' * 64}"),
        "damaged": distribution(home="c:\\Event Store\\x", src=str(damaged), checksum=_digest(damaged)),
        "evil": distribution(home="c:\\Event Store\\x", src=str(evil), checksum=_digest(evil)),
        **life(config, "config"),
        "config: another": config(change={"StatsPeriodSec": 77}),
        "config: unknown option": config(change={"ClusterSise": 3}),
        "config: wrong type": config(change={"ClusterSize": "three"}),
        "config: no directory": config(path="c:\\none\\database.yaml"),
        "config: odd path": config(path="c:\\a\\..\\database.yaml"),
        "config: quote": config(path='c:\\a"b\\database.yaml'),
        "config: device": config(path="c:\\a\\nul.yaml"),
        "config: relative": config(path="database.yaml"),
        **life(watchdog, "watchdog"),
        "watchdog: another": watchdog(False, "database1", "database2"),
        "remove file: check": watchdog(True, state="absent"),
        "remove file: run": watchdog(state="absent"),
        "remove file: run again": watchdog(state="absent"),
        "remove: check": distribution(True, **gone),
        "remove: run": distribution(**gone),
        "remove: run again": distribution(**gone),
        "remove used": distribution(**{**gone, "home": f"c:\\Event Store\\{RUNS}"}),
        "keep: older": distribution(),
        "keep: check": distribution(True, home="c:\\Event Store\\3.5.0", keep_versions=1),
        "keep: run": distribution(home="c:\\event store\\3.5.0", keep_versions=1),
        "keep: run again": distribution(home="C:/Event Store/3.5.0", keep_versions=1),
    }


def _digest(path: pathlib.Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


FAILS = [
    *("wrong checksum", "damaged", "evil", "config: unknown option", "config: wrong type", "config: no directory"),
    *("config: odd path", "config: quote", "config: device", "config: relative"),
    "remove used",
]
CHANGES = [
    *("distribution: check", "distribution: run", "config: check", "config: run", "config: another"),
    *("watchdog: check", "watchdog: run", "watchdog: another", "remove file: check"),
    *("remove file: run", "remove: check", "remove: run", "keep: older", "keep: check", "keep: run"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, steps: dict[str, dict[str, t.Any]]):
    folder = tmp_path_factory.mktemp("files")
    with contextlib.ExitStack() as stack:
        machines = {
            way: stack.enter_context(Windows(folder / way, way, f"{NET}.{last}", locale=locale))
            for last, (way, locale) in enumerate(WAYS.items(), start=11)
        }
        machines["ssh"].set(code_page="cp850")  # which has no 日本, and an ü of another number
        for machine in machines.values():
            machine.machine.make_directory(ODD)
            for name in OTHERS:
                machine.machine.make_directory(f"c:\\Event Store\\{name}")
            for name in (RUNS, REGISTERED):
                machine.machine.put(f"c:\\Event Store\\{name}\\.es_distribution.json", b'{"checksum": "x"}')
                os.utime(machine.machine.path(f"c:\\Event Store\\{name}\\.es_distribution.json"), (1, 1))
            machine.set(processes=[f"C:\\EVENT STORE\\{RUNS}\\EventStore.ClusterNode.exe"])
            services.install(
                machine.machine, "es-old", f'"c:\\Event Store\\{REGISTERED}\\EventStore.WindowsManager.exe"', "", "x"
            )
        results = Ansible(folder / "ansible").tasks(machines, list(steps.values()))
        yield machines, {way: dict(zip(steps, results[way])) for way in machines}


@pytest.mark.parametrize("way", WAYS)
def test_only_what_differs_changes_and_the_rest_is_refused(done: t.Any, way: str) -> None:
    machines, results = done
    assert machines[way].refused() == []
    failed = {step: result.get("msg") for step, result in results[way].items() if result.get("failed")}
    assert list(failed) == FAILS, failed
    assert [step for step, result in results[way].items() if result.get("changed")] == CHANGES


@pytest.mark.parametrize("way", WAYS)
def test_what_is_refused_leaves_nothing(done: t.Any, way: str) -> None:
    machines, _results = done
    names = [name for drive in ("C:\\", "D:\\") for name in machines[way].files(drive)]
    assert [name for name in names if "evil" in name or "/x/" in name or name.endswith((".es-new", ".zip"))] == []
    assert not machines[way].machine.path("C:\\none").exists()


@pytest.mark.parametrize("way", WAYS)
def test_the_file_has_the_options_as_they_were_given(done: t.Any, way: str) -> None:
    machines, results = done
    content = machines[way].file(f"{ODD}\\database.yaml") or b""
    assert yaml.safe_load(content) == {**OPTIONS, "StatsPeriodSec": 77}
    assert (content.count(b"\r\n"), content.startswith(b"\xef\xbb\xbf")) == (content.count(b"\n"), False)
    backup = machines[way].file(results[way]["config: another"]["backup_file"]) or b""
    assert yaml.safe_load(backup) == OPTIONS
    assert "StatsPeriodSec: 77" in results[way]["config: another"]["diff"][0]["after"]
    assert "ClusterSize" in results[way]["config: unknown option"]["msg"]


@pytest.mark.parametrize("way", WAYS)
def test_check_mode_shows_what_the_run_does(done: t.Any, way: str) -> None:
    _machines, results = done
    for name in ("config", "watchdog"):
        assert results[way][f"{name}: check"]["diff"] == results[way][f"{name}: run"]["diff"]


@pytest.mark.parametrize("way", WAYS)
def test_the_watchdog_file_has_one_line_for_each_node_and_goes(done: t.Any, way: str) -> None:
    machines, results = done
    backup = machines[way].file(results[way]["watchdog: another"]["backup_file"])
    assert backup == b"# --config c:\\EventStore-Config\\database.yaml\r\n"
    lines = results[way]["watchdog: another"]["diff"][0]["after"].splitlines()
    assert lines == [f"# --config c:\\EventStore-Config\\database{number}.yaml" for number in (1, 2)]
    assert machines[way].file(f"{ODD}\\watchdog.esconfig") is None


@pytest.mark.parametrize("way", WAYS)
def test_the_software_goes_and_the_data_stay(done: t.Any, way: str) -> None:
    """Of the versions the one goes that nothing uses and that was unpacked here; by hand none of the others goes."""
    machines, results = done
    left = [each.name for each in machines[way].machine.path("c:\\Event Store").iterdir()]
    assert sorted(left) == sorted([*OTHERS, "3.5.0", ODD.split("\\")[-1]])
    for step in ("keep: check", "keep: run"):
        (gone,) = results[way][step]["removed"]
        assert gone.lower() == "c:\\event store\\3.4.0"
    assert "is used by" in results[way]["remove used"]["msg"]
    assert machines[way].machine.path("d:\\es data\\log").is_dir()


# What is broken while a file is replaced, whether the task fails then, and what becomes of the old file.
HELD = f"{ODD}\\held.yaml"
FRESH = f"{HELD}.es-new"
TEST_HELD: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], bool]] = {
    "a scanner holds the new one for a moment": ({"held": {FRESH: 3}}, {}, False),
    "a backup holds the old one for a moment": ({"held": {HELD: 2}}, {}, False),
    "the disk is write-protected": ({}, {"replace_fails": {HELD: 19}}, True),
    "the old one is away before it fails": ({}, {"replace_fails": {HELD: 1177}}, False),
}


@pytest.mark.parametrize("case", TEST_HELD)
def test_a_file_that_cannot_be_replaced_keeps_what_it_has(tmp_path: pathlib.Path, case: str) -> None:
    """Its content, and the permissions that somebody has given it, also where it is replaced."""
    files, settings, fails = TEST_HELD[case]
    old, sddl = b"# mine\r\nIntIp: 192.168.1.11\r\n", "O:BAD:P(A;;FA;;;BA)(A;;FR;;;LS)"
    with Windows(tmp_path / "held", "winrm", f"{NET}.22") as machine:
        machine.machine.make_directory(ODD)
        machine.machine.put(HELD, old)
        machine.machine.write("acl", {HELD: sddl})
        for name, content in files.items():
            machine.machine.write(name, content)
        machine.set(**settings)
        (result,) = Ansible(tmp_path / "ansible").tasks({"held": machine}, [config(path=HELD)])["held"]
        assert machine.refused() == []
        assert bool(result.get("failed")) == fails, result
        assert machine.machine.read("acl")[HELD] == sddl
        if fails:
            assert machine.file(HELD) == old
            assert f"{HELD} is unchanged" in result["msg"]
        else:
            assert yaml.safe_load(machine.file(HELD) or b"")["ClusterSize"] == 3
            assert machine.file(result["backup_file"]) == old
        assert [name for name in machine.files(ODD) if "es-" in name] == []


def test_a_scanner_that_holds_new_programs_is_waited_for(
    tmp_path: pathlib.Path, steps: dict[str, dict[str, t.Any]]
) -> None:
    unpacked = "c:\\Event Store\\.es_distribution-3.4.0"
    with Windows(tmp_path / "held", "psrp", f"{NET}.23") as machine:
        machine.machine.write("held", {unpacked: 4, f"{unpacked}\\EventStore-Lab-Windows-v3.4.0": 4})
        (result,) = Ansible(tmp_path / "ansible").tasks({"held": machine}, [steps["distribution: run"]])["held"]
        assert result["changed"], result
        assert machine.machine.read("held")[unpacked] < 4
        assert machine.files("c:\\Event Store") == [f"3.4.0/{name}" for name in (".es_distribution.json", *EXECUTABLES)]


def test_files_arrive_by_scp_too(tmp_path: pathlib.Path, steps: dict[str, dict[str, t.Any]]) -> None:
    wanted = [steps[name] for name in ("distribution: run", "config: run", "config: run again")]
    with Windows(tmp_path / "scp", "ssh-scp", f"{NET}.21") as machine:
        machine.machine.make_directory(ODD)
        results = Ansible(tmp_path / "ansible").tasks({"scp": machine}, wanted)["scp"]
        assert [result.get("changed") for result in results] == [True, True, False]
        assert machine.refused() == []
        assert yaml.safe_load(machine.file(f"{ODD}\\database.yaml") or b"") == OPTIONS
        assert machine.files("c:\\Event Store\\3.4.0") == [".es_distribution.json", *EXECUTABLES]
