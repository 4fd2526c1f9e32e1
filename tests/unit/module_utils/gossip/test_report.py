# SPDX-License-Identifier: GPL-3.0-or-later
"""Each problem: who has it, where, and what to do."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import report, view
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Result
from tests.doubles.gossip.answers import (
    AWAY,
    FROZEN,
    HEALTHY,
    REFUSED,
    cluster_of,
    codes,
    judge,
    manager,
    node,
    ok,
    problem,
    status,
)


def failed(kind: str, text: str) -> Result:
    return Result(b"", kind, text, 0, 0.1, 0.0)


@pytest.mark.parametrize(
    ("answer", "text", "hint"),
    [
        (REFUSED, "connection refused", "Nothing listens there. On host3 look whether the database node runs"),
        (AWAY, "no connection within 2 s", "host3 is down, or a firewall drops what is sent to 10.0.0.3:2113"),
        (
            FROZEN,
            "no whole answer within 2 s",
            "The database node is slow, hangs or is frozen: look at its process on host3",
        ),
        (failed(sweep.UNREACHABLE, "No route to host"), "No route to host", "There is no way to 10.0.0.3 from here"),
        (failed(sweep.CLOSED, "the connection was reset"), "reset", "On host3 look at the database node's log"),
        (failed(sweep.NOT_HTTP, "not an HTTP answer: b'SSH"), "SSH", "Something else than Event Store listens there"),
        (failed(sweep.TOO_LONG, "104857600 bytes announced"), "104857600", "Something else than Event Store answers"),
        (ok(b"<html></html>"), "expected JSON, but came HTML or XML", "Something else than Event Store answers there"),
        (ok(b'{"members": ['), "/gossip: expected JSON", "Something else than Event Store answers there"),
        (status(404), "HTTP status 404", "Something else than a database node answers at 10.0.0.3:2113"),
        (status(404, "nginx/1.22"), "HTTP status 404, from nginx/1.22", "Something else than a database node answers"),
        (status(400, "Mono-HTTPAPI/1.0"), "HTTP status 400", "The server does not know itself by this address"),
        (status(400, "Microsoft-HTTPAPI/2.0"), "HTTP status 400", "The server does not know itself by this address"),
        (status(400, "nginx"), "HTTP status 400, from nginx", "Something else than a database node answers"),
        (status(503), "HTTP status 503", "Something else than a database node answers at 10.0.0.3:2113, or a proxy"),
        (status(301, "Apache"), "HTTP status 301, from Apache", "Something else than a database node answers"),
    ],
)
def test_why_a_node_does_not_answer_and_what_to_do(answer, text, hint):
    words = cluster_of("Master", "Slave", "Slave dead")
    facts = judge(node(1, words), node(2, words), node(3, answer))
    assert codes(facts) == {"no-answer"}
    found = problem(facts, "no-answer")
    assert found["text"].startswith("n3 on host3 (10.0.0.3:2113) does not answer: ")
    assert text in found["text"]
    assert found["text"].endswith("It is seen as Slave, dead, by n1, n2")
    assert hint in found["hint"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (404, "On host3 set GossipOnExt: true, or give the internal HTTP address"),
        (503, "On host3 look into the database node's log"),
        (500, "On host3 look into the database node's log"),
    ],
)
def test_a_status_of_what_says_in_info_that_it_is_a_database_node(number, hint):
    words = cluster_of("Master", "Slave", "Slave dead")
    facts = judge(node(1, words), node(2, words), node(3, status(number, "Mono-HTTPAPI/1.0"), "Slave"))
    assert problem(facts, "no-answer")["hint"].startswith(hint)


def test_a_status_in_place_of_a_manager():
    """A manager always answers /gossip, and has no option for it."""
    words = {**HEALTHY, "10.0.0.1/m": "Manager dead"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)), manager(1, status(404, "nginx")))
    found = problem(facts, "no-answer")
    assert "from nginx" in found["text"]
    assert found["hint"].startswith("Something else than a manager answers at 10.0.0.1:30778")


def test_every_kind_of_failure_has_a_remedy():
    kinds = {sweep.REFUSED, sweep.UNREACHABLE, sweep.CLOSED, sweep.NOT_HTTP, sweep.TOO_LONG}
    for kind in kinds:
        assert problem(judge(node(1, failed(kind, "x")), size=1), "no-answer")["hint"]


def test_a_manager_that_does_not_answer():
    words = cluster_of("Master", "Slave", "Slave", **{"10.0.0.1/manager": "Manager dead"})
    facts = judge(*(node(number, words) for number in (1, 2, 3)), manager(1, REFUSED))
    found = problem(facts, "no-answer")
    assert found["text"].startswith("m1 on host1 (10.0.0.1:30778) does not answer: connection refused")
    assert "look whether the manager runs" in found["hint"]
    assert (facts["has_quorum"], facts["healthy"]) == (True, False)


def test_gossip_waits_for_a_name_that_does_not_resolve():
    for silence in (status(408), FROZEN):
        facts = judge(*(node(number, silence, "Unknown") for number in (1, 2, 3)))
        hints = [each["hint"] for each in facts["problems"] if each["code"] == "gossip-not-ready"]
        assert len(hints) == 3
        assert "On host1 check that ClusterDns resolves" in hints[0]


def says(facts, *, never=()):
    """All that is told, after a check that none of these words is in it."""
    text = " ".join(f"{each['code']} {each['text']} {each['hint']}" for each in facts["problems"])
    assert not [word for word in never if word in text], text
    return text


HARM = ("move its data directory", "kill it", "ClusterSize", "stop the", "restart", "ClusterDns", "cluster of its own")


def test_a_master_that_wakes_up_gets_no_harmful_advice():
    """It was frozen: its /info came within the sweep, its /gossip did not, and the others think it dead or alive."""
    for seen in ("Master", "Master dead", "Slave"):
        words = cluster_of(seen, "PreReplica", "PreReplica")
        facts = judge(node(1, FROZEN, "Master"), node(2, words), node(3, words), sure=False)
        assert not facts["has_quorum"]
        assert "Ask again before anything is stopped or changed" in says(facts, never=HARM)
        assert codes(facts) <= {"no-quorum", "no-answer", "master-silent", "no-master"}
    # While the others see it in their gossip it is in their cluster, however long it hangs.
    words = cluster_of("Slave", "Master", "Slave")
    facts = judge(node(1, FROZEN, "Master"), node(2, words), node(3, words))
    assert "It is seen as Slave, alive, by n2, n3" in problem(facts, "no-answer")["text"]
    assert "cluster-size-one" not in codes(facts)


def test_a_cluster_of_its_own_is_told_when_it_stays():
    words = {**cluster_of("Master", "Slave"), "10.0.0.3": "Manager seed dead port=2112"}
    views = [node(1, words), node(2, words), node(3, FROZEN, "Master")]
    first = judge(*views, sure=False)
    says(first, never=HARM)
    assert codes(first) == {"no-quorum", "no-answer", "no-master"}
    assert (
        "n3 on host3 (10.0.0.3:2113) answers /info (it is Master), but not /gossip"
        in (problem(first, "no-answer")["text"])
    )
    assert codes(judge(*views)) == {"no-quorum", "cluster-size-one", "several-masters"}


def test_two_masters_in_one_sweep_may_be_a_handover():
    views = [node(1, HEALTHY), node(2, cluster_of("Slave", "Master", "Slave")), node(3, HEALTHY)]
    first = judge(*views, sure=False)
    says(first, never=HARM)
    found = problem(first, "no-master")
    assert found["text"].startswith("2 nodes say that they are master: n1 on host1 (10.0.0.1:2113), n2")
    assert found["hint"].startswith("After an election this may last some seconds. Ask again before")
    assert "several-masters" in codes(judge(*views))


def test_of_two_masters_the_one_is_to_be_stopped_that_nobody_follows():
    facts = judge(node(1, HEALTHY), node(2, cluster_of("Slave dead", "Master", "Slave dead")), node(3, HEALTHY))
    assert "If it stays, stop n2, which no node follows" in problem(facts, "several-masters")["hint"]
    both = [node(1, cluster_of("Master", "Slave", "Slave")), node(2, cluster_of("Slave", "Master", "Slave"))]
    facts = judge(*both, node(3, cluster_of("Master", "Master", "Slave")))
    assert "stop all but one of them" in problem(facts, "several-masters")["hint"]


def test_two_clusters_that_were_one_are_to_be_copied_before_they_meet():
    """A cut between {3, 5} and {5, 5, 5} where ClusterSize differs: after it, one side's writes were gone (3.4.0)."""
    one = cluster_of("Master", "Slave", "Slave dead", "Slave dead", "Slave dead")
    two = cluster_of("Master dead", "Slave dead", "Master", "Slave", "Slave")
    facts = judge(*(node(number, one if number < 3 else two) for number in range(1, 6)), size=5)
    hint = problem(facts, "several-masters")["hint"]
    assert "these are clusters of their own: n1, n2; n3, n4, n5. Each acknowledges writes" in hint
    assert "copy the data directory of one node of each, before the network is repaired" in hint
    assert "stop all but" not in hint


