# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes of the stand-in node on loopback, watched with the standard library and nothing of the node's own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import typing as t
import uuid
from pathlib import Path

EVENTS = "application/vnd.eventstore.events+json"
ADMIN = {"Authorization": "Basic " + base64.b64encode(b"admin:changeit").decode()}


class Reply(t.NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> t.Any:
        return json.loads(self.body)


def ask(
    ip: str,
    path: str,
    *,
    method: str = "GET",
    port: int = 2113,
    body: bytes | None = None,
    headers: t.Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Reply:
    connection = http.client.HTTPConnection(ip, port, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def until(what: str, condition: t.Callable[[], object], timeout_s: float = 60.0) -> float:
    """Wait for the condition; the seconds it took. Refused and broken connections count as not yet."""
    start = time.monotonic()
    last: object = None
    while time.monotonic() - start < timeout_s:
        try:
            last = condition()
        except (OSError, http.client.HTTPException, ValueError) as error:
            last = error
        if last and not isinstance(last, Exception):
            return time.monotonic() - start
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {timeout_s:g} s; last: {last!r}")


class Nodes:
    """Nodes by number; number 1 has the first address."""

    def __init__(self, executable: Path, directory: Path, ips: t.Sequence[str], **options: object) -> None:
        self.executable = executable
        self.directory = directory
        self.ips = dict(enumerate(ips, 1))
        self.options: dict[str, object] = {
            "ClusterSize": 3,
            "DiscoverViaDns": "false",
            "GossipSeed": [f"{ip}:2112" for ip in ips],
            **options,
        }
        self.environment: dict[str, str] = {}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def config(self, number: int, **options: object) -> Path:
        own = {
            "IntIp": self.ips[number],
            "ExtIp": self.ips[number],
            "Db": str(self.directory / str(number) / "data"),
            "Log": str(self.directory / str(number) / "log"),
        }
        path = self.directory / f"{number}.yaml"
        path.write_text(json.dumps({**self.options, **own, **options}), encoding="utf-8")  # JSON is YAML
        return path

    def start(self, *numbers: int, **options: object) -> None:
        for number in numbers:
            with self.output(number).open("ab") as output:
                self.processes[number] = subprocess.Popen(
                    [str(self.executable), "--config", str(self.config(number, **options))],
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **self.environment},
                )

    def output(self, number: int) -> Path:
        return self.directory / f"{number}.out"

    def data(self, number: int) -> Path:
        return self.directory / str(number) / "data"

    def signal(self, number: int, sign: signal.Signals) -> None:
        self.processes[number].send_signal(sign)

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            process = self.processes.pop(number)
            process.kill()
            process.wait(30)

    def close(self) -> None:
        for number in list(self.processes):
            self.kill(number)

    def info(self, number: int) -> str:
        return t.cast("str", ask(self.ips[number], "/info", timeout_s=2).json()["state"])

    def gossip(self, number: int) -> dict[str, dict[str, t.Any]]:
        """Members by internal address and port, as the node's own external port shows them."""
        members = ask(self.ips[number], "/gossip", timeout_s=2).json()["members"]
        return {f"{m['internalHttpIp']}:{m['internalHttpPort']}": m for m in members}

    def states(self, number: int) -> list[str]:
        return sorted(m["state"] for m in self.gossip(number).values() if m["isAlive"] and m["state"] != "Manager")

    def master(self) -> int:
        (number,) = [n for n in self.processes if self.info(n) == "master"]
        return number

    def wait_healthy(self, *states: str, timeout_s: float = 60.0) -> float:
        """Every running node sees exactly these states alive."""
        wanted = sorted(states or ["Master", "Slave", "Slave"])
        return until(
            f"all see {wanted}", lambda: all(self.states(n) == wanted for n in self.processes), timeout_s=timeout_s
        )

    def write(self, number: int, event_id: str, stream: str = "test", **headers: str) -> Reply:
        body = json.dumps([{"eventId": event_id, "eventType": "tested", "data": {"id": event_id}}]).encode()
        return ask(
            self.ips[number],
            f"/streams/{stream}",
            method="POST",
            body=body,
            headers={"Content-Type": EVENTS, **{name.replace("_", "-"): text for name, text in headers.items()}},
            timeout_s=12,
        )

    def read(self, number: int, stream: str = "test") -> list[str]:
        """All eventIds of a stream, page by page."""
        ids: list[str] = []
        while True:
            page = ask(self.ips[number], f"/streams/{stream}?from={len(ids)}&count=500").json()["events"]
            if not page:
                return ids
            ids += [event["eventId"] for event in page]


class Writer:
    """Appends one event after the other from a thread, to any node, each until it is acknowledged."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        attempt = 0
        event_id = str(uuid.uuid4())
        while not self._stop.is_set():
            attempt += 1
            numbers = sorted(self.nodes.ips)
            try:
                status = self.nodes.write(numbers[attempt % len(numbers)], event_id).status
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 201:
                self.acknowledged.append(event_id)
                event_id = str(uuid.uuid4())
            else:
                time.sleep(0.01)

    def wait_for_more(self, count: int, timeout_s: float = 60.0) -> float:
        wanted = len(self.acknowledged) + count
        return until(f"{count} more appends", lambda: len(self.acknowledged) >= wanted, timeout_s=timeout_s)
