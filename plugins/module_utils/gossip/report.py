# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a cluster, in words an operator can act on, and everything as the facts ``es_gossip``.

Each rule is one function of the whole cluster; its order in ``RULES`` is the order of importance.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import client, members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.view import (
    MANAGER,
    NOT_GOSSIP,
    Cluster,
    Node,
    View,
    lets_gossip_hang,
    live_states,
)

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

# From this difference on servers log an error with each gossip; it has no other effect.
ALLOWED_CLOCK_SKEW_S = 60.0
# The answers of one sweep are some milliseconds apart, in which a busy master writes some megabytes.
ALLOWED_LAG_BYTES = 16 * 1024 * 1024


class Problem(t.NamedTuple):
    """``code`` for conditions, ``text`` with names and addresses, ``hint``: what to do."""

    code: str
    text: str
    hint: str


# These do not keep a cluster from being healthy.
ADVICE = frozenset({"clock-skew", "versions-differ", "old-member"})

UNREACHABLE = "Unreachable"
MAX_NAMES = 10


def report(cluster: Cluster) -> dict[str, t.Any]:
    """Give the facts, in plain types."""
    problems = [problem for rule in RULES for problem in rule(cluster)]
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
        "managers": [{**_node_facts(node), **_liveness(node)} for node in cluster.managers],
        "unresolved_seeds": [str(seed) for seed in cluster.seeds],
        "nodes_by_state": by_state,
        "clock_skew_s": round(cluster.clock_skew_s, 3),
        "views": [_view_facts(cluster, view) for view in cluster.views],
        "problems": [problem._asdict() for problem in problems],
    }


def _node_facts(node: Node) -> dict[str, t.Any]:
    external = node.member.external_http if node.member else None
    return {
        "name": node.name,
        "host": node.target.host if node.target else "",
        "address": str(node.target.address if node.target else external),
        "internal": str(node.key),
    }


def _liveness(node: Node) -> dict[str, bool]:
    return {"is_alive": node.is_alive, "answers": node.answers}