@pytest.mark.parametrize(
    "state",
    ["Slave", "Follower", "Clone", "CatchingUp", "PreReplica", "ReadOnlyReplica", "PreMaster", "ResigningLeader"],
)
def test_who_follows_a_cluster_has_found_its_seeds(state):
    for seen in ("Slave", "Slave dead"):
        words = cluster_of("Master", "Slave", seen)
        facts = judge(node(1, words), node(2, words), node(3, FROZEN, state))
        assert codes(facts) == {"no-answer"}
        assert "look at the load of host3" in says(facts, never=HARM)


def test_a_node_that_others_see_alive_gossips():
    words = cluster_of("Master", "Slave", "Unknown")
    facts = judge(node(1, words), node(2, words), node(3, FROZEN, "Unknown"))
    assert codes(facts) == {"no-answer"}
    says(facts, never=HARM)


def test_seeds_that_do_not_resolve_are_told_when_it_stays():
    words = cluster_of("Master", "Slave", "Slave dead")
    views = [node(1, words), node(2, words), node(3, FROZEN, "Unknown")]
    says(judge(*views, sure=False), never=HARM)
    assert codes(judge(*views)) == {"gossip-not-ready"}


def test_a_frozen_master_is_to_be_killed_only_when_it_stays_and_no_node_follows_it():
    stuck = cluster_of("Master", "PreReplica", "PreReplica")
    views = [node(1, FROZEN), node(2, stuck), node(3, stuck)]
    assert "Ask again" in says(judge(*views, sure=False), never=HARM)
    assert "if it does not recover, kill it" in says(judge(*views))
    facts = judge(node(1, FROZEN), node(2, HEALTHY), node(3, HEALTHY))
    assert "n2, n3 still follow it" in says(facts, never=(*HARM, "not acknowledged"))


