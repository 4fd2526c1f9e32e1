# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The errors of the collection, all with a place and a way out.

EventStoreError
├── ConfigError      a configuration file, an option, an environment variable or a command line
├── WatchdogError    a watchdog file
├── TopologyError    the plan of a cluster
├── GossipError      an endpoint, or what it answered
├── ServiceError     a process or a service
├── DistributionError  an archive of the software
├── HostError        a Windows host: what is sent to it, or what it answered
├── UpgradeError     a way from one version to another
└── FormatError      a text of another program; also a ValueError, for callers that know the place
"""

from __future__ import annotations


class EventStoreError(Exception):
    """``problem``: what was expected and what came; ``where``: file, line, option or address; ``hint``: what to do."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text.rstrip('.')}. {self.hint}" if self.hint else text


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
    """A way from one version to another."""


class FormatError(EventStoreError, ValueError):
    """A text of another program."""


__all__ = [
    "ConfigError",
    "DistributionError",
    "EventStoreError",
    "FormatError",
    "GossipError",
    "HostError",
    "ServiceError",
    "TopologyError",
    "UpgradeError",
    "WatchdogError",
]
