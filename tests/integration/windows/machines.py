# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in Windows machines, each reached in one of Ansible's ways; what is true is read from their folders."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import subprocess
import sys
import typing as t

import yaml

from tests.doubles.windows import services
from tests.doubles.windows.machine import Machine
from tests.doubles.windows.server import WindowsServer

ROOT = pathlib.Path(__file__).parents[3]
BIN = pathlib.Path(sys.executable).parent
STAND_INS = ROOT / "tests/doubles/windows"
USER, PASSWORD = "deployer", secrets.token_urlsafe(12)
PORT = 5985

WINRM = {"ansible_connection": "winrm", "ansible_winrm_scheme": "http"}
PSRP = {"ansible_connection": "psrp", "ansible_psrp_protocol": "http"}
SSH = {
    "ansible_connection": "ssh",
    "ansible_shell_type": "powershell",
    "ansible_password": None,
    "ansible_ssh_args": "",
    **{f"ansible_{name}_executable": str(STAND_INS / name) for name in ("ssh", "sftp", "scp")},
}
WAYS: dict[str, dict[str, t.Any]] = {
    "winrm": {**WINRM, "ansible_winrm_transport": "ntlm"},
    "winrm-basic": {**WINRM, "ansible_winrm_transport": "basic"},
    "psrp": {**PSRP, "ansible_psrp_auth": "negotiate"},
    "psrp-basic": {**PSRP, "ansible_psrp_auth": "basic", "ansible_psrp_message_encryption": "never"},
    "psrp-ntlm": {**PSRP, "ansible_psrp_auth": "ntlm"},
    "ssh": SSH,
    "ssh-cmd": {**SSH, "ansible_shell_type": "cmd"},
    "ssh-scp": {**SSH, "ansible_ssh_transfer_method": "scp"},
}


class Windows:
    """One machine: a server in this process, and the folder with its state."""

    def __init__(self, folder: pathlib.Path, way: str, ip: str, **settings: t.Any) -> None:
        self.ip = ip
        self.way = way
        self.machine = Machine(folder)
        self.settings = {"addresses": [ip], **settings}
        self.set()
        self.server = WindowsServer((ip, PORT), self.machine, USER, PASSWORD)

    def set(self, **settings: t.Any) -> None:
        self.settings.update(settings)
        self.machine.write("machine", self.settings)

    def __enter__(self) -> Windows:
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)
        services.end_all(self.machine)

    @property
    def variables(self) -> dict[str, t.Any]:
        return {
            "ansible_host": self.ip,
            "ansible_port": PORT,
            "ansible_user": USER,
            "ansible_password": PASSWORD,
            **WAYS[self.way],
        }

    def ran(self) -> list[list[str]]:
        """Every program that was run, with its arguments, so far."""
        return [[each["program"], *each["arguments"]] for each in self._lines("ran")]

    def changes(self) -> list[list[str]]:
        """Those that can change something."""
        looks = ("show", "query", "queryex", "-ano", "print", "/groups")
        return [each for each in self.ran() if not set(looks) & set(each[1:3])]

    def starts(self) -> int:
        """How often PowerShell was started, or a transfer was made, which takes as long."""
        return len(self._lines("started")) + sum(each[0] == "put_file" for each in self.ran() if self.way == "ssh")

    def refused(self) -> list[str]:
        return [each["why"] for each in self._lines("refused")]

    def _lines(self, name: str) -> list[dict[str, t.Any]]:
        path = self.machine.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def urlacl(self) -> dict[str, t.Any]:
        return self.machine.read("urlacl")

    @property
    def services(self) -> dict[str, t.Any]:
        return self.machine.read("services")

    def file(self, path: str) -> bytes | None:
        found = self.machine.path(path)
        return found.read_bytes() if found.is_file() else None

    def files(self, path: str) -> list[str]:
        """The names below a directory."""
        top = self.machine.path(path)
        return sorted(each.relative_to(top).as_posix() for each in top.rglob("*") if each.is_file())


class Ansible:
    """Plays over some machines, in a folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def command(self, program: str, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "controller"),
            "ANSIBLE_FORKS": "8",
        }
        return subprocess.run(
            [str(BIN / program), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def inventory(self, machines: t.Mapping[str, Windows], **variables: t.Any) -> str:
        hosts = {name: machine.variables for name, machine in machines.items()}
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"vars": variables, "hosts": hosts}}))
        return str(path)

    def tasks(
        self, machines: t.Mapping[str, Windows], tasks: list[dict[str, t.Any]], *arguments: str
    ) -> dict[str, list[dict[str, t.Any]]]:
        """Run the tasks on all machines, whatever fails; {host: the result of each task}."""
        steps = [{**task, "register": f"result_{number}", "ignore_errors": True} for number, task in enumerate(tasks)]
        names = [f"result_{number}" for number in range(len(tasks))]
        keep = {
            "ansible.builtin.copy": {
                "content": f"{{{{ [{', '.join(names)}] | to_json }}}}",
                "dest": f"{self.folder}/{{{{ inventory_hostname }}}}.json",
            },
            "connection": "local",
            "vars": {
                "ansible_connection": "local",
                "ansible_shell_type": "sh",
                "ansible_python_interpreter": sys.executable,
            },
            "check_mode": False,
            "diff": False,
        }
        playbook = self.folder / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [*steps, keep]}]))
        inventory = self.inventory(machines)
        for name in machines:
            (self.folder / f"{name}.json").unlink(missing_ok=True)
        done = self.command("ansible-playbook", "-i", inventory, str(playbook), *arguments)
        self.output = done.stdout + done.stderr
        assert done.returncode == 0, self.output
        return {name: json.loads((self.folder / f"{name}.json").read_text()) for name in machines}
