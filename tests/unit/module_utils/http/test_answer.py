# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.http import answer
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import AnswerParser, ClosedEarly
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import TooLong

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MAX = 1000

WHOLE = [
    (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    (OK + b"content-length:5\r\n\r\nhello and more", b"hello"),
    (OK + b"Content-Length: 0\r\n\r\n", b""),
    (OK + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (OK + CHUNKED + b"2;name=value\r\nhe\r\n3\r\nllo\r\n000\r\n", b"hello"),
    (OK + CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    (b"HTTP/1.0 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
]
UNTIL_CLOSE = [
    (OK + b"\r\nhello", b"hello"),
    (OK + b"\r\n", b""),
    (b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello", b"hello"),
]
BAD = [
    (b"", ClosedEarly, "without an answer"),
    (b"HT", ClosedEarly, "in the middle of the answer's head"),
    (b"SSH", FormatError, "not an HTTP answer: b'SSH'"),
    (b"HTTP/1.1 20", ClosedEarly, "in the middle of the answer's head"),
    (OK + b"Content-Length: 5\r\n\r\nhell", ClosedEarly, "closed after 4 of 5 bytes"),
    (OK + CHUNKED + b"5\r\nhello\r\n", ClosedEarly, "before the last chunk"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", FormatError, "not an HTTP answer: b'SSH-"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 600, ClosedEarly, "in the middle of the answer's head"),
    (b"HTTP/1.1 100 \r\n\r\n" * 5000 + b"HTTP", TooLong, "a head of more than 16384 bytes"),
    (b"HTTP/2 200\r\n\r\n", FormatError, "not an HTTP answer"),
    (b"HTTP/1.1 abc\r\n\r\n", FormatError, "not an HTTP answer"),
    (b"HTTP/1.1 \xb2\xb2\xb2\r\n\r\n", FormatError, "not an HTTP answer"),
    (OK + b"Content-Length: 1001\r\n\r\n", TooLong, "1001 bytes announced, more than 1000"),
    (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", TooLong, "99999999999999999999 bytes announced"),
    (OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", FormatError, "Content-Length is there twice"),
    (OK + b"Content-Length: -1\r\n\r\n", FormatError, "Content-Length is '-1'"),
    (OK + b"Content-Length: \xb2\r\n\r\n", FormatError, "Content-Length is"),
    (OK + b"Content-Length: 5, 5\r\n\r\n", FormatError, "Content-Length is '5, 5'"),
    (OK + CHUNKED + b"xyz\r\n", FormatError, "the size of a chunk is 'xyz'"),
    (OK + CHUNKED + b"\r\n", FormatError, "the size of a chunk is ''"),
    (OK + CHUNKED + b"3e9\r\n", TooLong, "1001 bytes announced"),
    (OK + CHUNKED + b"1" * 2000, FormatError, "a chunk without a size"),
    (OK + b"X: " + b"x" * 20000, TooLong, "a head of more than 16384 bytes"),
    (OK + b"\r\n" + b"x" * 20000, TooLong, "more than 1000 bytes"),
    (OK + CHUNKED + b"1\r\nx\r\n" * 4000, TooLong, "more than 1000 bytes"),
]


def read(pieces):
    parser = AnswerParser(MAX)
    for piece in pieces:
        if parser.feed(piece):
            return parser.body
    parser.end()
    return parser.body


def split(data, cuts):
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in zip(places, places[1:])]


@pytest.mark.parametrize(("data", "body"), [*WHOLE, *UNTIL_CLOSE])
def test_good_answers(data, body):
    assert read([data]) == body
    assert read([data[at : at + 1] for at in range(len(data))]) == body


@pytest.mark.parametrize("data", [data for data, _body in WHOLE])
def test_the_end_of_an_answer_is_known_without_the_end_of_the_connection(data):
    assert AnswerParser(MAX).feed(data)


@pytest.mark.parametrize(("data", "kind", "text"), BAD)
def test_bad_answers(data, kind, text):
    for pieces in ([data], [data[at : at + 7] for at in range(0, len(data), 7)]):
        with pytest.raises(FormatError) as caught:
            read(pieces)
        assert (type(caught.value), text in str(caught.value)) == (kind, True), str(caught.value)


def test_an_answer_that_is_not_wanted_is_whole_with_its_head():
    parser = AnswerParser(MAX, only_ok=True)
    assert parser.feed(b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 9999999\r\n\r\n")
    assert (parser.status, parser.reason, parser.headers["server"], parser.body) == (404, "Not Found", "x", b"")


@pytest.mark.parametrize("status", [b"201 Created", b"404 Not Found", b"503"])
def test_other_statuses_have_bodies(status):
    parser = AnswerParser(MAX)
    assert parser.feed(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nhello")
    assert (parser.status, parser.body) == (int(status[:3]), b"hello")


@given(st.sampled_from([*WHOLE, *UNTIL_CLOSE]), st.lists(st.integers(0, 200), max_size=8))
def test_how_the_network_cuts_an_answer_does_not_matter(answer, cuts):
    data, body = answer
    assert read(split(data, cuts)) == body


@given(st.binary(max_size=300), st.sampled_from([b"", OK + b"\r\n", OK + CHUNKED, OK + b"Content-Length: "]))
def test_any_bytes_end_in_a_body_or_a_bad_answer(data, start):
    with contextlib.suppress(FormatError):
        assert len(read([start + data])) <= MAX


def test_what_is_kept_is_bounded():
    parser = AnswerParser(MAX)
    fed = 0
    with contextlib.suppress(FormatError):
        while fed < 10 * answer.MAX_HEAD_BYTES:
            fed += len(OK)
            parser.feed(OK)
    assert len(parser._buffer) < 2 * answer.MAX_HEAD_BYTES