@pytest.mark.parametrize(("silence", "hint"), [(REFUSED, "Nothing listens there"), (AWAY, "is down, or a firewall")])
def test_a_master_that_is_only_out_of_reach_is_not_to_be_killed(silence, hint):
    for words in (HEALTHY, cluster_of("Master", "PreReplica", "PreReplica")):
        facts = judge(node(1, silence), node(2, words), node(3, words))
        assert "master-silent" in codes(facts)
        assert hint in says(facts, never=(*HARM, "frozen", "not acknowledged"))


def test_a_silent_master_that_has_a_successor_is_one_more_silent_node():
    late = cluster_of("Master", "Slave", "Slave")
    new = cluster_of("Master dead", "Master", "Slave")
    facts = judge(node(1, FROZEN), node(2, new), node(3, late))
    assert "no-answer" in codes(facts)
    says(facts, never=("kill it", "not acknowledged"))
    assert "master-silent" not in codes(facts)


def test_a_doubt_that_comes_and_goes_is_never_told():
    other = cluster_of("Slave", "Master", "Slave")
    two = view.ClusterView([node(1, HEALTHY), node(2, other), node(3, HEALTHY)], 3)
    three = view.ClusterView([node(1, HEALTHY), node(2, other), node(3, cluster_of("Slave", "Slave", "Master"))], 3)
    one = view.ClusterView([node(number, HEALTHY) for number in (1, 2, 3)], 3)
    doubts = report.Doubts()
    step = report.CONFIRM_AFTER_S * 0.75
    for number, cluster in enumerate([two, one, two, three, two]):
        facts = report.report(cluster, doubts, number * step)
        assert "several-masters" not in codes(facts)
        assert doubts.open == (cluster is not one)
    assert "several-masters" not in codes(report.report(two, doubts, 4.9 * step))
    assert "several-masters" in codes(report.report(two, doubts, 6 * step))
    assert not doubts.open


