# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the servers will make of eventstore_environment: they pass over most slips in silence."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import replace

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import later, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import PREFIX, reference
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import Option, OptionSet, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.options import COMMAND_LINE_ONLY
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import HostVariables

VARIABLE = "eventstore_environment"


def check(inventory: t.Sequence[HostVariables]) -> t.Iterator[Problem]:
    """What is wrong, once for all machines that have the same. No value of a secret is in it."""
    hosts: dict[Problem, list[str]] = {}
    for variables in inventory:
        # The nodes of a manager have its environment.
        kinds = ("database", "manager") if variables["cluster_mode"] == "managers" else ("database",)
        tables = [option_set(kind, variables["version"]) for kind in kinds]
        for name, given in variables["environment"].items():
            problem = _check(variables, tables, str(name), given)
            if problem:
                hosts.setdefault(problem, []).append(variables.host)
    for problem, found in hosts.items():
        yield replace(problem, where=", ".join(found))


def _check(variables: HostVariables, tables: list[OptionSet], name: str, given: object) -> Problem | None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return Problem("wrong-value", f"{VARIABLE} has {name!r}, which is no name of a variable", "Correct the name")
    if not isinstance(given, str) or "\n" in given or "\0" in given:
        return Problem("wrong-value", f"{name} in {VARIABLE} is not a string of one line", "Put its value in quotes")
    option = next((each for table in tables for each in table if each.environment_name == name), None)
    if option is None:
        return _ignored(tables, name)
    if option.name in COMMAND_LINE_ONLY:
        why = "shows, but does not obey" if option.name == "Config" else "does not run with"
        return Problem("config-variable", f"{VARIABLE} sets {name}, which the server {why}", f"Take {name} out of it")
    if not given:
        return Problem(
            "environment-ignored", f"{name} in {VARIABLE} is empty: to the server it is not set", "Take it out"
        )
    problem = _value_problem(variables, option, given)
    return Problem("environment-value", f"{name} in {VARIABLE}: {problem}", f"Correct {name}") if problem else None


def _ignored(tables: list[OptionSet], name: str) -> Problem | None:
    known = [option.environment_name for table in tables for option in table]
    if name.upper().startswith(PREFIX):
        meant = later.meant(tables[0], name[len(PREFIX) :], lambda option: option.environment_name)
        hint = f"{meant[0].upper()}{meant[1:]}" if meant else "Take it out"
        return Problem("environment-ignored", f"{name} in {VARIABLE} is unknown to the server, which ignores it", hint)
    close = difflib.get_close_matches(name.upper(), known, 1, 0.85)
    if close:
        return Problem("environment-ignored", f"{name} in {VARIABLE} is not read by the server", f"Write {close[0]}")
    return None


def _value_problem(variables: HostVariables, option: Option, given: str) -> str:
    """Why the server does not start with the value, or reads another one."""
    named = reference(variables["version"], given)
    if named:
        given = variables["environment"].get(named, "")
        if not isinstance(given, str) or not given:
            return f"{named} is not set, so that {option.name} would get the server's own default"
    try:
        values.check_value(option, given, families.traits(variables["version"]))
    except ValueError as error:
        return str(error)
    wrong = path_problem(given, windows=variables.windows) if option.path else ""
    return f"the path {wrong}" if wrong else ""


__all__ = ["check"]
