# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import (
    TooLong,
    parse_answer,
    parse_length,
    parse_request,
)


def test_a_request():
    raw = b"get /gossip?format=json HTTP/1.1\r\nHost: 10.0.0.1:2113\r\nX-Empty:\r\nconTENT-length:  3 "
    headers = {"host": "10.0.0.1:2113", "x-empty": "", "content-length": "3"}
    assert parse_request(raw) == ("GET", "/gossip?format=json", headers)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"HTTP/1.1 200 OK", (200, "OK", {})),
        (b"HTTP/1.0 404\r\nServer: Mono-HTTPAPI/1.0", (404, "", {"server": "Mono-HTTPAPI/1.0"})),
        (b"HTTP/1.1 408 Not handled in time", (408, "Not handled in time", {})),
    ],
)
def test_an_answer(raw, expected):
    assert parse_answer(raw) == expected


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "not an HTTP/1.1 request"),
        (b"GET / HTTP/2", "not an HTTP/1.1 request"),
        (b"GET /a b HTTP/1.1", "not an HTTP/1.1 request"),
        (b"G3T / HTTP/1.1", "not an HTTP/1.1 request"),
        (b"GET / HTTP/1.1\r\nno colon", "malformed: 'no colon'"),
        (b"GET / HTTP/1.1\r\n: no name", "malformed"),
        (b"GET / HTTP/1.1\r\nHost : x", "malformed"),
        (b"GET / HTTP/1.1\r\n folded: x", "malformed"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nCONTENT-LENGTH: 2", "Content-Length is there twice"),
    ],
)
def test_what_is_no_request(raw, text):
    with pytest.raises(FormatError, match=text):
        parse_request(raw)


@pytest.mark.parametrize("status", [b"20", b"2000", b"099", b"abc", b"-20", b"\xb2\xb2\xb2", b""])
def test_what_is_no_status(status):
    with pytest.raises(FormatError, match="not an HTTP answer"):
        parse_answer(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1 ", "\u00b2", "0x10", "1_0", "5, 5"])
def test_what_is_no_length(text):
    with pytest.raises(FormatError, match="Content-Length is"):
        parse_length("Content-Length", text, 1000)


def test_lengths():
    assert (parse_length("x", "1000", 1000), parse_length("x", "3E8", 1000, base=16)) == (1000, 1000)
    for text, base in (("1001", 10), ("3e9", 16), ("9" * 5000, 10), ("F" * 5000, 16)):
        with pytest.raises(TooLong, match="more than 1000"):
            parse_length("x", text, 1000, base=base)