def test_nodes_that_never_met():
    facts = judge(*(node(number, {f"10.0.0.{number}": "Unknown"}) for number in (1, 2, 3)))
    assert codes(facts) == {"no-quorum", "never-formed"}
    found = problem(facts, "never-formed")
    assert "n1 is Unknown, n2 is Unknown, n3 is Unknown, and each lists only itself" in found["text"]
    assert "GossipSeed, or DiscoverViaDns, ClusterDns and ClusterGossipPort, on host1, host2, host3" in found["hint"]


def test_nodes_that_elected_a_master_and_hear_of_nobody():
    """Seen on machines that all started while their name server was dead."""
    states = {1: "Master", 2: "Slave", 3: "Slave"}
    words = {
        number: {f"10.0.0.{number}": state, f"10.0.0.{number}/manager": "Manager"} for number, state in states.items()
    }
    views = [each for number in states for each in (node(number, words[number]), manager(number, words[number]))]
    facts = judge(*views)
    assert codes(facts) == {"no-quorum", "never-formed"}
    assert (
        "n1 is Master, n2 is Slave, n3 is Slave, and each lists only itself" in problem(facts, "never-formed")["text"]
    )


def test_cluster_gossip_port_left_at_the_managers():
    seeds = {f"10.0.0.{number}/seed": "Manager seed dead port=30777" for number in (1, 2, 3)}
    facts = judge(*(node(number, {f"10.0.0.{number}": "Unknown", **seeds}) for number in (1, 2, 3)))
    assert codes(facts) == {"no-quorum", "never-formed", "gossip-port"}
    found = problem(facts, "gossip-port")
    assert "did not reach the seeds 10.0.0.1:30777, 10.0.0.2:30777, 10.0.0.3:30777" in found["text"]
    assert "with other internal ports (10.0.0.1:2112, 10.0.0.2:2112, 10.0.0.3:2112)" in found["text"]
    # Nobody can tell from here whether there ever were managers.
    assert found["hint"].startswith("If managers should listen there, start them on 10.0.0.1, 10.0.0.2, 10.0.0.3.")
    assert "If there are none, on host1, host2, host3 set ClusterGossipPort" in found["hint"]
    assert facts["unresolved_seeds"] == ["10.0.0.1:30777", "10.0.0.2:30777", "10.0.0.3:30777"]


def test_a_wrong_port_beside_a_manager_that_runs_is_a_wrong_port():
    words = {**HEALTHY, "10.0.0.1/m": "Manager", "10.0.0.1/seed": "Manager seed dead port=40777"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)), manager(1, words))
    assert codes(facts) == {"gossip-port"}
    assert problem(facts, "gossip-port")["hint"].startswith("On host1, host2, host3, host1 set ClusterGossipPort")


MANAGED = {**HEALTHY, **{f"10.0.0.{number}/m": "Manager" for number in (1, 2, 3)}}


