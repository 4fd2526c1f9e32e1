# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Permission to stop: acquire the lease, sweep, decide, let the stop happen, wait until the nodes are back, release.

This process may be paused after its decision, by a signal or with its whole machine, and others stop nodes meanwhile.
So right before the stop it confirms that decision and lease still hold, or it decides again.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.progress import Rejoin
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import Watch, lines
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import conditions
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease import MAX_S, LeaseHeld
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease_client import LeaseClient

SWEEP_TIMEOUT_S = 2.0
# For so long a cluster has to stay as it is after a rejoin, before another stop of the same play too. The next election
# came 1.0 s after that of the rejoin, and ended a node 1.6 s later (measured on 5.0.11).
CALM_S = 2.0
# Margin: a lease outlives its holder's next renewal by this much.
LEASE_S = 60.0
# A decision and a renewed lease that are older than this are made again. Without a pause they are some ms old.
FRESH_S = 5.0
ATTEMPTS = 3
EMPTY = "start-empty"
# Goes on while the machine is suspended, as Linux' monotonic clock does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


# ``state``: conditions.fingerprint of a cluster; ``seconds``: for so long it has been seen like this; ``calm``: for so
# long there was one master and epoch, and no node started or ended; ``watched``: what has happened since the look
# before the stop (gossip.watch), and how the nodes came back (gossip.progress.Rejoin); or nothing.
Seen = dict[str, t.Any]


@dataclass(frozen=True)
class ServiceNodes:
    """The database nodes that a stop of this service takes down. ``cluster_size``: their largest, None if unknown."""

    stop: conditions.Stop
    cluster_size: int | None


@dataclass
class Permission:
    """A permitted stop. ``warnings`` are for the operator.

    ``confirm()`` right before the stop, in the process that sends it: decides again where that was too long ago.
    ``wait_until_back(problem)`` after a restart: stops waiting as soon as ``problem()`` returns a text; returns the
    state to pass to the next stop as ``seen``. ``keep()`` extends it for another stop and start of the same service.
    """

    confirm: t.Callable[[], None] = lambda: None
    wait_until_back: t.Callable[[t.Callable[[], str]], Seen] = lambda _problem: {}
    keep: t.Callable[[], None] = lambda: None
    warnings: list[str] = field(default_factory=list)