def _member_facts(cluster: Cluster, node: Node) -> dict[str, t.Any]:
    member = node.member
    return {
        **_node_facts(node),
        "state": node.state,
        **_liveness(node),
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


def _view_facts(cluster: Cluster, view: View) -> dict[str, t.Any]:
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


def _no_quorum(cluster: Cluster) -> t.Iterator[Problem]:
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


def _cluster_size(cluster: Cluster) -> t.Iterator[Problem]:
    if len(cluster.in_sync) > cluster.cluster_size:
        yield Problem(
            "cluster-size",
            f"{len(cluster.in_sync)} nodes are master or in sync, but cluster_size is {cluster.cluster_size}",
            "Give cluster_size as ClusterSize stands in the nodes' configuration; the quorum depends on it",
        )


def _several_masters(cluster: Cluster) -> t.Iterator[Problem]:
    if len(cluster.claimants) < 2:
        return
    claims = _join(node.label for node in cluster.claimants)
    yield Problem(
        "several-masters",
        f"{len(cluster.claimants)} nodes say that they are master: {claims}. What is written to one is missing in "
        "the others",
        "After an election this may last some seconds. If it stays, stop the one that the other nodes do not follow, "
        "and correct its ClusterSize and seeds before it starts again",
    )


def _own_cluster(cluster: Cluster) -> t.Iterator[Problem]:
    if cluster.single:
        return
    for node in cluster.asked:
        if not node.view or node.own or _seen_as_master(node):
            continue
        if node.view.state in members.MASTERS and lets_gossip_hang(node.view):
            yield Problem(
                "cluster-size-one",
                f"{node.label} says in /info that it is {node.view.state}, but never answers /gossip: "
                f"it runs as a cluster of its own{_seen(cluster, node)}",
                # With its own data it returned as the later master, and the other nodes ended (molecule/faults).
                f"On {_place(node)} stop the database node, set ClusterSize: {cluster.cluster_size} in its "
                "configuration, and if the others form the cluster move its data directory away before the start: "
                "what was written to it alone is not in the cluster, and could win over what is",
            )


def _silent_master(cluster: Cluster) -> t.Iterator[Problem]:
    for node in cluster.asked:
        views = _seen_as_master(node)
        if views and node.view and not node.own:
            yield Problem(
                "master-silent",
                f"{node.label} is a live master in the gossip of {_join(_view_name(view) for view in views)}, but "
                f"does not answer itself: {node.view.text}. Writes are not acknowledged, and while it looks alive "
                "there may be no election",
                f"The process hangs or is frozen, or the network to it is cut. On {_place(node)} look at the process; "
                "if it does not recover, kill it, so that the others elect a new master",
            )


def _seen_as_master(node: Node) -> list[View]:
    return [view for view, member in node.seen if member.is_master and member.is_alive]


def _no_answer(cluster: Cluster) -> t.Iterator[Problem]:
    for node in [*cluster.asked, *cluster.managers]:
        view = node.view
        if view is None or view.cluster or node is cluster.master or _seen_as_master(node):
            continue
        if not (view.state and lets_gossip_hang(view)):
            yield Problem(
                "no-answer", f"{node.label} does not answer: {view.text}{_seen(cluster, node)}", _remedy(node, view)
            )
        elif view.state not in members.MASTERS:
            yield Problem(
                "gossip-not-ready",
                f"{node.label} answers /info (it is {view.state}), but not /gossip: {view.text}{_seen(cluster, node)}",
                f"Its seeds are not resolved yet. On {_place(node)} check that ClusterDns resolves if "
                "DiscoverViaDns is on, and look into its log for 'Error while retrieving cluster members'",
            )


def _wildcard(cluster: Cluster) -> t.Iterator[Problem]:
    """A node with IntIp 0.0.0.0 and AddInterfacePrefixes false gives that to the others (Program.cs)."""
    for view in cluster.views:
        if view.cluster and addresses.is_any(view.cluster.server.ip):
            yield Problem(
                "wildcard-address",
                f"{view.target.label} gives {view.cluster.server} as its own address, which no other machine can reach",
                f"On {view.target.host or view.target.address.ip} set IntIp to the machine's address, or "
                "IntIpAdvertiseAs to the one at which the others reach it",
            )


def _impostor(cluster: Cluster) -> t.Iterator[Problem]:
    for view in cluster.impostors:
        server = view.cluster.server if view.cluster else None
        if server is None or addresses.is_any(server.ip):
            continue
        yield Problem(
            "not-itself",
            f"what answers at {view.target.label} gives {server} as its own address, {_whose(cluster, view, server)}; "
            "the answer is not counted",
            "Check address and internal of this endpoint, and that no proxy, port forwarding or second machine with "
            "the same address stands in between. With *AdvertiseAs options, internal is the advertised address",
        )


def _whose(cluster: Cluster, view: View, server: Endpoint) -> str:
    """What is wrong with an address that a server gives as its own."""
    if not view.own:
        return "but lists no such member"
    others = [each for each in cluster.views if each is not view]
    for other in others:
        if server in (other.target.address, other.target.internal):
            return f"which is that of {other.target.label}"
    for other in others:
        if other.cluster and other.cluster.server == server:
            return f"as {other.target.label} does"
    return f"but is expected at {view.target.internal}"


def _no_master(cluster: Cluster) -> t.Iterator[Problem]:
    answering = [node for node in cluster.asked if node.own]
    states = _join(f"{node.name} is {node.state}" for node in answering)
    # Also with a master: nodes that were in a cluster elect one while their managers tell them of nobody.
    if _never_formed(cluster):
        yield Problem(
            "never-formed",
            f"the nodes do not know each other: {states}, and each lists only itself",
            "Each node needs the others, or its manager, as seeds. Check GossipSeed, or DiscoverViaDns, ClusterDns and "
            "ClusterGossipPort, on " + _join(_place(node) for node in answering),
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


def _wrong_seeds(cluster: Cluster) -> t.Iterator[Problem]:
    wrong_ports: list[Endpoint] = []
    for seed in cluster.seeds:
        known = cluster.node_at(seed)
        if known and known.view and known.view not in cluster.trusted:
            continue  # it does not answer: that is the problem, and has been told
        text = f"{_join(_view_name(view) for view in _listing(cluster, [seed]))} did not reach the seed {seed} yet"
        places = _places(_listing(cluster, [seed]))
        if known:
            hint = f"It should be {known.label}. If it stays, check that server, and the way to {seed} from {places}"
            yield Problem("unresolved-seed", text, hint)
        elif any(node.key.ip == seed.ip for node in [*cluster.nodes, *cluster.managers]):
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
            f"On {_places(_listing(cluster, wrong_ports))} set ClusterGossipPort, or the ports in GossipSeed, to the "
            "internal HTTP port of the managers, or without managers to that of the database nodes",
        )


def _listing(cluster: Cluster, seeds: t.Collection[Endpoint]) -> list[View]:
    """The views that list one of these as a seed not reached."""
    return [
        view
        for view in cluster.trusted
        if any(member.is_unresolved_seed and member.key in seeds for member in view.listed)
    ]


def _places(views: t.Iterable[View]) -> str:
    return _join(view.target.host or view.target.address.ip for view in views)


def _missing_member(cluster: Cluster) -> t.Iterator[Problem]:
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
            f"The database node beside it has to have {node.key} in GossipSeed"
            if is_manager
            else f"Check its GossipSeed, or ClusterDns and ClusterGossipPort, and that the others can reach {node.key}"
        )
        yield Problem(
            "missing-member",
            f"{node.label} answers, but no other node lists it: it is not part of the cluster",
            f"On {_place(node)}: {hint[0].lower()}{hint[1:]}",
        )


