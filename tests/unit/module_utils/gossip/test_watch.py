# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in a span of time: as real clusters showed it, then each case by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import Watch, lines
from tests.doubles.gossip.answers import FROZEN, HEALTHY, REFUSED, cluster_of, node, replay

FIXTURES = Path(__file__).parents[2] / "fixtures" / "gossip"
NODE3 = Endpoint("10.0.0.3", 2112)


def frames(name):
    return json.loads((FIXTURES / f"{name}.frames.json").read_text())


def watched(*sweeps, restarts=()):
    """Sweeps one second apart: each the answers of n1, n2, n3."""
    watch = Watch(restarts)
    for second, answers in enumerate(sweeps):
        views = [node(number, answer) for number, answer in enumerate(answers, start=1)]
        watch.add(view.ClusterView(views, 3), 100.0 + second)
    return watch.facts()


def all_say(words):
    return [words, words, words]


def test_two_masters_after_a_rejoin():
    """5.0.11: the last turn of a roll. Each single sweep from 21 s on is healthy but for the node that ended itself."""
    watch = Watch()
    for second, cluster in replay(frames("two-masters-after-a-rejoin")):
        watch.add(cluster, second)
    facts = watch.facts()
    assert facts["epochs"] == [4, 5, 6, 7, 8]
    assert (facts["elections"], facts["masters"]) == (4, ["n1", "n2"])
    assert (facts["two_masters"], facts["ended"]) == (["n1", "n2"], ["n1"])
    assert 1.3 <= facts["two_masters_s"] <= 1.8
    assert 2.5 <= facts["no_quorum_s"] <= 3.1
    assert 3 <= facts["calm_s"] <= 4.5  # since the last epoch, though the node that ended stays listed as such
    assert facts["restarted"] == []
    said = lines(facts)
    assert said[0] == "4 elections: epoch 4 to 8, master n1, then n2"
    assert said[1].startswith("n1 and n2 were master at once for 1.5 s: writes of this time may be lost")
    assert said[3] == "n1 ended by itself; its log says why"


def test_a_master_that_was_killed_and_came_back():
    watch = Watch()
    for second, cluster in replay(frames("master-killed-rejoined")):
        watch.add(cluster, second)
    facts = watch.facts()
    assert (facts["epochs"], facts["masters"]) == ([2, 3, 4], ["n1", "n2"])  # the rejoin began an epoch too
    assert (facts["restarted"], facts["ended"], facts["two_masters"]) == (["n1"], [], [])
    assert 1.0 <= facts["no_quorum_s"] <= 2.0
    assert 2.0 <= facts["calm_s"] <= 4.0
    assert facts["seconds"] == pytest.approx(11.3, abs=0.5)


def test_a_calm_cluster_has_nothing_to_say():
    facts = watched(*[all_say(HEALTHY)] * 4)
    assert {name: value for name, value in facts.items() if name != "began"} == {
        "seconds": 3.0,
        "sweeps": 4,
        "calm_s": 3.0,
        "elections": 0,
        "epochs": [1],
        "masters": ["n1"],
        "two_masters_s": 0.0,
        "two_masters": [],
        "no_quorum_s": 0.0,
        "restarted": [],
        "ended": [],
    }
    assert lines(facts) == []
    assert facts["began"].endswith("Z")


NEW_EPOCH = cluster_of("Master epoch=2", "Slave epoch=2", "Slave epoch=2")
NEW_MASTER = cluster_of("Slave", "Master", "Slave")
NEW_START = cluster_of("Master", "Slave", "Slave start=2")
ENDING = cluster_of("Master", "Slave", "ShuttingDown")
ENDED = cluster_of("Master", "Slave", "ShuttingDown dead")


@pytest.mark.parametrize(
    ("event", "after"),
    [
        (all_say(NEW_EPOCH), all_say(NEW_EPOCH)),
        (all_say(NEW_MASTER), all_say(NEW_MASTER)),
        (all_say(NEW_START), all_say(NEW_START)),
        ([HEALTHY, HEALTHY, REFUSED], all_say(HEALTHY)),
        ([HEALTHY, HEALTHY, FROZEN], all_say(HEALTHY)),
        ([ENDING, HEALTHY, HEALTHY], all_say(HEALTHY)),
        (all_say(cluster_of("Unknown", "Slave", "Slave")), all_say(HEALTHY)),
        ([HEALTHY, cluster_of("Master", "Master", "Slave"), HEALTHY], all_say(HEALTHY)),
    ],
)
def test_calm_begins_again_after_whatever_happens(event, after):
    calm = all_say(HEALTHY)
    assert watched(calm, calm, calm, event, after)["calm_s"] <= 1
    assert watched(calm, calm, calm, event, after, after)["calm_s"] <= 2


def test_a_node_that_is_gone_for_good_does_not_keep_a_cluster_from_being_calm():
    gone = [ENDED, ENDED, REFUSED]
    facts = watched(all_say(HEALTHY), *[gone] * 4)
    assert (facts["calm_s"], facts["ended"]) == (3.0, ["n3"])


