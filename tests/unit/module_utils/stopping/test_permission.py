# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a stop, over a cluster that is made up sweep by sweep: when it is permitted, refused, waited for."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import (
    conditions,
    lease,
    lease_client,
    permission,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.conditions import Stop
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import Waited
from tests.doubles.gossip.answers import HEALTHY, REFUSED, cluster_of, manager, node, replay

DATABASES = [{"kind": "database", "address": f"10.0.0.{number}:2113"} for number in (1, 2, 3)]
MANAGERS = [{"kind": "manager", "address": f"10.0.0.{number}:30778"} for number in (1, 2, 3)]
WHOLE = [node(number, HEALTHY) for number in (1, 2, 3)]
ELECTED = [node(number, cluster_of("Slave", "Master", "Slave")) for number in (1, 2, 3)]
ONE_DOWN = [node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED)]
JOINING = [node(number, cluster_of("Master", "CatchingUp", "Slave")) for number in (1, 2, 3)]
FIXTURES = Path(__file__).parents[2] / "fixtures" / "gossip"
NODE3 = permission.ServiceNodes(Stop("es-cluster1", (frozenset({Endpoint("10.0.0.3", 2112)}),)), 3)
NODE2 = permission.ServiceNodes(Stop("es-cluster1", (frozenset({Endpoint("10.0.0.2", 2112)}),)), 3)


@pytest.fixture(autouse=True)
def calm_s(monkeypatch):
    """What a restart owes to the next stop of its play."""
    monkeypatch.setattr(permission, "CALM_S", 0.05)
    return permission.CALM_S


@pytest.fixture
def sweeps(monkeypatch):
    """What the next sweeps see; the last one stays."""
    script: list[object] = []
    seen = []

    def ask(_targets, _timeout_s):
        seen.append(script[0])
        return script.pop(0) if len(script) > 1 else script[0]

    monkeypatch.setattr(permission.facts, "ask", ask)
    return script, seen


