# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads while a restarted node copies what it lacks."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.progress import Progress, Rejoin, size
from tests.doubles.gossip.answers import HEALTHY, REFUSED, cluster_of, node


def behind(position: int) -> view.ClusterView:
    words = cluster_of("Master at=10485760", "Slave at=10485760", f"CatchingUp at={position}")
    return view.ClusterView([node(number, words) for number in (1, 2, 3)], 3)


def test_rate_and_estimate_count_from_the_first_look():
    progress = Progress()
    assert progress.lines(behind(0), 100.0) == ["n3 is CatchingUp, 10.0 MiB behind"]
    assert progress.lines(behind(0), 110.0) == ["n3 is CatchingUp, 10.0 MiB behind, no nearer than 10 s ago"]
    assert progress.lines(behind(5242880), 120.0) == ["n3 is CatchingUp, 5.0 MiB behind, 256.0 KiB/s, about 20 s left"]


def test_only_those_that_are_not_in_sync_are_told_of():
    progress = Progress()
    assert progress.lines(view.ClusterView([node(number, HEALTHY) for number in (1, 2, 3)], 3), 0.0) == []
    silent = view.ClusterView([node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED)], 3)
    assert progress.lines(silent, 0.0) == ["n3 is silent"]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**60, "1048576.0 TiB")]
)
def test_sizes(number, text):
    assert size(number) == text


def test_nodes_are_back_when_they_have_caught_up_for_the_last_time_and_have_copied_the_most_they_were_behind():
    rejoin = Rejoin(100.0)
    assert rejoin.facts() == {"back_s": None, "copied_bytes": 0}
    for lag, is_back, now in ((None, False, 102.0), (4096, False, 103.0), (10, True, 104.0), (20, False, 105.0)):
        rejoin.add([lag, 0], is_back=is_back, now=now)
    assert rejoin.facts()["back_s"] is None
    for now in (106.5, 107.0):
        rejoin.add([0, None], is_back=True, now=now)
    assert rejoin.facts() == {"back_s": 6.5, "copied_bytes": 4096}
