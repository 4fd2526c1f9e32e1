# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What many answers together say of a cluster: who is master, who is in sync, is there quorum.

No single answer is believed. A dead master stays listed beside the new one, a frozen master looks alive in the gossip
of the others, a seed that was never reached looks like a live manager, and a node that was given ClusterSize 1 is a
master of its own that shows in nobody's gossip (all measured on 3.4.0). So each node has to speak for itself, and the
others have to agree.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo, Member
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.quorum import quorum

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Result

DATABASE, MANAGER = "database", "manager"
NOT_GOSSIP = "not_gossip"  # beside the client's kinds of failure

# GET /info writes states in lower case.
_STATES = {state.lower(): state for state in members.STATES}


@dataclass(frozen=True)
class Target:
    """An endpoint to ask. ``kind`` is empty where it is not known; ``internal`` is the node's key in gossip."""

    address: Endpoint
    name: str = ""
    host: str = ""
    kind: str = ""
    internal: Endpoint | None = None

    @property
    def label(self) -> str:
        """Name, host and address, each once."""
        if not self.name:
            return f"{self.host} ({self.address})" if self.host else str(self.address)
        host = f" on {self.host}" if self.host and self.host not in self.name else ""
        return f"{self.name}{host} ({self.address})"


@dataclass(frozen=True, eq=False)
class View:
    """What one target answered: its gossip, or why there is none, and what ``GET /info`` says of it."""

    target: Target
    gossip: ClusterInfo | None
    error: str
    text: str
    status: int
    server: str
    seconds: float
    clock_offset_s: float | None
    state: str
    es_version: str

    @property
    def own(self) -> Member | None:
        """How the target describes itself."""
        return self.gossip.own if self.gossip else None

    @property
    def masters(self) -> frozenset[Endpoint]:
        """The live masters that the target knows of."""
        return frozenset(member.key for member in self.listed if member.is_master and member.is_alive)

    @property
    def listed(self) -> tuple[Member, ...]:
        return self.gossip.members if self.gossip else ()


def read(target: Target, gossip: Result, info: Result | None) -> View:
    """Read what a target answered to ``GET /gossip`` and ``GET /info``; a manager is asked the first only."""
    cluster, error, text = None, gossip.error, gossip.text
    if not error:
        try:
            cluster = members.parse(gossip.body, where=f"http://{target.address}/gossip")
        except GossipError as failure:
            error, text = NOT_GOSSIP, f"{failure.where}: {failure.problem}"
    own = cluster.own if cluster else None
    state, es_version = _read_info(target, info)
    return View(
        target=target,
        gossip=cluster,
        error=error,
        text=text,
        status=gossip.status,
        server=gossip.server,
        seconds=gossip.seconds,
        clock_offset_s=members.seconds(own.time_stamp) - gossip.time if own else None,
        state=state,
        es_version=es_version or (own.es_version if own else ""),
    )


def _read_info(target: Target, info: Result | None) -> tuple[str, str]:
    if info is None or info.error:
        return "", ""
    try:
        data = members.parse_object(info.body, where=f"http://{target.address}/info")
    except GossipError:
        return "", ""  # what answers no gossip is a problem of its own; /info only adds to it
    state, es_version = data.get("state"), data.get("esVersion")
    return (
        _STATES.get(state.lower(), "") if isinstance(state, str) else "",
        printable(es_version, 40) if isinstance(es_version, str) else "",
    )


