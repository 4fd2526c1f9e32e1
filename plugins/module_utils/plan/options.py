# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The free options, which an operator writes."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.config.values import check, plain
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import HostVariables

COMMAND_LINE_ONLY = {
    "Config": "the server does not follow it there (measured on 3.4.0)",
    "Help": "the server would print its options and end",
    "Version": "the server would print its version and end",
    "WhatIf": "the server would print its options and end",
}


def read_options(
    server: str, kind: str, variables: HostVariables, given: t.Mapping[str, t.Any], problems: list[Problem]
) -> dict[str, t.Any]:
    """The free options by their canonical names, as typed values; adds their problems to ``problems``."""
    place, variable = f"{variables.host}/{server}", f"eventstore_{kind}_options"
    options = _option_set(kind, variables["version"])
    try:
        checked = check(options, given, refuse_unknown=False)
    except ConfigError as error:
        problems.append(Problem("wrong-option", error.problem, f"Correct it in {variable}", place))
        return {}
    problems += [Problem("unknown-option", why, f"Correct it in {variable}", place) for why in checked.unknown.values()]
    for name, value in checked.values.items():
        if name in COMMAND_LINE_ONLY:
            text = f"{name} has no place in a file: {COMMAND_LINE_ONLY[name]}"
            problems.append(Problem("wrong-option", text, f"Take it out of {variable}", place))
        option = options.find(name)
        wrong = option and option.path and value and path_problem(str(value), windows=variables.windows)
        if wrong:
            problems.append(Problem("wrong-option", f"{name} {wrong}", f"Correct it in {variable}", place))
    # Of unknown ones nothing is known, their type neither, and the plan cannot be used.
    return {name: plain(value) for name, value in checked.values.items() if options.find(name)}


def doubts(kind: str, version: str, names: t.Iterable[str]) -> list[str]:
    """Of which options it is not known whether this version has them, as sentences."""
    options = _option_set(kind, version)
    found = (option for option in map(options.find, names) if option)
    return [doubt for doubt in map(options.doubt, found) if doubt]


def default_log(version: str) -> str:
    """The directory in which a database node on Linux logs by default."""
    option = _option_set("database", version).find("Log")
    return str(option.default) if option else ""


def environment_names(kind: str, version: str) -> dict[str, str]:
    """Environment variable -> the option it sets."""
    return {option.environment_name: option.name for option in _option_set(kind, version)}


_option_set = functools.lru_cache(maxsize=None)(option_set)

__all__ = ["default_log", "doubts", "environment_names", "read_options"]
