# SPDX-License-Identifier: GPL-3.0-or-later
"""What one member of the gossip knows of all, and how it learns: the merge rules of 3.x-5.x without input and output.

For the built-in manager and for the lab's node alike. Times come from outside, as text in wire form.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import (
    EMPTY_ID,
    ClusterInfo,
    Member,
    seconds,
)

if t.TYPE_CHECKING:
    import random

    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

STARTUP_ROUNDS = 20
STARTUP_INTERVAL_S = 0.1
DEAD_MEMBER_REMOVAL_S = 30 * 60
ALLOWED_DIFFERENCE_S = 60.0

Change = tuple[t.Optional[Member], t.Optional[Member]]


class Membership:
    """Members by internal HTTP endpoint, the own one among them."""

    def __init__(self, own: Member) -> None:
        self._members = {own.key: own}
        self._own_key = own.key

    @property
    def own(self) -> Member:
        return self._members[self._own_key]

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._members.values())

    def find(self, key: Endpoint) -> Member | None:
        return self._members.get(key)

    def info(self) -> ClusterInfo:
        """What to answer and to send."""
        return ClusterInfo(self.members, self._own_key)

    def set_own(self, own: Member) -> None:
        if own.key != self._own_key:
            raise ValueError(f"own member is {self._own_key}, not {own.key}")
        self._members[self._own_key] = own

    def add_seeds(self, seeds: t.Iterable[Endpoint], time_stamp: str) -> None:
        """List each seed as a live Manager with a zero id until something answers there, as servers do."""
        for seed in seeds:
            self._members.setdefault(seed, Member.manager(EMPTY_ID, time_stamp, seed, seed))

    def merge(self, info: ClusterInfo, time_stamp: str, *, master: Endpoint | None = None) -> list[Change]:
        """Take what another member says; (before, after) of everything whose state, life or identity changed.

        ``master``: whom this node itself follows. Of it only its own word and the own connection to it count.
        """
        changes: list[Change] = []
        for theirs in info.members:
            ours = self._members.get(theirs.key)
            if theirs.key == self._own_key or (ours is None and _is_stale(theirs, time_stamp)):
                continue
            taken = self._choose(ours, theirs, info.server, master)
            if taken is ours:
                continue
            self._members[theirs.key] = taken
            if ours is None or _essence(ours) != _essence(taken):
                changes.append((ours, taken))
        return changes

    def mark(self, key: Endpoint, time_stamp: str, *, is_alive: bool) -> list[Change]:
        """Note what the own attempt to reach a member has shown."""
        ours = self._members.get(key)
        if ours is None or key == self._own_key or ours.is_alive == is_alive:
            return []
        self._members[key] = dataclasses.replace(ours, is_alive=is_alive, time_stamp=time_stamp)
        return [(ours, self._members[key])]

    def drop_dead(self, time_stamp: str) -> list[Change]:
        """Forget members that have been dead for half an hour (measured: 1800.1 s)."""
        gone = [m for m in self.members if m.key != self._own_key and _is_stale(m, time_stamp)]
        for member in gone:
            del self._members[member.key]
        return [(member, None) for member in gone]

    def target(self, rng: random.Random) -> Member | None:
        """A random other member to gossip with; dead ones too, for they may be back."""
        others = [member for member in self.members if member.key != self._own_key]
        return rng.choice(others) if others else None

    @staticmethod
    def _choose(ours: Member | None, theirs: Member, sender: Endpoint, master: Endpoint | None) -> Member:
        if ours is None or theirs.key == sender:
            return theirs
        if theirs.instance_id == EMPTY_ID != ours.instance_id:
            return ours  # somebody has not reached a member that we know
        if theirs.key == master:
            return ours
        return theirs if _rank(theirs) > _rank(ours) else ours


def _rank(member: Member) -> tuple[int, int, float]:
    return member.epoch_number, member.writer_checkpoint, seconds(member.time_stamp)


def _essence(member: Member) -> tuple[str, str, bool]:
    return member.instance_id, member.state, member.is_alive


def _is_stale(member: Member, time_stamp: str) -> bool:
    return not member.is_alive and seconds(time_stamp) - seconds(member.time_stamp) > DEAD_MEMBER_REMOVAL_S


__all__ = ["ALLOWED_DIFFERENCE_S", "STARTUP_INTERVAL_S", "STARTUP_ROUNDS", "Change", "Membership"]
