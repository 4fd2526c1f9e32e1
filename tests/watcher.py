# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at database nodes from outside, with HTTP clients of its own: how many are down at once, what is lost.

python -m tests.watcher watched.json 192.168.1.11:2113 192.168.1.12:2113    # until SIGTERM
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
import typing as t
import uuid
from pathlib import Path

SAMPLE_S = 0.05
IN_SYNC = ("master", "slave")


class Watcher:
    """Samples every node every 50 ms, each in a thread of its own.

    A node is down from the first connection that is refused or broken until it is master or slave again. One that
    does not answer in time is not: this computer may just be busy. Neither is one in an election.
    """

    def __init__(self, addresses: t.Sequence[str]) -> None:
        self.outages: list[tuple[str, float, float]] = []  # address, from, to
        self._down: dict[str, float] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.worst = 0
        self.worst_nodes: list[str] = []
        self.samples = 0
        self._threads = [threading.Thread(target=self._watch, args=(each,), daemon=True) for each in addresses]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def is_down(self, address: str = "") -> bool:
        with self._lock:
            return address in self._down if address else bool(self._down)

    def since(self, address: str) -> float:
        """When the node that is down went down."""
        with self._lock:
            return self._down[address]

    def _watch(self, address: str) -> None:
        while not self._over.wait(SAMPLE_S):
            state = _state(address)
            now = time.monotonic()
            with self._lock:
                self.samples += 1
                if state is None and address not in self._down:
                    self._down[address] = now
                    if len(self._down) > self.worst:
                        self.worst, self.worst_nodes = len(self._down), sorted(self._down)
                elif state in IN_SYNC and address in self._down:
                    self.outages.append((address, self._down.pop(address), now))


def _state(address: str) -> str | None:
    """What the node says it is; None if nothing listens there, empty if it says nothing in time."""
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/info")
        return str(json.load(connection.getresponse()).get("state", ""))
    except (ConnectionError, http.client.HTTPException):
        return None
    except (OSError, ValueError):
        return ""
    finally:
        connection.close()


class Writer:
    """Appends all the time, to one node after the other, and keeps what was acknowledged."""

    def __init__(self, addresses: t.Sequence[str]) -> None:
        self._addresses = list(addresses)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.acknowledged: list[str] = []
        self.longest_gap_s = 0.0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        last = time.monotonic()
        number = 0
        while not self._over.wait(0.02):
            event_id = str(uuid.uuid4())
            address = self._addresses[number % len(self._addresses)]
            number += 1
            if _append(address, event_id):
                now = time.monotonic()
                self.longest_gap_s = max(self.longest_gap_s, now - last)
                last = now
                self.acknowledged.append(event_id)

    def lost(self, address: str) -> set[str]:
        """The acknowledged events that the node does not have."""
        found: set[str] = set()
        start = 0
        while True:
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", f"/streams/watched?from={start}&count=500")
            events = json.load(connection.getresponse())["events"]
            connection.close()
            found.update(event["eventId"] for event in events)
            start += len(events)
            if not events:
                return set(self.acknowledged) - found


def _append(address: str, event_id: str) -> bool:
    body = json.dumps([{"eventId": event_id, "eventType": "watched", "data": {}}])
    connection = http.client.HTTPConnection(address, timeout=3)
    try:
        connection.request("POST", "/streams/watched", body, {"Content-Type": "application/vnd.eventstore.events+json"})
        return connection.getresponse().status == 201
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(output: str, *addresses: str) -> None:
    with Watcher(addresses) as watcher:
        signal.sigwait([signal.SIGTERM])
    outages = [{"node": node, "seconds": round(until - since, 1)} for node, since, until in watcher.outages]
    found = {"worst": watcher.worst, "nodes": watcher.worst_nodes, "outages": outages, "samples": watcher.samples}
    whole = Path(f"{output}.new")
    whole.write_text(json.dumps(found))
    whole.rename(output)


if __name__ == "__main__":
    # Before any thread is started, so that it reaches the one that waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main(*sys.argv[1:])
