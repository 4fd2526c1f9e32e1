# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, on a clock of its own: the settle time is waited for whole, without a break, and no longer."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import wait


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def sleep(self, seconds):
            assert seconds >= 0
            self.now += max(seconds, 1e-6)  # as time goes on for any sleep

    made = Clock()
    monkeypatch.setattr(wait.time, "monotonic", lambda: made.now)
    monkeypatch.setattr(wait.time, "sleep", made.sleep)
    return made


@pytest.mark.parametrize("begins_s", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("settle_s", [0.0, 0.1, 1.0, 3.0])
def test_the_settle_time_is_neither_cut_nor_overrun(clock, begins_s, settle_s):
    seen = []

    def observe():
        seen.append(clock.now - 100.0)
        return seen[-1] >= begins_s

    waited = wait.wait_until(observe, bool, timeout_s=60, settle_s=settle_s)
    began = next(each for each in seen if each >= begins_s)
    assert waited.ok
    assert began - begins_s < wait.LONGEST_PAUSE_S
    assert settle_s <= waited.elapsed_s - began + 1e-9
    assert waited.elapsed_s - began <= settle_s + 0.001
    assert max(after - before for before, after in zip([0.0, *seen], seen)) <= wait.LONGEST_PAUSE_S + 1e-9


def test_a_break_begins_the_settle_time_anew(clock):
    waited = wait.wait_until(lambda: not 0.5 < clock.now - 100.0 < 0.9, bool, timeout_s=60, settle_s=1.0)
    assert 1.9 <= waited.elapsed_s < 2.2


@pytest.mark.usefixtures("clock")
def test_it_ends_with_the_timeout():
    for settle_s, holds in ((0.0, False), (5.0, True)):
        waited = wait.wait_until(lambda holds=holds: holds, bool, timeout_s=1.0, settle_s=settle_s)
        assert (waited.ok, waited.elapsed_s) == (False, pytest.approx(1.0))
