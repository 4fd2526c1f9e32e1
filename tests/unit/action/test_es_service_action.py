# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a controller: stops that keep the quorum take turns, those that may lose it do so together."""

from __future__ import annotations

import threading

import pytest
from ansible import constants

from ansible_collections.eventstore.cluster.plugins.action import es_service


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [(False, False, True), (True, False, True), (False, True, True), (True, True, False)],
)
def test_who_waits_for_whom(first, second, waits, tmp_path, monkeypatch):
    monkeypatch.setattr(constants.config, "get_config_value", lambda _name: str(tmp_path))
    waiting, inside = threading.Event(), threading.Event()
    monkeypatch.setattr(es_service.display, "display", lambda _text: waiting.set())

    def other():
        with es_service._alone("cluster1", "bob", shared=second):
            inside.set()

    thread = threading.Thread(target=other)
    with es_service._alone("cluster1", "alice", shared=first):
        thread.start()
        assert (waiting if waits else inside).wait(10)
        assert inside.is_set() != waits
    thread.join(10)
    assert inside.is_set()
    assert waiting.is_set() == waits
