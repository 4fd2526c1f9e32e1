# SPDX-License-Identifier: GPL-3.0-or-later
"""What the committed entries add up to: streams of events. Every node computes the same from the same log."""

from __future__ import annotations

import json
import typing as t
import uuid

MAX_PAGE = 1000


class BadEvents(ValueError):
    """A body that is not a list of events."""


def to_payload(stream: str, body: bytes) -> bytes:
    """Check ``application/vnd.eventstore.events+json`` and make an entry of it; BadEvents says what is wrong."""
    try:
        events = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadEvents(f"The body is not JSON: {error}") from None
    if not isinstance(events, list) or not events:
        raise BadEvents("The body is not a list of at least one event")
    checked = [_check(number, event) for number, event in enumerate(events)]
    return json.dumps({"stream": stream, "events": checked}, separators=(",", ":")).encode()


def _check(number: int, event: object) -> dict[str, t.Any]:
    if not isinstance(event, dict):
        raise BadEvents(f"Event {number} is not an object")
    kind = event.get("eventType")
    if not isinstance(kind, str) or not kind:
        raise BadEvents(f"Event {number} has no eventType")
    try:
        event_id = str(uuid.UUID(event["eventId"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BadEvents(f"Event {number} has no eventId that is a UUID") from None
    return {"eventId": event_id, "eventType": kind, "data": event.get("data")}


class Streams:
    """Where each event stands. An eventId that a stream already has is not written again."""

    def __init__(self, read: t.Callable[[int], bytes]) -> None:
        """``read``: the payload of the entry at an index."""
        self._read = read
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._numbers: dict[str, dict[bytes, int]] = {}

    def apply(self, index: int, payload: bytes) -> int:
        """Take a committed entry; the number of its first event."""
        data = json.loads(payload)
        places = self._places.setdefault(data["stream"], [])
        numbers = self._numbers.setdefault(data["stream"], {})
        first = -1
        for position, event in enumerate(data["events"]):
            key = uuid.UUID(event["eventId"]).bytes
            if key not in numbers:
                numbers[key] = len(places)
                places.append((index, position))
            first = numbers[key] if first < 0 else first
        return first

    def __contains__(self, stream: str) -> bool:
        return stream in self._places

    def events(self, stream: str, first: int, count: int) -> list[dict[str, t.Any]]:
        """At most ``count`` events from number ``first``."""
        events = []
        read_index, entry = 0, {}
        for number, (index, position) in enumerate(self._places[stream][first : first + min(count, MAX_PAGE)], first):
            if index != read_index:
                read_index, entry = index, json.loads(self._read(index))
            events.append({"eventNumber": number, **entry["events"][position]})
        return events


__all__ = ["MAX_PAGE", "BadEvents", "Streams", "to_payload"]
