# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: Basic, Negotiate and NTLM (with encrypted messages) before WS-Management, and a door for ssh.

``/ssh`` stands for sshd: the stand-in programs ``ssh``, ``sftp`` and ``scp`` of this directory post to it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import http.server
import json
import os
import re
import struct
import tempfile
import threading
import typing as t

import spnego

from tests.doubles.windows import shells
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused
from tests.doubles.windows.wsman import WsMan

BOUNDARY = b"--Encrypted Boundary"
KIND = b"application/HTTP-SPNEGO-session-encrypted"
SOAP = "application/soap+xml;charset=UTF-8"


class WindowsServer(http.server.ThreadingHTTPServer):
    """``with WindowsServer(("127.0.0.11", 5985), machine, "deployer", "secret"):`` answers until the block ends."""

    daemon_threads = True
    # A machine has one address and no one else on it.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], machine: Machine, user: str, password: str) -> None:
        super().__init__(address, Handler)
        self.machine = machine
        self.wsman = WsMan(machine)
        self.user, self.password = user, password
        if ":" in password:
            raise ValueError("a password with a colon: accounts are noted down with colons between")
        # The library takes accounts from a file only.
        self._accounts = tempfile.NamedTemporaryFile("w", suffix=".ntlm", encoding="utf-8")  # noqa: SIM115
        self._accounts.write(f"{machine.setting('name')}:{user}:{password}\n:{user}:{password}\n")
        self._accounts.flush()
        os.environ["NTLM_USER_FILE"] = self._accounts.name
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> WindowsServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.wsman.workers.shutdown(wait=False, cancel_futures=True)
        self._accounts.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: WindowsServer
    # Negotiated once for a connection.
    context: t.Any = None

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: what was run stands in the machine's folder."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/ssh":
            self._send(200, json.dumps(_ssh(self.server.machine, json.loads(body))).encode(), "application/json")
        elif self.path.startswith("/wsman"):
            self._wsman(body)
        else:
            self._send(404, b"", SOAP)

    def _wsman(self, body: bytes) -> None:
        scheme, _blank, token = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic" and self._is_known(token):
            self._send(*self.server.wsman.answer(body), SOAP)
            return
        last: list[str] = []
        if scheme in ("Negotiate", "NTLM"):
            done = self._negotiate(scheme, token)
            if done is None:
                return
            last = [done] if done else []
        elif self.context is None or not self.context.complete:
            self._ask()
            return
        if not body:
            self._send(200, b"", SOAP, *last)
            return
        try:
            message = _unwrap(self.context, body)
        except (spnego.exceptions.SpnegoError, ValueError, struct.error):
            # WinRM takes nothing over HTTP that is not encrypted.
            self._send(400, b"", SOAP)
            return
        status, answer = self.server.wsman.answer(message)
        kind = f'multipart/encrypted;protocol="{KIND.decode()}";boundary="Encrypted Boundary"'
        self._send(status, _wrap(self.context, answer), kind, *last)

    def _is_known(self, token: str) -> bool:
        try:
            given = base64.b64decode(token, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(given, f"{self.server.user}:{self.server.password}".encode())

    def _negotiate(self, scheme: str, token: str) -> str | None:
        """Take one token; the last word to the client, or None if it was answered and has to come again."""
        if self.context is None or self.context.complete:
            self.context = spnego.server(protocol="negotiate" if scheme == "Negotiate" else "ntlm")
        try:
            answer = self.context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self.context = None
            self._ask()
            return None
        word = f"{scheme} {base64.b64encode(answer).decode()}" if answer else ""
        if self.context.complete:
            return word
        self._send(401, b"", SOAP, word)
        return None

    def _ask(self) -> None:
        self._send(401, b"", SOAP, "Negotiate", 'Basic realm="WSMAN"')

    def _send(self, status: int, body: bytes, kind: str, *ways: str) -> None:
        self.send_response(status)
        for way in ways:
            self.send_header("WWW-Authenticate", way)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # One write: a head alone would wait for its acknowledgement.
        self._headers_buffer: list[bytes]
        self._headers_buffer += [b"\r\n", body]
        self.flush_headers()


def _wrap(context: t.Any, message: bytes) -> bytes:
    wrapped = context.wrap_winrm(message)
    length = len(message) + wrapped.padding_length
    return b"".join(
        [
            BOUNDARY + b"\r\n\tContent-Type: " + KIND + b"\r\n",
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=" + str(length).encode() + b"\r\n",
            BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data,
            BOUNDARY + b"--\r\n",
        ]
    )


def _unwrap(context: t.Any, body: bytes) -> bytes:
    match = re.search(rb"octet-stream\r\n(.*)" + re.escape(BOUNDARY) + rb"--\r\n\Z", body, re.DOTALL)
    if not match or KIND not in body:
        raise ValueError("not encrypted")
    data = match[1]
    (length,) = struct.unpack("<i", data[:4])
    message: bytes = context.unwrap_winrm(data[4 : 4 + length], data[4 + length :])
    return message


def _ssh(machine: Machine, asked: dict[str, t.Any]) -> dict[str, t.Any]:
    """``{"command": line}`` or ``{"put": path, "content": base64}`` -> code, stdout, stderr (base64)."""
    try:
        if "put" in asked:
            path = re.sub(r"^/([A-Za-z]:)", r"\1", asked["put"])
            with machine.lock:
                machine.put(path, base64.b64decode(asked["content"]))
            machine.note("ran", {"program": "put_file", "arguments": [path], "code": 0})
            ended = shells.Ended(0, b"", b"")
        else:
            ended = shells.default_shell(machine, asked["command"])
    except (NotUnderstood, Refused) as error:
        if isinstance(error, NotUnderstood):
            machine.note("refused", {"why": str(error), "text": json.dumps(asked)[:1000]})
        ended = shells.Ended(1, b"", f"{error}\n".encode())
    return {
        "code": ended.code,
        "stdout": base64.b64encode(ended.stdout).decode(),
        "stderr": base64.b64encode(ended.stderr).decode(),
    }


__all__ = ["WindowsServer"]
