# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The route to a version, as lines and as data, from the facts ``es_gossip`` and the plan of the cluster."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    Problem,
    ProblemFacts,
    UpgradeError,
    problem_lines,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.report import ADVICE
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts, MemberFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import join
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade import configuration, routes
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import (
    BACK_UP_INDEX,
    MASTER_LAST,
    ROLLING,
    STOP_ALL,
    Crossing,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

_MODES = {
    ROLLING: "rolling",
    MASTER_LAST: "rolling, slaves first, master last",
    STOP_ALL: "STOP ALL nodes, upgrade, start all",
}


def upgrade(
    gossip: ClusterFacts,
    plan: Plan,
    target: str,
    *,
    stopped: t.Mapping[str, t.Mapping[str, str]] | None = None,
    start: str = "",
    shortest: bool = False,
) -> dict[str, t.Any]:
    """``hops`` and ``lines`` to read; ``problems`` where it is refused, and then the others are empty.

    ``stopped``: machines whose nodes need not answer -> service -> the version that it ran last. Where that is not
    known, it is ``start``; without it, the oldest one of all. ``shortest``: fewer hops, though more of them stop all
    nodes.
    """
    stopped = stopped or {}
    refused: dict[str, t.Any] = {"hops": [], "lines": []}
    planned = {endpoint["name"] for endpoint in plan["endpoints"]}
    members = [each for each in gossip["members"] if each["name"] in planned or each["is_alive"]]
    running = {member["name"]: member["es_version"] for member in members if member["es_version"]}
    silent = [member for member in members if not member["es_version"]]
    missing = [member for member in silent if member["host"] not in stopped]
    if missing or not members:
        return {**refused, "problems": [_unknown_versions(missing), *gossip["problems"]]}
    try:
        for member in silent:
            running[member["name"]] = _last(plan, member["name"], stopped[member["host"]])
        unknown = [member for member in silent if not running[member["name"]]]
        known = start or routes.oldest(filter(None, running.values()))
        if unknown and not start and known in ("", str(Version.parse(target, where="upgrade_to"))):
            return {**refused, "problems": [_unknown_start(unknown)]}
        running.update({member["name"]: known for member in unknown})
        route = routes.plan_route(running, target, down=[member["name"] for member in silent])
        if shortest:
            route = routes.shortest(route)
    except UpgradeError as error:
        return {**refused, "problems": [error.as_problem("no-upgrade").facts()]}
    return {
        "hops": [_hop_facts(hop, plan) for hop in route.hops],
        "lines": [*_head(route, members, plan), *_not_now(route, gossip), *_body(route, plan)],
        "problems": [],
    }


def _last(plan: Plan, name: str, versions: t.Mapping[str, str]) -> str:
    """The version that a node ran last: that of its own service, or of its machine's manager."""
    host, _slash, node = name.partition("/")
    machine = plan["hosts"][host]
    own = (each for each in machine["nodes"] if each["name"] == node)
    service = machine["manager"] or next(own, {"service": ""})
    return versions.get(service["service"], "")


def _unknown_versions(silent: t.Sequence[MemberFacts]) -> ProblemFacts:
    who = ", ".join(f"{member['name']} ({member['address']})" for member in silent) or "no database node"
    return Problem(
        "unknown-version",
        f"nothing is planned, because not every node says which version it runs; missing: {who}",
        "Bring these nodes back, then plan again: a node left out may be one that the new version cannot join",
    ).facts()


def _unknown_start(silent: t.Sequence[MemberFacts]) -> ProblemFacts:
    return Problem(
        "unknown-version",
        f"{', '.join(member['name'] for member in silent)} does not run, and no running node tells its version",
        "Say from which version it comes: -e upgrade_from=VERSION. It is the last part of the directory that"
        " its service was started from",
    ).facts()


def _crossings(hop: routes.Hop, plan: Plan) -> list[Crossing]:
    windows = any(machine["platform"] == "windows" for machine in plan["hosts"].values())
    managers = plan["mode"] == "managers"
    return [each for each in hop.crossings if (windows or not each.windows) and (managers or not each.managers)]


def _hop_facts(hop: routes.Hop, plan: Plan) -> dict[str, t.Any]:
    passed = _crossings(hop, plan)
    return {
        "from": str(hop.start),
        "to": str(hop.end),
        "mode": hop.edge.mode,
        "nodes": list(hop.nodes),
        "before": list(dict.fromkeys(each.before for each in passed if each.before)),
        "one_way": [
            {"since": str(each.reached.first), "text": each.one_way, "going_back": each.going_back}
            for each in passed
            if each.one_way
        ],
        "notes": [each.note for each in passed if each.note],
        "inferred": hop.edge.inferred,
        "sources": list(dict.fromkeys([*hop.edge.sources, *(each.source for each in passed)])),
    }


def _head(route: routes.Route, members: t.Sequence[MemberFacts], plan: Plan) -> t.Iterator[str]:
    name = plan["cluster_name"]
    if not route.hops:
        yield f"{name} runs {route.target} on every node; there is nothing to do"
        return
    yield from _wrapped(f"{name} from {route.hops[0].start} to {route.target} {_count(route.hops)}", "  ")
    by_version: dict[str, list[str]] = {}
    for member in members:
        by_version.setdefault(str(route.running[member["name"]]), []).append(f"{member['name']} ({member['state']})")
    for version, names in by_version.items():
        yield from _wrapped(f"{version} runs on {', '.join(names)}", "  ")
    if route.interrupted:
        yield "An upgrade was interrupted; hop 1 finishes it"


def _count(hops: t.Sequence[routes.Hop]) -> str:
    stops = sum(hop.stops_all for hop in hops)
    count = "in 1 hop" if len(hops) == 1 else f"in {len(hops)} hops"
    return f"{count}, {stops} of them with all nodes down" if stops else f"{count}, never all nodes down"


def _not_now(route: routes.Route, gossip: ClusterFacts) -> t.Iterator[str]:
    if not route.hops:
        return
    wrong = [problem for problem in gossip["problems"] if problem["code"] not in ADVICE]
    if not gossip["healthy"]:
        yield "NOT NOW: the cluster is not healthy. Put this right before the first hop:"
        for line in problem_lines(wrong):
            yield from _wrapped(line, "  ")
    if gossip["quorum_size"] == gossip["cluster_size"] and not all(hop.stops_all for hop in route.hops):
        yield from _wrapped(
            f"NO NODE TO SPARE: quorum needs all {gossip['cluster_size']}, so a rolling hop stops writes while a node"
            " is down",
            "  ",
        )


def _body(route: routes.Route, plan: Plan) -> t.Iterator[str]:
    if not route.hops:
        return
    for number, hop in enumerate(route.hops, start=1):
        yield from ("", f"Hop {number} of {len(route.hops)}: {hop.start} -> {hop.end}, {_MODES[hop.edge.mode]}")
        yield from _hop_lines(hop, route, plan)
    if route.alternative:
        steps = [f"{hop.end}{' (stop all)' if hop.stops_all else ''}" for hop in route.alternative]
        steps_shown = " -> ".join([str(route.alternative[0].start), *steps])
        yield from ("", *_wrapped(f"Or {_count(route.alternative)}: {steps_shown}", "  "))
    found = configuration.findings(plan["hosts"], route.hops[0].start, [hop.end for hop in route.hops])
    yield from ("", "Configuration:")
    for each in found or ["each of these versions knows every planned option"]:
        yield from _wrapped(f"  {each}", "    ")
    yield from ("", "Nothing was changed. Take one hop at a time, and plan again after each.")


def _hop_lines(hop: routes.Hop, route: routes.Route, plan: Plan) -> t.Iterator[str]:
    facts = _hop_facts(hop, plan)
    if len(hop.nodes) < len(route.running):
        yield from _lines("nodes", f"{', '.join(hop.nodes)}; the others run {hop.end} already")
    for step in facts["before"]:
        yield from _lines("before", step)
        if step == BACK_UP_INDEX:
            yield from (f"{'':12}{each}" for each in _index_directories(hop, plan))
    for change in facts["one_way"]:
        yield from _lines("ONE WAY", f"from {change['since']} on: {change['text']}")
        yield from _lines("go back", change["going_back"])
    for note in facts["notes"]:
        yield from _lines("note", note)
    if hop.edge.inferred:
        yield from _lines("inferred", hop.edge.inferred)
    yield from _lines("source", "; ".join(facts["sources"]))


def _lines(label: str, text: str) -> list[str]:
    return _wrapped(f"  {label:9} {text}", " " * 12)


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines that fit beside what Ansible puts before them; paths stay whole."""
    return textwrap.wrap(text, 72, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _index_directories(hop: routes.Hop, plan: Plan) -> t.Iterator[str]:
    for host, machine in plan["hosts"].items():
        for node in machine["nodes"]:
            if f"{host}/{node['name']}" in hop.nodes:
                directory = node["options"].get("Index") or join(node["options"]["Db"], "index")
                yield f"{host}: {directory}"


__all__ = ["upgrade"]
