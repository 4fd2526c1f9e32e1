# SPDX-License-Identifier: GPL-3.0-or-later
"""Raft without input and output: who is master, and which entries are safe.

The clock, the dice, the log and the ballot come from outside; requests leave through ``outbox`` and come in
through ``handle``. Apart from the published algorithm (Ongaro, "Consensus: Bridging Theory and Practice", 2014) with
pre-vote and check-quorum, there are four rules, because Event Store finds its members by gossip and has no list:

* The quorum is ``cluster_size // 2 + 1`` of at most ``cluster_size`` voters. The voters stand in the log. The first
  master writes the nodes it knew; a later node is added by its own entry, one at a time, while there is room,
  and only after the master has committed an entry of its term. Surplus nodes get the log and never vote.
* Who founds a cluster waits until the gossip has shown the same nodes for a while, and takes the first
  ``cluster_size`` of them, dead or alive: so all founders mean the same nodes.
* Two groups that never met may still each found a cluster. A node whose voters and the sender's are together more than
  ``cluster_size`` treats the sender as a stranger: quorums of so many nodes need not overlap, so nothing is cut.
* A node without a log (a wiped disk) may have forgotten what it acknowledged. It votes only for a node without a
  log, and once it gets one, not before it has everything that its master had.
"""

from __future__ import annotations

import enum
import json
import random
import typing as t
from dataclasses import dataclass, field

MAX_BATCH_BYTES = 512 * 1024


class Kind(enum.IntEnum):
    """What an entry holds: the start of a term, a new list of voters, or events."""

    EPOCH = 1
    VOTERS = 2
    EVENTS = 3


class Entry(t.NamedTuple):
    """One entry of the log; the payload of EPOCH and VOTERS is JSON with ``voters``, an EPOCH also has ``epochId``."""

    term: int
    kind: Kind
    payload: bytes


class Ballot(t.NamedTuple):
    """What must be on disk before an answer leaves: the term, the vote in it, and whether the log is incomplete."""

    term: int = 0
    voted_for: str = ""
    catching_up: bool = False


class Log(t.Protocol):
    """Entries 1..last_index; ``append`` and ``truncate`` return when the disk has it."""

    @property
    def last_index(self) -> int: ...
    def term_at(self, index: int) -> int: ...
    def append(self, entries: t.Sequence[Entry]) -> None: ...
    def truncate(self, last_index: int) -> None: ...
    def read(self, first_index: int, max_bytes: int) -> list[Entry]: ...
    def lists_of_voters(self) -> t.Iterable[tuple[int, Entry]]: ...


class BallotBox(t.Protocol):
    """``save`` returns when the disk has it."""

    ballot: Ballot

    def save(self, ballot: Ballot) -> None: ...


@dataclass(frozen=True)
class Timing:
    """Seconds. That a peer is dead is mostly seen by its broken connection; ``silence`` is for a frozen one."""

    heartbeat: float = 0.3
    silence: float = 3.0
    quorum_lost: float = 3.0
    settle: float = 1.0
    first_try: tuple[float, float] = (0.05, 0.3)
    next_try: tuple[float, float] = (0.3, 0.9)


@dataclass(frozen=True)
class Vote:
    """``pre``: would you vote for me? No one changes a term for that, so a node that was cut off disturbs nothing."""

    term: int
    sender: str
    last_index: int
    last_term: int
    cluster: str
    voters: tuple[str, ...]
    pre: bool


@dataclass(frozen=True)
class Append:
    """Entries after ``prev_index``; without entries a heartbeat. ``last_index`` is the end of the master's log."""

    term: int
    sender: str
    prev_index: int
    prev_term: int
    commit: int
    last_index: int
    cluster: str
    voters: tuple[str, ...]
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Answer:
    """``match``: my log equals the sender's up to here. With ``ok`` false ``last_index`` says where to try again."""

    term: int
    ok: bool
    match: int = 0
    last_index: int = 0


Request = t.Union[Vote, Append]


class Role(enum.Enum):
    FOLLOWER = "follower"
    ASKING = "asking"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass
class Progress:
    """What the leader knows of a peer."""

    next_index: int
    match: int = 0
    waiting: bool = False
    sent_at: float = float("-inf")
    answered_at: float = float("-inf")


class NotLeader(Exception):
    """Only the leader takes proposals."""


class Unsafe(Exception):
    """Something that Raft excludes was about to happen; the node must stop rather than go on."""


