# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's name server in the background: started once, found again by pid and start time, ended by them alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from lab.dns.server import Records

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


def ensure_dns(directory: Path, endpoint: Endpoint, records: Records) -> bool:
    """Make sure that the name server runs with exactly these records; True if something had to be done."""
    from lab.dns.server import has_records  # needs dnspython; ending the server does not

    arguments = ["--listen", str(endpoint)]
    for name, addresses in sorted(records.items()):
        arguments += ["--record", f"{name}={','.join(addresses)}"]
    if _running(directory) and _state(directory).get("arguments") == arguments and has_records(endpoint, records):
        return False
    stop_dns(directory)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "dns.log"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "collections")])}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.dns", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    state = {
        "pid": process.pid,
        "started": procfs.start_time(process.pid),
        "boot": procfs.boot_id(),
        "arguments": arguments,
    }
    _state_file(directory).write_text(json.dumps(state), encoding="utf-8")
    waited = wait_until(
        lambda: has_records(endpoint, records) and process.poll() is None,
        lambda answers: answers or process.poll() is not None,
        timeout_s=START_TIMEOUT_S,
    )
    if not waited.last:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        stop_dns(directory)
        raise ServiceError(
            f"the name server does not answer: {said[0] if said else 'it says nothing'}",
            where=str(endpoint),
            hint=f"If something else holds the port, end that; all it said is in {log}",
        )
    return True


def stop_dns(directory: Path) -> bool:
    """End the name server that was started for this directory, and no other process; True if one ran."""
    running = _running(directory)
    if running:
        pid, started = _state(directory)["pid"], _state(directory)["started"]
        for sign in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, sign)
            if wait_until(lambda: _is_gone(pid, started), lambda gone: gone, timeout_s=STOP_TIMEOUT_S).ok:
                break
    _state_file(directory).unlink(missing_ok=True)
    return running


def _is_gone(pid: int, started: int) -> bool:
    return not procfs.is_running(pid, started)


def _state_file(directory: Path) -> Path:
    return directory / "dns.json"


def _state(directory: Path) -> dict[str, t.Any]:
    try:
        state = json.loads(_state_file(directory).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _running(directory: Path) -> bool:
    state = _state(directory)
    pid, started = state.get("pid"), state.get("started")
    if not isinstance(pid, int) or not isinstance(started, int) or state.get("boot") != procfs.boot_id():
        return False
    return procfs.is_running(pid, started)


__all__ = ["ensure_dns", "stop_dns"]
