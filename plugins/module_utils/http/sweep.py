# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""One concurrent sweep of GET requests over many endpoints, with one deadline for all of them.

Non-blocking sockets and one selector in one thread: a thread or a task for each endpoint costs several times as much
(measured). Over TLS the handshake is nearly all of the cost (measured), so all requests to one server go over one
connection, which may stay open for the next sweep.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import selectors
import socket
import ssl
import time
import typing as t
from collections import deque
from dataclasses import dataclass, replace

from ansible_collections.eventstore.cluster.plugins.module_utils import certificate
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import printable
from ansible_collections.eventstore.cluster.plugins.module_utils.http import names, tls
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import (
    MAX_BODY_BYTES,
    READ_BYTES,
    AnswerParser,
    ClosedEarly,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.http.head import TooLong

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.certificate import Certificate

# The kinds of failure.
REFUSED, UNREACHABLE, TIMEOUT, CLOSED = "refused", "unreachable", "timeout", "closed"
NOT_HTTP, TOO_LONG, STATUS = "not_http", "too_long", "status"
UNRESOLVED = "unresolved"
IS_TLS = "is_tls"  # it was asked over plain HTTP

Server = tuple["Endpoint", str]


class Request(t.NamedTuple):
    """GET ``path`` of ``endpoint``; over TLS its certificate has to carry ``server_name``, or else its host."""

    endpoint: Endpoint
    path: str
    server_name: str = ""


class Access:
    """How servers are asked over TLS: whom to trust, and as which user to ask where a URL is not open to all.

    The password is in no repr, and goes only to servers that are trusted; ``header`` is its line in a request.
    """

    def __init__(self, context: ssl.SSLContext, user: str = "", password: str = "") -> None:
        self.context = context
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.header = f"Authorization: Basic {credentials}\r\n" if user else ""


@dataclass(frozen=True)
class Result:
    """A whole body (``error`` is empty), or the kind of failure and its ``text``.

    ``seconds``: from the start of the connection to the end of the answer; ``time``: the clock at that end; ``server``:
    what the answer says of the program, where its status is not 200; ``certificate``: over TLS, trusted or not.
    """

    body: bytes
    error: str
    text: str
    status: int
    seconds: float
    time: float
    server: str = ""
    certificate: Certificate | None = None


class _Exchange:
    """What is asked of one server, one request after the other.

    ``is_look``: all requests have failed, and only the server's certificate is still of interest.
    """

    __slots__ = ("indices", "is_look", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.indices: deque[int] = deque()
        self.is_look = False

    @property
    def server(self) -> Server:
        return self.request.endpoint, self.request.server_name


class _Connection:
    """A socket, what is to be sent over it, and the answer that is read from it."""

    __slots__ = ("certificate", "connected", "exchange", "is_kept", "parser", "pending", "socket", "started", "stream")

    def __init__(self, exchange: _Exchange, address: str, stream: tls.Stream | None) -> None:
        self.exchange = exchange
        self.connected = False
        self.is_kept = False
        self.started = time.monotonic()
        self.parser = AnswerParser()
        self.pending = b""
        self.stream = stream
        self.certificate: Certificate | None = None
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)

    def ask(self, text: bytes, max_body_bytes: int) -> None:
        """Make the next request ready to be sent."""
        self.parser = AnswerParser(max_body_bytes, only_ok=True)
        if self.stream is None:
            self.pending += text
        else:
            self.stream.write(text)
            self.pending += self.stream.outgoing()

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

    def shake_hands(self) -> bool:
        """Go on with the TLS handshake; True when it is done, and then the certificate is known."""
        if self.stream is None or self.stream.established:
            return True
        try:
            done = self.stream.handshake()
        finally:
            self.pending += self.stream.outgoing()
        if done:
            with contextlib.suppress(FormatError):
                self.certificate = certificate.parse(self.stream.der)
        return done

    def read(self, data: bytes) -> bool:
        """Take what came, as far as it is an answer's; True when the answer is whole."""
        for text in self.stream.read() if self.stream else (data,):
            if text:
                if self.parser.feed(text):
                    return True
            else:
                self.parser.end()
                return True
        return False


class Sweeper:
    """Sends sweeps one after the other, over TLS on connections that stay open in between.

    ``with Sweeper(access) as sweeper: sweeper.sweep(requests, timeout_s=2.0)``. Without ``access`` it asks over plain
    HTTP, with a connection for each request. A connection that stays open shows the certificate of its beginning.
    No more than ``max_open`` sockets are open at a time; without it half of what this process may open.
    """

    def __init__(self, access: Access | None = None, *, max_open: int | None = None) -> None:
        self.access = access
        self.max_open = max_open or _may_open()
        self.kept: dict[Server, _Connection] = {}
        self._closed_to_all: set[tuple[Endpoint, str]] = set()
        self._addresses: dict[str, str | names.Unresolved] = {}

    def __enter__(self) -> Sweeper:
        return self

    def __exit__(self, *_exc: object) -> None:
        for connection in self.kept.values():
            connection.socket.close()
        self.kept.clear()

    def sweep(
        self, requests: t.Sequence[Request], *, timeout_s: float, max_body_bytes: int = MAX_BODY_BYTES
    ) -> list[Result]:
        """Send all requests at once; a result for each, in their order, within ``timeout_s`` altogether."""
        return _Sweep(self, requests, timeout_s, max_body_bytes).run()

    def resolve(self, hosts: t.Iterable[str], timeout_s: float) -> dict[str, str | names.Unresolved]:
        """An address for each host; a name that has given one is not asked again."""
        missing = [host for host in set(hosts) if not isinstance(self._addresses.get(host), str)]
        self._addresses.update(names.addresses(missing, timeout_s))
        return self._addresses

    def text(self, request: Request, address: str) -> bytes:
        """The request as it is sent to ``address``."""
        # By address and not by name: http.sys and Mono's listener answer 400 to a Host they were not told of.
        host = Endpoint(address, request.endpoint.port)
        user = self.access.header if self.access and (request.endpoint, request.path) in self._closed_to_all else ""
        end = "" if self.access else "Connection: close\r\n"
        return f"GET {request.path} HTTP/1.1\r\nHost: {host}\r\n{user}Accept: application/json\r\n{end}\r\n".encode()

    def needs_user(self, request: Request) -> bool:
        """Whether to ask again, and from now on, with the user: a wrong one is refused even where all may ask."""
        url = request.endpoint, request.path
        if not self.access or not self.access.header or url in self._closed_to_all:
            return False
        self._closed_to_all.add(url)
        return True


def sweep(
    requests: t.Sequence[Request],
    *,
    timeout_s: float,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_open: int | None = None,
) -> list[Result]:
    """One sweep over plain HTTP."""
    return Sweeper(max_open=max_open).sweep(requests, timeout_s=timeout_s, max_body_bytes=max_body_bytes)


def _may_open() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 500
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if soft == resource.RLIM_INFINITY else max(8, min(4096, soft // 2))


class _Sweep:
    def __init__(self, sweeper: Sweeper, requests: t.Sequence[Request], timeout_s: float, max_body_bytes: int) -> None:
        self._sweeper = sweeper
        self._access = sweeper.access
        self._requests = requests
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._max_body_bytes = max_body_bytes
        self._max_open = sweeper.max_open
        self._addresses = sweeper.resolve((request.endpoint.host for request in requests), timeout_s)
        self._waiting = deque(self._exchanges())
        self._open: set[_Connection] = set()
        self._results: dict[int, Result] = {}

    def _exchanges(self) -> t.Iterable[_Exchange]:
        """Over TLS one for each server; else one for each request, so that an answer that hangs stops no other."""
        found: dict[object, _Exchange] = {}
        for index, request in enumerate(self._requests):
            same = (request.endpoint, request.server_name) if self._access else index
            found.setdefault(same, _Exchange(request)).indices.append(index)
        return found.values()

    def run(self) -> list[Result]:
        with selectors.DefaultSelector() as self._selector:
            try:
                self._run()
                self._give_up()
            finally:
                for connection in self._open:
                    connection.socket.close()
        return [self._results[index] for index in range(len(self._requests))]

    def _run(self) -> None:
        while True:
            while self._waiting and len(self._open) < self._max_open and self._start():
                pass
            left = self._deadline - time.monotonic()
            if not self._open or left <= 0:
                return
            for key, _mask in self._selector.select(left):
                self._advance(key.data)
                if time.monotonic() > self._deadline:
                    return

    def _start(self) -> bool:
        """Open the next connection, or take the one that was kept; False if no more can be open now."""
        exchange = self._waiting[0]
        host = exchange.request.endpoint.host
        address = self._addresses[host]
        if isinstance(address, names.Unresolved):
            self._waiting.popleft()
            self._fail(exchange, UNRESOLVED, f"the name {host} gives no address: {address.text}")
            return True
        connection = None if exchange.is_look else self._sweeper.kept.pop(exchange.server, None)
        try:
            connection = connection or self._connection(exchange, address)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE) and self._open:
                self._max_open = len(self._open)
                return False
            self._waiting.popleft()
            self._fail(exchange, UNREACHABLE, os.strerror(error.errno or 0))
            return True
        self._waiting.popleft()
        self._open.add(connection)
        try:
            self._begin(connection, exchange)
            connection.send()
            self._selector.register(connection.socket, _awaited(connection), connection)
        except OSError as error:
            self._end(connection, error)
        return True

    def _connection(self, exchange: _Exchange, address: str) -> _Connection:
        """One that is not begun; OSError where there can be none."""
        context = tls.looking() if exchange.is_look else self._access.context if self._access else None
        name = exchange.request.server_name or exchange.request.endpoint.host
        return _Connection(exchange, address, tls.Stream(context, name) if context else None)

    def _begin(self, connection: _Connection, exchange: _Exchange) -> None:
        if connection.connected:  # it was kept
            connection.exchange, connection.started = exchange, time.monotonic()
            self._ask(connection)
            return
        endpoint = exchange.request.endpoint
        code = connection.socket.connect_ex((str(self._addresses[endpoint.host]), endpoint.port))
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(code, os.strerror(code))
        # On loopback the connection stands already: to send at once saves a turn of the selector.
        if connection.shake_hands():
            self._ask(connection)

    def _ask(self, connection: _Connection) -> None:
        request = self._requests[connection.exchange.indices[0]]
        text = self._sweeper.text(request, str(self._addresses[request.endpoint.host]))
        connection.ask(text, self._max_body_bytes)

    def _advance(self, connection: _Connection) -> None:
        try:
            if connection.pending:
                code = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))
            else:
                self._take(connection, connection.socket.recv(READ_BYTES))
            if connection.pending and connection in self._open:
                connection.send()
        except (BlockingIOError, InterruptedError):
            return
        except (FormatError, OSError) as error:
            self._end(connection, error)
        if connection in self._open and self._selector.get_key(connection.socket).events != _awaited(connection):
            self._selector.modify(connection.socket, _awaited(connection), connection)

    def _take(self, connection: _Connection, data: bytes) -> None:
        """Take what came: a part of the handshake, or of the answer."""
        stream = connection.stream
        if stream:
            is_new = not stream.established
            if is_new and not data:
                raise ClosedEarly("the connection was closed in the TLS handshake")
            stream.receive(data)
            if not connection.shake_hands():
                return
            if connection.exchange.is_look:
                self._looked(connection)
                return
            if is_new:
                self._ask(connection)
        if connection.read(data):
            self._succeed(connection)

    def _looked(self, connection: _Connection) -> None:
        for index in connection.exchange.indices:
            seen = replace(self._results[index], certificate=connection.certificate)
            if not self._access:
                seen = replace(seen, error=IS_TLS, text="it speaks TLS, but was asked over plain HTTP")
            self._results[index] = seen
        self._close(connection)

    def _succeed(self, connection: _Connection) -> None:
        """An answer is whole: ask the next one, keep the connection for the next sweep, or close it."""
        exchange, kept, parser = connection.exchange, self._sweeper.kept, connection.parser
        if not (parser.status == 401 and self._sweeper.needs_user(self._requests[exchange.indices[0]])):
            self._results[exchange.indices.popleft()] = self._result(connection, *_of_status(parser))
        connection.is_kept = parser.stays_open and connection.stream is not None
        if connection.is_kept and exchange.indices:
            self._ask(connection)
        elif connection.is_kept and len(kept) < self._max_open // 2:
            self._leave(connection)
            kept[exchange.server] = connection
        else:
            self._close(connection)
            self._again(exchange)

    def _end(self, connection: _Connection, error: OSError | FormatError) -> None:
        """The connection has failed: what was asked over it is asked again, is looked into, or has failed with it."""
        exchange, is_untouched = connection.exchange, connection.parser.is_untouched
        kind, text = _classify(error)
        if connection.pending and connection.stream:
            with contextlib.suppress(OSError):
                connection.socket.send(connection.pending)  # the alert that says why
        self._close(connection)
        if exchange.is_look:
            return
        if connection.is_kept and is_untouched:
            connection.is_kept = False
            self._again(exchange)  # the server has closed it meanwhile
            return
        self._fail(exchange, kind, text, connection)
        if kind in _LOOKED_INTO or (kind == CLOSED and not self._access and is_untouched):
            exchange.is_look = True
            self._again(exchange)

    def _again(self, exchange: _Exchange) -> None:
        if exchange.indices:
            self._waiting.append(exchange)

    def _leave(self, connection: _Connection) -> None:
        with contextlib.suppress(KeyError):  # it failed before it was watched
            self._selector.unregister(connection.socket)
        self._open.discard(connection)

    def _close(self, connection: _Connection) -> None:
        self._leave(connection)
        connection.socket.close()

    def _fail(self, exchange: _Exchange, kind: str, text: str, connection: _Connection | None = None) -> None:
        if not exchange.is_look:
            self._results.update((index, self._result(connection, kind, text)) for index in exchange.indices)

    def _result(self, connection: _Connection | None, kind: str = "", text: str = "") -> Result:
        if connection is None:
            return Result(b"", kind, text, 0, 0.0, time.time())
        parser = connection.parser
        seconds = time.monotonic() - connection.started
        body, server = (b"", _server(parser)) if kind else (parser.body, "")
        return Result(body, kind, text, parser.status, seconds, time.time(), server, connection.certificate)

    def _give_up(self) -> None:
        """What has no result at the deadline."""
        within = f"within {self._timeout_s:g} s"
        for connection in self._open:
            text = f"connected, but no whole answer {within}"
            if not connection.connected:
                text = f"no connection {within}"
            elif connection.stream and not connection.stream.established:
                text = f"connected, but no whole TLS handshake {within}"
            self._fail(connection.exchange, TIMEOUT, text, connection)
        text = f"not asked {within}: only {self._max_open} sockets may be open at a time (see ulimit -n)"
        for exchange in self._waiting:
            self._fail(exchange, TIMEOUT, text)


