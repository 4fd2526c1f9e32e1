# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The states to which a service can be brought, what each takes, and what came of it; the same on Linux and Windows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.permission import Seen

# States in which the service is installed, and those for which running nodes are stopped.
PRESENT = ("started", "restarted", "installed")
STOPS = ("stopped", "restarted", "absent")


class Steps(t.NamedTuple):
    """``ends``: it is not to run afterwards. ``stops``: something runs that must end. ``starts``: it is started."""

    ends: bool
    stops: bool
    starts: bool


def steps(state: str, *, is_up: bool, runs: bool) -> Steps:
    """What ``state`` takes. ``is_up``: the service itself runs; ``runs``: anything of it runs, or is about to."""
    return Steps(
        ends=state in ("stopped", "absent"),
        stops=runs and state in STOPS,
        starts=state == "restarted" or (state == "started" and not is_up),
    )


@dataclass
class Outcome:
    """What was found and done. ``before`` and ``after``: what changes, for a diff; ``answer``: of the service."""

    changed: bool = False
    before: str = ""
    after: str = ""
    answer: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seen: Seen = field(default_factory=dict)

    def change(self, what: str, before: str, after: str) -> None:
        """Note that ``what`` changes; empty where there is nothing before, or after."""
        self.changed = True
        self.before += f"{what}:\n{before}" if before else ""
        self.after += f"{what}:\n{after}" if after else ""


__all__ = ["PRESENT", "STOPS", "Outcome", "Steps", "steps"]
