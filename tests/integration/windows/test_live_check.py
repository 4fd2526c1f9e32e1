# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook for who has a real host: on the stand-in it passes, and it leaves every machine as it was."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t

import pytest
import yaml

from tests.integration.windows.machines import ROOT, Ansible, Windows

pytestmark = pytest.mark.slow
NET = "127.0.97"
WAYS = {"winrm": "de", "psrp": "it", "ssh": "en"}
URL = "http://127.0.0.1:39999/es-live-check/"
OTHERS = {"http://+:80/Temporary_Listen_Addresses/": "D:(A;;GX;;;WD)"}
# Where the second reservation fails, and where the file cannot be written.
BROKEN = {"refuses": {"refuse_add": "WD"}, "no_directory": {}}


class Play(t.NamedTuple):
    machines: dict[str, Windows]
    refused: subprocess.CompletedProcess[str]
    sent_then: list[list[list[str]]]
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("live")
    settings = {**{way: {"locale": locale} for way, locale in WAYS.items()}, **BROKEN}
    with contextlib.ExitStack() as stack:
        machines = {
            name: stack.enter_context(
                Windows(folder / name, name if name in WAYS else "psrp", f"{NET}.{last}", **settings[name])
            )
            for last, name in enumerate(settings, start=11)
        }
        for name, machine in machines.items():
            machine.machine.write("urlacl", OTHERS)
            machine.machine.make_directory("c:\\Windows" if name == "no_directory" else "c:\\Windows\\Temp")
            machine.machine.put("c:\\Windows\\notepad.exe", b"")
        ansible = Ansible(folder / "ansible")
        inventory = ansible.folder / "hosts.yml"
        inventory.write_text(
            yaml.safe_dump({"eventstore": {"hosts": {name: each.variables for name, each in machines.items()}}})
        )
        command = ["ansible-playbook", str(ROOT / "playbooks/windows_live_check.yml"), "-i", str(inventory)]
        refused = ansible.command(*command)
        sent = [machine.ran() for machine in machines.values()]
        yield Play(machines, refused, sent, ansible.command(*command, "-e", "windows_live_check=yes"))


def test_without_the_word_nothing_is_sent(play: Play) -> None:
    assert play.refused.returncode == 2
    assert play.refused.stdout.count(f"Add -e windows_live_check=yes: it reserves {URL}") >= len(play.machines)
    assert play.sent_then == [[]] * len(play.machines)


@pytest.mark.parametrize("way", WAYS)
def test_a_machine_that_does_as_documented_passes(play: Play, way: str) -> None:
    machine = play.machines[way]
    assert machine.refused() == []
    assert f"{way} " in play.done.stdout.partition("PLAY RECAP")[2]
    recap = next(line for line in play.done.stdout.splitlines() if line.startswith(f"{way} ") and "failed=" in line)
    assert "failed=0" in recap, play.done.stdout
    netsh = [each[2] for each in machine.changes() if each[0] == "netsh.exe"]
    assert netsh == ["add", "delete", "add", "delete"]
    assert [each[0] for each in machine.changes() if each[0] not in ("netsh.exe", "put_file")] == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_machine_that_does_not_fails(play: Play, name: str) -> None:
    recap = next(line for line in play.done.stdout.splitlines() if line.startswith(f"{name} ") and "failed=" in line)
    assert "failed=1" in recap


@pytest.mark.parametrize("name", [*WAYS, *BROKEN])
def test_all_of_it_is_taken_back(play: Play, name: str) -> None:
    machine = play.machines[name]
    assert URL in str(machine.ran())
    assert (machine.urlacl, machine.services) == (OTHERS, {})
    assert (machine.files("C:\\"), machine.files("D:\\")) == (["Windows/notepad.exe"], [])
    temporary = ["c:\\Windows\\Temp"] if name != "no_directory" else []
    assert machine.machine.directories("c:\\Windows") == temporary
    assert all(machine.machine.directories(path) == [] for path in temporary)
