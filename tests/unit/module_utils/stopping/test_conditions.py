# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard says no for each reason by itself, and a guard that lacks any of its conditions says yes to one of them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members, view
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import conditions
from tests.doubles.gossip import picture
from tests.doubles.gossip.answers import AWAY, FROZEN, HEALTHY, REFUSED, cluster_of, manager, node, ok

FIVE = cluster_of("Master", "Slave", "Slave", "Slave", "Slave")
ANOTHER = {"10.0.0.7": "Slave", "10.0.0.8": "Master", "10.0.0.9": "Slave"}


def cluster(*views: view.View, size: int = 3) -> view.ClusterView:
    return view.ClusterView(views, size)


def all_say(words: dict[str, str], size: int = 3) -> view.ClusterView:
    """Everybody answers, and the same."""
    return cluster(
        *(node(number, words) for number, text in enumerate(words.values(), start=1) if "dead" not in text), size=size
    )


def stop(*numbers: int) -> conditions.Stop:
    return conditions.Stop("es-cluster1", tuple(frozenset({Endpoint(f"10.0.0.{number}", 2112)}) for number in numbers))


def codes(history: list[view.ClusterView], going: conditions.Stop) -> set[str]:
    return {problem.code for problem in conditions.refusals(history, going)}


def with_epoch(number: int, words: dict[str, str], epoch: int) -> view.View:
    """The view of a node in whose gossip the epoch has this number."""
    return _changed(number, words, lambda each: dataclasses.replace(each, epoch_number=epoch))


def _changed(number: int, words: dict[str, str], change: object) -> view.View:
    said = picture.picture(f"10.0.0.{number}:2112", words)
    other = dataclasses.replace(said, members=tuple(map(change, said.members)))
    return node(number, ok(json.dumps(members.render(other)).encode()), words[f"10.0.0.{number}"])


def restarted(words: dict[str, str], ip: str) -> view.ClusterView:
    """The same cluster, in which one node is another instance."""

    def change(each: members.Member) -> members.Member:
        return dataclasses.replace(each, instance_id="0" * 8 + each.instance_id[8:]) if each.key.host == ip else each

    return cluster(*(_changed(number, words, change) for number in (1, 2, 3)))


BETWEEN_STATES = cluster(
    node(1, HEALTHY), node(2, HEALTHY, "Master"), node(3, HEALTHY)
)  # n2's /info is ahead of its gossip

