# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml costs on the lab's three machines, beside an empty play: the first run, to quorum, and later ones.

``python tests/bench/site.py``; exit 1 when a bar is missed.
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from tests.lab_site import Site, changed

FIRST_RUN_S = 25.0
LATER_RUN_S = 10.0
LATER_RUNS = 3
EMPTY = "- hosts: eventstore\n  gather_facts: false\n"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-site-") as folder:
        site = Site(pathlib.Path(folder), "127.0.88")
        empty = site.folder / "empty.yml"
        empty.write_text(EMPTY)
        try:
            first, _output = timed(site, "site.yml")
            pairs = [(timed(site, "site.yml"), timed(site, str(empty))) for _ in range(LATER_RUNS)]
        finally:
            site.remove()
    again = statistics.median(seconds for (seconds, _output), _empty in pairs)
    floor = statistics.median(seconds for _again, (seconds, _output) in pairs)
    idle = all(set(changed(output).values()) == {0} for (_seconds, output), _empty in pairs)
    print(f"empty play                  {floor:6.2f} s")
    print(f"first run, quorum proved    {first:6.2f} s  {first / floor:5.1f} x the empty play  (bar {FIRST_RUN_S:g} s)")
    print(
        f"later run, changed=0 {idle!s:5}  {again:6.2f} s  {again / floor:5.1f} x the empty play  "
        f"(bar {LATER_RUN_S:g} s)"
    )
    return int(first > FIRST_RUN_S or again > LATER_RUN_S or not idle)


def timed(site: Site, playbook: str) -> tuple[float, str]:
    start = time.monotonic()
    done = site.play(playbook)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, done.stdout


if __name__ == "__main__":
    sys.exit(main())
