#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for a database node (/info) or a manager (/gossip, and nodes as children) that es_service has to handle.

STAND_IN in the environment makes it misbehave: silent (no HTTP), html, gives-up, dies, stubborn (ignores SIGTERM),
careless (a manager that leaves its nodes behind).
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

MODE = os.environ.get("STAND_IN", "")


def read_options(path: str) -> dict[str, str]:
    with open(path) as stream:
        pairs = (line.partition(":") for line in stream if line[:1].isalpha())
        return {name: value.strip().strip("'\"") for name, _colon, value in pairs}


def gossip(options: dict[str, str]) -> dict[str, object]:
    ip = options["IntIp"]
    zero = "00000000-0000-0000-0000-000000000000"
    own = {"instanceId": "c0c063f9-481d-41e2-aee3-309a9b61c87f", "timeStamp": "2026-11-22T22:46:08.7874Z"}
    own.update(state="Manager", isAlive=True, internalSecureTcpPort=0, externalSecureTcpPort=0, epochId=zero)
    for side, port in (("internal", 30777), ("external", 30778)):
        for protocol in ("Tcp", "Http"):
            own.update({f"{side}{protocol}Ip": ip, f"{side}{protocol}Port": port})
    for name in ("lastCommitPosition", "writerCheckpoint", "chaserCheckpoint", "epochPosition", "epochNumber"):
        own[name] = -1
    own["nodePriority"] = 0
    return {"members": [own], "serverIp": ip, "serverPort": 30777}


def serve(ip: str, port: int, path: str, answer: object) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>" if MODE == "html" else json.dumps(answer).encode()
            self.send_response(200 if self.path == path else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((ip, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    arguments = sys.argv[1:]
    options = read_options(arguments[arguments.index("--config") + 1])
    print("it says hello", flush=True)
    if MODE == "dies":
        print("Db: no such directory", flush=True)
        sys.exit(3)
    if MODE == "gives-up":
        print("Exiting with exit code: 1.\nExit reason: Address already in use", flush=True)
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE in ("silent", "gives-up"):
        time.sleep(600)
    if "WatchdogConfig" in options:
        node = arguments[arguments.index("--node-executable") + 1]
        with open(options["WatchdogConfig"]) as stream:
            commands = [[node, *line.lstrip("#").split()] for line in stream]
        children = [subprocess.Popen(command, start_new_session=True) for command in commands]

        def stop(*_args: object) -> None:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()
            os._exit(0)

        if MODE != "careless":
            signal.signal(signal.SIGTERM, stop)
        serve(options["IntIp"], 30777, "/gossip", gossip(options))
        serve(options["ExtIp"], 30778, "/gossip", gossip(options))
    else:
        answer = {"esVersion": "3.4.0.0", "state": "master", "projectionsMode": "None"}
        serve(options["ExtIp"], int(options.get("ExtHttpPort", "2113")), "/info", answer)
    while True:
        signal.pause()


main()
