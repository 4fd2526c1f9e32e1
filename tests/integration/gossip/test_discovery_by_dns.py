# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that a name server of our own knows, over real packets."""

from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import discovery
from lab.dns.server import DnsServer

SERVER = "127.0.51.53:5353"
NAME = "cluster1.eventstore.local"


def test_all_records_of_a_name_and_what_changes():
    with DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.12", "10.0.0.9"]}) as server:
        assert discovery.resolve(NAME, nameservers=[SERVER]) == ["10.0.0.9", "10.0.0.12"]
        many = [f"10.0.1.{number}" for number in range(1, 201)]  # more than a packet holds: asked again over TCP
        server.set_records({NAME: many})
        assert discovery.resolve(NAME, nameservers=[SERVER]) == many


def test_a_name_that_the_server_does_not_know():
    with DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.9"]}), pytest.raises(GossipError) as caught:
        discovery.resolve("cluster2.eventstore.local", nameservers=[SERVER])
    text = str(caught.value)
    assert text.startswith("DNS name cluster2.eventstore.local: expected an address for each machine of the cluster")
    assert f"got from {SERVER}: The DNS query name does not exist" in text


def test_a_name_server_that_is_silent_costs_no_more_than_the_timeout():
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.51.54", 5353))
        start = time.monotonic()
        with pytest.raises(GossipError, match=r"127\.0\.51\.54:5353: .*timed out"):
            discovery.resolve(NAME, nameservers=["127.0.51.54:5353"], timeout_s=0.3)
        assert time.monotonic() - start < 1.5


def test_the_second_name_server_answers_for_the_first():
    with DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.9"]}):
        assert discovery.resolve(NAME, nameservers=["127.0.51.55:5353", SERVER]) == ["10.0.0.9"]


@pytest.mark.parametrize("way", ["SERVFAIL", "NXDOMAIN", "REFUSED", "NOTIMP", "silent", "truncated"])
def test_a_server_that_is_broken_for_aaaa_records_has_said_nothing_against_a_records(way):
    with DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.12", "10.0.0.9"]}, broken={"AAAA": way}):
        start = time.monotonic()
        assert discovery.resolve(NAME, nameservers=[SERVER], timeout_s=2) == ["10.0.0.9", "10.0.0.12"]
        assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("SERVFAIL", "answered SERVFAIL"),
        ("REFUSED", "answered REFUSED"),
        ("silent", "timed out"),
        ("truncated", "more A records than fit into a packet, and over TCP, where all would fit, it does not answer"),
    ],
)
def test_a_server_that_is_broken_for_a_records_is_told(way, expected):
    broken = DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.9"]}, broken={"A": way})
    with broken, pytest.raises(GossipError) as caught:
        discovery.resolve(NAME, nameservers=[SERVER], timeout_s=2)
    assert expected in str(caught.value)


@pytest.mark.parametrize("way", ["SERVFAIL", "REFUSED", "silent"])
def test_the_second_name_server_answers_for_a_first_one_that_is_broken(way):
    first = "127.0.51.56:5353"
    with (
        DnsServer(Endpoint.parse(SERVER), {NAME: ["10.0.0.9"]}),
        DnsServer(Endpoint.parse(first), {}, broken={"A": way, "AAAA": way}),
    ):
        assert discovery.resolve(NAME, nameservers=[first, SERVER], timeout_s=6) == ["10.0.0.9"]
