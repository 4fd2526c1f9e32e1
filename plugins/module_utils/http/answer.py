# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One HTTP answer, read from bytes as they come, wherever the network cuts them."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.http import head
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import TooLong

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_CHUNK_LINE_BYTES = 1024
# How much a reader takes from a connection at a time.
READ_BYTES = 64 * 1024


class ClosedEarly(FormatError):
    """The connection ended before the answer did."""


class AnswerParser:
    """Reads by Content-Length, by chunks (Mono's listener sends them) or up to the end of the connection.

    ``only_ok``: an answer whose status is not 200 is whole with its head; its body would only cost time.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES, *, only_ok: bool = False) -> None:
        self.status = 0
        self.reason = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.stays_open = False  # after the whole answer, so that the next one may come
        self._max = max_body_bytes
        self._only_ok = only_ok
        self._buffer = bytearray()
        self._length: int | None = None
        self._chunks: list[bytes] | None = None
        self._received = 0

    def feed(self, data: bytes) -> bool:
        """Take more bytes; True when the answer is whole. TooLong, or another FormatError, when it never will be."""
        self._buffer += data
        self._received += len(data)
        while not self.status:
            if not self._read_head():
                return False
        if self._only_ok and self.status != 200:
            return True
        if self._received > self._max + MAX_HEAD_BYTES:
            raise TooLong(f"more than {self._max} bytes")
        if self._chunks is not None:
            return self._read_chunks(self._chunks)
        if self._length is not None and len(self._buffer) >= self._length:
            self.body = bytes(self._buffer[: self._length])
            self.stays_open = self._may_go_on and len(self._buffer) == self._length
            return True
        return False

    @property
    def is_untouched(self) -> bool:
        """Nothing has come yet."""
        return not self._received

    @property
    def _may_go_on(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    def end(self) -> None:
        """The connection has ended: the answer is whole now, or never: ClosedEarly."""
        if not self._received:
            raise ClosedEarly("the connection was closed without an answer")
        if not self.status:
            self._refuse_strangers()
            raise ClosedEarly("the connection was closed in the middle of the answer's head")
        if self._chunks is not None:
            raise ClosedEarly("the connection was closed before the last chunk of the answer")
        if self._length is not None:
            raise ClosedEarly(f"the connection was closed after {len(self._buffer)} of {self._length} bytes")
        self.body = bytes(self._buffer)

    def _read_head(self) -> bool:
        """Take one head from the buffer; False if it is not whole yet."""
        end = self._buffer.find(head.END)
        if end < 0:
            self._refuse_strangers()
            if self._received > MAX_HEAD_BYTES:
                raise TooLong(f"a head of more than {MAX_HEAD_BYTES} bytes")
            return False
        status, reason, headers = head.parse_answer(bytes(self._buffer[:end]))
        del self._buffer[: end + len(head.END)]
        if status < 200:  # an interim answer; the real one follows
            return True
        self.status, self.reason, self.headers = status, reason, headers
        if self._only_ok and status != 200:
            return True
        if headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = []
        elif "content-length" in headers:
            self._length = head.parse_length("Content-Length", headers["content-length"], self._max)
        return True

    def _refuse_strangers(self) -> None:
        if not b"HTTP/".startswith(self._buffer[:5]):
            raise FormatError(f"not an HTTP answer: {bytes(self._buffer[:40])!r}")

    def _read_chunks(self, chunks: list[bytes]) -> bool:
        position = 0
        try:
            while True:
                end = self._buffer.find(b"\r\n", position, position + MAX_CHUNK_LINE_BYTES)
                if end < 0:
                    if len(self._buffer) - position >= MAX_CHUNK_LINE_BYTES:
                        raise FormatError("a chunk without a size")
                    return False
                text = self._buffer[position:end].decode("latin-1").split(";")[0].strip()
                length = head.parse_length("the size of a chunk", text, self._max, base=16)
                if length == 0:
                    self.body = b"".join(chunks)
                    self.stays_open = self._may_go_on and self._buffer[end + 2 :] == b"\r\n"
                    return True
                if len(self._buffer) < end + 2 + length + 2:
                    return False
                chunks.append(bytes(self._buffer[end + 2 : end + 2 + length]))
                position = end + 2 + length + 2
        finally:
            del self._buffer[:position]


__all__ = ["MAX_BODY_BYTES", "READ_BYTES", "AnswerParser", "ClosedEarly"]