def test_a_dead_manager_is_a_problem_also_for_those_that_ask_the_nodes_only():
    words = {**MANAGED, "10.0.0.1/m": "Manager dead"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert (facts["has_quorum"], facts["healthy"], codes(facts)) == (True, False, {"dead-manager"})
    found = problem(facts, "dead-manager")
    assert found["text"] == "the manager 10.0.0.1:30777 is dead in the gossip of n1, n2, n3, and n1 runs without it"
    assert found["hint"].startswith("Start the manager on host1, unless it is starting now: without it nothing")
    assert "30 minutes" in found["hint"]
    # While others see it alive, it is: nodes lose sight of a manager for a moment on a machine with much to do.
    assert judge(node(1, words), node(2, MANAGED), node(3, MANAGED))["healthy"]
    # It is told of each, and of those that are asked in the words that fit to their own silence.
    dead = {**MANAGED, **{f"10.0.0.{number}/m": "Manager dead" for number in (1, 2, 3)}}
    facts = judge(*(node(number, dead) for number in (1, 2, 3)))
    assert [each["code"] for each in facts["problems"]] == ["dead-manager"] * 3
    facts = judge(*(node(number, words) for number in (1, 2, 3)), manager(2, words), manager(3, words))
    assert codes(facts) == {"dead-manager"}
    assert codes(judge(*(node(number, words) for number in (1, 2, 3)), manager(1, REFUSED))) >= {"no-answer"}


def test_a_manager_that_went_with_its_machine_or_got_another_port_is_an_old_member():
    for gone in ({"10.0.0.9/m": "Manager dead"}, {"10.0.0.1/old": "Manager dead port=40777"}):
        facts = judge(*(node(number, {**MANAGED, **gone}) for number in (1, 2, 3)))
        assert (facts["healthy"], codes(facts)) == (True, {"old-member"})


@pytest.mark.parametrize("seed", ["Manager seed dead port=30777", "Unknown seed dead port=30777"])
def test_a_node_that_restarts_beside_its_dead_manager(seed):
    """It lists the manager as a seed; the others list it as dead, and after 30 minutes no more."""
    own = {**MANAGED, "10.0.0.1/m": seed}
    for others in ({**MANAGED, "10.0.0.1/m": "Manager dead"}, {k: v for k, v in MANAGED.items() if k != "10.0.0.1/m"}):
        facts = judge(node(1, own), node(2, others), node(3, others))
        assert codes(facts) == {"dead-manager"}
        assert "ClusterGossipPort" not in says(facts)
        assert "Start the manager on host1" in problem(facts, "dead-manager")["hint"]


def test_all_managers_are_dead_and_all_nodes_were_restarted():
    """Each node has its own machine's manager as its only seed, so this is no wrong port."""
    views = [node(n, {**HEALTHY, f"10.0.0.{n}/m": "Manager seed dead port=30777"}) for n in (1, 2, 3)]
    facts = judge(*views)
    assert [each["code"] for each in facts["problems"]] == ["dead-manager"] * 3
    assert "ClusterGossipPort" not in says(facts)


def test_a_seed_that_is_nobody():
    words = {**HEALTHY, "10.0.0.9": "Manager seed dead port=2112"}
    facts = judge(node(1, words), node(2, HEALTHY), node(3, HEALTHY))
    found = problem(facts, "unresolved-seed")
    assert found["text"] == "n1 did not reach the seed 10.0.0.9:2112 yet, and no endpoint given here has this address"
    assert found["hint"] == "On host1 correct GossipSeed, or the records of ClusterDns"


def test_a_seed_may_be_a_server_that_was_given_without_its_internal_address():
    """It does not answer, so nothing says what its internal port is."""
    words = {**cluster_of("Master", "Slave"), "10.0.0.3": "Manager seed dead port=2112"}
    silent = view.read(view.Target(Endpoint("10.0.0.3", 2113), "n3", "host3"), REFUSED, REFUSED)
    facts = judge(node(1, words), node(2, words), silent)
    assert codes(facts) == {"no-answer", "unresolved-seed"}
    found = problem(facts, "unresolved-seed")
    assert found["text"] == "n1, n2 did not reach the seed 10.0.0.3:2112 yet"
    assert found["hint"].startswith("It should be n3 on host3 (10.0.0.3:2113). If it stays, check that server")
    says(facts, never=("ClusterGossipPort", "correct GossipSeed"))


def test_a_seed_with_the_port_of_the_other_managers_is_a_manager_that_is_not_there_yet():
    words = {**cluster_of("Master", "Slave", "Slave dead"), "10.0.0.1/m": "Manager", "10.0.0.3/m": "Manager seed"}
    facts = judge(node(1, words), node(2, words), node(3, REFUSED))
    assert "ClusterGossipPort" not in says(facts)
    assert problem(facts, "unresolved-seed")["hint"].startswith("It should be the manager on 10.0.0.3. If it stays")


def test_a_seed_that_should_answer():
    words = {**HEALTHY, "10.0.0.1/manager": "Manager seed port=30777"}
    true = {**HEALTHY, "10.0.0.1/manager": "Manager"}
    facts = judge(node(1, words), node(2, true), node(3, true), manager(1, true))
    assert "It should be m1 on host1 (10.0.0.1:30778)" in problem(facts, "unresolved-seed")["hint"]
    # Of one that is down is told once that it is down.
    facts = judge(node(1, words), node(2, words), node(3, words), manager(1, REFUSED))
    assert codes(facts) == {"no-answer"}


def test_a_node_outside_its_cluster():
    two = cluster_of("Master", "Slave")
    facts = judge(node(1, two), node(2, two), node(3, {"10.0.0.3": "Unknown"}))
    found = problem(facts, "missing-member")
    assert found["text"].startswith("n3 on host3 (10.0.0.3:2113) answers, but no other node lists it")
    assert found["hint"].startswith("If it stays, on host3: check its GossipSeed, or ClusterDns and ClusterGossipPort")
    assert (facts["has_quorum"], facts["healthy"]) == (True, False)


def test_a_manager_that_nobody_asks():
    facts = judge(*(node(number, HEALTHY) for number in (1, 2, 3)), manager(1, {**HEALTHY, "10.0.0.1/m": "Manager"}))
    found = problem(facts, "missing-member")
    assert found["hint"].startswith("If it stays, on host1: the database node beside it has to have 10.0.0.1:30777 in")


def test_members_that_are_not_expected():
    words = {**HEALTHY, "10.0.0.7": "Clone", "10.0.0.8": "Slave dead"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert codes(facts) == {"unexpected-member", "old-member", "cluster-size"}
    assert problem(facts, "unexpected-member")["text"].startswith("10.0.0.7:2113 is a member (Clone, alive)")
    assert "two clusters share a seed or a DNS name" in problem(facts, "unexpected-member")["hint"]
    assert "dropped after 30 minutes" in problem(facts, "old-member")["hint"]
    assert not facts["healthy"]
    only_old = {**HEALTHY, "10.0.0.8": "Slave dead"}
    assert judge(*(node(number, only_old) for number in (1, 2, 3)))["healthy"]


def test_managers_that_are_not_expected():
    words = {**HEALTHY, "10.0.0.1/m": "Manager", "10.0.0.7/m": "Manager"}
    nodes = [node(number, words) for number in (1, 2, 3)]
    assert codes(judge(*nodes, manager(1, words))) == {"unexpected-member"}
    assert judge(*nodes)["healthy"]  # who asks no manager expects none


def test_a_list_of_some_nodes_says_whom_to_add():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), size=None)
    found = problem(facts, "not-asked")
    assert found["text"] == "10.0.0.3:2113 is a member (Slave, alive), but it was not asked"
    assert found["hint"].startswith("Add it to endpoints")
    assert (facts["has_quorum"], facts["can_lose"], facts["healthy"]) == (True, 0, False)


