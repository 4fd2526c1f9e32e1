# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The fact ``es_gossip``, key by key; es_gossip_facts documents it. Addresses are HOST:PORT, times seconds."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts


class MasterFacts(t.TypedDict):
    """A server by name; ``internal`` is its name in gossip."""

    name: str
    host: str
    address: str
    internal: str


class ServerFacts(MasterFacts):
    """A manager or a database node, and whether it lives: in its own word, or in that of others."""

    is_alive: bool
    asked: bool
    answers: bool


class MemberFacts(ServerFacts):
    """A database node; None where nobody says it."""

    state: str
    in_sync: bool
    lag_bytes: int | None
    es_version: str
    instance_id: str | None
    time_stamp: str | None
    last_commit_position: int | None
    writer_checkpoint: int | None
    chaser_checkpoint: int | None
    epoch_number: int | None
    node_priority: int | None


class ViewFacts(t.TypedDict):
    """What one endpoint answered."""

    name: str
    host: str
    kind: str
    address: str
    ok: bool
    error: str
    text: str
    status: int
    seconds: float
    state: str
    masters: list[str]
    clock_offset_s: float | None


class Marks(t.TypedDict, total=False):
    """How far the wanted restart has come, in seconds since ``began``."""

    silent_s: float
    answered_s: float
    in_sync_s: float


class Watched(Marks):
    """What happened between the first sweep and the last."""

    began: str
    seconds: float
    sweeps: int
    calm_s: float
    elections: int
    epochs: list[int]
    masters: list[str]
    two_masters_s: float
    two_masters: list[str]
    no_quorum_s: float
    restarted: list[str]
    ended: list[str]


class Rejoined(Watched):
    """Of a restart: seconds from the stop until its nodes were caught up, None if not seen, and what they copied."""

    back_s: float | None
    copied_bytes: int


class ClusterFacts(t.TypedDict):
    """One sweep."""

    cluster_size: int
    quorum_size: int
    has_quorum: bool
    can_lose: int
    agreed: bool
    healthy: bool
    master: MasterFacts | None
    members: list[MemberFacts]
    managers: list[ServerFacts]
    unresolved_seeds: list[str]
    nodes_by_state: dict[str, list[str]]
    clock_skew_s: float
    views: list[ViewFacts]
    problems: list[ProblemFacts]


class GossipFacts(ClusterFacts):
    """The last sweep, and what was seen since the first."""

    watched: Watched


__all__ = ["ClusterFacts", "GossipFacts", "Marks", "MasterFacts", "MemberFacts", "ServerFacts", "ViewFacts", "Watched"]
