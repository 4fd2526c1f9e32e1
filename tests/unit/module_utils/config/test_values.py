# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DATABASE = option_set("database", "3.4.0")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("MemDb", True, True),
        ("MemDb", "true", True),
        ("MemDb", "FALSE", False),
        ("ClusterSize", 3, 3),
        ("ClusterSize", "5", 5),
        ("NodePriority", -1, -1),
        ("NodePriority", 2**31 - 1, 2**31 - 1),
        ("ChunksCacheSize", 2**63 - 1, 2**63 - 1),
        ("IntSecureTcpPort", 0, 0),
        ("ExtHttpPortAdvertiseAs", 0, 0),
        ("ExtHttpPort", 65535, 65535),
        ("MinFlushDelayMs", "2.5", 2.5),
        ("IntIp", "192.168.1.11", "192.168.1.11"),
        ("IntIp", "0.0.0.0", "0.0.0.0"),
        ("GossipSeed", "127.0.0.1:1,127.0.0.2:2", (Endpoint("127.0.0.1", 1), Endpoint("127.0.0.2", 2))),
        ("GossipSeed", ["127.0.0.1:1"], (Endpoint("127.0.0.1", 1),)),
        ("GossipSeed", "", ()),
        ("IntHttpPrefixes", ("http://*:2112/",), ("http://*:2112/",)),
        ("RunProjections", "system", "System"),
        ("Db", "/srv/es", "/srv/es"),
        ("Db", r"d:\es-data", r"d:\es-data"),
        ("Db", "d:/es-data", "d:/es-data"),
        ("Db", r"\\server\share\es", r"\\server\share\es"),
        ("Index", "", ""),
        ("CertificatePassword", "0123", "0123"),
    ],
)
def test_accepted(name, given, value):
    found = values.check(DATABASE, {name: given})
    assert found.values == {name: value}
    assert type(found.values[name]) is type(value)
    assert not found.unknown


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("DiscoverViaDns", "no", "'no' is not true or false; the server would read true"),
        ("DiscoverViaDns", "off", "'off' is not true or false; the server would read true"),
        ("DiscoverViaDns", "yes", "'yes' is not true or false; the server would read true"),
        ("DiscoverViaDns", "on", "the server would read true"),
        ("DiscoverViaDns", "", "the server would read true"),
        ("DiscoverViaDns", 0, "0 is not true or false; the server would read false"),
        ("DiscoverViaDns", 1, "1 is not true or false; the server would read true"),
        ("ClusterSize", "three", "'three' is not a whole number"),
        ("ClusterSize", " 3", "' 3' is not a whole number"),
        ("ClusterSize", "٣", "is not a whole number"),
        ("ClusterSize", True, "True is not a whole number"),
        ("ClusterSize", 3.0, "3.0 is not a whole number"),
        ("ClusterSize", [3], "[3] is not a whole number"),
        ("ClusterSize", 0, "0 is not a size for a cluster; use 1, 3, 5"),
        ("ClusterSize", -3, "-3 is not a size"),
        ("ClusterSize", 4, "the majority of an even number of nodes bears no more losses"),
        ("NodePriority", 2**31, "2147483648 is too large"),
        ("IntHttpPort", 0, "0 is not a port; expected 1 to 65535"),
        ("IntHttpPort", 65536, "65536 is not a port"),
        ("IntSecureTcpPort", -1, "-1 is not a port; expected 0 to 65535"),
        ("ClusterGossipPort", 99999, "99999 is not a port"),
        ("MinFlushDelayMs", "fast", "'fast' is not a number"),
        ("MinFlushDelayMs", float("nan"), "nan is not a number"),
        ("MinFlushDelayMs", True, "True is not a number"),
        ("IntIp", "node1", "'node1' is not an IPv4 address; write a number such as 192.168.1.11"),
        ("IntIp", "300.1.1.1", "is not an IPv4 address"),
        ("IntIp", "127.1", "is not an IPv4 address"),
        ("IntIp", "::1", "3.x to 5.x have no seeds in IPv6"),
        ("IntIp", 127, "127 is not a string"),
        ("GossipSeed", ["node1:2112"], "names are not accepted here; an entry looks like 192.168.1.11:30777"),
        ("GossipSeed", ["127.0.0.1"], "has no port"),
        ("GossipSeed", ["127.0.0.1:0"], "does not end in a port"),
        ("GossipSeed", ["127.0.0.1:99999"], "does not end in a port"),
        ("GossipSeed", ["[::1]:2112"], "is IPv6, which 3.x to 5.x do not read in GossipSeed"),
        ("GossipSeed", "127.0.0.1:1, 127.0.0.2:2", "the entry ' 127.0.0.2:2' is empty or has a blank at its edge"),
        ("GossipSeed", ["127.0.0.1:1 "], "has a blank at its edge"),
        ("GossipSeed", [""], "the entry '' is empty"),
        ("GossipSeed", {"a": 1}, "is not a list"),
        ("GossipSeed", False, "False is not a list"),
        ("GossipSeed", [{"ip": "127.0.0.1"}], "is not a string"),
        ("IntHttpPrefixes", ["http://a/,http://b/"], "has a comma, at which the server would split it"),
        ("RunProjections", "Foo", "'Foo' is not one of None, System, All"),
        ("RunProjections", True, "True is not one of None, System, All"),
        ("Db", "", "'' is not an absolute path"),
        ("Db", "es-data", "'es-data' is not an absolute path"),
        ("Db", "./es-data", "is not an absolute path"),
        ("Db", "d:es-data", "is not an absolute path"),
        ("Db", r"\es-data", "is not an absolute path"),
        ("Log", "~/log", "begins with ~, which the server does not expand"),
        ("Db", r'"d:\es-data"', "has quotes within the text; leave them out"),
        ("Db", "d:\x1bs-data", "a path of Windows in double quotes becomes that"),
        ("Db", "d:\new\table", "has a control character or a line break"),
        ("Db", 5, "5 is not a string"),
        ("ClusterDns", None, "has no value; leave the option out, or give '' for an empty text"),
        ("ClusterDns", {"a": 1}, "is not a string"),
    ],
)
def test_refused(name, given, message):
    with pytest.raises(ConfigError) as error:
        values.check(DATABASE, {name: given})
    assert str(error.value).startswith(f"options: {name}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("given", [1234, "a\nb", None, ["x1234"]])
def test_a_secret_is_not_in_the_error(given):
    with pytest.raises(ConfigError) as error:
        values.check(DATABASE, {"CertificatePassword": given})
    assert "1234" not in str(error.value)
    assert "a\\nb" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "version", "name", "why"),
    [
        ("database", "3.4.0", "ClusterSiez", "ClusterSiez is not an option of a database node 3.4.0; did you mean Clu"),
        ("database", "3.4.0", "int_ip", "did you mean IntIp?"),
        ("database", "3.4.0", "Nonsense123", "Nonsense123 is not an option of a database node 3.4.0"),
        ("database", "3.4.0", "StructuredLog", "StructuredLog came with 5.0.0"),
        ("database", "4.1.4", "WriteStatsToDb", "WriteStatsToDb came after 4.1.4; it is in 5.0.11"),
        ("database", "3.4.0", "skip-index-verify", "came with 4.1.0"),
        ("database", "3.4.0", "WatchdogConfig", "is an option of a manager node, this is the file of a database node"),
        ("manager", "3.4.0", "ClusterSize", "is an option of a database node, this is the file of a manager node"),
        ("manager", "3.4.0", "NodeExecutable", "is an option of the built-in manager, the vendor's does not know it"),
    ],
)
def test_unknown(kind, version, name, why):
    options = option_set(kind, version)
    with pytest.raises(ConfigError) as error:
        values.check(options, {name: "x"})
    assert why in str(error.value)
    found = values.check(options, {name: "/x"}, refuse_unknown=False)
    assert why in found.unknown[name]
    assert list(found.values.values()) == ["/x"]


