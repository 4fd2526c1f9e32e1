# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a folder and a network of its own, for tests and benches; what is true there is told by curl and /proc."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

import psutil
import yaml

ROOT = pathlib.Path(__file__).parents[1]
BIN = pathlib.Path(sys.executable).parent


class Site:
    """The default inventory, copied to a folder and a network of its own."""

    def __init__(self, folder: pathlib.Path, net: str, **variables: object) -> None:
        self.folder = folder
        self.net = net
        self.lab = folder / ".lab"
        self.inventory = folder / "inventory"
        self.inventory.mkdir()
        text = (ROOT / "inventory/hosts.yml").read_text().replace("127.0.0.", f"{net}.")
        data = yaml.safe_load(text)
        data["lab"]["vars"].update(variables)
        data["eventstore"]["vars"].update(variables)  # a child's variables win
        for host in data["eventstore"]["hosts"].values():
            host.update({name: value for name, value in variables.items() if name in host})
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump(data))

    def play(
        self, playbook: str, *arguments: str, timeout: float = 600, within: t.Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook from another directory than the clone's."""
        with self.start(playbook, *arguments, within=within) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(
        self, playbook: str, *arguments: str, controller: str = "controller", within: t.Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a playbook; another ``controller`` is one that shares no lock with the first.

        ``within``: a program and its arguments, which runs ansible-playbook.
        """
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / controller),
        }
        program = str(BIN / "ansible-playbook")
        command = [*within, program, str(ROOT / playbook), "-i", str(self.inventory), *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.play("site.yml", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def build(self, version: str) -> None:
        """Make the archive of one more version."""
        subprocess.run(
            [sys.executable, str(ROOT / "lab/build"), "--version", version, "--output", str(self.lab)],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def processes(self, word: str) -> list[psutil.Process]:
        """The running processes of this site whose command line has the word."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE
            and any(str(self.lab) in part for part in process.info["cmdline"] or [])
            and any(word in part for part in process.info["cmdline"])
        ]

    def manager(self, host: str) -> psutil.Process:
        (found,) = [each for each in self.processes("es-manager.pyz") if f"/{host}/" in " ".join(each.cmdline())]
        return found

    def node(self, host: str) -> psutil.Process:
        (found,) = [
            each
            for each in self.processes("eventstored")
            if f"/{host}/" in " ".join(each.cmdline()) and "--watchdog-state" not in each.cmdline()
        ]
        return found

    def remove(self) -> None:
        subprocess.run([sys.executable, str(ROOT / "lab/down"), "--directory", str(self.lab)], check=True)
        for process in [*self.processes("es-manager.pyz"), *self.processes("eventstored")]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def changed(output: str) -> dict[str, int]:
    recap = output.partition("PLAY RECAP")[2]
    return {host: int(count) for host, count in re.findall(r"^(\w+)\s+: .*changed=(\d+)", recap, re.MULTILINE)}


def curl(url: str, *arguments: str) -> tuple[int, str]:
    """Status (0: no answer) and body."""
    command = ["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *arguments, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    body, _newline, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def append(address: str, event_id: str) -> int:
    events = json.dumps([{"eventId": event_id, "eventType": "test", "data": {"of": event_id}}])
    return curl(
        f"http://{address}/streams/test", "-d", events, "-H", "Content-Type: application/vnd.eventstore.events+json"
    )[0]


def stored(address: str) -> str:
    return curl(f"http://{address}/streams/test?from=0&count=1000")[1]


def wait_for(what: t.Callable[[], t.Any], timeout_s: float = 90.0) -> None:
    """Wait until the function returns something true; AssertionError if it does not."""
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, f"not within {timeout_s:g} s"
        time.sleep(0.1)


def has_full_cluster(net: str) -> bool:
    states = []
    for last in (11, 12, 13):
        status, body = curl(f"http://{net}.{last}:2113/info")
        states.append(json.loads(body)["state"] if status == 200 else "")
    return sorted(states) == ["master", "slave", "slave"]