def _cut_off(cluster: Cluster) -> t.Iterator[Problem]:
    for node in [*cluster.nodes, *cluster.managers]:
        blind = [view for view, member in node.seen if not member.is_alive]
        if blind and node.view in cluster.trusted:
            yield Problem(
                "cut-off",
                f"{node.label} answers, but is dead in the gossip of {_join(_view_name(view) for view in blind)}",
                f"If it stays, check the network and firewalls from there to the internal address {node.key} on "
                f"{_place(node)}, HTTP and TCP",
            )


def _unexpected_member(cluster: Cluster) -> t.Iterator[Problem]:
    is_complete = len(cluster.asked) >= cluster.cluster_size
    groups = [(cluster.nodes, is_complete)]
    if any(node.target for node in cluster.managers):
        groups.append((cluster.managers, True))
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
                    f"name: correct GossipSeed or ClusterDns on {node.key.ip}",
                )
            else:
                yield Problem(
                    "old-member",
                    f"{node.label} is still listed ({state}), but no endpoint given here has this address",
                    "Nothing, if that machine was taken out: a dead member is dropped after 30 minutes",
                )


def _not_in_sync(cluster: Cluster) -> t.Iterator[Problem]:
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


def _disagree(cluster: Cluster) -> t.Iterator[Problem]:
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


def _different_states(cluster: Cluster) -> t.Iterator[str]:
    views = [(_view_name(view), dict(live_states(view))) for view in cluster.trusted]
    for key in sorted({key for _view, states in views for key in states}):
        words: dict[str, list[str]] = {}
        for name, states in views:
            words.setdefault(states.get(key, "dead or not listed"), []).append(name)
        if len(words) > 1:
            said = ", ".join(f"{word} for {_join(names)}" for word, names in words.items())
            yield f"{_name(cluster, key)} is {said}"


