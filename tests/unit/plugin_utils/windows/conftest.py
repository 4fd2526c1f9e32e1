# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import wait


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that sleeping moves: the current time is its only item."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(wait, "time", types.SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return now
