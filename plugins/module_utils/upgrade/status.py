# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Where each machine is in the middle of an upgrade, whether it can go on, and what an operator can do where not."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.matrix import STOP_ALL
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import is_release

Facts = t.Mapping[str, t.Any]


def status(
    gossip: ClusterFacts, plan: Plan, hop: Facts, looks: t.Mapping[str, Facts], failures: t.Mapping[str, str]
) -> dict[str, t.Any]:
    """``problems``: why it stops here, empty if it can go on; ``lines``: each machine, and what to do next.

    ``running``: nodes that answer in the new version. ``hop``: as it was planned, empty if all nodes had the version.
    ``looks``: machine -> what was seen on it, of all that can be reached. ``failures``: machine -> why it failed.
    ``upgrading``: machines with nodes that the hop is for; ``first``: those that start the version before the others,
    none where a node answers in it. ``stopped`` and ``begun``: see the functions of these names. ``left_out``: why it
    cannot go on with these machines only, else empty.
    """
    versions = {each["name"]: each["es_version"] for each in gossip["members"] if each["es_version"]}
    running = [name for name, version in versions.items() if is_release(version, plan["version"])]
    old = [name for name in versions if name not in running] if hop and hop["mode"] == STOP_ALL else []
    problems = [f"{host}: {why}" for host, why in failures.items()]
    missing = [host for host in plan["hosts"] if host not in looks]
    if missing:
        problems.append(f"{', '.join(missing)} cannot be reached any more, so that nobody knows what runs there")
    if old:
        who = ", ".join(f"{name} ({versions[name]})" for name in old)
        problems.append(f"{who} runs; with nodes of {plan['version']} it cannot be one cluster")
    machines = [f"{host} {_where(looks.get(host), failures.get(host))}" for host in plan["hosts"]]
    upgrading = list(dict.fromkeys(name.partition("/")[0] for name in hop.get("nodes", ())))
    others = [host for host in plan["hosts"] if host not in upgrading]
    return {
        "problems": problems,
        "lines": [*machines, *_next(plan, hop, looks, running)],
        "running": running,
        "upgrading": upgrading,
        "first": [] if running else [*others, *upgrading][:1],
        "stopped": stopped(looks),
        "begun": begun(looks),
        "left_out": left_out(plan, looks),
    }


def stopped(looks: t.Mapping[str, Facts]) -> list[str]:
    """Machines where no planned service runs; an interrupted turn leaves one."""
    return [host for host, look in looks.items() if not look["running"]]


def begun(looks: t.Mapping[str, Facts]) -> bool:
    """Whether a full stop was interrupted: it began from a healthy cluster, and machines are stopped."""
    return bool(stopped(looks)) and any(look.get("full_stop_begun") for look in looks.values())


def left_out(plan: Plan, looks: t.Collection[str]) -> str:
    """Why an upgrade cannot go on with these machines only; empty if they are all."""
    missing = ", ".join(sorted(set(plan["hosts"]) - set(looks)))
    return missing and (
        f"Not upgraded: {missing} would be left out, and an upgrade takes all machines. No node was stopped. Run it"
        " without --limit, with every machine in reach."
    )


def _where(look: Facts | None, failure: str | None) -> str:
    if not look:
        return "is out of reach"
    started = ", ".join(sorted(set(look["last_versions"].values()))) or "an unknown version"
    state = f"runs, started in {started}" if look["running"] else f"is stopped; {started} was started there last"
    return f"{state}; it has failed" if failure else state


def _next(plan: Plan, hop: Facts, looks: t.Mapping[str, Facts], running: t.Sequence[str]) -> t.Iterator[str]:
    yield "Next: put that right, and run the same command again. It goes on from here"
    if not hop or hop["mode"] != STOP_ALL:
        return
    untouched = [host for host, look in looks.items() if set(look["last_versions"].values()) == {hop["from"]}]
    touched = [host for host in plan["hosts"] if host not in untouched]
    nodes = sum(len(plan["hosts"][host]["nodes"]) for host in untouched)
    changes = [f"{change['text']}; going back: {change['going_back']}" for change in hop["one_way"]]
    if running or nodes < plan["quorum_size"]:
        yield f"Going back to {hop['from']} is not planned: {hop['to']} was started on {', '.join(touched)}"
        yield from changes
        return
    yield (
        f"Or back to {hop['from']}, as no master of {hop['to']} was elected: playbook eventstore.cluster.start with -e"
        f" eventstore_version={hop['from']} --limit {','.join(untouched)}"
    )
    if touched:
        yield (
            f"{', '.join(touched)} may have opened its database in {hop['to']}, so it follows when that is undone or"
            f" known to be harmless: playbook eventstore.cluster.site with -e eventstore_version={hop['from']} -e"
            f" preflight_last_version={hop['from']}"
        )
        yield from changes


__all__ = ["begun", "left_out", "status", "stopped"]
