# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that the others reach at addresses that are on no machine, as behind an address translation."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import typing as t

import pytest

from tests.lab_site import Site, curl, has_full_cluster, wait_for

NET, OUTSIDE = "127.0.88", "127.0.89"
TRANSLATED = {
    "IntIpAdvertiseAs": "{{ eventstore_int_ip | replace('127.0.88', '127.0.89') }}",
    "IntHttpPortAdvertiseAs": 12112,
    "IntHttpPrefixes": ["http://*:2112/"],
    "ExtHttpPrefixes": ["http://*:2113/"],
    "AddInterfacePrefixes": False,
}


class Forward(socketserver.BaseRequestHandler):
    """Carry bytes to the machine whose address ends in the same number."""

    def handle(self) -> None:
        target = self.request.getsockname()[0].replace(OUTSIDE, NET)
        with contextlib.suppress(OSError), socket.create_connection((target, 2112)) as inside:
            back = threading.Thread(target=carry, args=(inside, self.request), daemon=True)
            back.start()
            carry(self.request, inside)
            back.join()


def carry(source: socket.socket, drain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            drain.sendall(data)
    for each in (source, drain):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


class Translation(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("translated"), NET)
    with contextlib.ExitStack() as stack:
        for last in (11, 12, 13):
            server = stack.enter_context(Translation((f"{OUTSIDE}.{last}", 12112), Forward))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(made.remove)
        yield made


def options(**more: object) -> tuple[str, ...]:
    return ("-e", json.dumps({"eventstore_database_options": {**TRANSLATED, **more}}))


def test_a_healthy_cluster_is_called_healthy(site: Site) -> None:
    site.deploy(*options())
    _status, body = curl(f"http://{NET}.12:2113/gossip")
    members = [each for each in json.loads(body)["members"] if each["state"] != "Manager"]
    assert {(each["internalHttpIp"], each["internalHttpPort"]) for each in members} == {
        (f"{OUTSIDE}.{last}", 12112) for last in (11, 12, 13)
    }
    assert sorted(each["state"] for each in members) == ["Master", "Slave", "Slave"]
    shown = site.play("playbooks/status.yml", *options())
    assert shown.returncode == 0
    assert "cluster1 has quorum, 3 of 3 nodes in sync" in shown.stdout


@pytest.mark.slow
def test_its_nodes_are_restarted_one_at_a_time(site: Site) -> None:
    before = {host: site.node(host).pid for host in ("node1", "node2", "node3")}
    changed = options(StatsPeriodSec=44)
    site.deploy(*changed)
    done = site.play("playbooks/rolling_restart.yml", *changed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(site.node(host).pid != pid for host, pid in before.items())
    wait_for(lambda: has_full_cluster(NET))
