# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a controller: stops that keep the quorum take turns, those that may lose it do so together."""

from __future__ import annotations

import contextlib
import queue
import threading

import pytest
from ansible import constants

from ansible_collections.eventstore.cluster.plugins.plugin_utils import turns
from tests.doubles.gossip.answers import HEALTHY, REFUSED, node

CLUSTER = {"name": "cluster1", "endpoints": ["10.0.0.1:2113", "10.0.0.2:2113", "10.0.0.3:2113"]}
SEEN = {"state": "master 10.0.0.1:2112, epoch 4", "seconds": 0.5, "calm": 1.0}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(constants.config, "get_config_value", lambda _name: str(tmp_path))
    return tmp_path


def test_what_one_stop_has_seen_comes_to_the_next_one_of_the_play():
    with turns.stop_lock(CLUSTER, "alice@a:1:node1", shared=False) as last:
        assert last.seen_by("alice@a:1") == {}
        last.write(SEEN)
    with turns.stop_lock(CLUSTER, "alice@a:1:node2", shared=False) as last:
        seen = last.seen_by("alice@a:1")["seen"]
    assert seen["state"] == SEEN["state"]
    assert 0.5 < seen["seconds"] < 5
    assert 1.0 < seen["calm"] < 5.5
    with turns.stop_lock(CLUSTER, "alice@a:1:node3", shared=False) as last:
        assert last.seen_by("alice@a:1") == {}  # node2 has left nothing


@pytest.mark.parametrize("another", ["alice@a:2", "alice@b:1", "bob@a:1"])
def test_what_another_play_has_seen_is_not_taken(another):
    with turns.stop_lock(CLUSTER, f"{another}:node1", shared=False) as last:
        last.write(SEEN)
    with turns.stop_lock(CLUSTER, "alice@a:1:node2", shared=False) as last:
        assert last.seen_by("alice@a:1") == {}


@pytest.mark.parametrize("left", ["[", "{}", "[1, 2]", "[{}, 2]", '[{"seconds": 1}, "x"]', '[{"seconds": 1}, 2]'])
def test_what_a_killed_stop_has_left_is_nothing(home, left):
    (home / "eventstore.cluster").mkdir()
    (home / "eventstore.cluster" / f"{turns._keys(CLUSTER)[0]}.lock").write_text(f"alice@a:1:node1\n{left}")
    with turns.stop_lock(CLUSTER, "alice@a:1:node2", shared=False) as last:
        assert last.seen_by("alice@a:1") == {}


def given(name, *endpoints):
    return {"name": name, "endpoints": list(endpoints)}


ONE, TWO, THREE = ({"address": f"10.0.0.{number}:2113", "kind": "database"} for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        pytest.param(given("c", ONE, TWO), given("c", TWO, ONE), True, id="another order"),
        pytest.param(given("c", ONE, TWO), given("c", TWO, THREE), True, id="while it grows"),
        pytest.param(given("c", ONE), given("c", "10.0.0.1:2113"), True, id="written otherwise"),
        pytest.param(given("c", ONE), given("c", TWO), False, id="everybody calls it like this"),
        pytest.param(given("c", ONE), given("c", "10.0.0.1:2123"), False, id="another port"),
        pytest.param(given("c", ONE), given("d", ONE), False, id="another name"),
        pytest.param(given("c"), {"name": "c"}, True, id="without endpoints the name"),
        pytest.param(given("a/../b"), given("a/../b", "x"), True, id="what the module will refuse"),
    ],
)
def test_who_meets_at_a_lock(home, first, second, meet, monkeypatch):
    class WaitsError(Exception):
        pass

    def told(text):
        assert text.startswith(f"waiting for another stop in {second['name']}: alice (")
        raise WaitsError

    monkeypatch.setattr(turns.display, "display", told)
    with turns.stop_lock(first, "alice", shared=False):
        expected = pytest.raises(WaitsError) if meet else contextlib.nullcontext()
        with expected, turns.stop_lock(second, "bob", shared=False):
            pass
    assert all(path.parent == home / "eventstore.cluster" for path in home.rglob("*.lock"))


def test_two_that_have_some_endpoints_in_common_do_not_wait_for_each_other():
    """Both take their locks in the same order, whatever the order in which they name them."""
    began = threading.Barrier(2)

    def stop(*endpoints):
        for _time in range(50):
            began.wait(10)
            with turns.stop_lock(given("c", *endpoints), "x", shared=False):
                pass

    threads = [threading.Thread(target=stop, args=each) for each in ((THREE, ONE, TWO), (TWO, THREE, ONE))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [(False, False, True), (True, False, True), (False, True, True), (True, True, False)],
)
def test_who_waits_for_whom(first, second, waits, monkeypatch):
    waiting, inside = threading.Event(), threading.Event()
    monkeypatch.setattr(turns.display, "display", lambda _text: waiting.set())

    def other():
        with turns.stop_lock(CLUSTER, "bob", shared=second):
            inside.set()

    thread = threading.Thread(target=other)
    with turns.stop_lock(CLUSTER, "alice", shared=first):
        thread.start()
        assert (waiting if waits else inside).wait(10)
        assert inside.is_set() != waits
    thread.join(10)
    assert inside.is_set()
    assert waiting.is_set() == waits


@pytest.mark.parametrize("size", [3, "3", None])  # a template gives a text, up to ansible-core 2.18
def test_meanwhile_it_is_told_who_is_not_in_sync(size, monkeypatch):
    said = queue.Queue()
    monkeypatch.setattr(turns, "PROGRESS_INTERVAL_S", 0.01)
    monkeypatch.setattr(turns.display, "display", said.put)
    views = [node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED)]
    monkeypatch.setattr(turns.facts, "ask", lambda _targets, _timeout_s: views)
    given = {"endpoints": [f"10.0.0.{number}:2113" for number in (1, 2, 3)], "cluster_size": size}
    with turns.progress_shown(given, "node1"):
        assert said.get(timeout=10) == "node1: n3 is silent"


@pytest.mark.parametrize("given", [{"endpoints": ["x"]}, {"endpoints": ["10.0.0.1:1"], "cluster_size": "three"}])
def test_what_cannot_be_asked_is_left_to_the_module(given, monkeypatch):
    monkeypatch.setattr(turns, "PROGRESS_INTERVAL_S", 0.0)
    monkeypatch.setattr(threading, "Thread", None)
    with turns.progress_shown(given, "node1"):
        pass
