# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""TLS over bytes that somebody else sends and receives, so that one selector loop serves many servers.

No client certificate is ever sent: who has one of a node has every right on every node (measured on 24.10.4).
"""

from __future__ import annotations

import os
import ssl
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, GossipError

# The files of a folder of authorities that the servers read, too; other names they pass over.
ENDINGS = (".crt", ".cert", ".cer", ".pem", ".der")
MAX_AUTHORITIES = 1000

# The kinds of failure, beside the sweep's.
UNTRUSTED, WRONG_NAME, EXPIRED, NOT_YET_VALID = "untrusted", "wrong_name", "expired", "not_yet_valid"
HANDSHAKE, PLAIN_HTTP = "handshake", "plain_http"

# OpenSSL's X509_V_ERR_…: who gives the certificate is judged by these, and by all other codes is untrusted.
_CODES = {9: NOT_YET_VALID, 10: EXPIRED, 62: WRONG_NAME, 64: WRONG_NAME}


class NotTls(FormatError):
    """What comes from the other side is no TLS; ``start`` is its first bytes."""

    def __init__(self, start: bytes) -> None:
        super().__init__(f"it does not speak TLS: its answer begins with {start!r}")
        self.is_http = start.startswith(b"HTTP/")


def trusting(path: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the file or folder ``path`` alone, never the system's.

    GossipError where there is none. Folders are read as the servers read theirs: no names made by ``c_rehash``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # servers look at the alternative names alone
    for file in _files(path):
        _load(context, file)
    return context


def looking() -> ssl.SSLContext:
    """A context that checks nothing: to see a certificate that is not trusted. Nothing is asked over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(ENDINGS))
    except OSError as error:
        raise _no_authority(path, f"the folder cannot be read: {error.strerror}") from None
    if not names:
        raise _no_authority(path, f"the folder has no file that ends in {', '.join(ENDINGS)}")
    return [os.path.join(path, name) for name in names[:MAX_AUTHORITIES]]


def _load(context: ssl.SSLContext, file: str) -> None:
    try:
        with open(file, "rb") as opened:
            raw = opened.read(1024 * 1024)
        is_pem = b"-----BEGIN" in raw
        context.load_verify_locations(cadata=raw.decode("ascii", "ignore") if is_pem else raw)
    except ssl.SSLError:  # an OSError, too
        raise _no_authority(file, "it holds no certificate that can be read") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no certificate that can be read"
        raise _no_authority(file, str(reason)) from None


def _no_authority(path: str, reason: str) -> GossipError:
    return GossipError(
        f"expected a certificate of an authority in PEM or DER form, or a folder of them, but {reason}",
        where=f"tls, ca, {path}",
        hint="Give the authority that signed the nodes' certificates, the same as in TrustedRootCertificatesPath",
    )


def kind_of(error: ssl.SSLError | NotTls) -> tuple[str, str]:
    """The kind of failure, and what is known of it; for a certificate OpenSSL's word."""
    if isinstance(error, NotTls):
        return (
            (PLAIN_HTTP, "it speaks plain HTTP, but was asked over TLS") if error.is_http else (HANDSHAKE, str(error))
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CODES.get(error.verify_code, UNTRUSTED), error.verify_message
    reason = (error.reason or str(error)).lower().replace("_", " ")
    return HANDSHAKE, f"the TLS handshake failed: {reason}"


class Stream:
    """One side of a connection: ciphertext in by ``receive``, out by ``outgoing``; text by ``read`` and ``write``.

    Any method may raise ssl.SSLError.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        """``server_name``: the name or address that the certificate must carry; ValueError if it can be none."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=server_name.rstrip("."))
        self._begun = False
        self.established = False

    def receive(self, data: bytes) -> None:
        """Take what came; ``b""`` is the end. NotTls if the first of it is something else."""
        if not data:
            self._in.write_eof()
        elif not self._begun and data[0] not in (0x15, 0x16):  # an alert, a handshake
            raise NotTls(data[:20])
        self._begun = True
        self._in.write(data) if data else None

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return self._out.read()

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    @property
    def der(self) -> bytes:
        """The other side's certificate, after the handshake."""
        return self._object.getpeercert(True) or b""

    def write(self, data: bytes) -> None:
        self._object.write(data)

    def read(self) -> t.Iterator[bytes]:
        """All text that is there now; ``b""`` at its end, if the other side has ended it."""
        while True:
            try:
                data = self._object.read(64 * 1024)
            except ssl.SSLWantReadError:
                return
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            yield data
            if not data:
                return


__all__ = [
    "EXPIRED",
    "HANDSHAKE",
    "NOT_YET_VALID",
    "PLAIN_HTTP",
    "UNTRUSTED",
    "WRONG_NAME",
    "NotTls",
    "Stream",
    "kind_of",
    "looking",
    "trusting",
]
