# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_service: who asks for a stop, one at a time, what the one before has seen of the cluster,
and how far a restarted node has come.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import socket
import threading
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.progress import Progress
from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import alarms, turn
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host

display = Display()

# A restart that takes longer than this is told of, and again after each such time.
TELL_S = 10.0


class ActionModule(HostAction):
    """Runs the module es_service, or on Windows does its work from here."""

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        run = super().run_on_posix
        return self._one_stop_at_a_time(task_vars, lambda: run(task_vars))

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return self._one_stop_at_a_time(task_vars, lambda: self._run_from_here(host))

    def _run_from_here(self, host: Host) -> dict[str, t.Any]:
        from ansible_collections.eventstore.cluster.plugins.modules import es_service
        from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import service

        params = self.windows_params(es_service.ARGUMENTS, **es_service.RULES)
        service.refuse_foreign(params)
        return service.WindowsService(host, params).bring_to(params["state"], es_service.cluster_of(params))

    def _one_stop_at_a_time(
        self, task_vars: dict[str, t.Any], run: t.Callable[[], dict[str, t.Any]]
    ) -> dict[str, t.Any]:
        """Run it as the only stop in its cluster that this user's plays do, and tell how far it has come."""
        given = self._task.args.get("cluster")
        if self._task.args.get("state") not in ("stopped", "restarted", "absent") or not isinstance(given, dict):
            return run()
        host = str(task_vars.get("inventory_hostname", ""))
        if self._task.check_mode:
            return run()
        if self._task.async_val:
            raise AnsibleActionFail(
                "es_service was not started: with async, the next host could stop its node at the same time. Run the "
                "task without async; it prints the progress of a restarted node."
            )
        # The parent of this worker is ansible-playbook.
        play = f"{accounts.user_name(os.geteuid())}@{socket.gethostname()}:{os.getppid()}"
        with (
            _alone(given, f"{play}:{host}", shared=bool(given.get("override"))) as last,
            _told(given, host),
        ):
            self._task.args["cluster"] = {"owner": f"{play}:{host}", **last.seen_by(play), **given}
            result = run()
            self._tell_what_happened(result, host)
            last.write(result.get("seen"))
            return result

    def _tell_what_happened(self, result: dict[str, t.Any], host: str) -> None:
        """What the cluster went through during a restart: in a line, and as warnings where data may be lost."""
        seen = result.get("seen")
        watched = seen.pop("watched", None) if seen else None
        if watched:
            result["watched"] = watched
            display.display(f"{host}: {turn(str(self._task.args.get('name')), watched)}")
            result.setdefault("warnings", []).extend(f"{host}: {line}" for line in alarms(watched))


class Last:
    """What the last stop has left in the lock's file: its owner, and how it has seen the cluster when it ended."""

    def __init__(self, stream: t.TextIO, owner: str) -> None:
        self._stream, self._owner = stream, owner
        stream.seek(0)
        self._owner_before, _newline, self._seen = stream.read().partition("\n")
        self.write(None)

    def write(self, seen: object) -> None:
        self._stream.truncate(0)
        self._stream.write(f"{self._owner}\n{json.dumps([seen, time.monotonic()]) if seen else ''}")
        self._stream.flush()

    def seen_by(self, play: str) -> dict[str, t.Any]:
        """The argument ``seen`` for the next stop; nothing from another play, as clocks of two computers differ."""
        if self._owner_before.rpartition(":")[0] != play:
            return {}
        try:
            seen, ended = json.loads(self._seen)
            since = time.monotonic() - ended
            return {"seen": {**seen, "seconds": seen["seconds"] + since, "calm": seen["calm"] + since}}
        except (ValueError, TypeError, KeyError):  # a stop that failed, or was killed, has left nothing
            return {}


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
def _alone(cluster: t.Mapping[str, t.Any], owner: str, *, shared: bool) -> t.Iterator[Last]:
    """Let the hosts of one play, and the plays of one user, stop nodes of a cluster one after the other.

    The lease of the managers does that for all; this one also holds where there are no managers, and waits.
    ``shared``: a stop that may cost the quorum waits for stops that must keep it, not for others like itself.
    """
    directory = Path(constants.config.get_config_value("ANSIBLE_HOME")) / "eventstore.cluster"
    with contextlib.ExitStack() as held:
        # All take them in the same order, so that no two wait for each other.
        streams = [held.enter_context(_locked(directory / f"{key}.lock", cluster, shared)) for key in _keys(cluster)]
        first, *_others = [Last(stream, owner) for stream in streams]
        yield first


@contextlib.contextmanager
def _locked(path: Path, cluster: t.Mapping[str, t.Any], shared: bool) -> t.Iterator[t.TextIO]:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as error:
        raise AnsibleActionFail(
            f"{path} cannot be locked: {error.strerror}. Set ANSIBLE_HOME to a directory that you own."
        ) from None
    with stream:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            owner = stream.readline().strip() or "one that has just started"
            display.display(f"waiting for another stop in {cluster.get('name')}: {owner} ({path})")
            fcntl.flock(stream, kind)
        yield stream


@contextlib.contextmanager
def _told(given: t.Mapping[str, t.Any], host: str) -> t.Iterator[None]:
    """Print the progress of nodes that are not in sync, if the controller can query them."""
    try:
        targets = facts.read_endpoints(given.get("endpoints") or [])
        cluster_size = int(given.get("cluster_size") or 0) or None  # a text where it comes from a template, up to 2.18
    except (EventStoreError, ValueError, TypeError):
        yield  # the module says what is wrong
        return
    over = threading.Event()

    def tell() -> None:
        progress = Progress()
        while not over.wait(TELL_S):
            cluster = view.ClusterView(facts.ask(targets, TELL_S / 2), cluster_size)
            for line in progress.lines(cluster, time.monotonic()):
                display.display(f"{host}: {line}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join(TELL_S)  # no longer: a thread that fails can hang in a lock that this worker was forked with


__all__ = ["ActionModule"]
