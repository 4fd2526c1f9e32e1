# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/up and lab/down as processes, from another directory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow
AT = "127.0.41.21:15353"
RECORD = "cluster1.eventstore.local=127.0.0.11,127.0.0.12"


def script(name: str, directory: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PYTHONPATH": path} if path else {})}
    return subprocess.run(
        [sys.executable, str(ROOT / "lab" / name), "--directory", str(directory), *arguments],
        capture_output=True,
        text=True,
        cwd="/",
        timeout=30,
        env=environment,
        check=False,
    )


def up(directory: Path, *records: str) -> str:
    arguments = [word for record in records or [RECORD] for word in ("--record", record)]
    done = script("up", directory, "--listen", AT, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[-1]


def server(directory: Path) -> psutil.Process:
    return psutil.Process(json.loads((directory / "dns.json").read_text())["pid"])


def is_gone(process: psutil.Process) -> bool:
    """Ended; whoever is the first process of this machine may be slow to collect it."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def directory(tmp_path: Path) -> t.Iterator[Path]:
    directory = tmp_path / "lab"
    try:
        yield directory
    finally:
        script("down", directory)


def addresses() -> list[str]:
    packet = bytes.fromhex("beef01000001000000000000") + b"\x08cluster1\x0aeventstore\x05local\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(packet, ("127.0.41.21", 15353))
        reply = sock.recv(512)
    count = int.from_bytes(reply[6:8], "big")
    return sorted(socket.inet_ntoa(reply[len(reply) - 16 * n - 4 :][:4]) for n in range(count))


def test_up_changes_only_what_is_not_so_and_down_ends_it(directory: Path) -> None:
    assert up(directory) == "changed"
    assert addresses() == ["127.0.0.11", "127.0.0.12"]
    first = server(directory)
    assert up(directory) == "unchanged"
    assert server(directory) == first
    assert up(directory, "cluster1.eventstore.local=127.0.0.13") == "changed"
    assert addresses() == ["127.0.0.13"]
    assert is_gone(first)
    assert up(directory, "cluster1.eventstore.local=127.0.0.13", "other.local=127.0.0.1") == "changed"
    assert up(directory, "cluster1.eventstore.local=127.0.0.13") == "changed", "other.local must not be left"
    second = server(directory)
    second.kill()
    assert up(directory) == "changed"
    third = server(directory)
    assert script("down", directory).stdout == "changed\n"
    assert is_gone(third)
    assert script("down", directory).stdout == "unchanged\n"


def test_down_ends_no_process_that_only_has_the_same_pid(directory: Path) -> None:
    up(directory)
    state = json.loads((directory / "dns.json").read_text())
    script("down", directory)
    with subprocess.Popen(["/bin/sleep", "30"]) as other:
        (directory / "dns.json").write_text(json.dumps({**state, "pid": other.pid}))
        assert script("down", directory).stdout == "unchanged\n"
        assert other.poll() is None
        other.kill()


def test_a_taken_port_is_an_error_that_says_so(directory: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.41.21", 15353))
        done = script("up", directory, "--listen", AT)
    assert done.returncode == 1
    assert "lab.dns: cannot listen on 127.0.41.21:15353: Address already in use" in done.stderr
    assert not (directory / "dns.json").exists()


def test_without_dnspython_one_line_says_what_to_install(directory: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(
        "import sys\n"
        "class NoDns:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'dns':\n"
        "            raise ModuleNotFoundError('No module named dns', name='dns')\n"
        "sys.meta_path.insert(0, NoDns)\n"
    )
    done = script("up", directory, path=str(blocked))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("-m pip install dnspython\n")
