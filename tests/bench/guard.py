# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard's decision on a stop costs beside one sweep, on a live lab cluster, with the lease and without.

``python tests/bench/guard.py``; sweeps and decisions take turns, and the settle time is none, as it is waiting and no
work. Exit 1 when a decision takes longer than a sweep and 50 ms.
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "collections")]

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint  # noqa: E402
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts  # noqa: E402
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission  # noqa: E402
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop  # noqa: E402
from tests.lab_site import Site, has_full_cluster, wait_for  # noqa: E402

NET = "127.0.93"
ROUNDS = 50
BAR_S = 0.05
HOSTS = (11, 12, 13)
DATABASES = [{"kind": "database", "address": f"{NET}.{last}:2113"} for last in HOSTS]
MANAGERS = [{"kind": "manager", "address": f"{NET}.{last}:30778", "internal": f"{NET}.{last}:30777"} for last in HOSTS]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as folder:
        site = Site(pathlib.Path(folder), NET)
        try:
            site.deploy()
            wait_for(lambda: has_full_cluster(NET))
            missed = [measure(name, endpoints) for name, endpoints in WAYS.items()]
        finally:
            site.remove()
    return int(any(missed))


WAYS = {"nodes only": DATABASES, "nodes and managers, lease": [*DATABASES, *MANAGERS]}


def measure(name: str, endpoints: list[dict[str, str]]) -> bool:
    targets = facts.read_endpoints(endpoints)
    asked = {"name": "cluster1", "endpoints": endpoints, "cluster_size": 3, "settle": 0.0, "wait": 0.0, "stall": 1.0}
    members = permission.ServiceNodes(Stop("es-cluster1", (frozenset({Endpoint(f"{NET}.11", 2112)}),)), 3)

    def decide() -> float:
        began = time.perf_counter()
        cluster = permission.StopPolicy({**asked, "owner": "bench"})
        with permission.permit(cluster, members, hold_s=1, check_mode=False):
            return time.perf_counter() - began

    def sweep() -> float:
        began = time.perf_counter()
        facts.ask(targets, 2.0)
        return time.perf_counter() - began

    pairs = [(sweep(), decide()) for _ in range(ROUNDS)]
    one, other = (statistics.median(each) for each in zip(*pairs))
    print(
        f"{name:26} sweep {one * 1000:6.1f} ms  decision {other * 1000:6.1f} ms  "
        f"{(other - one) * 1000:5.1f} ms more, {other / one:4.2f} x  (bar {BAR_S * 1000:g} ms more)"
    )
    return other - one > BAR_S


if __name__ == "__main__":
    sys.exit(main())
