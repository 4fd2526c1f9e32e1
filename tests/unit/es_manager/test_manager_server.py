# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use the lease, and what is read of a request; the peer's address is given, so no network is needed."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import random

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import Request, Response
from es_manager import logs, trust
from es_manager.server import GossipServer
from es_manager.trust import Trust

NOW = "2026-11-28T12:00:00Z"
INTERNAL, EXTERNAL = Endpoint("192.0.2.1", 30777), Endpoint("192.0.2.1", 30778)
LENT, GUESSED = {"token": "a1"}, {"token": "a2"}
SEED, LISTED, STRANGER = "192.0.2.2", "203.0.113.7", "198.51.100.9"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> GossipServer:
    monkeypatch.setattr(trust, "_addresses_here", set)
    own = Member.manager("11111111-1111-1111-1111-111111111111", NOW, INTERNAL, EXTERNAL)
    membership = Membership(own, rng=random.Random(1), now=lambda: NOW)
    trusting = Trust(membership, listed=[ipaddress.ip_network("203.0.113.0/24")])
    trusting.found([Endpoint(SEED, 30777)])
    return GossipServer(trusting, internal=INTERNAL, external=EXTERNAL)


def ask(server: GossipServer, peer: str, method: str = "POST", **body: object) -> Response:
    request = Request(
        method,
        "/lease",
        {},
        {"content-type": "application/json"},
        json.dumps(body).encode(),
        Endpoint(peer, 50000),
        INTERNAL,
    )
    return asyncio.run(server._answer(request))


def test_a_stranger_neither_ends_nor_takes_nor_reads_a_lease(server: GossipServer) -> None:
    assert ask(server, SEED, owner="alice", seconds=600, **LENT).status == 200
    for body in ({"owner": "alice", "seconds": 0, "break": True}, {"owner": "bob", "seconds": 3600}, {}):
        refused = ask(server, STRANGER, **body)
        assert refused.status == 403
        assert STRANGER in refused.body.decode()
        assert "eventstore_environment: {EVENTSTORE_LEASE_CLIENTS: 198.51.100.9}" in refused.body.decode()
    assert ask(server, STRANGER, "GET").status == 403
    assert json.loads(ask(server, SEED, "GET").body)["owner"] == "alice"


@pytest.mark.parametrize("peer", [SEED, LISTED, "127.0.0.1", INTERNAL.host])
def test_only_the_owner_ends_a_lease_or_break_lease_from_a_machine(server: GossipServer, peer: str) -> None:
    assert ask(server, SEED, owner="alice", seconds=600, **LENT).status == 200
    assert ask(server, peer, owner="alice", seconds=0, **GUESSED).status == 409
    assert ask(server, peer, owner="alice", seconds=0, **{"break": True}).status == 200
    assert json.loads(ask(server, peer, "GET").body)["owner"] == ""


@pytest.mark.parametrize(
    ("method", "path", "local", "kind", "peer", "wanted"),
    [
        ("POST", "/gossip", INTERNAL, "application/json", STRANGER, True),
        ("POST", "/lease", INTERNAL, "application/json", SEED, True),
        ("POST", "/lease", INTERNAL, "application/json", STRANGER, False),
        ("POST", "/gossip", INTERNAL, "text/plain", SEED, False),
        ("GET", "/gossip", INTERNAL, "application/json", SEED, False),
        ("POST", "/ping", INTERNAL, "application/json", SEED, False),
        ("POST", "/gossip", EXTERNAL, "application/json", SEED, False),
        ("POST", "/lease", EXTERNAL, "application/json", SEED, False),
    ],
)
def test_a_body_is_read_only_where_one_is_wanted(
    server: GossipServer, method: str, path: str, local: Endpoint, kind: str, peer: str, wanted: bool
) -> None:
    request = Request(method, path, {}, {"content-type": kind}, b"", Endpoint(peer, 50000), local)
    assert server._wants_body(request) is wanted


def record(name: str, message: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, "", 0, message, (), None)


def test_what_strangers_cause_fills_no_log_and_what_happens_to_nodes_is_always_said() -> None:
    times = iter(range(10_000))
    bounded = logs.Bounded(clock=lambda: next(times) / 100)
    through = [bounded.filter(record(logs.NETWORK, "x")) for _line in range(1000)]
    assert through.count(True) == logs.LINES_A_MINUTE
    assert bounded.filter(record("es-manager", "node database ended"))
    while not bounded.filter(last := record("asyncio", "y")):
        pass
    assert last.getMessage().startswith("y (")


def test_a_log_line_is_one_line_without_escapes() -> None:
    line = logs.Plain().format(record("x", "fe80::1%\r\n2026-01-01 forged\x1b[31m"))
    assert line.endswith("fe80::1%??2026-01-01 forged?[31m")
