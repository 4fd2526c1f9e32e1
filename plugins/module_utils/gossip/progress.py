# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""How far the nodes have come that are not in sync yet: bytes behind, the rate, and how long it may take."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.view import ClusterView, ServerView

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """Compares each look with the first one, so that the estimate is steady."""

    def __init__(self) -> None:
        self._first: dict[Endpoint, tuple[float, int]] = {}

    def lines(self, cluster: ClusterView, now: float) -> list[str]:
        """One line for each node of the endpoints that is not in sync."""
        return [self._line(cluster, node, now) for node in cluster.asked if node not in cluster.in_sync]

    def _line(self, cluster: ClusterView, node: ServerView, now: float) -> str:
        text = f"{node.name} is {node.state if node.answers else 'silent'}"
        lag = cluster.lag_bytes(node) if node.answers else None
        if lag is None:
            return text
        text += f", {size(lag)} behind"
        began, first = self._first.setdefault(node.key, (now, lag))
        if now <= began:
            return text
        rate = (first - lag) / (now - began)
        if rate <= 0:
            return f"{text}, no nearer than {now - began:.0f} s ago"
        return f"{text}, {size(rate)}/s, about {lag / rate:.0f} s left"


class Rejoin:
    """How nodes that were stopped at a time came back: after which time they were caught up, and what they copied."""

    def __init__(self, stopped_at: float) -> None:
        self._stopped_at = stopped_at
        self._back_at: float | None = None
        self._most_behind = 0

    def add(self, lags: t.Iterable[int | None], *, is_back: bool, now: float) -> None:
        """Take one more sweep: by how many bytes each node is behind, and whether all are in sync and caught up."""
        self._most_behind = max([self._most_behind, *(lag for lag in lags if lag)])
        if not is_back:
            self._back_at = None
        elif self._back_at is None:
            self._back_at = now

    def facts(self) -> dict[str, t.Any]:
        """``back_s``: seconds from the stop until they were caught up for good; ``copied_bytes``: at the least."""
        back_s = None if self._back_at is None else round(self._back_at - self._stopped_at, 3)
        return {"back_s": back_s, "copied_bytes": self._most_behind}


def size(number: float) -> str:
    """A number of bytes, as people read it."""
    for unit in _UNITS[:-1]:
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} {_UNITS[-1]}"


__all__ = ["Progress", "Rejoin", "size"]
