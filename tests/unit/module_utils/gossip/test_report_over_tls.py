# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of servers of 20.x and later: their certificates, users, replicas, and how the others see a node."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.certificate import Certificate
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import report, view
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep, tls
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Result
from tests.doubles.gossip import picture
from tests.doubles.gossip.answers import codes, info, judge, ok, problem, status

DAY_S = 24 * 3600
GOOD = Certificate("CN=eventstoredb-node", ("10.0.0.3",), 0, 2_000_000_000)
HEALTHY = {"10.0.0.1": "Leader", "10.0.0.2": "Follower", "10.0.0.3": "Follower"}


def gossip(number: int, words: t.Mapping[str, str], **rest: t.Any) -> Result:
    return dataclasses.replace(ok(picture.modern_body(f"10.0.0.{number}", words)), **rest)


def node(number: int, answer: Result | t.Mapping[str, str], state: Result | None = None) -> view.View:
    address = Endpoint(f"10.0.0.{number}", 2113)
    result = answer if isinstance(answer, Result) else gossip(number, answer)
    if not isinstance(answer, Result):
        state = state or info(answer[address.host].split()[0], "24.10.4")
    return view.read(view.Target(address, f"n{number}", f"host{number}", view.DATABASE), result, state)


def failed(kind: str, text: str = "why", certificate: Certificate | None = GOOD) -> Result:
    return Result(b"", kind, text, 0, 0.01, 0.0, certificate=certificate)


@pytest.mark.parametrize(
    ("kind", "code", "remedy"),
    [
        (tls.UNTRUSTED, "certificate-untrusted", "give host3 a certificate that it has signed, and reload"),
        (tls.WRONG_NAME, "certificate-name", "or give that one as server_name"),
        (tls.EXPIRED, "certificate-expired", "give host3 a new one and reload"),
        (tls.NOT_YET_VALID, "certificate-not-yet-valid", "Check the clocks of host3"),
        (tls.HANDSHAKE, "tls-handshake", "A key of 1024 bits or a SHA-1 signature"),
        (tls.PLAIN_HTTP, "plain-http", "leave tls out for a cluster without TLS"),
        (sweep.IS_TLS, "tls-expected", "Give tls with the authority (ca)"),
        (sweep.UNRESOLVED, "name-unresolved", "Correct the name"),
    ],
)
def test_each_reason_has_a_code_the_certificate_and_a_remedy(kind, code, remedy):
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, failed(kind), failed(kind)))
    found = problem(facts, code)
    assert found["text"].startswith("n3 on host3 (10.0.0.3:2113) ")
    assert ": why; it shows the certificate CN=eventstoredb-node, for 10.0.0.3, from 1970" in found["text"]
    assert "to 2033-05-18T03:33:20Z. Others list it as Follower, alive, by n1, n2" in found["text"]
    assert remedy in found["hint"]
    assert (facts["has_quorum"], facts["healthy"], facts["can_lose"]) == (True, False, 0)
    assert facts["views"][2]["certificate"] == {
        "subject": "CN=eventstoredb-node",
        "names": ["10.0.0.3"],
        "not_before": "1970-01-01T00:00:00Z",
        "not_after": "2033-05-18T03:33:20Z",
    }


def test_a_user_that_is_missing_or_wrong_is_told():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, status(401), info("follower")))
    assert "HTTP status 401" in problem(facts, "user-refused")["text"]
    assert "give user and password" in problem(facts, "user-refused")["hint"]


def test_gossip_that_is_switched_off_is_told():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, status(404), info("follower")))
    assert "set DisableGossipOnHttp: false" in problem(facts, "gossip-off")["hint"]


def test_a_stranger_that_knows_no_gossip_is_not_said_to_have_it_switched_off():
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), node(3, status(404), status(404)))
    assert codes(facts) == {"no-answer"}


def test_who_follows_in_its_own_word_and_is_dead_to_all_others_is_named():
    """Measured with a SAN that lacks the dialled address: its own gossip is perfect, as it dials the others itself."""
    others = {**HEALTHY, "10.0.0.3": "Follower dead"}
    own = node(3, gossip(3, HEALTHY, certificate=GOOD), info("Follower"))
    facts = judge(node(1, others), node(2, others), own)
    found = problem(facts, "dead-to-peers")
    assert found["text"].startswith(
        "n3 on host3 (10.0.0.3:2113) says that it is Follower, but is dead in the gossip of n1, n2: they cannot reach "
        "it at 10.0.0.3:2113; it shows the certificate CN=eventstoredb-node, for 10.0.0.3,"
    )
    assert "Check that its certificate carries 10.0.0.3" in found["hint"]
    assert (facts["has_quorum"], facts["healthy"], facts["can_lose"]) == (True, False, 0)
    assert "cut-off" not in codes(facts)


def test_who_sees_nobody_either_is_cut_off():
    own = {"10.0.0.1": "Leader dead", "10.0.0.2": "Follower dead", "10.0.0.3": "Follower"}
    others = {**HEALTHY, "10.0.0.3": "Follower dead"}
    facts = judge(node(1, others), node(2, others), node(3, own))
    assert "cut-off" in codes(facts)
    assert "dead-to-peers" not in codes(facts)


@pytest.mark.parametrize(
    ("days", "code", "healthy"),
    [
        (30.1, None, True),
        (29.9, "certificate-ends-soon", True),
        (7.1, "certificate-ends-soon", True),
        (6.9, "certificate-ends", False),
    ],
)
def test_the_end_of_a_certificate_is_advice_before_it_is_a_problem(days, code, healthy):
    answer = gossip(3, HEALTHY)
    ending = GOOD._replace(ends=int(answer.time + days * DAY_S))
    own = node(3, dataclasses.replace(answer, certificate=ending), info("Follower", "24.10.4"))
    facts = judge(node(1, HEALTHY), node(2, HEALTHY), own)
    assert (codes(facts), facts["healthy"]) == ({code} if code else set(), healthy)
    if code:
        assert f"{days:.1f} days left: the certificate CN=eventstoredb-node" in problem(facts, code)["text"]


def test_replicas_lag_apart_from_the_voters():
    far = picture.POSITION + report.ALLOWED_LAG_BYTES + 1
    words = {"10.0.0.1": f"Leader at={far}", "10.0.0.2": f"Follower at={far}", "10.0.0.3": f"Follower at={far}"}
    words["10.0.0.4"] = "ReadOnlyReplica"
    facts = judge(*(node(number, words) for number in (1, 2, 3, 4)))
    assert codes(facts) == {"replica-lagging"}
    assert (facts["healthy"], facts["can_lose"]) == (True, 1)


def test_a_replica_without_a_leader_is_told_while_there_is_one():
    words = {**HEALTHY, "10.0.0.4": "ReadOnlyLeaderless"}
    facts = judge(*(node(number, words) for number in (1, 2, 3, 4)))
    assert codes(facts) == {"replica-leaderless"}


def test_a_leader_that_resigns_is_no_fault():
    words = {**HEALTHY, "10.0.0.1": "ResigningLeader"}
    facts = judge(*(node(number, words) for number in (1, 2, 3)))
    assert problem(facts, "no-master")["hint"].startswith("n1 is resigning: the others elect another leader")


def test_a_version_that_a_node_does_not_know_is_none():
    answer = gossip(1, HEALTHY)
    unknown = dataclasses.replace(answer, body=answer.body.replace(b"24.10.4", b"unknown_version"))
    assert node(1, unknown).es_version == ""
    assert node(1, answer).es_version == "24.10.4"