@pytest.mark.parametrize("given", [True, 3, 2.5, "text", ["a", "b"]])
def test_an_unknown_option_takes_scalars_and_lists(given):
    found = values.check(DATABASE, {"New": given}, refuse_unknown=False).values["New"]
    assert found == (tuple(given) if isinstance(given, list) else given)


@pytest.mark.parametrize("given", [None, {"a": 1}, ["a,b"], [1], "a\nb"])
def test_but_nothing_else(given):
    with pytest.raises(ConfigError, match="New: "):
        values.check(DATABASE, {"New": given}, refuse_unknown=False)


def test_all_problems_come_at_once():
    with pytest.raises(ConfigError) as error:
        values.check(
            DATABASE,
            {"ClusterSiez": 3, "MemDb": "no", "IntIp": "node1", "int-ip": "127.0.0.1", "Db": "/fine"},
            where="node1",
        )
    text = str(error.value)
    assert text.startswith("node1: 1) ClusterSiez is not an option")
    assert " 2) MemDb: 'no' is not true or false" in text
    assert " 3) IntIp: 'node1' is not an IPv4 address" in text
    assert " 4) IntIp is given twice, the second time as int-ip; keep one" in text
    assert "5)" not in text
    assert "/fine" not in text


def test_plain_values_fit_into_json():
    checked = values.check(DATABASE, {"GossipSeed": ["127.0.0.1:1"], "IntHttpPrefixes": ["a"], "MemDb": True})
    assert json.loads(json.dumps({name: values.plain(value) for name, value in checked.values.items()})) == {
        "GossipSeed": ["127.0.0.1:1"],
        "IntHttpPrefixes": ["a"],
        "MemDb": True,
    }
