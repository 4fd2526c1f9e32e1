# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The address of each server that is given by name, from the system's resolver, all at once and in time."""

from __future__ import annotations

import queue
import socket
import threading
import time
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import is_ip

MAX_THREADS = 64


class Unresolved(t.NamedTuple):
    """Why a name gave no address of one server."""

    text: str


def addresses(hosts: t.Iterable[str], timeout_s: float) -> dict[str, str | Unresolved]:
    """An address for each of ``hosts``, which may be one already. Threads wait, as getaddrinfo knows no timeout."""
    found: dict[str, str | Unresolved] = {host: host for host in hosts if is_ip(host)}
    missing = sorted({host for host in hosts if host not in found})
    work: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, str | Unresolved]] = queue.SimpleQueue()
    for host in missing:
        work.put(host)
    for _thread in range(min(MAX_THREADS, len(missing))):
        threading.Thread(target=_work, args=(work, answers), daemon=True).start()
    end = time.monotonic() + timeout_s
    for _host in missing:
        try:
            host, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[host] = answer
    late = Unresolved(f"the system's resolver gave no answer within {timeout_s:g} s")
    return {**dict.fromkeys(missing, late), **found}


def _work(work: queue.SimpleQueue[str], answers: queue.SimpleQueue[tuple[str, str | Unresolved]]) -> None:
    while True:
        try:
            host = work.get_nowait()
        except queue.Empty:
            return
        answers.put((host, _address(host)))


def _address(host: str) -> str | Unresolved:
    """An IPv4 address where there is one, as most servers listen on nothing else."""
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        return Unresolved((error.strerror if isinstance(error, OSError) else "") or str(error))
    every = list(dict.fromkeys(found))
    chosen = [address for address in every if ":" not in address] or every
    if len(chosen) > 1:
        return Unresolved(f"it has the addresses {', '.join(chosen[:10])}, and an endpoint is one server")
    return chosen[0]


__all__ = ["Unresolved", "addresses"]
