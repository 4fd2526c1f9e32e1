# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import types
import typing as t

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.http.server import Request, Response
from lab.node import web
from lab.node.web import Web

AT = Endpoint("127.0.0.1", 2113)


def answer(side: str, path: str, *arguments: str, method: str = "GET", host: str = str(AT)) -> Response:
    """The answer of a node that has no database behind it, and whose gossip does not work yet."""

    async def ask() -> Response:
        options = layers.effective(option_set("database", "3.4.0"), arguments=arguments)
        node = t.cast("t.Any", types.SimpleNamespace(options=options, gossip_works=asyncio.Event(), state="Unknown"))
        request = Request(method, path, {}, {"host": host}, b"", AT, AT)
        return await Web(node, side).handle(request)

    return asyncio.run(ask())


@pytest.mark.parametrize("side", ["Int", "Ext"])
def test_gossip_that_does_not_work_yet_hangs_and_then_says_408(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "HANG_S", 0.05)
    got = answer(side, "/gossip", host=str(AT) if side == "Ext" else "127.0.0.1:2112")
    assert (got.status, got.body) == (408, b"Server was unable to handle request in time")


@pytest.mark.parametrize(
    ("option", "path", "method"),
    [("--gossip-on-ext", "/gossip", "GET"), ("--stats-on-ext", "/stats", "GET"), ("--admin-on-ext", "/", "GET")],
)
def test_what_is_switched_off_outside_is_not_there(option: str, path: str, method: str) -> None:
    assert answer("Ext", path, option, "false", method=method).status == 404
    assert answer("Int", path, option, "false", method="PATCH", host="127.0.0.1:2112").status == 405


@pytest.mark.parametrize(
    ("arguments", "host", "status"),
    [
        ((), "127.0.0.1:2113", 200),
        ((), "localhost:2113", 200),
        ((), "LOCALHOST:2113", 200),
        ((), "node1:2113", 400),
        ((), "", 400),
        (("--ext-ip", "127.0.0.2"), "localhost:2113", 400),
        (("--int-ip", "0.0.0.0", "--ext-ip", "0.0.0.0"), "node1:2113", 200),
        # the other side alone is 0.0.0.0: no prefix for this one (KurrentDB#790)
        (("--int-ip", "0.0.0.0"), "127.0.0.1:2113", 400),
        (("--ext-http-prefixes", "http://node1:2113/"), "node1:2113", 200),
        (("--ext-http-prefixes", "http://node1:2113/"), "127.0.0.1:2113", 200),
        (("--ext-http-prefixes", "http://*:2113/", "--add-interface-prefixes", "false"), "anything:2113", 200),
        (("--ext-http-prefixes", "http://node1:2113/", "--add-interface-prefixes", "false"), "127.0.0.1:2113", 400),
        (("--ext-ip-advertise-as", "198.51.100.5"), "198.51.100.5:2113", 400),
    ],
)
def test_it_is_asked_by_address_and_not_by_name(arguments: tuple[str, ...], host: str, status: int) -> None:
    assert answer("Ext", "/info", *arguments, host=host).status == status
