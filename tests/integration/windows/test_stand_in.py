# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own connections reach the stand-in, in every way, and hear its no."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time

import pytest

from tests.doubles.windows import shells
from tests.integration.windows.machines import PASSWORD, ROOT, WAYS, Ansible, Windows

pytestmark = pytest.mark.slow
NET = "127.0.104"
UNKNOWN = "Get-Service -Name 'x'"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("machines")
    with contextlib.ExitStack() as stack:
        yield {
            way: stack.enter_context(Windows(folder / way, way, f"{NET}.{last}", accounts={"A\\ü": "S-1-5-21-1-2-3-4"}))
            for last, way in enumerate(WAYS, start=11)
        }


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(tmp_path_factory.mktemp("ansible"))


@pytest.fixture(scope="module")
def results(machines: dict[str, Windows], ansible: Ansible):
    encoded = f"{shells.POWERSHELL} {{{{ text | b64encode(encoding='utf-16-le') }}}}"
    texts = [
        "'one'; 'zwö'; exit 1060",
        "try { 'SID:' + (New-Object System.Security.Principal.NTAccount('A\\ü')).Translate("
        "[System.Security.Principal.SecurityIdentifier]).Value } catch { 'no' }",
        UNKNOWN,
        "& 'nosuch.exe'",
    ]
    tasks = [{"ansible.builtin.raw": encoded, "vars": {"text": text}} for text in texts]
    return ansible.tasks(machines, tasks)


@pytest.mark.parametrize("way", WAYS)
def test_output_and_exit_code_come_back(results: dict, way: str) -> None:
    said = results[way][0]
    assert said["stdout_lines"] == ["one", "zwö"]
    # A Unix program, as the local ssh is, keeps the low 8 bits.
    assert said["rc"] == (1060 & 0xFF if way.startswith("ssh") else 1060)


@pytest.mark.parametrize("way", WAYS)
def test_text_that_is_not_ascii_arrives(results: dict, way: str) -> None:
    assert results[way][1]["stdout_lines"] == ["SID:S-1-5-21-1-2-3-4"]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_understood_fails_and_is_noted(results: dict, machines: dict[str, Windows], way: str) -> None:
    for number, word in ((2, "Get-Service"), (3, "nosuch.exe")):
        assert results[way][number]["failed"]
        assert results[way][number]["rc"] == 1
        assert "does not understand" in results[way][number]["stderr"]
        assert word in results[way][number]["stderr"]
    assert [word in why for word, why in zip(("Get-Service", "nosuch.exe"), machines[way].refused())] == [True, True]


def test_a_wrong_password_is_rejected(machines: dict[str, Windows], ansible: Ansible) -> None:
    chosen = {way: machine for way, machine in machines.items() if not way.startswith("ssh")}
    before = {way: len(machine.ran()) for way, machine in chosen.items()}
    done = ansible.command(
        "ansible", "all", "-i", ansible.inventory(chosen), "-m", "ansible.builtin.raw", "-a", "whoami",
        "-e", "ansible_password=wrong",
    )  # fmt: skip
    assert done.stdout.count("UNREACHABLE") == len(chosen), done.stdout
    assert {way: len(machine.ran()) for way, machine in chosen.items()} == before


def test_a_program_that_outlasts_the_operation_is_waited_for(machines: dict[str, Windows], ansible: Ansible) -> None:
    chosen = {way: machines[way] for way in ("winrm", "psrp")}
    for machine in chosen.values():
        machine.set(delay_s={"whoami.exe": 2.5})
    try:
        done = ansible.command(
            "ansible", "all", "-i", ansible.inventory(chosen), "-m", "ansible.builtin.raw", "-a", "whoami",
            "-e", "ansible_winrm_operation_timeout_sec=1", "-e", "ansible_winrm_read_timeout_sec=5",
            "-e", "ansible_psrp_operation_timeout=1", "-e", "ansible_psrp_read_timeout=5",
        )  # fmt: skip
    finally:
        for machine in chosen.values():
            machine.set(delay_s={})
    assert done.stdout.count("win1\\deployer") == 2, done.stdout


def test_one_process_stands_in_for_one_machine(tmp_path: pathlib.Path) -> None:
    machine = tmp_path / "machine"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.windows", "--listen", f"{NET}.40:5985", "--folder", str(machine)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/collections", "LAB_WINDOWS_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == f"tests.doubles.windows: listening on {NET}.40:5985\n"
        command = [sys.executable, str(ROOT / "tests/doubles/windows/ssh"), "-o", "Port=5985", f"{NET}.40", "exit"]
        assert subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 1
    finally:
        process.terminate()
        began = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - began < 10
        process.stdout.close()
