# SPDX-License-Identifier: GPL-3.0-or-later
"""Gossip in few words: ``{"127.0.51.1": "Master", "127.0.51.2": "Slave dead"}`` to what a server would answer."""

from __future__ import annotations

import json
import typing as t
import uuid
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo, Member

INTERNAL_PORT, EXTERNAL_PORT = 2112, 2113
MANAGER_PORTS = (30777, 30778)
EPOCH_ID = "1d1ebd7c-12dc-412a-a5b2-aa387e00598c"
POSITION = 17102


def time_stamp(skew_s: float = 0.0) -> str:
    """Now in wire form, on a clock that is wrong by ``skew_s``."""
    when = datetime.now(timezone.utc) + timedelta(seconds=skew_s)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def member(ip: str, words: str, *, skew_s: float = 0.0) -> Member:
    """A member from a state and any of ``dead``, ``port=2112``, ``at=17102`` (position), ``epoch=1``, ``start=1`` (how
    often its process was started), ``seed`` (not reached), and ``manager`` (whatever its state).
    """
    state, *rest = words.split()
    options = dict(word.partition("=")[::2] for word in rest)
    alive, stamp = "dead" not in options, time_stamp(skew_s)
    if state == members.MANAGER or {"seed", "manager"} & set(options):
        # A seed has one port only, and is entered with it four times.
        internal, external = (int(options["port"]),) * 2 if "port" in options else MANAGER_PORTS
        instance = members.EMPTY_ID if "seed" in options else _instance_id(ip, "manager")
        manager = Member.manager(instance, stamp, Endpoint(ip, internal), Endpoint(ip, external), alive)
        return replace(manager, state=state)
    position = int(options.get("at", POSITION))
    return Member(
        instance_id=_instance_id(ip, f"database {options.get('start', 1)}"),
        time_stamp=stamp,
        state=state,
        is_alive=alive,
        internal_tcp=Endpoint(ip, 1112),
        internal_secure_tcp_port=0,
        external_tcp=Endpoint(ip, 1113),
        external_secure_tcp_port=0,
        internal_http=Endpoint(ip, int(options.get("port", INTERNAL_PORT))),
        external_http=Endpoint(ip, int(options.get("port", INTERNAL_PORT)) + 1),
        last_commit_position=position,
        writer_checkpoint=position,
        chaser_checkpoint=position,
        epoch_position=0,
        epoch_number=int(options.get("epoch", 1)),
        epoch_id=EPOCH_ID,
        node_priority=0,
    )


def picture(server: str, words: t.Mapping[str, str], *, skew_s: float = 0.0) -> ClusterInfo:
    """What the server at the internal HTTP address ``server`` (``IP:PORT``) says. Keys may carry a ``/`` and anything,
    so that a manager and a node of one machine both fit in: ``127.0.51.1/manager``.
    """
    own = Endpoint.parse(server)
    listed = [member(key.partition("/")[0], text) for key, text in words.items()]
    return ClusterInfo(
        tuple(replace(each, time_stamp=time_stamp(skew_s)) if each.key == own else each for each in listed), own
    )


def body(info: ClusterInfo) -> bytes:
    """The answer to ``GET /gossip``."""
    return json.dumps(members.render(info), indent=2).encode()


def modern_body(ip: str, words: t.Mapping[str, str]) -> bytes:
    """What the node at ``ip`` answers in the wire form of 24.10: one HTTP port, 2113, and no managers."""
    said = picture(f"{ip}:2113", {each: f"{text} port=2113" for each, text in words.items()})
    rendered = members.render(said)
    for fields, each in zip(rendered["members"], said.members):
        for name in ("internalHttp", "externalHttp"):
            del fields[f"{name}Ip"], fields[f"{name}Port"]
        for name in ("internalHttpEndPoint", "httpEndPoint"):
            fields |= {f"{name}Ip": each.internal_http.host, f"{name}Port": each.internal_http.port}
        fields |= {"isReadOnlyReplica": "ReadOnly" in each.state, "esVersion": "24.10.4"}
    return json.dumps(rendered, indent=2).encode()


def _instance_id(ip: str, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{ip} {what}"))


__all__ = ["body", "member", "modern_body", "picture", "time_stamp"]
