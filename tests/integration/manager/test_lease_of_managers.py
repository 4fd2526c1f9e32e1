# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease over HTTP: the built-in manager lends it on its internal port, a majority decides."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import threading

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import Member, utc_now
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import Handler, HttpServer, Response
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease import LeaseHeld
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease_client import LeaseClient
from es_manager.server import GossipServer
from es_manager.trust import Trust

IPS = ("127.0.93.1", "127.0.93.2", "127.0.93.3")
ALL = [Endpoint(ip, 30777) for ip in IPS]
JSON = ("-H", "Content-Type: application/json", "-d")


class Managers:
    """Servers of managers in a thread of their own; ``strangers`` answer 404, as what knows no leases does."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[GossipServer | HttpServer] = []

    def run(self, *ips: str, strangers: tuple[str, ...] = (), answers: dict[str, Handler] | None = None) -> None:
        for ip in ips:
            internal, external = Endpoint(ip, 30777), Endpoint(ip, 30778)
            own = Member.manager("c0c063f9-481d-41e2-aee3-309a9b61c87f", utc_now(), internal, external)
            membership = Membership(own, rng=random.Random(1), now=utc_now)
            self._servers.append(GossipServer(Trust(membership), internal=internal, external=external))
        handlers = {**dict.fromkeys(strangers, _not_found), **(answers or {})}
        self._servers += [HttpServer(Endpoint(ip, 30777), handler) for ip, handler in handlers.items()]
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(5)

    def end(self) -> None:
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _not_found(_request: object) -> Response:
    return Response(404)


@pytest.fixture
def managers():
    made = Managers()
    yield made
    made.end()


def curl(url: str, *arguments: str) -> tuple[int, str]:
    command = ["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *arguments, url]
    body, _newline, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
    return int(status), body


def owner_at(ip: str) -> str:
    status, body = curl(f"http://{ip}:30777/lease")
    assert status == 200
    return json.loads(body)["owner"]


def test_only_one_of_two_has_it_and_the_other_is_told_who(managers):
    managers.run(*IPS)
    alice, bob = (LeaseClient(ALL, name, cluster="c1") for name in ("alice@a:1:node1", "bob@b:2:node2"))
    assert alice.take(60)
    assert alice.take(90)
    with pytest.raises(
        LeaseHeld, match=r"alice@a:1:node1 has held it for 0 s; it expires in 90 s.*break_lease: 'alice@a"
    ):
        bob.take(60)
    alice.release()
    assert [owner_at(ip) for ip in IPS] == ["", "", ""]
    assert bob.take(60)


def test_it_is_broken_by_the_owner_s_name_only(managers):
    managers.run(*IPS)
    LeaseClient(ALL, "alice", cluster="c1").take(600)
    bob = LeaseClient(ALL, "bob", cluster="c1")
    bob.end("alicia")
    with pytest.raises(LeaseHeld):
        bob.take(60)
    bob.end("alice")
    assert bob.take(60)


def test_who_knows_the_owner_s_name_neither_ends_nor_takes_its_lease(managers):
    managers.run(*IPS)
    alice, double = (LeaseClient(ALL, "alice", cluster="c1") for _ in range(2))
    alice.take(600)
    double.release()
    assert curl(f"http://{IPS[0]}:30777/lease", *JSON, '{"owner": "alice", "seconds": 0}')[0] == 409
    assert [owner_at(ip) for ip in IPS] == ["alice"] * 3
    with pytest.raises(LeaseHeld, match="another stop is in progress: alice"):
        double.take(60)
    assert alice.renew(600)


def test_a_lease_that_was_lost_is_not_renewed_whoever_has_it_now(managers):
    managers.run(*IPS)
    alice, bob = (LeaseClient(ALL, name, cluster="c1") for name in ("alice", "bob"))
    assert alice.take(600)
    assert alice.renew(600)
    bob.end("alice")
    assert not alice.renew(600)
    assert bob.take(60)
    assert not alice.renew(600)
    bob.release()
    assert not alice.renew(600)
    assert [owner_at(ip) for ip in IPS] == ["", "", ""]


def test_it_is_renewed_while_a_majority_remembers_it(managers):
    managers.run(*IPS[:2])
    alice = LeaseClient(ALL, "alice", cluster="c1")
    alice.take(60)
    assert alice.renew(60)
    curl(f"http://{IPS[0]}:30777/lease", *JSON, '{"owner": "alice", "seconds": 0, "break": true}')
    assert not alice.renew(60)


def test_a_refusal_is_told_in_the_manager_s_own_words(managers):
    async def refuse(_request):
        return Response.of_text("10.0.0.9 is not permitted to use the lease", 403)

    managers.run(answers=dict.fromkeys(IPS, refuse))
    with pytest.raises(
        LeaseHeld, match=r"3 of 3 managers lend no lease: .*10\.0\.0\.9 is not permitted to use the lease"
    ):
        LeaseClient(ALL, "alice", cluster="c1").take(60)


def test_a_majority_is_enough_and_less_is_not(managers):
    managers.run(*IPS[:2])
    assert LeaseClient(ALL, "alice", cluster="c1").take(60)
    with pytest.raises(LeaseHeld, match="alice"):
        LeaseClient(ALL, "bob", cluster="c1").take(60)


def test_a_minority_of_managers_lends_nothing_that_stays(managers):
    managers.run(IPS[0])
    with pytest.raises(LeaseHeld, match=r"2 of 3 managers lend no lease.*127.0.93.[23]"):
        LeaseClient(ALL, "alice", cluster="c1").take(60)
    assert owner_at(IPS[0]) == ""


def test_managers_that_know_no_leases_are_told_apart_from_silent_ones(managers):
    managers.run(IPS[0], strangers=IPS[1:])
    assert not LeaseClient(ALL, "alice", cluster="c1").take(60)
    with pytest.raises(LeaseHeld, match="alice"):  # the one that knows them still has its say
        LeaseClient(ALL, "bob", cluster="c1").take(60)


@pytest.mark.parametrize(
    ("port", "arguments", "status"),
    [
        (30778, (), 404),  # nothing for clients
        (30777, ("-X", "DELETE"), 405),
        (30777, ("-d", '{"owner": "a", "seconds": 1}'), 415),  # what a form can send
        (30777, ("-H", "Content-Type: application/json", "-d", "{}"), 400),
        (30777, ("-H", "Content-Type: application/json", "-d", '{"owner": "a", "seconds": 99999}'), 400),
    ],
)
def test_what_is_refused(managers, port, arguments, status):
    managers.run(IPS[0])
    assert curl(f"http://{IPS[0]}:{port}/lease", *arguments)[0] == status
    assert owner_at(IPS[0]) == ""