class StopPolicy:
    """The option ``cluster``: the endpoints to ask before a stop, and what the operator has typed.

    ``began``: when it came, on the monotonic clock; by default now.
    """

    def __init__(self, given: t.Mapping[str, t.Any], began: float | None = None) -> None:
        self.name: str = given["name"]
        self.override: str = given.get("override") or ""
        self._targets = facts.read_endpoints(given["endpoints"]) if given.get("endpoints") else []
        self._size: int = given.get("cluster_size") or 0
        self._settle_s: float = given["settle"]
        self._wait_s: float = given["wait"]
        self._stall_s: float = given["stall"]
        self._calm_s: float = given.get("calm", CALM_S)
        self._watch = Watch()
        self._in_sync: frozenset[Endpoint] = frozenset()
        self._break: str = given.get("break_lease") or ""
        self._decided_at = float("-inf")
        self._stopped_at = 0.0
        seen: Seen = given.get("seen") or {"state": "", "seconds": 0.0, "calm": CALM_S}
        now = time.monotonic() if began is None else began
        self._seen_state = seen["state"]
        self._seen_since: float = now - seen["seconds"]
        self._calm_since: float = now - seen.get("calm", 0.0)
        # A restart of this play was just before, and its elections may still follow.
        self._owed_s = CALM_S if given.get("seen") else 0.0
        managers = [each.internal or each.address for each in self._targets if each.kind == view.MANAGER]
        self._lease_client: LeaseClient | None = None
        if managers:
            # Only a stop needs it, and asyncio takes longer to import than all the rest.
            from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.lease_client import LeaseClient

            self._lease_client = LeaseClient(managers, given["owner"], cluster=self.name)
        for option in ("settle", "wait", "stall", "calm"):
            if not 0 <= given.get(option, 0) < float("inf"):
                raise ServiceError(f"expected a number of 0 or more, got {given[option]}", where=f"cluster.{option}")
        if self.override and self.override != self.name:
            raise ServiceError(
                f"override is {self.override!r}, but the cluster is {self.name!r}",
                where="cluster",
                hint="Nothing was stopped. Type the name of the cluster that may lose its quorum",
            )

    @contextlib.contextmanager
    def permit(self, service: ServiceNodes, *, hold_s: float, check_mode: bool) -> t.Iterator[Permission]:
        """Hold the permission to stop; ServiceError says what would have happened. ``hold_s``: the stop's own time."""
        if not self._targets:
            raise ServiceError("endpoints are missing", where="cluster", hint="Give those of all its nodes")
        size = max(self._size, service.cluster_size or 0, 1)
        if check_mode:
            self._decide(service.stop, size, check_mode=True)
            yield Permission()
            return
        if self._lease_client and self._break:
            self._lease_client.end(self._break)
        seconds = min(MAX_S, hold_s + self._wait_s + max(self._settle_s, self._owed_s) + LEASE_S)

        def decide() -> None:
            self._decide(service.stop, size)

        self._watch = Watch(address for addresses in service.stop.nodes for address in addresses)
        with self._lease(seconds) as warnings:
            decide()
            yield Permission(
                lambda: self._confirm(decide, service.stop, seconds),
                lambda problem: self._wait_until_back(service.stop, size, problem),
                lambda: self._renew(seconds),
                warnings,
            )

    @contextlib.contextmanager
    def _lease(self, seconds: float) -> t.Iterator[list[str]]:
        if self._lease_client is None:
            yield []
            return
        try:
            known = self._take(self._lease_client, seconds)
            yield (
                []
                if known
                else [f"the managers of {self.name} do not support leases: two controllers can stop nodes at once"]
            )
        finally:
            self._lease_client.release()

    def _take(self, lease_client: LeaseClient, seconds: float) -> bool:
        def attempt() -> LeaseHeld | bool:
            try:
                return lease_client.take(seconds)
            except LeaseHeld as refusal:
                return refusal

        waited = wait_until(attempt, lambda got: not isinstance(got, LeaseHeld), timeout_s=self._wait_s)
        if isinstance(waited.last, LeaseHeld):
            raise waited.last
        return waited.last

    def _confirm(self, decide: t.Callable[[], None], stop: conditions.Stop, seconds: float) -> None:
        """Return at a moment at which the decision is fresh, and the lease has lasted since it was taken and goes on.

        It is made longer for the whole stop once more. Nothing that can take time may follow before the stop is sent.
        """
        for _attempt in range(ATTEMPTS):
            asked = time.clock_gettime(_CLOCK)
            kept = self._lease_client is None or self._lease_client.renew(seconds)
            oldest = min(asked, self._decided_at)
            if kept and time.clock_gettime(_CLOCK) - oldest <= FRESH_S:
                self._stopped_at = time.monotonic()
                self._watch.stop(self._stopped_at)
                return
            # Others may have had the lease since then, and the cluster may be another one.
            self._seen_state = ""
            if self._lease_client:
                self._take(self._lease_client, seconds)
            decide()
        problem = Problem(
            "paused",
            f"not stopped: {ATTEMPTS} times the sweep of the cluster was more than {FRESH_S:g} s old, or the lease was "
            "lost, before the stop could be sent: this process or its machine is paused again and again",
            "Check the load of the machine that runs es_service, and run it again",
            f"{stop.service} of {self.name}",
        )
        raise ServiceError.of(problem)

    def _sweep(self, size: int) -> view.ClusterView:
        cluster = view.ClusterView(facts.ask(self._targets, SWEEP_TIMEOUT_S), size)
        self._watch.add(cluster, time.monotonic())
        return cluster

    def _decide(self, stop: conditions.Stop, size: int, *, check_mode: bool = False) -> None:
        """Return when the cluster can do without these nodes, and no election or restart was within the settle time.

        After a restart of this play, when it was calm for CALM_S as well. In check mode it is not waited for.
        """
        settle_s, calm_s, wait_s = (0.0, 0.0, 0.0) if check_mode else (self._settle_s, self._owed_s, self._wait_s)
        history: list[view.ClusterView] = []
        since = calm_since = asked_at = 0.0

        def look() -> list[Problem]:
            nonlocal since, calm_since, asked_at
            asked_at = time.clock_gettime(_CLOCK)  # the answers are from then or later
            history.append(self._sweep(size))
            problems = conditions.refusals(history, stop)
            if any(problem.code == conditions.NOT_SETTLED for problem in problems):
                del history[:-1]  # the settle time begins again, and sweeps from before it count no longer
                since = calm_since = time.monotonic()
            elif len(history) == 1:
                is_as_seen = conditions.fingerprint(history[0]) == self._seen_state
                since = self._seen_since if is_as_seen else time.monotonic()
                calm_since = self._calm_since if is_as_seen else since
            del history[1:-1]
            return problems

        def may_stop(problems: list[Problem]) -> bool:
            now = time.monotonic()
            return not problems and now - since >= settle_s and now - calm_since >= calm_s

        waited = wait_until(look, may_stop, timeout_s=max(settle_s, calm_s) + wait_s)
        if not waited.ok:
            raise self._refusal(history[-1], stop, waited.last or [_UNSTABLE])
        self._decided_at = asked_at
        self._in_sync = frozenset(node.key for node in history[-1].in_sync)

    def _refusal(self, cluster: view.ClusterView, stop: conditions.Stop, problems: list[Problem]) -> ServiceError:
        names = ", ".join(node.name for node in conditions.nodes_stopped_by(cluster, stop)) or "its database nodes"
        reasons = "; ".join(problem.text for problem in problems)
        return ServiceError(
            f"not stopped: it would take down {names}, but {reasons}",
            where=f"{stop.service} of {self.name}",
            hint=f"{problems[0].hint}. To skip the check of the quorum, type the cluster's name: override: {self.name}",
            codes=list(dict.fromkeys(problem.code for problem in problems)),
        )

    def _renew(self, seconds: float) -> None:
        if self._lease_client:
            self._lease_client.take(seconds)

    def _wait_until_back(self, stop: conditions.Stop, size: int, problem: t.Callable[[], str]) -> Seen:
        """Wait while the nodes make progress: a copy may take hours, but a node that stands still is a failure."""
        best: dict[object, float] = {}
        moved = renewed = since = time.monotonic()
        rejoin = Rejoin(self._stopped_at)
        state = ""

        def look() -> list[str]:
            nonlocal moved, renewed, since, state
            cluster = self._sweep(size)
            now = time.monotonic()
            now_is = conditions.fingerprint(cluster)
            if now_is != state:
                state, since = now_is, now
            lacks = conditions.missing(cluster, stop)
            rejoin.add(map(cluster.lag_bytes, conditions.nodes_stopped_by(cluster, stop)), is_back=not lacks, now=now)
            lacks = lacks or self._absent(cluster)
            for key, left in self._still_to_do(cluster, back=not lacks):
                if key not in best or left < best[key]:
                    best[key] = left
                    moved = now
            if now - renewed > LEASE_S / 3:
                self._renew(LEASE_S)
                renewed = now
            return lacks or self._unrest()

        stuck = ""

        def is_over(lacks: list[str]) -> bool:
            nonlocal stuck
            if lacks:
                stuck = problem()
                if not stuck and time.monotonic() - moved > self._stall_s:
                    stuck = f"it made no progress for {self._stall_s:g} s"
            return not lacks or bool(stuck)

        waited = wait_until(look, is_over, timeout_s=float("inf"))
        if waited.last:
            raise ServiceError(
                f"it was restarted, but {stuck}: {'; '.join([*waited.last, *lines(self._watch.facts())])}",
                where=f"{stop.service} of {self.name}",
                hint="It was left running. Read its log before another node is stopped",
            )
        seconds, calm_s = time.monotonic() - since, self._watch.calm_s
        return {
            "state": state,
            "seconds": seconds,
            "calm": calm_s,
            "watched": {**self._watch.facts(), **rejoin.facts()},
        }

    def _still_to_do(self, cluster: view.ClusterView, *, back: bool) -> t.Iterator[tuple[object, float]]:
        """What to wait for, each with a number that falls with progress."""
        for node in cluster.nodes:
            lag = cluster.lag_bytes(node)
            yield (node.key, node.state, lag is None), lag or 0
        if back:
            yield "calm", -self._watch.calm_s

    def _absent(self, cluster: view.ClusterView) -> list[str]:
        """The nodes that a rejoin has ended: of others that were in sync before."""
        away = [node for node in cluster.nodes if node.key in self._in_sync and node not in cluster.in_sync]
        return [f"{node.name} was in sync before the stop, and is not in sync now" for node in away]

    def _unrest(self) -> list[str]:
        """Whether elections may still follow: a healthy cluster had its next one 1 s after that of the rejoin, two
        masters, and a node that ended itself 1.6 s after that (measured on 5.0.11).
        """
        calm_s = self._watch.calm_s
        return [] if calm_s >= self._calm_s else [f"the cluster had one master and one epoch only for {calm_s:.1f} s"]

    def refuse_to_empty(self, service: ServiceNodes) -> None:
        """ServiceError unless the others have a quorum, from which a node that is started empty gets everything."""
        cluster = self._sweep(max(self._size, service.cluster_size or 0, 1))
        gone = {node.key for node in conditions.nodes_stopped_by(cluster, service.stop)}
        left = [node.name for node in cluster.in_sync if node.key not in gone]
        if cluster.master is None or len(left) < cluster.quorum_size:
            problem = Problem(
                EMPTY,
                f"start_empty is given, but without its own {len(left)} of {cluster.cluster_size} nodes are in sync "
                f"and {cluster.quorum_size} are needed: what was acknowledged could be lost for ever",
                "Restore the quorum of the nodes that have data first: playbook eventstore.cluster.recover",
                f"{service.stop.service} of {self.name} was not started",
            )
            raise ServiceError.of(problem)


