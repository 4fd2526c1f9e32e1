# SPDX-License-Identifier: GPL-3.0-or-later
"""``es-manager --config manager.yaml``: options, log, signals, and the order in which things start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import time
import typing as t
import uuid

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, whatif
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.members import Member, utc_now
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.membership import Membership
from es_manager import VERSION, logs, options, rounds
from es_manager.lasting import described, lasting
from es_manager.server import GossipServer
from es_manager.supervisor import State, Supervisor
from es_manager.trust import Trust

log = logging.getLogger("es-manager")

MAX_LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
PATIENCE_S = 60.0


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. 0: stopped, or only asked; 1: it cannot run here; 2: the options are wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not document.HAS_YAML:
        print(f"es-manager: PyYAML is missing for {sys.executable}. Install it there", file=sys.stderr)
        return 2
    try:
        effective = options.load(arguments, os.environ)
        if effective.value("Help"):
            print(_usage())
            return 0
        if effective.value("Version"):
            print(f"es-manager {VERSION}, the manager built into the Ansible collection eventstore.cluster")
            return 0
        if effective.value("WhatIf"):
            print(whatif.render(effective), end="")
            print("".join(f"es-manager: {line}\n" for line in effective.ignored), end="", file=sys.stderr)
            return 0
        settings = options.settings(effective, os.environ)
    except EventStoreError as error:
        print(f"es-manager: {error}", file=sys.stderr)
        return 2
    try:
        _set_up_log(settings)
        asyncio.run(_run(settings))
    except Exception as error:  # in one line of the log, where the operator looks
        log.error("es-manager exits: %s", described(error))
        return 1
    return 0


async def _run(settings: options.Settings) -> None:
    """Refuse whatever can be refused before the first node starts; answer gossip until the last node stopped."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    own = Member.manager(str(uuid.uuid4()), utc_now(), settings.internal, settings.external)
    membership = Membership(own, rng=random.Random(), now=utc_now)  # noqa: S311 -- the choice of a peer is no secret
    trust = Trust(membership, listed=settings.lease_clients)
    supervisor = None
    if settings.watchdog:
        state = State(settings.watchdog.state)
        state.lock()
        supervisor = Supervisor(
            settings.watchdog.nodes,
            state=state,
            failure_count=settings.watchdog.failure_count,
            time_window_s=settings.watchdog.time_window_s,
            # Set by systemd (systemd.exec(5)); without a unit nothing would start another manager.
            patience_s=PATIENCE_S if "INVOCATION_ID" in os.environ else float("inf"),
            on_change=trust.stir,
        )
    server = GossipServer(trust, internal=settings.internal, external=settings.external)
    await server.start()
    log.info(
        "es-manager %s, pid %d, serves gossip on %s and %s", VERSION, os.getpid(), settings.internal, settings.external
    )
    for line in settings.warnings:
        log.warning("%s", line)
    for line in trust.found(settings.seeds):
        log.info("%s", line)
    if supervisor:
        await supervisor.start()
    try:
        await _until_stopped(stopped, server, supervisor, _rounds(settings, trust))
        log.info("es-manager was asked to stop")
        if supervisor:
            await supervisor.stop()
    finally:
        await server.stop()
    log.info("es-manager stopped")


def _rounds(settings: options.Settings, trust: Trust) -> list[t.Coroutine[t.Any, t.Any, None]]:
    """What goes on for ever, and is never a reason to end: without it the watchdog still does its work."""

    def gossip() -> t.Awaitable[None]:
        return rounds.gossip(
            trust,
            own_ip=settings.internal.host,
            interval_s=settings.gossip_interval_s,
            timeout_s=settings.gossip_timeout_s,
        )

    def discover() -> t.Awaitable[None]:
        name, port = t.cast("tuple[str, int]", settings.dns)
        return rounds.discover(trust, name, port, nameservers=settings.nameservers)

    return [lasting("gossip", gossip), *([lasting("discovery", discover)] if settings.dns else [])]


async def _until_stopped(
    stopped: asyncio.Event,
    server: GossipServer,
    supervisor: Supervisor | None,
    work: list[t.Coroutine[t.Any, t.Any, None]],
) -> None:
    """Wait for the signal. ServiceError as soon as anything else ends: the unit starts another manager, which adopts
    the nodes."""
    asked: asyncio.Future[t.Any] = asyncio.ensure_future(stopped.wait())
    others: list[asyncio.Future[t.Any]] = [asyncio.ensure_future(each) for each in (*work, server.failed())]
    if supervisor:
        others.append(asyncio.ensure_future(supervisor.failed()))
    try:
        await asyncio.wait([asked, *others], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return
        for task in others:
            if task.done():
                task.result()
        raise ServiceError("a background task of the manager ended unexpectedly")
    finally:
        for task in (asked, *others):
            task.cancel()
        await asyncio.gather(asked, *others, return_exceptions=True)


def _set_up_log(settings: options.Settings) -> None:
    handlers: list[logging.Handler] = [logs.Stream()]
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    bounded = logs.Bounded(clock=time.monotonic)
    try:
        if settings.log:
            settings.log.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logs.File(
                    settings.log / "es-manager.log", maxBytes=MAX_LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
                )
            )
    except OSError as error:
        raise ServiceError(f"the log cannot be written: {error}", where="Log", hint="Create it for this user") from None
    finally:
        for handler in handlers:
            handler.setFormatter(logs.Plain())
            handler.addFilter(bounded)
            root.addHandler(handler)


def _usage() -> str:
    lines = ["Usage: es-manager --config FILE [options]", "", "Options, also as YAML in FILE and in the environment:"]
    lines += [f"  {option.flag:30} {option.environment_name}" for option in option_set("manager", options.VERSION)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
