# SPDX-License-Identifier: GPL-3.0-or-later
"""Which claims a manager believes. Gossip has no authentication, so what comes in is a claim.

* A member is listed once it has answered at its own address, or is a seed. What is merely claimed is asked, not listed:
  what does not exist is never passed on, and does not come back after a restart.
* Of a member counts what it says of itself, as with the servers, which take the sender's own entry as it is. What
  others say of it makes the manager ask it: after an election others call a node Unknown, with a later time, for a
  second (measured on 5.0.11), and hearsay of before the election has the higher position.
* The machines of the cluster are those of the seeds, this one, and what the operator lists. From other addresses
  nothing is believed, but for their own address to ask, until a member answers there.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import time
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import membership as rules
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo, Member, seconds

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# After news there are quick rounds for so long, so that all managers have it soon.
STIRRED_S = 2.0
# No clock of a cluster is so far ahead; such a time would win against every later word.
FAR_AHEAD_S = 24 * 3600
# Addresses asked at one time, and how long the same one then is not asked again: a member, one of the cluster's
# machines, any other.
AT_ONCE = 8
AGAIN_S = (0.25, 2.0, 60.0)
DOUBT, MACHINE, STRANGER = range(3)
MAX_TO_ASK = 128
OWN_IPS_S = 10.0
MAX_REMEMBERED = 2048
# Members that are on no machine of the cluster: database nodes without a manager, or other servers that answer gossip.
MAX_STRANGERS = 32
MAX_MEMBERS = 256


class Trust:
    """The manager's membership, and whose word changes it. What changes it returns lines for the log."""

    def __init__(
        self,
        membership: Membership,
        *,
        listed: t.Sequence[Network] = (),
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._membership = membership
        self._listed = tuple(listed)
        self._clock = clock
        self._seeds: set[Endpoint] = set()
        self._proven: set[Endpoint] = set()
        self._to_ask: dict[Endpoint, int] = {}
        self._not_before: dict[Endpoint, float] = {}
        self._ahead: set[Endpoint] = set()
        self._stirred_until = 0.0
        self._own: set[str] = set()
        self._own_ips_until = 0.0

    # -- who is who --------------------------------------------------------------------------------------------------

    def is_machine(self, ip: str) -> bool:
        """Whether the address belongs to a machine of the cluster, or the operator says so."""
        known = {seed.host for seed in self._seeds} | {
            self._membership.own.key.host,
            self._membership.own.external_http.host,
        }
        known |= {each.external_http.host for key, each in self._membership.members.items() if key in self._seeds}
        if ip in known:
            return True
        address = _address(ip)
        if address is None:
            return False
        return any(address in network for network in self._listed) or address.is_loopback or ip in self._own_ips()

    def _own_ips(self) -> set[str]:
        now = self._clock()
        if now >= self._own_ips_until:
            self._own, self._own_ips_until = _addresses_here(), now + OWN_IPS_S
        return self._own

    def _is_known(self, ip: str) -> bool:
        members = (self._membership.members[key] for key in self._proven)
        return self.is_machine(ip) or any(ip in (each.internal_http.host, each.external_http.host) for each in members)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def info(self) -> ClusterInfo:
        return self._membership.info()

    def found(self, seeds: t.Iterable[Endpoint]) -> list[str]:
        """Take the cluster's addresses as they are configured or in the DNS now."""
        self._seeds = set(seeds)
        return self._news(self._membership.add_seeds(sorted(self._seeds)))

    def posted(self, info: ClusterInfo, peer: str) -> list[str]:
        """Something came in from an address; GossipError if it cannot be passed on."""
        rules.require_relayable(info)
        if not self._is_known(peer):
            if info.server.host == peer:
                self._ask(info.server, STRANGER)
            return []
        is_own_word = info.server in self._proven and (
            peer in (info.server.host, self._membership.members[info.server].external_http.host)
            or self.is_machine(peer)
        )
        return self._merge(info, info.server if is_own_word else None)

    def answered(self, target: Endpoint, info: ClusterInfo) -> list[str]:
        """A member answered at its address."""
        if info.server != target and target not in self._seeds:
            return self.failed(target, f"it calls itself {info.server}")
        sound = tuple(each for each in info.members[: rules.MAX_MEMBERS] if rules.is_relayable(each))
        if info.server in {each.key for each in sound} and self._has_room(info.server):
            self._proven.add(info.server)
        return self._merge(dataclasses.replace(info, members=sound), info.server)

    def failed(self, target: Endpoint, why: str) -> list[str]:
        """A member did not answer."""
        return self._news(self._membership.send_failed(target, why))

    def _has_room(self, key: Endpoint) -> bool:
        if key in self._proven or key in self._seeds:
            return True
        if self.is_machine(key.host):
            return len(self._proven) < MAX_MEMBERS
        return sum(not self.is_machine(each.host) for each in self._proven) < MAX_STRANGERS

    def _merge(self, info: ClusterInfo, speaker: Endpoint | None) -> list[str]:
        """``speaker``: whose own word it is, as far as that is sure."""
        believed, lines = [], []
        for member in info.members:
            if self._is_ahead(member):
                if member.key == speaker and member.key not in self._ahead:
                    self._ahead.add(member.key)
                    lines.append(f"the clock of {member.key} is more than a day ahead: not listed. Fix its clock")
            elif member.key not in self._proven:
                is_announced = member.key == info.server
                self._ask(member.key, MACHINE if is_announced or self.is_machine(member.key.host) else STRANGER)
            elif member.key == speaker:
                self._ahead.discard(member.key)
                self._to_ask.pop(member.key, None)
                believed.append(member)
            elif _role(member) == _role(self._membership.members[member.key]):
                believed.append(member)
            elif self._may_be_right(member, self._membership.members[member.key]):
                self._ask(member.key, DOUBT)
        # Without a speaker no one's entry is taken as it is: the server's own rules decide.
        changes = self._membership.receive(ClusterInfo(tuple(believed), speaker or self._membership.own.key))
        return lines + self._news(changes)

    def _is_ahead(self, member: Member) -> bool:
        return seconds(member.time_stamp) - seconds(self._membership.now()) > FAR_AHEAD_S

    @staticmethod
    def _may_be_right(member: Member, stored: Member) -> bool:
        """Whether hearsay that says something else of a member than itself did is news. Old news is nothing."""
        if not (stored.is_alive or member.is_alive):
            return False
        return member.epoch_number > stored.epoch_number or seconds(member.time_stamp) > seconds(stored.time_stamp)

    # -- what is asked next ------------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Something happens: have quick rounds for a moment."""
        self._stirred_until = self._clock() + STIRRED_S

    @property
    def is_stirred(self) -> bool:
        return self._clock() < self._stirred_until

    def target(self) -> Endpoint | None:
        return self._membership.target()

    def due(self) -> list[Endpoint]:
        """Who is to be asked now, next to the rounds: the most important first."""
        now = self._clock()
        waiting = sorted(self._to_ask, key=self._to_ask.__getitem__)
        chosen = [key for key in waiting if self._not_before.get(key, now) <= now][:AT_ONCE]
        for key in chosen:
            self._not_before[key] = now + AGAIN_S[self._to_ask.pop(key)]
        return chosen

    def _ask(self, key: Endpoint, kind: int) -> None:
        if key == self._membership.own.key or (kind == STRANGER and self._is_waiting(key)):
            return
        if len(self._to_ask) >= MAX_TO_ASK and key not in self._to_ask:
            last = max(self._to_ask, key=self._to_ask.__getitem__)
            if self._to_ask[last] <= kind:
                return
            del self._to_ask[last]
        self._to_ask[key] = min(kind, self._to_ask.get(key, kind))

    def _is_waiting(self, key: Endpoint) -> bool:
        """Whether a stranger's turn has been; full of those, the memory takes no more for a while."""
        now = self._clock()
        if len(self._not_before) >= MAX_REMEMBERED:
            self._not_before = {each: until for each, until in self._not_before.items() if until > now}
        return self._not_before.get(key, now) > now or len(self._not_before) >= MAX_REMEMBERED

    def _news(self, lines: list[str]) -> list[str]:
        self._proven &= self._membership.members.keys()
        if lines:
            self.stir()
        return lines


def _role(member: Member) -> tuple[object, ...]:
    return member.state, member.is_alive, member.instance_id, member.epoch_number


def _address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None


def _addresses_here() -> set[str]:
    """The addresses of this machine. A bind would tell too, but not where ip_nonlocal_bind is on."""
    found: set[str] = set()
    try:
        before = ""
        for line in Path("/proc/net/fib_trie").read_text().splitlines():
            if "host LOCAL" in line:
                found.add(before)
            before = line.split()[-1]
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            found.add(str(ipaddress.IPv6Address(int(line.split()[0], 16))))
    except OSError:  # without IPv6, or not to be seen in a container: then the other rules decide
        pass
    return found


__all__ = ["Network", "Trust"]
