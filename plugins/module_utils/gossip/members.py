# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Members of a cluster: what ``GET /gossip`` says, in the wire format of every era, and what each state means.

Eras differ in the names of the HTTP endpoints: ``internalHttpIp`` (3.x-5.x), ``httpEndPointIp`` (20.10),
``internalHttpEndPointIp`` next to it (24.10). Only the first is ever written.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json

EMPTY_ID = "00000000-0000-0000-0000-000000000000"

# States in both vocabularies: 3.x-5.x say Master and Slave, 20.x and later Leader and Follower.
MANAGER = "Manager"
MASTERS = frozenset({"Master", "Leader"})
SLAVES = frozenset({"Slave", "Follower"})
JOINING = frozenset({"PreReplica", "CatchingUp", "Clone"})
READ_ONLY = frozenset({"PreReadOnlyReplica", "ReadOnlyReplica", "ReadOnlyLeaderless"})
SEEKING = frozenset({"Initializing", "DiscoverLeader", "Unknown"})  # may not have found its seeds yet
RESIGNING = "ResigningLeader"
NO_ROLE = SEEKING | {"PreMaster", "PreLeader", RESIGNING}
STOPPING = frozenset({"ShuttingDown", "Shutdown"})
STATES = frozenset({MANAGER}) | MASTERS | SLAVES | JOINING | READ_ONLY | NO_ROLE | STOPPING

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_MEMBERS = 4096
MAX_TEXT = 256


@dataclass(frozen=True)
class Member:
    """One entry of the gossip. ``time_stamp`` is kept as it came."""

    instance_id: str
    time_stamp: str
    state: str
    is_alive: bool
    internal_tcp: Endpoint
    internal_secure_tcp_port: int
    external_tcp: Endpoint
    external_secure_tcp_port: int
    internal_http: Endpoint
    external_http: Endpoint
    last_commit_position: int
    writer_checkpoint: int
    chaser_checkpoint: int
    epoch_position: int
    epoch_number: int
    epoch_id: str
    node_priority: int
    is_read_only_replica: bool = False
    es_version: str = ""

    @classmethod
    def manager(
        cls,
        instance_id: str,
        time_stamp: str,
        internal_http: Endpoint,
        external_http: Endpoint,
        is_alive: bool = True,
    ) -> Member:
        """A manager's entry, and a seed's: TCP endpoints repeat the HTTP ones, there are no positions."""
        return cls(
            instance_id=instance_id,
            time_stamp=time_stamp,
            state=MANAGER,
            is_alive=is_alive,
            internal_tcp=internal_http,
            internal_secure_tcp_port=0,
            external_tcp=external_http,
            external_secure_tcp_port=0,
            internal_http=internal_http,
            external_http=external_http,
            last_commit_position=-1,
            writer_checkpoint=-1,
            chaser_checkpoint=-1,
            epoch_position=-1,
            epoch_number=-1,
            epoch_id=EMPTY_ID,
            node_priority=0,
        )

    @property
    def key(self) -> Endpoint:
        """What servers tell members apart by; an instance id is new at every start."""
        return self.internal_http

    @property
    def hosts(self) -> frozenset[str]:
        """All addresses and names that it shows."""
        each = (self.internal_http, self.external_http, self.internal_tcp, self.external_tcp)
        return frozenset(endpoint.host for endpoint in each if endpoint.host)

    @property
    def is_manager(self) -> bool:
        """A manager, or a seed that has not answered yet.

        From 5.0.11 on the state does not tell: who wins an election calls all others Unknown until it has heard of them
        again. What tells is that their TCP endpoints repeat the HTTP ones, which no database node can listen on (all
        entries of 3.4.0 to 26.1 that were recorded).
        """
        return self.state == MANAGER or self.internal_tcp == self.internal_http

    @property
    def is_unresolved_seed(self) -> bool:
        """An address to gossip with, and no server: a zero id, whatever its state, dead or alive.

        In 3.x to 5.x it is a live manager until it answers. From 20.x on it stays for good beside the node at that
        address if the node advertises a name, and an election makes it Unknown (23.10.6 and 24.10.4).
        """
        return self.instance_id == EMPTY_ID

    @property
    def is_master(self) -> bool:
        return self.state in MASTERS

    @property
    def is_in_sync(self) -> bool:
        """A master, or a slave that acknowledges writes: what counts towards the quorum."""
        return self.state in MASTERS or self.state in SLAVES

    @property
    def is_voting(self) -> bool:
        """A database node that takes part in elections, in whatever state it is now."""
        return not (self.is_manager or self.is_read_only_replica or self.state in READ_ONLY)


