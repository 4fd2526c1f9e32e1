# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The problems of a cluster, in sentences that an operator can act on, and the facts ``es_gossip``.

Each rule is one function of the whole cluster; its order in ``RULES`` is the order of importance.

One sweep can deceive: a master that wakes up answers /info and not yet /gossip, and two are master for 1.6 s after an
election (measured on 5.0.11). So advice that harms where it is wrong is a ``Doubt`` until it has stood for a while.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import (
    ClusterFacts,
    MasterFacts,
    MemberFacts,
    ServerFacts,
    ViewFacts,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.view import (
    MANAGER,
    NOT_GOSSIP,
    ClusterView,
    ServerView,
    View,
    lets_gossip_hang,
    live_states,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

# From this difference on servers log an error with each gossip; it has no other effect.
ALLOWED_CLOCK_SKEW_S = 60.0
# The answers of one sweep are some milliseconds apart, in which a busy master writes some megabytes.
ALLOWED_LAG_BYTES = 16 * 1024 * 1024


class Doubt(t.NamedTuple):
    """A problem that is reported only if it persists; ``nodes`` have it; ``meanwhile`` is reported until then."""

    nodes: tuple[Endpoint, ...]
    problem: Problem
    meanwhile: Problem

    @property
    def name(self) -> tuple[object, ...]:
        return self.problem.code, *self.nodes


Finding = t.Union[Problem, Doubt]

# After a thaw real nodes answer wholly within 1 to 4 s, and after a rejoin two were master for 1.6 s.
CONFIRM_AFTER_S = 4.0


class Doubts:
    """Confirms the doubts that were in every sweep for ``CONFIRM_AFTER_S``; ``open``: some are not confirmed yet."""

    def __init__(self) -> None:
        self.open = False
        self._since: dict[tuple[object, ...], float] = {}

    def settle(self, findings: t.Sequence[Finding], now: float) -> list[Problem]:
        """The problems to report after this sweep; ``now`` is on the monotonic clock."""
        names = [finding.name for finding in findings if isinstance(finding, Doubt)]
        self._since = {name: self._since.get(name, now) for name in names}
        sure = {name for name, since in self._since.items() if now - since >= CONFIRM_AFTER_S}
        self.open = len(sure) < len(self._since)
        return [
            finding if isinstance(finding, Problem) else finding.problem if finding.name in sure else finding.meanwhile
            for finding in findings
        ]


# These do not keep a cluster from being healthy.
ADVICE = frozenset({"clock-skew", "versions-differ", "old-member"})

UNREACHABLE = "Unreachable"
MAX_NAMES = 10


def report(cluster: ClusterView, doubts: Doubts | None = None, now: float = 0.0) -> ClusterFacts:
    """The facts of one sweep. ``doubts``: those of earlier sweeps; without it no doubt is confirmed."""
    problems = (doubts or Doubts()).settle([finding for rule in RULES for finding in rule(cluster)], now)
    by_state: dict[str, list[str]] = {}
    for node in cluster.nodes:
        is_up = node.answers if node.target else node.is_alive
        by_state.setdefault(node.state if is_up else UNREACHABLE, []).append(node.name)
    return {
        "cluster_size": cluster.cluster_size,
        "quorum_size": cluster.quorum_size,
        "has_quorum": cluster.has_quorum,
        "can_lose": cluster.can_lose,
        "agreed": cluster.agreed,
        "healthy": cluster.has_quorum and cluster.agreed and all(problem.code in ADVICE for problem in problems),
        "master": _node_facts(cluster.master) if cluster.master else None,
        "members": [_member_facts(cluster, node) for node in cluster.nodes],
        "managers": [_server_facts(node) for node in cluster.managers],
        "unresolved_seeds": [str(seed) for seed in cluster.seeds],
        "nodes_by_state": by_state,
        "clock_skew_s": round(cluster.clock_skew_s, 3),
        "views": [_view_facts(cluster, view) for view in cluster.views],
        "problems": [problem.facts() for problem in problems],
    }


def _node_facts(node: ServerView) -> MasterFacts:
    external = node.member.external_http if node.member else None
    return {
        "name": node.name,
        "host": node.target.host if node.target else "",
        "address": str(node.target.address if node.target else external),
        "internal": str(node.key),
    }


def _server_facts(node: ServerView) -> ServerFacts:
    return {
        **_node_facts(node),
        "is_alive": node.is_alive,
        "asked": node.target is not None,
        "answers": node.answers,
    }


def _member_facts(cluster: ClusterView, node: ServerView) -> MemberFacts:
    member = node.member
    return {
        **_server_facts(node),
        "state": node.state,
        "in_sync": node in cluster.in_sync,
        "lag_bytes": cluster.lag_bytes(node),
        "es_version": node.view.es_version if node.view else "",
        "instance_id": member.instance_id if member else None,
        "time_stamp": member.time_stamp if member else None,
        "last_commit_position": member.last_commit_position if member else None,
        "writer_checkpoint": member.writer_checkpoint if member else None,
        "chaser_checkpoint": member.chaser_checkpoint if member else None,
        "epoch_number": member.epoch_number if member else None,
        "node_priority": member.node_priority if member else None,
    }


def _view_facts(cluster: ClusterView, view: View) -> ViewFacts:
    offset = view.clock_offset_s
    return {
        "name": view.target.name or str(view.target.address),
        "host": view.target.host,
        "kind": view.target.kind,
        "address": str(view.target.address),
        "ok": view in cluster.trusted,
        "error": "not_itself" if view in cluster.impostors else view.error,
        "text": view.text,
        "status": view.status,
        "seconds": round(view.seconds, 4),
        "state": view.state,
        "masters": [_name(cluster, key) for key in sorted(view.masters)],
        "clock_offset_s": None if offset is None else round(offset, 3),
    }


def _no_quorum(cluster: ClusterView) -> t.Iterator[Finding]:
    if cluster.has_quorum:
        return
    if len(cluster.claimants) > 1:
        reason = f"{len(cluster.claimants)} nodes say that they are master"
    elif not cluster.master:
        reason = "no node says and shows that it is master"
    elif len(cluster.in_sync) > cluster.cluster_size:
        reason = "more nodes are in sync than there should be"
    else:
        names = _join(node.name for node in cluster.in_sync)
        reason = (
            f"{cluster.quorum_size} of {cluster.cluster_size} nodes have to be in sync, but these are only: {names}"
        )
    yield Problem(
        "no-quorum",
        f"quorum is not proved: {reason}",
        "Writes may not be acknowledged, or not by all. Do what the next problems say, beginning with the first",
    )


def _cluster_size(cluster: ClusterView) -> t.Iterator[Finding]:
    """Four nodes with ClusterSize 3 are as healthy as three, until a cut: then both halves elect a master, and
    acknowledge (measured, 5 of 5 cuts of 3.4.0 and 4.1.4). A clone, too, has a vote.
    """
    size, in_sync = cluster.cluster_size, len(cluster.in_sync)
    voters = [node for node in cluster.nodes if node.is_alive and node.member and node.member.is_voting]
    if in_sync > size:
        yield Problem(
            "cluster-size",
            f"{in_sync} nodes are master or in sync, but cluster_size is {size}",
            "Give cluster_size as ClusterSize stands in the nodes' configuration; the quorum depends on it. If it is "
            "the same there, give all nodes the same ClusterSize",
        )
    elif len(voters) >= 2 * cluster.quorum_size:
        yield Problem(
            "cluster-size",
            f"{len(voters)} nodes have a vote, but cluster_size is {size}: cut in two, both parts could elect a "
            "master, and what is written to one of them would be lost",
            "Stop the nodes that are too many, clones first, or give all nodes a ClusterSize that counts them",
        )


def _several_masters(cluster: ClusterView) -> t.Iterator[Finding]:
    if len(cluster.claimants) < 2:
        return
    claims = f"{len(cluster.claimants)} nodes say that they are master: {_join(n.label for n in cluster.claimants)}"
    yield Doubt(
        tuple(node.key for node in cluster.claimants),
        Problem(
            "several-masters",
            f"{claims}. What is written to one is missing in the others",
            f"After an election this may last some seconds. If it stays, {_which_to_stop(cluster)}",
        ),
        Problem("no-master", f"{claims}, in one sweep", f"After an election this may last some seconds. {_ASK_AGAIN}"),
    )


def _which_to_stop(cluster: ClusterView) -> str:
    groups = {master.name: _followers(cluster, master) for master in cluster.claimants}
    alone = [master for master, names in groups.items() if not names]
    if 0 < len(alone) < len(groups):
        return f"stop {_join(alone)}, which no node follows, and correct ClusterSize and seeds before the next start"
    if alone:
        return "stop all but one of them, and correct ClusterSize and seeds before the next start"
    # In 7 of 7 cuts of 3.4.0 and 4.1.4 one side's events were gone from every node within 7 s of its end.
    told = "; ".join(_join([master, *names]) for master, names in groups.items())
    return (
        f"these are clusters of their own: {told}. Each acknowledges writes, and when they meet, one of them loses "
        "all that was written to it meanwhile. Stop the writers, and copy the data directory of one node of each, "
        "before the network is repaired or a node is started; then give all nodes the same ClusterSize"
    )


def _followers(cluster: ClusterView, master: ServerView) -> list[str]:
    others = [node for node in cluster.nodes if node.view and not node.claims_master]
    return [node.name for node in others if node.view and node.view.masters == {master.key}]


def _own_cluster(cluster: ClusterView) -> t.Iterator[Finding]:
    if cluster.single:
        return
    for node in cluster.asked:
        view = node.view
        # Of one with ClusterSize 1 the others hear nothing: they list its address as a seed, or what it was before.
        if not view or not _hides_gossip(node) or view.state not in members.MASTERS or _seen_alive(node):
            continue
        yield Doubt(
            (node.key,),
            Problem(
                "cluster-size-one",
                f"{node.label} says in /info that it is {view.state}, but never answers /gossip: "
                f"it runs as a cluster of its own{_seen(cluster, node)}",
                # With its own data it returned as the later master, and the other nodes ended (molecule/faults).
                f"On {_place(node)} stop the database node, set ClusterSize: {cluster.cluster_size} in its "
                "configuration, and if the others form the cluster move its data directory away before the start: "
                "what was written to it alone is not in the cluster, and could win over what is",
            ),
            _silent_in_gossip(cluster, node, view),
        )


def _hides_gossip(node: ServerView) -> bool:
    """It answers /info, and /gossip hangs."""
    return bool(node.view and node.view.state and not node.own and lets_gossip_hang(node.view))


def _silent_in_gossip(cluster: ClusterView, node: ServerView, view: View) -> Problem:
    return Problem(
        "no-answer",
        f"{node.label} answers /info (it is {view.state}), but not /gossip: {view.text}{_seen(cluster, node)}",
        f"It is slow, or was frozen until now. {_ASK_AGAIN}. If it stays, look at the load of {_place(node)} and into "
        "the node's log",
    )


def _silent_master(cluster: ClusterView) -> t.Iterator[Finding]:
    if cluster.master:
        return  # the others have elected one, and have not all heard of it yet
    for node in cluster.asked:
        views = _seen_as_master(node)
        if not views or not node.view or node.own:
            continue
        text = (
            f"{node.label} is a live master in the gossip of {_join(_view_name(view) for view in views)}, but "
            f"does not answer itself: {node.view.text}"
        )
        followers = [each.name for each in cluster.asked if each.own and each.own.state in members.SLAVES]
        if not _is_stuck(node.view):
            yield Problem("master-silent", text, _remedy(node, node.view))
        elif followers:
            yield Problem(
                "master-silent",
                f"{text}. {_join(followers)} still follow it",
                f"It hangs, is frozen or is slow. {_ASK_AGAIN}, and look at the load of {_place(node)}",
            )
        else:
            yield Doubt(
                (node.key,),
                Problem(
                    "master-silent",
                    f"{text}. Writes are not acknowledged, and while it looks alive there may be no election",
                    f"The process hangs or is frozen, or the network to it is cut. On {_place(node)} look at the "
                    "process; if it does not recover, kill it, so that the others elect a new master",
                ),
                Problem("master-silent", text, f"It hangs or is frozen. {_ASK_AGAIN}"),
            )


def _is_stuck(view: View) -> bool:
    """The kernel accepts connections, and the process does not answer."""
    return view.error == sweep.TIMEOUT and "connected" in view.text


def _seen_alive(node: ServerView) -> bool:
    return any(member.is_alive for _view, member in node.seen)


def _seen_as_master(node: ServerView) -> list[View]:
    return [view for view, member in node.seen if member.is_master and member.is_alive]


def _no_answer(cluster: ClusterView) -> t.Iterator[Finding]:
    for node in [*cluster.asked, *cluster.managers]:
        view = node.view
        if view is None or view.gossip or node is cluster.master or (_seen_as_master(node) and not cluster.master):
            continue
        if not _hides_gossip(node):
            text = f"{node.label} does not answer: {view.text}{_seen(cluster, node)}"
            yield Problem("no-answer", text, _remedy(node, view))
        elif view.state not in members.SEEKING or _seen_alive(node):
            # Who follows a cluster has found its seeds; and others see only who gossips.
            if view.state not in members.MASTERS or _seen_alive(node):
                yield _silent_in_gossip(cluster, node, view)
        else:
            yield Doubt(
                (node.key,),
                Problem(
                    "gossip-not-ready",
                    f"{node.label} answers /info (it is {view.state}), but not /gossip: {view.text}"
                    f"{_seen(cluster, node)}",
                    f"Its seeds are not resolved yet. On {_place(node)} check that ClusterDns resolves if "
                    "DiscoverViaDns is on, and look into its log for 'Error while retrieving cluster members'",
                ),
                _silent_in_gossip(cluster, node, view),
            )


def _wildcard(cluster: ClusterView) -> t.Iterator[Finding]:
    """A node with IntIp 0.0.0.0 and AddInterfacePrefixes false gives that to the others (Program.cs)."""
    for view in cluster.views:
        if view.gossip and addresses.is_any(view.gossip.server.host):
            yield Problem(
                "wildcard-address",
                f"{view.target.label} gives {view.gossip.server} as its own address, which no other machine can reach",
                f"On {view.target.host or view.target.address.host} set IntIp to the machine's address, or "
                "IntIpAdvertiseAs to the one at which the others reach it",
            )


def _impostor(cluster: ClusterView) -> t.Iterator[Finding]:
    for view in cluster.impostors:
        server = view.gossip.server if view.gossip else None
        if server is None or addresses.is_any(server.host):
            continue
        yield Problem(
            "not-itself",
            f"what answers at {view.target.label} gives {server} as its own address, {_whose(cluster, view, server)}; "
            "the answer is not counted",
            "Check address and internal of this endpoint, and that no proxy, port forwarding or second machine with "
            "the same address stands in between. With *AdvertiseAs options, internal is the advertised address",
        )


def _whose(cluster: ClusterView, view: View, server: Endpoint) -> str:
    """Why the address that a server gives as its own is wrong, as the end of a sentence."""
    if not view.own:
        return "but lists no such member"
    others = [each for each in cluster.views if each is not view]
    for other in others:
        if server in (other.target.address, other.target.internal):
            return f"which is that of {other.target.label}"
    for other in others:
        if other.gossip and other.gossip.server == server:
            return f"as {other.target.label} does"
    return f"but is expected at {view.target.internal}"


def _no_master(cluster: ClusterView) -> t.Iterator[Finding]:
    answering = [node for node in cluster.asked if node.own]
    states = _join(f"{node.name} is {node.state}" for node in answering)
    # Checked even if there is a master: nodes of a former cluster can elect one although their managers list no node.
    if _never_formed(cluster):
        yield Problem(
            "never-formed",
            f"the nodes do not know each other: {states}, and each lists only itself",
            "Each node needs the others, or its manager, as seeds. If it stays, check GossipSeed, or DiscoverViaDns, "
            "ClusterDns and ClusterGossipPort, on " + _join(_place(node) for node in answering),
        )
        return
    if cluster.claimants or not answering:
        return
    missing = cluster.quorum_size - len(answering)
    silent = _join(node.label for node in cluster.asked if not node.answers)
    if missing > 0:
        hint = f"An election needs {cluster.quorum_size} nodes: bring back {missing} more of {silent or 'them'}"
    else:
        hint = "An election takes up to 15 s: ask again. If it stays, check the network between the internal addresses"
    yield Problem("no-master", f"no node says that it is master: {states}", hint)


def _dead_managers(cluster: ClusterView) -> t.Iterator[Finding]:
    """Dead managers that were not asked; those that were asked and are silent have problems of their own."""
    for key, (text, node) in _bereft(cluster).items():
        yield Problem(
            "dead-manager",
            text.format(key=key, node=node.name),
            f"Start the manager on {_place(node)}, unless it is starting now: without it nothing starts the node again "
            "after a crash. If the machine is to have none any more, wait: a dead member is dropped after 30 minutes",
        )


def _bereft(cluster: ClusterView) -> dict[Endpoint, tuple[str, ServerView]]:
    """Dead managers whose machine's database node runs -> (text of the problem, that node)."""
    served = {node.key.host for node in cluster.managers if node.is_alive}
    alone = {node.key.host: node for node in cluster.nodes if node.is_alive and node.key.host not in served}
    found = {}
    for manager in cluster.managers:
        if not manager.target and manager.key.host in alone:
            names = _join(_view_name(view) for view, _member in manager.seen)
            text = f"the manager {{key}} is dead in the gossip of {names}, and {{node}} runs without it"
            found[manager.key] = (text, alone[manager.key.host])
    for seed in cluster.seeds:
        node = alone.get(seed.host)
        if node and cluster.node_at(seed) is None and _is_managers(cluster, seed):
            found[seed] = ("{node} did not reach {key}, the manager of its machine", node)
    return found


def _is_managers(cluster: ClusterView, seed: Endpoint) -> bool:
    """Whether a seed is a manager: it has the managers' port, or is its nodes' only seed and no other machine's."""
    if any(node.key.port == seed.port for node in cluster.managers):
        return True
    views = _listing(cluster, [seed])
    seeds = {member.key.host for view in views for member in view.listed if member.is_unresolved_seed}
    return seeds | {view.own.key.host for view in views if view.own} == {seed.host}


def _wrong_seeds(cluster: ClusterView) -> t.Iterator[Finding]:
    wrong_ports: list[Endpoint] = []
    bereft = _bereft(cluster)
    for seed in cluster.seeds:
        known = cluster.node_at(seed)
        if seed in bereft or (known and known.view and known.view not in cluster.trusted):
            continue  # it does not answer: that is the problem, and has been told
        text = f"{_join(_view_name(view) for view in _listing(cluster, [seed]))} did not reach the seed {seed} yet"
        places = _places(_listing(cluster, [seed]))
        label = known.label if known else _likely_at(cluster, seed)
        if label:
            hint = f"It should be {label}. If it stays, check that server, and the way to {seed} from {places}"
            yield Problem("unresolved-seed", text, hint)
        elif any(node.key.host == seed.host for node in [*cluster.nodes, *cluster.managers]):
            wrong_ports.append(seed)
        else:
            hint = f"On {places} correct GossipSeed, or the records of ClusterDns"
            yield Problem("unresolved-seed", f"{text}, and no endpoint given here has this address", hint)
    if wrong_ports:
        servers = _join(str(node.key) for node in [*cluster.managers, *cluster.nodes])
        yield Problem(
            "gossip-port",
            f"{_join(_view_name(view) for view in _listing(cluster, wrong_ports))} did not reach the seeds "
            f"{_join(map(str, wrong_ports))}: the machines are known, but with other internal ports ({servers})",
            f"{_started(cluster, wrong_ports)} {_places(_listing(cluster, wrong_ports))} set ClusterGossipPort, or the "
            "ports in GossipSeed, to the internal HTTP port of the managers, or without managers to that of the "
            "database nodes",
        )


def _likely_at(cluster: ClusterView, seed: Endpoint) -> str:
    """The probable server at this address: a silent one whose internal address is unknown, or a manager; else ""."""
    for node in [*cluster.nodes, *cluster.managers]:
        if node.key.host == seed.host and node.target and not node.target.internal and not node.member:
            return node.label
    ports = {node.key.port for node in cluster.managers}
    has_other = any(node.key.host == seed.host for node in cluster.managers)
    return f"the manager on {seed.host}" if seed.port in ports and not has_other else ""


def _started(cluster: ClusterView, seeds: t.Sequence[Endpoint]) -> str:
    """The start of a hint: managers that run there have another port; if none is known, they may be down."""
    if {seed.host for seed in seeds} <= {node.key.host for node in cluster.managers}:
        return "On"
    places = _join(seed.host for seed in seeds)
    return f"If managers should listen there, start them on {places}. If there are none, on"


def _listing(cluster: ClusterView, seeds: t.Collection[Endpoint]) -> list[View]:
    """The views that list one of these as a seed not reached."""
    return [
        view
        for view in cluster.trusted
        if any(member.is_unresolved_seed and member.key in seeds for member in view.listed)
    ]


def _places(views: t.Iterable[View]) -> str:
    return _join(view.target.host or view.target.address.host for view in views)


def _missing_member(cluster: ClusterView) -> t.Iterator[Finding]:
    if _never_formed(cluster):
        return
    others = [view for view in cluster.trusted if view.target.kind != MANAGER]
    for node in [*cluster.asked, *cluster.managers]:
        if (
            node.view not in cluster.trusted
            or node.seen
            or node.key in cluster.seeds
            or all(view is node.view for view in others)
        ):
            continue
        is_manager = node in cluster.managers
        hint = (
            f"the database node beside it has to have {node.key} in GossipSeed"
            if is_manager
            else f"check its GossipSeed, or ClusterDns and ClusterGossipPort, and that the others can reach {node.key}"
        )
        yield Problem(
            "missing-member",
            f"{node.label} answers, but no other node lists it: it is not part of the cluster, or has just started",
            f"If it stays, on {_place(node)}: {hint}",
        )


def _cut_off(cluster: ClusterView) -> t.Iterator[Finding]:
    for node in [*cluster.nodes, *cluster.managers]:
        blind = [view for view, member in node.seen if not member.is_alive]
        if blind and node.view in cluster.trusted:
            yield Problem(
                "cut-off",
                f"{node.label} answers, but is dead in the gossip of {_join(_view_name(view) for view in blind)}",
                f"If it stays, check the network and firewalls from there to the internal address {node.key} on "
                f"{_place(node)}, HTTP and TCP",
            )


def _unexpected_member(cluster: ClusterView) -> t.Iterator[Finding]:
    is_complete = len(cluster.asked) >= cluster.cluster_size
    managers = [node for node in cluster.managers if node.key not in _bereft(cluster)]
    if not any(node.target for node in cluster.managers):
        managers = [node for node in managers if not node.is_alive]  # who asks no manager expects none
    groups = [(cluster.nodes, is_complete), (managers, True)]
    for nodes, all_are_given in groups:
        for node in nodes:
            if node.target:
                continue
            state = f"{node.state}, {'alive' if node.is_alive else 'dead'}"
            if not all_are_given:
                yield Problem(
                    "not-asked",
                    f"{node.label} is a member ({state}), but it was not asked",
                    "Add it to endpoints: quorum is believed only of nodes that answer for themselves",
                )
            elif node.is_alive:
                yield Problem(
                    "unexpected-member",
                    f"{node.label} is a member ({state}), but no endpoint given here has this address",
                    "Add it to endpoints if it belongs to the cluster. If not, two clusters share a seed or a DNS "
                    f"name: correct GossipSeed or ClusterDns on {node.key.host}",
                )
            else:
                yield Problem(
                    "old-member",
                    f"{node.label} is still listed ({state}), but no endpoint given here has this address",
                    "Nothing, if that machine was taken out: a dead member is dropped after 30 minutes",
                )


def _not_in_sync(cluster: ClusterView) -> t.Iterator[Finding]:
    if not cluster.master:
        return
    for node in cluster.asked:
        if not node.own or not node.own.is_voting or node.own.is_in_sync:
            continue
        if node.state in members.JOINING:
            if node.state == "Clone" and len(cluster.in_sync) >= cluster.cluster_size:
                continue  # more nodes than ClusterSize: the rest stay clones
            lag = cluster.lag_bytes(node)
            behind = "" if lag is None else f", {lag} bytes behind the master"
            hint = "It is copying what it lacks: wait. If the number does not fall, look into its log"
        else:
            behind = ""
            hint = f"If it stays, look into its log on {_place(node)}"
        yield Problem("not-in-sync", f"{node.label} is {node.state}{behind}", hint)


def _disagree(cluster: ClusterView) -> t.Iterator[Finding]:
    if cluster.agreed or _never_formed(cluster) or len({live_states(view) for view in cluster.trusted}) < 2:
        return
    masters: dict[str, list[str]] = {}
    for view in cluster.trusted:
        masters.setdefault(_join(_name(cluster, key) for key in sorted(view.masters)) or "none", []).append(
            _view_name(view)
        )
    if len(masters) > 1:
        text = "; ".join(f"{_join(names)}: {master}" for master, names in masters.items())
        text = f"the nodes do not agree on the master ({text})"
    else:
        text = "the nodes do not agree on the states: " + "; ".join(
            itertools.islice(_different_states(cluster), MAX_NAMES)
        )
    yield Problem(
        "disagree",
        text,
        "After a change this may last up to 15 s: ask again. If it stays, check the network between the internal "
        "addresses",
    )


def _different_states(cluster: ClusterView) -> t.Iterator[str]:
    views = [(_view_name(view), dict(live_states(view))) for view in cluster.trusted]
    for key in sorted({key for _view, states in views for key in states}):
        words: dict[str, list[str]] = {}
        for name, states in views:
            words.setdefault(states.get(key, "dead or not listed"), []).append(name)
        if len(words) > 1:
            said = ", ".join(f"{word} for {_join(names)}" for word, names in words.items())
            yield f"{_name(cluster, key)} is {said}"


def _lagging(cluster: ClusterView) -> t.Iterator[Finding]:
    for node in cluster.in_sync:
        lag = cluster.lag_bytes(node) or 0
        if lag > ALLOWED_LAG_BYTES:
            yield Problem(
                "lagging",
                f"{node.label} is {node.state}, but {lag} bytes behind the master",
                f"Look at disk and network of {_place(node)}; do not stop another node meanwhile",
            )


def _clock_skew(cluster: ClusterView) -> t.Iterator[Finding]:
    if cluster.clock_skew_s <= ALLOWED_CLOCK_SKEW_S:
        return
    clocks = sorted(
        (view.clock_offset_s, _view_name(view)) for view in cluster.trusted if view.clock_offset_s is not None
    )
    yield Problem(
        "clock-skew",
        f"the clocks are {cluster.clock_skew_s:.0f} s apart: the slowest is that of {clocks[0][1]}, the fastest "
        f"that of {clocks[-1][1]}",
        f"Set the time of these machines from one source; from {ALLOWED_CLOCK_SKEW_S:.0f} s on servers log an error "
        "with each gossip",
    )


def _versions_differ(cluster: ClusterView) -> t.Iterator[Finding]:
    versions: dict[str, list[str]] = {}
    for node in cluster.nodes:
        if node.view and node.view.es_version:
            versions.setdefault(node.view.es_version, []).append(node.name)
    if len(versions) > 1:
        yield Problem(
            "versions-differ",
            "the nodes run different versions: "
            + "; ".join(f"{version} on {_join(names)}" for version, names in sorted(versions.items())),
            "Finish the upgrade, or find out why one node was left out",
        )


def _never_formed(cluster: ClusterView) -> bool:
    """Several nodes answer, and each lists no other database node."""
    own = [node.view for node in cluster.nodes if node.own and node.view]
    return len(own) > 1 and all(sum(not member.is_manager for member in view.listed) == 1 for view in own)


_ASK_AGAIN = "Ask again before anything is stopped or changed"

_REMEDIES = {
    sweep.REFUSED: "Nothing listens there. On {place} look whether the {kind} runs, and whether it listens at "
    "{address} (ExtIp, ExtHttpPort); if it does not start, its log says why",
    sweep.UNREACHABLE: "There is no way to {ip} from here: check address and network, or ask from the machines "
    "themselves (from: target)",
    sweep.CLOSED: "On {place} look at the {kind}'s log: it is going down, or something in between closes connections",
    sweep.NOT_HTTP: "Something else than Event Store listens there: check the port",
    sweep.TOO_LONG: "Something else than Event Store answers there: check address and port",
    NOT_GOSSIP: "Something else than Event Store answers there, or a proxy in front of it: check address and port",
}
# These programs serve HTTP for database nodes up to 5.0: Windows' own, and Mono's.
_HTTP_SERVERS = ("Microsoft-HTTPAPI", "Mono-HTTPAPI")


def _status_remedy(view: View) -> str:
    """The hint for an HTTP status. Only a server that answers /info is known to be a node."""
    if view.state and view.status == 404:
        return "On {place} set GossipOnExt: true, or give the internal HTTP address as the endpoint's address"
    if view.server.startswith(_HTTP_SERVERS) and view.status == 400:
        return (
            "The server does not know itself by this address, or is going down: ask at an address of its HTTP prefixes"
        )
    if view.state or (view.server.startswith(_HTTP_SERVERS) and view.status >= 500):
        return "On {place} look into the {kind}'s log"
    return "Something else than a {kind} answers at {address}, or a proxy in front of it: check address and port"


def _remedy(node: ServerView, view: View) -> str:
    if view.error == sweep.STATUS:
        text = _status_remedy(view)
    elif view.error == sweep.TIMEOUT:
        text = (
            "The {kind} is slow, hangs or is frozen: look at its process on {place}, and restart it if this stays"
            if _is_stuck(view)
            else "{place} is down, or a firewall drops what is sent to {address}"
        )
    else:
        text = _REMEDIES[view.error]
    address = view.target.address
    kind = "manager" if view.target.kind == MANAGER else "database node"
    return text.format(place=_place(node), kind=kind, address=address, ip=address.host)


def _seen(cluster: ClusterView, node: ServerView) -> str:
    """How the other nodes list this one, to be added to a sentence."""
    if not node.seen:
        return ". No other node lists it" if any(view.target != node.target for view in cluster.trusted) else ""
    words: dict[str, list[str]] = {}
    for view, member in node.seen:
        word = f"{member.state}, {'alive' if member.is_alive else 'dead'}"
        words.setdefault(word, []).append(_view_name(view))
    return ". It is seen as " + "; as ".join(f"{word}, by {_join(names)}" for word, names in words.items())


def _place(node: ServerView) -> str:
    return (node.target.host if node.target else "") or node.key.host


def _name(cluster: ClusterView, key: Endpoint) -> str:
    node = cluster.node_at(key)
    return node.name if node else str(key)


def _view_name(view: View) -> str:
    return view.target.name or str(view.target.address)


def _join(names: t.Iterable[str]) -> str:
    """The first ``MAX_NAMES`` names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMES} more" if len(listed) > MAX_NAMES else ""
    return ", ".join(listed[:MAX_NAMES]) + more


RULES: tuple[t.Callable[[ClusterView], t.Iterator[Finding]], ...] = (
    _no_quorum,
    _cluster_size,
    _several_masters,
    _own_cluster,
    _silent_master,
    _no_answer,
    _dead_managers,
    _wildcard,
    _impostor,
    _no_master,
    _wrong_seeds,
    _missing_member,
    _cut_off,
    _unexpected_member,
    _not_in_sync,
    _disagree,
    _lagging,
    _clock_skew,
    _versions_differ,
)

__all__ = [
    "ADVICE",
    "ALLOWED_CLOCK_SKEW_S",
    "ALLOWED_LAG_BYTES",
    "CONFIRM_AFTER_S",
    "RULES",
    "UNREACHABLE",
    "Doubt",
    "Doubts",
    "report",
]