@dataclass(eq=False)
class ServerView:
    """A database node or a manager: as a target, as it describes itself (``own``), as others list it (``seen``)."""

    key: Endpoint
    target: Target | None = None
    view: View | None = None
    own: Member | None = None
    seen: list[tuple[View, Member]] = field(default_factory=list)

    @property
    def name(self) -> str:
        if self.target:
            return self.target.name or str(self.target.address)
        return str(self.seen[0][1].external_http)

    @property
    def label(self) -> str:
        return self.target.label if self.target else str(self.seen[0][1].external_http)

    @property
    def member(self) -> Member | None:
        """Its own description, else the latest of the others."""
        if self.own or not self.seen:
            return self.own
        return max((member for _view, member in self.seen), key=lambda member: members.seconds(member.time_stamp))

    @property
    def state(self) -> str:
        if self.own:
            return self.own.state
        if self.view and self.view.state:
            return self.view.state
        return self.member.state if self.member else ""

    @property
    def addresses(self) -> frozenset[Endpoint]:
        """All its addresses that are known."""
        member = self.member
        asked = {self.target.address} if self.target else set()
        return frozenset({self.key, *asked, *((member.internal_http, member.external_http) if member else ())})

    @property
    def is_alive(self) -> bool:
        """It answers, or another server lists it as alive."""
        return self.answers or any(member.is_alive for _view, member in self.seen)

    @property
    def answers(self) -> bool:
        return self.view is not None and (self.view.gossip is not None or bool(self.view.state))

    @property
    def claims_master(self) -> bool:
        return bool(self.own and self.own.is_master) or bool(self.view and self.view.state in members.MASTERS)


class ClusterView:
    """Master, quorum, agreement and lag of a cluster, from the views of all its servers."""

    def __init__(self, views: t.Sequence[View], cluster_size: int | None = None) -> None:
        self.views = tuple(views)
        self.impostors = tuple(_impostors(views))
        self.trusted = tuple(view for view in views if view.gossip and view not in self.impostors)
        self.nodes, self.managers = self._sort_members()
        self._by_key = {node.key: node for node in [*self.managers, *self.nodes]}
        self.seeds = sorted(
            {member.key for view in self.trusted for member in view.listed if member.is_unresolved_seed}
        )
        self.asked = [node for node in self.nodes if node.target]
        voting = sum(1 for node in self.nodes if not node.member or node.member.is_voting)
        self._size_is_given = cluster_size is not None
        self.cluster_size = cluster_size or max(1, voting)
        self.quorum_size = quorum(self.cluster_size)
        self.claimants = [node for node in self.nodes if node.claims_master]
        self.master = self._find_master()
        self.in_sync = [node for node in self.nodes if self._is_in_sync(node)]
        self.has_quorum = (
            self.master is not None
            and len(self.claimants) == 1
            and self.quorum_size <= len(self.in_sync) <= self.cluster_size
        )
        self.can_lose = len(self.in_sync) - self.quorum_size if self.has_quorum else 0
        self.agreed = self._all_agree()

    @property
    def single(self) -> bool:
        """A cluster of one never gossips: the ports for it are not even open. It is asked by /info alone."""
        return self.cluster_size == 1

    @property
    def clock_skew_s(self) -> float:
        """The largest difference between the clocks of two servers; the asker's own clock cancels out."""
        offsets = [view.clock_offset_s for view in self.trusted if view.clock_offset_s is not None]
        return max(offsets) - min(offsets) if offsets else 0.0

    def lag_bytes(self, node: ServerView) -> int | None:
        """Bytes of the log that the master has written and the node has not; None where it cannot be told."""
        master = self.master.own if self.master else None
        if master is None or node.member is None or node.member.writer_checkpoint < 0:
            return None
        return max(0, master.writer_checkpoint - node.member.writer_checkpoint)

    def node_at(self, key: Endpoint) -> ServerView | None:
        return self._by_key.get(key)

    def _sort_members(self) -> tuple[list[ServerView], list[ServerView]]:
        """Bring targets and members together by key: (database nodes, managers)."""
        nodes: dict[Endpoint, ServerView] = {}
        managers: dict[Endpoint, ServerView] = {}
        for view in self.views:
            target, own = view.target, view.own if view in self.trusted else None
            # A server's own answer decides its kind; the gossip of others is enough to find its key.
            known = own or self._listed_at(target.address)
            key = own.key if own else target.internal or (known.key if known else target.address)
            is_manager = known.is_manager if known and (own or not target.kind) else target.kind == MANAGER
            room = managers if is_manager else nodes
            if key not in room:
                room[key] = ServerView(key, target, None if view in self.impostors else view, own)
        for view in self.trusted:
            own = view.own
            for member in view.listed:
                if not member.is_unresolved_seed and member is not own:
                    room = managers if member.is_manager else nodes
                    room.setdefault(member.key, ServerView(member.key)).seen.append((view, member))
        order = {view.target: number for number, view in enumerate(self.views)}

        def by_target(node: ServerView) -> tuple[int, Endpoint]:
            return (order[node.target] if node.target else len(order), node.key)

        return sorted(nodes.values(), key=by_target), sorted(managers.values(), key=by_target)

    def _listed_at(self, address: Endpoint) -> Member | None:
        """How others list a target that does not answer with gossip."""
        for view in self.trusted:
            for member in view.listed:
                if address in (member.external_http, member.internal_http) and not member.is_unresolved_seed:
                    return member
        return None

    def _find_master(self) -> ServerView | None:
        """The only node that claims it in its own /gossip, if its own /info agrees."""
        claimants = [
            node
            for node in self.claimants
            if (node.own and node.own.is_master and node.own.is_alive and _info_fits(node))
            or (self.single and self._may_be_single(node))
        ]
        return claimants[0] if len(claimants) == 1 else None

    def _may_be_single(self, node: ServerView) -> bool:
        """A node that was asked alone may have gossip switched off; one with ClusterSize 1 lets /gossip hang."""
        return self._size_is_given or bool(node.view and lets_gossip_hang(node.view))

    def _is_in_sync(self, node: ServerView) -> bool:
        """It claims it in its own gossip, lists this master and no other, and the master lists it in sync."""
        if self.master is None or node is self.master:
            return node is self.master
        if not (
            node.own
            and node.view
            and node.own.is_alive
            and node.own.is_in_sync
            and node.own.is_voting
            and _info_fits(node)
        ):
            return False
        word = next((member for view, member in node.seen if view is self.master.view), None)
        return bool(node.view.masters == {self.master.key} and word and word.is_alive and word.is_in_sync)

    def _all_agree(self) -> bool:
        if len(self.claimants) != 1 or not all(_info_fits(node) for node in self.nodes):
            return False
        if self.single:
            return True
        return len({live_states(view) for view in self.trusted}) == 1