# What is refused, for these reasons and no other.
REFUSED_CASES = {
    "the service belongs to another cluster": ([all_say(HEALTHY)], stop(9), {"not-a-member"}),
    "one of two nodes of a manager is none of the endpoints": (
        [all_say(FIVE, 5)],
        stop(2, 9),
        {"not-a-member"},
    ),
    "a node whose address cannot be seen": ([all_say(HEALTHY)], conditions.Stop("x", (frozenset(),)), {"not-a-member"}),
    "two masters": (
        [cluster(node(1, HEALTHY), node(2, cluster_of("Slave", "Master", "Slave")), node(3, HEALTHY))],
        stop(3),
        {"no-one-master", "disagree", "no-majority"},
    ),
    "a node is between two states": ([BETWEEN_STATES], stop(3), {"no-one-master", "disagree", "no-majority"}),
    "an election": (
        [all_say(cluster_of("Master dead", "PreReplica", "Unknown"))],
        stop(2),
        {"no-one-master", "disagree", "no-majority"},
    ),
    "the views differ on a state": (
        [cluster(*(node(n, FIVE) for n in (1, 2, 3, 4)), node(5, {**FIVE, "10.0.0.4": "CatchingUp"}), size=5)],
        stop(2),
        {"disagree"},
    ),
    "a manager still sees another picture": (
        [cluster(*(node(n, HEALTHY) for n in (1, 2, 3)), manager(1, cluster_of("Slave", "Master", "Slave")))],
        stop(2),
        {"disagree"},
    ),
    "endpoints of two clusters, a slave of the one that would do well without it": (
        [cluster(*(node(n, HEALTHY) for n in (1, 2, 3)), node(9, ANOTHER))],
        stop(9),
        {"not-a-member"},
    ),
    "endpoints of two clusters, the master of the other one": (
        [cluster(*(node(n, HEALTHY) for n in (1, 2, 3)), node(8, ANOTHER))],
        stop(8),
        {"not-a-member"},
    ),
    "three of five are given as a cluster of three": (
        [cluster(*(node(n, FIVE) for n in (1, 2, 3)))],
        stop(2),
        {"cluster-size"},
    ),
    "cluster_size is too small": ([all_say(HEALTHY, size=1)], stop(2), {"cluster-size"}),
    "another node is down": (
        [cluster(node(1, cluster_of("Master", "Slave", "Slave dead")), node(2, cluster_of("Master", "Slave")))],
        stop(2),
        {"no-majority"},
    ),
    "another node joins": ([all_say(cluster_of("Master", "Slave", "CatchingUp"))], stop(2), {"no-majority"}),
    "another node is frozen": (
        [cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, FROZEN))],
        stop(2),
        {"no-majority"},
    ),
    "another machine cannot be reached": (
        [cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, AWAY))],
        stop(2),
        {"no-majority"},
    ),
    "the master, while a slave is down": (
        [cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED))],
        stop(1),
        {"no-majority"},
    ),
    "nobody answers": (
        [cluster(node(1, REFUSED), node(2, REFUSED), node(3, REFUSED))],
        stop(1),
        {"no-one-master", "disagree", "no-majority"},
    ),
    "a manager with two of three nodes": ([all_say(HEALTHY)], stop(2, 3), {"no-majority"}),
    "all endpoints": ([all_say(HEALTHY)], stop(1, 2, 3), {"no-majority"}),
    "more nodes are configured than answer": ([all_say(HEALTHY, size=5)], stop(2), {"no-majority"}),
    "a cluster of one": ([cluster(node(1, FROZEN, "Master"), size=1)], stop(1), {"no-majority"}),
    "a stuck node, while another is down": (
        [cluster(node(1, HEALTHY), node(2, FROZEN), node(3, REFUSED))],
        stop(2),
        {"no-majority"},
    ),
    "the true master beside one that thinks so": (
        [
            cluster(
                node(1, HEALTHY), node(2, HEALTHY), node(3, cluster_of("Slave dead", "Slave dead", "Master")), size=3
            )
        ],
        stop(1),
        {"disagree", "no-majority"},
    ),
    "a slave that stays is far behind": (
        [all_say(cluster_of("Master at=99000000", "Slave at=99000000", "Slave at=100"))],
        stop(2),
        {"behind"},
    ),
    "another master than a moment ago": (
        [all_say(HEALTHY), all_say(cluster_of("Slave", "Master", "Slave"))],
        stop(3),
        {"not-settled"},
    ),
    "another epoch than a moment ago": (
        [all_say(HEALTHY), cluster(*(with_epoch(number, HEALTHY, 2) for number in (1, 2, 3)))],
        stop(3),
        {"not-settled"},
    ),
    "a node was restarted a moment ago": ([all_say(HEALTHY), restarted(HEALTHY, "10.0.0.2")], stop(3), {"not-settled"}),
    "a node came back a moment ago": (
        [all_say(cluster_of("Master", "Slave", "CatchingUp")), all_say(HEALTHY)],
        stop(2),
        {"not-settled"},
    ),
}

PERMITTED = {
    "a node that takes itself for the only one alive": (
        [
            cluster(
                node(1, HEALTHY), node(2, HEALTHY), node(3, cluster_of("Slave dead", "Slave dead", "Master")), size=3
            )
        ],
        stop(3),
    ),
    "a slave": ([all_say(HEALTHY)] * 2, stop(2)),
    "the master": ([all_say(HEALTHY)] * 2, stop(1)),
    "a slave that is far behind itself": (
        [all_say(cluster_of("Master at=99000000", "Slave at=99000000", "Slave at=100"))],
        stop(3),
    ),
    "one of four, while one is down": (
        [cluster(*(node(n, FIVE) for n in (1, 2, 3, 4)), node(5, REFUSED), size=5)],
        stop(2),
    ),
    "two of five at once": ([all_say(FIVE, 5)], stop(2, 3)),
    "a node that is down anyway": ([cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED))], stop(3)),
    "a frozen slave": ([cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, FROZEN))], stop(3)),
    "a node that joins": ([all_say(cluster_of("Master", "Slave", "CatchingUp"))], stop(3)),
    "a node that thinks it is alone": (
        [
            cluster(
                node(1, cluster_of("Master", "Slave")),
                node(2, cluster_of("Master", "Slave")),
                node(3, FROZEN, "Master"),
            )
        ],
        stop(3),
    ),
    "a slave, while a manager is down": (
        [cluster(*(node(n, HEALTHY) for n in (1, 2, 3)), manager(1, REFUSED), manager(2, HEALTHY))],
        stop(2),
    ),
}


