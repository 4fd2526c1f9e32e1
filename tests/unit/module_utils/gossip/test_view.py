# SPDX-License-Identifier: GPL-3.0-or-later
"""What many answers together say: first as real nodes said it, then each case by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members, view
from tests.doubles.gossip import picture
from tests.doubles.gossip.answers import (
    AWAY,
    FROZEN,
    HEALTHY,
    REFUSED,
    cluster_of,
    codes,
    info,
    judge,
    manager,
    node,
    ok,
    problem,
    status,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "gossip"


def recorded(name: str) -> dict[str, object]:
    frame = json.loads((FIXTURES / f"{name}.views.json").read_text())
    views = []
    for number, (ip, said) in enumerate(frame.items(), start=1):
        target = view.Target(Endpoint(ip, 2113), f"n{number}", f"host{number}", "database", Endpoint(ip, 2112))
        gossip = said["gossip"]
        silent = FROZEN if gossip == "TimeoutError" else REFUSED
        state = silent if said["info"].startswith("HTTP") else info(said["info"])
        views.append(view.read(target, ok(gossip) if isinstance(gossip, dict) else silent, state))
    return judge(*views)


@pytest.mark.parametrize(
    ("name", "has_quorum", "agreed", "can_lose", "master", "expected"),
    [
        ("formed", True, True, 1, "n2", set()),
        ("seeds-not-reached", False, False, 0, None, {"no-quorum", "no-master", "unresolved-seed", "disagree"}),
        ("dead-master-beside-the-new-one", True, True, 0, "n1", {"no-answer"}),
        ("majority-lost", False, False, 0, None, {"no-quorum", "no-answer", "no-master"}),
        ("cluster-size-one", False, False, 0, "n2", {"no-quorum", "several-masters", "cluster-size-one"}),
        ("slave-rejoins", True, False, 0, "n2", {"not-in-sync", "disagree"}),
    ],
)
def test_real_clusters(name, has_quorum, agreed, can_lose, master, expected):
    facts = recorded(name)
    assert (facts["has_quorum"], facts["agreed"], facts["can_lose"]) == (has_quorum, agreed, can_lose)
    assert (facts["master"] or {}).get("name") == master
    assert codes(facts) == expected
    assert facts["healthy"] == (not expected)


def test_a_healthy_cluster_has_nothing_to_say():
    facts = judge(*(node(number, HEALTHY) for number in (1, 2, 3)))
    assert facts["problems"] == []
    assert (facts["has_quorum"], facts["agreed"], facts["healthy"], facts["can_lose"]) == (True, True, True, 1)
    assert facts["nodes_by_state"] == {"Master": ["n1"], "Slave": ["n2", "n3"]}
    assert facts["master"] == {"name": "n1", "host": "host1", "address": "10.0.0.1:2113", "internal": "10.0.0.1:2112"}
    assert [member["lag_bytes"] for member in facts["members"]] == [0, 0, 0]
    assert facts == json.loads(json.dumps(facts))


def test_both_vocabularies():
    words = cluster_of("Leader", "Follower", "Follower")
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert facts["healthy"]
    assert facts["nodes_by_state"] == {"Leader": ["n1"], "Follower": ["n2", "n3"]}


def test_managers_are_shown_and_not_counted():
    words = cluster_of("Master", "Slave", "Slave", **{f"10.0.0.{n}/manager": "Manager" for n in (1, 2, 3)})
    nodes = [node(number, words) for number in (1, 2, 3)]
    managers = [manager(number, words) for number in (1, 2, 3)]
    facts = judge(*nodes, *managers)
    assert facts["healthy"], facts["problems"]
    assert [(each["name"], each["answers"]) for each in facts["managers"]] == [("m1", True), ("m2", True), ("m3", True)]
    assert [each["name"] for each in facts["members"]] == ["n1", "n2", "n3"]
    # Managers alone prove nothing, however many there are.
    facts = judge(*managers)
    assert not facts["has_quorum"]
    assert len([each for each in facts["problems"] if each["code"] == "not-asked"]) == 3


def test_no_quorum_from_a_minority():
    facts = judge(node(1, cluster_of("Master", "Slave", "Slave")), node(2, REFUSED), node(3, REFUSED))
    assert not facts["has_quorum"]
    assert "2 of 3 nodes must be in sync, but only these are: n1" in problem(facts, "no-quorum")["text"]
    assert facts["nodes_by_state"] == {"Master": ["n1"], "Unreachable": ["n2", "n3"]}


@pytest.mark.parametrize("silence", [REFUSED, FROZEN, AWAY])
def test_a_master_that_does_not_answer_itself_is_no_master(silence):
    words = cluster_of("Master", "PreReplica", "PreReplica")
    facts = judge(node(1, silence), node(2, words), node(3, words))
    assert (facts["has_quorum"], facts["master"], facts["can_lose"]) == (False, None, 0)
    text = problem(facts, "master-silent")["text"]
    assert "n1 on host1 (10.0.0.1:2113) is a live master in the gossip of n2, n3" in text
    assert "no-answer" not in codes(facts)
    # The same while the slaves still call themselves slaves.
    facts = judge(node(1, silence), node(2, HEALTHY), node(3, HEALTHY))
    assert (facts["has_quorum"], facts["master"]) == (False, None)


def test_a_master_whose_gossip_hangs_but_whose_info_answers():
    facts = judge(node(1, FROZEN, "Master"), node(2, HEALTHY), node(3, HEALTHY))
    assert not facts["has_quorum"]
    assert "master-silent" in codes(facts)
    assert "cluster-size-one" not in codes(facts)


def test_a_slave_that_does_not_answer_is_not_counted():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, FROZEN))
    assert (facts["has_quorum"], facts["can_lose"], facts["healthy"]) == (True, 0, False)
    found = problem(facts, "no-answer")
    assert "n3 on host3 (10.0.0.3:2113) does not answer" in found["text"]
    assert "Others list it as Slave, alive, by n1, n2" in found["text"]
    assert "check its process on host3" in found["hint"]


def test_slaves_that_follow_another_master_are_not_counted():
    other = cluster_of("Slave", "Slave", "Slave", **{"10.0.0.4": "Master"})
    facts = judge(node(1, HEALTHY), node(2, other), node(3, other))
    assert not facts["has_quorum"]
    assert "the nodes do not agree on the master" in problem(facts, "disagree")["text"]


def test_slaves_that_the_master_does_not_know_are_not_counted():
    alone = cluster_of("Master", "Slave dead", "Slave dead")
    facts = judge(node(1, alone), node(2, HEALTHY), node(3, HEALTHY))
    assert not facts["has_quorum"]
    assert [each["text"] for each in facts["problems"] if each["code"] == "cut-off"] == [
        "n2 on host2 (10.0.0.2:2113) answers, but is dead in the gossip of n1",
        "n3 on host3 (10.0.0.3:2113) answers, but is dead in the gossip of n1",
    ]


@pytest.mark.parametrize("state", sorted(members.STATES - members.MASTERS - members.SLAVES - {members.MANAGER}))
def test_only_slaves_count_beside_the_master(state):
    words = cluster_of("Master", state, state)
    assert not judge(*(node(number, words) for number in (1, 2, 3)))["has_quorum"]


def test_two_masters_by_gossip():
    facts = judge(
        node(1, cluster_of("Master", "Slave", "Slave")),
        node(2, cluster_of("Master", "Master", "Slave")),
        node(3, HEALTHY),
    )
    assert (facts["has_quorum"], facts["master"]) == (False, None)
    assert "n1 on host1 (10.0.0.1:2113), n2 on host2" in problem(facts, "several-masters")["text"]


def test_a_master_by_info_alone_takes_the_quorum_away():
    words = {**cluster_of("Master", "Slave"), "10.0.0.3": "Manager seed dead port=2112"}
    facts = judge(node(1, words), node(2, words), node(3, FROZEN, "Master"))
    assert not facts["has_quorum"]
    found = problem(facts, "cluster-size-one")
    assert "n3 on host3 (10.0.0.3:2113) reports Master in /info, but never answers /gossip" in found["text"]
    assert found["hint"].startswith("On host3 stop the node and set ClusterSize: 3 ")
    assert "move its data directory away before the start" in found["hint"]
    assert "several-masters" in codes(facts)
    # The same when it answers 408 within the deadline.
    assert "cluster-size-one" in codes(judge(node(1, words), node(2, words), node(3, status(408), "Master")))


@pytest.mark.parametrize(("said", "quorum"), [("Master", True), ("Unknown", False)])
def test_a_node_between_two_states_is_not_believed(said, quorum):
    facts = judge(node(1, HEALTHY, said), node(2, HEALTHY), node(3, HEALTHY))
    assert (facts["has_quorum"], facts["agreed"]) == (quorum, quorum)


def test_slaves_between_two_states_are_not_counted():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY, "PreReplica"), node(3, HEALTHY, "Clone"))
    assert not facts["has_quorum"]


def test_slaves_count_by_their_own_word():
    """The master calls them slaves, as one does that was cut off a moment ago."""
    views = [node(1, HEALTHY)]
    for number in (2, 3):
        words = {**HEALTHY, f"10.0.0.{number}": "PreReplica"}
        views.append(node(number, words))
    assert not judge(*views)["has_quorum"]


def test_a_cluster_of_one_is_asked_by_info():
    for silence in (FROZEN, status(408)):
        facts = judge(node(1, silence, "Master"), size=1)
        assert (facts["has_quorum"], facts["agreed"], facts["healthy"]) == (True, True, True), facts["problems"]
        assert (facts["quorum_size"], facts["can_lose"], facts["master"]["name"]) == (1, 0, "n1")
        assert judge(node(1, silence, "Master"), size=None)["has_quorum"]
    assert not judge(node(1, status(408), "Unknown"), size=1)["has_quorum"]
    assert not judge(node(1, REFUSED), size=1)["has_quorum"]
    # One node with gossip switched off may belong to any cluster.
    assert not judge(node(1, status(404), "Master"), size=None)["has_quorum"]


@pytest.mark.parametrize(
    ("asked", "size", "expected", "quorum"),
    [
        ((1, 2, 3), None, 3, True),
        ((1,), None, 3, False),
        ((1, 2), None, 3, True),
        ((1, 2, 3), 5, 5, True),
        ((1, 2, 3), 7, 7, False),
    ],
)
def test_cluster_size(asked, size, expected, quorum):
    facts = judge(*(node(number, HEALTHY) for number in asked), size=size)
    assert (facts["cluster_size"], facts["has_quorum"]) == (expected, quorum)
    assert facts["quorum_size"] == expected // 2 + 1


def test_more_in_sync_than_cluster_size_is_no_proof():
    words = cluster_of("Master", "Slave", "Slave", "Slave", "Slave")
    facts = judge(*(node(number, words) for number in range(1, 6)), size=3)
    assert not facts["has_quorum"]
    assert "5 nodes are master or in sync, but cluster_size is 3" in problem(facts, "cluster-size")["text"]


def test_read_only_replicas_do_not_vote():
    words = cluster_of("Leader", "Follower", "Follower", "ReadOnlyReplica")
    facts = judge(*(node(number, words) for number in range(1, 5)), size=None)
    assert (facts["cluster_size"], facts["healthy"]) == (3, True)


def test_a_name_twice_does_not_make_a_quorum():
    views = [node(1, HEALTHY)]
    for number in (2, 3):
        said = ok(picture.body(picture.picture("10.0.0.1:2112", HEALTHY)))
        target = view.Target(Endpoint(f"10.0.0.{number}", 2113))
        views.append(view.read(target, said, info("Master")))
    facts = judge(*views)
    assert not facts["has_quorum"]
    assert [each["error"] for each in facts["views"]] == ["", "not_itself", "not_itself"]
    assert len([each for each in facts["problems"] if each["code"] == "not-itself"]) == 2


def test_who_lies_about_itself_is_not_counted():
    lie = ok(picture.body(picture.picture("10.0.0.1:2112", HEALTHY)))
    facts = judge(node(1, HEALTHY), node(2, lie, "Slave"), node(3, REFUSED))
    assert not facts["has_quorum"]
    assert (
        "the server at n2 on host2 (10.0.0.2:2113) advertises 10.0.0.1:2112" in (problem(facts, "not-itself")["text"])
    )
    assert "which is the address of n1 on host1" in problem(facts, "not-itself")["text"]
    nobody = ok(picture.body(picture.picture("10.0.0.2:2112", cluster_of("Master"))))
    facts = judge(node(1, HEALTHY), node(2, nobody, "Slave"), node(3, REFUSED))
    assert "but lists no such member" in problem(facts, "not-itself")["text"]


def test_an_answer_of_somebody_else_is_not_counted():
    stranger = ok(picture.body(picture.picture("10.0.0.99:2112", {"10.0.0.99": "Slave", **HEALTHY})))
    facts = judge(node(1, HEALTHY), node(2, stranger, "Slave"), node(3, REFUSED))
    assert [each["error"] for each in facts["views"]] == ["", "not_itself", "refused"]
    # 10.0.0.99 was not asked, so it is not said to be another one's
    assert "10.0.0.99:2112, but is expected at 10.0.0.2:2112" in problem(facts, "not-itself")["text"]


def test_a_node_that_gives_the_others_the_wildcard_is_told_so():
    said = picture.body(picture.picture("10.0.0.1:2112", HEALTHY)).replace(b"10.0.0.1", b"0.0.0.0")
    facts = judge(node(1, ok(said), "Master"), node(2, REFUSED), node(3, REFUSED))
    assert "not-itself" not in codes(facts)
    told = problem(facts, "wildcard-address")
    assert "n1 on host1 (10.0.0.1:2113) advertises 0.0.0.0:2112" in told["text"]
    assert "host1 set IntIp" in told["hint"]
    assert "IntIpAdvertiseAs" in told["hint"]


def test_one_node_behind_two_addresses_counts_once():
    views = []
    for number in (1, 2, 3):
        said = ok(picture.body(picture.picture("10.0.0.1:2112", HEALTHY)))
        views.append(view.read(view.Target(Endpoint(f"192.0.2.{number}", 2113)), said, info("Master")))
    facts = judge(*views)
    assert [each["error"] for each in facts["views"]] == ["", "not_itself", "not_itself"]
    told = [each["text"] for each in facts["problems"] if each["code"] == "not-itself"]
    assert all("like 192.0.2.1:2113" in text for text in told)
    assert not facts["has_quorum"]


def test_behind_address_translation_a_node_may_give_another_address():
    views = []
    for number in (1, 2, 3):
        said = ok(picture.body(picture.picture(f"10.0.0.{number}:2112", HEALTHY)))
        views.append(view.read(view.Target(Endpoint(f"192.0.2.{number}", 2113)), said, None))
    assert judge(*views)["healthy"]


def test_targets_without_internal_address_are_found_in_the_gossip_of_others():
    views = [node(1, HEALTHY), node(2, HEALTHY), view.read(view.Target(Endpoint("10.0.0.3", 2113)), REFUSED, REFUSED)]
    facts = judge(*views, size=None)
    assert facts["cluster_size"] == 3
    assert facts["members"][2]["internal"] == "10.0.0.3:2112"
    assert codes(facts) == {"no-answer"}


@pytest.mark.parametrize("asked", [True, False])
def test_managers_and_seeds_whose_state_an_election_reset_are_no_database_nodes(asked):
    """From 5.0.11 on the winner calls every other member Unknown until it has heard of it again."""
    managers = {f"10.0.0.{number}/manager": "Manager" for number in (1, 2, 3)}
    reset = {**dict.fromkeys(managers, "Unknown manager"), "10.0.0.9/seed": "Unknown seed"}
    true = {**HEALTHY, **managers}
    views = [node(1, {**HEALTHY, **reset}), node(2, {**HEALTHY, **reset}), node(3, true)]
    if asked:
        views += [manager(number, true) for number in (1, 2, 3)]
    facts = judge(*views, size=None)
    assert (facts["cluster_size"], facts["agreed"], facts["can_lose"]) == (3, True, 1)
    assert [each["name"] for each in facts["members"]] == ["n1", "n2", "n3"]
    assert len(facts["managers"]) == 3
    assert facts["unresolved_seeds"] == ["10.0.0.9:30777"]
    assert codes(facts) == {"unresolved-seed"}


def test_a_manager_whose_own_word_is_not_manager_stays_one():
    words = {**HEALTHY, "10.0.0.1/manager": "Unknown manager"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)), manager(1, words), size=None)
    assert facts["healthy"], facts["problems"]
    assert [each["name"] for each in facts["managers"]] == ["m1"]


@pytest.mark.parametrize(("skew_s", "advice"), [(0, set()), (59, set()), (61, {"clock-skew"}), (-3600, {"clock-skew"})])
def test_clock_skew_is_advice(skew_s, advice):
    facts = judge(node(1, HEALTHY), node(2, HEALTHY, skew_s=skew_s), node(3, HEALTHY))
    assert codes(facts) == advice
    assert facts["clock_skew_s"] == pytest.approx(abs(skew_s), abs=1)
    assert facts["healthy"]


@pytest.mark.parametrize(("position", "lag", "told"), [(17102, 0, False), (1000, 16102, False), (18000, 0, False)])
def test_lag(position, lag, told):
    words = cluster_of("Master at=17102", "Slave", f"Slave at={position}")
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert facts["members"][2]["lag_bytes"] == lag
    assert ("lagging" in codes(facts)) == told


def test_a_slave_far_behind_is_told():
    words = cluster_of("Master at=100000000", "Slave at=100000000", "Slave at=1")
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert (
        "n3 on host3 (10.0.0.3:2113) is Slave, but 99999999 bytes behind the master"
        in (problem(facts, "lagging")["text"])
    )
    assert (facts["has_quorum"], facts["healthy"]) == (True, False)


def test_version_drift_is_advice():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, HEALTHY, info("Slave", "3.5.0.0")))
    assert "3.4.0.0 on n1, n2; 3.5.0.0 on n3" in problem(facts, "versions-differ")["text"]
    assert facts["healthy"]


STATES = st.sampled_from(
    ["Master", "Slave", "Master dead", "Slave dead", "PreReplica", "Unknown", "Clone", "Manager seed"]
)
ANSWERS = st.one_of(
    st.tuples(STATES, STATES, STATES).map(lambda states: cluster_of(*states)),
    st.sampled_from([REFUSED, FROZEN, status(408)]),
)


@example(
    (
        cluster_of("Master", "Master", "Master"),
        cluster_of("Master", "Slave dead", "Master"),
        cluster_of("Master", "Slave", "Slave dead"),
    ),
    ("", "", ""),
)
@example(
    (FROZEN, cluster_of("Slave", "Slave", "Master"), cluster_of("Master", "Master", "Master dead")),
    ("", "", ""),
)
@given(st.tuples(ANSWERS, ANSWERS, ANSWERS), st.tuples(*[st.sampled_from(["", "Master", "Slave", "Unknown"])] * 3))
def test_whatever_they_answer_quorum_means_a_majority_under_one_master(answers, infos):
    views = []
    for number, (answer, state) in enumerate(zip(answers, infos), start=1):
        views.append(node(number, answer, info(state) if state else REFUSED))
    facts = judge(*views)
    assert json.dumps(facts)
    if facts["has_quorum"]:
        own = [
            answers[number][f"10.0.0.{number + 1}"] if isinstance(answers[number], dict) else "" for number in range(3)
        ]
        assert own.count("Master") == 1
        assert own.count("Slave") >= 1
        assert infos.count("Master") <= 1
    else:
        assert facts["problems"][0]["code"] == "no-quorum"
        assert facts["can_lose"] == 0
    for each in facts["problems"]:
        assert each["text"]
        assert each["hint"]
