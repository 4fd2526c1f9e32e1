# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A database node or a manager of a plan, and where the others reach it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Options


@dataclass(frozen=True)
class PlannedServer:
    """``kind`` is database or manager; ``free`` options are the operator's and win over the ``derived`` ones."""

    host: str
    name: str
    kind: str
    derived: Options
    free: Options = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def variable(self) -> str:
        """The inventory variable in which its options can be changed."""
        return f"eventstore_{self.kind}_options"

    @property
    def options(self) -> Options:
        return {**self.derived, **self.free}

    @property
    def seed(self) -> Endpoint:
        """The address at which the others look for it, which is its name in gossip."""
        return self.advertised("Int")

    def advertised(self, side: str) -> Endpoint:
        """The address of its HTTP server that the others are told."""
        return addresses.advertised(self.options, f"{side}HttpPort")

    def is_translated(self, side: str) -> bool:
        """Whether the others use another IP than it listens on."""
        return self.advertised(side).host != str(self.options[f"{side}Ip"])


__all__ = ["PlannedServer"]