@pytest.mark.parametrize(("history", "going", "expected"), REFUSED_CASES.values(), ids=REFUSED_CASES.keys())
def test_what_is_refused_and_why(history, going, expected):
    assert codes(history, going) == expected
    for problem in conditions.refusals(history, going):
        assert problem.text
        assert problem.hint


@pytest.mark.parametrize(("history", "going"), PERMITTED.values(), ids=PERMITTED.keys())
def test_what_is_permitted(history, going):
    assert codes(history, going) == set()


@pytest.mark.parametrize("condition", conditions.CONDITIONS, ids=lambda condition: condition.__name__.strip("_"))
def test_without_any_one_condition_a_case_turns_red(condition, monkeypatch):
    """The mutation: a condition that no case needs would be dead, and one that fails would go unnoticed."""
    monkeypatch.setattr(
        conditions, "CONDITIONS", tuple(each for each in conditions.CONDITIONS if each is not condition)
    )
    wrong = [name for name, (history, going, expected) in REFUSED_CASES.items() if codes(history, going) != expected]
    assert wrong


def test_the_text_says_what_would_have_happened():
    (problem,) = conditions.refusals([cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED))], stop(2))
    assert problem.text == "1 of 3 nodes would remain in sync (n1) and 2 are needed: no write would be acknowledged"
    assert problem.hint == "Start these nodes first: n3 on host3 (10.0.0.3:2113)"


def test_a_node_is_known_by_any_of_its_addresses():
    for port in (2112, 2113):
        going = conditions.Stop("x", (frozenset({Endpoint("10.0.0.2", port), Endpoint("10.0.0.2", 1112)}),))
        assert [each.name for each in conditions.nodes_stopped_by(all_say(HEALTHY), going)] == ["n2"]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (all_say(HEALTHY), []),
        (
            all_say(cluster_of("Master", "Slave", "CatchingUp at=7102")),
            ["n3 is CatchingUp, 10000 bytes behind the master"],
        ),
        (
            all_say(cluster_of("Master at=99000000", "Slave", "Slave at=0")),
            ["n3 is Slave, 99000000 bytes behind the master"],
        ),
        (cluster(node(1, HEALTHY), node(2, HEALTHY), node(3, REFUSED)), ["n3 is Slave"]),
    ],
)
def test_what_a_restarted_node_still_lacks(seen, words):
    assert conditions.missing(seen, stop(3)) == words


def test_a_node_that_nobody_shows_is_missed():
    (words,) = conditions.missing(
        cluster(node(1, cluster_of("Master", "Slave")), node(2, cluster_of("Master", "Slave"))), stop(3)
    )
    assert "1 of the nodes of es-cluster1 are not in gossip" in words


def test_a_node_is_back_under_whichever_of_its_addresses_it_is_known():
    """Two sets of addresses of which one node in gossip has both, such as a wrapper's and its child's, lack nothing."""
    going = conditions.Stop("x", tuple(frozenset({Endpoint("10.0.0.3", port)}) for port in (2112, 2113)))
    assert conditions.missing(all_say(HEALTHY), going) == []


STATES = st.sampled_from(
    ["Master", "Slave", "Slave at=0", "CatchingUp", "PreReplica", "Unknown", "Slave dead", "Master dead"]
)
ANSWERS = st.sampled_from(["same", "frozen", "refused", "away"])


@given(
    states=st.lists(STATES, min_size=3, max_size=7),
    data=st.data(),
)
def test_whatever_the_cluster_looks_like_a_permitted_stop_leaves_a_majority(states, data):
    """Counted here from the drawn words alone: who answers, is in sync, and is not stopped."""
    size = len(states)
    words = cluster_of(*states)
    answers = [data.draw(ANSWERS) for _ in states]
    going = data.draw(st.sets(st.integers(1, size), min_size=1))
    silent = {"frozen": FROZEN, "refused": REFUSED, "away": AWAY}
    views = [
        node(number, words)
        if answer == "same" and "dead" not in states[number - 1]
        else node(number, silent.get(answer, REFUSED))
        for number, answer in enumerate(answers, start=1)
    ]
    if not conditions.refusals([cluster(*views, size=size)], stop(*going)):
        left = [
            number
            for number, (state, answer) in enumerate(zip(states, answers), start=1)
            if state.split()[0] in ("Master", "Slave")
            and "dead" not in state
            and answer == "same"
            and number not in going
        ]
        assert len(left) > size // 2
