# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The facts ``es_gossip``, from the arguments of a task to the report; the module and the action plugin share it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, problem_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import CONFIRM_AFTER_S, Doubts, report
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import GossipFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import Watch, lines
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "endpoints": {"type": "list", "elements": "raw", "required": True},
    "cluster_size": {"type": "int"},
    "timeout": {"type": "float", "default": 2.0},
    "until": {"type": "str", "choices": ["none", "answered", "quorum", "healthy", "steady"], "default": "none"},
    "wait_timeout": {"type": "float", "default": 60.0},
    "settle": {"type": "float", "default": 0.0},
    "watch": {"type": "float", "default": 0.0},
    "fail": {"type": "bool", "default": True},
    "from": {"type": "str", "choices": ["controller", "target"], "default": "controller"},
}

_FOR_EVER = float("inf")

# With one of these, somebody that was asked did not answer for itself.
_SILENT = frozenset({"no-answer", "not-itself", "wildcard-address", "master-silent", "gossip-not-ready"})

_CONDITIONS: dict[str, t.Callable[[GossipFacts], bool]] = {
    "answered": lambda facts: not any(problem["code"] in _SILENT for problem in facts["problems"]),
    "quorum": lambda facts: facts["has_quorum"],
    "healthy": lambda facts: facts["healthy"],
    # Calm needs two sweeps: the first one cannot tell what has just happened.
    "steady": lambda facts: facts["healthy"] and facts["watched"]["calm_s"] > 0,
}
_FAILURES = {
    "answered": "not every endpoint answers for itself",
    "quorum": "the cluster has no quorum",
    "healthy": "the cluster is not healthy",
    "steady": "the cluster is not healthy and calm",
}


FACTS_VERBOSITY = 3


class ConditionNotMet(GossipError):
    """What ``until`` asks for did not come true; ``facts`` are the last ones."""

    def __init__(self, problem: str, facts: GossipFacts) -> None:
        super().__init__(problem)
        self.facts = facts


def not_met(error: ConditionNotMet, fail: bool, verbosity: int) -> dict[str, t.Any]:
    """The result where the condition did not come true.

    A failed task returns its message alone: callbacks print thousands of characters of facts before it.
    """
    facts = {"ansible_facts": {"es_gossip": error.facts}}
    if not fail:
        return {"changed": False, "not_met": str(error), **facts}
    return {"failed": True, "msg": str(error), **(facts if verbosity >= FACTS_VERBOSITY else {})}


def gather(params: t.Mapping[str, t.Any]) -> GossipFacts:
    """Ask all endpoints, again and again until the condition holds; ConditionNotMet if it does not in time."""
    targets = read_endpoints(params["endpoints"])
    _refuse_numbers(params)
    until, look = params["until"], _Look(targets, params)
    if until == "none":
        return wait_until(look, look.is_over, timeout_s=params["watch"] + 2 * CONFIRM_AFTER_S).last
    holds = _CONDITIONS[until]
    waited = wait_until(look, holds, timeout_s=params["wait_timeout"], settle_s=params["settle"])
    if not waited.ok:
        why = f"it did not hold for {params['settle']:g} s without a break" if holds(waited.last) else _FAILURES[until]
        first = f"until: {until}: {why}, {waited.elapsed_s:.1f} s after the first of {len(targets)} endpoints was asked"
        happened = [f"- watched: {line}." for line in lines(waited.last["watched"]) if until == "steady"]
        raise ConditionNotMet("\n".join([first, *problem_lines(waited.last["problems"]), *happened]), waited.last)
    return waited.last


