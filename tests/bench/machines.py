# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a machine with systemd takes to boot: one alone, and three at once, beside an empty box.

``python tests/bench/machines.py``; exit 1 over the bar. Where machines cannot be made it says why and measures nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

HOSTS = Path(__file__).parents[2] / "tests/doubles/hosts"
BOOT_BAR_S = 5.0
ROUNDS = 3
ONE, THREE = "node1=192.168.1.11", "node1=192.168.1.11 node2=192.168.1.12 node3=192.168.1.13"


def main() -> int:
    probe = subprocess.run([HOSTS / "box", "true"], capture_output=True, text=True, check=False)
    if probe.returncode == 77:
        print(probe.stderr.strip())
        return 0
    empty = statistics.median(seconds("true") for _round in range(ROUNDS))
    one = statistics.median(seconds(create(ONE)) for _round in range(ROUNDS)) - empty
    three = statistics.median(seconds(create(THREE)) for _round in range(ROUNDS)) - empty
    print(f"empty box                 {empty:5.2f} s")
    print(f"one machine has booted    {one:5.2f} s  (bar {BOOT_BAR_S:g} s)")
    print(f"three at once             {three:5.2f} s  {three / one:.1f} x one")
    return int(one > BOOT_BAR_S)


def create(machines: str) -> str:
    """Returns when systemd says of each that it runs."""
    return f"{HOSTS}/machine create {machines} && {HOSTS}/machine exec node1 systemctl is-system-running"


def seconds(command: str) -> float:
    """From the start of a box for it until it has done this."""
    began = time.monotonic()
    subprocess.run([HOSTS / "box", "sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
