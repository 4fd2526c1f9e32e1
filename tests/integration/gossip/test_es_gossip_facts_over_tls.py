# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way over TLS: module and play, real sockets, scripted nodes with certificates made on the spot."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.doubles import certificates
from tests.doubles.gossip import picture
from tests.doubles.gossip.server import Act, ScriptedCluster
from tests.integration.gossip.test_es_gossip_facts import play, problems

WORDS = {"127.0.115.1": "Leader", "127.0.115.2": "Follower", "127.0.115.3": "Follower"}
SECRET = "a-secret-of-ops"  # noqa: S105


@pytest.fixture
def cluster() -> t.Iterator[ScriptedCluster]:
    with ScriptedCluster({"ops": SECRET}) as scripted:
        yield scripted


@pytest.fixture
def ca(tmp_path) -> str:
    path = tmp_path / "ca.crt"
    path.write_bytes(certificates.authority().certificate_pem)
    return str(path)


def serve(cluster: ScriptedCluster, pairs: dict[int, certificates.Pair] | None = None, **act: t.Any) -> None:
    """Three nodes; ``pairs``: certificates that are not the right ones."""
    for number in (1, 2, 3):
        ip = f"127.0.115.{number}"
        cluster.serve_tls(f"{ip}:2113", (pairs or {}).get(number) or certificates.leaf(ip))
        cluster.answer(f"{ip}:2113", "/gossip", Act(lambda ip=ip: picture.modern_body(ip, WORDS), **act))
        info = {"esVersion": "24.10.4", "state": WORDS[ip].lower()}
        cluster.answer(f"{ip}:2113", "/info", Act(json.dumps(info).encode()))


def args(ca: str, **more: t.Any) -> dict[str, t.Any]:
    endpoints = [f"{ip}:2113" for ip in WORDS]
    return {"endpoints": endpoints, "cluster_size": 3, "tls": {"ca": ca}, "timeout": 5.0, **more}


@pytest.mark.parametrize("place", ["controller", "target"])
def test_a_play_gets_a_healthy_cluster_and_its_certificates(cluster, ca, tmp_path, place):
    serve(cluster)
    done = play(tmp_path, args(ca, until="healthy", wait_timeout=10, **{"from": place}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "QUORUM True" in done.stdout


def test_the_module_returns_what_each_node_showed(cluster, ca, run_module):
    serve(cluster)
    facts = run_module("es_gossip_facts", args(ca))["ansible_facts"]["es_gossip"]
    assert facts["healthy"], facts["problems"]
    shown = [view["certificate"] for view in facts["views"]]
    assert [each["subject"] for each in shown] == ["CN=eventstoredb-node"] * 3
    assert [each["names"] for each in shown] == [["127.0.115.1"], ["127.0.115.2"], ["127.0.115.3"]]


def test_waiting_keeps_the_connections(cluster, ca, run_module):
    serve(cluster)
    run_module("es_gossip_facts", args(ca, until="steady", settle=0.5, wait_timeout=10))
    assert set(cluster.connections.values()) == {1}
    assert min(cluster.requests.values()) > 2


@pytest.mark.parametrize(
    ("pair", "code", "kind"),
    [
        ({"signer": certificates.authority("somebody else")}, "certificate-untrusted", "untrusted"),
        ({"begins_days": -9, "ends_days": -1}, "certificate-expired", "expired"),
        ({"begins_days": 1}, "certificate-not-yet-valid", "not_yet_valid"),
        ({"names": ["127.0.115.9"]}, "certificate-name", "wrong_name"),
    ],
)
def test_each_fault_of_a_certificate_is_named_with_node_subject_and_end(cluster, ca, run_module, pair, code, kind):
    bad = certificates.leaf(*pair.pop("names", ["127.0.115.3"]), **pair)
    serve(cluster, {3: bad})
    facts = run_module("es_gossip_facts", args(ca))["ansible_facts"]["es_gossip"]
    assert (facts["has_quorum"], facts["healthy"], facts["views"][2]["error"]) == (True, False, kind)
    text = problems(facts)[code]
    ends = facts["views"][2]["certificate"]["not_after"]
    assert text.startswith("127.0.115.3:2113 is not trusted, its certificate")
    assert "certificate CN=eventstoredb-node" in text
    assert f"to {ends}" in text


def test_tls_and_plain_http_are_told_apart(cluster, ca, run_module):
    serve(cluster)
    facts = run_module("es_gossip_facts", {**args(ca), "tls": None})["ansible_facts"]["es_gossip"]
    assert set(problems(facts)) == {"no-quorum", "tls-expected"}
    assert "Give tls with the authority (ca)" in problems(facts)["tls-expected"]


@pytest.mark.parametrize(
    ("password", "code"), [(SECRET, None), ("another-secret", "user-refused"), (None, "user-refused")]
)
def test_gossip_that_is_not_open_to_all(cluster, ca, run_module, password, code):
    serve(cluster, needs_user=True)
    user = {"user": "ops", "password": password} if password else {}
    result = run_module("es_gossip_facts", args(ca, **user))
    found = set(problems(result["ansible_facts"]["es_gossip"]))
    assert (code in found, "no-quorum" in found) == (bool(code), bool(code))
    assert "secret" not in json.dumps(result)


def test_a_password_is_in_no_output_of_a_play(cluster, ca, tmp_path):
    serve(cluster, needs_user=True)
    given = args(ca, user="ops", password=SECRET, until="healthy", wait_timeout=5)
    for more in ({}, {"from": "target"}, {"user": "wrong", "wait_timeout": 0.1}):
        done = play(tmp_path, {**given, **more}, "-vvv")
        assert (done.returncode == 0) == ("user" not in more), done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
