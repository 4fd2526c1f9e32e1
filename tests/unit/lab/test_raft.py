# SPDX-License-Identifier: GPL-3.0-or-later
"""The Raft core in a simulated network: messages late, lost, twice and out of order; crashes, freezes, partitions.

The checks know nothing of the core's own idea of safety: they keep a ledger of every entry that any node ever
reported as committed, and of every payload whose client was told so.
"""

from __future__ import annotations

import heapq
import json
import random
import typing as t

import pytest

from lab.node.raft import Answer, Append, Ballot, Entry, Kind, NotLeader, Raft, Request, Role, Unsafe, Vote


class MemoryLog:
    """A disk: what ``append`` and ``truncate`` did survives a crash of the node."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def last_index(self) -> int:
        return len(self.entries)

    def term_at(self, index: int) -> int:
        return self.entries[index - 1].term if index else 0

    def append(self, entries: t.Sequence[Entry]) -> None:
        self.entries += entries

    def truncate(self, last_index: int) -> None:
        del self.entries[last_index:]

    def read(self, first_index: int, _max_bytes: int) -> list[Entry]:
        return self.entries[first_index - 1 : first_index + 2]  # small batches make more interleavings

    def lists_of_voters(self) -> t.Iterable[tuple[int, Entry]]:
        return [(i, e) for i, e in enumerate(self.entries, 1) if e.kind is not Kind.EVENTS]


class MemoryBox:
    def __init__(self) -> None:
        self.ballot = Ballot()

    def save(self, ballot: Ballot) -> None:
        assert ballot.term >= self.ballot.term
        if ballot.term == self.ballot.term and self.ballot.voted_for:
            assert ballot.voted_for == self.ballot.voted_for, "a second vote in one term"
        self.ballot = ballot


class Cluster:
    """Nodes, wires between them, and the ledger."""

    def __init__(self, seed: int, names: str, size: int, *, loss: float = 0.05) -> None:
        self.rng = random.Random(seed)
        self.size = size
        self.loss = loss
        self.now = 0.0
        self.disks = {name: (MemoryLog(), MemoryBox()) for name in names}
        self.nodes: dict[str, Raft] = {}
        self.frozen: dict[str, list[t.Callable[[], None]]] = {}
        self.cut: set[frozenset[str]] = set()
        self.known: dict[str, set[str]] = {name: {name} for name in names}
        self._events: list[tuple[float, int, t.Callable[[], None]]] = []
        self._count = 0
        self.masters: dict[int, str] = {}
        self.committed: dict[int, Entry] = {}
        self.waiting: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        self.acknowledged: set[bytes] = set()
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        log, box = self.disks[name]
        ids = (f"id-{name}-{self.rng.random()}" for _ in iter(int, 1))
        self.nodes[name] = Raft(name, self.size, log, box, self.rng, lambda: next(ids), self.now)
        self.discover(name)

    def discover(self, name: str) -> None:
        for peer in self.nodes:
            if frozenset((name, peer)) not in self.cut:
                both = self.known[name] | self.known[peer]
                self.known[name], self.known[peer] = both, set(both)
        self.nodes[name].discovered(self.now, self.known[name])
        self.observe(name)

    def crash(self, name: str) -> None:
        del self.nodes[name]
        self.frozen.pop(name, None)
        self.waiting = {key: value for key, value in self.waiting.items() if key[0] != name}
        for peer in self.nodes:
            if self.rng.random() < 0.8:
                self.at(0.01, lambda peer=peer: self.tell_lost(peer, name))  # type: ignore[misc]

    def tell_lost(self, peer: str, name: str) -> None:
        if peer in self.nodes and peer not in self.frozen:
            self.nodes[peer].lost(self.now, name)

    def wipe(self, name: str) -> None:
        if name in self.nodes:
            self.crash(name)
        self.disks[name] = (MemoryLog(), MemoryBox())

    def at(self, delay: float, action: t.Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay, self._count, action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            deadlines = [max(n.deadline(), self.now) for name, n in self.nodes.items() if name not in self.frozen]
            due = min([end, *deadlines, *(e[0] for e in self._events[:1])])
            if due >= end:
                self.now = end
                return
            self.now = max(self.now + 0.0005, due)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            for name, node in list(self.nodes.items()):
                if name not in self.frozen and node.deadline() <= self.now:
                    node.tick(self.now)
                    self.observe(name)

    def observe(self, name: str) -> None:
        node = self.nodes[name]
        if node.role is Role.LEADER:
            assert self.masters.setdefault(node.term, name) == name, f"two masters in term {node.term}"
        for index in range(1, node.commit + 1):
            entry = node.log.read(index, 0)[0]
            assert self.committed.setdefault(index, entry) == entry, f"entry {index} was committed as another one"
        for index, payload in self.waiting.get((name, node.term), []):
            if index <= node.commit and node.role is Role.LEADER:
                self.acknowledged.add(payload)
        requests, node.outbox = node.outbox, []
        for peer, request in requests:
            self.send(name, node, peer, request)

    def send(self, name: str, node: Raft, peer: str, request: Request) -> None:
        def back(answer: Answer | None) -> None:
            if self.nodes.get(name) is node:
                self.deliver(name, lambda: node.answered(self.now, peer, request, answer))

        def there() -> None:
            target = self.nodes.get(peer)
            if target is None or frozenset((name, peer)) in self.cut:
                self.at(0.01, lambda: back(None))
                return

            def handle() -> None:
                answer = target.handle(self.now, request)
                if self.rng.random() < self.loss:
                    self.at(0.5, lambda: back(None))
                else:
                    self.at(self.delay(), lambda: back(answer))

            if peer in self.frozen:
                self.at(2.0, lambda: back(None))
            self.deliver(peer, handle)
            if self.rng.random() < self.loss:
                self.at(self.delay(), lambda: self.deliver(peer, handle) if self.nodes.get(peer) is target else None)

        if self.rng.random() < self.loss:
            self.at(0.5, lambda: back(None))
        else:
            self.at(self.delay(), there)

    def delay(self) -> float:
        return self.rng.choice([0.001, 0.002, 0.01, 0.2]) if self.loss else 0.001

    def deliver(self, name: str, action: t.Callable[[], None]) -> None:
        if name in self.frozen:
            self.frozen[name].append(action)
        elif name in self.nodes:
            action()
            self.observe(name)

    def thaw(self, name: str) -> None:
        for action in self.frozen.pop(name, []):
            self.deliver(name, action)

    def write(self, payload: bytes) -> None:
        for name, node in list(self.nodes.items()):
            if node.role is Role.LEADER and name not in self.frozen:
                try:
                    index = node.propose(self.now, [payload])
                except NotLeader:
                    continue
                self.waiting.setdefault((name, node.term), []).append((index, payload))
                self.observe(name)

    def heal(self) -> None:
        self.cut.clear()
        self.loss = 0.0
        for name in list(self.frozen):
            self.thaw(name)
        for name in self.disks:
            if name not in self.nodes:
                self.start(name)
        for name in self.nodes:
            self.discover(name)

    def check_all_there(self) -> None:
        """After healing, the one master has every acknowledged payload and every voter has the same log."""
        leaders = [node for node in self.nodes.values() if node.is_established]
        assert len(leaders) == 1, [(n.me, n.role, n.term, n.voters) for n in self.nodes.values()]
        log = t.cast("MemoryLog", leaders[0].log).entries
        assert self.acknowledged <= {entry.payload for entry in log}
        for index, entry in self.committed.items():
            assert log[index - 1] == entry
        for name in leaders[0].voters:
            assert t.cast("MemoryLog", self.disks[name][0]).entries == log, name
        assert len(leaders[0].voters) == min(self.size, len(self.disks))


def storm(cluster: Cluster, steps: int, *, wipes: bool = False) -> None:
    """Random trouble between writes. ``wipes``: now and then one disk is lost while the others are well."""
    rng = cluster.rng
    for _round in range(3):
        for name in sorted(cluster.nodes):
            cluster.discover(name)
        cluster.run(rng.choice([0.1, 0.5, 2.0]))
    for step in range(steps):
        name = rng.choice(sorted(cluster.disks))
        action = rng.random()
        if action < 0.15 and name in cluster.nodes:
            cluster.crash(name)
        elif action < 0.4 and name not in cluster.nodes:
            cluster.start(name)
        elif action < 0.5 and name in cluster.nodes and name not in cluster.frozen:
            cluster.frozen[name] = []
        elif action < 0.65 and name in cluster.frozen:
            cluster.thaw(name)
        elif action < 0.75:
            cluster.cut = {
                frozenset((a, b)) for a in cluster.disks for b in cluster.disks if a < b and rng.random() < 0.3
            }
        elif action < 0.85:
            cluster.cut.clear()
        elif action < 0.9 and wipes:
            cluster.heal()
            cluster.run(8)
            cluster.loss = 0.05
            cluster.wipe(name)
            cluster.start(name)
        for peer in cluster.nodes:
            if peer not in cluster.frozen and rng.random() < 0.5:
                cluster.discover(peer)
        for number in range(rng.randrange(3)):
            cluster.write(f"{step}-{number}".encode())
        cluster.run(rng.choice([0.02, 0.3, 1.5]))
    cluster.heal()
    cluster.run(20)
    cluster.write(b"last")
    cluster.run(3)
    assert b"last" in cluster.acknowledged
    cluster.check_all_there()


@pytest.mark.parametrize("seed", range(60))
def test_three_voters_survive_a_storm(seed: int) -> None:
    storm(Cluster(seed, "ABC", 3), 120)


@pytest.mark.parametrize("seed", range(15))
def test_five_voters_survive_a_storm(seed: int) -> None:
    storm(Cluster(1000 + seed, "ABCDE", 5), 100)


@pytest.mark.parametrize("seed", range(30))
def test_surplus_nodes_never_make_a_second_master(seed: int) -> None:
    storm(Cluster(2000 + seed, "ABCD", 3), 100)


@pytest.mark.parametrize("seed", range(30))
def test_a_lost_disk_costs_no_acknowledged_entry(seed: int) -> None:
    storm(Cluster(3000 + seed, "ABC", 3), 80, wipes=True)


def settled(names: str, size: int, seconds: float = 5) -> Cluster:
    cluster = Cluster(7, names, size, loss=0.0)
    for name in names:
        cluster.discover(name)
    cluster.run(seconds)
    return cluster


def leader_of(cluster: Cluster) -> str:
    (name,) = [n for n, node in cluster.nodes.items() if node.role is Role.LEADER and n not in cluster.frozen]
    return name


def test_a_cluster_forms_within_two_seconds() -> None:
    cluster = settled("ABC", 3, 2.0)
    assert cluster.nodes[leader_of(cluster)].is_established
    assert all(node.caught_up or node.role is Role.LEADER for node in cluster.nodes.values())


def test_one_voter_alone_is_master_of_a_cluster_of_one() -> None:
    assert settled("A", 1, 1.0).nodes["A"].is_established


def test_a_minority_never_founds_a_cluster() -> None:
    cluster = settled("A", 3, 30)
    assert (cluster.nodes["A"].term, cluster.nodes["A"].role) == (0, Role.FOLLOWER)


def test_two_of_three_found_a_cluster_and_admit_the_third() -> None:
    cluster = settled("AB", 3)
    assert cluster.nodes[leader_of(cluster)].voters == ("A", "B")
    cluster.disks["C"] = (MemoryLog(), MemoryBox())
    cluster.known["C"] = {"C"}
    cluster.heal()
    cluster.run(3)
    assert cluster.nodes[leader_of(cluster)].voters == ("A", "B", "C")
    cluster.check_all_there()


def test_a_master_without_a_quorum_retires_after_three_seconds_and_commits_nothing() -> None:
    cluster = settled("ABC", 3)
    master = leader_of(cluster)
    for name in set("ABC") - {master}:
        cluster.crash(name)
    cluster.run(2.5)
    assert cluster.nodes[master].role is Role.LEADER
    cluster.write(b"lonely")
    cluster.run(1.0)
    assert cluster.nodes[master].role is not Role.LEADER
    assert b"lonely" not in cluster.acknowledged
    term = cluster.nodes[master].term
    cluster.run(60)
    assert cluster.nodes[master].term == term, "a lonely node must not count terms up"


def test_a_frozen_master_is_replaced_within_four_seconds() -> None:
    cluster = settled("ABC", 3)
    old = leader_of(cluster)
    cluster.frozen[old] = []
    cluster.run(4.0)
    assert leader_of(cluster) != old
    cluster.thaw(old)
    cluster.run(1.0)
    assert cluster.nodes[old].role is Role.FOLLOWER
    cluster.check_all_there()


def test_a_killed_master_is_replaced_within_a_second() -> None:
    cluster = settled("ABC", 3)
    old = leader_of(cluster)
    del cluster.nodes[old]
    for name in cluster.nodes:
        cluster.nodes[name].lost(cluster.now, old)
    cluster.run(1.0)
    assert cluster.nodes[leader_of(cluster)].is_established


def test_two_clusters_that_never_met_leave_each_other_alone() -> None:
    cluster = settled("AB", 3)
    logs = {name: list(t.cast("MemoryLog", cluster.disks[name][0]).entries) for name in "AB"}
    other = Append(99, "C", 0, 0, 5, 5, "another cluster", ("C", "D"), (Entry(99, Kind.EVENTS, b"x"),))
    for name in "AB":
        node = cluster.nodes[name]
        term = node.term
        assert node.handle(cluster.now, other) is None
        assert node.handle(cluster.now, Vote(99, "C", 5, 99, "another cluster", ("C", "D"), pre=False)) is None
        assert (node.term, node.strangers) == (term, {"C"})
        assert t.cast("MemoryLog", node.log).entries == logs[name]


@pytest.mark.parametrize("seed", range(20))
def test_four_nodes_that_start_one_after_the_other_found_one_cluster_of_three(seed: int) -> None:
    cluster = Cluster(seed, "ABCD", 3, loss=0.0)
    for _tick in range(60):
        for name in cluster.nodes:
            if cluster.rng.random() < 0.3:
                cluster.discover(name)
        cluster.run(0.1)
    cluster.check_all_there()


def test_a_node_without_a_log_does_not_vote_for_one_that_has_a_log() -> None:
    raft = Raft("A", 3, MemoryLog(), MemoryBox(), random.Random(1), lambda: "id", 0.0)
    vote = Vote(4, "B", 9, 3, "x", ("A", "B", "C"), pre=False)
    answer = raft.handle(0.0, vote)
    assert answer is not None
    assert not answer.ok
    founder = raft.handle(0.0, Vote(5, "B", 0, 0, "", ("A", "B", "C"), pre=False))
    assert founder is not None
    assert founder.ok


def alone(entries: t.Sequence[Entry] = (), *, size: int = 3) -> Raft:
    """Node A with this log and nobody else; messages are put in by hand."""
    log = MemoryLog()
    log.append(entries)
    return Raft("A", size, log, MemoryBox(), random.Random(1), lambda: "id", 0.0)


def epoch(term: int, voters: str) -> Entry:
    return Entry(term, Kind.EPOCH, json.dumps({"epochId": "x", "voters": list(voters)}).encode())


def elect(raft: Raft, *peers: str) -> None:
    """Give A every vote it asks these peers for."""
    raft.tick(raft.now + 10)
    for _round in range(2):
        requests, raft.outbox = raft.outbox, []
        for peer, request in requests:
            if peer in peers and isinstance(request, Vote):
                raft.answered(raft.now, peer, request, Answer(raft.term, True))


def test_an_entry_of_an_older_term_is_not_committed_by_counting() -> None:
    raft = alone([epoch(1, "ABC"), Entry(1, Kind.EVENTS, b"old")])
    raft.box.save(Ballot(1, "B"))
    elect(raft, "B")
    ((peer, append),) = [(p, r) for p, r in raft.outbox if p == "B" and isinstance(r, Append)]
    raft.answered(raft.now, peer, append, Answer(raft.term, True, match=2, last_index=2))
    assert raft.commit == 0
    raft.answered(raft.now, peer, append, Answer(raft.term, True, match=3, last_index=3))
    assert raft.commit == 3


def test_a_vote_counts_only_from_a_voter() -> None:
    raft = alone([epoch(1, "ABC")])
    raft.tick(10)
    request = raft.outbox[0][1]
    raft.answered(10, "D", request, Answer(0, True))
    assert raft.role is Role.ASKING
    raft.answered(10, "B", request, Answer(0, True))
    assert raft.role is Role.CANDIDATE


def test_a_founder_waits_until_no_more_nodes_turn_up() -> None:
    raft = alone()
    raft.discovered(0.0, {"B"})
    raft.tick(0.9)
    assert raft.outbox == []
    raft.discovered(0.95, {"B", "C"})
    raft.tick(1.9)
    assert raft.outbox == []
    raft.tick(3.0)
    assert {peer for peer, _request in raft.outbox} == {"B", "C"}


def test_one_voter_at_a_time_is_added() -> None:
    raft = alone([epoch(1, "ABC")], size=5)
    raft.discovered(0.0, set("BCDE"))
    elect(raft, "B", "C")
    for peer, request in list(raft.outbox):
        if isinstance(request, Append):
            raft.answered(raft.now, peer, request, Answer(raft.term, True, match=2, last_index=2))
    assert raft.voters == ("A", "B", "C", "D")
    assert raft.log.last_index == 3
    raft.answered(raft.now, "E", raft.outbox[-1][1], Answer(raft.term, True, match=2, last_index=2))
    assert raft.log.last_index == 3, "E must wait until the entry that adds D is committed"


def test_what_a_peer_lost_does_not_count_any_more() -> None:
    raft = alone([epoch(1, "ABCDE")], size=5)
    elect(raft, "B", "C")
    raft.propose(raft.now, [b"1"])
    append = Append(raft.term, "A", 3, raft.term, 0, 3, "x", tuple("ABCDE"))
    raft.answered(raft.now, "B", append, Answer(raft.term, True, match=3, last_index=3))
    raft.answered(raft.now, "B", append, Answer(raft.term, False, last_index=0))
    raft.answered(raft.now, "C", append, Answer(raft.term, True, match=3, last_index=3))
    assert raft.commit == 0
    raft.answered(raft.now, "D", append, Answer(raft.term, True, match=3, last_index=3))
    assert raft.commit == 3


def test_an_emptied_node_votes_again_when_it_has_what_its_master_had() -> None:
    raft = alone()
    part = Append(5, "B", 0, 0, 3, 3, "x", tuple("ABC"), (epoch(1, "ABC"), Entry(1, Kind.EVENTS, b"1")))
    assert raft.handle(0.0, part) == Answer(5, True, match=2, last_index=2)
    better = Vote(6, "C", 9, 5, "x", tuple("ABC"), pre=False)
    assert raft.handle(0.0, better) == Answer(6, False)
    rest = Append(6, "C", 2, 1, 3, 3, "x", tuple("ABC"), (Entry(1, Kind.EVENTS, b"2"),))
    assert raft.handle(0.0, rest) == Answer(6, True, match=3, last_index=3)
    assert raft.handle(0.0, Vote(7, "B", 9, 5, "x", tuple("ABC"), pre=False)) == Answer(7, True)


def test_who_follows_a_master_does_not_vote_for_another_in_its_term() -> None:
    raft = alone()
    raft.handle(0.0, Append(5, "B", 0, 0, 1, 1, "x", tuple("ABC"), (epoch(5, "ABC"),)))
    assert raft.handle(0.0, Vote(5, "C", 9, 5, "x", tuple("ABC"), pre=False)) == Answer(5, False)


def test_who_has_a_master_wants_no_election() -> None:
    raft = alone([epoch(1, "ABC")])
    raft.handle(0.0, Append(1, "B", 1, 1, 1, 1, "x", tuple("ABC")))
    wish = Vote(2, "C", 9, 1, "x", tuple("ABC"), pre=True)
    assert raft.handle(0.0, wish) == Answer(1, False)
    raft.lost(1.0, "B")
    assert raft.handle(1.0, wish) == Answer(1, True)


def test_two_masters_of_one_term_stop_the_node() -> None:
    raft = alone([epoch(1, "ABC")])
    elect(raft, "B")
    with pytest.raises(Unsafe, match="both masters"):
        raft.handle(raft.now, Append(raft.term, "C", 0, 0, 0, 0, "x", tuple("ABC")))


def test_committed_entries_are_never_cut() -> None:
    log = MemoryLog()
    log.append([Entry(1, Kind.EPOCH, b'{"epochId": "x", "voters": ["A", "B", "C"]}'), Entry(1, Kind.EVENTS, b"1")])
    raft = Raft("A", 3, log, MemoryBox(), random.Random(1), lambda: "id", 0.0, commit=2)
    bad = Append(2, "B", 1, 1, 1, 2, "x", ("A", "B", "C"), (Entry(2, Kind.EVENTS, b"2"),))
    with pytest.raises(Unsafe, match="entry 2 cut"):
        raft.handle(0.0, bad)
