# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Stops of database nodes that one controller runs: one after the other, each with what the one before has seen.

The lease of the managers keeps stops apart for everybody; the lock here also does so where there are no managers, for
the hosts of one play and the plays of one user, and it waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import threading
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.progress import Progress

display = Display()

# A restart that takes longer than this shows its progress, and again after each such time.
PROGRESS_INTERVAL_S = 10.0


class StopRecord:
    """The content of a lock's file: the owner of the last stop, and how the cluster was when that stop ended."""

    def __init__(self, stream: t.TextIO, owner: str) -> None:
        self._stream, self._owner = stream, owner
        stream.seek(0)
        self._owner_before, _newline, self._seen = stream.read().partition("\n")
        self.write(None)

    def write(self, seen: object) -> None:
        """Replace the record by this owner's. ``seen``: what es_service returns; None before its stop has ended."""
        self._stream.truncate(0)
        self._stream.write(f"{self._owner}\n{json.dumps([seen, time.monotonic()]) if seen else ''}")
        self._stream.flush()

    def seen_by(self, play: str) -> dict[str, t.Any]:
        """The argument ``seen`` for the next stop; empty after another play, as clocks of two computers differ."""
        if self._owner_before.rpartition(":")[0] != play:
            return {}
        try:
            seen, ended = parse_json(self._seen)
            since = time.monotonic() - ended
            return {"seen": {**seen, "seconds": seen["seconds"] + since, "calm": seen["calm"] + since}}
        except (ValueError, TypeError, KeyError):  # a stop that failed, or was killed, has left nothing
            return {}


@contextlib.contextmanager
def stop_lock(cluster: t.Mapping[str, t.Any], owner: str, *, shared: bool) -> t.Iterator[StopRecord]:
    """Wait until no other stop of this controller's user runs in the cluster, and keep others waiting.

    ``shared``: a stop that may lose the quorum runs beside others that may, and only waits for those that keep it.
    """
    directory = Path(constants.config.get_config_value("ANSIBLE_HOME")) / "eventstore.cluster"
    with contextlib.ExitStack() as held:
        # All take them in the same order, so that no two wait for each other.
        streams = [held.enter_context(_locked(directory / f"{key}.lock", cluster, shared)) for key in _keys(cluster)]
        first, *_others = [StopRecord(stream, owner) for stream in streams]
        yield first


def _keys(cluster: t.Mapping[str, t.Any]) -> list[str]:
    """The names of a cluster's locks: one for each endpoint, so that runs with one endpoint in common meet there.

    A name is not enough, for everybody's cluster is called cluster1, and the endpoints as a whole are not, for they
    change while a cluster grows. Without endpoints, as with override alone, it is the name.
    """
    try:
        targets = facts.read_endpoints(cluster.get("endpoints") or [])
    except (EventStoreError, ValueError, TypeError):
        targets = []  # the module says what is wrong
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", str(cluster.get("name")))
    return sorted({f"{name}-{re.sub('[^0-9A-Fa-f.]', '_', str(each.address))}" for each in targets}) or [name]


@contextlib.contextmanager
def _locked(path: Path, cluster: t.Mapping[str, t.Any], shared: bool) -> t.Iterator[t.TextIO]:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as error:
        raise AnsibleActionFail(
            f"{path} cannot be locked: {error.strerror}. Set ANSIBLE_HOME to a directory of your own."
        ) from None
    with stream:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            owner = stream.readline().strip() or "one that has only just begun"
            display.display(f"waiting for another stop in {cluster.get('name')}: {owner} ({path})")
            fcntl.flock(stream, kind)
        yield stream


@contextlib.contextmanager
def progress_shown(cluster: t.Mapping[str, t.Any], host: str) -> t.Iterator[None]:
    """Meanwhile print how far the nodes have come that are not in sync, where this controller reaches them."""
    try:
        targets = facts.read_endpoints(cluster.get("endpoints") or [])
        cluster_size = int(cluster.get("cluster_size") or 0) or None  # text where a template gives it, up to 2.18
    except (EventStoreError, ValueError, TypeError):
        yield  # the module says what is wrong
        return
    over = threading.Event()

    def show() -> None:
        progress = Progress()
        while not over.wait(PROGRESS_INTERVAL_S):
            found = view.ClusterView(facts.ask(targets, PROGRESS_INTERVAL_S / 2), cluster_size)
            for line in progress.lines(found, time.monotonic()):
                display.display(f"{host}: {line}")

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # No longer: a thread that fails can hang in a lock that this worker was forked with.
        thread.join(PROGRESS_INTERVAL_S)


__all__ = ["StopRecord", "progress_shown", "stop_lock"]