@dataclass(frozen=True)
class ClusterInfo:
    """One answer. ``server`` is the answering node: its internal HTTP endpoint, its advertised one from 20.x on.

    ``is_modern``: the wire format is that of 20.x or later, in which nodes have one HTTP port and may have names.
    """

    members: tuple[Member, ...]
    server: Endpoint
    is_modern: bool = False

    @property
    def own(self) -> Member | None:
        """The entry of the answering node."""
        return next(
            (member for member in self.members if self.server in (member.internal_http, member.external_http)), None
        )


def parse(body: bytes, *, where: str) -> ClusterInfo:
    """Read an answer of any era; GossipError says what was expected and what came."""
    reader = _Reader(parse_object(body, where=where), where)
    entries = reader.items("members")
    if len(entries) > MAX_MEMBERS:
        raise GossipError(f"expected at most {MAX_MEMBERS} members, got {len(entries)}", where=where)
    members = tuple(_member(entry, f"{where}, member {number}") for number, entry in enumerate(entries, start=1))
    if len({member.key for member in members}) != len(members):
        raise GossipError("expected every internal HTTP endpoint once, but two members have the same", where=where)
    is_modern = bool(entries) and "internalHttpIp" not in entries[0]
    return ClusterInfo(members, reader.endpoint("server"), is_modern)


def parse_object(body: bytes, *, where: str) -> dict[str, t.Any]:
    """Read a JSON object; GossipError says what came in its place."""
    if len(body) > MAX_BODY_BYTES:
        raise GossipError(f"expected at most {MAX_BODY_BYTES} bytes, got {len(body)}", where=where)
    if body.lstrip()[:1] == b"<":
        raise GossipError(
            "expected JSON, got HTML or XML",
            where=where,
            hint="Something other than Event Store, or a proxy, answers there: check address and port",
        )
    try:
        data = parse_json(body)
    except FormatError as error:
        raise GossipError(f"expected JSON, got {len(body)} bytes that are none: {error}", where=where) from None
    if not isinstance(data, dict):
        raise GossipError(f"expected a JSON object, got {_shown(data)}", where=where)
    return data


def render(info: ClusterInfo) -> dict[str, t.Any]:
    """Give the 3.x-5.x wire form, in the servers' order of fields."""
    return {
        "members": [_render_member(member) for member in info.members],
        "serverIp": info.server.host,
        "serverPort": info.server.port,
    }


