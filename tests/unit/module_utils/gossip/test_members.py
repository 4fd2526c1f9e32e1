# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo, Member

FIXTURES = Path(__file__).parents[2] / "fixtures" / "gossip"

# The 21 fields in the order of a real 3.4.0 node.
FIELDS = [
    "instanceId timeStamp state isAlive",
    "internalTcpIp internalTcpPort internalSecureTcpPort externalTcpIp externalTcpPort externalSecureTcpPort",
    "internalHttpIp internalHttpPort externalHttpIp externalHttpPort",
    "lastCommitPosition writerCheckpoint chaserCheckpoint epochPosition epochNumber epochId nodePriority",
]


def body_of(**changes: object) -> bytes:
    """A good answer with one member, some of whose fields are changed; ``...`` takes a field out."""
    data = json.loads((FIXTURES / "3.4-managers.json").read_text())
    data["members"] = data["members"][1:2]
    for place in (data, data["members"][0]):
        for name, value in changes.items():
            if name in place:
                place[name] = value
        for name in [name for name, value in place.items() if value is ...]:
            del place[name]
    return json.dumps(data).encode()


def real_answers() -> list[dict[str, object]]:
    frames = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.views.json"))]
    return [view["gossip"] for frame in frames for view in frame.values() if isinstance(view["gossip"], dict)]


def test_what_real_nodes_sent_is_read_and_written_back_alike():
    answers = real_answers()
    assert len(answers) > 10
    for answer in answers:
        info = members.parse(json.dumps(answer).encode(), where="here")
        assert json.dumps(members.render(info)) == json.dumps(answer)
        assert info.own is not None
        assert [info.server.host, info.server.port] == [answer["serverIp"], answer["serverPort"]]


def test_the_fields_are_those_of_the_server_in_its_order():
    info = members.parse((FIXTURES / "3.4-managers.json").read_bytes(), where="here")
    rendered = members.render(info)
    assert list(rendered) == ["members", "serverIp", "serverPort"]
    assert all(list(member) == " ".join(FIELDS).split() for member in rendered["members"])


@pytest.mark.parametrize(
    ("name", "internal", "external", "states", "version"),
    [
        ("20.10", "es1.example.net:2113", "es1.example.net:2113", "Leader ReadOnlyReplica Follower", ""),
        ("23.10", "es1.example.net:2113", "es1.example.net:2113", "Leader ReadOnlyReplica Follower", "23.10.6.0"),
        ("24.10", "es1.example.net:2113", "es1.example.net:2113", "Leader ReadOnlyReplica Follower", "24.10.4.0"),
        (
            "3.4-managers",
            "192.168.1.11:2112",
            "192.168.1.11:2113",
            "Manager Slave Manager Slave Manager Master",
            "",
        ),
    ],
)
def test_every_era_is_read(name, internal, external, states, version):
    info = members.parse((FIXTURES / f"{name}.json").read_bytes(), where="here")
    master = next(member for member in info.members if member.is_master)
    assert sorted(member.state for member in info.members) == sorted(states.split())
    assert (str(master.internal_http), str(master.external_http)) == (internal, external)
    assert master.es_version == version
    assert info.own is master
    assert [member.is_voting for member in info.members if member.is_read_only_replica] == (
        [False] if "ReadOnly" in states else []
    )


def test_internal_and_advertised_address_of_24_10_are_kept_apart():
    data = json.loads((FIXTURES / "24.10.json").read_text())
    data["members"][0].update(internalHttpEndPointIp="10.0.0.1", httpEndPointIp="es.example.org")
    data["members"][0].update(internalTcpIp=None, externalTcpIp=None)
    member = members.parse(json.dumps(data).encode(), where="here").members[0]
    assert member.internal_http == ("10.0.0.1", 2113)
    assert member.external_http == ("es.example.org", 2113)
    assert member.internal_tcp.host == ""


def test_a_seed_that_was_not_reached_is_told_from_a_manager():
    info = members.parse((FIXTURES / "3.4-unresolved-seed.json").read_bytes(), where="here")
    managers = [member for member in info.members if member.is_manager]
    assert {member.is_unresolved_seed for member in managers} == {True, False}
    assert all(member.is_alive and member.epoch_number == -1 for member in managers)


