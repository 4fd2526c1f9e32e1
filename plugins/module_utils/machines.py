# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""All machines of a play together: whether it may change something on any of them."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan import sizes
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import is_release

Facts = t.Mapping[str, t.Any]
Problems = list[ProblemFacts]

OTHER_VERSION = "other-version"


def machine_problems(looks: t.Mapping[str, Facts], *, passed: t.Collection[str] = ()) -> Problems:
    """Those of es_preflight on every machine (``looks``: machine -> its result), without those of the codes ``passed``.

    A machine that was not looked at need not be reached by the others: with --limit it may be switched off.
    """
    own = [problem for look in looks.values() for problem in look["problems"] if problem["code"] not in passed]
    unreached = [peer for look in looks.values() for peer in look.get("unreached_peers", []) if peer["host"] in looks]
    return [*own, *unreached]


def size_problems(gossip: Facts, plan: Plan, looks: t.Mapping[str, Facts]) -> Problems:
    """Why nodes that do not run must not be started beside those that do, by their ClusterSizes."""
    seen = {host: look["nodes"] for host, look in looks.items() if "nodes" in look}
    answering = {member["name"] for member in gossip["members"] if member["answers"]}
    return [problem.facts() for problem in sizes.start_problems(plan, seen, answering)]


def version_problems(gossip: Facts, plan: Plan, *, started: bool = False) -> Problems:
    """Nodes that run another version than the plan's: a crash would start them in it, in no order of an upgrade.

    ``started``: this play has started them from the plan's directories.
    """
    version = plan["version"]
    others = [each for each in gossip["members"] if each["es_version"] and not is_release(each["es_version"], version)]
    if not others:
        return []
    homes = ", ".join(dict.fromkeys(machine["software"]["home"] for machine in plan["hosts"].values()))
    hint = (
        f"Their software is in {homes}, and is another version's. Set eventstore_version to the version that runs, with"
        " its archive, then run playbooks eventstore.cluster.site and eventstore.cluster.rolling_restart with -e"
        " preflight_last_version=<that version>"
        if started
        else "Nothing was changed. To upgrade, run playbook eventstore.cluster.rolling_upgrade. To leave the version as"
        " it is, set eventstore_version to it"
    )
    running = ", ".join(f"{each['name']} runs {each['es_version']}" for each in others)
    text = f"eventstore_version is {version}, but {running}"
    return [Problem(OTHER_VERSION, text, hint).facts()]


__all__ = ["OTHER_VERSION", "machine_problems", "size_problems", "version_problems"]
