# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from tests.doubles.gossip.server import ScriptedCluster


@pytest.fixture
def scripted_cluster() -> t.Iterator[ScriptedCluster]:
    """Scripted gossip servers on loopback; see tests/doubles/gossip."""
    with ScriptedCluster() as cluster:
        yield cluster