def lets_gossip_hang(view: View) -> bool:
    """What ClusterSize 1 and seeds not yet resolved look like: 408 after 10 s, or our own deadline before it."""
    return view.status == 408 or (view.error == sweep.TIMEOUT and bool(view.state))


def live_states(view: View) -> frozenset[tuple[Endpoint, str]]:
    """The live database nodes in a view, with their states; the dead are dropped by each node in its own time."""
    return frozenset((member.key, member.state) for member in view.listed if member.is_alive and not member.is_manager)


def _info_fits(node: ServerView) -> bool:
    """/info is only some ms ahead of gossip; while they differ the node is between two states."""
    return not (node.own and node.view and node.view.state) or node.own.state == node.view.state


def _impostors(views: t.Sequence[View]) -> t.Iterator[View]:
    """Views of a server that is not the target's: they are nobody's word, and are not counted.

    Behind address translation a node may well give an address that was not asked; but not another target's.
    """
    owners: dict[Endpoint, Target] = {}
    for view in views:
        for endpoint in filter(None, (view.target.address, view.target.internal)):
            owners.setdefault(endpoint, view.target)
    taken: dict[Endpoint, Target] = {}
    for view in views:
        if view.gossip is None:
            continue
        target, own = view.target, view.own
        if own is None and target.kind != MANAGER:
            yield view
            continue
        said = {view.gossip.server, *((own.internal_http, own.external_http) if own else ())}
        others = {owners[endpoint] for endpoint in said if endpoint in owners} - {target}
        is_asked = target.address in said or target.internal in said
        is_translated = not target.internal and not others
        if not (is_asked or is_translated) or taken.setdefault(view.gossip.server, target) is not target:
            yield view


__all__ = [
    "DATABASE",
    "MANAGER",
    "NOT_GOSSIP",
    "ClusterView",
    "ServerView",
    "Target",
    "View",
    "lets_gossip_hang",
    "live_states",
    "read",
]
