# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from es_manager import lasting as module
from es_manager.lasting import lasting


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0.001,))


def test_work_that_fails_is_logged_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([ValueError("odd"), OSError(24, "Too many open files"), RecursionError("deep")])

    async def work() -> None:
        error = next(failures, None)
        if error:
            raise error

    asyncio.run(lasting("gossip", work))
    assert "gossip failed: ValueError: odd (test_lasting.py, line" in caplog.text
    assert "gossip failed: [Errno 24] Too many open files; tried again in" in caplog.text
    assert "gossip failed: RecursionError: deep" in caplog.text


def test_work_that_does_nothing_but_fail_ends_with_an_error_where_there_is_an_end_to_patience() -> None:
    async def work() -> None:
        raise ValueError("odd")

    with pytest.raises(ServiceError, match="gossip failed for 0 s: ValueError: odd"):
        asyncio.run(lasting("gossip", work, patience_s=0.05))
