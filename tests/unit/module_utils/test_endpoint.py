# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint, is_name
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.168.1.11:2113", ("192.168.1.11", 2113)),
        ("[::1]:2113", ("::1", 2113)),
        ("node1.example.org:2113", ("node1.example.org", 2113)),
        ("node_1:65535", ("node_1", 65535)),
    ],
)
def test_read_and_written(text, expected):
    endpoint = Endpoint.parse(text, names=True)
    assert (endpoint, str(endpoint)) == (expected, text)


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("node1.example.org:2113", False, "does not begin with an IP address; names are not accepted here"),
        ("node1", True, "'node1' has no port; write it as HOST:PORT"),
        ("node1", False, "'node1' has no port; write it as IP:PORT"),
        ("::x:2113", True, "does not begin with an IP address or a name; IPv6 is written as [IP]:PORT"),
        ("10.0.0.256:2113", True, "does not begin with an IP address or a name"),
        ("-node:2113", True, "does not begin with an IP address or a name"),
        ("node1/x:2113", True, "does not begin with an IP address or a name"),
        ("user@node1:2113", True, "does not begin with an IP address or a name"),
        ("node1:0", True, "'node1:0' does not end in a port from 1 to 65535"),
    ],
)
def test_refused_with_the_reason(text, names, expected):
    with pytest.raises(FormatError) as caught:
        Endpoint.parse(text, names=names)
    assert str(caught.value).endswith(expected)


def test_what_can_be_a_name():
    assert [text for text in ("a", "a.b.", "x" * 63) if not is_name(text)] == []
    assert [
        text for text in ("", ".", "a..b", "x" * 64, "10.0.0.1", "é.org", "a b", ("x." * 127) + "xx") if is_name(text)
    ] == []
