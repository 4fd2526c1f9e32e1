# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""How many database nodes have to agree, and when two masters become possible.

A node counts votes and acknowledgements up to the majority of its own ClusterSize, and no node compares sizes with
another (measured on 3.4.0, 4.1.4, 23.10.6 and 24.10.4).
"""

from __future__ import annotations

import typing as t


def quorum(cluster_size: int) -> int:
    """The nodes that a node with this ClusterSize needs for an election or an acknowledged write, itself included."""
    return cluster_size // 2 + 1


def two_masters_possible(cluster_sizes: t.Iterable[int]) -> bool:
    """Whether a cut of the network can leave two masters among nodes with these ClusterSizes.

    It cannot while the two smallest majorities add up to more nodes than there are: then two groups that elect a
    master have a node in common. Every node counts that runs or may return.
    """
    majorities = sorted(map(quorum, cluster_sizes))
    return len(majorities) > 1 and majorities[0] + majorities[1] <= len(majorities)


__all__ = ["quorum", "two_masters_possible"]
