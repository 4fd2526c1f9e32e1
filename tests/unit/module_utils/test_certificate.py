# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of certificates, against what the library ``cryptography`` reads from the same bytes."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import certificate
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from tests.doubles import certificates


@pytest.mark.parametrize(
    ("names", "days"),
    [
        (("10.0.0.1", "node1.example.org", "2001:db8::1"), 100),
        (("*.example.org",), 3650 * 3),  # beyond 2049 a time has another form
        ((), 1),
        (tuple(f"node{number}.example.org" for number in range(60)), 100),  # lengths of more than one byte
    ],
)
def test_the_fields_are_those_that_another_reader_finds(names, days):
    pair = certificates.leaf(*names, ends_days=days)
    found = certificate.parse(pair.der)
    ends = pair.certificate.not_valid_after_utc if hasattr(pair.certificate, "not_valid_after_utc") else None
    if ends is not None:
        assert (found.ends, found.begins) == (ends.timestamp(), pair.certificate.not_valid_before_utc.timestamp())
        assert found.end_text == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found.names == names
    assert found.subject == "CN=eventstoredb-node"


def test_a_certificate_in_words():
    text = str(certificate.parse(certificates.leaf("10.0.0.1", "node1").der))
    assert text.startswith("certificate CN=eventstoredb-node, for 10.0.0.1, node1, from 2")


def test_a_subject_that_cannot_be_printed_is_made_so():
    found = certificate.parse(certificates.leaf(common_name="a\x1b[2J\nb").der)
    assert found.subject == "CN=a?[2J?b"
    assert "without alternative names" in str(found)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 50, 200, -1])
def test_what_is_cut_off_is_refused(size):
    der = certificates.leaf("10.0.0.1").der
    with pytest.raises(FormatError):
        certificate.parse(der[:size])


@pytest.mark.parametrize(
    ("der", "expected"),
    [
        (b"-----BEGIN CERTIFICATE-----", "not DER"),
        (b"\x30\x80\x00\x00", "not DER: the length"),
        (b"\x30\x84\xff\xff\xff\xff", "not DER: the length"),
        (b"\x30" * 70_000, "more than 65536"),
        (b"\x30\x03\x30\x01\x00", "not DER: it is cut off"),
        (b"\x30\x05\x30\x03\x02\x01\x00", "a certificate of 1 fields"),
    ],
)
def test_what_is_no_certificate_is_refused(der, expected):
    with pytest.raises(FormatError, match=expected):
        certificate.parse(der)
