# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep of 1,000 endpoints against ``curl --parallel`` over the same; and with 100 of them hanging.

Over TLS it is the CPU of the asker that counts, with chain and name checked by both.
Bars: at most 1.5 times curl's time, and at most 2.1 s with a timeout of 2 s; over TLS at most 0.8 times curl's CPU, and
on open connections at most 0.1 times that of the first sweep. Exit 1 over a bar.
"""

from __future__ import annotations

import contextlib
import resource
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
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep, tls  # noqa: E402
from tests.doubles import certificates  # noqa: E402

COUNT, HANGING, ROUNDS = 1000, 100, 7
PORT, HANGING_PORT, TLS_PORT = 25113, 25114, 25115
CURL_BAR, HANGING_BAR_S = 1.5, 2.1
TLS_ROUNDS, TLS_BAR, OPEN_BAR = 3, 0.8, 0.1


def server(port: int, hanging: int = 0, count: int = COUNT, size: int = 3) -> t.ContextManager[None]:
    return _running(port, "gossip_server.py", *(str(number) for number in (port, hanging, count, size)))


@contextlib.contextmanager
def _running(port: int, program: str, *arguments: str) -> t.Iterator[None]:
    command = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
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


def over_tls(folder: Path) -> tuple[float, float, float]:
    """CPU seconds of a sweep, of the next one on the same connections, and of curl; the least of some rounds each."""
    pair = certificates.leaf("*.bench.test")
    (folder / "node.pem").write_bytes(pair.pem)
    (folder / "ca.crt").write_bytes(certificates.authority().certificate_pem)
    names = {f"n{number}.bench.test": address(number) for number in range(COUNT)}
    config = folder / "tls.conf"
    lines = [f'resolve = "{name}:{TLS_PORT}:{ip}"\n' for name, ip in names.items()]
    lines += [f'url = "https://{name}:{TLS_PORT}/gossip"\noutput = "/dev/null"\n' for name in names]
    config.write_text(f'cacert = "{folder / "ca.crt"}"\nwrite-out = "%{{http_code}}\\n"\n' + "".join(lines))
    requests = [sweep.Request(Endpoint(ip, TLS_PORT), "/gossip", name) for name, ip in names.items()]
    rounds = []
    with _running(TLS_PORT, "tls_server.py", str(TLS_PORT), str(folder / "node.pem")):
        for _round in range(TLS_ROUNDS):
            with sweep.Sweeper(sweep.Access(tls.trusting(str(folder / "ca.crt")))) as sweeper:
                rounds.append((_cpu(sweeper, requests), _cpu(sweeper, requests), _curls_cpu(config)))
    first, again, curls = zip(*rounds)
    return min(first), min(again), min(curls)


def _cpu(sweeper: sweep.Sweeper, requests: list[sweep.Request]) -> float:
    start = time.process_time()
    results = sweeper.sweep(requests, timeout_s=60)
    seconds = time.process_time() - start
    failed = [result for result in results if result.error]
    if failed:
        raise SystemExit(f"over TLS {len(failed)} of {COUNT} failed: {failed[0].text}")
    return seconds


def _curls_cpu(config: Path) -> float:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start = used()
    _seconds, answered = curl(config)
    if answered != COUNT:
        raise SystemExit(f"curl over TLS: {answered} of {COUNT} answered")
    return used() - start


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
        tls_s, open_s, tls_curl_s = over_tls(Path(folder))
    own_s, curl_s, hanging_s = (statistics.median(values) for values in (times["sweep"], times["curl"], hanging))
    print(f"sweep of {COUNT}: {own_s * 1000:.0f} ms, curl --parallel: {curl_s * 1000:.0f} ms")
    print(f"ratio {own_s / curl_s:.2f} (at most {CURL_BAR})")
    print(f"with {HANGING} hanging and a timeout of 2 s: {hanging_s:.3f} s (at most {HANGING_BAR_S})")
    print(f"for comparison: /gossip and /info of all, read and reported: {whole_s * 1000:.0f} ms")
    print(f"over TLS: {tls_s * 1000:.0f} ms of CPU, curl --parallel: {tls_curl_s * 1000:.0f} ms")
    print(f"ratio {tls_s / tls_curl_s:.2f} (at most {TLS_BAR}); again: {open_s / tls_s:.2f} (at most {OPEN_BAR})")
    is_slow_over_tls = tls_s > TLS_BAR * tls_curl_s or open_s > OPEN_BAR * tls_s
    return int(own_s > CURL_BAR * curl_s or hanging_s > HANGING_BAR_S or is_slow_over_tls)


if __name__ == "__main__":
    sys.exit(main())