@pytest.mark.parametrize(
    ("state", "text", "hint"),
    [
        ("CatchingUp at=7102", "n3 on host3 (10.0.0.3:2113) is CatchingUp, 10000 bytes behind the master", "wait"),
        ("Clone", "n3 on host3 (10.0.0.3:2113) is Clone, 0 bytes behind the master", "wait"),
        ("PreReplica at=-1", "n3 on host3 (10.0.0.3:2113) is PreReplica", "wait"),
        ("Unknown", "n3 on host3 (10.0.0.3:2113) is Unknown", "look into its log on host3"),
        ("ShuttingDown", "n3 on host3 (10.0.0.3:2113) is ShuttingDown", "look into its log on host3"),
    ],
)
def test_nodes_on_their_way(state, text, hint):
    words = cluster_of("Master", "Slave", state)
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert codes(facts) == {"not-in-sync"}
    assert problem(facts, "not-in-sync")["text"] == text
    assert hint in problem(facts, "not-in-sync")["hint"]
    assert (facts["has_quorum"], facts["can_lose"], facts["healthy"]) == (True, 0, False)


def test_more_nodes_than_cluster_size_stay_clones_and_have_a_vote():
    """A warm standby: seen to make two masters of one in each of five cuts."""
    words = cluster_of("Master", "Slave", "Slave", "Clone")
    facts = judge(*(node(number, words) for number in (1, 2, 3, 4)), size=3)
    assert (facts["has_quorum"], facts["healthy"], codes(facts)) == (True, False, {"cluster-size"})
    assert problem(facts, "cluster-size")["text"].startswith("4 nodes have a vote, but cluster_size is 3: cut in two")
    # Five of four cannot be cut so that both parts have three.
    five = cluster_of("Master", "Slave", "Slave", "Slave", "Clone")
    assert "cluster-size" not in codes(judge(*(node(number, five) for number in range(1, 6)), size=4))
    # Whether it was asked or only seen; but who is dead, or only reads, has none.
    assert "cluster-size" in codes(judge(*(node(number, words) for number in (1, 2, 3)), size=3))
    for last in ("Clone dead", "ReadOnlyReplica"):
        words = cluster_of("Master", "Slave", "Slave", last)
        assert "cluster-size" not in codes(judge(*(node(number, words) for number in (1, 2, 3)), size=3))


