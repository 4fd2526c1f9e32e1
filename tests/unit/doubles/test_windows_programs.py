# SPDX-License-Identifier: GPL-3.0-or-later
"""The native programs of the stand-in: what they hand over, keep, and say no to."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t
import zipfile

import pytest

pytest.importorskip("tree_sitter_powershell")
pytest.importorskip("psrpcore")

from tests.doubles.windows import accounts, cmdlets, programs
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused

URL = "http://192.168.1.11:2112/"
LS = "D:(A;;GX;;;LS)"


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    made = Machine(tmp_path / "machine")
    made.make_directory("C:\\ES")
    made.put("C:\\ES\\EventStore.WindowsManager.exe", b"")
    return made


def netsh(machine: Machine, verb: str, **given: str) -> programs.Done:
    arguments = [f"{name}={value}" for name, value in given.items()]
    return programs.run(machine, "netsh.exe", ["http", verb, "urlacl", *arguments])


def installer(machine: Machine, *arguments: str) -> programs.Done:
    return programs.run(machine, "C:\\ES\\EventStore.WindowsManager.exe", list(arguments))


def install(machine: Machine) -> programs.Done:
    return installer(machine, "install", "-InstanceName", "es", "-ManagerConfig", "C:\\ES\\manager.yaml")


@pytest.mark.parametrize(
    ("given", "received"),
    [
        (["a", "b c"], ["a", "b c"]),
        (["it's", "a'b c'd"], ["it's", "a'b c'd"]),
        (["C:\\a b\\c"], ["C:\\a b\\c"]),
        (["C:\\a\\"], ["C:\\a\\"]),
        (["$x;`&|(%PATH%)^"], ["$x;`&|(%PATH%)^"]),
        # What Windows PowerShell 5.1 does not hand over as it is.
        ([""], []),
        (["C:\\a b\\", "c"], ['C:\\a b" c']),
        (['a"b'], ["ab"]),
        (['a "b" c'], ["a b c"]),
        (['"a b"'], ["a b"]),
    ],
)
def test_arguments_arrive_as_windows_powershell_hands_them_over(given: list[str], received: list[str]) -> None:
    assert programs.split(programs.command_line(given)) == received


def test_a_reservation_is_kept_with_aliases_and_shown_in_every_language(machine: Machine) -> None:
    assert netsh(machine, "add", url=URL, sddl="D:(A;;GX;;;S-1-5-19)").code == 0
    assert machine.read("urlacl") == {URL: LS}
    for locale, words in (
        ("en", ("Reserved URL", "NT AUTHORITY\\LOCAL SERVICE")),
        ("de", ("Reservierte URL", "NT-AUTORITÄT\\Lokaler Dienst")),
        ("it", ("URL prenotati", "In ascolto: Yes")),
    ):
        machine.write("machine", {"locale": locale})
        shown = netsh(machine, "show").stdout
        assert all(word in shown for word in (URL, f"SDDL: {LS}", *words))


@pytest.mark.parametrize(
    ("verb", "given", "settings", "code"),
    [
        ("add", {"url": URL, "sddl": LS}, {}, 183),
        ("add", {"url": URL.replace("http", "HTTP"), "sddl": LS}, {}, 87),
        ("add", {"url": URL[:-1], "sddl": LS}, {}, 87),
        ("add", {"url": "http://+/", "sddl": LS}, {}, 87),
        ("add", {"url": "http://+:70000/", "sddl": LS}, {}, 87),
        ("add", {"url": "http://+:80/", "sddl": "D:(A;;GX;;;LOCAL SERVICE)"}, {}, 87),
        ("add", {"url": "http://+:80/", "sddl": LS}, {"refuse_add": "LS"}, 5),
        ("delete", {"url": URL[:-1]}, {}, 87),
        ("delete", {"url": "http://+:80/"}, {}, 2),
    ],
)
def test_netsh_says_no_with_code_1_and_changes_nothing(
    machine: Machine, verb: str, given: dict[str, str], settings: dict[str, t.Any], code: int
) -> None:
    machine.write("urlacl", {URL: LS})
    machine.write("machine", settings)
    done = netsh(machine, verb, **given)
    assert (done.code, f"Error: {code}" in done.stdout) == (1, True)
    assert machine.read("urlacl") == {URL: LS}


def test_who_is_not_elevated_changes_nothing(machine: Machine) -> None:
    install(machine)
    machine.write("machine", {"elevated": False, "locale": "de"})
    assert netsh(machine, "add", url=URL, sddl=LS).code == 1
    assert installer(machine, "uninstall", "-InstanceName", "es").code == 1
    assert programs.run(machine, "net.exe", ["start", "es"]).code == 2
    assert programs.run(machine, "sc.exe", ["config", "es", "start=", "demand"]).code == 5
    assert (machine.read("urlacl"), list(machine.read("services"))) == ({}, ["es"])
    assert "S-1-16-8192" in programs.run(machine, "whoami.exe", ["/groups", "/fo", "csv", "/nh"]).stdout


def test_a_service_from_install_to_uninstall(machine: Machine) -> None:
    assert programs.run(machine, "sc.exe", ["query", "es"]).code == 1060
    assert install(machine).code == 0
    assert "1  STOPPED" in programs.run(machine, "sc.exe", ["query", "ES"]).stdout
    assert install(machine).code == 1
    machine.write("services", {"es": {**machine.read("services")["es"], "failure_actions": [[1, 5000]]}})
    shown = programs.run(machine, "reg.exe", ["query", "HKLM\\SYSTEM\\CurrentControlSet\\Services\\es"]).stdout
    for line in ("Start    REG_DWORD    0x2", "DelayedAutostart    REG_DWORD    0x1", "NT AUTHORITY\\LocalService"):
        assert line in shown
    assert "FailureActions    REG_BINARY    80510100000000000000000001000000140000000100000088130000" in shown
    assert programs.run(machine, "sc.exe", ["config", "es", "start=", "demand"]).code == 0
    assert machine.read("services")["es"]["start"] == 3
    assert programs.run(machine, "net.exe", ["stop", "es"]).code == 2
    assert installer(machine, "uninstall", "-InstanceName", "es").code == 0
    assert programs.run(machine, "sc.exe", ["query", "es"]).code == 1060


def test_a_service_marked_for_deletion_stays_and_takes_nothing(machine: Machine) -> None:
    install(machine)
    machine.write("machine", {"marked_s": 600})
    assert installer(machine, "uninstall", "-InstanceName", "es").code == 0
    assert programs.run(machine, "sc.exe", ["query", "es"]).code == 0
    assert install(machine).code == 1
    assert "1072" in programs.run(machine, "net.exe", ["start", "es"]).stderr


def test_the_installer_does_nothing_where_nobody_is_logged_in(machine: Machine) -> None:
    machine.write("machine", {"logged_in": False})
    assert install(machine).code == 0
    assert machine.read("services") == {}


def test_a_manager_without_its_files_or_reservations_does_not_start(machine: Machine) -> None:
    install(machine)
    assert programs.run(machine, "net.exe", ["start", "es"]).code == 2
    machine.put("C:\\ES\\manager.yaml", b"IntIp: 127.0.96.1\nExtIp: 127.0.96.1\n")
    machine.write("urlacl", {"http://127.0.96.1:30777/": LS, "http://127.0.96.1:30778/": "D:(A;;GW;;;LS)"})
    assert programs.run(machine, "net.exe", ["start", "es"]).code == 2
    why = [json.loads(line)["why"] for line in (machine.folder / "events.jsonl").read_text().splitlines()]
    assert "Could not find file 'C:\\ES\\manager.yaml'" in why[0]
    assert why[1] == "Access is denied: http://127.0.96.1:30778/ is not reserved for the service's account"
    assert "1  STOPPED" in programs.run(machine, "sc.exe", ["query", "es"]).stdout


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("netsh.exe", ["http", "show", "urlacl", "url=x"]),
        ("sc.exe", ["query"]),
        ("sc.exe", ["queryex", "es"]),
        ("sc.exe", ["query", "es", "x"]),
        ("sc.exe", ["config", "es", "start=demand"]),
        ("sc.exe", ["create", "es", "binPath=", "x"]),
        ("net.exe", ["start"]),
        ("reg.exe", ["query", "HKLM\\SOFTWARE"]),
        ("reg.exe", ["delete", "HKLM\\SYSTEM\\CurrentControlSet\\Services\\es"]),
        ("C:\\ES\\EventStore.WindowsManager.exe", ["install", "-InstanceName", "es"]),
        ("C:\\ES\\EventStore.WindowsManager.exe", ["run"]),
        ("netstat.exe", ["-a"]),
        ("cmd.exe", ["/c", "dir"]),
    ],
)
def test_calls_that_it_does_not_know_are_refused(machine: Machine, program: str, arguments: list[str]) -> None:
    install(machine)
    with pytest.raises(NotUnderstood):
        programs.run(machine, program, arguments)


def test_a_program_that_is_not_there_is_not_run(machine: Machine) -> None:
    with pytest.raises(Refused):
        programs.run(machine, "C:\\Other\\EventStore.WindowsManager.exe", ["install"])


@pytest.mark.parametrize(
    ("sddl", "entries"),
    [
        (LS, [("A", 0x20000000, "S-1-5-19")]),
        ("D:(A;;GXGW;;;S-1-5-19)(D;;0x10000000;;;WD)", [("A", 0x60000000, "S-1-5-19"), ("D", 0x10000000, "S-1-1-0")]),
        ("D:(A;;GX;;;ZZ)", None),
        ("O:LSD:(A;;GX;;;LS)", None),
        ("", None),
    ],
)
def test_descriptors(sddl: str, entries: t.Any) -> None:
    assert accounts.entries(sddl) == entries


def test_accounts_have_names_of_the_language() -> None:
    known = {"CONTOSO\\events": "S-1-5-21-1-2-3-1105"}
    assert accounts.sid_of("nt authority\\local service", known, "en") == "S-1-5-19"
    assert accounts.sid_of("NT AUTHORITY\\LOCAL SERVICE", known, "de") is None
    assert accounts.sid_of("Jeder", known, "de") == "S-1-1-0"
    assert accounts.sid_of("contoso\\Events", known, "it") == "S-1-5-21-1-2-3-1105"


def test_files_are_found_whatever_the_case_of_their_letters(machine: Machine) -> None:
    machine.put("c:/es/File.txt", b"1")
    machine.move_item("C:\\ES\\FILE.TXT", "C:\\es\\other.txt")
    assert machine.get("c:\\Es\\OTHER.txt") == b"1"
    assert sorted(path.name for path in (machine.drives / "C" / "ES").iterdir()) == [
        "EventStore.WindowsManager.exe",
        "other.txt",
    ]
    for path in ("C:\\ES", "C:\\none\\x"):
        with pytest.raises(Refused):
            machine.put(path, b"")


def test_an_archive_is_unpacked_whole_and_not_over_what_is_there(machine: Machine, tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("top/a.txt", "a")
    machine.put("C:\\x.zip", (tmp_path / "x.zip").read_bytes())
    cmdlets.static(machine, "system.io.compression.zipfile", "extracttodirectory", "C:\\x.zip", "C:\\new")
    assert machine.get("C:\\new\\top\\a.txt") == b"a"
    with pytest.raises(Refused):
        cmdlets.static(machine, "system.io.compression.zipfile", "extracttodirectory", "C:\\x.zip", "C:\\new")
    digest = cmdlets.KNOWN["get-filehash"](machine, {"literalpath": "C:\\x.zip", "algorithm": "SHA256"})
    assert digest == {"hash": hashlib.sha256((tmp_path / "x.zip").read_bytes()).hexdigest().upper()}
