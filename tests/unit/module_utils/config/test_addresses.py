# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's addresses from its options: bound, advertised, answered; the rules are those of Program.cs."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import effective
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint

OWN, ANY, LOOPBACK = "10.9.0.5", "0.0.0.0", "127.0.0.1"


def options(version="5.0.11", kind="database", **given):
    """What a server works with, its own defaults included."""
    file = "\n".join(f"{name}: {value}" for name, value in {"IntIp": OWN, "ExtIp": OWN, **given}.items())
    made = effective(option_set(kind, version), file=f"{file}\n")
    return {name: setting.value for name, setting in made.items()}


PREFIXES = [
    ({}, ["http://10.9.0.5:2112/"], ["http://10.9.0.5:2113/"]),
    ({"IntIp": LOOPBACK}, ["http://127.0.0.1:2112/", "http://localhost:2112/"], ["http://10.9.0.5:2113/"]),
    ({"IntIp": ANY, "ExtIp": ANY}, ["http://*:2112/"], ["http://*:2113/"]),
    # only the side that is 0.0.0.0 gets one (KurrentDB#790)
    ({"ExtIp": ANY}, [], ["http://*:2113/"]),
    ({"IntIp": ANY}, ["http://*:2112/"], []),
    ({"IntHttpPrefixes": "http://a:1/"}, ["http://a:1/", "http://10.9.0.5:2112/"], ["http://10.9.0.5:2113/"]),
    (
        {"AddInterfacePrefixes": "false", "ExtHttpPrefixes": "http://a:1/,http://b:2/"},
        [],
        ["http://a:1/", "http://b:2/"],
    ),
]


@pytest.mark.parametrize("version", ["3.4.0", "4.0.3", "4.1.4", "5.0.11"])
@pytest.mark.parametrize(("given", "internal", "external"), PREFIXES)
def test_the_prefixes_that_a_server_registers(given, internal, external, version):
    made = options(version, **given)
    assert addresses.prefixes(made, "Int") == internal
    assert addresses.prefixes(made, "Ext") == external


def test_a_manager_has_its_addresses_alone():
    made = options(kind="manager", IntHttpPort=1, ExtHttpPort=2)
    assert addresses.prefixes(made, "Ext") == ["http://10.9.0.5:2/"]
    assert addresses.listeners(made) == [("IntHttpPort", OWN, 1), ("ExtHttpPort", OWN, 2)]
    assert addresses.known_as(made) == {Endpoint(OWN, 1), Endpoint(OWN, 2)}


def test_it_listens_at_its_own_address_and_at_those_of_its_prefixes():
    made = options(
        AddInterfacePrefixes="false",
        IntHttpPrefixes="http://*:2112/,http://es.example/",
        ExtHttpPrefixes="http://10.9.0.6:2113/",
        ExtSecureTcpPort=1115,
        IntIpAdvertiseAs="198.51.100.5",
    )
    assert addresses.listeners(made) == [
        ("IntTcpPort", OWN, 1112),
        ("IntHttpPort", OWN, 2112),
        ("IntHttpPort", OWN, 80),
        ("ExtTcpPort", OWN, 1113),
        ("ExtHttpPort", "10.9.0.6", 2113),
        ("ExtSecureTcpPort", OWN, 1115),
    ]


def test_what_others_are_told():
    made = options(IntIpAdvertiseAs="198.51.100.5", IntTcpPortAdvertiseAs=11112, ExtHttpPortAdvertiseAs=12113)
    assert addresses.advertised(made, "IntHttpPort") == Endpoint("198.51.100.5", 2112)
    assert addresses.advertised(made, "IntTcpPort") == Endpoint("198.51.100.5", 11112)
    assert addresses.advertised(made, "ExtHttpPort") == Endpoint(OWN, 12113)
    assert addresses.known_as(made) == {
        Endpoint(OWN, 2112),
        Endpoint("198.51.100.5", 2112),
        Endpoint(OWN, 2113),
        Endpoint(OWN, 12113),
    }


def test_the_wildcard_is_nobodys_name():
    assert addresses.known_as(options(IntIp=ANY, ExtIp=ANY, ExtIpAdvertiseAs="203.0.113.5")) == {
        Endpoint("203.0.113.5", 2113)
    }


ASKED = [
    ({}, Endpoint(OWN, 2113)),
    # its own prefix answers to its own address, whatever it tells the others
    ({"ExtIpAdvertiseAs": "203.0.113.5"}, Endpoint(OWN, 2113)),
    ({"ExtIp": ANY, "ExtIpAdvertiseAs": "203.0.113.5"}, Endpoint("203.0.113.5", 2113)),
    (
        {
            "ExtIpAdvertiseAs": "203.0.113.5",
            "AddInterfacePrefixes": "false",
            "ExtHttpPrefixes": "http://203.0.113.5:2113/",
        },
        Endpoint("203.0.113.5", 2113),
    ),
    ({"AddInterfacePrefixes": "false", "ExtHttpPrefixes": "http://*:8080/"}, Endpoint(OWN, 8080)),
    # the collection asks by IP, which the first of these does not answer
    ({"ExtHttpPrefixes": "http://es.example:8080/"}, Endpoint(OWN, 2113)),
    (
        {"AddInterfacePrefixes": "false", "ExtHttpPrefixes": "http://es.example:8080/,http://*:2113/"},
        Endpoint(OWN, 2113),
    ),
]


@pytest.mark.parametrize(("given", "expected"), ASKED)
def test_where_the_collection_asks(given, expected):
    assert addresses.asked(options(**given), "Ext") == expected
    if not addresses.is_any(given.get("ExtIp", OWN)) and "203.0.113.5:" not in str(given):
        assert addresses.http_listeners(options(**given), "Ext")[0] == expected  # a service is asked there, on its host


CLIENTS = [
    ({}, ""),
    ({"ExtIpAdvertiseAs": OWN}, ""),
    ({"ExtIpAdvertiseAs": "203.0.113.5"}, "advertised 203.0.113.5:2113 get 400 Invalid host"),
    ({"ExtIpAdvertiseAs": "203.0.113.5", "ExtHttpPrefixes": "http://203.0.113.5:2113/"}, ""),
    ({"ExtIpAdvertiseAs": "203.0.113.5", "AddInterfacePrefixes": "false", "ExtHttpPrefixes": "http://+:2113/"}, ""),
]


@pytest.mark.parametrize(("given", "told"), CLIENTS)
def test_what_clients_are_answered(given, told):
    doubt = addresses.client_doubt(options(**given))
    assert told in doubt if told else doubt == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://*:2113/", ""),
        ("HTTPS://es.example/", ""),
        ("http://[::1]:2113/", ""),
        ("http://+:2113/es/", ""),
        ("http://*:2113", "end in /"),
        ("http://*:2113/es", "end in /"),
        ("*:2113/", "must have the form"),
        ("http://:2113/", "must have the form"),
        ("http://a b:2113/", "must have the form"),
        ("", "must have the form"),
        ("http://*:0/", "1 to 65535"),
        ("http://*:65536/", "1 to 65535"),
        ("http://*:999999/", "must have the form"),
        ("http://*:२/", "must have the form"),
    ],
)
def test_what_http_listener_refuses(text, why):
    assert (why in addresses.prefix_problem(text)) if why else addresses.prefix_problem(text) == ""


def test_hosts_are_compared_as_names():
    made = options(AddInterfacePrefixes="false", ExtHttpPrefixes="http://ES.example:2113/")
    assert addresses.answers_to(made, "Ext", "es.EXAMPLE")
    assert not addresses.answers_to(made, "Ext", OWN)