def _refuse_numbers(params: t.Mapping[str, t.Any]) -> None:
    for name, least in (("cluster_size", 1), ("timeout", 0.001), ("wait_timeout", 0), ("settle", 0), ("watch", 0)):
        if params[name] is not None and not least <= params[name] < _FOR_EVER:
            raise GossipError(f"expected a number from {least} on, but came {params[name]}", where=name)
    if params["until"] == "none":
        return
    if params["watch"]:
        raise GossipError(
            f"expected one of watch and until, but came both ({params['watch']:g} and {params['until']})",
            where="watch",
            hint="Give settle with until: what was seen meanwhile is in watched either way",
        )
    if params["settle"] > params["wait_timeout"]:
        raise GossipError(f"it is longer than wait_timeout ({params['wait_timeout']:g} s)", where="settle")


class _Look:
    """Gives the facts of one more sweep, and of what was seen since the first."""

    def __init__(self, targets: t.Sequence[view.Target], params: t.Mapping[str, t.Any]) -> None:
        self._targets = targets
        self._params = params
        self._watch = Watch()
        self._doubts = Doubts()

    def __call__(self) -> GossipFacts:
        cluster = view.ClusterView(ask(self._targets, self._params["timeout"]), self._params["cluster_size"])
        now = time.monotonic()
        self._watch.add(cluster, now)
        return {**report(cluster, self._doubts, now), "watched": self._watch.facts()}

    def is_over(self, facts: GossipFacts) -> bool:
        """It was watched for long enough, and long enough to be sure of what may be told only then."""
        return facts["watched"]["seconds"] >= self._params["watch"] and not self._doubts.open


def ask(targets: t.Sequence[view.Target], timeout_s: float) -> list[view.View]:
    """One sweep: the gossip of all, and /info of all that are not known to be managers."""
    informed = [target for target in targets if target.kind != view.MANAGER]
    requests = [sweep.Request(target.address, "/gossip") for target in targets]
    requests += [sweep.Request(target.address, "/info") for target in informed]
    results = sweep.sweep(requests, timeout_s=timeout_s)
    infos = dict(zip(informed, results[len(targets) :]))
    return [view.read(target, result, infos.get(target)) for target, result in zip(targets, results)]


def read_endpoints(entries: t.Sequence[t.Any]) -> list[view.Target]:
    """Read the option ``endpoints``; GossipError names the entry that is wrong."""
    if not entries:
        raise GossipError("expected at least one endpoint, but came none", where="endpoints")
    targets = [_read_endpoint(entry, f"endpoints, entry {number}") for number, entry in enumerate(entries, start=1)]
    seen: dict[Endpoint, int] = {}
    for number, target in enumerate(targets, start=1):
        first = seen.setdefault(target.address, number)
        if first != number:
            raise GossipError(
                f"entries {first} and {number} are both {target.address}",
                where="endpoints",
                hint="Give each endpoint once: a node that is counted twice would be a quorum by itself",
            )
    return targets


def _read_endpoint(entry: t.Any, where: str) -> view.Target:
    if isinstance(entry, str):
        return view.Target(_address(entry, where))
    known = ("name", "host", "kind", "address", "internal")
    if not isinstance(entry, t.Mapping) or "address" not in entry or not set(entry) <= set(known):
        raise GossipError(
            f"expected IP:PORT, or address with any of {', '.join(known)}, but came {entry!r}", where=where
        )
    kind = entry.get("kind") or ""
    if kind not in ("", view.DATABASE, view.MANAGER):
        raise GossipError(f"expected kind to be {view.DATABASE} or {view.MANAGER}, but came {kind!r}", where=where)
    internal = entry.get("internal")
    return view.Target(
        address=_address(entry["address"], f"{where}, address"),
        name=str(entry.get("name") or ""),
        host=str(entry.get("host") or ""),
        kind=str(kind),
        internal=_address(internal, f"{where}, internal") if internal else None,
    )


def _address(text: t.Any, where: str) -> Endpoint:
    try:
        return Endpoint.parse(str(text))
    except ValueError as error:
        raise GossipError(
            str(error), where=where, hint="Servers answer only when asked by IP address, for example 192.168.1.11:2113"
        ) from None


__all__ = ["ARGUMENT_SPEC", "ConditionNotMet", "ask", "gather", "not_met", "read_endpoints"]
