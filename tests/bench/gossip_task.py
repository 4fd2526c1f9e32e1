# SPDX-License-Identifier: GPL-3.0-or-later
"""One es_gossip_facts task over 3 and over 50 endpoints, against an empty play and a loop of ansible.builtin.uri.

Bars: an empty play + 0.15 s, and 20 times faster than the loop over the same 50. Whole runs of ansible-playbook, one of
each kind after the other; the median of the rounds counts. Exit 1 over a bar.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "collections"), str(Path(__file__).parent)]

from gossip_server import address  # noqa: E402
from gossip_sweep import server  # noqa: E402

PORT, COUNT, ROUNDS = 25115, 50, 7
EXTRA_BAR_S, URI_BAR = 0.15, 20.0


def playbook(task: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task]}]


def ask(count: int) -> dict[str, t.Any]:
    endpoints = [f"{address(number)}:{PORT}" for number in range(count)]
    return {"name": "Ask", "eventstore.cluster.es_gossip_facts": {"endpoints": endpoints}}


def uri_loop(count: int) -> dict[str, t.Any]:
    urls = [f"http://{address(number)}:{PORT}/gossip" for number in range(count)]
    return {"name": "Ask", "ansible.builtin.uri": {"url": "{{ item }}", "return_content": True}, "loop": urls}


def run(path: Path) -> float:
    """Seconds of a whole ansible-playbook."""
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(path)]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(path.parent / "tmp")}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{path.stem} failed:\n{done.stdout}{done.stderr}")
    return seconds


def main() -> int:
    plays = {
        "empty": playbook({"name": "Nothing", "ansible.builtin.debug": {"msg": "nothing"}}),
        "ask-3": playbook(ask(3)),
        "ask-50": playbook(ask(COUNT)),
        "uri-50": playbook(uri_loop(COUNT)),
    }
    with tempfile.TemporaryDirectory() as folder, server(PORT, count=COUNT, size=5):
        times: dict[str, list[float]] = {name: [] for name in plays}
        for name, play in plays.items():
            (Path(folder) / f"{name}.yml").write_text(json.dumps(play))
        for number in range(ROUNDS):
            for name in plays:
                if name != "uri-50" or number % 3 == 0:
                    times[name].append(run(Path(folder) / f"{name}.yml"))
    for name, values in times.items():
        print(f"{name}: {statistics.median(values):.3f} s")
    more = {
        name: statistics.median(own - empty for own, empty in zip(times[name], times["empty"]))
        for name in ("ask-3", "ask-50")
    }
    ratio = statistics.median(times["uri-50"]) / statistics.median(times["ask-50"])
    for name, seconds in more.items():
        print(f"{name}, more than an empty play: {seconds:.3f} s (at most {EXTRA_BAR_S})")
    print(f"ratio of uri in a loop to es_gossip_facts: {ratio:.1f} (at least {URI_BAR:.0f})")
    return int(max(more.values()) > EXTRA_BAR_S or ratio < URI_BAR)


if __name__ == "__main__":
    sys.exit(main())
