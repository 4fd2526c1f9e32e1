# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import wait
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, report, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.facts import ConditionNotMet
from tests.doubles.gossip.answers import HEALTHY, REFUSED, cluster_of, node

GOOD = [node(number, HEALTHY) for number in (1, 2, 3)]
TWO = [*GOOD[:2], node(3, REFUSED)]
ONE = [*GOOD[:1], node(2, REFUSED), node(3, REFUSED)]


def params(**changes):
    defaults = {name: spec.get("default") for name, spec in facts.ARGUMENT_SPEC.items()}
    return {**defaults, "endpoints": ["10.0.0.1:2113"], "cluster_size": 3, **changes}


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """A clock that goes on by what is slept, and a little with each call, whatever else the computer does."""
    now = [1000.0]

    def advance(seconds):
        now[0] += seconds

    def monotonic():
        advance(0.001)
        return now[0]

    clock = types.SimpleNamespace(monotonic=monotonic, sleep=advance)
    for module in (facts, wait):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def sweeps(monkeypatch):
    """Play these views one after the other in place of sweeps; the last one stays."""
    played = []

    def play(*views):
        rest = list(views)

        def ask(targets, timeout_s, _sweeper):
            played.append((len(targets), timeout_s))
            return rest.pop(0) if len(rest) > 1 else rest[0]

        monkeypatch.setattr(facts, "ask", ask)
        return played

    return play


def test_endpoints_in_both_forms():
    (text, full) = facts.read_endpoints(
        [
            "10.0.0.1:2113",
            {"name": "n/m", "host": "n", "kind": "manager", "address": "[::1]:30778", "internal": "10.0.0.1:30777"},
        ]
    )
    assert text == view.Target(Endpoint("10.0.0.1", 2113))
    assert text.label == "10.0.0.1:2113"
    assert full == view.Target(Endpoint("::1", 30778), "n/m", "n", "manager", Endpoint("10.0.0.1", 30777))
    assert full.label == "n/m ([::1]:30778)"


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([], "endpoints: expected at least one endpoint"),
        (["10.0.0.1"], "endpoints, entry 1: '10.0.0.1' has no port"),
        (
            ["10.0.0.1:2113", "node2:2113"],
            "endpoints, entry 2: 'node2:2113' does not begin with an IP address",
        ),
        (["10.0.0.1:0"], "does not end in a port from 1 to 65535"),
        (["10.0.0.1:99999"], "does not end in a port from 1 to 65535"),
        ([7], "endpoints, entry 1: expected IP:PORT, or address with any of name, host, kind"),
        ([None], "endpoints, entry 1: expected IP:PORT"),
        ([{"name": "n1"}], "endpoints, entry 1: expected IP:PORT, or address"),
        ([{"address": "10.0.0.1:1", "adress": "x"}], "endpoints, entry 1: expected IP:PORT, or address"),
        ([{"address": "10.0.0.1:1", "kind": "master"}], "expected kind to be database or manager, got 'master'"),
        ([{"address": "10.0.0.1:1", "internal": "n1:2"}], "endpoints, entry 1, internal: 'n1:2' does not begin with"),
        (["10.0.0.1:1", {"address": "10.0.0.1:1"}], "endpoints: entries 1 and 2 are both 10.0.0.1:1"),
    ],
)
def test_endpoints_that_are_none(endpoints, expected):
    with pytest.raises(GossipError) as caught:
        facts.read_endpoints(endpoints)
    assert str(caught.value).startswith("endpoints")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cluster_size": 0}, "cluster_size: expected a number from 1 on, got 0"),
        ({"timeout": 0.0}, "timeout: expected a number from 0.001 on"),
        ({"timeout": float("nan")}, "timeout: expected a number"),
        ({"timeout": float("inf")}, "timeout: expected a number"),
        ({"wait_timeout": -1.0}, "wait_timeout: expected a number from 0 on"),
        ({"settle": -1.0}, "settle: expected a number from 0 on"),
        ({"until": "quorum", "wait_timeout": 1.0, "settle": 2.0}, "settle: it is longer than wait_timeout (1 s)"),
        ({"watch": -1.0}, "watch: expected a number from 0 on"),
        ({"watch": float("inf")}, "watch: expected a number from 0 on"),
        ({"watch": 1.0, "until": "healthy"}, "watch: expected one of watch and until, got both (1 and healthy)"),
    ],
)
def test_numbers_that_are_none_are_refused_before_anybody_is_asked(sweeps, changes, expected):
    asked = sweeps(GOOD)
    with pytest.raises(GossipError) as caught:
        facts.gather(params(**changes))
    assert expected in str(caught.value)
    assert asked == []


