# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The facts ``es_gossip``, from the arguments of a task to the report; the module and the action plugin share it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint, is_ip, is_name
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError, problem_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import (
    CONFIRM_AFTER_S,
    SILENT_CODES,
    Doubts,
    report,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import GossipFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.watch import Watch, lines
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep, tls
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "endpoints": {"type": "list", "elements": "raw", "required": True},
    "cluster_size": {"type": "int"},
    "tls": {"type": "dict", "options": {"ca": {"type": "path", "required": True}}},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 2.0},
    "until": {"type": "str", "choices": ["none", "answered", "quorum", "healthy", "steady"], "default": "none"},
    "wait_timeout": {"type": "float", "default": 60.0},
    "settle": {"type": "float", "default": 0.0},
    "watch": {"type": "float", "default": 0.0},
    "fail": {"type": "bool", "default": True},
    "from": {"type": "str", "choices": ["controller", "target"], "default": "controller"},
}

_FOR_EVER = float("inf")

# With one of these, someone that was asked did not answer for itself.
_SILENT = frozenset({"no-answer", "not-itself", "wildcard-address", "master-silent", "gossip-not-ready", *SILENT_CODES})

_CONDITIONS: dict[str, t.Callable[[GossipFacts], bool]] = {
    "answered": lambda facts: not any(problem["code"] in _SILENT for problem in facts["problems"]),
    "quorum": lambda facts: facts["has_quorum"],
    "healthy": lambda facts: facts["healthy"],
    # Calm needs two sweeps: the first one cannot tell what has just happened.
    "steady": lambda facts: facts["healthy"] and facts["watched"]["calm_s"] > 0,
}
_FAILURES = {
    "answered": "not every endpoint answers",
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
    targets = read_endpoints(params["endpoints"], names=True)
    _refuse_numbers(params)
    with sweep.Sweeper(read_access(params)) as sweeper:
        return _gather(params, targets, sweeper)


def read_access(params: t.Mapping[str, t.Any]) -> sweep.Access | None:
    """How to ask over TLS, None for plain HTTP; GossipError names what is missing."""
    user, password = params["user"] or "", params["password"] or ""
    if not params["tls"]:
        if user or password:
            raise GossipError("a password goes over TLS only", where="user", hint="Give tls, or leave user out")
        return None
    if bool(user) != bool(password):
        raise GossipError("expected both or none of user and password", where="user" if password else "password")
    if ":" in user:
        raise GossipError("expected a user without a colon", where="user")  # it would end the name (RFC 7617)
    return sweep.Access(tls.trusting(params["tls"]["ca"]), user, password)


def _gather(params: t.Mapping[str, t.Any], targets: t.Sequence[view.Target], sweeper: sweep.Sweeper) -> GossipFacts:
    until, look = params["until"], _Look(targets, params, sweeper)
    if until == "none":
        return wait_until(look, look.is_over, timeout_s=params["watch"] + 2 * CONFIRM_AFTER_S).last
    holds = _CONDITIONS[until]
    waited = wait_until(look, holds, timeout_s=params["wait_timeout"], settle_s=params["settle"])
    if not waited.ok:
        why = (
            f"it was not true for {params['settle']:g} s without interruption"
            if holds(waited.last)
            else _FAILURES[until]
        )
        first = (
            f"until: {until}: {why}, {waited.elapsed_s:.1f} s after the first of {len(targets)} endpoints was queried"
        )
        happened = [f"- watched: {line}." for line in lines(waited.last["watched"]) if until == "steady"]
        raise ConditionNotMet("\n".join([first, *problem_lines(waited.last["problems"]), *happened]), waited.last)
    return waited.last


def _refuse_numbers(params: t.Mapping[str, t.Any]) -> None:
    for name, least in (("cluster_size", 1), ("timeout", 0.001), ("wait_timeout", 0), ("settle", 0), ("watch", 0)):
        if params[name] is not None and not least <= params[name] < _FOR_EVER:
            raise GossipError(f"expected a number from {least} on, got {params[name]}", where=name)
    if params["until"] == "none":
        return
    if params["watch"]:
        raise GossipError(
            f"expected one of watch and until, got both ({params['watch']:g} and {params['until']})",
            where="watch",
            hint="Use settle with until; watched has the events in both cases",
        )
    if params["settle"] > params["wait_timeout"]:
        raise GossipError(f"it is longer than wait_timeout ({params['wait_timeout']:g} s)", where="settle")


class _Look:
    """Gives the facts of one more sweep, and of what was seen since the first."""

    def __init__(self, targets: t.Sequence[view.Target], params: t.Mapping[str, t.Any], sweeper: sweep.Sweeper) -> None:
        self._sweeper = sweeper
        self._targets = targets
        self._params = params
        self._watch = Watch()
        self._doubts = Doubts()

    def __call__(self) -> GossipFacts:
        views = ask(self._targets, self._params["timeout"], self._sweeper)
        cluster = view.ClusterView(views, self._params["cluster_size"])
        now = time.monotonic()
        self._watch.add(cluster, now)
        return {**report(cluster, self._doubts, now), "watched": self._watch.facts()}

    def is_over(self, facts: GossipFacts) -> bool:
        """It was watched for long enough, and long enough to be sure of what may be told only then."""
        return facts["watched"]["seconds"] >= self._params["watch"] and not self._doubts.open


def ask(targets: t.Sequence[view.Target], timeout_s: float, sweeper: sweep.Sweeper | None = None) -> list[view.View]:
    """One sweep: the gossip of all, and /info of all that are not known to be managers."""
    informed = [target for target in targets if target.kind != view.MANAGER]
    requests = [sweep.Request(target.address, "/gossip", target.server_name) for target in targets]
    requests += [sweep.Request(target.address, "/info", target.server_name) for target in informed]
    results = (sweeper or sweep.Sweeper()).sweep(requests, timeout_s=timeout_s)
    infos = dict(zip(informed, results[len(targets) :]))
    return [view.read(target, result, infos.get(target)) for target, result in zip(targets, results)]


def read_endpoints(entries: t.Sequence[t.Any], *, names: bool = False) -> list[view.Target]:
    """Read the option ``endpoints``; GossipError names the entry that is wrong.

    ``names``: hosts may be names, as servers from 20.x on have them.
    """
    if not entries:
        raise GossipError("expected at least one endpoint, got none", where="endpoints")
    targets = [
        _read_endpoint(entry, f"endpoints, entry {number}", names) for number, entry in enumerate(entries, start=1)
    ]
    seen: dict[Endpoint, int] = {}
    for number, target in enumerate(targets, start=1):
        first = seen.setdefault(target.address, number)
        if first != number:
            raise GossipError(
                f"entries {first} and {number} are both {target.address}",
                where="endpoints",
                hint="List each endpoint once: a node that counts twice could make a quorum alone",
            )
    return targets


def _read_endpoint(entry: t.Any, where: str, names: bool) -> view.Target:
    if isinstance(entry, str):
        return view.Target(_address(entry, where, names))
    known = ("name", "host", "kind", "address", "internal", "server_name")
    if not isinstance(entry, t.Mapping) or "address" not in entry or not set(entry) <= set(known):
        raise GossipError(
            f"expected {'HOST' if names else 'IP'}:PORT, or address with any of {', '.join(known)}, got {entry!r}",
            where=where,
        )
    kind = entry.get("kind") or ""
    if kind not in ("", view.DATABASE, view.MANAGER):
        raise GossipError(f"expected kind to be {view.DATABASE} or {view.MANAGER}, got {kind!r}", where=where)
    internal = entry.get("internal")
    return view.Target(
        address=_address(entry["address"], f"{where}, address", names),
        name=str(entry.get("name") or ""),
        host=str(entry.get("host") or ""),
        kind=str(kind),
        internal=_address(internal, f"{where}, internal", names) if internal else None,
        server_name=_server_name(entry.get("server_name"), f"{where}, server_name"),
    )


def _address(text: t.Any, where: str, names: bool) -> Endpoint:
    try:
        return Endpoint.parse(str(text), names=names)
    except ValueError as error:
        hint = "Servers of 3.x to 5.x answer only requests by IP address, for example 192.168.1.11:2113"
        raise GossipError(str(error), where=where, hint="" if names else hint) from None


def _server_name(text: t.Any, where: str) -> str:
    name = str(text or "")
    if name and not (is_ip(name) or is_name(name)):
        raise GossipError(f"expected a name or an address, got {name!r}", where=where)
    return name


__all__ = ["ARGUMENT_SPEC", "ConditionNotMet", "ask", "gather", "not_met", "read_endpoints"]
