# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The head of an HTTP/1.1 message: its first line, its header lines, and the length that they announce."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_number

END = b"\r\n\r\n"
_STATUS = re.compile(r"[1-9][0-9][0-9]\Z")
_MAX_LENGTH_DIGITS = 20


class RequestHead(t.NamedTuple):
    """``method`` in upper case, ``target`` as it came; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]


class AnswerHead(t.NamedTuple):
    """``reason`` may be empty; names of headers in lower case."""

    status: int
    reason: str
    headers: dict[str, str]


class TooLong(FormatError):
    """More bytes are announced than are accepted."""


def parse_request(raw: bytes) -> RequestHead:
    """Parse the bytes before END; FormatError if they are no head of a request."""
    first, headers = _parse(raw)
    words = first.split(" ")
    if len(words) != 3 or not words[0].isalpha() or not words[2].startswith("HTTP/1."):
        raise FormatError("This is not an HTTP/1.1 request")
    return RequestHead(words[0].upper(), words[1], headers)


def parse_answer(raw: bytes) -> AnswerHead:
    """Parse the bytes before END; FormatError if they are no head of an answer."""
    first, headers = _parse(raw)
    words = [*first.split(" ", 2), "", ""]
    if not words[0].startswith("HTTP/1.") or not _STATUS.match(words[1]):
        raise FormatError(f"not an HTTP answer: {first[:60]!r}")
    return AnswerHead(int(words[1]), words[2], headers)


def parse_length(name: str, text: str, most: int, *, base: int = 10) -> int:
    """Parse a number of bytes, called ``name`` in the error; FormatError, or TooLong if it is above ``most``."""
    try:
        length = parse_number(text[:_MAX_LENGTH_DIGITS], 0, base**_MAX_LENGTH_DIGITS, base=base)
    except FormatError:
        raise FormatError(f"{name} is {text[:30]!r}, not a number of bytes") from None
    if length > most:
        raise TooLong(f"{length} bytes announced, more than {most}")
    return length


def _parse(raw: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise FormatError(f"A header line is malformed: {line[:60]!r}")
        if name.lower() == "content-length" and "content-length" in headers:
            raise FormatError("Content-Length is there twice")
        headers[name.lower()] = value.strip()
    return first, headers


__all__ = ["END", "AnswerHead", "RequestHead", "TooLong", "parse_answer", "parse_length", "parse_request"]