@pytest.fixture
def lent(monkeypatch):
    """A lease_client that gets what ``answers`` says, and notes what was asked of it."""

    class LeaseClient:
        answers = itertools.repeat(True)
        renewals = itertools.repeat(True)
        calls: list[object] = []  # noqa: RUF012

        def __init__(self, managers, owner, *, cluster):
            del managers, cluster
            self.owner = owner

        def take(self, seconds):
            self.calls.append(("take", seconds))
            answer = next(self.answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def renew(self, seconds):
            self.calls.append(("renew", seconds))
            return next(self.renewals)

        def release(self):
            self.calls.append(("back", ""))

        def end(self, owner):
            self.calls.append(("end", owner))

    LeaseClient.calls = []
    monkeypatch.setattr(lease_client, "LeaseClient", LeaseClient)
    return LeaseClient


def cluster(endpoints=DATABASES, **changes):
    given = {"name": "c", "endpoints": endpoints, "cluster_size": 3, "owner": "me"}
    times = {"settle": 0.05, "wait": 0.3, "stall": 0.2, "calm": 0.0}
    return permission.StopPolicy({**given, **times, **changes})


def permit(asked, members=NODE2, *, check_mode=False):
    with permission.permit(asked, members, hold_s=10, check_mode=check_mode) as permitted:
        return permitted


def test_a_cluster_that_can_do_without_it(sweeps):
    sweeps[0][:] = [WHOLE]
    permit(cluster())
    assert len(sweeps[1]) > 1  # looked at for the whole settle time


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_cluster_that_cannot(sweeps, check_mode):
    sweeps[0][:] = [ONE_DOWN]
    with pytest.raises(ServiceError) as refused:
        permit(cluster(), check_mode=check_mode)
    text = str(refused.value)
    for word in ("not stopped", "take down n2", "1 of 3 nodes would remain in sync", "override: c [no-majority]"):
        assert word in text
    assert refused.value.codes == ("no-majority",)


def test_it_waits_for_a_cluster_that_is_not_ready_yet(sweeps):
    sweeps[0][:] = [ONE_DOWN, JOINING, WHOLE]
    permit(cluster())
    assert sweeps[1][:3] == [ONE_DOWN, JOINING, WHOLE]


def test_an_election_within_the_settle_time_begins_it_anew(sweeps):
    sweeps[0][:] = [WHOLE, ELECTED, WHOLE, ELECTED, WHOLE]
    permit(cluster())
    assert sweeps[1][:5] == [WHOLE, ELECTED, WHOLE, ELECTED, WHOLE]
    assert len(sweeps[1]) > 5


def test_a_cluster_that_never_rests(monkeypatch):
    flapping = itertools.cycle([WHOLE, ELECTED])
    monkeypatch.setattr(permission.facts, "ask", lambda _targets, _timeout_s: next(flapping))
    with pytest.raises(ServiceError, match="within the settle time"):
        permit(cluster())


def test_views_that_come_to_agree_are_no_election(monkeypatch):
    """A manager hears of a node that came back up to a second later than the nodes."""
    end = time.monotonic() + 0.2
    seen = []

    def ask(_targets, _timeout_s):
        seen.append([*WHOLE, manager(1, HEALTHY if time.monotonic() > end else cluster_of("Master", "Slave"))])
        return seen[-1]

    monkeypatch.setattr(permission.facts, "ask", ask)
    permit(cluster(settle=0.1))
    assert time.monotonic() > end
    assert [view.ClusterView(views, 3).agreed for views in seen[-2:]] == [False, True]


def test_what_the_restart_before_has_seen_is_part_of_the_settle_time(sweeps):
    sweeps[0][:] = [WHOLE]
    seen = {"state": conditions.fingerprint(view.ClusterView(WHOLE, 3)), "seconds": 60.0, "calm": 60.0}
    permit(cluster(settle=60.0, seen=seen))
    assert len(sweeps[1]) == 1
    sweeps[1].clear()
    permit(cluster(seen={**seen, "seconds": 0.02}))
    assert len(sweeps[1]) > 1


@pytest.mark.parametrize(
    ("restarted", "calm", "waits"),
    [(WHOLE, 60.0, False), (WHOLE, 0.01, True), (WHOLE, None, True), (ELECTED, 60.0, True)],
    ids=["calm since", "too short", "not told", "another master since"],
)
def test_after_a_restart_of_the_play_the_next_stop_waits_for_what_is_left_of_the_calm(
    sweeps, calm_s, restarted, calm, waits
):
    sweeps[0][:] = [WHOLE]
    seen = {"state": conditions.fingerprint(view.ClusterView(restarted, 3)), "seconds": 60.0}
    began = time.monotonic()
    permit(cluster(settle=0.0, seen=seen if calm is None else {**seen, "calm": calm}))
    assert (len(sweeps[1]) > 1) == waits
    assert not waits or time.monotonic() - began >= calm_s - 0.01


def test_without_a_restart_before_no_calm_is_owed_and_check_mode_never_waits(sweeps, monkeypatch):
    sweeps[0][:] = [WHOLE]
    permit(cluster(settle=0.0))
    monkeypatch.setattr(permission, "CALM_S", 60.0)
    seen = {"state": conditions.fingerprint(view.ClusterView(WHOLE, 3)), "seconds": 0.0, "calm": 0.0}
    permit(cluster(settle=60.0, seen=seen), check_mode=True)
    assert len(sweeps[1]) == 2


def test_elections_of_the_calm_that_is_owed_begin_it_again(sweeps, monkeypatch):
    monkeypatch.setattr(permission, "CALM_S", 0.4)
    seen = {"state": conditions.fingerprint(view.ClusterView(WHOLE, 3)), "seconds": 60.0, "calm": 60.0}
    disagree = [*WHOLE, manager(1, cluster_of("Master", "Slave"))]
    sweeps[0][:] = [disagree, ELECTED, WHOLE]
    began = time.monotonic()
    permit(cluster(settle=0.0, seen=seen))
    assert time.monotonic() - began >= permission.CALM_S


def test_a_restart_hands_over_for_how_long_it_was_calm(sweeps):
    sweeps[0][:] = [WHOLE]
    seen = permit(cluster(calm=0.1)).wait_until_back(lambda: "")
    assert seen["calm"] >= 0.1
    assert seen["state"] == conditions.fingerprint(view.ClusterView(WHOLE, 3))


def test_what_was_seen_is_worth_nothing_once_something_else_was_seen(sweeps):
    """The same picture again after another one is no sign of rest."""
    disagree = [*WHOLE, manager(1, cluster_of("Master", "Slave"))]
    sweeps[0][:] = [disagree, ONE_DOWN, WHOLE]
    seen = {"state": conditions.fingerprint(view.ClusterView(WHOLE, 3)), "seconds": 60.0}
    began = time.monotonic()
    permit(cluster(settle=0.2, seen=seen))
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("now", [ELECTED, ONE_DOWN[:2]])
def test_what_was_seen_of_a_cluster_that_has_changed_since_is_none(sweeps, now):
    sweeps[0][:] = [WHOLE]
    seen = {"state": conditions.fingerprint(view.ClusterView(now, 3)), "seconds": 60.0}
    permit(cluster(seen=seen))
    assert len(sweeps[1]) > 1


@pytest.mark.parametrize(("planned", "running"), [(3, 5), (5, 3), (5, None), (None, 5)])
def test_the_larger_cluster_size_counts(sweeps, planned, running):
    sweeps[0][:] = [WHOLE]
    with pytest.raises(ServiceError, match="2 of 5 nodes would remain"):
        permit(cluster(cluster_size=planned), permission.ServiceNodes(NODE2.stop, running))


def test_the_name_typed_again_asks_nobody(sweeps, lent):
    sweeps[0][:] = [ONE_DOWN]
    permit(cluster(MANAGERS, override="c"))
    assert sweeps[1] == lent.calls == []


def test_another_name_is_refused():
    with pytest.raises(ServiceError, match="override is 'd', but the cluster is 'c'"):
        cluster(override="d")


@pytest.mark.parametrize(("size", "permitted"), [(1, True), (2, False), (3, False), (None, False)])
def test_without_a_cluster_to_ask_only_a_single_node_is_stopped(size, permitted):
    members = permission.ServiceNodes(NODE2.stop, size)
    if permitted:
        permit(None, members)
    else:
        with pytest.raises(ServiceError, match=r"cluster is not set.*\[cluster-not-given\]$"):
            permit(None, members)


def test_a_service_without_a_node_needs_nobody(sweeps):
    sweeps[0][:] = [ONE_DOWN]
    permit(cluster(), permission.ServiceNodes(Stop("es-cluster1", ()), None))
    permit(None, permission.ServiceNodes(Stop("es-cluster1", ()), None))
    assert sweeps[1] == []


def test_endpoints_are_needed():
    with pytest.raises(ServiceError, match="endpoints are missing"):
        permit(cluster(None))


def test_the_lease_is_taken_before_the_look_and_given_back_after(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False):
        assert [call[0] for call in lent.calls] == ["take"]
        assert lent.calls[0][1] >= 10 + 0.3 + 0.05
    assert lent.calls[-1] == ("back", "")


def test_the_lease_is_given_back_after_a_refusal_and_after_a_failure(sweeps, lent):
    sweeps[0][:] = [ONE_DOWN]
    with pytest.raises(ServiceError):
        permit(cluster(DATABASES + MANAGERS))
    assert lent.calls[-1] == ("back", "")
    sweeps[0][:] = [WHOLE]
    with (
        pytest.raises(KeyError),
        permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False),
    ):
        raise KeyError
    assert lent.calls[-1] == ("back", "")


