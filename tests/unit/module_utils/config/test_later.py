# SPDX-License-Identifier: GPL-3.0-or-later
"""A name of a later version is told as such, and not as a slip for the option that happens to be near it."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import later, layers, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set, table
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

NEWEST = option_set("database", VERSIONS[-1])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CertificatePrivateKeyFile", "it came with 20.x; up to 5.x it is CertificateFile, which holds the key too"),
        ("node-ip", "it came with 23.x; up to 5.x it is ExtIp"),
        ("StatsStorage", "it came with 21.x"),
        ("HttpPort", "up to 5.x it is ExtHttpPort"),
        ("ClusterSiez", "did you mean ClusterSize?"),
        ("X", ""),
    ],
)
def test_what_a_name_was_meant_to_be(name, hint):
    assert hint in later.meant(NEWEST, name)
    assert "did you mean" not in later.meant(NEWEST, name) or "did you mean" in hint


def test_every_edge_tells_it():
    with pytest.raises(ConfigError, match=r"KeyFile is not an option .*; it came with 20\.x"):
        values.check(NEWEST, {"CertificatePrivateKeyFile": "/x"})
    with pytest.raises(ConfigError, match=r"It came with 23\.x; up to 5\.x it is IntIp"):
        layers.effective(NEWEST, file="ReplicationIp: 10.0.0.1\n")
    found = layers.effective(NEWEST, environment={"EVENTSTORE_NODE_PORT": "1", "EVENTSTORE_WORKERTHREADS": "1"})
    assert "EVENTSTORE_NODE_PORT: not known to the server; it came with 23.x" in found.ignored[0]
    assert "did you mean EVENTSTORE_WORKER_THREADS?" in found.ignored[1]


@pytest.mark.parametrize(
    ("version", "name", "hint"),
    [
        ("24.10.4", "ExtTcpPort", "it went after 23.10.6"),
        ("25.0.0", "HttpPort", "it went after 24.10.4; write NodePort"),
        ("25.0.0", "IntIp", "it went after 24.10.4; write ReplicationIp"),
        ("22.10.5", "NodePort", "it came with 23.10.0"),
        ("24.10.4", "IntHttpPort", "it went with 5.x; from 20.x on it is HttpPort, for there is one HTTP port"),
        ("24.10.4", "StructuredLog", "it went with 5.x"),
        ("24.10.4", "ClusterSiez", "did you mean ClusterSize?"),
    ],
)
def test_names_of_other_versions_of_today(version, name, hint):
    assert later.meant(option_set("database", version), name) == hint


def test_every_earlier_name_is_an_option_of_its_time():
    modern = {option.name for option in table("database", "26.1.0")}
    assert [name for name in later._EARLIER if name not in modern] == []
    assert all(NEWEST.find(text.partition(",")[0]) for text in later._EARLIER.values())
    assert all(NEWEST.find(name) for name in later._NOW)
