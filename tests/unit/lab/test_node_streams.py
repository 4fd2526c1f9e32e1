# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.node.streams import BadEvents, Streams, to_payload

ID = str(uuid.UUID(int=5))
BAD = [
    (b"", "not JSON"),
    (b"\xff", "not JSON"),
    (b"{}", "not a list"),
    (b"[]", "at least one"),
    (b"[1]", "Event 0 is not an object"),
    (b"[{}]", "Event 0 has no eventType"),
    (b'[{"eventType": ""}]', "no eventType"),
    (b'[{"eventType": "x"}]', "no eventId"),
    (b'[{"eventType": "x", "eventId": 7}]', "no eventId"),
    (b'[{"eventType": "x", "eventId": "7"}]', "no eventId"),
    (b"[" * 100_000, "not JSON"),
]


@pytest.mark.parametrize(("body", "said"), BAD)
def test_what_is_no_list_of_events_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadEvents, match=said):
        to_payload("s", body)


def payload(stream: str, *numbers: int) -> bytes:
    events = [{"eventId": str(uuid.UUID(int=number)), "eventType": "t", "data": number} for number in numbers]
    return to_payload(stream, json.dumps(events).encode())


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 20), min_size=1, max_size=4)), max_size=20))
def test_every_event_stands_once_in_the_order_of_its_first_write(writes: list[tuple[str, list[int]]]) -> None:
    log: dict[int, bytes] = {}
    streams = Streams(log.__getitem__)
    expected: dict[str, list[int]] = {}
    for index, (stream, numbers) in enumerate(writes, 1):
        log[index] = payload(stream, *numbers)
        first = streams.apply(index, log[index])
        known = expected.setdefault(stream, [])
        known += [number for number in dict.fromkeys(numbers) if number not in known]
        assert first == known.index(numbers[0])
    for stream, numbers in expected.items():
        found = streams.events(stream, 0, 1000)
        assert [event["data"] for event in found] == numbers
        assert [event["eventNumber"] for event in found] == list(range(len(numbers)))
        assert streams.events(stream, 1, 2) == found[1:3]
    assert all(stream in streams for stream in expected)
    assert "c" not in streams