def test_a_lease_that_another_has_is_waited_for_and_then_refused(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    taken = lease.LeaseHeld("another stop is in progress")
    lent.answers = iter([taken, taken, True])
    permit(cluster(DATABASES + MANAGERS))
    lent.answers = itertools.repeat(taken)
    with pytest.raises(ServiceError, match="another stop is in progress"):
        permit(cluster(DATABASES + MANAGERS))
    assert len(sweeps[1]) < 10  # the refused one has not even looked


def test_managers_that_know_no_leases_are_told_of(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    lent.answers = itertools.repeat(False)
    (warning,) = permit(cluster(DATABASES + MANAGERS)).warnings
    assert "do not support leases" in warning


def test_check_mode_takes_no_lease_and_breaks_none(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    permit(cluster(DATABASES + MANAGERS, break_lease="him"), check_mode=True)
    assert lent.calls == []


def test_a_lease_is_broken_by_name(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    permit(cluster(DATABASES + MANAGERS, break_lease="him"))
    assert lent.calls[0] == ("end", "him")


@pytest.fixture
def boottime(monkeypatch):
    """The clock that goes on while the machine is suspended: ``boottime.now`` is what a pause adds."""

    class Clock:
        now = 0.0

    clock, real = Clock(), time.clock_gettime
    monkeypatch.setattr(permission.time, "clock_gettime", lambda which: real(which) + clock.now)
    return clock


def test_a_stop_that_follows_the_decision_at_once_renews_the_lease_and_looks_no_more(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False) as permitted:
        looks = len(sweeps[1])
        permitted.confirm()
        assert len(sweeps[1]) == looks
        assert [call[0] for call in lent.calls] == ["take", "renew"]
        assert lent.calls[1][1] >= 10 + permission.LEASE_S


@pytest.mark.parametrize("endpoints", [DATABASES, DATABASES + MANAGERS])
@pytest.mark.usefixtures("lent")
def test_after_a_pause_it_is_decided_again(sweeps, boottime, endpoints):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(endpoints), NODE2, hold_s=10, check_mode=False) as permitted:
        boottime.now += permission.FRESH_S + 1
        sweeps[0][:] = [ONE_DOWN]
        with pytest.raises(ServiceError, match=r"not stopped: .* 1 of 3 nodes would remain"):
            permitted.confirm()
        sweeps[0][:] = [WHOLE]
        looks = len(sweeps[1])
        permitted.confirm()
        assert len(sweeps[1]) - looks > 1  # for the whole settle time


def test_what_was_seen_before_a_pause_is_no_part_of_the_settle_time(sweeps, boottime):
    sweeps[0][:] = [WHOLE]
    seen = {"state": conditions.fingerprint(view.ClusterView(WHOLE, 3)), "seconds": 60.0}
    with permission.permit(cluster(seen=seen), NODE2, hold_s=10, check_mode=False) as permitted:
        boottime.now += permission.FRESH_S + 1
        permitted.confirm()
    assert len(sweeps[1]) > 2


def test_a_lease_that_was_lost_is_taken_again_and_then_it_is_decided_again(sweeps, lent):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False) as permitted:
        sweeps[0][:] = [ONE_DOWN]
        lent.renewals = iter([False])
        with pytest.raises(ServiceError, match="1 of 3 nodes would remain"):
            permitted.confirm()
        assert [call[0] for call in lent.calls] == ["take", "renew", "take"]
        lent.renewals = iter([False])
        lent.answers = itertools.repeat(lease.LeaseHeld("another stop is in progress"))
        with pytest.raises(ServiceError, match="another stop is in progress"):
            permitted.confirm()


def test_a_pause_while_the_lease_is_renewed(sweeps, lent, boottime):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False) as permitted:

        def pause():
            boottime.now += permission.FRESH_S + 1
            sweeps[0][:] = [ONE_DOWN]
            yield True

        lent.renewals = pause()
        with pytest.raises(ServiceError, match="1 of 3 nodes would remain"):
            permitted.confirm()


def test_who_is_paused_again_and_again_does_not_stop(sweeps, lent, boottime):
    sweeps[0][:] = [WHOLE]
    with permission.permit(cluster(DATABASES + MANAGERS), NODE2, hold_s=10, check_mode=False) as permitted:

        def pauses():
            while True:
                boottime.now += permission.FRESH_S + 1
                yield True

        lent.renewals = pauses()
        with pytest.raises(ServiceError, match="3 times the sweep of the cluster was more than 5 s old"):
            permitted.confirm()


def test_who_may_stop_in_any_case_confirms_nothing(sweeps, boottime):
    with permission.permit(cluster(override="c"), NODE2, hold_s=10, check_mode=False) as permitted:
        boottime.now += 1000
        permitted.confirm()
    assert sweeps[1] == []


def test_it_waits_until_the_node_is_back(sweeps):
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster())
    sweeps[0][:] = [[node(1, HEALTHY), node(2, REFUSED), node(3, HEALTHY)], JOINING, WHOLE]
    sweeps[1].clear()
    began = time.monotonic()
    seen = permitted.wait_until_back(lambda: "")
    assert sweeps[1][-1] is WHOLE
    assert len(sweeps[1]) == 3
    assert seen["state"] == conditions.fingerprint(view.ClusterView(WHOLE, 3))
    # Counted from the sweep in which it was back: two pauses were before.
    assert 0 <= seen["seconds"] < time.monotonic() - began - 0.02


