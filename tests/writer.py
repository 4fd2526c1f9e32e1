# SPDX-License-Identifier: GPL-3.0-or-later
"""Append events one after the other to any of several nodes, note what was acknowledged, and look for it later.

python -m tests.writer append acknowledged.txt 192.168.1.11:2113 192.168.1.12:2113    # until SIGTERM
python -m tests.writer check acknowledged.txt 192.168.1.11:2113 192.168.1.12:2113     # exit code 1 if an event is lost
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import sys
import time
import typing as t
import uuid
from pathlib import Path

STREAM = "/streams/writer"
EVENTS = "application/vnd.eventstore.events+json"
TIMEOUT_S = 5.0
PAGE = 500


def request(node: str, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    """Status and body; status 0 where no answer came."""
    connection = http.client.HTTPConnection(node, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, {"Content-Type": EVENTS, "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def append(log: t.TextIO, nodes: t.Sequence[str], stopped: t.Callable[[], bool]) -> None:
    """Write a line with time and id for each acknowledged event. What is not acknowledged is sent again with its id."""
    attempt = 0
    while not stopped():
        event = str(uuid.uuid4())
        body = json.dumps([{"eventId": event, "eventType": "written", "data": {}}])
        while not stopped():
            attempt += 1
            if request(nodes[attempt % len(nodes)], "POST", STREAM, body)[0] == 201:
                log.write(f"{time.time():.3f} {event}\n")
                log.flush()
                break
            time.sleep(0.05)
        time.sleep(0.02)


def read(node: str) -> list[str]:
    """The ids of all events that a node has."""
    events: list[str] = []
    while True:
        status, body = request(node, "GET", f"{STREAM}?from={len(events)}&count={PAGE}")
        if status != 200:
            raise OSError(f"http://{node}{STREAM} answered {status or 'nothing'} in place of 200")
        page = [event["eventId"] for event in json.loads(body)["events"]]
        if not page:
            return events
        events += page


def check(log: Path, nodes: t.Sequence[str]) -> list[str]:
    """What is wrong: acknowledged events that a node lacks or has twice."""
    acknowledged = [line.split()[1] for line in log.read_text(encoding="ascii").splitlines()]
    wrong = []
    for node in nodes:
        events = read(node)
        lost = set(acknowledged) - set(events)
        wrong += [f"{node} has lost {event}, which was acknowledged" for event in sorted(lost)]
        if len(events) != len(set(events)):
            wrong.append(f"{node} has {len(events) - len(set(events))} events twice")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.writer", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("append", "check"))
    parser.add_argument("log", type=Path)
    parser.add_argument("nodes", nargs="+", metavar="IP:PORT")
    options = parser.parse_args()
    if options.command == "append":
        stop: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
        with options.log.open("a", encoding="ascii") as log:
            append(log, options.nodes, lambda: bool(stop))
        return 0
    wrong = check(options.log, options.nodes)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(options.log.read_text(encoding='ascii').splitlines())} acknowledged, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