def test_an_election_that_the_master_wins_again_is_one():
    facts = watched(all_say(HEALTHY), all_say(NEW_EPOCH))
    assert (facts["elections"], facts["masters"]) == (1, ["n1"])
    assert lines(facts) == ["1 election: epoch 1 to 2, master n1"]


def test_a_master_that_comes_back_is_named_again():
    facts = watched(all_say(HEALTHY), all_say(NEW_MASTER), all_say(HEALTHY))
    assert (facts["elections"], facts["masters"], facts["epochs"]) == (2, ["n1", "n2", "n1"], [1])


def test_a_master_of_an_old_epoch_does_not_hide_the_new_one():
    old = cluster_of("Master", "Master epoch=2", "Slave epoch=2")
    facts = watched(all_say(HEALTHY), all_say(old), all_say(NEW_MASTER | {"10.0.0.2": "Master epoch=2"}))
    assert (facts["epochs"], facts["masters"], facts["elections"]) == ([1, 2], ["n1", "n2"], 1)
    assert (facts["two_masters"], facts["two_masters_s"]) == (["n1", "n2"], 1.0)


def test_the_longest_time_without_quorum_counts():
    lost = [HEALTHY, REFUSED, REFUSED]
    good = all_say(HEALTHY)
    assert watched(good, lost, good, lost, lost, lost, good, lost, good)["no_quorum_s"] == 3.0
    assert watched(lost, lost)["no_quorum_s"] == 1.0


def test_two_masters_in_the_last_sweep_are_told():
    facts = watched(all_say(HEALTHY), [HEALTHY, cluster_of("Master", "Master", "Slave"), HEALTHY])
    assert facts["two_masters"] == ["n1", "n2"]
    assert len(lines(facts)) == 1


def test_one_restart_of_a_node_may_be_wanted_and_not_two():
    down = [ENDED, ENDED, REFUSED]
    again = cluster_of("Master", "Slave", "Slave start=3")
    turn = [all_say(HEALTHY), all_say(ENDING), down, all_say(NEW_START)]
    for wanted in (NODE3, Endpoint("10.0.0.3", 2113)):
        facts = watched(*turn, restarts=[wanted])
        assert (facts["restarted"], facts["ended"], lines(facts)) == ([], [], [])
        assert watched(*turn, all_say(again), restarts=[wanted])["restarted"] == ["n3"]
        ends = cluster_of("Master", "Slave", "ShuttingDown start=2")
        assert watched(*turn, all_say(ends), restarts=[wanted])["ended"] == ["n3"]
    assert watched(*turn)["restarted"] == ["n3"]
    assert watched(*turn, restarts=[Endpoint("10.0.0.2", 2112)])["ended"] == ["n3"]


def test_a_watch_that_begins_after_the_stop_knows_the_old_process_from_the_others():
    dead = cluster_of("Master", "Slave", "Slave dead")
    down = [dead, dead, REFUSED]
    assert watched(down, all_say(NEW_START), restarts=[NODE3])["restarted"] == []
    again = cluster_of("Master", "Slave", "Slave start=3")
    assert watched(down, all_say(NEW_START), all_say(again), restarts=[NODE3])["restarted"] == ["n3"]


def test_old_news_of_a_process_is_no_start():
    late = [NEW_START, HEALTHY, NEW_START]
    facts = watched(all_say(HEALTHY), late, late, all_say(NEW_START), late)
    assert facts["restarted"] == ["n3"]


def test_who_ended_before_the_watch_is_not_told():
    assert watched([ENDED, ENDED, REFUSED], [ENDED, ENDED, REFUSED])["ended"] == []
    assert watched(all_say(ENDING))["ended"] == ["n3"]


def marks(*sweeps, restarts=(NODE3,), stop_at=1.5):
    """The marks of these sweeps, one second apart; the stop is sent ``stop_at`` seconds after the first."""
    watch = Watch(restarts)
    for second, answers in enumerate(sweeps):
        if second > stop_at:
            watch.stop(100.0 + stop_at)
            stop_at = float("inf")
        watch.add(
            view.ClusterView([node(number, answer) for number, answer in enumerate(answers, start=1)], 3),
            100.0 + second,
        )
    return {name: value for name, value in watch.facts().items() if name in ("stopped_s", "answered_s", "in_sync_s")}


def test_a_wanted_restart_has_three_marks():
    up, down = cluster_of("Master", "Slave", "Slave"), cluster_of("Master", "Slave", "Slave dead")
    back, after = (cluster_of("Master", "Slave", f"{state} start=2") for state in ("CatchingUp", "Slave"))
    sweeps = [all_say(up), all_say(up), [down, down, REFUSED], all_say(back), all_say(after), all_say(after)]
    assert marks(*sweeps) == {"stopped_s": 1.5, "answered_s": 3.0, "in_sync_s": 4.0}


def test_before_the_stop_and_while_the_node_is_away_there_is_no_later_mark():
    up, down = cluster_of("Master", "Slave", "Slave"), cluster_of("Master", "Slave", "Slave dead")
    assert marks(all_say(up), all_say(up)) == {}
    assert marks(all_say(up), all_say(up), [down, down, REFUSED]) == {"stopped_s": 1.5}
