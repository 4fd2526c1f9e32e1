# SPDX-License-Identifier: GPL-3.0-or-later
"""What one manager lends, and what it reads."""

from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import lease


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def ask(book, owner, seconds, token="", **more):
    return book.ask(lease.Request(owner, seconds, token, **more))


def test_one_owner_at_a_time_until_it_gives_back(clock):
    book = lease.LeaseTable(clock=clock)
    assert book.holder() == lease.Lease()
    assert ask(book, "a", 30)
    clock.now += 10
    assert not ask(book, "b", 30)
    assert not ask(book, "b", 0)  # nobody gives back what another has
    assert book.holder() == lease.Lease("a", 10.0, 20.0)
    assert ask(book, "a", 0)
    assert book.holder() == lease.Lease()
    assert ask(book, "b", 30)


def test_it_expires_and_is_prolonged(clock):
    book = lease.LeaseTable(clock=clock)
    ask(book, "a", 30)
    clock.now += 20
    assert ask(book, "a", 30)
    clock.now += 29
    assert book.holder() == lease.Lease("a", 49.0, 1.0)
    clock.now += 1
    assert book.holder() == lease.Lease()
    assert ask(book, "b", 1)
    assert book.holder().held_s == 0.0


@pytest.mark.parametrize("seconds", [0, 30])
@pytest.mark.parametrize("token", ["", "of-b", "of-a-2"])
def test_the_owner_s_name_is_not_enough_to_end_or_to_take_a_lease(clock, seconds, token):
    book = lease.LeaseTable(clock=clock)
    assert ask(book, "a", 30, "of-a")
    assert not ask(book, "a", seconds, token)
    assert not ask(book, "a", seconds, token, renew=True)
    assert book.holder() == lease.Lease("a", 0.0, 30.0)
    assert ask(book, "a", 0, "of-a")
    assert book.holder() == lease.Lease()


def test_an_operator_breaks_it_by_the_owner_s_name(clock):
    book = lease.LeaseTable(clock=clock)
    ask(book, "a", 30, "of-a")
    assert not ask(book, "b", 0, breaks=True)
    assert ask(book, "a", 0, breaks=True)
    assert book.holder() == lease.Lease()


def test_what_was_lost_meanwhile_is_not_renewed(clock):
    book = lease.LeaseTable(clock=clock)
    assert not ask(book, "a", 30, "of-a", renew=True)  # a manager that was restarted has forgotten it
    assert ask(book, "a", 30, "of-a")
    assert ask(book, "a", 40, "of-a", renew=True)
    assert book.holder().left_s == 40
    clock.now += 41
    assert not ask(book, "a", 30, "of-a", renew=True)
    assert book.holder() == lease.Lease()
    assert ask(book, "b", 1, "of-b")
    assert ask(book, "b", 0, "of-b")
    assert not ask(book, "a", 30, "of-a", renew=True)  # another one has had it and has given it back


def test_the_token_is_in_no_text():
    request = lease.Request("a", 1.0, "s3cret")
    assert "s3cret" not in f"{request} {request!r}"
    assert "s3cret" not in str(lease.Lease("a", 1.0, 1.0).to_wire())


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
        b'{"owner": "a", "seconds": 1, "token": 1}',
        b'{"owner": "a", "seconds": 1, "token": null}',
        b'{"owner": "a", "seconds": 1, "token": "a\\nb"}',
        b'{"owner": "a", "seconds": 1, "token": "\\ud800"}',
        b'{"owner": "a", "seconds": 1, "token": "%s"}' % (b"a" * 65),
        b'{"owner": "a", "seconds": 1, "renew": 1}',
        b'{"owner": "a", "seconds": 0, "break": "yes"}',
        b'{"owner": "a", "seconds": 1, "break": true}',
        b'{"owner": "a", "seconds": 0, "break": true, "renew": true}',
    ],
)
def test_what_is_no_request_for_a_lease(body):
    with pytest.raises(ValueError, match=r"."):
        lease.parse(body)


@pytest.mark.parametrize(
    "request_",
    [
        lease.Request("alice@control:1:node1", 0.0),
        lease.Request("alice@control:1:node1", 30.0, "s3cret", renew=True),
        lease.Request("alice@control:1:node1", 0.0, breaks=True),
    ],
)
def test_a_request_is_read_back(request_):
    assert lease.parse(json.dumps(request_.to_wire()).encode()) == request_


def test_a_request_of_an_earlier_release_is_read():
    assert lease.parse(b'{"owner": "a", "seconds": 30}') == lease.Request("a", 30.0)


def test_a_holder_in_words():
    assert str(lease.Lease("alice@control:1:node1", 3.2, 56.8)) == (
        "alice@control:1:node1 has held it for 3 s; it expires in 57 s"
    )
