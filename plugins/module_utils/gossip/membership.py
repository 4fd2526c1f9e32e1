# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Who is in the cluster, as far as one member knows: the servers' rules of merging, without any input or output.

For the built-in manager and for the lab's node. The rules are those of GossipServiceBase.cs (3.4 to 5.0); one is
added: a known member is not replaced by a third party's unresolved seed, which is a guess and not a member.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import (
    EMPTY_ID,
    MANAGER,
    STATES,
    ClusterInfo,
    Member,
    seconds,
)

if t.TYPE_CHECKING:
    import random

    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

# A member that has just started looks around quickly, then once per GossipIntervalMs.
STARTUP_ROUNDS = 20
STARTUP_INTERVAL_S = 0.1
DEAD_MEMBER_REMOVAL_S = 30 * 60
ALLOWED_TIME_DIFFERENCE_S = 60
DRAWS = 5
# More than any cluster has; what a stranger posts must not fill the memory.
MAX_MEMBERS = 1000

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Members = dict["Endpoint", Member]


class Membership:
    """The members by internal HTTP endpoint. What changes it returns lines for the log."""

    def __init__(self, own: Member, *, rng: random.Random, now: t.Callable[[], str]) -> None:
        self._own = own.key
        self._members: Members = {own.key: own}
        self._rng = rng
        self._now = now
        self._skewed: set[Endpoint] = set()

    @property
    def own(self) -> Member:
        return self._members[self._own]

    def set_own(self, own: Member) -> None:
        self._members[self._own] = own

    def now(self) -> str:
        return self._now()

    @property
    def members(self) -> t.Mapping[Endpoint, Member]:
        return self._members

    def info(self) -> ClusterInfo:
        """What is sent and answered; the own entry is as of now."""
        own = dataclasses.replace(self._members[self._own], time_stamp=self._now())
        self._members[self._own] = own
        return ClusterInfo(tuple(self._members.values()), self._own)

    def target(self) -> Endpoint | None:
        """The member to gossip to in this round: any but this manager, dead ones too, for they may be back."""
        candidates = list(self._members)
        for _draw in range(DRAWS):
            chosen = self._rng.choice(candidates)
            if chosen != self._own:
                return chosen
        return None

    def add_seeds(self, seeds: t.Iterable[Endpoint]) -> list[str]:
        """Enter endpoints not yet known, as the servers do it: as live managers without an id."""
        after = dict(self._members)
        for seed in seeds:
            after.setdefault(seed, Member.manager(EMPTY_ID, self._now(), seed, seed))
        return self._replace(after, "found by discovery")

    def receive(self, info: ClusterInfo, *, master: Endpoint | None = None) -> list[str]:
        """Merge what a member sent; GossipError, and nothing changes, if it is nothing that can be passed on.

        ``master``: the one that a database node follows. Of it only its own word and the connection to it count.
        """
        require_relayable(info)
        own_id = self._members[self._own].instance_id
        lines = []
        after = dict(self._members)
        for member in map(_as_manager, info.members):
            if member.key == self._own or member.instance_id == own_id:
                continue
            if member.key not in after and len(after) >= MAX_MEMBERS:
                continue
            if member.key == info.server:
                lines += self._compare_clocks(member)
                after[member.key] = member
            elif member.key not in after or (member.key != master and _is_newer(member, after[member.key])):
                after[member.key] = member
        return lines + self._replace(after, f"says {info.server}")

    def send_failed(self, target: Endpoint, why: str) -> list[str]:
        """Enter that a member did not answer."""
        member = self._members.get(target)
        if member is None or not member.is_alive:
            return []
        dead = dataclasses.replace(member, is_alive=False, time_stamp=self._now())
        return self._replace({**self._members, target: dead}, why)

    def _replace(self, after: Members, why: str) -> list[str]:
        oldest = seconds(self._now()) - DEAD_MEMBER_REMOVAL_S
        after = {key: member for key, member in after.items() if member.is_alive or seconds(member.time_stamp) > oldest}
        before, self._members = self._members, after
        return _changes(before, after, why)

    def _compare_clocks(self, member: Member) -> list[str]:
        """Servers log this and nothing else, though the documents say that such gossip is refused."""
        difference = seconds(member.time_stamp) - seconds(self._now())
        if abs(difference) <= ALLOWED_TIME_DIFFERENCE_S:
            self._skewed.discard(member.key)
            return []
        if member.key in self._skewed:
            return []
        self._skewed.add(member.key)
        return [
            f"the clock of {_name(member)} is {difference:+.0f} s from this machine's, more than "
            f"{ALLOWED_TIME_DIFFERENCE_S} s: later news may lose against earlier. Set the clocks by NTP"
        ]


