# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import typing as t
import uuid
import zipfile
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer

_spec = importlib.util.spec_from_file_location("lab_nodes", Path(__file__).with_name("nodes.py"))
if _spec is None or _spec.loader is None:
    raise ImportError("nodes.py is missing")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
ADMIN, Nodes, Writer, ask, until = _module.ADMIN, _module.Nodes, _module.Writer, _module.ask, _module.until

pytestmark = pytest.mark.slow
IPS = ("127.0.41.11", "127.0.41.12", "127.0.41.13")
ROOT = Path(__file__).resolve().parents[3]
MEMBER_FIELDS = [
    "instanceId",
    "timeStamp",
    "state",
    "isAlive",
    "internalTcpIp",
    "internalTcpPort",
    "internalSecureTcpPort",
    "externalTcpIp",
    "externalTcpPort",
    "externalSecureTcpPort",
    "internalHttpIp",
    "internalHttpPort",
    "externalHttpIp",
    "externalHttpPort",
    "lastCommitPosition",
    "writerCheckpoint",
    "chaserCheckpoint",
    "epochPosition",
    "epochNumber",
    "epochId",
    "nodePriority",
]


@pytest.fixture(scope="session")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it is delivered: built, unpacked."""
    directory = tmp_path_factory.mktemp("archive")
    subprocess.run([sys.executable, str(ROOT / "lab/build"), "--output", str(directory)], check=True, cwd="/")
    with zipfile.ZipFile(directory / "EventStore-Lab-v3.4.0.zip") as archive:
        archive.extractall(directory)
    path = directory / "EventStore-Lab-v3.4.0" / "eventstored"
    path.chmod(0o755)
    return path


@pytest.fixture
def nodes(executable: Path, tmp_path: Path) -> t.Iterator[t.Any]:
    nodes = Nodes(executable, tmp_path, IPS)
    try:
        yield nodes
    finally:
        nodes.close()


@pytest.fixture
def healthy(nodes: t.Any) -> t.Any:
    nodes.start(1, 2, 3)
    nodes.wait_healthy()
    return nodes


def slaves(nodes: t.Any) -> list[int]:
    return sorted(set(nodes.processes) - {nodes.master()})


def assert_nothing_lost(nodes: t.Any, acknowledged: list[str]) -> None:
    """Every node has every acknowledged event, once, and all have the same order."""
    master = nodes.read(nodes.master())
    assert len(set(master)) == len(master), "an event stands there twice"
    assert set(acknowledged) <= set(master)
    for number in nodes.processes:
        until(f"node {number} has what the master has", lambda number=number: nodes.read(number) == master)


def test_a_cluster_forms_and_answers_as_measured(nodes: t.Any) -> None:
    nodes.start(1, 2, 3)
    took = nodes.wait_healthy()
    assert took < 7
    gossip = ask(IPS[0], "/gossip")
    assert [list(member) for member in gossip.json()["members"]] == [MEMBER_FIELDS] * 3
    assert (gossip.json()["serverIp"], gossip.json()["serverPort"]) == (IPS[0], 2112)
    assert gossip.headers["content-type"] == "application/json; charset=utf-8"
    assert sorted(nodes.info(n) for n in (1, 2, 3)) == ["master", "slave", "slave"]
    for port, method, headers, body, status in [
        (2112, "GET", {}, None, 200),
        (2113, "POST", {"Content-Type": "application/json"}, b"{}", 405),
        (2112, "POST", {}, b"{}", 415),
        (2112, "POST", {"Content-Type": "application/json"}, b"{}", 200),
        (2112, "POST", {"Content-Type": "application/json"}, b"<html>", 400),
        (2113, "HEAD", {}, None, 405),
        (2113, "PUT", {}, b"", 405),
        (2113, "DELETE", {}, None, 405),
        (2113, "OPTIONS", {}, None, 200),
        (2113, "GET", {"Accept": "text/html"}, None, 406),
        (2113, "GET", {"Accept": "image/png, application/json;q=0.5"}, None, 406),
        (2113, "GET", {"Accept": "*/*"}, None, 200),
        (2113, "GET", {"Host": "node1:2113"}, None, 400),
    ]:
        got = ask(IPS[0], "/gossip", method=method, port=port, headers=headers, body=body)
        assert got.status == status, (port, method, headers, body)
    for path, status in [
        ("/gossip/", 404),
        ("/GOSSIP", 404),
        ("/gossip?format=atom", 406),
        ("/gossip?format=foo", 500),
        ("/gossip?format=", 500),
        ("/gossip?format=json", 200),
        ("/ping", 200),
        ("/stats", 200),
        ("/info/options", 401),
        ("/streams/none", 404),
        ("/", 302),
        ("/admin/shutdown", 405),
        ("/lab/raft", 404),
    ]:
        assert ask(IPS[0], path).status == status, path
    xml = ask(IPS[0], "/gossip?format=xml").body
    assert xml.count(b"<IsAlive>true</IsAlive>") == 3
    assert b"<ClusterInfoDto>" in xml
    options = {o["name"]: o["value"] for o in ask(IPS[0], "/info/options", headers=ADMIN).json()}
    assert options["ClusterSize"] == "3"
    assert options["DiscoverViaDns"] == "False"
    assert options["GossipSeed"] == "".join(f"{ip}:2112" for ip in IPS)
    assert "stand-in" in nodes.output(1).read_text().splitlines()[0]
    log = nodes.directory / "1" / "log" / f"{datetime.now(timezone.utc):%Y-%m-%d}" / f"{IPS[0]}-2113-cluster-node.log"
    assert "stand-in" in log.read_text().splitlines()[0]


def test_writes_are_acknowledged_forwarded_and_written_once(healthy: t.Any) -> None:
    master, slave = healthy.master(), slaves(healthy)[0]
    event_id = str(uuid.uuid4())
    first = healthy.write(master, event_id)
    assert (first.status, first.headers["location"]) == (201, f"http://{IPS[master - 1]}:2113/streams/test/0")
    again = healthy.write(slave, event_id)
    assert (again.status, again.headers["location"]) == (201, f"http://{IPS[master - 1]}:2112/streams/test/0")
    sent_on = healthy.write(slave, event_id, ES_RequireMaster="True")
    assert (sent_on.status, sent_on.headers["location"]) == (307, f"http://{IPS[master - 1]}:2113/streams/test")
    assert healthy.read(master) == [event_id]
    assert ask(IPS[master - 1], "/streams/test/0").json()["data"] == {"id": event_id}
    assert ask(IPS[master - 1], "/streams/test/1").status == 404
    for body, kind, status in [
        (b"[]", "application/vnd.eventstore.events+json", 400),
        (b"{", "application/vnd.eventstore.events+json", 400),
        (b'[{"eventType":"x","eventId":"7"}]', "application/vnd.eventstore.events+json", 400),
        (b"[]", "application/json", 415),
        (b"x" * 5_000_000, "application/vnd.eventstore.events+json", 413),
    ]:
        try:
            got = ask(IPS[0], "/streams/x", method="POST", body=body, headers={"Content-Type": kind}).status
        except (BrokenPipeError, ConnectionResetError):
            got = 413  # the server does not read the rest
        assert got == status, (body[:20], kind)
    written = healthy.data(master).joinpath("writer.chk").read_bytes()
    own = healthy.gossip(master)[f"{IPS[master - 1]}:2112"]
    assert own["writerCheckpoint"] == own["chaserCheckpoint"] == struct.unpack("<q", written)[0]
    assert own["writerCheckpoint"] == healthy.data(master).joinpath("events.log").stat().st_size
    assert 0 < own["lastCommitPosition"] < own["writerCheckpoint"]


def listed(cluster: t.Any, where: int, who: int) -> tuple[str, bool]:
    entry = cluster.gossip(where)[f"{IPS[who - 1]}:2112"]
    return entry["state"], entry["isAlive"]


def test_a_killed_master_loses_no_acknowledged_append(healthy: t.Any) -> None:
    with Writer(healthy) as writer:
        for _round in range(2):
            writer.wait_for_more(50)
            old = healthy.master()
            healthy.kill(old)
            assert writer.wait_for_more(20) < 2.9, "a broken connection must be enough, without the 3 s of silence"
            survivor = next(iter(healthy.processes))
            # Another survivor's older word may say once more that it is alive (measured: "false->true->false").
            until(
                "the dead master stays listed as one",
                lambda at=survivor, who=old: listed(healthy, at, who) == ("Master", False),
                3,
            )
            healthy.start(old)
            healthy.wait_healthy()
        writer.wait_for_more(20)
    assert_nothing_lost(healthy, writer.acknowledged)


def test_a_master_that_loses_both_slaves_acknowledges_nothing_and_turns_unknown(healthy: t.Any) -> None:
    master = healthy.master()
    healthy.kill(*slaves(healthy))
    lonely = str(uuid.uuid4())
    answer = healthy.write(master, lonely)
    assert (answer.status, answer.body) == (500, b"Write timeout")
    until("it turns unknown", lambda: healthy.info(master) == "unknown", 30)
    answer = healthy.write(master, str(uuid.uuid4()))
    assert (answer.status, answer.body) == (503, b"Server Is Not Ready")
    assert ask(IPS[master - 1], "/streams/test").status in (200, 404)
    second = next(n for n in (1, 2, 3) if n != master)
    healthy.start(second)
    healthy.wait_healthy("Master", "Slave")
    assert healthy.write(second, str(uuid.uuid4())).status == 201


def test_a_slave_left_alone_names_the_lost_master(healthy: t.Any) -> None:
    master = healthy.master()
    other, left = slaves(healthy)
    healthy.kill(other)
    healthy.kill(master)
    until("it waits", lambda: healthy.info(left) == "prereplica", 30)
    answer = healthy.write(left, str(uuid.uuid4()))
    assert (answer.status, answer.body) == (500, b"Error while forwarding request")
    answer = healthy.write(left, str(uuid.uuid4()), ES_RequireMaster="True")
    assert (answer.status, answer.headers["location"]) == (307, f"http://{IPS[master - 1]}:2113/streams/test")


def test_a_frozen_master_is_replaced_and_comes_back_as_slave(healthy: t.Any) -> None:
    old = healthy.master()
    with Writer(healthy) as writer:
        writer.wait_for_more(10)
        healthy.signal(old, signal.SIGSTOP)
        left = [n for n in (1, 2, 3) if n != old]
        until("another is master", lambda: "master" in [healthy.info(n) for n in left], 30)
        key = f"{IPS[old - 1]}:2112"
        until("it is seen dead", lambda: not any(healthy.gossip(n)[key]["isAlive"] for n in left), 30)
        healthy.signal(old, signal.SIGCONT)
        healthy.wait_healthy()
        assert healthy.info(old) == "slave"
        writer.wait_for_more(10)
    assert_nothing_lost(healthy, writer.acknowledged)


def test_all_killed_at_once_lose_nothing(healthy: t.Any) -> None:
    with Writer(healthy) as writer:
        writer.wait_for_more(100)
        master = healthy.master()
        healthy.kill(1, 2, 3)
        acknowledged = set(writer.acknowledged)
        healthy.start(master)
        until("the old master serves what it had committed", lambda: acknowledged <= set(healthy.read(master)))
        healthy.start(*{1, 2, 3} - {master})
        healthy.wait_healthy()
        writer.wait_for_more(10)
    assert_nothing_lost(healthy, writer.acknowledged)


def test_an_emptied_node_gets_everything_anew(healthy: t.Any) -> None:
    number = slaves(healthy)[0]
    ids = [str(uuid.uuid4()) for _ in range(20)]
    assert {healthy.write(1, event_id).status for event_id in ids} == {201}
    healthy.kill(number)
    for path in healthy.data(number).iterdir():
        path.unlink()
    healthy.start(number)
    healthy.wait_healthy()
    assert healthy.read(number) == ids


def test_a_torn_write_is_cut_and_damage_refuses_the_start(healthy: t.Any) -> None:
    number = slaves(healthy)[0]
    event_id = str(uuid.uuid4())
    healthy.write(1, event_id)
    until("it has the event", lambda: healthy.read(number) == [event_id])
    healthy.kill(number)
    log = healthy.data(number) / "events.log"
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:37])
    healthy.start(number)
    healthy.wait_healthy()
    assert "cut off 37 bytes" in healthy.output(number).read_text()
    healthy.kill(number)
    whole = log.read_bytes()
    log.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    healthy.start(number)
    assert healthy.processes.pop(number).wait(30) == 1
    text = healthy.output(number).read_text()
    assert f"{log}: the payload's checksum is wrong, at byte 0 of {len(whole)}" in text


def test_a_surplus_node_is_a_clone(healthy: t.Any) -> None:
    healthy.ips[4] = "127.0.41.14"
    healthy.start(4)
    healthy.wait_healthy("Clone", "Master", "Slave", "Slave")
    healthy.kill(*slaves(healthy)[:2])
    assert healthy.info(4) == "clone"
    answer = healthy.write(4, str(uuid.uuid4()))
    assert answer.status == 500, "a clone must not count towards the majority"


class Relay(BaseHTTPRequestHandler):
    """A minimal manager: keeps the latest entry of everybody, and tells it to whoever comes."""

    members: t.ClassVar[dict[tuple[str, int], dict[str, t.Any]]] = {}
    posts: t.ClassVar[list[dict[str, t.Any]]] = []

    def log_message(self, *_unused: object) -> None:
        pass

    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posts.append(data)
        ip, port = self.server.server_address[:2]
        for member in data["members"]:
            key = (member["internalHttpIp"], member["internalHttpPort"])
            known = self.members.get(key)
            newer = known is None or member["timeStamp"] > known["timeStamp"]
            if key != (ip, port) and (newer or key == (data["serverIp"], data["serverPort"])):
                self.members[key] = member
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        zero = str(uuid.UUID(int=0))
        own = dict.fromkeys(MEMBER_FIELDS, -1)
        own |= {"instanceId": str(uuid.UUID(int=7)), "timeStamp": now, "state": "Manager", "isAlive": True}
        own |= {name: ip for name in MEMBER_FIELDS if name.endswith("Ip")}
        own |= {name: port for name in MEMBER_FIELDS if name.endswith("Port")}
        own |= {"epochId": zero, "nodePriority": 0, "internalSecureTcpPort": 0, "externalSecureTcpPort": 0}
        body = json.dumps({"members": [own, *self.members.values()], "serverIp": ip, "serverPort": port}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_nodes_that_know_only_a_manager_find_each_other(nodes: t.Any) -> None:
    relay = ThreadingHTTPServer(("127.0.41.10", 30777), Relay)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    try:
        nodes.options["GossipSeed"] = ["127.0.41.10:30777"]
        nodes.start(1, 2, 3)
        nodes.wait_healthy()
        members = nodes.gossip(1)
        assert len(members) == 4
        assert members["127.0.41.10:30777"]["state"] == "Manager"
        assert members["127.0.41.10:30777"]["instanceId"] == str(uuid.UUID(int=7))
        assert list(Relay.posts[-1]["members"][0]) == MEMBER_FIELDS
    finally:
        relay.shutdown()
        relay.server_close()
    until("the manager is seen dead", lambda: not nodes.gossip(1)["127.0.41.10:30777"]["isAlive"])
    nodes.wait_healthy()


def test_gossip_is_silent_until_the_name_resolves(nodes: t.Any) -> None:
    name = "cluster.lab-test.local"
    with DnsServer(Endpoint("127.0.41.10", 15353), {}) as server:
        nodes.environment["EVENTSTORE_NAMESERVERS"] = "127.0.41.10:15353"
        nodes.options |= {"DiscoverViaDns": "true", "ClusterDns": name, "ClusterGossipPort": 2112}
        nodes.start(1, 2, 3)
        until("it is up", lambda: nodes.info(1) == "unknown")
        with pytest.raises(socket.timeout):
            ask(IPS[0], "/gossip", timeout_s=1)
        assert f"Could not resolve host '{name}'" in nodes.output(1).read_text()
        server.set_records({name: IPS})
        nodes.wait_healthy()


def test_a_taken_port_is_said_and_the_process_stays_and_answers_nothing(nodes: t.Any) -> None:
    for option, said in [
        ("ExtTcpPort", "Address already in use"),
        ("IntHttpPort", f"HTTP async server failed to start listening at [http://{IPS[0]}:14199/]."),
    ]:
        with socket.create_server((IPS[0], 14199)):
            nodes.start(1, **{option: 14199})
            until("it says so", lambda said=said: said in nodes.output(1).read_text())
            assert "Exiting with exit code: 1." in nodes.output(1).read_text()
            with pytest.raises(OSError, match="refused"):
                ask(IPS[0], "/info")
            with pytest.raises(subprocess.TimeoutExpired):
                nodes.processes[1].wait(0.7)
        nodes.kill(1)
    nodes.start(1, ExtIp="192.0.2.7")
    until("it says so", lambda: "The requested address is not valid in this context" in nodes.output(1).read_text())
    assert nodes.processes[1].poll() is None


def test_prefixes_say_where_it_listens_and_to_which_hosts_it_answers(nodes: t.Any) -> None:
    nodes.start(
        1, ExtHttpPrefixes=["http://es.example:2115/"], IntHttpPrefixes=["http://*:2116/"], AddInterfacePrefixes=False
    )
    until("it listens", lambda: ask(IPS[0], "/info", port=2115, headers={"Host": "es.example"}).status == 200)
    assert ask(IPS[0], "/info", port=2115).status == 400
    assert ask(IPS[0], "/info", port=2116, headers={"Host": "anything"}).status == 200
    for port in (2112, 2113):
        with pytest.raises(OSError, match="refused"):
            ask(IPS[0], "/info", port=port)
    nodes.kill(1)
    # KurrentDB#790: where one side is 0.0.0.0, only that one gets a prefix of its own
    nodes.start(1, ExtIp="0.0.0.0")
    until("it listens", lambda: ask(IPS[0], "/info", headers={"Host": "anything"}).status == 200)
    with pytest.raises(OSError, match="refused"):
        ask(IPS[0], "/info", port=2112)
    nodes.kill(1)
    nodes.start(1, ExtHttpPrefixes=["http://*:2113"])
    until("it has ended", lambda: nodes.processes[1].poll() is not None)
    assert "has what the server crashes on: 'http://*:2113': it has to end in /" in nodes.output(1).read_text()


def test_a_single_node_is_master_and_has_no_gossip(nodes: t.Any) -> None:
    nodes.start(1, ClusterSize=1)
    until("it is master", lambda: nodes.info(1) == "master")
    for port in (1112, 2112):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((IPS[0], port), timeout=1)
    with pytest.raises(socket.timeout):
        ask(IPS[0], "/gossip", timeout_s=1)
    assert nodes.write(1, str(uuid.uuid4())).status == 201
    assert ask(IPS[0], "/admin/shutdown", method="POST", body=b"").status == 401
    assert ask(IPS[0], "/admin/shutdown", method="POST", body=b"", headers=ADMIN).status == 200
    assert nodes.processes.pop(1).wait(30) == 0
    assert "Exit reason: Shutdown and exit from process was requested." in nodes.output(1).read_text()


def test_sigterm_ends_it_at_once(nodes: t.Any) -> None:
    nodes.start(1, ClusterSize=1)
    until("it is master", lambda: nodes.info(1) == "master")
    nodes.signal(1, signal.SIGTERM)
    assert nodes.processes.pop(1).wait(30) == -signal.SIGTERM


def test_a_node_that_never_formed_a_cluster_takes_no_writes_and_knows_no_users(nodes: t.Any) -> None:
    nodes.start(1)
    until("it is up", lambda: nodes.info(1) == "unknown")
    assert nodes.write(1, str(uuid.uuid4())).status == 503
    assert ask(IPS[0], "/info/options", headers=ADMIN).status == 401
    (own,) = [m for m in nodes.gossip(1).values() if m["state"] == "Unknown"]
    assert (own["epochNumber"], own["lastCommitPosition"], own["writerCheckpoint"]) == (-1, -1, 0)
    zero = str(uuid.UUID(int=0))
    until(
        "its seeds are dead managers without an id",
        lambda: (
            [(m["isAlive"], m["instanceId"]) for m in nodes.gossip(1).values() if m["state"] == "Manager"]
            == [(False, zero)] * 2
        ),
    )


@pytest.mark.parametrize(
    ("arguments", "stdout", "stderr", "code"),
    [
        (["--version"], "EventStore version 3.4.0.0", "", 0),
        (["--help"], "--cluster-size", "", 0),
        (["--what-if", "--cluster-size", "3"], "\tCLUSTER SIZE:             3 (Command Line)", "", 0),
        (["--clustr-size", "3"], "", "Error while parsing options:", 0),
        (["--config", "/nowhere.yaml"], "", "The specified config file /nowhere.yaml could not be found", 0),
        (["--db", "/proc/x", "--log", "/proc/y"], "Exiting with exit code: 1.", "", 1),
    ],
)
def test_the_command_line(executable: Path, arguments: list[str], stdout: str, stderr: str, code: int) -> None:
    done = subprocess.run([str(executable), *arguments], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == code
    assert stdout in done.stdout
    assert stderr in done.stderr
    assert bool(done.stdout) == bool(stdout)