def utc_now() -> str:
    """Give the time as servers write it, without trailing zeros in the fraction."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"


def seconds(time_stamp: str) -> float:
    """Give the seconds since 1970 of a time in wire form; FormatError if it is none."""
    match = _TIME.match(time_stamp)
    if not match:
        raise FormatError("expected the form 2026-11-22T22:46:08.7874Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError as error:
        raise FormatError(str(error)) from None
    return whole.timestamp() + float(f"0.{match.group(7) or 0}")


_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?Z\Z", re.ASCII)


class _Reader:
    """Takes typed fields out of a JSON object, or says which one is wrong."""

    def __init__(self, data: dict[str, t.Any], where: str) -> None:
        self._data = data
        self._where = where

    def has(self, name: str) -> bool:
        return name in self._data

    def text(self, name: str) -> str:
        """It reaches logs and tables, so it is one line that can be printed."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text", value)
        if len(value) > MAX_TEXT or not value.isprintable():
            raise self._wrong(name, f"a string in one line, at most {MAX_TEXT} characters", value)
        return value

    def time(self, name: str) -> str:
        value = self.text(name)
        try:
            seconds(value)
        except ValueError as error:
            raise self._wrong(name, f"a time ({error})", value) from None
        return value

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def number(self, name: str, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(name, f"an integer from {low} to {high}", value)
        return value

    def port(self, name: str) -> int:
        return self.number(name, 0, 65535)

    def items(self, name: str) -> list[t.Any]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        return value

    def endpoint(self, prefix: str) -> Endpoint:
        return Endpoint(self.text(f"{prefix}Ip"), self.port(f"{prefix}Port"))

    def tcp_endpoint(self, prefix: str) -> Endpoint:
        """From 20.x on the address is null where TCP is off."""
        ip = "" if self._data.get(f"{prefix}Ip", "") is None else self.text(f"{prefix}Ip")
        return Endpoint(ip, self.port(f"{prefix}Port"))

    def _get(self, name: str) -> t.Any:
        try:
            return self._data[name]
        except KeyError:
            raise GossipError(f"expected the field {name}, but it is missing", where=self._where) from None

    def _wrong(self, name: str, expected: str, value: object) -> GossipError:
        return GossipError(f"expected {name} to be {expected}, got {_shown(value)}", where=self._where)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _member(entry: object, where: str) -> Member:
    if not isinstance(entry, dict):
        raise GossipError(f"expected an object, got {_shown(entry)}", where=where)
    reader = _Reader(entry, where)
    if reader.has("internalHttpIp"):  # 3.x-5.x
        internal_http, external_http = reader.endpoint("internalHttp"), reader.endpoint("externalHttp")
    else:
        external_http = reader.endpoint("httpEndPoint")
        has_internal = reader.has("internalHttpEndPointIp")  # 24.10
        internal_http = reader.endpoint("internalHttpEndPoint") if has_internal else external_http
    return Member(
        instance_id=reader.text("instanceId"),
        time_stamp=reader.time("timeStamp"),
        state=reader.text("state"),
        is_alive=reader.flag("isAlive"),
        internal_tcp=reader.tcp_endpoint("internalTcp"),
        internal_secure_tcp_port=reader.port("internalSecureTcpPort"),
        external_tcp=reader.tcp_endpoint("externalTcp"),
        external_secure_tcp_port=reader.port("externalSecureTcpPort"),
        internal_http=internal_http,
        external_http=external_http,
        last_commit_position=reader.number("lastCommitPosition"),
        writer_checkpoint=reader.number("writerCheckpoint"),
        chaser_checkpoint=reader.number("chaserCheckpoint"),
        epoch_position=reader.number("epochPosition"),
        epoch_number=reader.number("epochNumber", -(2**31), 2**31 - 1),
        epoch_id=reader.text("epochId"),
        node_priority=reader.number("nodePriority", -(2**31), 2**31 - 1),
        is_read_only_replica=reader.has("isReadOnlyReplica") and reader.flag("isReadOnlyReplica"),
        es_version=reader.text("esVersion") if reader.has("esVersion") else "",
    )


def _render_member(member: Member) -> dict[str, t.Any]:
    return {
        "instanceId": member.instance_id,
        "timeStamp": member.time_stamp,
        "state": member.state,
        "isAlive": member.is_alive,
        "internalTcpIp": member.internal_tcp.host,
        "internalTcpPort": member.internal_tcp.port,
        "internalSecureTcpPort": member.internal_secure_tcp_port,
        "externalTcpIp": member.external_tcp.host,
        "externalTcpPort": member.external_tcp.port,
        "externalSecureTcpPort": member.external_secure_tcp_port,
        "internalHttpIp": member.internal_http.host,
        "internalHttpPort": member.internal_http.port,
        "externalHttpIp": member.external_http.host,
        "externalHttpPort": member.external_http.port,
        "lastCommitPosition": member.last_commit_position,
        "writerCheckpoint": member.writer_checkpoint,
        "chaserCheckpoint": member.chaser_checkpoint,
        "epochPosition": member.epoch_position,
        "epochNumber": member.epoch_number,
        "epochId": member.epoch_id,
        "nodePriority": member.node_priority,
    }


__all__ = [
    "EMPTY_ID",
    "JOINING",
    "MANAGER",
    "MASTERS",
    "MAX_BODY_BYTES",
    "MAX_MEMBERS",
    "NO_ROLE",
    "READ_ONLY",
    "RESIGNING",
    "SEEKING",
    "SLAVES",
    "STATES",
    "STOPPING",
    "ClusterInfo",
    "Member",
    "parse",
    "parse_object",
    "render",
    "seconds",
    "utc_now",
]
