# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.doubles.windows --listen 127.0.0.11:5985 --folder DIR``; password: LAB_WINDOWS_PASSWORD."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.doubles.windows import services
from tests.doubles.windows.machine import Machine
from tests.doubles.windows.server import WindowsServer


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.doubles.windows", description="Stand in for one Windows machine."
    )
    parser.add_argument("--listen", required=True, metavar="IP:PORT")
    parser.add_argument("--folder", required=True, type=Path, help="where the machine's state is")
    parser.add_argument("--user", default="deployer", help="default: %(default)s")
    options = parser.parse_args()
    password = os.environ.get("LAB_WINDOWS_PASSWORD")
    if not password:
        parser.error("the environment variable LAB_WINDOWS_PASSWORD has no password")
    address, _colon, port = options.listen.rpartition(":")
    machine = Machine(options.folder.resolve())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        server = WindowsServer((address, int(port)), machine, options.user, password)
    except OSError as error:
        print(f"tests.doubles.windows: cannot listen on {options.listen}: {error.strerror}", file=sys.stderr)
        return 1
    with server:
        print(f"tests.doubles.windows: listening on {options.listen}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        services.end_all(machine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
