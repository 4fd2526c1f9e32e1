# SPDX-License-Identifier: GPL-3.0-or-later
"""A script for the servers: a YAML list of steps, each at its time.

```yaml
- at: 0                              # seconds from the start; 0 when left out
  address: 127.0.51.1:2113           # where it listens
  server: 127.0.51.1:2112            # its internal HTTP address, which it gives as its own
  members: {127.0.51.1: Master, 127.0.51.2: Slave, 127.0.51.3: Slave dead}
  info: {esVersion: 3.4.0.0, state: master}
  skew: 75                           # seconds by which its clock is wrong
- {at: 5, address: "127.0.51.1:2113", way: hang}
- {at: 9, address: "127.0.51.1:2113", status: 408}
- {at: 12, address: "127.0.51.1:2113", refuse: true}
```

``body`` (text) stands in place of ``members``; ``way`` (see ``server.WAYS``), ``status``, ``delay`` and
``content_type`` change how it is sent.
"""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass

import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from tests.doubles.gossip import picture
from tests.doubles.gossip.server import JSON, Act, ScriptedCluster

KEYS = frozenset(
    ("at", "address", "server", "members", "info", "skew", "body", "way", "status", "delay", "content_type", "refuse")
)


@dataclass(frozen=True)
class Step:
    """What changes at one endpoint ``at_s`` seconds after the start: its acts by path, or None to refuse."""

    at_s: float
    address: str
    acts: dict[str, Act] | None


def read(text: str, *, where: str = "script") -> list[Step]:
    """Read a script; GossipError names the step that is wrong."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise GossipError(f"expected YAML, but came: {error}", where=where) from None
    if not isinstance(data, list):
        raise GossipError("expected a list of steps", where=where)
    steps = [_read_step(step, f"{where}, step {number}") for number, step in enumerate(data, start=1)]
    return sorted(steps, key=lambda step: step.at_s)


def play(steps: t.Sequence[Step], cluster: ScriptedCluster) -> None:
    """Do every step at its time; returns after the last one, and the endpoints stay."""
    start = time.monotonic()
    for step in steps:
        time.sleep(max(0.0, start + step.at_s - time.monotonic()))
        if step.acts is None:
            cluster.refuse(step.address)
        else:
            for path, act in step.acts.items():
                cluster.answer(step.address, path, act)


def _read_step(step: t.Any, where: str) -> Step:
    if not isinstance(step, dict) or "address" not in step or set(step) - KEYS:
        raise GossipError(f"expected address and any of {', '.join(sorted(KEYS))}, got {step!r}", where=where)
    try:
        return Step(float(step.get("at", 0)), str(Endpoint.parse(step["address"])), _acts(step))
    except (TypeError, ValueError) as error:
        raise GossipError(str(error), where=where) from None


def _acts(step: dict[str, t.Any]) -> dict[str, Act] | None:
    if step.get("refuse"):
        return None

    def act(body: bytes | t.Callable[[], bytes]) -> Act:
        return Act(
            body=body,
            status=step.get("status", 200),
            way=step.get("way", "whole"),
            delay_s=float(step.get("delay", 0)),
            content_type=step.get("content_type", JSON),
        )

    acts = {"/gossip": act(_body(step))}
    if "info" in step:
        acts["/info"] = Act(json.dumps(step["info"]).encode())
    elif step.get("way", "whole") != "whole":
        acts["/info"] = acts["/gossip"]  # what hangs or misbehaves does so everywhere
    return acts


def _body(step: dict[str, t.Any]) -> bytes | t.Callable[[], bytes]:
    if "members" not in step:
        return str(step.get("body", "")).encode()
    server, words, skew_s = step.get("server", step["address"]), step["members"], float(step.get("skew", 0))
    picture.picture(server, words)  # a mistake in the script shows now, and not with the first request
    return lambda: picture.body(picture.picture(server, words, skew_s=skew_s))


__all__ = ["Step", "play", "read"]