@dataclass
class Raft:
    """One node. ``me`` and the peers are names; here the internal HTTP endpoints."""

    me: str
    cluster_size: int
    log: Log
    box: BallotBox
    rng: random.Random
    new_id: t.Callable[[], str]
    now: float
    timing: Timing = field(default_factory=Timing)
    commit: int = 0

    def __post_init__(self) -> None:
        self.role = Role.FOLLOWER
        self.leader = ""
        self.last_leader = ""
        self.outbox: list[tuple[str, Request]] = []
        self.strangers: set[str] = set()
        self.progress: dict[str, Progress] = {}
        self.peers: frozenset[str] = frozenset()
        self.matched = False
        self.caught_up = False
        self._lists: list[tuple[int, tuple[str, ...]]] = []
        self._cluster = ""
        for index, entry in self.log.lists_of_voters():
            self._note_voters(index, entry)
        self._candidacy: tuple[str, ...] = ()
        self._granted: set[str] = set()
        self._heard_at = float("-inf")
        self._catch_up_to = 0
        self._followed: tuple[int, str] = (0, "")
        self._try_at = self.now + self.rng.uniform(*self.timing.first_try)
        self._known_since = self.now

    # -- what others may ask -----------------------------------------------------------------------------------------

    @property
    def term(self) -> int:
        return self.box.ballot.term

    @property
    def quorum(self) -> int:
        return self.cluster_size // 2 + 1

    @property
    def voters(self) -> tuple[str, ...]:
        """The newest list in the log, committed or not; empty before a cluster was founded."""
        return self._lists[-1][1] if self._lists else ()

    @property
    def is_established(self) -> bool:
        """Leader, and an entry of this term is committed: only now is the commit index known to be the newest."""
        return self.role is Role.LEADER and self.log.term_at(self.commit) == self.term

    def deadline(self) -> float:
        """When ``tick`` has something to do next."""
        if self.role is Role.LEADER:
            due = [p.sent_at + self.timing.heartbeat for p in self.progress.values() if not p.waiting]
            return min([*due, self.now + self.timing.heartbeat])
        return self._heard_at + self.timing.silence if self.leader else self._try_at

    # -- events ------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        self.now = now
        if self.role is Role.LEADER:
            fresh = [p for p in self._others() if now - self.progress[p].answered_at < self.timing.quorum_lost]
            if len(fresh) + 1 < self.quorum:
                self._follow("")
                return
            self._admit()
            self._send_appends()
            return
        if self.leader and now - self._heard_at >= self.timing.silence:
            self.lost(now, self.leader)
        if not self.leader and now >= self._try_at:
            self._ask()

    def discovered(self, now: float, peers: t.Collection[str]) -> None:
        """The other database nodes, dead or alive, as the gossip has them now."""
        self.now = now
        if frozenset(peers) - {self.me} == self.peers:
            return
        self.peers = frozenset(peers) - {self.me}
        self._known_since = now
        if self.role is Role.LEADER:
            for peer in sorted((self.peers | set(self.voters)) - {self.me} - set(self.progress)):
                self.progress[peer] = Progress(self.log.last_index + 1)
            for peer in set(self.progress) - self.peers - set(self.voters):
                del self.progress[peer]
            self._send_appends()

    def lost(self, now: float, peer: str) -> None:
        """The connection to the peer broke and no one listens there any more, or it has been silent for too long."""
        self.now = now
        if self.role is not Role.LEADER and peer == self.leader:
            self.leader = ""
            self._try_at = now + self.rng.uniform(*self.timing.first_try)

    def propose(self, now: float, payloads: t.Sequence[bytes]) -> int:
        """Append events as leader; the index of the last one. They count when ``commit`` reaches it in this term."""
        self.now = now
        if self.role is not Role.LEADER:
            raise NotLeader
        self._append([Entry(self.term, Kind.EVENTS, payload) for payload in payloads])
        self._send_appends()
        return self.log.last_index

    def handle(self, now: float, request: Request) -> Answer | None:
        """Answer a request of a peer; None for a stranger."""
        self.now = now
        if self._is_stranger(request):
            self.strangers.add(request.sender)
            return None
        return self._handle_vote(request) if isinstance(request, Vote) else self._handle_append(request)

    def answered(self, now: float, peer: str, request: Request, answer: Answer | None) -> None:
        """The peer's answer to our request; None when there was none."""
        self.now = now
        if isinstance(request, Append) and peer in self.progress and request.term == self.term:
            self.progress[peer].waiting = False
        if answer is None:
            return
        if answer.term > self.term:
            self._adopt(answer.term)
        elif isinstance(request, Vote):
            self._count_vote(peer, request, answer)
        elif self.role is Role.LEADER and request.term == self.term and peer in self.progress:
            self._count_append(peer, request, answer)

    # -- elections ---------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask whether an election would be won, before anybody's term is touched."""
        self._try_at = self.now + self.rng.uniform(*self.timing.next_try)
        self._candidacy = self.voters
        if not self.voters:
            if self.cluster_size > 1 and self.now < self._known_since + self.timing.settle:
                return
            self._candidacy = tuple(sorted({self.me, *self.peers}))[: self.cluster_size]
        if self.me not in self._candidacy or len(self._candidacy) < self.quorum or self.box.ballot.catching_up:
            return
        self.role = Role.ASKING
        self._call(pre=True)

    def _call(self, *, pre: bool) -> None:
        self._granted = {self.me}
        last = self.log.last_index
        term = self.term + 1 if pre else self.term
        vote = Vote(term, self.me, last, self.log.term_at(last), self._cluster, self._candidacy, pre)
        self.outbox += [(peer, vote) for peer in self._candidacy if peer != self.me]
        self._win_if_granted()

    def _win_if_granted(self) -> None:
        if len(self._granted) < self.quorum:
            return
        if self.role is Role.ASKING:
            self.role = Role.CANDIDATE
            self.box.save(Ballot(self.term + 1, self.me))
            self._call(pre=False)
        elif self.role is Role.CANDIDATE:
            self._lead()

    def _count_vote(self, peer: str, request: Vote, answer: Answer) -> None:
        expected = Role.ASKING if request.pre else Role.CANDIDATE
        current = request.term == (self.term + 1 if request.pre else self.term)
        if self.role is expected and current and answer.ok and peer in self._candidacy:
            self._granted.add(peer)
            self._win_if_granted()

    def _handle_vote(self, vote: Vote) -> Answer:
        if vote.term > self.term and not vote.pre:
            self._adopt(vote.term)
        last = self.log.last_index
        good = (vote.last_term, vote.last_index) >= (self.log.term_at(last), last)
        good = good and not self.box.ballot.catching_up and (last > 0 or vote.last_index == 0)
        if vote.pre:
            return Answer(self.term, good and vote.term > self.term and not self.leader)
        good = good and vote.term == self.term and self.box.ballot.voted_for in ("", vote.sender)
        if good and not self.box.ballot.voted_for:
            self.box.save(self.box.ballot._replace(voted_for=vote.sender))
            self._try_at = self.now + self.rng.uniform(*self.timing.next_try)
        return Answer(self.term, good)

    def _lead(self) -> None:
        self.role = Role.LEADER
        self.leader = self.last_leader = self.me
        self.progress = {
            peer: Progress(self.log.last_index + 1, answered_at=self.now)
            for peer in sorted((self.peers | set(self._candidacy)) - {self.me})
        }
        payload = json.dumps({"epochId": self.new_id(), "voters": self._candidacy}).encode()
        self._append([Entry(self.term, Kind.EPOCH, payload)])
        self._send_appends()

    def _adopt(self, term: int) -> None:
        """A higher term: whatever this node was, it now follows, as yet no one."""
        self.box.save(Ballot(term, "", self.box.ballot.catching_up))
        if self.role is not Role.FOLLOWER or self.leader:
            self._follow("")

    def _follow(self, leader: str) -> None:
        if not leader:
            self._try_at = self.now + self.rng.uniform(*self.timing.next_try)
            if self.leader == self.me:
                self.last_leader = ""
        else:
            self.last_leader = leader
        self.role = Role.FOLLOWER
        self.leader = leader
        self.matched = self.caught_up = False
        self.progress = {}

    # -- the log -----------------------------------------------------------------------------------------------------

    def _handle_append(self, append: Append) -> Answer:
        last = self.log.last_index
        if append.term < self.term:
            return Answer(self.term, False, last_index=last)
        if append.term > self.term:
            self._adopt(append.term)
        if self.role is Role.LEADER:
            raise Unsafe(f"{self.me} and {append.sender} are both masters of term {self.term}")
        if not self.box.ballot.voted_for:
            # A wiped node may have voted in this term already; after this it cannot vote for anybody else in it.
            self.box.save(self.box.ballot._replace(voted_for=append.sender))
        if self._followed != (append.term, append.sender):
            self._followed = (append.term, append.sender)
            self._catch_up_to = append.last_index
        self._heard_at = self.now
        if self.leader != append.sender:
            self._follow(append.sender)
        if append.prev_index > last:
            return Answer(self.term, False, last_index=last)
        if self.log.term_at(append.prev_index) != append.prev_term:
            return Answer(self.term, False, last_index=self._before_term(append.prev_index))
        if last == 0 and append.entries:
            self.box.save(self.box.ballot._replace(catching_up=True))
        self._store(append)
        match = append.prev_index + len(append.entries)
        if self.box.ballot.catching_up and match >= self._catch_up_to:
            self.box.save(self.box.ballot._replace(catching_up=False))
        self.commit = max(self.commit, min(append.commit, match))
        self.matched = True
        self.caught_up = self.caught_up or match >= append.commit
        return Answer(self.term, True, match, self.log.last_index)

    def _before_term(self, index: int) -> int:
        """The last index before the term that stands at ``index``: one refusal a term, not one an entry."""
        term = self.log.term_at(index)
        while index > self.commit and self.log.term_at(index) == term:
            index -= 1
        return index

    def _store(self, append: Append) -> None:
        for offset, entry in enumerate(append.entries):
            index = append.prev_index + 1 + offset
            if index <= self.log.last_index and self.log.term_at(index) == entry.term:
                continue
            if index <= self.log.last_index:
                if index <= self.commit:
                    raise Unsafe(f"{append.sender} wants entry {index} cut, but {self.commit} entries are committed")
                self.log.truncate(index - 1)
                self._lists = [(at, voters) for at, voters in self._lists if at < index]
                self._cluster = self._cluster if self._lists else ""
            self._append(append.entries[offset:])
            return

    def _append(self, entries: t.Sequence[Entry]) -> None:
        first = self.log.last_index + 1
        self.log.append(entries)
        for index, entry in enumerate(entries, first):
            if entry.kind is not Kind.EVENTS:
                self._note_voters(index, entry)
        if self.role is Role.LEADER:
            self._advance()

    def _note_voters(self, index: int, entry: Entry) -> None:
        data = json.loads(entry.payload)
        self._cluster = self._cluster or data["epochId"]
        self._lists.append((index, tuple(data["voters"])))

    def _others(self) -> list[str]:
        return [peer for peer in self.voters if peer != self.me]

    def _send_appends(self) -> None:
        last = self.log.last_index
        for peer, progress in self.progress.items():
            idle = self.now - progress.sent_at < self.timing.heartbeat
            if progress.waiting or (idle and progress.next_index > last):
                continue
            prev = progress.next_index - 1
            entries = tuple(self.log.read(progress.next_index, MAX_BATCH_BYTES)) if prev < last else ()
            append = Append(
                self.term,
                self.me,
                prev,
                self.log.term_at(prev),
                self.commit,
                last,
                self._cluster,
                self.voters,
                entries,
            )
            progress.waiting = True
            progress.sent_at = self.now
            self.outbox.append((peer, append))

    def _count_append(self, peer: str, request: Append, answer: Answer) -> None:
        progress = self.progress[peer]
        progress.answered_at = self.now
        if answer.ok:
            progress.match = max(progress.match, answer.match)
            progress.next_index = progress.match + 1
            self._advance()
            self._admit()
        else:
            # The peer may have lost its disk: what it acknowledged before does not count any more.
            progress.match = min(progress.match, answer.last_index)
            progress.next_index = max(1, min(answer.last_index + 1, request.prev_index))
        self._send_appends()

    def _advance(self) -> None:
        """Commit what a quorum has, if it is of this term (Raft, figure 8: older ones are committed along with it)."""
        matches = sorted([self.log.last_index, *(self.progress[peer].match for peer in self._others())], reverse=True)
        if len(matches) < self.quorum:
            return
        index = matches[self.quorum - 1]
        if index > self.commit and self.log.term_at(index) == self.term:
            self.commit = index
            for progress in self.progress.values():
                progress.sent_at = float("-inf")  # tell the peers now: their readers wait for it

    def _admit(self) -> None:
        """Make a node that has the whole log a voter, while there is room."""
        if not self.is_established or self._lists[-1][0] > self.commit or len(self.voters) >= self.cluster_size:
            return
        ready = [
            peer
            for peer, progress in self.progress.items()
            if peer not in self.voters and progress.match >= self.commit
        ]
        if ready:
            voters = [*self.voters, min(ready)]
            self._append([Entry(self.term, Kind.VOTERS, json.dumps({"voters": voters}).encode())])

    def _is_stranger(self, request: Request) -> bool:
        other = bool(request.cluster and self._cluster and request.cluster != self._cluster)
        return other and len({*self.voters, *request.voters}) > self.cluster_size


__all__ = [
    "Answer",
    "Append",
    "Ballot",
    "BallotBox",
    "Entry",
    "Kind",
    "Log",
    "NotLeader",
    "Progress",
    "Raft",
    "Request",
    "Role",
    "Timing",
    "Unsafe",
    "Vote",
]