def _awaited(connection: _Connection) -> int:
    return selectors.EVENT_WRITE if connection.pending else selectors.EVENT_READ


# Why the certificate is not trusted is seen from the certificate.
_LOOKED_INTO = frozenset({tls.UNTRUSTED, tls.WRONG_NAME, tls.EXPIRED, tls.NOT_YET_VALID})


def _of_status(parser: AnswerParser) -> tuple[str, str]:
    if parser.status == 200:
        return "", ""
    source = f", from {_server(parser)}" if "server" in parser.headers else ""
    return STATUS, f"HTTP status {printable(f'{parser.status} {parser.reason}'.rstrip(), 80)}{source}"


def _server(parser: AnswerParser) -> str:
    return printable(parser.headers.get("server", ""), 80)


def _classify(error: OSError | FormatError) -> tuple[str, str]:
    if isinstance(error, (ssl.SSLError, tls.NotTls)):
        return tls.kind_of(error)
    if isinstance(error, FormatError):
        kinds = {ClosedEarly: CLOSED, TooLong: TOO_LONG}
        return kinds.get(type(error), NOT_HTTP), error.problem
    if error.errno == errno.ECONNREFUSED:
        return REFUSED, "connection refused"
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return CLOSED, "the connection was reset"
    if error.errno == errno.ETIMEDOUT:
        return TIMEOUT, "no connection"
    return UNREACHABLE, os.strerror(error.errno) if error.errno else str(error)


__all__ = [
    "CLOSED",
    "IS_TLS",
    "NOT_HTTP",
    "REFUSED",
    "STATUS",
    "TIMEOUT",
    "TOO_LONG",
    "UNREACHABLE",
    "UNRESOLVED",
    "Access",
    "Request",
    "Result",
    "Sweeper",
    "sweep",
]
