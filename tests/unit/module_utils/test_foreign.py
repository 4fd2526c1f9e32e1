# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json, parse_number
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import lease


@pytest.mark.parametrize("value", [{}, [], None, "ü", "𝄞", -1, 2**63, 1.5, {"members": [{"a": {"b": [1]}}]}])
def test_json_is_read_as_it_was_written(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value
    assert parse_json(b"\xef\xbb\xbf" + json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        "[" * 33 + "]" * 33,
        "[" * 900 + "]" * 900,  # json.loads reads it, json.dumps does not write it
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        "-" + "9" * 65,
        "1." + "9" * 5000,
        "1e999",
        "NaN",
        "-Infinity",
        '"\\ud800"',
        '{"\\udfff": 1}',
    ],
)
def test_what_is_no_json_or_out_of_bounds_is_refused(raw):
    with pytest.raises(FormatError):
        parse_json(raw)


@pytest.mark.parametrize(("text", "base", "number"), [("0", 10, 0), ("-7", 10, -7), ("007", 10, 7), ("fF", 16, 255)])
def test_a_number_is_read(text, base, number):
    assert parse_number(text, -7, 255, base=base) == number


@pytest.mark.parametrize(
    "text", ["", "²", "٣", "1_0", " 1", "1\n", "+1", "--1", "0x1", "1.0", "256", "-8", "0" * 65, "9" * 5000]
)
def test_what_is_no_number_or_out_of_range_is_refused(text):
    with pytest.raises(FormatError):
        parse_number(text, -7, 255)


DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    "read",
    [
        lambda: members.parse(b'{"members": [' + DEEP + b"]}", where="here"),
        lambda: members.parse(b'{"members": ' + DEEP + b', "serverIp": ' + DEEP + b"}", where="here"),
        lambda: members.parse(b'{"members": [], "serverIp": ' + DEEP + b"}", where="here"),
        lambda: members.seconds("2026-02-30T00:00:00Z"),
        lambda: members.seconds("0000-01-01T00:00:00Z"),
        lambda: lease.parse(b'{"owner": ' + DEEP + b"}"),
        lambda: lease.parse(b'{"owner": "a", "seconds": NaN}'),
        lambda: Endpoint.parse("10.0.0.1:" + "0" * 5000 + "1"),
        lambda: Endpoint.parse("10.0.0.1:²"),
        lambda: Endpoint.parse("10.0.0.1:٣"),
    ],
)
def test_parsers_of_foreign_text_raise_an_error_of_the_collection(read):
    with pytest.raises(EventStoreError):
        read()


def test_gossip_of_every_depth_is_refused():
    for depth in range(1, 1001):  # json.loads may have just had the stack that the message about it then lacks
        with pytest.raises(EventStoreError):
            members.parse(b'{"members": [], "serverIp": ' + b"[" * depth + b"]" * depth + b"}", where="here")
