# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import discovery


@pytest.mark.parametrize(
    ("found", "expected", "missing", "extra"),
    [
        (["10.0.0.1"], ["10.0.0.1"], [], []),
        ([], ["10.0.0.10", "10.0.0.9"], ["10.0.0.9", "10.0.0.10"], []),
        (["10.0.0.10", "10.0.0.9"], [], [], ["10.0.0.9", "10.0.0.10"]),
        (["10.0.0.1", "10.0.0.3", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"], ["10.0.0.3"]),
        (["0:0::1"], ["::1"], [], []),
        (["::1"], ["127.0.0.1"], ["127.0.0.1"], ["::1"]),
    ],
)
def test_compare_records(found, expected, missing, extra):
    assert discovery.compare_records(found, expected) == (missing, extra)


def answer_with(*addresses):
    def getaddrinfo(name, port, **_options):
        assert (name, port) == ("cluster1.test", None)
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, 0)) for ip in addresses]

    return getaddrinfo


def test_all_addresses_once_and_in_order(monkeypatch):
    found = answer_with("10.0.0.10", "10.0.0.9", "::1", "10.0.0.9", "fe80::1%eth0")
    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert discovery.resolve("cluster1.test") == ["10.0.0.9", "10.0.0.10", "::1", "fe80::1"]


def test_an_address_needs_no_resolver(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert discovery.resolve("192.168.1.11") == ["192.168.1.11"]
    assert discovery.resolve("0::1", nameservers=["10.0.0.1"]) == ["::1"]


def test_a_name_that_does_not_resolve(monkeypatch):
    def fail(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(GossipError) as caught:
        discovery.resolve("cluster1.test")
    text = str(caught.value)
    assert text.startswith("DNS name cluster1.test: ")
    assert "from the system's resolver: Name or service not known" in text
    assert "one A record for each machine" in text


def test_a_slow_resolver_is_not_waited_for(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_o: [release.wait(10)][1:])
    start = time.monotonic()
    with pytest.raises(GossipError, match=r"no answer within 0\.05 s"):
        discovery.resolve("cluster1.test", timeout_s=0.05)
    assert time.monotonic() - start < 2
    release.set()


@pytest.mark.parametrize("all_kinds", ["silent", "Try again"])
def test_a_resolver_that_fails_for_all_kinds_of_records_is_asked_for_a_records_alone(monkeypatch, all_kinds):
    """A name server that never answers AAAA: glibc waits 5 s and more for it, musl gives nothing at all."""
    release = threading.Event()

    def getaddrinfo(_name, _port, *, family, **_options):
        if family == socket.AF_INET:
            return [(family, 1, 6, "", ("10.0.0.9", 0))]
        if all_kinds == "silent":
            release.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Try again")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert discovery.resolve("cluster1.test", timeout_s=4 if all_kinds == "silent" else 60) == ["10.0.0.9"]
    release.set()


def test_what_comes_late_is_taken_all_the_same(monkeypatch):
    """The answer to the first question, in the time of the second."""
    second = threading.Event()

    def getaddrinfo(_name, _port, *, family, **_options):
        if family == socket.AF_INET:
            second.set()
            raise socket.gaierror(socket.EAI_AGAIN, "Try again")
        second.wait(10)
        return [(family, 1, 6, "", ("::1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert discovery.resolve("cluster1.test", timeout_s=4) == ["::1"]


@pytest.mark.parametrize("name", ["a..b", "x" * 70, "bad\0name"])
def test_a_name_that_is_none(name):
    with pytest.raises(GossipError, match="from the system's resolver"):
        discovery.resolve(name)


def test_name_servers_need_dnspython(monkeypatch):
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    with pytest.raises(GossipError, match=r"dnspython is needed.*Install dnspython"):
        discovery.resolve("cluster1.test", nameservers=["127.0.51.53:5353"])


@pytest.mark.parametrize("server", ["ns.example.org", "ns.example.org:53", "10.0.0.1:dns", "[::1", ""])
def test_a_name_server_is_given_by_address(server):
    if server == "[::1":
        assert discovery._nameserver(server) == ("::1", 53)
        return
    with pytest.raises(GossipError, match="expected the address of a name server as IP or IP:PORT"):
        discovery.resolve("cluster1.test", nameservers=[server])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("10.0.0.1:5353", ("10.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_name_server_spellings(text, expected):
    assert discovery._nameserver(text) == expected