def test_without_until_one_sweep_is_enough(sweeps):
    asked = sweeps(ONE)
    assert facts.gather(params(settle=5.0))["has_quorum"] is False
    assert asked == [(1, 2.0)]


@pytest.mark.parametrize(
    ("until", "views"), [("quorum", [ONE, ONE, TWO]), ("healthy", [ONE, TWO, GOOD]), ("answered", [ONE, TWO, GOOD])]
)
def test_until(sweeps, until, views):
    asked = sweeps(*views)
    assert facts.gather(params(until=until))["has_quorum"]
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("until", "views", "expected"),
    [
        ("quorum", ONE, "until: quorum: the cluster has no quorum, "),
        ("healthy", TWO, "until: healthy: the cluster is not healthy, "),
        ("answered", TWO, "until: answered: not every endpoint answers, "),
    ],
)
def test_until_fails_with_the_problems_and_the_last_facts(sweeps, until, views, expected):
    sweeps(views)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until=until, wait_timeout=0.05))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(expected)
    found = caught.value.facts["problems"]
    assert lines[1:] == [f"- {each['code']}: {each['text']}. {each['hint']}." for each in found]
    assert "n3 on host3 (10.0.0.3:2113) does not answer: connection refused" in str(caught.value)


def test_settle_begins_anew_after_a_break(sweeps, time):
    asked = sweeps(GOOD, GOOD, ONE, GOOD)
    start = time.monotonic()
    facts.gather(params(until="quorum", settle=0.2))
    assert time.monotonic() - start >= 0.2
    assert len(asked) > 4


def test_what_holds_but_did_not_settle_is_not_called_no_quorum(sweeps):
    sweeps(ONE, ONE, ONE, GOOD)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until="quorum", settle=0.2, wait_timeout=0.2))
    assert caught.value.facts["has_quorum"]
    assert "until: quorum: it was not true for 0.2 s without interruption, " in str(caught.value)


AGAIN = [node(number, cluster_of("Master epoch=2", "Slave epoch=2", "Slave epoch=2")) for number in (1, 2, 3)]
FALLEN = [node(number, cluster_of("Unknown", "Slave", "Slave")) for number in (1, 2, 3)]


def test_one_sweep_says_that_it_is_one(sweeps):
    sweeps(GOOD)
    found = facts.gather(params())["watched"]
    assert (found["sweeps"], found["seconds"], found["calm_s"]) == (1, 0.0, 0.0)


def test_watch_asks_for_so_long_and_tells_what_happened_meanwhile(sweeps, time):
    asked = sweeps(GOOD, FALLEN, FALLEN, AGAIN)
    start = time.monotonic()
    found = facts.gather(params(watch=0.4))
    assert time.monotonic() - start >= 0.4
    assert found["healthy"]
    assert found["watched"]["seconds"] >= 0.4
    assert found["watched"]["sweeps"] == len(asked) > 4
    assert (found["watched"]["epochs"], found["watched"]["elections"]) == ([1, 2], 1)
    assert 0 < found["watched"]["no_quorum_s"] < 0.4


def test_steady_is_healthy_without_an_election_or_a_restart_for_the_settle_time(sweeps):
    asked = sweeps(GOOD, GOOD, AGAIN, AGAIN, GOOD)
    found = facts.gather(params(until="steady", settle=0.3))
    assert found["watched"]["calm_s"] >= 0.3
    assert found["watched"]["elections"] == 1
    assert len(asked) > 6
    sweeps(GOOD)
    assert facts.gather(params(until="steady"))["watched"]["sweeps"] == 2