_UNSTABLE = Problem("not-settled", "the cluster did not stay as it is for the settle time", "Run it again")


@contextlib.contextmanager
def permit(
    cluster: StopPolicy | None, service: ServiceNodes, *, hold_s: float, check_mode: bool
) -> t.Iterator[Permission]:
    """Permit what harms no cluster, or what was asked for by name; ServiceError for all else."""
    if not service.stop.nodes or (cluster and cluster.override):
        yield Permission()
    elif cluster:
        with cluster.permit(service, hold_s=hold_s, check_mode=check_mode) as permission:
            yield permission
    elif service.cluster_size == 1:
        yield Permission()
    else:
        size = service.cluster_size or "an unknown number of"
        problem = Problem(
            "cluster-not-given",
            f"not stopped: it runs a database node of a cluster of {size} nodes, and cluster is not set, so the quorum "
            "of the other nodes cannot be checked",
            "Set cluster with name, endpoints and cluster_size; or with name and override to skip the quorum's check"
            + ("" if service.cluster_size else ". ClusterSize is not known of a file written after the node's start"),
            service.stop.service,
        )
        raise ServiceError.of(problem)


def refuse_to_empty(cluster: StopPolicy | None, service: ServiceNodes) -> None:
    """ServiceError unless a node of the service can be filled from the others."""
    if cluster is None:
        problem = Problem(
            EMPTY,
            "start_empty is given, and cluster is not, so whether the others have a quorum cannot be asked",
            "Give cluster with name, endpoints and cluster_size",
            f"{service.stop.service} was not started",
        )
        raise ServiceError.of(problem)
    cluster.refuse_to_empty(service)


__all__ = ["Permission", "Seen", "ServiceNodes", "StopPolicy", "permit", "refuse_to_empty"]
