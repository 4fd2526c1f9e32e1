# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A span of time: what happened to a cluster from its first sweep to its last.

That a cluster is healthy now does not say that it was: after a rejoin two nodes were master for 1.6 s, one of them
ended itself, and an acknowledged write was gone, while it was healthy before and after (measured on 5.0.11).
"""

from __future__ import annotations

import itertools
import typing as t
from datetime import datetime, timezone

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import Marks, Watched
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.view import ClusterView, ServerView

# Of a restart that is wanted: the stop is sent, its nodes answer again, and they are in sync.
MARKS = ("stopped", "answered", "in_sync")

Instance = tuple["Endpoint", str]


class Watch:
    """Takes sweeps, the first one as what was there. ``restarts``: addresses of nodes whose one restart is wanted."""

    def __init__(self, restarts: t.Iterable[Endpoint] = ()) -> None:
        self._wanted = frozenset(restarts)
        self._began = ""
        self._sweeps = 0
        self._first = self._last = self._calm_since = 0.0
        self._signature: tuple[object, ...] | None = None
        self._epochs: list[int] = []
        self._masters: list[str] = []
        self._elections = 0
        self._started: dict[Endpoint, set[str]] = {}
        self._restarted: list[str] = []
        self._stopping: set[Instance] = set()
        self._ended: list[str] = []
        self._marks: dict[str, float] = {}
        self._two_masters = _Span()
        self._no_quorum = _Span()

    @property
    def calm_s(self) -> float:
        """For so long, up to the last sweep: quorum, one master and epoch, and no node began, ended or fell silent."""
        return self._last - self._calm_since

    def add(self, cluster: ClusterView, now: float) -> None:
        """Take one more sweep; ``now`` is its time on the monotonic clock."""
        if not self._sweeps:
            self._began = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._first = now
        for node in cluster.nodes:
            self._add_ends(node)
            self._add_starts(node)
        self._add_marks(cluster, now)
        self._add_master(cluster)
        self._two_masters.add(now, [node.name for node in cluster.claimants], len(cluster.claimants) > 1)
        self._no_quorum.add(now, [], not cluster.has_quorum)
        signature = _signature(cluster)
        if signature is None or signature != self._signature:
            self._calm_since = now
        self._signature = signature
        self._last = now
        self._sweeps += 1

    def facts(self) -> Watched:
        """What was seen, in plain types."""
        return {
            "began": self._began,
            "seconds": round(self._last - self._first, 3),
            "sweeps": self._sweeps,
            "calm_s": round(self.calm_s, 3),
            "elections": self._elections,
            "epochs": list(self._epochs),
            "masters": list(self._masters),
            "two_masters_s": round(self._two_masters.seconds, 3),
            "two_masters": list(self._two_masters.names),
            "no_quorum_s": round(self._no_quorum.seconds, 3),
            "restarted": list(self._restarted),
            "ended": list(self._ended),
            **t.cast("Marks", {f"{mark}_s": round(second, 3) for mark, second in self._marks.items()}),
        }

    def stop(self, now: float) -> None:
        """The stop of the wanted restart is sent."""
        self._marks["stopped"] = now - self._first

    def _add_marks(self, cluster: ClusterView, now: float) -> None:
        """How far the wanted restart has come since the stop. No sweep is made while the service starts."""
        wanted = [node for node in cluster.nodes if not self._wanted.isdisjoint(node.addresses)]
        if "stopped" not in self._marks or not wanted or not all(node.answers for node in wanted):
            return
        self._marks.setdefault("answered", now - self._first)
        if all(node in cluster.in_sync for node in wanted):
            self._marks.setdefault("in_sync", now - self._first)

    def _add_master(self, cluster: ClusterView) -> None:
        """Of two that say they are master, the one of the later epoch; an epoch is what an election begins."""
        claims = [(node.own.epoch_number, node.name) for node in cluster.claimants if node.own]
        if not claims:
            return
        epoch, name = max(claims, key=lambda claim: (claim[0], claim[1] in self._masters[-1:]))
        is_first, is_other = not self._masters, self._masters[-1:] != [name]
        risen = epoch - self._epochs[-1] if self._epochs else 0
        if is_first or risen > 0:
            self._epochs.append(epoch)
        if is_other:
            self._masters.append(name)
        if not is_first:
            self._elections += max(risen, int(is_other))

    def _add_starts(self, node: ServerView) -> None:
        """An instance id is new at every start; one may hear of it before the node itself answers."""
        said = {member.instance_id for member in _words(node)}
        known = self._started.setdefault(node.key, set(said))
        if said - known and not self._is_wanted(node):
            self._restarted.append(node.name)
        known |= said

    def _add_ends(self, node: ServerView) -> None:
        """Who ends by itself says so before, and stays listed so; who is killed does not."""
        for member in _words(node):
            instance = node.key, member.instance_id
            if member.state not in members.STOPPING or instance in self._stopping:
                continue
            self._stopping.add(instance)
            if (self._sweeps or member.is_alive) and not self._is_wanted(node):
                self._ended.append(node.name)

    def _is_wanted(self, node: ServerView) -> bool:
        """Its one restart is wanted, and has not been seen yet."""
        return len(self._started.get(node.key, ())) < 2 and not self._wanted.isdisjoint(node.addresses)


class _Span:
    """The longest time for which something held, up to the first sweep in which it did not; ``names``: of whom."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.names: list[str] = []
        self._since: float | None = None
        self._names: list[str] = []

    def add(self, now: float, names: list[str], holds: bool) -> None:
        if self._since is None and holds:
            self._since, self._names = now, names
        if self._since is not None and now - self._since >= self.seconds:
            self.seconds, self.names = now - self._since, self._names
        if not holds:
            self._since = None


def _words(node: ServerView) -> list[members.Member]:
    return [*([node.own] if node.own else []), *(member for _view, member in node.seen)]


def _signature(cluster: ClusterView) -> tuple[object, ...] | None:
    """What stays as it is while the cluster is calm; None while it is not."""
    ends = any(word.is_alive and word.state in members.STOPPING for node in cluster.nodes for word in _words(node))
    if cluster.master is None or not cluster.has_quorum or ends:
        return None
    master = cluster.master
    answering = sorted((node.key, node.own.instance_id) for node in cluster.nodes if node.own)
    return master.key, master.own.epoch_number if master.own else None, *answering


def lines(watched: Watched) -> list[str]:
    """What happened, each in a sentence without its full stop; none if nothing did."""
    said = []
    if watched["elections"]:
        epochs, masters = watched["epochs"], ", then ".join(watched["masters"])
        number = f"{watched['elections']} election{'s' if watched['elections'] > 1 else ''}"
        said.append(f"{number}: epoch {epochs[0]} to {epochs[-1]}, master {masters}")
    if watched["two_masters"]:
        said.append(
            f"{' and '.join(watched['two_masters'])} were master at once for {watched['two_masters_s']:.1f} s: writes"
            " of this time may be lost although they were acknowledged"
        )
    if watched["no_quorum_s"]:
        said.append(f"there was no quorum for {watched['no_quorum_s']:.1f} s")
    said += [f"{name} ended by itself{times}; its log says why" for name, times in _times(watched["ended"])]
    said += [f"{name} was started again{times}" for name, times in _times(watched["restarted"])]
    return said


def _times(names: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    for name, same in itertools.groupby(sorted(names)):
        times = len(list(same))
        yield name, f" {times} times" if times > 1 else ""


__all__ = ["MARKS", "Watch", "lines"]
