# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from es_manager.supervisor import PAUSES_S, RAN_WELL_S, Restarts

NO_BUDGET = [(-1, -1), (-1, 60), (3, -1)]


@pytest.mark.parametrize(("count", "window"), NO_BUDGET)
def test_pauses_grow_to_the_longest_and_nothing_is_given_up(count, window):
    restarts = Restarts(failure_count=count, time_window_s=window)
    pauses = [restarts.ended(started=now, now=now) for now in range(20)]
    assert pauses[:8] == list(PAUSES_S)
    assert set(pauses[8:]) == {30.0}


def test_the_first_start_again_is_at_once():
    assert Restarts(failure_count=-1, time_window_s=-1).ended(started=0, now=0.1) == 0


def test_a_node_that_ran_well_begins_anew():
    restarts = Restarts(failure_count=-1, time_window_s=-1)
    assert [restarts.ended(started=0, now=1) for _end in range(4)] == [0, 0.5, 1, 2]
    assert restarts.ended(started=10, now=10 + RAN_WELL_S - 1) == 4
    assert restarts.ended(started=100, now=100 + RAN_WELL_S) == 0


def test_a_node_is_given_up_at_the_count_of_failures_within_the_window():
    restarts = Restarts(failure_count=3, time_window_s=60)
    assert restarts.ended(started=0, now=1) is not None
    assert restarts.ended(started=1, now=2) is not None
    assert restarts.ended(started=2, now=3) is None


def test_failures_before_the_window_do_not_count():
    restarts = Restarts(failure_count=3, time_window_s=60)
    ends = [restarts.ended(started=now, now=now) for now in (0, 30, 61, 92, 123)]
    assert None not in ends
    assert restarts.ended(started=130, now=130) is None
