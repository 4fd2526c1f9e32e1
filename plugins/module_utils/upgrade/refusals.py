# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether a hop may begin: what no document allows, what the machines cannot do, and what the operator has not said."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts, problem_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import STOP_ALL
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.report import upgrade
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.status import begun, left_out, stopped

Facts = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Asked:
    """What the operator has asked for.

    ``stop_all``: of the playbook that stops all nodes; ``accept``: a version, ``stop_cluster``: a cluster's name, each
    as typed or empty; ``check``: nothing is to be changed; ``start`` and ``shortest``: see report.upgrade.
    """

    stop_all: bool = False
    accept: str = ""
    stop_cluster: str = ""
    check: bool = False
    start: str = ""
    shortest: bool = False


@dataclass(frozen=True)
class Begin:
    """All that decides: ``hops`` and ``problems`` of the way, ``looks``: what was seen on each machine in reach."""

    plan: Plan
    gossip: ClusterFacts
    hops: t.Sequence[Facts]
    problems: t.Sequence[ProblemFacts]
    looks: t.Mapping[str, Facts]
    asked: Asked

    @property
    def name(self) -> str:
        return self.plan["cluster_name"]

    @property
    def stops_all(self) -> bool:
        """Whether the hop, if there is one, stops all nodes."""
        return bool(self.hops) and self.hops[0]["mode"] == STOP_ALL


def check(gossip: ClusterFacts, plan: Plan, looks: t.Mapping[str, Facts], asked: Asked) -> dict[str, t.Any]:
    """``hop``: what is to be done now, empty if nothing is; ``lines``: the way; ``refusal``: why not, or empty."""
    # In a full stop any node may be silent: what is not well is refused, and all are stopped in any case.
    silent = looks if asked.stop_all else stopped(looks)
    last = {host: looks[host].get("last_versions", {}) for host in silent}
    way = upgrade(gossip, plan, plan["version"], stopped=last, start=asked.start, shortest=asked.shortest)
    return {
        "hop": next(iter(way["hops"]), {}),
        "lines": way["lines"],
        "refusal": refusal(Begin(plan, gossip, way["hops"], way["problems"], looks, asked)),
    }


def refusal(begin: Begin) -> str:
    """The first reason not to begin; empty if there is none."""
    return next((text for rule in RULES if (text := rule(begin))), "")


def _left_out(begin: Begin) -> str:
    return left_out(begin.plan, begin.looks)


def _not_allowed(begin: Begin) -> str:
    return "\n".join(problem_lines(begin.problems))


def _windows(begin: Begin) -> str:
    found = sorted(host for host, machine in begin.plan["hosts"].items() if machine["platform"] == "windows")
    if not begin.hops or not found:
        return ""
    return (
        f"Not upgraded: {', '.join(found)} run Windows, where only the installer of a version can replace its service."
        " Some releases of it do nothing in a session such as Ansible's, and a way back would need it too. Nothing was"
        " changed. Role upgrade's README says how to take the hop by hand."
    )


def _several_hops(begin: Begin) -> str:
    if len(begin.hops) < 2:
        return ""
    return (
        f"Not upgraded: {begin.plan['version']} is {len(begin.hops)} hops away, and each is a run of its own. Nothing"
        f" was changed. Set eventstore_version to {begin.hops[0]['to']} first, with its archive."
    )


def _no_quorum(begin: Begin) -> str:
    if not begin.hops or begin.stops_all or begin.gossip["has_quorum"]:
        return ""
    first = f"Not upgraded: {begin.name} has no quorum. Nothing was changed. See playbook eventstore.cluster.recover."
    return "\n".join([first, *problem_lines(begin.gossip["problems"])])


def _not_healthy(begin: Begin) -> str:
    if not (begin.stops_all and begin.asked.stop_all) or begun(begin.looks) or begin.gossip["healthy"]:
        return ""
    first = (
        f"Not upgraded: {begin.name} is not healthy, and a full stop begins only when every node is seen to have every"
        " acknowledged write. Nothing was changed. Put this right first; if the cluster was stopped: playbook"
        f" eventstore.cluster.start with -e eventstore_version={begin.hops[0]['from']}"
    )
    return "\n".join([first, *problem_lines(begin.gossip["problems"])])


def _other_playbook(begin: Begin) -> str:
    if not begin.hops or begin.asked.check or begin.stops_all == begin.asked.stop_all:
        return ""
    if begin.stops_all:
        return (
            f"Not upgraded: this hop cannot roll. All nodes of {begin.name} have to be stopped together, and no client"
            " can read or write until they run again. Nothing was changed. Run playbook"
            " eventstore.cluster.full_stop_upgrade."
        )
    return (
        "Not upgraded: this hop can roll, so that clients can go on. Nothing was changed. Run playbook"
        " eventstore.cluster.rolling_upgrade."
    )


def _not_named(begin: Begin) -> str:
    if not begin.stops_all or begin.asked.check or begin.asked.stop_cluster == begin.name:
        return ""
    return (
        f"Not upgraded: this hop stops all nodes of {begin.name}, and no client can read or write until they run again."
        f" Nothing was changed. To stop the cluster on purpose, type its name: -e stop_cluster={begin.name}"
    )


def _not_accepted(begin: Begin) -> str:
    before, one_way = ([*begin.hops[0]["before"]], [*begin.hops[0]["one_way"]]) if begin.hops else ([], [])
    if not (before or one_way) or begin.asked.check or begin.asked.accept == begin.plan["version"]:
        return ""
    return (
        f"Not upgraded: what has to be done before this hop ({len(before)}) and what cannot be undone after it"
        f" ({len(one_way)}) is listed above. Nothing was changed. When you have done and accepted that, run it again"
        f" with -e upgrade_accept={begin.plan['version']}"
    )


RULES: tuple[t.Callable[[Begin], str], ...] = (
    _left_out,
    _not_allowed,
    _windows,
    _several_hops,
    _no_quorum,
    _not_healthy,
    _other_playbook,
    _not_named,
    _not_accepted,
)


__all__ = ["RULES", "Asked", "Begin", "check", "refusal"]
