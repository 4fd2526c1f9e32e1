# SPDX-License-Identifier: GPL-3.0-or-later
"""What one manager lends, and what it reads."""

from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import lease


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_one_owner_at_a_time_until_it_gives_back(clock):
    book = lease.Book(clock=clock)
    assert book.holder() == lease.Lease()
    assert book.ask("a", 30)
    clock.now += 10
    assert not book.ask("b", 30)
    assert not book.ask("b", 0)  # nobody gives back what another has
    assert book.holder() == lease.Lease("a", 10.0, 20.0)
    assert book.ask("a", 0)
    assert book.holder() == lease.Lease()
    assert book.ask("b", 30)


def test_it_expires_and_is_prolonged(clock):
    book = lease.Book(clock=clock)
    book.ask("a", 30)
    clock.now += 20
    assert book.ask("a", 30)
    clock.now += 29
    assert book.holder() == lease.Lease("a", 49.0, 1.0)
    clock.now += 1
    assert book.holder() == lease.Lease()
    assert book.ask("b", 1)
    assert book.holder().held_s == 0.0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"{}",
        b'{"owner": "", "seconds": 1}',
        b'{"owner": 1, "seconds": 1}',
        b'{"owner": "a\\nb", "seconds": 1}',
        b'{"owner": "%s", "seconds": 1}' % (b"a" * 201),
        b'{"owner": "a"}',
        b'{"owner": "a", "seconds": "1"}',
        b'{"owner": "a", "seconds": true}',
        b'{"owner": "a", "seconds": -1}',
        b'{"owner": "a", "seconds": 3601}',
        b'{"owner": "a", "seconds": NaN}',
        b'{"owner": "a", "seconds": 1e999}',
    ],
)
def test_what_is_no_request_for_a_lease(body):
    with pytest.raises(ValueError, match=r"."):
        lease.parse(body)


def test_a_request_is_read():
    assert lease.parse(json.dumps({"owner": "alice@control:1:node1", "seconds": 0}).encode()) == (
        "alice@control:1:node1",
        0.0,
    )


def test_a_holder_in_words():
    assert str(lease.Lease("alice@control:1:node1", 3.2, 56.8)) == (
        "alice@control:1:node1 has had it for 3 s; it expires in 57 s"
    )
