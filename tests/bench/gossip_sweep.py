# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep of 1,000 endpoints against ``curl --parallel`` over the same; and with 100 of them hanging.

Bars: at most 1.5 times curl's time, and at most 2.1 s with a timeout of 2 s. Exit 1 over a bar.
"""

from __future__ import annotations

import contextlib
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

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint  # noqa: E402
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, view  # noqa: E402
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep  # noqa: E402

COUNT, HANGING, ROUNDS = 1000, 100, 7
PORT, HANGING_PORT = 25113, 25114
CURL_BAR, HANGING_BAR_S = 1.5, 2.1


@contextlib.contextmanager
def server(port: int, hanging: int = 0, count: int = COUNT, size: int = 3) -> t.Iterator[None]:
    arguments = [str(number) for number in (port, hanging, count, size)]
    command = [sys.executable, str(Path(__file__).with_name("gossip_server.py")), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise SystemExit(f"the bench's server did not start; is port {port} free?")
            yield
        finally:
            process.kill()


def timed(port: int, timeout_s: float) -> tuple[float, int]:
    """Seconds, and how many answered."""
    requests = [sweep.Request(Endpoint(address(number), port), "/gossip") for number in range(COUNT)]
    start = time.perf_counter()
    results = sweep.sweep(requests, timeout_s=timeout_s)
    return time.perf_counter() - start, sum(not result.error for result in results)


def curl(config: Path) -> tuple[float, int]:
    """Seconds without those of the start of its process, and how many answered."""
    # More than 300 at a time curl does not do.
    command = ["curl", "--silent", "--parallel", "--parallel-max", "300", "--config", str(config)]
    start = time.perf_counter()
    subprocess.run(["curl", "--version"], capture_output=True, check=True)  # noqa: S607
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    return time.perf_counter() - started - (started - start), done.stdout.count(b"200\n")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, server(PORT), server(HANGING_PORT, HANGING):
        config = Path(folder) / "curl.conf"
        urls = (f'url = "http://{address(number)}:{PORT}/gossip"\noutput = "/dev/null"\n' for number in range(COUNT))
        config.write_text('write-out = "%{http_code}\\n"\n' + "".join(urls))
        times: dict[str, list[float]] = {"sweep": [], "curl": []}
        for _round in range(ROUNDS):
            for name, (seconds, answered) in (("sweep", timed(PORT, 10.0)), ("curl", curl(config))):
                if answered != COUNT:
                    raise SystemExit(f"{name}: {answered} of {COUNT} answered")
                times[name].append(seconds)
        hanging = []
        for _round in range(3):
            seconds, answered = timed(HANGING_PORT, 2.0)
            if answered != COUNT - HANGING:
                raise SystemExit(f"with hanging nodes: {answered} of {COUNT - HANGING} answered")
            hanging.append(seconds)
        targets = [view.Target(Endpoint(address(number), PORT), kind=view.DATABASE) for number in range(COUNT)]
        start = time.perf_counter()
        facts.report(view.ClusterView(facts.ask(targets, 10.0)))
        whole_s = time.perf_counter() - start
    own_s, curl_s, hanging_s = (statistics.median(values) for values in (times["sweep"], times["curl"], hanging))
    print(f"sweep of {COUNT}: {own_s * 1000:.0f} ms, curl --parallel: {curl_s * 1000:.0f} ms")
    print(f"ratio {own_s / curl_s:.2f} (at most {CURL_BAR})")
    print(f"with {HANGING} hanging and a timeout of 2 s: {hanging_s:.3f} s (at most {HANGING_BAR_S})")
    print(f"for comparison: /gossip and /info of all, read and reported: {whole_s * 1000:.0f} ms")
    return int(own_s > CURL_BAR * curl_s or hanging_s > HANGING_BAR_S)


if __name__ == "__main__":
    sys.exit(main())
