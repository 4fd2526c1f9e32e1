# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from lab.gossip.server import ScriptedCluster


@pytest.fixture
def scripted_cluster() -> t.Iterator[ScriptedCluster]:
    """Scripted gossip servers on loopback; see lab/gossip."""
    with ScriptedCluster() as cluster:
        yield cluster