def test_an_election_that_misses_nodes():
    facts = judge(node(1, REFUSED), node(2, REFUSED), node(3, cluster_of("Master dead", "Slave dead", "PreReplica")))
    found = problem(facts, "no-master")
    assert found["text"] == "no node says that it is master: n3 is PreReplica"
    assert found["hint"].startswith("An election needs 2 nodes: bring back 1 more of n1 on host1 (10.0.0.1:2113), n2")


def test_an_election_under_way():
    words = cluster_of("Unknown", "Unknown", "Unknown")
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert "An election takes up to 15 s" in problem(facts, "no-master")["hint"]


def test_views_that_differ():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, cluster_of("Master", "Slave dead", "Slave")))
    assert problem(facts, "disagree")["text"] == (
        "the nodes do not agree on the states: n2 is Slave for n1, n2, dead or not listed for n3"
    )
    assert "up to 15 s" in problem(facts, "disagree")["hint"]


def test_managers_count_as_views():
    true = {**HEALTHY, "10.0.0.1/m": "Manager"}
    stale = {**cluster_of("Slave", "Master", "Slave"), "10.0.0.1/m": "Manager"}
    facts = judge(*(node(number, true) for number in (1, 2, 3)), manager(1, stale))
    assert (facts["has_quorum"], facts["agreed"]) == (True, False)
    assert problem(facts, "disagree")["text"] == "the nodes do not agree on the master (n1, n2, n3: n1; m1: n2)"


def test_texts_stay_short_in_a_large_cluster():
    words = cluster_of(*["Unknown"] * 60)
    facts = judge(*(node(number, {**words, "10.0.0.1": "Slave"}) for number in range(1, 61)), size=61)
    assert "and 50 more" in problem(facts, "no-master")["text"]
    assert all(len(each["text"] + each["hint"]) < 2000 for each in facts["problems"])


def test_all_rules_are_in_the_table():
    named = {
        value
        for name, value in vars(report).items()
        if getattr(value, "__annotations__", {}).get("return") == "t.Iterator[Finding]"
    }
    assert named == set(report.RULES)
