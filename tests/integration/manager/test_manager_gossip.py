# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manager answers, whom it believes, and how news reaches all machines."""

from __future__ import annotations

import contextlib
import http.server
import json
import signal
import threading

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer
from tests.integration.manager.machines import curl, eventually

FIELDS = [
    "instanceId", "timeStamp", "state", "isAlive", "internalTcpIp", "internalTcpPort",
    "internalSecureTcpPort", "externalTcpIp", "externalTcpPort", "externalSecureTcpPort",
    "internalHttpIp", "internalHttpPort",
    "externalHttpIp", "externalHttpPort", "lastCommitPosition", "writerCheckpoint", "chaserCheckpoint", "epochPosition",
    "epochNumber", "epochId", "nodePriority",
]  # fmt: skip
EMPTY_ID = "00000000-0000-0000-0000-000000000000"
JSON = ["-H", "Content-Type: application/json"]

# Source of the codes: a 3.4.0 node, measured; formats other than JSON are refused.
TEST_ANSWERS = [
    ("external", "/gossip", [], 200),
    ("external", "/gossip?format=json", [], 200),
    ("external", "/gossip", ["-H", "Accept: application/json"], 200),
    ("external", "/gossip", ["-H", "Accept: application/*"], 200),
    ("external", "/gossip", ["-H", "Accept:"], 200),
    ("external", "/gossip?format=json", ["-H", "Accept: text/html"], 200),
    ("external", "/gossip", ["-H", "Accept: text/html"], 406),
    ("external", "/gossip", ["-H", "Accept: image/png"], 406),
    ("external", "/gossip?format=xml", [], 406),
    ("external", "/ping", [], 200),
    ("internal", "/gossip", [], 200),
    ("internal", "/ping", [], 200),
    ("external", "/gossip/", [], 404),
    ("external", "/GOSSIP", [], 404),
    ("external", "/", [], 404),
    ("external", "/info", [], 404),
    ("external", "/../etc/passwd", ["--path-as-is"], 404),
    ("external", "/gossip", ["-I"], 405),
    ("external", "/gossip", ["-X", "PUT", "-d", "{}"], 405),
    ("external", "/gossip", ["-X", "DELETE"], 405),
    ("external", "/gossip", ["-X", "OPTIONS"], 200),
    ("internal", "/gossip", ["-X", "PUT", *JSON, "-d", "{}"], 405),
    ("external", "/ping", ["-X", "POST", *JSON, "-d", "{}"], 405),
    ("external", "/gossip", [*JSON, "-d", "@good"], 405),
    ("internal", "/gossip", [*JSON, "-d", "@good"], 200),
    ("internal", "/gossip", ["-H", "Content-Type: application/json; charset=utf-8", "-d", "@good"], 200),
    ("internal", "/gossip", [*JSON, "-H", "Expect: 100-continue", "-d", "@good"], 200),
    ("internal", "/gossip", ["-H", "Content-Type:", "-d", "@good"], 415),
    ("internal", "/gossip", ["-H", "Content-Type: text/plain", "-d", "@good"], 415),
    ("internal", "/gossip", ["-d", "@good"], 415),
    ("internal", "/gossip", [*JSON, "-d", ""], 400),
    ("internal", "/gossip", [*JSON, "-d", "junk"], 400),
    ("internal", "/gossip", [*JSON, "-d", "<h1>junk</h1>"], 400),
    ("internal", "/gossip", [*JSON, "-d", "[]"], 400),
    ("internal", "/gossip", [*JSON, "-d", '{"members": {}, "serverIp": "127.0.0.1", "serverPort": 1}'], 400),
    ("internal", "/gossip", [*JSON, "-d", "@deep"], 400),
    ("internal", "/gossip", [*JSON, "-d", "@many"], 400),
    ("internal", "/gossip", [*JSON, "-d", "@large"], 413),
    ("internal", "/gossip", [*JSON, "-H", "Transfer-Encoding: chunked", "-d", "@good"], 411),
    ("internal", "/gossip", [*JSON, "-H", f"X: {'x' * 9000}"], 431),
]

TEST_HOSTILE = [
    {"instanceId": "x"},
    {"instanceId": 5},
    {"epochId": None},
    {"timeStamp": "yesterday"},
    {"timeStamp": "2026-99-99T00:00:00Z"},
    {"state": "Emperor"},
    {"state": None},
    {"isAlive": "true"},
    {"isAlive": 1},
    {"internalHttpIp": "node2.example"},
    {"internalHttpIp": "127.0.0.1\r\nX: y"},
    {"internalHttpIp": "fe80::1%\r\nX: y"},
    {"externalHttpIp": "fe80::1%eth0"},
    {"state": "Master\r\nX: y"},
    {"instanceId": "c0c063f9-481d-41e2-aee3-309a9b61c87f\n"},
    {"externalTcpIp": ""},
    {"internalHttpPort": 0},
    {"internalHttpPort": 65536},
    {"internalHttpPort": "2112"},
    {"internalHttpPort": True},
    {"epochNumber": 2**31},
    {"writerCheckpoint": 2**63},
    {"writerCheckpoint": 1.5},
    {"nodePriority": None},
]


