# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One concurrent sweep of GET requests over many endpoints, with one deadline for all of them.

Non-blocking sockets and one selector in one thread: a thread or a task for each endpoint costs several times as much
(measured). Plain HTTP only.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import time
import typing as t
from collections import deque
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_CHUNK_LINE_BYTES = 1024
READ_BYTES = 64 * 1024

# The kinds of failure.
REFUSED, UNREACHABLE, TIMEOUT, CLOSED = "refused", "unreachable", "timeout", "closed"
NOT_HTTP, TOO_LONG, STATUS = "not_http", "too_long", "status"


class Request(t.NamedTuple):
    """GET ``path`` of ``endpoint``."""

    endpoint: Endpoint
    path: str


@dataclass(frozen=True)
class Result:
    """A whole body (``error`` is empty), or the kind of failure and its ``text``.

    ``seconds``: from the start of the connection to the end of the answer; ``time``: the clock at that end; ``server``:
    what the answer says of the program, where its status is not 200.
    """

    body: bytes
    error: str
    text: str
    status: int
    seconds: float
    time: float
    server: str = ""


_STATUS = re.compile(r"[1-9][0-9][0-9]\Z")


class BadAnswer(Exception):
    """An answer that is not read further; ``error`` is its kind."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


class ResponseParser:
    """Reads one HTTP answer from bytes as they come: by Content-Length, by chunks or up to the end of the connection.

    Anything but 200 is told from its head alone: the body would only cost time.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.status = 0
        self.server = ""
        self.body = b""
        self._max = max_body_bytes
        self._buffer = bytearray()
        self._length: int | None = None
        self._chunks: list[bytes] | None = None
        self._received = 0

    def feed(self, data: bytes) -> bool:
        """Take more bytes; True when the answer is whole. BadAnswer when it never will be."""
        self._buffer += data
        self._received += len(data)
        while not self.status:
            if not self._read_head():
                return False
        if self._received > self._max + MAX_HEAD_BYTES:
            raise BadAnswer(TOO_LONG, f"more than {self._max} bytes")
        if self._chunks is not None:
            return self._read_chunks(self._chunks)
        if self._length is not None and len(self._buffer) >= self._length:
            self.body = bytes(self._buffer[: self._length])
            return True
        return False

    def end(self) -> None:
        """The connection has ended: the answer is whole now, or never."""
        if not self._received:
            raise BadAnswer(CLOSED, "the connection was closed without an answer")
        if not self.status:
            self._refuse_strangers()
            raise BadAnswer(CLOSED, "the connection was closed in the middle of the answer's head")
        if self._chunks is not None:
            raise BadAnswer(CLOSED, "the connection was closed before the last chunk of the answer")
        if self._length is not None:
            raise BadAnswer(CLOSED, f"the connection was closed after {len(self._buffer)} of {self._length} bytes")
        self.body = bytes(self._buffer)

    def _read_head(self) -> bool:
        """Take one head from the buffer; False if it is not whole yet."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            self._refuse_strangers()
            if self._received > MAX_HEAD_BYTES:
                raise BadAnswer(TOO_LONG, f"a head of more than {MAX_HEAD_BYTES} bytes")
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not _STATUS.match(words[1]):
            raise BadAnswer(NOT_HTTP, f"not an HTTP answer: {lines[0][:60]!r}")
        del self._buffer[: end + 4]
        status = int(words[1])
        if status < 200:  # an interim answer; the real one follows
            return True
        self.status = status
        headers = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if status != 200:
            self.server = printable(headers.get("server", ""), 80)
            source = f", from {self.server}" if self.server else ""
            raise BadAnswer(STATUS, f"HTTP status {printable(' '.join(words[1:]), 80)}{source}")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = []
        elif "content-length" in headers:
            self._length = self._number(headers["content-length"], 10, "Content-Length")
        return True

    def _refuse_strangers(self) -> None:
        if not b"HTTP/".startswith(self._buffer[:5]):
            raise BadAnswer(NOT_HTTP, f"not an HTTP answer: {bytes(self._buffer[:40])!r}")

    def _read_chunks(self, chunks: list[bytes]) -> bool:
        position = 0
        try:
            while True:
                end = self._buffer.find(b"\r\n", position, position + MAX_CHUNK_LINE_BYTES)
                if end < 0:
                    if len(self._buffer) - position >= MAX_CHUNK_LINE_BYTES:
                        raise BadAnswer(NOT_HTTP, "a chunk without a size")
                    return False
                text = self._buffer[position:end].decode("latin-1").split(";")[0].strip()
                length = self._number(text, 16, "size of a chunk")
                if length == 0:
                    self.body = b"".join(chunks)
                    return True
                if len(self._buffer) < end + 2 + length + 2:
                    return False
                chunks.append(bytes(self._buffer[end + 2 : end + 2 + length]))
                position = end + 2 + length + 2
        finally:
            del self._buffer[:position]

    def _number(self, text: str, base: int, what: str) -> int:
        digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
        if not text or len(text) > 18 or any(char not in digits for char in text):
            raise BadAnswer(NOT_HTTP, f"a malformed answer: the {what} is {text[:30]!r}")
        number = int(text, base)
        if number > self._max:
            raise BadAnswer(TOO_LONG, f"{number} bytes announced, more than {self._max}")
        return number


class _Connection:
    """One request on its way."""

    __slots__ = ("connected", "index", "parser", "pending", "socket", "started")

    def __init__(self, index: int, request: Request, max_body_bytes: int) -> None:
        endpoint = request.endpoint
        self.index = index
        self.connected = False
        self.started = time.monotonic()
        self.parser = ResponseParser(max_body_bytes)
        # By address and not by name: http.sys and Mono's listener answer 400 to a Host they were not told of.
        self.pending = (
            f"GET {request.path} HTTP/1.1\r\nHost: {endpoint}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        ).encode("latin-1")
        self.socket = socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET, socket.SOCK_STREAM)

    def send(self) -> None:
        """Send what can be sent now; OSError if the connection has failed."""
        try:
            sent = self.socket.send(self.pending)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.EINPROGRESS):
                return
            raise
        self.connected = True
        self.pending = self.pending[sent:]


def sweep(
    requests: t.Sequence[Request],
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_open: int | None = None,
) -> list[Result]:
    """Send all requests at once and give a result for each, in their order, within ``timeout_s`` altogether.

    No more than ``max_open`` sockets are open at a time; without it half of what this process may open.
    """
    run = _Sweep(requests, timeout_s, max_body_bytes, max_open or _may_open())
    return run.run()


def _may_open() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 500
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if soft == resource.RLIM_INFINITY else max(8, min(4096, soft // 2))


class _Sweep:
    def __init__(self, requests: t.Sequence[Request], timeout_s: float, max_body_bytes: int, max_open: int) -> None:
        self._requests = requests
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._max_body_bytes = max_body_bytes
        self._max_open = max_open
        self._waiting = deque(range(len(requests)))
        self._open: dict[int, _Connection] = {}
        self._results: list[Result | None] = [None] * len(requests)

    def run(self) -> list[Result]:
        with selectors.DefaultSelector() as selector:
            try:
                self._run(selector)
            finally:
                for connection in self._open.values():
                    connection.socket.close()
        return [self._late(index) if result is None else result for index, result in enumerate(self._results)]

    def _run(self, selector: selectors.BaseSelector) -> None:
        while True:
            while self._waiting and len(self._open) < self._max_open and self._start(selector):
                pass
            left = self._deadline - time.monotonic()
            if not self._open or left <= 0:
                return
            for key, _mask in selector.select(left):
                self._advance(selector, key.data)
                if time.monotonic() > self._deadline:
                    return

    def _start(self, selector: selectors.BaseSelector) -> bool:
        """Open the next connection; False if no more can be open now."""
        index = self._waiting[0]
        try:
            connection = _Connection(index, self._requests[index], self._max_body_bytes)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE) and self._open:
                self._max_open = len(self._open)
                return False
            self._waiting.popleft()
            self._fail(index, UNREACHABLE, os.strerror(error.errno or 0), 0.0)
            return True
        self._waiting.popleft()
        try:
            connection.socket.setblocking(False)
            code = connection.socket.connect_ex(self._requests[index].endpoint)
            if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(code, os.strerror(code))
            # On loopback the connection stands already: this saves a turn of the selector.
            connection.send()
            selector.register(
                connection.socket,
                selectors.EVENT_WRITE if connection.pending else selectors.EVENT_READ,
                connection,
            )
            self._open[index] = connection
        except OSError as error:
            connection.socket.close()
            self._fail(index, *_classify(error), time.monotonic() - connection.started)
        return True

    def _advance(self, selector: selectors.BaseSelector, connection: _Connection) -> None:
        try:
            if connection.pending:
                code = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))
                connection.send()
                if not connection.pending:
                    selector.modify(connection.socket, selectors.EVENT_READ, connection)
                return
            data = connection.socket.recv(READ_BYTES)
            if data:
                if not connection.parser.feed(data):
                    return
            else:
                connection.parser.end()
            result = self._result(connection, "", "")
        except (BlockingIOError, InterruptedError):
            return
        except BadAnswer as error:
            result = self._result(connection, error.error, str(error))
        except OSError as error:
            result = self._result(connection, *_classify(error))
        selector.unregister(connection.socket)
        connection.socket.close()
        del self._open[connection.index]
        self._results[connection.index] = result

    def _result(self, connection: _Connection, error: str, text: str) -> Result:
        parser = connection.parser
        seconds = time.monotonic() - connection.started
        body = b"" if error else parser.body
        return Result(body, error, text, parser.status, seconds, time.time(), parser.server)

    def _fail(self, index: int, error: str, text: str, seconds: float) -> None:
        self._results[index] = Result(b"", error, text, 0, seconds, time.time())

    def _late(self, index: int) -> Result:
        within = f"within {self._timeout_s:g} s"
        connection = self._open.get(index)
        if connection is None:
            text = f"not asked {within}: only {self._max_open} sockets may be open at a time (see ulimit -n)"
            return Result(b"", TIMEOUT, text, 0, 0.0, time.time())
        text = f"no connection {within}" if not connection.connected else f"connected, but no whole answer {within}"
        return self._result(connection, TIMEOUT, text)


def _classify(error: OSError) -> tuple[str, str]:
    text = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.ECONNREFUSED:
        return REFUSED, "connection refused"
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return CLOSED, "the connection was reset"
    if error.errno == errno.ETIMEDOUT:
        return TIMEOUT, "no connection"
    return UNREACHABLE, text


__all__ = [
    "CLOSED",
    "NOT_HTTP",
    "REFUSED",
    "STATUS",
    "TIMEOUT",
    "TOO_LONG",
    "UNREACHABLE",
    "BadAnswer",
    "Request",
    "ResponseParser",
    "Result",
    "sweep",
]
