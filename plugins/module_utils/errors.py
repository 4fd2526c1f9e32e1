# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Problems and errors of the collection, all with a place and a way out.

A ``Problem`` is reported, an ``EventStoreError`` is raised; an error that stands for problems has their codes.

EventStoreError
├── ConfigError      a configuration file, an option, an environment variable or a command line
├── WatchdogError    a watchdog file
├── TopologyError    the plan of a cluster
├── GossipError      an endpoint, or what it answered
├── ServiceError     a process or a service
├── DistributionError  an archive of the software
├── HostError        a Windows host: what is sent to it, or what it answered
├── UpgradeError     a route from one version to another
└── FormatError      a text of another program; also a ValueError, for callers that know the place
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

_Error = t.TypeVar("_Error", bound="EventStoreError")


class ProblemFacts(t.TypedDict):
    """A problem as modules return it and filters read it."""

    code: str
    text: str
    hint: str
    where: str


@dataclass(frozen=True)
class Problem:
    """``code`` for conditions, ``text``: a sentence, ``hint``: what to do.

    ``where``: the host or server that has it, "" where the sentence names it or the whole cluster has it.
    """

    code: str
    text: str
    hint: str
    where: str = ""

    def facts(self) -> ProblemFacts:
        return {"code": self.code, "text": self.text, "hint": self.hint, "where": self.where}


def problem_lines(problems: t.Sequence[ProblemFacts]) -> list[str]:
    """One line a problem: its code, where (places with the same problem together), what is wrong, what to do."""
    places: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in problems:
        where = places.setdefault((each["code"], each["text"], each["hint"]), {})
        where.update({each["where"]: None} if each.get("where") else {})
    return [
        f"- {code}: {', '.join(where)}{': ' if where else ''}{text.rstrip('.')}. {hint.rstrip('.')}."
        for (code, text, hint), where in places.items()
    ]


class EventStoreError(Exception):
    """``problem``: what was expected and what came; ``where``: file, line, option or address; ``hint``: what to do.

    ``codes``: of the problems that it stands for; a message ends with them.
    """

    def __init__(self, problem: str, *, where: str = "", hint: str = "", codes: t.Sequence[str] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint
        self.codes = tuple(codes)

    @classmethod
    def of(cls: type[_Error], problem: Problem) -> _Error:
        return cls(problem.text, where=problem.where, hint=problem.hint, codes=[problem.code])

    def as_problem(self, code: str) -> Problem:
        return Problem(code, self.problem, self.hint, self.where)

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        text = f"{text.rstrip('.')}. {self.hint}" if self.hint else text
        return f"{text} [{', '.join(self.codes)}]" if self.codes else text


class ConfigError(EventStoreError):
    """A configuration file, an option, an environment variable or a command line."""


class WatchdogError(EventStoreError):
    """A watchdog file."""


class TopologyError(EventStoreError):
    """The plan of a cluster."""


class GossipError(EventStoreError):
    """An endpoint, or what it answered."""


class ServiceError(EventStoreError):
    """A process or a service."""


class DistributionError(EventStoreError):
    """An archive of the software."""


class HostError(EventStoreError):
    """A Windows host: what is sent to it, or what it answered."""


class UpgradeError(EventStoreError):
    """A route from one version to another."""


class FormatError(EventStoreError, ValueError):
    """A text of another program."""


__all__ = [
    "ConfigError",
    "DistributionError",
    "EventStoreError",
    "FormatError",
    "GossipError",
    "HostError",
    "Problem",
    "ProblemFacts",
    "ServiceError",
    "TopologyError",
    "UpgradeError",
    "WatchdogError",
    "problem_lines",
]