def test_steady_fails_with_what_happened(sweeps):
    sweeps(GOOD, FALLEN, AGAIN)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until="steady", settle=0.15, wait_timeout=0.15))
    assert "until: steady: it was not true for 0.15 s without interruption" in str(caught.value)
    assert "- watched: 1 election: epoch 1 to 2, master n1." in str(caught.value).splitlines()
    sweeps(FALLEN)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until="steady", wait_timeout=0.05))
    assert "until: steady: the cluster is not healthy and calm, " in str(caught.value)


TWO_MASTERS = [GOOD[0], node(2, cluster_of("Slave", "Master", "Slave")), GOOD[2]]


def codes(found):
    return [problem["code"] for problem in found["problems"]]


def test_what_may_be_told_only_when_it_stays_costs_more_sweeps_and_nothing_else_does(sweeps, monkeypatch, time):
    monkeypatch.setattr(report, "CONFIRM_AFTER_S", 0.3)
    asked = sweeps(TWO_MASTERS)
    start = time.monotonic()
    assert "several-masters" in codes(facts.gather(params()))
    assert 0.3 <= time.monotonic() - start < 5
    assert len(asked) > 2
    # As soon as it is over, nothing is left to wait for, and nothing of it is told.
    asked = sweeps(TWO_MASTERS, GOOD)
    found = facts.gather(params())
    assert (found["healthy"], found["watched"]["two_masters"], found["watched"]["sweeps"]) == (True, ["n1", "n2"], 2)
    for views in (GOOD, TWO, ONE):
        sweeps(views)
        assert facts.gather(params())["watched"]["sweeps"] == 1


def test_what_stays_is_told_while_waiting_too(sweeps, monkeypatch):
    monkeypatch.setattr(report, "CONFIRM_AFTER_S", 0.2)
    sweeps(TWO_MASTERS)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until="quorum", wait_timeout=0.5))
    assert "- several-masters: 2 nodes report themselves as master" in str(caught.value)
    with pytest.raises(ConditionNotMet) as caught:
        facts.gather(params(until="quorum", wait_timeout=0.0))
    assert "several-masters" not in str(caught.value)


def test_doubts_that_change_all_the_time_do_not_keep_a_task_for_ever(sweeps, monkeypatch):
    monkeypatch.setattr(report, "CONFIRM_AFTER_S", 0.2)
    monkeypatch.setattr(facts, "CONFIRM_AFTER_S", 0.2)
    third = [GOOD[0], GOOD[1], node(3, cluster_of("Slave", "Slave", "Master"))]
    sweeps(*[TWO_MASTERS, third] * 50)
    assert codes(facts.gather(params()))[:2] == ["no-quorum", "no-master"]


def test_endpoints_by_name_and_what_their_certificates_carry():
    (named, addressed) = facts.read_endpoints(
        [
            "node1.example.org:2113",
            {"address": "10.0.0.2:2113", "internal": "node2.example.org:2113", "server_name": "node2.example.org"},
        ],
        names=True,
    )
    assert (named.address, named.server_name) == (Endpoint("node1.example.org", 2113), "")
    assert (addressed.internal, addressed.server_name) == (Endpoint("node2.example.org", 2113), "node2.example.org")


@pytest.mark.parametrize("name", ["a b", "user@node", "*.example.org", "x/y"])
def test_a_server_name_that_can_be_none_is_refused(name):
    with pytest.raises(GossipError, match="entry 1, server_name: expected a name or an address"):
        facts.read_endpoints([{"address": "10.0.0.1:2113", "server_name": name}], names=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"user": "ops", "password": "s3cret"}, "user: a password goes over TLS only"),
        ({"tls": {"ca": "/x"}, "user": "ops"}, "password: expected both or none"),
        ({"tls": {"ca": "/x"}, "password": "s3cret"}, "user: expected both or none"),
        ({"tls": {"ca": "/x"}, "user": "a:b", "password": "s3cret"}, "user: expected a user without a colon"),
        ({"tls": {"ca": "/nowhere"}}, "tls, ca, /nowhere: expected a certificate of an authority"),
    ],
)
def test_access_that_cannot_be_is_refused_before_anything_is_asked(given, expected):
    with pytest.raises(GossipError) as caught:
        facts.gather(params(**given))
    assert str(caught.value).startswith(expected)
    assert "s3cret" not in str(caught.value)
