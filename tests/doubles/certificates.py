# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys made on the spot, each with what is asked for wrong with it.

As measured on 23.10.6 and 24.10.4, a node serves its leaf only, signed by an authority that the asker has as a file,
and all nodes have the same CN, eventstoredb-node.
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CN = "eventstoredb-node"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key; ``pem`` is both, as ssl.SSLContext.load_cert_chain takes them."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        plain = serialization.NoEncryption()
        kind = serialization.PrivateFormat.PKCS8
        return self.certificate_pem + self.key.private_bytes(serialization.Encoding.PEM, kind, plain)


@functools.cache
def authority(name: str = "test authority") -> Pair:
    """The same one for the same name."""
    return _make(name, None, is_authority=True)


def leaf(
    *names: str,
    signer: Pair | None = None,
    common_name: str = CN,
    begins_days: float = -1,
    ends_days: float = 100,
) -> Pair:
    """A node's certificate for these names and addresses, signed by ``authority()`` unless another is given."""
    return _make(common_name, signer or authority(), names=names, begins_days=begins_days, ends_days=ends_days)


def _make(
    common_name: str,
    signer: Pair | None,
    *,
    names: t.Sequence[str] = (),
    begins_days: float = -1,
    ends_days: float = 100,
    is_authority: bool = False,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins_days))
        .not_valid_after(now + timedelta(days=ends_days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    return Pair(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


__all__ = ["CN", "Pair", "authority", "leaf"]
