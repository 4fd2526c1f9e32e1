# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the stand-in: options as the real server reads them, then the node."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.families import traits
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import (
    Handler,
    HttpServer,
    Request,
    Response,
)
from lab.node.node import Node
from lab.node.version import VERSION
from lab.node.web import Web

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet

DEFAULT_CONFIG = Path("/etc/eventstore/eventstore.conf")
NAMESERVERS = "EVENTSTORE_NAMESERVERS"
# Faults: seconds that opening the database takes, and a file in Db that names the versions that cannot read it.
OPENING = "LAB_OPENING_S"
REFUSING = "lab-refuses"
# How a start that fails ends: with 0 from 4.x on, as if all were well.
FAILED = traits(VERSION).failed_start
STAND_IN = "This is the lab's stand-in for an Event Store database node; it is no database."
MAX_BODY_BYTES = 4 * 1024 * 1024


class CannotListen(Exception):
    """A port is taken, or its address is not on this machine."""


def main() -> int:
    options = option_set("database", VERSION)
    try:
        effective = _effective(options, sys.argv[1:])
    except ConfigError as error:
        # Measured: on stderr, with the usage, and exit code 0.
        print(f"Error while parsing options:\n{error}\n\n{_usage(options)}", file=sys.stderr)
        return 0
    if effective.value("Help"):
        print(_usage(options))
        return 0
    if effective.value("Version"):
        print(f"EventStore version {VERSION}.0 (EventStore-Lab). {STAND_IN}")
        return 0
    dump = _dump(effective)
    if effective.value("WhatIf"):
        print(dump)
        return _exit(0, "WhatIf option specified")
    try:
        return asyncio.run(_run(effective, dump))
    except EventStoreError as error:
        return _exit(FAILED, str(error))
    except OSError as error:
        return _exit(FAILED, f"{error.strerror or error}: {error.filename}" if error.filename else str(error))


def _effective(options: OptionSet, arguments: list[str]) -> layers.Effective:
    chosen = layers.config_file(options, arguments)
    path = Path(chosen) if chosen else DEFAULT_CONFIG
    text = None
    if chosen or path.is_file():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"The specified config file {path} could not be found") from None
    return layers.effective(options, file=text, file_name=str(path), environment=os.environ, arguments=arguments)


def _usage(options: OptionSet) -> str:
    lines = [f"  {option.flag:<42} {option.type}" for option in options]
    return "\n".join(["Options:", "Usage: eventstored options", "", *lines, "", STAND_IN])


def _dump(effective: layers.Effective) -> str:
    def line(title: str, text: str) -> str:
        return f"{title + ':':<25} {text}"

    def group(name: str, settings: list[layers.Setting]) -> list[str]:
        shown = [f"\t{line(s.option.title, f'{_raw(s)} ({s.source})')}" for s in settings]
        return ["", name, "", *(shown or ["NONE"])]

    modified = [s for s in effective.values() if s.source != layers.DEFAULT]
    default = [s for s in effective.values() if s.source == layers.DEFAULT]
    return "\n".join(
        [
            line("ES VERSION", f"{VERSION}.0 (EventStore-Lab)"),
            line("OS", f"{platform.system()} ({platform.release()})"),
            line("RUNTIME", f"Python {platform.python_version()}"),
            line("LOGS", effective.value("Log")),
            *group("MODIFIED OPTIONS:", modified),
            *group("DEFAULT OPTIONS:", default),
            "",
        ]
    )


def _raw(setting: layers.Setting) -> str:
    """The real one prints CertificatePassword in clear; its stand-in need not."""
    return "********" if setting.option.secret and setting.raw else setting.raw or "<empty>"


def _exit(code: int, reason: str) -> int:
    print(f"Exiting with exit code: {code}.\nExit reason: {reason}", flush=True)
    return code


class LogFile:
    """Lines with the time, on stdout and in ``<Log>/<date>/<ExtIp>-<ExtHttpPort>-cluster-node.log``."""

    def __init__(self, options: layers.Effective) -> None:
        now = datetime.now(timezone.utc)
        directory = Path(options.value("Log")) / f"{now:%Y-%m-%d}"
        directory.mkdir(parents=True, exist_ok=True)
        name = f"{options.value('ExtIp')}-{options.value('ExtHttpPort')}-cluster-node.log"
        self._file = (directory / name).open("a", encoding="utf-8", buffering=1)

    def __call__(self, text: str) -> None:
        line = f"[{os.getpid():05},{datetime.now(timezone.utc):%H:%M:%S.%f}] {text}"
        self._file.write(f"{line}\n")
        print(line, flush=True)


async def _run(options: layers.Effective, dump: str) -> int:
    log = LogFile(options)
    log(STAND_IN)
    log(f"\n{dump}")
    refusing = Path(options.value("Db")) / REFUSING
    if refusing.is_file() and VERSION in refusing.read_text(encoding="utf-8").split():
        return _exit(FAILED, f"{refusing} says that {VERSION} cannot read this database")
    await asyncio.sleep(float(os.environ.get(OPENING, "0")))
    holders: list[asyncio.AbstractServer] = []
    web: list[HttpServer] = []
    try:
        node = await _open(options, log, holders, web)
    except CannotListen as error:
        for listener in holders:
            listener.close()
        for server in web:
            await server.stop()
        _exit(1, str(error))
        # Measured: the real one says so, and stays. Whoever takes a running process for a node must notice here.
        await asyncio.Event().wait()
        raise AssertionError("unreachable") from None  # pragma: no cover
    node.start()
    code, reason = await node.exit
    for server in web:
        await server.stop()
    await node.stop()
    log(f"Exit reason: {reason}")
    return _exit(code, reason)


async def _open(
    options: layers.Effective, log: LogFile, holders: list[asyncio.AbstractServer], web: list[HttpServer]
) -> Node:
    """Take all ports, then open the database; a client that is too early waits for the first answer."""
    sides = ("Int", "Ext") if options.value("ClusterSize") > 1 else ("Ext",)
    for side in sides:
        endpoint = Endpoint(options.value(f"{side}Ip"), options.value(f"{side}TcpPort"))
        try:
            holders.append(await asyncio.start_server(_hang_up, endpoint.host, endpoint.port))
        except OSError as error:
            taken = error.errno == 98  # EADDRINUSE
            text = "Address already in use" if taken else "The requested address is not valid in this context"
            log(f"cannot listen on {endpoint}: {error.strerror}")
            raise CannotListen(text) from None
    answering: dict[str, Web] = {}
    opened = asyncio.Event()

    def answer_at(side: str) -> Handler:
        async def answer(request: Request) -> Response:
            await opened.wait()
            return await answering[side].handle(request)

        return answer

    heard = {(side, endpoint) for side in sides for endpoint in addresses.http_listeners(options.by_name, side)}
    for side, endpoint in sorted(heard):
        server = HttpServer(endpoint, answer_at(side), max_body_bytes=MAX_BODY_BYTES)
        try:
            await server.start()
        except OSError as error:
            log(f"cannot listen on {endpoint}: {error.strerror}")
            raise CannotListen(f"HTTP async server failed to start listening at [http://{endpoint}/].") from None
        web.append(server)
    nameservers = [text for text in os.environ.get(NAMESERVERS, "").split(",") if text]
    node = Node(options, nameservers, log)
    answering.update((side, Web(node, side)) for side in sides)
    opened.set()
    return node


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


__all__ = ["main"]