def test_a_manager_looks_as_the_servers_write_it():
    manager = Member.manager("id", "2026-11-22T22:46:08Z", Endpoint("10.0.0.1", 30777), Endpoint("10.0.0.2", 30778))
    rendered = members.render(ClusterInfo((manager,), manager.key))["members"][0]
    assert rendered == {
        "instanceId": "id",
        "timeStamp": "2026-11-22T22:46:08Z",
        "state": "Manager",
        "isAlive": True,
        "internalTcpIp": "10.0.0.1",
        "internalTcpPort": 30777,
        "internalSecureTcpPort": 0,
        "externalTcpIp": "10.0.0.2",
        "externalTcpPort": 30778,
        "externalSecureTcpPort": 0,
        "internalHttpIp": "10.0.0.1",
        "internalHttpPort": 30777,
        "externalHttpIp": "10.0.0.2",
        "externalHttpPort": 30778,
        "lastCommitPosition": -1,
        "writerCheckpoint": -1,
        "chaserCheckpoint": -1,
        "epochPosition": -1,
        "epochNumber": -1,
        "epochId": "00000000-0000-0000-0000-000000000000",
        "nodePriority": 0,
    }


@pytest.mark.parametrize(
    ("states", "master", "in_sync", "voting"),
    [
        ("Master Leader", True, True, True),
        ("Slave Follower", False, True, True),
        ("PreReplica CatchingUp Clone", False, False, True),
        ("Initializing DiscoverLeader Unknown PreMaster PreLeader ResigningLeader", False, False, True),
        ("ShuttingDown Shutdown", False, False, True),
        ("ReadOnlyReplica PreReadOnlyReplica ReadOnlyLeaderless Manager", False, False, False),
    ],
)
def test_what_each_state_means(states, master, in_sync, voting):
    for state in states.split():
        member = members.parse(body_of(state=state), where="here").members[0]
        assert (member.is_master, member.is_in_sync, member.is_voting) == (master, in_sync, voting)
        assert state in members.STATES


BAD = [
    (b"", "expected JSON, got 0 bytes"),
    (b"<!DOCTYPE html><title>Welcome</title>", "expected JSON, got HTML or XML"),
    (body_of()[:-40], "expected JSON, got"),
    (b"\xff\xfe{}", "expected JSON, got"),
    (b"[" * 100_000, "expected JSON, got"),
    (b"[]", "expected a JSON object, got []"),
    (b" " * (4 * 1024 * 1024 + 1), "expected at most 4194304 bytes, got 4194305"),
    (b'{"members": ' + b"9" * 5000 + b"}", "expected"),
    (b"{}", "expected the field members, but it is missing"),
    (body_of(members={}), "expected members to be a list, got {}"),
    (body_of(members=[7]), "member 1: expected an object, got 7"),
    (body_of(members=[{}] * 4097), "expected at most 4096 members, got 4097"),
    (body_of(serverIp=5), "expected serverIp to be a text, got 5"),
    (body_of(serverPort="2112"), 'expected serverPort to be an integer from 0 to 65535, got "2112"'),
    (body_of(state=7), "member 1: expected state to be a text, got 7"),
    (body_of(state=...), "member 1: expected the field state, but it is missing"),
    (body_of(isAlive="true"), 'member 1: expected isAlive to be true or false, got "true"'),
    (body_of(isAlive=1), "expected isAlive to be true or false, got 1"),
    (body_of(internalHttpPort=True), "expected internalHttpPort to be an integer from 0 to 65535, got true"),
    (body_of(internalHttpPort=65536), "expected internalHttpPort to be an integer from 0 to 65535"),
    (body_of(internalTcpPort=-1), "expected internalTcpPort to be an integer from 0 to 65535, got -1"),
    (body_of(writerCheckpoint=1.5), "expected writerCheckpoint to be an integer"),
    (body_of(writerCheckpoint=2**63), "expected writerCheckpoint to be an integer"),
    (body_of(epochNumber=2**31), "expected epochNumber to be an integer"),
    (
        body_of(timeStamp="yesterday"),
        'expected timeStamp to be a time (expected the form 2026-11-22T22:46:08.7874Z), got "y',
    ),
    (body_of(timeStamp="2026-13-22T22:46:08Z"), "expected timeStamp to be a time"),
    (body_of(internalHttpIp=...), "expected the field httpEndPointIp, but it is missing"),
    (body_of(epochId=None), "expected epochId to be a text, got null"),
    (body_of(state="x" * 500), "member 1: expected state to be a string in one line, at most 256 characters"),
    (body_of(state="Slave\r\nnode2 is dead"), r'a string in one line, at most 256 characters, got "Slave\r\nnode2'),
    (body_of(externalHttpIp="fe80::1%\x1b[31m"), "expected externalHttpIp to be a string in one line"),
]


