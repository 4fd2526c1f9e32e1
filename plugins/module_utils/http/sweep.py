# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One concurrent sweep of GET requests over many endpoints, with one deadline for all of them.

Non-blocking sockets and one selector in one thread: a thread or a task for each endpoint costs several times as much
(measured). Plain HTTP only.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
import typing as t
from collections import deque
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import (
    MAX_BODY_BYTES,
    READ_BYTES,
    AnswerParser,
    ClosedEarly,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import TooLong

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

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


class _Connection:
    """One request on its way."""

    __slots__ = ("connected", "index", "parser", "pending", "socket", "started")

    def __init__(self, index: int, request: Request, max_body_bytes: int) -> None:
        endpoint = request.endpoint
        self.index = index
        self.connected = False
        self.started = time.monotonic()
        self.parser = AnswerParser(max_body_bytes, only_ok=True)
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
            result = self._result(connection, *_of_status(connection.parser))
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, FormatError) as error:
            result = self._result(connection, *_classify(error))
        selector.unregister(connection.socket)
        connection.socket.close()
        del self._open[connection.index]
        self._results[connection.index] = result

    def _result(self, connection: _Connection, error: str, text: str) -> Result:
        parser = connection.parser
        seconds = time.monotonic() - connection.started
        body = b"" if error else parser.body
        server = _server(parser) if error == STATUS else ""
        return Result(body, error, text, parser.status, seconds, time.time(), server)

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


def _of_status(parser: AnswerParser) -> tuple[str, str]:
    if parser.status == 200:
        return "", ""
    source = f", from {_server(parser)}" if "server" in parser.headers else ""
    return STATUS, f"HTTP status {printable(f'{parser.status} {parser.reason}'.rstrip(), 80)}{source}"


def _server(parser: AnswerParser) -> str:
    return printable(parser.headers.get("server", ""), 80)


def _classify(error: OSError | FormatError) -> tuple[str, str]:
    if isinstance(error, FormatError):
        kinds = {ClosedEarly: CLOSED, TooLong: TOO_LONG}
        return kinds.get(type(error), NOT_HTTP), error.problem
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
    "Request",
    "Result",
    "sweep",
]
