# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether database nodes may be stopped: what the cluster would be without them, and why it must not come to that.

Pure: the sweeps come in, the refusals go out. Keywords of a play (serial, throttle, any_errors_fatal) do not keep a
quorum, so this is asked in the process that stops, and each condition alone says no.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import ALLOWED_LAG_BYTES
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.view import ClusterView, ServerView

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

NOT_SETTLED = "not-settled"


@dataclass(frozen=True)
class Stop:
    """The end of a service; ``nodes``: for each database node that it runs, every address the node has."""

    service: str
    nodes: tuple[frozenset[Endpoint], ...]


class Case:
    """A stop and what is known of the cluster; ``history``: sweeps of the settle window, the latest last."""

    def __init__(self, history: t.Sequence[ClusterView], stop: Stop) -> None:
        self.stop = stop
        # A node that goes and does not count has no say: a stuck one could not be restarted otherwise.
        self.history = [_ignoring_views_of(cluster, nodes_stopped_by(cluster, stop)) for cluster in history]
        self.cluster = self.history[-1]
        self.stopped = nodes_stopped_by(history[-1], stop)
        gone = {node.key for node in self.stopped}
        self.left = [node for node in self.cluster.in_sync if node.key not in gone]


def refusals(history: t.Sequence[ClusterView], stop: Stop) -> list[Problem]:
    """Why the service must not be stopped now; empty when the cluster keeps a majority without its nodes."""
    case = Case(history, stop)
    return [problem for condition in CONDITIONS for problem in condition(case)]


def nodes_stopped_by(cluster: ClusterView, stop: Stop) -> list[ServerView]:
    """The members of the cluster that the stop takes down."""
    return [node for node in cluster.nodes if any(node.addresses & addresses for addresses in stop.nodes)]


def missing(cluster: ClusterView, stop: Stop) -> list[str]:
    """What the nodes of a service that was started again still lack, each in words; empty when all are back."""
    back = nodes_stopped_by(cluster, stop)
    lacks = [
        f"{node.name} is {node.state or 'silent'}{_behind(cluster, node)}"
        for node in back
        if node not in cluster.in_sync or not _is_caught_up(cluster, node)
    ]
    unseen = [each for each in stop.nodes if not any(each & node.addresses for node in back)]
    if unseen:
        lacks.append(f"{len(unseen)} of the nodes of {stop.service} are not in gossip")
    return lacks


def fingerprint(cluster: ClusterView) -> str:
    """What an election, or the start or end of a node changes: master, epoch, and who says that it is in sync.

    The others hear of a node up to a second later (gossip interval); that they have is its own condition.
    """
    master = cluster.master
    epoch = master.own.epoch_number if master and master.own else None
    instances = sorted(
        f"{node.key} {node.own.instance_id}" for node in cluster.nodes if node.own and node.own.is_in_sync
    )
    return f"master {master.key if master else None}, epoch {epoch}, in sync: {', '.join(instances)}"


def _ignoring_views_of(cluster: ClusterView, gone: t.Sequence[ServerView]) -> ClusterView:
    unheard = {node.target for node in gone if node.target and node not in cluster.in_sync}
    return ClusterView([view for view in cluster.views if view.target not in unheard], cluster.cluster_size)


def _is_caught_up(cluster: ClusterView, node: ServerView) -> bool:
    lag = cluster.lag_bytes(node)
    return cluster.single or (lag is not None and lag <= ALLOWED_LAG_BYTES)


def _behind(cluster: ClusterView, node: ServerView) -> str:
    lag = cluster.lag_bytes(node)
    return f", {lag} bytes behind the master" if lag else ""


# -- the conditions ----------------------------------------------------------------------------------------------------


def _its_nodes_are_known(case: Case) -> t.Iterator[Problem]:
    for addresses in case.stop.nodes:
        if not any(addresses & node.addresses for node in case.stopped):
            shown = ", ".join(str(each) for each in sorted(addresses)) or "none that can be seen"
            yield Problem(
                "not-a-member",
                f"{case.stop.service} runs a database node that is not one of the given endpoints (it has {shown})",
                "Set the endpoints of all nodes of this service's cluster",
            )