def _lagging(cluster: Cluster) -> t.Iterator[Problem]:
    for node in cluster.in_sync:
        lag = cluster.lag_bytes(node) or 0
        if lag > ALLOWED_LAG_BYTES:
            yield Problem(
                "lagging",
                f"{node.label} is {node.state}, but {lag} bytes behind the master",
                f"Look at disk and network of {_place(node)}; do not stop another node meanwhile",
            )


def _clock_skew(cluster: Cluster) -> t.Iterator[Problem]:
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


def _versions_differ(cluster: Cluster) -> t.Iterator[Problem]:
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


def _never_formed(cluster: Cluster) -> bool:
    """Several nodes answer, and each knows no database node but itself."""
    own = [node.view for node in cluster.nodes if node.own and node.view]
    return len(own) > 1 and all(sum(not member.is_manager for member in view.listed) == 1 for view in own)


_REMEDIES = {
    client.REFUSED: "Nothing listens there. On {place} look whether the {kind} runs, and whether it listens at "
    "{address} (ExtIp, ExtHttpPort); if it does not start, its log says why",
    client.UNREACHABLE: "There is no way to {ip} from here: check address and network, or ask from the machines "
    "themselves (from: target)",
    client.CLOSED: "On {place} look at the {kind}'s log: it is going down, or something in between closes connections",
    client.NOT_HTTP: "Something else than Event Store listens there: check the port",
    client.TOO_LONG: "Something else than Event Store answers there: check address and port",
    NOT_GOSSIP: "Something else than Event Store answers there, or a proxy in front of it: check address and port",
}
_STATUS_REMEDIES = {
    400: "The server does not know itself by this address: ask at an address of its HTTP prefixes",
    404: "On {place} set GossipOnExt: true, or give the internal HTTP address as the endpoint's address",
}


def _remedy(node: Node, view: View) -> str:
    if view.error == client.STATUS:
        text = _STATUS_REMEDIES.get(view.status, "On {place} look into the {kind}'s log")
    elif view.error == client.TIMEOUT:
        text = (
            "The {kind} hangs or is frozen: look at its process on {place}, and restart it"
            if "connected" in view.text
            else "{place} is down, or a firewall drops what is sent to {address}"
        )
    else:
        text = _REMEDIES[view.error]
    address = view.target.address
    kind = "manager" if view.target.kind == MANAGER else "database node"
    return text.format(place=_place(node), kind=kind, address=address, ip=address.ip)


def _seen(cluster: Cluster, node: Node) -> str:
    """What the others say of a node, to be added to a sentence."""
    if not node.seen:
        return ". No other node lists it" if any(view.target != node.target for view in cluster.trusted) else ""
    words: dict[str, list[str]] = {}
    for view, member in node.seen:
        word = f"{member.state}, {'alive' if member.is_alive else 'dead'}"
        words.setdefault(word, []).append(_view_name(view))
    return ". It is seen as " + "; as ".join(f"{word}, by {_join(names)}" for word, names in words.items())


def _place(node: Node) -> str:
    return (node.target.host if node.target else "") or node.key.ip


def _name(cluster: Cluster, key: Endpoint) -> str:
    node = cluster.node_at(key)
    return node.name if node else str(key)


def _view_name(view: View) -> str:
    return view.target.name or str(view.target.address)


def _join(names: t.Iterable[str]) -> str:
    """A text with some of the names: hundreds of them help nobody."""
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMES} more" if len(listed) > MAX_NAMES else ""
    return ", ".join(listed[:MAX_NAMES]) + more


RULES: tuple[t.Callable[[Cluster], t.Iterator[Problem]], ...] = (
    _no_quorum,
    _cluster_size,
    _several_masters,
    _own_cluster,
    _silent_master,
    _no_answer,
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

__all__ = ["ADVICE", "ALLOWED_CLOCK_SKEW_S", "ALLOWED_LAG_BYTES", "RULES", "UNREACHABLE", "Problem", "report"]
