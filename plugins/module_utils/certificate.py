# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What a certificate says of itself, read from its DER form: to tell why it is not trusted, and when it ends.

Python gives the fields of a trusted certificate only, and managed hosts have no library that reads the others. Nothing
is verified here: that is OpenSSL's work. The layout is that of RFC 5280, section 4.1.
"""

from __future__ import annotations

import ipaddress
import typing as t
from datetime import datetime, timezone

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable

MAX_BYTES = 64 * 1024
MAX_NAMES = 100
MAX_TEXT = 253

_SEQUENCE, _OCTETS, _UTC_TIME, _LONG_TIME = 0x30, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS, _DNS_NAME, _IP_ADDRESS = 0xA0, 0xA3, 0x82, 0x87
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"  # 2.5.29.17
_ATTRIBUTES = {b"\x55\x04\x03": "CN", b"\x55\x04\x06": "C", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
_ENCODINGS = {0x0C: "utf-8", 0x1E: "utf-16-be"}  # the other kinds of text are ASCII, or close to it


class Certificate(t.NamedTuple):
    """``names``: DNS names and addresses that it stands for; ``begins``, ``ends``: seconds since 1970."""

    subject: str
    names: tuple[str, ...]
    begins: int
    ends: int

    @property
    def end_text(self) -> str:
        """The end as ``2027-01-31T12:00:00Z``."""
        return _text_of(self.ends)

    @property
    def begin_text(self) -> str:
        return _text_of(self.begins)

    def __str__(self) -> str:
        names = f", for {', '.join(self.names[:10])}" if self.names else ", without alternative names"
        return f"certificate {self.subject or 'without a subject'}{names}, from {self.begin_text} to {self.end_text}"


class _Element(t.NamedTuple):
    tag: int
    content: bytes


def parse(der: bytes) -> Certificate:
    """Read one certificate; FormatError if it is none."""
    if len(der) > MAX_BYTES:
        raise FormatError(f"a certificate of {len(der)} bytes, more than {MAX_BYTES}")
    whole = _one(der, _SEQUENCE)
    signed = _elements(_elements(whole)[0].content)
    fields = signed[1:] if signed and signed[0].tag == _VERSION else signed
    if len(fields) < 6:
        raise FormatError(f"a certificate of {len(fields)} fields")
    _serial, _algorithm, _issuer, validity, subject, _key, *rest = fields
    times = _elements(validity.content)
    if len(times) != 2:
        raise FormatError("a certificate without two times")
    begins, ends = map(_seconds, times)
    return Certificate(_subject(subject.content), tuple(_names(rest)), begins, ends)


def _one(data: bytes, tag: int) -> bytes:
    """The content of the first element, which has to be of this kind."""
    found = _elements(data)
    if not found or found[0].tag != tag:
        raise FormatError(f"not DER: expected an element of kind {tag:#x}")
    return found[0].content


def _elements(data: bytes) -> list[_Element]:
    """The elements side by side in ``data``, not what is inside them; FormatError if they do not fill it."""
    found, position = [], 0
    while position < len(data):
        if position + 2 > len(data):
            raise FormatError("not DER: it is cut off")
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 3:  # more would be longer than MAX_BYTES, none is BER
                raise FormatError("not DER: the length of an element")
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if position + length > len(data):
            raise FormatError("not DER: an element is longer than what is around it")
        found.append(_Element(tag, data[position : position + length]))
        position += length
    if not found:
        raise FormatError("not DER: expected an element, but came nothing")
    return found


def _seconds(time: _Element) -> int:
    text = time.content.decode("ascii", "replace")
    if time.tag == _UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif time.tag != _LONG_TIME:
        raise FormatError("a certificate's time that is none")
    if len(text) != 15 or not text.endswith("Z") or not (text.isascii() and text[:-1].isdigit()):
        raise FormatError(f"a certificate's time is {printable(text, 20)!r}")
    parts = (text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:14])
    year, month, day, hour, minute, second = map(int, parts)
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp())
    except ValueError as error:
        raise FormatError(f"a certificate's time: {error}") from None


def _subject(content: bytes) -> str:
    """``CN=eventstoredb-node, O=…``; attributes of no interest are left out."""
    texts = []
    for relative in _elements(content) if content else ():
        for pair in _elements(relative.content):
            kind, value, *_rest = [*_elements(pair.content), _Element(0, b"")]
            if kind.content in _ATTRIBUTES:
                text = value.content.decode(_ENCODINGS.get(value.tag, "latin-1"), "replace")
                texts.append(f"{_ATTRIBUTES[kind.content]}={printable(text, MAX_TEXT)}")
    return ", ".join(texts[:MAX_NAMES])


def _names(rest: t.Iterable[_Element]) -> t.Iterator[str]:
    """The alternative names, as far as they are DNS names and addresses."""
    for part in rest:
        if part.tag != _EXTENSIONS:
            continue
        for extension in _elements(_one(part.content, _SEQUENCE)):
            kind, *values = _elements(extension.content)
            if kind.content == _ALTERNATIVE_NAMES and values and values[-1].tag == _OCTETS:
                for name in _elements(_one(values[-1].content, _SEQUENCE))[:MAX_NAMES]:
                    yield from _name(name)


def _name(name: _Element) -> t.Iterator[str]:
    if name.tag == _DNS_NAME:
        yield printable(name.content.decode("ascii", "replace"), MAX_TEXT)
    elif name.tag == _IP_ADDRESS and len(name.content) in (4, 16):
        yield str(ipaddress.ip_address(name.content))


def _text_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["Certificate", "parse"]