@pytest.mark.parametrize(("body", "expected"), BAD)
def test_bad_answers_are_refused_with_place_and_value(body, expected):
    with pytest.raises(GossipError) as caught:
        members.parse(body, where="http://10.0.0.1:2113/gossip")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("http://10.0.0.1:2113/gossip")
    assert len(str(caught.value)) < 400


def test_one_endpoint_twice_is_refused():
    data = json.loads(body_of())
    data["members"] *= 2
    with pytest.raises(GossipError, match="two members have the same"):
        members.parse(json.dumps(data).encode(), where="here")


def test_what_servers_send_beside_the_json_does_no_harm():
    assert members.parse(b"\xef\xbb\xbf" + body_of(), where="here").members
    data = json.loads(body_of())
    data["members"][0]["newField"] = {"of": "a later version"}
    assert members.parse(json.dumps(data).encode(), where="here").members


IPS = st.ip_addresses().map(str)
PORTS = st.integers(0, 65535)
ENDPOINTS = st.builds(Endpoint, IPS, PORTS)
POSITIONS = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-(2**31), 2**31 - 1)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(
    lambda when: when.isoformat().rstrip("0").rstrip(".:") + "Z" if when.microsecond else f"{when.isoformat()}Z"
)
MEMBERS = st.builds(
    Member,
    instance_id=st.uuids().map(str),
    time_stamp=TIMES,
    state=st.sampled_from(sorted(members.STATES)),
    is_alive=st.booleans(),
    internal_tcp=ENDPOINTS,
    internal_secure_tcp_port=PORTS,
    external_tcp=ENDPOINTS,
    external_secure_tcp_port=PORTS,
    internal_http=ENDPOINTS,
    external_http=ENDPOINTS,
    last_commit_position=POSITIONS,
    writer_checkpoint=POSITIONS,
    chaser_checkpoint=POSITIONS,
    epoch_position=POSITIONS,
    epoch_number=SMALL,
    epoch_id=st.uuids().map(str),
    node_priority=SMALL,
    is_read_only_replica=st.just(False),
    es_version=st.just(""),
)


@given(st.lists(MEMBERS, max_size=4, unique_by=lambda member: member.key), ENDPOINTS)
def test_round_trip(listed, server):
    info = ClusterInfo(tuple(listed), server)
    assert members.parse(json.dumps(members.render(info)).encode(), where="here") == info


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_an_answer_or_a_gossip_error(body):
    with contextlib.suppress(GossipError):
        assert members.parse(body, where="here")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*" ".join(FIELDS).split(), "members", "serverIp", "serverPort"]), JSON)
def test_any_value_in_any_field_gives_an_answer_or_a_gossip_error(name, value):
    with contextlib.suppress(GossipError):
        assert members.parse(body_of(**{name: value}), where="here")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-02T00:00:01.5Z", 86401.5),
        ("2026-11-22T22:46:08.7874Z", datetime(2026, 11, 22, 22, 46, 8, 787400, timezone.utc).timestamp()),
        ("2026-11-22T22:46:08.1234567Z", datetime(2026, 11, 22, 22, 46, 8, 123456, timezone.utc).timestamp() + 7e-7),
    ],
)
def test_times(text, seconds):
    assert members.seconds(text) == pytest.approx(seconds, abs=1e-6)


def test_now_is_written_as_servers_write_it():
    before = datetime.now(timezone.utc).timestamp()
    text = members.utc_now()
    assert before - 1e-3 <= members.seconds(text) <= datetime.now(timezone.utc).timestamp() + 1e-3
    assert not text.endswith(("0Z", ".Z")) or "." not in text
