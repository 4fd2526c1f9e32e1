# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import members
from tests.doubles.gossip import picture, script

SCRIPT = """
- {at: 5, address: "127.0.51.1:2113", way: hang}
- {at: 9, address: "127.0.51.1:2113", refuse: true}
- address: 127.0.51.1:2113
  server: 127.0.51.1:2112
  members: {127.0.51.1: Master, 127.0.51.2: Slave at=500, 127.0.51.3: Slave dead, 127.0.51.1/m: Manager}
  info: {esVersion: 3.4.0.0, state: master}
  skew: 75
"""


def test_steps_come_in_the_order_of_their_time():
    first, second, third = script.read(SCRIPT)
    assert [step.at_s for step in (first, second, third)] == [0, 5, 9]
    assert second.acts is not None
    assert {path: act.way for path, act in second.acts.items()} == {"/gossip": "hang", "/info": "hang"}
    assert third.acts is None


def test_members_in_words_become_gossip():
    acts = script.read(SCRIPT)[0].acts
    assert acts is not None
    assert json.loads(acts["/info"].body) == {"esVersion": "3.4.0.0", "state": "master"}
    info = members.parse(acts["/gossip"].body(), where="here")
    states = {str(member.key): (member.state, member.is_alive) for member in info.members}
    assert states == {
        "127.0.51.1:2112": ("Master", True),
        "127.0.51.2:2112": ("Slave", True),
        "127.0.51.3:2112": ("Slave", False),
        "127.0.51.1:30777": ("Manager", True),
    }
    assert info.members[1].writer_checkpoint == 500
    assert info.own is info.members[0]
    offset = members.seconds(info.own.time_stamp) - members.seconds(members.utc_now())
    assert offset == pytest.approx(75, abs=1)


def test_a_seed_in_words():
    seed = picture.member("127.0.51.9", "Manager seed dead port=2112")
    assert seed.is_unresolved_seed
    assert not seed.is_alive
    assert (seed.internal_http.port, seed.external_http.port) == (2112, 2112)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "expected YAML"),
        ("address: 127.0.51.1:1", "expected a list of steps"),
        ("- {at: 1}", "step 1: expected address and any of"),
        ("- {address: '127.0.51.1:1', delai: 3}", "step 1: expected address and any of"),
        ("- {address: 'node1:1'}", "step 1: 'node1:1' does not begin with an IP address"),
        ("- {address: '127.0.51.1:1', way: sideways}", "step 1: 'sideways' is no way to answer; these are: whole"),
        ("- {address: '127.0.51.1:1', at: soon}", "step 1: could not convert"),
        ("- {address: '127.0.51.1:1', members: {x: ''}}", "step 1: "),
    ],
)
def test_mistakes_are_told_with_the_step(text, expected):
    with pytest.raises(GossipError) as caught:
        script.read(text, where="script.yaml")
    assert str(caught.value).startswith("script.yaml")
    assert expected in str(caught.value)
