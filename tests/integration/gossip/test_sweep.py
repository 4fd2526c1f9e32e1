# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep against servers that do whatever servers can do to it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.http.sweep import Request
from tests.doubles.gossip.server import WAYS, Act

ROOT = Path(__file__).parents[3]
BODY = b'{"answer": "' + b"x" * 700 + b'"}'

EXPECTED = {
    "whole": "",
    "chunked": "",
    "until-close": "",
    "hang": sweep.TIMEOUT,
    "close": sweep.CLOSED,
    "reset": sweep.CLOSED,
    "cut": sweep.CLOSED,
    "drip": sweep.TIMEOUT,
    "huge": sweep.TOO_LONG,
    "huge-chunked": sweep.TOO_LONG,
    "raw": sweep.NOT_HTTP,
}


def requests_to(*addresses: str) -> list[Request]:
    return [Request(Endpoint.parse(address), "/gossip") for address in addresses]


def test_every_way_to_answer_in_one_sweep(scripted_cluster):
    assert EXPECTED.keys() == WAYS.keys()
    addresses = {f"127.0.52.{number}:2113": way for number, way in enumerate(WAYS, start=1)}
    for address, way in addresses.items():
        scripted_cluster.answer(address, "/gossip", Act(BODY, way=way))
    start = time.monotonic()
    results = sweep.sweep(requests_to(*addresses), timeout_s=0.7)
    assert 0.7 <= time.monotonic() - start < 1.5
    assert {way: result.error for way, result in zip(addresses.values(), results)} == EXPECTED
    for way, result in zip(addresses.values(), results):
        assert result.body == (b"" if EXPECTED[way] else BODY)
        assert bool(result.text) == bool(result.error)
        assert result.seconds <= 0.75
        assert (result.seconds >= 0.65) == (EXPECTED[way] == sweep.TIMEOUT)


def test_curl_reads_the_same(scripted_cluster):
    for number, way in enumerate(("whole", "chunked", "until-close"), start=1):
        address = f"127.0.52.{number}:2113"
        scripted_cluster.answer(address, "/gossip", Act(BODY, way=way))
        (result,) = sweep.sweep(requests_to(address), timeout_s=2)
        curl = subprocess.run(["curl", "-s", f"http://{address}/gossip"], capture_output=True, check=True)  # noqa: S607
        assert result.body == curl.stdout == BODY


def test_refusals_and_statuses(scripted_cluster):
    scripted_cluster.answer("127.0.52.1:2113", "/other", Act(b"{}"))
    scripted_cluster.answer("127.0.52.2:2113", "/gossip", Act(b"no", status=408))
    missing, late, refused, refused6, nowhere = sweep.sweep(
        requests_to("127.0.52.1:2113", "127.0.52.2:2113", "127.0.52.3:2113", "[::1]:9", "255.255.255.255:80"),
        timeout_s=2,
    )
    assert (missing.error, missing.status) == (sweep.STATUS, 404)
    assert (late.error, late.status, late.text) == (sweep.STATUS, 408, "HTTP status 408 Request Timeout")
    assert refused.error == sweep.REFUSED
    assert refused6.error in (sweep.REFUSED, sweep.UNREACHABLE)
    assert nowhere.error == sweep.UNREACHABLE


def test_a_server_that_changes_while_it_runs(scripted_cluster):
    address = "127.0.52.1:2113"
    scripted_cluster.answer(address, "/gossip", Act(b"{}"))
    assert sweep.sweep(requests_to(address), timeout_s=2)[0].error == ""
    scripted_cluster.refuse(address)
    assert sweep.sweep(requests_to(address), timeout_s=2)[0].error == sweep.REFUSED
    scripted_cluster.answer(address, "/gossip", Act(b"{}", delay_s=0.2))
    result = sweep.sweep(requests_to(address), timeout_s=2)[0]
    assert result.error == ""
    assert 0.2 <= result.seconds < 1


def test_few_sockets_are_enough_for_many_endpoints(scripted_cluster):
    addresses = [f"127.1.51.{number}:2113" for number in range(1, 61)]
    for address in addresses:
        scripted_cluster.answer(address, "/gossip", Act(address.encode()))
    results = sweep.sweep(requests_to(*addresses), timeout_s=5, max_open=4)
    assert [result.body.decode() for result in results] == addresses


def test_who_could_not_be_asked_for_want_of_sockets_is_told_so(scripted_cluster):
    for number in (1, 2):
        scripted_cluster.answer(f"127.0.52.{number}:2113", "/gossip", Act(way="hang"))
    first, second = sweep.sweep(requests_to("127.0.52.1:2113", "127.0.52.2:2113"), timeout_s=0.2, max_open=1)
    assert first.text == "connected, but no whole answer within 0.2 s"
    assert second.text.startswith("not asked within 0.2 s: only 1 sockets may be open at a time")


@pytest.fixture
def hundred_nodes(tmp_path) -> t.Iterator[list[str]]:
    """Servers in a process of their own, which has its own limit of open files."""
    addresses = [f"127.1.52.{number}:2113" for number in range(1, 101)]
    script = tmp_path / "script.yaml"
    script.write_text(json.dumps([{"address": address, "body": "{}", "delay": 0.02} for address in addresses]))
    command = [sys.executable, "-m", "tests.doubles.gossip", str(script)]
    environment = {**os.environ, "PYTHONPATH": "collections"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert b"all steps are done" in server.stdout.readline()
        yield addresses
        server.terminate()


def test_the_limit_of_open_files_is_kept(hundred_nodes):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 16, hard))
    try:
        # More than there can be: the sweep has to notice, and go on with what it gets.
        results = sweep.sweep(requests_to(*hundred_nodes), timeout_s=5, max_open=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [result.error for result in results] == [""] * 100
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("way", ["hang", "drip"])
def test_one_deadline_for_all(scripted_cluster, way):
    addresses = [f"127.1.53.{number}:2113" for number in range(1, 101)]
    for address in addresses:
        scripted_cluster.answer(address, "/gossip", Act(b"{}", way=way))
    start = time.monotonic()
    results = sweep.sweep(requests_to(*addresses), timeout_s=0.5)
    assert time.monotonic() - start < 0.8
    assert {result.error for result in results} == {sweep.TIMEOUT}
