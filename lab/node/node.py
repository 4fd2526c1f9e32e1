# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of the cluster: gossip, Raft over HTTP, and what both add up to. What HTTP clients see is in ``web``."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import typing as t
import uuid
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config.addresses import advertised
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import discovery, members
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import EMPTY_ID, Member
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import (
    STARTUP_INTERVAL_S,
    STARTUP_ROUNDS,
    Membership,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.http.client import request
from lab.node.log import FileBallotBox, FileLog
from lab.node.peers import Peer
from lab.node.raft import Kind, Raft, Request, Role, Unsafe
from lab.node.streams import Streams

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective
    from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import ClusterInfo

DNS_RETRY_S = 1.0
# Measured: a write without a quorum is answered after 2.6 to 3.0 s, with PrepareTimeoutMs and CommitTimeoutMs 2000.
WRITE_TIMEOUT_SLACK_S = 0.6


class NotReady(Exception):
    """No master here; where to go is in ``Node.state`` and ``Node.master``."""


class WriteTimeout(Exception):
    """No quorum had it in time. It may still be committed later, so it must be repeated with the same eventId."""


class Node:
    """``exit`` is resolved with (exit code, reason) when the process is to end."""

    def __init__(self, options: Effective, nameservers: t.Sequence[str], log: t.Callable[[str], None]) -> None:
        self.options = options
        self._values = options.by_name
        self.is_cluster = options.value("ClusterSize") > 1
        self._nameservers = nameservers
        self._log = log
        self._rng = random.Random()  # noqa: S311  (elections and gossip, no secrets)
        self._loop = asyncio.get_running_loop()
        self.exit: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        self.gossip_works = asyncio.Event()
        self._stopping = False

        directory = Path(options.value("Db"))
        self.disk = FileLog(directory)
        self._epoch: tuple[int, dict[str, t.Any]] = (0, {"epochId": EMPTY_ID})
        self._instance_id = str(uuid.uuid4())
        own = self._own_member(None)
        self.raft = Raft(
            str(own.key),
            options.value("ClusterSize"),
            self.disk,
            FileBallotBox(directory),
            self._rng,
            lambda: str(uuid.uuid4()),
            self._loop.time(),
            commit=self.disk.index_at(self.disk.chaser.position),
        )
        self.streams = Streams(lambda index: self.disk.read(index, 0)[0].payload)
        self._applied = 0
        self._writes: list[tuple[bytes, asyncio.Future[int]]] = []
        self._promised: dict[int, tuple[int, asyncio.Future[int]]] = {}
        self.membership = Membership(own, rng=self._rng, now=members.utc_now)
        self._peers: dict[str, Peer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_state = ""
        self._reported: set[str] = set()
        if self.disk.cut_bytes:
            log(f"{self.disk.path}: cut off {self.disk.cut_bytes} bytes of a write that was interrupted")

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.is_cluster:
            self._spawn(self._gossip())
        self._drive(lambda: None)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        for peer in self._peers.values():
            peer.close()
        self.disk.close()

    def shut_down(self) -> None:
        self._log("Shutdown and exit from process was requested.")
        self._stopping = True
        self._note_state()
        self._loop.call_later(0.2, self._end, 0, "Shutdown and exit from process was requested.")

    def _end(self, code: int, reason: str) -> None:
        if not self.exit.done():
            self.exit.set_result((code, reason))

    def _spawn(self, work: t.Coroutine[t.Any, t.Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._end(1, f"{type(error).__name__}: {error}")

    # -- what the node is --------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The state as the gossip names it."""
        raft = self.raft
        if self._stopping:
            return "ShuttingDown"
        if raft.role is Role.LEADER:
            return "Master" if raft.is_established else "PreMaster"
        if not raft.leader:
            # Measured: a slave that lost its master waits as PreReplica, a master that lost its slaves is Unknown.
            return "PreReplica" if raft.last_leader else "Unknown"
        if not raft.matched:
            return "PreReplica"
        if not raft.caught_up:
            return "CatchingUp"
        return "Slave" if raft.me in raft.voters else "Clone"

    @property
    def has_users(self) -> bool:
        """Users are created by the first master, so a cluster that never formed has none."""
        return self.raft.commit > 0

    @property
    def master(self) -> Member | None:
        """The master as far as known, also when it does not answer any more."""
        name = self.raft.leader or self.raft.last_leader
        return self.membership.members.get(Endpoint.parse(name)) if name else None

    def own_info(self) -> ClusterInfo:
        self.membership.set_own(self._own_member(self.raft))
        return self.membership.info()

    def _own_member(self, raft: Raft | None) -> Member:
        value = self.options.value
        commit = raft.commit if raft else 0
        epoch = self.disk.last_epoch()
        if epoch and epoch != self._epoch[0]:
            self._epoch = (epoch, json.loads(self.disk.read(epoch, 0)[0].payload))

        options = self._values
        return Member(
            instance_id=self._instance_id,
            time_stamp=members.utc_now(),
            state=self.state if raft else "Initializing",
            is_alive=True,
            internal_tcp=advertised(options, "IntTcpPort"),
            internal_secure_tcp_port=value("IntSecureTcpPort"),
            external_tcp=advertised(options, "ExtTcpPort"),
            external_secure_tcp_port=value("ExtSecureTcpPort"),
            internal_http=advertised(options, "IntHttpPort"),
            external_http=advertised(options, "ExtHttpPort"),
            last_commit_position=self.disk.end_of(commit - 1) if commit else -1,
            writer_checkpoint=self.disk.end,
            chaser_checkpoint=self.disk.end_of(commit),
            epoch_position=self.disk.end_of(epoch - 1) if epoch else -1,
            epoch_number=self.disk.term_at(epoch) if epoch else -1,
            epoch_id=self._epoch[1]["epochId"],
            node_priority=value("NodePriority"),
        )

    # -- writes ------------------------------------------------------------------------------------------------------

    async def write(self, payload: bytes) -> int:
        """The number of the first event, once a quorum has it on disk."""
        if self.state != "Master":
            raise NotReady
        written: asyncio.Future[int] = self._loop.create_future()
        if not self._writes:
            self._loop.call_soon(self._flush)
        self._writes.append((payload, written))
        timeout = max(self.options.value("PrepareTimeoutMs"), self.options.value("CommitTimeoutMs")) / 1000
        try:
            return await asyncio.wait_for(written, timeout + WRITE_TIMEOUT_SLACK_S)
        except asyncio.TimeoutError:
            raise WriteTimeout from None

    def _flush(self) -> None:
        """All writes that came at once get on the disk at once."""
        writes, self._writes = self._writes, []

        def propose() -> None:
            if self.raft.role is not Role.LEADER:
                for _payload, written in writes:
                    if not written.done():
                        written.set_exception(NotReady())
                return
            last = self.raft.propose(self._loop.time(), [payload for payload, _written in writes])
            for index, (_payload, written) in enumerate(writes, last - len(writes) + 1):
                self._promised[index] = (self.raft.term, written)

        self._drive(propose)

    def _apply(self) -> None:
        """Take what was committed since, and tell whoever waits for it."""
        while self._applied < self.raft.commit:
            self._applied += 1
            index = self._applied
            first = -1
            if self.disk.kind_at(index) is Kind.EVENTS:
                first = self.streams.apply(index, self.disk.read(index, 0)[0].payload)
            term, written = self._promised.pop(index, (0, None))
            if written is not None and not written.done():
                if term == self.disk.term_at(index):
                    written.set_result(first)
                else:
                    written.set_exception(WriteTimeout())
        position = self.disk.end_of(self.raft.commit)
        if position != self.disk.chaser.position:
            self.disk.chaser.write(position)

    # -- Raft --------------------------------------------------------------------------------------------------------

    def handle(self, received: Request) -> t.Any:
        """Answer a peer's request; the fields of an Answer, or None for a stranger."""
        answer = self._drive(lambda: self.raft.handle(self._loop.time(), received))
        if self.raft.leader == received.sender:
            self._spawn(self._watch(received.sender))
        return vars(answer) if answer else None

    def _drive(self, event: t.Callable[[], t.Any]) -> t.Any:
        """Let something happen to Raft, and carry out what follows. A disk that fails ends the process."""
        try:
            result = event()
            self._apply()
        except (Unsafe, EventStoreError, OSError) as error:
            self._end(1, str(error))
            raise ConnectionAbortedError(str(error)) from error
        outbox, self.raft.outbox = self.raft.outbox, []
        for name, to_send in outbox:
            self._spawn(self._ask(name, to_send))
        self._note_state()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(self.raft.deadline(), self._loop.time() + 0.001), self._tick)
        return result

    def _tick(self) -> None:
        followed = self.raft.leader
        self._drive(lambda: self.raft.tick(self._loop.time()))
        if followed and followed != self.raft.me and not self.raft.leader:
            self._mark_dead(followed, f"no heartbeat for {self.raft.timing.silence:g} s")
        for name, progress in self.raft.progress.items():
            if self._loop.time() - progress.answered_at > self.raft.timing.silence:
                self._mark_dead(name, f"no answer for {self.raft.timing.silence:g} s")

    async def _ask(self, name: str, to_send: Request) -> None:
        answer = await self._peer(name).ask(to_send)
        self._drive(lambda: self.raft.answered(self._loop.time(), name, to_send, answer))

    def _peer(self, name: str) -> Peer:
        if name not in self._peers:
            local_ip = self.options.value("IntIp")
            self._peers[name] = Peer(Endpoint.parse(name), local_ip, lambda: self._spawn(self._broken(name)))
        return self._peers[name]

    async def _watch(self, name: str) -> None:
        """Keep a connection to the master, to see at once when its process ends."""
        try:
            await self._peer(name).connect()
        except OSError as error:
            self._lost(name, str(error))

    async def _broken(self, name: str) -> None:
        """A connection ended: idle ones are closed by the server, so only a refused new one means that it is dead."""
        if name == self.raft.leader or self.raft.role is Role.LEADER:
            await self._watch(name)

    def _lost(self, name: str, why: str) -> None:
        self._drive(lambda: self.raft.lost(self._loop.time(), name))
        self._mark_dead(name, why)

    def _note_state(self) -> None:
        state = self.state
        if state != self._last_state:
            self._last_state = state
            leader = f", master {self.raft.leader}" if self.raft.leader else ""
            self._log(f"{self.raft.me} is {state} in term {self.raft.term}{leader}")
        for stranger in self.raft.strangers - self._reported:
            self._reported.add(stranger)
            self._log(
                f"{stranger} belongs to another cluster: its log and this one were begun apart. "
                "Empty the Db directory of the one that is not wanted"
            )

    # -- gossip ------------------------------------------------------------------------------------------------------

    def receive_gossip(self, info: ClusterInfo) -> None:
        """Merge what another member sent; GossipError if it cannot be passed on."""
        master = Endpoint.parse(self.raft.leader) if self.raft.leader else None
        self._tell(self.membership.receive(info, master=master))

    def _mark_dead(self, name: str, why: str) -> None:
        self._tell(self.membership.send_failed(Endpoint.parse(name), why))

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self._log(line)
        own = self.membership.own.key
        nodes = [str(m.key) for m in self.membership.members.values() if not m.is_manager and m.key != own]
        self._drive(lambda: self.raft.discovered(self._loop.time(), nodes))

    async def _gossip(self) -> None:
        seeds = await self._find_seeds()
        self._tell(self.membership.add_seeds(seeds))
        self.gossip_works.set()
        rounds = 0
        while True:
            self._spawn(self._send_gossip())
            rounds += 1
            quick = rounds <= STARTUP_ROUNDS
            await asyncio.sleep(STARTUP_INTERVAL_S if quick else self.options.value("GossipIntervalMs") / 1000)

    async def _find_seeds(self) -> list[Endpoint]:
        value = self.options.value
        if not value("DiscoverViaDns"):
            if not value("GossipSeed"):
                self._log("DNS discovery is disabled, but no gossip seed endpoints have been specified.")
            return list(value("GossipSeed"))
        name = value("ClusterDns")
        while True:
            try:
                found = await self._loop.run_in_executor(
                    None, lambda: discovery.resolve(name, nameservers=self._nameservers)
                )
                return [Endpoint(ip, value("ClusterGossipPort")) for ip in found]
            except GossipError as error:
                self._log("Error while retrieving cluster members through DNS.")
                self._log(f"Could not resolve host '{name}': {error}")
            await asyncio.sleep(DNS_RETRY_S)

    async def _send_gossip(self) -> None:
        target = self.membership.target()
        if target is None:
            return
        where = f"http://{target}/gossip"
        try:
            answer = await request(
                "POST",
                target,
                "/gossip",
                body=json.dumps(members.render(self.own_info())).encode(),
                headers={"Content-Type": "application/json"},
                timeout_s=self.options.value("GossipTimeoutMs") / 1000,
                local_ip=self.options.value("IntIp"),
            )
            if answer.status != 200:
                raise GossipError(f"expected status 200, but came {answer.status}", where=where)
            info = members.parse(answer.body, where=where)
            # Whoever answers on a member's port is that member: it knows its own name best.
            self.receive_gossip(dataclasses.replace(info, server=target))
        except GossipError as error:
            if str(target) != self.raft.leader:  # of the master the replication connection decides
                self._mark_dead(str(target), f"gossip failed: {error}")


__all__ = ["Node", "NotReady", "WriteTimeout"]
