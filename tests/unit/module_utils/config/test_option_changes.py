# SPDX-License-Identifier: GPL-3.0-or-later
"""What a changed option takes: written out here a second time, so that an option cannot change its class unseen."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import CHANGES, KINDS, option_set

DISCOVERY = {"DiscoverViaDns", "ClusterDns", "ClusterGossipPort", "GossipSeed"}
CLUSTER = {
    "database": {
        *DISCOVERY,
        *("IntIp", "IntHttpPort", "IntTcpPort", "IntSecureTcpPort"),
        *("IntIpAdvertiseAs", "IntHttpPortAdvertiseAs", "IntTcpPortAdvertiseAs", "IntSecureTcpPortAdvertiseAs"),
        *("ClusterSize", "PrepareCount", "CommitCount", "UseInternalSsl", "DisableInsecureTCP"),
    },
    "manager": {*DISCOVERY, "IntIp", "IntHttpPort"},
}
NOTHING_RUNS_ON = {"Help", "Version", "WhatIf"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_has_its_class(kind):
    options = {option.name: option.change for option in option_set(kind, "5.0.11")}
    expected = dict.fromkeys(options, "restart")
    expected.update(dict.fromkeys(NOTHING_RUNS_ON, "none"))
    expected.update(dict.fromkeys(CLUSTER[kind], "cluster"))
    assert options == expected


def test_classes_from_the_least_to_the_most():
    assert CHANGES == ("none", "reload", "restart", "cluster")