def _its_nodes_belong_to_no_other_cluster(case: Case) -> t.Iterator[Problem]:
    """A node that does not count has no say in this cluster, but it may count in its own: endpoints can be mixed up."""
    for node in case.stopped:
        own = node.own
        if own is None or not own.is_in_sync or node.key in {each.key for each in case.cluster.in_sync}:
            continue
        listed = node.view.listed if node.view else ()
        strangers = [
            each for each in listed if each.is_in_sync and each.is_alive and not case.cluster.node_at(each.key)
        ]
        if any(each.key != node.key for each in strangers):
            names = ", ".join(str(each.key) for each in strangers)
            yield Problem(
                "not-a-member",
                f"{node.name} is {node.state} of another cluster, with nodes that are not given endpoints ({names})",
                "Set the endpoints of this service's cluster",
            )


def _there_is_one_master(case: Case) -> t.Iterator[Problem]:
    claimants = case.cluster.claimants
    if len(claimants) > 1:
        names = ", ".join(node.name for node in claimants)
        yield Problem("no-one-master", f"{len(claimants)} nodes report themselves as master: {names}", _REPAIR)
    elif case.cluster.master is None:
        yield Problem("no-one-master", "no node that answers is master", _REPAIR)


def _all_views_agree(case: Case) -> t.Iterator[Problem]:
    if not case.cluster.agreed:
        yield Problem("disagree", "the nodes do not agree on master and states", _WAIT)


def _size_is_right(case: Case) -> t.Iterator[Problem]:
    cluster = case.cluster
    # Also of those that are not asked: a cluster of five of which three are given is no cluster of three.
    counted = [node for node in cluster.nodes if node.member and node.member.is_alive and node.member.is_in_sync]
    if len(counted) > cluster.cluster_size:
        yield Problem(
            "cluster-size",
            f"{len(counted)} nodes are in sync, but cluster_size is {cluster.cluster_size}",
            "Set cluster_size to ClusterSize of the nodes' configuration",
        )


def _a_majority_is_left(case: Case) -> t.Iterator[Problem]:
    cluster = case.cluster
    if len(case.left) < cluster.quorum_size:
        names = f" ({', '.join(node.name for node in case.left)})" if case.left else ""
        yield Problem(
            "no-majority",
            f"{len(case.left)} of {cluster.cluster_size} nodes would remain in sync{names} and {cluster.quorum_size} "
            "are needed: no write would be acknowledged",
            f"Start these nodes first: {_down(case)}" if _down(case) else _ALONE,
        )


def _those_left_are_caught_up(case: Case) -> t.Iterator[Problem]:
    cluster = case.cluster
    late = [node for node in case.left if not _is_caught_up(cluster, node)]
    if late and len(case.left) - len(late) < cluster.quorum_size <= len(case.left):
        names = "; ".join(f"{node.name}{_behind(cluster, node)}" for node in late)
        yield Problem("behind", f"remaining nodes have not caught up: {names}", _WAIT)


def _nothing_has_just_changed(case: Case) -> t.Iterator[Problem]:
    if len({fingerprint(cluster) for cluster in case.history}) > 1:
        yield Problem(NOT_SETTLED, "a node was restarted or a master elected within the settle time", _WAIT)


CONDITIONS: tuple[t.Callable[[Case], t.Iterator[Problem]], ...] = (
    _its_nodes_are_known,
    _its_nodes_belong_to_no_other_cluster,
    _there_is_one_master,
    _all_views_agree,
    _size_is_right,
    _a_majority_is_left,
    _those_left_are_caught_up,
    _nothing_has_just_changed,
)

_REPAIR = "Restore the quorum first; playbook eventstore.cluster.status shows the problems"
_WAIT = (
    "This may last up to 15 s after a change: run the task again. If it persists, run playbook "
    "eventstore.cluster.status"
)
_ALONE = "The cluster cannot lose all nodes of this service at the same time"


def _down(case: Case) -> str:
    counted = {node.key for node in case.cluster.in_sync}
    gone = {node.key for node in case.stopped}
    return ", ".join(node.label for node in case.cluster.nodes if node.key not in counted | gone)


__all__ = ["CONDITIONS", "NOT_SETTLED", "Case", "Stop", "fingerprint", "missing", "nodes_stopped_by", "refusals"]