def test_a_node_that_comes_no_nearer(sweeps):
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster())
    sweeps[0][:] = [JOINING]
    with pytest.raises(ServiceError, match=r"no progress for 0\.2 s: .* is CatchingUp"):
        permitted.wait_until_back(lambda: "")


def test_a_node_that_ends_again_and_again_is_not_waited_for(sweeps):
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster(stall=5.0))
    sweeps[0][:] = [JOINING]
    with pytest.raises(ServiceError, match="it was started 4 times"):
        permitted.wait_until_back(lambda: "it was started 4 times")


def test_it_waits_until_no_election_follows_that_of_the_rejoin(sweeps, monkeypatch):
    """As recorded on 5.0.11: n3 is back, then n1 and n2 are master at once, n1 ends itself and comes back."""
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster(calm=2.0, stall=60.0), NODE3)
    clock = SimpleNamespace(now=0.0)
    frames = json.loads((FIXTURES / "two-masters-after-a-rejoin.frames.json").read_text())
    recorded = replay(frames)

    def ask(_targets, _timeout_s):
        clock.now, seen = next(recorded, (clock.now + 0.1, view.ClusterView(ELECTED, 3)))
        return seen.views

    def at_once(observe, holds, *, timeout_s):
        del timeout_s
        last = observe()
        while not holds(last):
            last = observe()
        return Waited(True, last, 0.0)

    monkeypatch.setattr(permission.facts, "ask", ask)
    monkeypatch.setattr(permission, "wait_until", at_once)
    monkeypatch.setattr(permission.time, "monotonic", lambda: clock.now)
    watched = permitted.wait_until_back(lambda: "")["watched"]
    assert clock.now >= frames[-1][0] + 2.0
    assert (watched["two_masters"], watched["ended"]) == (["n1", "n2"], ["n1"])
    assert watched["calm_s"] >= 2.0


def test_a_node_that_a_rejoin_has_ended_is_waited_for(sweeps):
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster())
    sweeps[0][:] = [ONE_DOWN]
    with pytest.raises(ServiceError, match="n3 was in sync before the stop, and is not in sync now"):
        permitted.wait_until_back(lambda: "")


def test_a_cluster_that_never_comes_to_rest(monkeypatch, sweeps):
    sweeps[0][:] = [WHOLE]
    permitted = permit(cluster(calm=5.0))
    elections = itertools.cycle([WHOLE, ELECTED])
    monkeypatch.setattr(permission.facts, "ask", lambda _targets, _timeout_s: next(elections))
    with pytest.raises(ServiceError, match=r"no progress for 0\.2 s: .* only for 0\.0 s; [0-9]+ elections: epoch"):
        permitted.wait_until_back(lambda: "")


@pytest.mark.parametrize("option", ["settle", "wait", "stall", "calm"])
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_numbers_that_are_none(option, value):
    with pytest.raises(ServiceError, match=f"cluster.{option}"):
        cluster(**{option: value})