def _as_manager(member: Member) -> Member:
    """Who wins an election of 5.0.11 calls managers Unknown for a moment; clients would take them for nodes."""
    return dataclasses.replace(member, state=MANAGER) if member.is_manager and member.state != MANAGER else member


def _is_newer(member: Member, existing: Member) -> bool:
    if member.is_unresolved_seed and not existing.is_unresolved_seed:
        return False
    ours = existing.epoch_number, existing.writer_checkpoint
    theirs = member.epoch_number, member.writer_checkpoint
    if theirs != ours:
        return theirs > ours
    return member.time_stamp != existing.time_stamp and seconds(member.time_stamp) > seconds(existing.time_stamp)


def require_relayable(info: ClusterInfo) -> None:
    """Whatever is merged is passed on to servers, which refuse a whole message for one field they cannot read."""
    if len(info.members) > MAX_MEMBERS:
        raise GossipError(f"expected at most {MAX_MEMBERS} members, got {len(info.members)}")
    for member in info.members:
        _require_relayable(member)


def is_relayable(member: Member) -> bool:
    """Whether servers can read this entry."""
    try:
        _require_relayable(member)
    except GossipError:
        return False
    return True


def _require_relayable(member: Member) -> None:
    endpoints = (member.internal_http, member.external_http, member.internal_tcp, member.external_tcp)
    for ip in (endpoint.host for endpoint in endpoints):
        if not _is_ip(ip):
            raise GossipError(f"expected an IP address, but a member has {ip[:60]!r}")
    if not member.internal_http.port:
        raise GossipError("expected a port from 1 to 65535, but a member has internalHttpPort 0")
    for guid in (member.instance_id, member.epoch_id):
        if not _GUID.fullmatch(guid):
            raise GossipError(f"expected a GUID, but a member has {guid[:60]!r}")
    if member.state not in STATES:
        raise GossipError(f"expected the state of a node, but a member has {member.state[:60]!r}")


@functools.lru_cache(maxsize=4 * MAX_MEMBERS)
def _is_ip(text: str) -> bool:
    """A plain address: what follows a ``%`` may be any text, and means something on one machine only."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _changes(before: Members, after: Members, why: str) -> list[str]:
    """What an operator wants to read of a change; times and positions change all the time and are left out."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if new is None:
            lines.append(f"{_name(t.cast('Member', old))} is forgotten: dead for {DEAD_MEMBER_REMOVAL_S // 60} minutes")
        elif old is None or (old.is_unresolved_seed and not new.is_unresolved_seed):
            lines.append(f"{_name(new)} joined{'' if new.is_alive else ', dead'}: {why}")
        elif old.is_alive != new.is_alive:
            lines.append(f"{_name(new)} is {'alive again' if new.is_alive else 'dead'}: {why}")
        elif old.instance_id != new.instance_id:
            lines.append(f"{_name(new)} was restarted: {why}")
    old_master, new_master = _master(before), _master(after)
    if new_master is None and old_master is not None:
        lines.append(f"there is no live master any more; it was {old_master}")
    elif new_master != old_master:
        lines.append(f"the master is now {new_master}; it was {old_master or 'none'}")
    return lines


def _master(members: Members) -> Endpoint | None:
    """The live master of the latest epoch: a frozen one can look alive next to its successor."""
    masters = [member for member in members.values() if member.is_master and member.is_alive]
    return max(masters, key=lambda member: member.epoch_number).key if masters else None


def _name(member: Member) -> str:
    if member.is_unresolved_seed:
        return f"seed {member.key}"
    return f"manager {member.key}" if member.is_manager else f"database node {member.key}"


__all__ = [
    "DEAD_MEMBER_REMOVAL_S",
    "MAX_MEMBERS",
    "STARTUP_INTERVAL_S",
    "STARTUP_ROUNDS",
    "Membership",
    "is_relayable",
    "require_relayable",
]