def member(ip, port=2112, **changes):
    """A database node as a 3.4.0 node says it."""
    return {
        "instanceId": "c0c063f9-481d-41e2-aee3-309a9b61c87f",
        "timeStamp": "2026-11-22T22:46:08.7874Z",
        "state": "Master",
        "isAlive": True,
        "internalTcpIp": ip,
        "internalTcpPort": 1112,
        "internalSecureTcpPort": 0,
        "externalTcpIp": ip,
        "externalTcpPort": 1113,
        "externalSecureTcpPort": 0,
        "internalHttpIp": ip,
        "internalHttpPort": port,
        "externalHttpIp": ip,
        "externalHttpPort": 2113,
        "lastCommitPosition": 1591,
        "writerCheckpoint": 17102,
        "chaserCheckpoint": 17102,
        "epochPosition": 1405,
        "epochNumber": 1,
        "epochId": "1d1ebd7c-12dc-412a-a5b2-aa387e00598c",
        "nodePriority": 0,
        **changes,
    }


def message(*members, ip="127.0.31.250", port=2112):
    return json.dumps({"members": members, "serverIp": ip, "serverPort": port})


@contextlib.contextmanager
def speaking(*members, ip="127.0.31.250", port=2112):
    """Somebody who answers gossip there, with these members."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = message(*members, ip=ip, port=port).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer((ip, port), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def post(machine, body):
    return curl(*JSON, "--data-binary", body, f"{machine.internal}/gossip")


@pytest.fixture
def relay(machine):
    machine.configure()
    machine.start()
    return machine


@pytest.fixture
def bodies(tmp_path):
    many = [member("127.0.31.250", port) for port in range(1, 1100)]
    for name, content in {
        "good": message(),
        "deep": "[" * 100_000,
        "many": json.dumps(json.loads(message(*many)), separators=(",", ":")),
        "large": " " * (1024 * 1024 + 1),
    }.items():
        (tmp_path / name).write_text(content)
    assert (tmp_path / "many").stat().st_size < 1024 * 1024
    return tmp_path


def test_a_manager_alone_answers_at_once_in_the_servers_format(relay):
    status, headers, body = curl(f"{relay.external}/gossip")
    assert status == 200
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["cache-control"] == "max-age=0, no-cache, must-revalidate"
    assert headers["vary"] == "accept"
    assert headers["access-control-allow-origin"] == "*"
    info = json.loads(body)
    assert list(info) == ["members", "serverIp", "serverPort"]
    assert (info["serverIp"], info["serverPort"]) == (relay.ip, 30777)
    (own,) = info["members"]
    assert list(own) == FIELDS
    assert own["state"] == "Manager"
    assert own["isAlive"] is True
    assert own["instanceId"] not in ("", EMPTY_ID)
    assert {own[name] for name in FIELDS if name.endswith("Ip")} == {relay.ip}
    assert own["internalTcpPort"] == own["internalHttpPort"] == 30777
    assert own["externalTcpPort"] == own["externalHttpPort"] == 30778
    assert {own[name] for name in FIELDS[14:19]} == {-1}
    assert (own["epochId"], own["nodePriority"], own["internalSecureTcpPort"]) == (EMPTY_ID, 0, 0)


def test_answers(relay, bodies):
    before = relay.gossip().keys()
    wrong = []
    for kind, path, arguments, expected in TEST_ANSWERS:
        given = [f"@{bodies}/{each[1:]}" if each.startswith("@") else each for each in arguments]
        came, headers, _body = curl(*given, f"{getattr(relay, kind)}{path}")
        if came != expected or (came == 405 and "allow" not in headers):
            wrong.append((kind, path, arguments, expected, came))
    assert wrong == []
    assert relay.gossip().keys() == before


def test_a_hostile_post_changes_nothing(relay):
    good = member("127.0.31.251")
    bad = [member("127.0.31.250", **{"epochNumber": 7, **changes}) for changes in TEST_HOSTILE]
    assert [post(relay, message(good, each))[0] for each in bad] == [400] * len(bad)
    assert list(relay.gossip()) == [f"{relay.ip}:30777"]
    with speaking(good, ip="127.0.31.251"):
        assert post(relay, message(good, ip="127.0.31.251"))[0] == 200
        eventually(lambda: "127.0.31.251:2112" in relay.gossip())


def test_nobody_tells_a_manager_who_it_is(relay):
    before = relay.gossip()[f"{relay.ip}:30777"]
    lie = member(relay.ip, 30777, isAlive=False, epochNumber=9, timeStamp="2099-01-01T00:00:00Z")
    assert post(relay, message(lie, ip=relay.ip, port=30777))[0] == 200
    after = relay.gossip()[f"{relay.ip}:30777"]
    assert {**after, "timeStamp": 0} == {**before, "timeStamp": 0}


def test_members_that_do_not_answer_are_dead_and_the_log_says_so_once(relay):
    with speaking(member("127.0.31.250")):
        assert post(relay, message(member("127.0.31.250")))[0] == 200
        relay.await_log("the master is now 127.0.31.250:2112; it was none")
    relay.await_log("database node 127.0.31.250:2112 is dead: http://127.0.31.250:2112/gossip: no answer")
    assert relay.gossip()["127.0.31.250:2112"]["isAlive"] is False
    log = relay.logged()
    assert "database node 127.0.31.250:2112 joined: says 127.0.31.250:2112" in log
    assert "there is no live master any more; it was 127.0.31.250:2112" in log
    assert log.count("is dead") == 1


def test_forged_members_are_not_listed_not_passed_on_and_not_back_after_a_restart(new_machine, tmp_path):
    one, other = new_machine(), new_machine()
    for machine, seed in ((one, other), (other, one)):
        machine.configure(GossipSeed=[f"{seed.ip}:30777"])
        machine.start()
    eventually(lambda: other.gossip()[f"{one.ip}:30777"]["instanceId"], lambda found: found != EMPTY_ID)
    keys = {f"{one.ip}:30777", f"{other.ip}:30777"}
    for time in ("9999-12-31T23:59:59Z", "2026-11-22T22:46:08Z"):
        forged = [member("127.0.31.250", 1000 + number, timeStamp=time) for number in range(900)]
        (tmp_path / "forged").write_text(json.dumps(json.loads(message(*forged)), separators=(",", ":")))
        assert post(one, f"@{tmp_path}/forged")[0] == 200
    lie = member(other.ip, 30777, state="Manager", isAlive=False, epochNumber=7, timeStamp="2026-11-29T00:00:00Z")
    assert post(one, message(lie))[0] == 200
    assert one.gossip().keys() == keys
    one.stop()
    one.start()
    eventually(lambda: other.gossip()[f"{one.ip}:30777"]["isAlive"])
    assert one.gossip().keys() == other.gossip().keys() == keys
    assert "127.0.31.250" not in one.logged() + other.logged()


def test_a_member_is_asked_when_others_say_something_else_of_it(relay):
    slave, master = member("127.0.31.251", state="Slave"), member("127.0.31.250", timeStamp="2026-11-22T22:46:09Z")
    with speaking(master), speaking(slave, ip="127.0.31.251"):
        for each in (master, slave):
            post(relay, message(each, ip=each["internalHttpIp"]))
        eventually(lambda: len(relay.gossip()) == 3)
        # What the winner of an election says of the others for a second (measured on 5.0.11), and old news.
        unknown = {**slave, "state": "Unknown", "timeStamp": "2026-11-22T22:46:10Z"}
        assert post(relay, message(master, unknown))[0] == 200
        old = {**master, "state": "Slave", "writerCheckpoint": 99999, "timeStamp": "2026-11-22T22:46:08Z"}
        assert post(relay, message(slave, old, ip="127.0.31.251"))[0] == 200
        states = {key: each["state"] for key, each in relay.gossip().items() if each["state"] != "Manager"}
        assert states == {"127.0.31.250:2112": "Master", "127.0.31.251:2112": "Slave"}


def test_managers_relay_what_nodes_say_to_all_machines(new_machine):
    first, second, third = machines = [new_machine() for _ in range(3)]
    for machine in machines:
        seeds = [f"{other.ip}:30777" for other in machines if other is not machine]
        machine.configure(GossipSeed=seeds)
        machine.launch()
    keys = {f"{machine.ip}:30777" for machine in machines}
    eventually(
        lambda: (
            [{key for key, each in machine.gossip().items() if each["instanceId"] != EMPTY_ID} for machine in machines]
            if all(curl(f"{machine.external}/ping")[0] == 200 for machine in machines)
            else []
        ),
        lambda views: views == [keys] * 3,
    )
    with speaking(member("127.0.31.250")):
        assert post(first, message(member("127.0.31.250")))[0] == 200
        eventually(lambda: ["127.0.31.250:2112" in machine.gossip() for machine in machines], all)
    third.stop(signal.SIGKILL)
    eventually(lambda: first.gossip()[f"{third.ip}:30777"]["isAlive"], lambda alive: not alive)
    eventually(lambda: second.gossip()[f"{third.ip}:30777"]["isAlive"], lambda alive: not alive)
    third.start()
    eventually(lambda: first.gossip()[f"{third.ip}:30777"]["isAlive"])


def test_a_name_is_asked_again_until_it_has_addresses(machine, new_machine):
    other = new_machine()
    other.configure()
    other.start()
    name = "cluster1.test"
    with DnsServer(Endpoint(machine.ip, 15353), {}) as server:
        machine.configure(DiscoverViaDns=True, ClusterDns=name, Nameservers=[f"{machine.ip}:15353"])
        machine.start()
        log = machine.await_log("the query is repeated every second")
        assert name in log
        assert curl(f"{machine.external}/gossip")[0] == 200
        server.set_records({name: [machine.ip, other.ip]})
        machine.await_log(f"{name} has the addresses {machine.ip}, {other.ip}")
        eventually(lambda: machine.gossip()[f"{other.ip}:30777"]["instanceId"], lambda found: found != EMPTY_ID)
        assert len(machine.gossip()) == 2
    assert machine.stop() == 0
