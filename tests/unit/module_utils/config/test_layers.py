# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables are what a real 3.4.0 was seen to do."""

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import (
    COMMAND_LINE,
    CONFIG_FILE,
    DEFAULT,
    ENVIRONMENT,
    effective,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DATABASE = option_set("database", "3.4.0")
MANAGER = option_set("manager", "3.4.0")

FILE = "NodePriority: 11\nStatsPeriodSec: 111\n"
VARIABLES = {"EVENTSTORE_NODE_PRIORITY": "22", "EVENTSTORE_STATS_PERIOD_SEC": "222"}


@pytest.mark.parametrize(
    ("file", "environment", "arguments", "priority", "period"),
    [
        (None, {}, [], (0, DEFAULT), (30, DEFAULT)),
        (FILE, {}, [], (11, CONFIG_FILE), (111, CONFIG_FILE)),
        (FILE, VARIABLES, [], (22, ENVIRONMENT), (222, ENVIRONMENT)),
        (FILE, VARIABLES, ["--node-priority", "33"], (33, COMMAND_LINE), (222, ENVIRONMENT)),
    ],
)
def test_precedence_is_per_option(file, environment, arguments, priority, period):
    found = effective(DATABASE, file=file, environment=environment, arguments=arguments)
    assert (found.value("NodePriority"), found["NodePriority"].source) == priority
    assert (found.value("StatsPeriodSec"), found["StatsPeriodSec"].source) == period


def test_a_winner_names_all_that_it_hides():
    found = effective(DATABASE, file=FILE, environment=VARIABLES, arguments=["--node-priority=33"])
    assert found["NodePriority"].hides == ((ENVIRONMENT, "22"), (CONFIG_FILE, "11"))
    assert found["StatsPeriodSec"].hides == ((CONFIG_FILE, "111"),)
    assert found["IntIp"].hides == ()


def test_a_bad_value_that_is_hidden_does_no_harm():
    assert effective(DATABASE, file="NodePriority: x\n", environment=VARIABLES).value("NodePriority") == 22


def test_every_option_has_a_setting():
    assert set(effective(DATABASE)) == {option.name for option in DATABASE}
    assert len(effective(MANAGER)) == len(list(MANAGER))


# -- spelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["IntIp", "intip", "INTIP", "int-ip", "--int-ip"])
def test_spellings_in_the_file(key):
    assert effective(DATABASE, file=f"{key}: 127.0.0.31\n").value("IntIp") == "127.0.0.31"


@pytest.mark.parametrize("key", ["int_ip", "Int Ip"])
def test_unknown_spellings_in_the_file(key):
    with pytest.raises(ConfigError) as error:
        effective(DATABASE, file=f"Db: /x\n{key}: 127.0.0.31\n", file_name="/etc/es/db.yaml")
    assert str(error.value) == (
        f"/etc/es/db.yaml, line 2, {key}: not an option of a database node 3.4.0. Did you mean IntIp?"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["-IntIp", "127.0.0.31"],
        ["--IntIp", "127.0.0.31"],
        ["--int-ip", "127.0.0.31"],
        ["-intip", "127.0.0.31"],
        ["--INT-IP", "127.0.0.31"],
        ["---int-ip", "127.0.0.31"],
        ["--IntIp=127.0.0.31"],
        ["--int-ip=127.0.0.31"],
    ],
)
def test_spellings_on_the_command_line(arguments):
    found = effective(DATABASE, arguments=arguments)
    assert (found.value("IntIp"), found["IntIp"].source, found.ignored) == ("127.0.0.31", COMMAND_LINE, ())


@pytest.mark.parametrize(
    "arguments",
    [
        ["-IntIp=127.0.0.31"],
        ["-NodePriority:5"],
        ["--int_ip", "127.0.0.31"],
        ["-i", "127.0.0.31"],
        ["-h"],
        ["-?"],
        ["-v"],
        ["--=x"],
    ],
)
def test_unknown_spellings_on_the_command_line(arguments):
    with pytest.raises(ConfigError, match=r"command line, --.*not an option of a database node"):
        effective(DATABASE, arguments=arguments)


def test_one_dash_and_equals_says_what_to_write_and_shows_no_value():
    with pytest.raises(ConfigError) as error:
        effective(DATABASE, arguments=["-CertificatePassword=hunter2"])
    assert "Write --CertificatePassword VALUE; the server does not accept = after one dash" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["/IntIp", "127.0.0.31"], "'/IntIp' '127.0.0.31'"), (["stray"], "'stray'"), (["--mem-db", "no"], "'no'")],
)
def test_stray_words_are_ignored_in_silence_and_named_here(arguments, word):
    found = effective(DATABASE, arguments=arguments)
    assert found.value("IntIp") == "127.0.0.1"
    assert len(found.ignored) == 1
    assert word in found.ignored[0]


def test_a_stray_word_after_a_secret_is_not_shown():
    found = effective(DATABASE, arguments=["--certificate-password", "correct", "horse"])
    assert found.value("CertificatePassword") == "correct"
    assert "--certificate-password" in found.ignored[0]
    assert "horse" not in found.ignored[0]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--int-ip"], "IntIp"),
        (["--cluster-size"], "ClusterSize"),
        (["--int-ip="], "IntIp"),
        (["--db="], "Db"),
        (["--db", "-"], "Db"),
        (["--config"], "Config"),
    ],
)
def test_a_missing_value_is_refused(arguments, name):
    with pytest.raises(ConfigError, match=f"{name} has no value; the server reads (True|False)"):
        effective(DATABASE, arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--gossip-on-ext"], True),
        (["--gossip-on-ext+"], True),
        (["--gossip-on-ext-"], False),
        (["--gossip-on-ext=false"], False),
        (["--gossip-on-ext=FALSE"], False),
        (["--gossip-on-ext=0"], False),
        (["--gossip-on-ext=no"], True),
        (["--gossip-on-ext", "false"], False),
        (["--gossip-on-ext", "0"], False),
        (["--gossip-on-ext", "1"], True),
        (["--gossip-on-ext", "no"], True),
        (["--gossip-on-ext", "--mem-db"], True),
        (["-GossipOnExt", "False"], False),
        (["--gossip-on-ext", "-"], True),
    ],
)
def test_switches(arguments, value):
    if arguments[-1] == "-":  # the next word of a switch is not its value, and a lone dash crashes the server
        with pytest.raises(ConfigError, match="'-' is not an option"):
            effective(DATABASE, arguments=arguments)
        return
    assert effective(DATABASE, arguments=arguments).value("GossipOnExt") is value


def test_an_option_eats_the_next_word_even_with_a_dash():
    found = effective(DATABASE, arguments=["--cluster-dns", "--mem-db"])
    assert (found.value("ClusterDns"), found.value("MemDb")) == ("--mem-db", False)


def test_equals_with_a_value_that_ends_in_a_dash_is_taken_for_a_switch():
    with pytest.raises(ConfigError, match=r"--log: not an option.*or if the value ends in"):
        effective(DATABASE, arguments=["--log=/var/log/es-"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cluster-size", "3", "--cluster-size", "3"],
        ["--ClusterSize=3", "--clustersize=5"],
        ["-ClusterSize", "3", "--ClusterSize", "3"],
    ],
)
def test_an_option_twice_crashes_the_server(arguments):
    with pytest.raises(ConfigError, match="is set twice, so the server crashes"):
        effective(DATABASE, arguments=arguments)


def test_two_spellings_on_the_command_line_first_wins():
    found = effective(DATABASE, arguments=["--cluster-size", "3", "--ClusterSize", "5"])
    assert found.value("ClusterSize") == 3
    assert found["ClusterSize"].hides == ((COMMAND_LINE, "5"),)
    assert found.ignored == (
        "command line, --ClusterSize: ignored, command line, --cluster-size gives ClusterSize first",
    )


@pytest.mark.parametrize("word", ["-", "--", "--+"])
def test_bare_dashes_crash_the_server(word):
    with pytest.raises(ConfigError, match="is not an option, so the server crashes"):
        effective(DATABASE, arguments=[word])


# -- environment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("EVENTSTORE_CLUSTERSIZE", "EVENTSTORE_CLUSTER_SIZE"),
        ("eventstore_cluster_size", "EVENTSTORE_CLUSTER_SIZE"),
        ("EVENTSTORE_DISABLE_HTTPCACHING", "EVENTSTORE_DISABLE_HTTP_CACHING"),
        ("EVENTSTORE_CLUSTER_SZIE", "EVENTSTORE_CLUSTER_SIZE"),
    ],
)
def test_misspelt_variables_are_ignored_in_silence_and_named_here(variable, meant):
    found = effective(DATABASE, environment={variable: "7", "PATH": "/bin"})
    assert {setting.source for setting in found.values()} == {DEFAULT}
    assert found.ignored == (f"environment variable {variable}: not known to the server; did you mean {meant}?",)


def test_a_foreign_variable_with_the_prefix():
    assert effective(DATABASE, environment={"EVENTSTORE_FOO": "7"}).ignored == (
        "environment variable EVENTSTORE_FOO: not known to the server",
    )


def test_the_right_variable():
    found = effective(DATABASE, environment={"EVENTSTORE_DISABLE_HTTP_CACHING": "true"})
    assert found.value("DisableHTTPCaching") is True
    assert found.ignored == ()


def test_an_empty_variable_counts_as_not_set():
    found = effective(DATABASE, file="ClusterSize: 3\n", environment={"EVENTSTORE_CLUSTER_SIZE": ""})
    assert (found.value("ClusterSize"), found["ClusterSize"].source) == (3, CONFIG_FILE)
    assert found.ignored == ("environment variable EVENTSTORE_CLUSTER_SIZE: empty, so the server treats it as not set",)


def test_eventstore_config_is_shown_and_chooses_no_file():
    found = effective(DATABASE, file=FILE, file_name="/default", environment={"EVENTSTORE_CONFIG": "/other"})
    assert (found.value("Config"), found["Config"].source) == ("/other", ENVIRONMENT)
    assert "the server does not read this file" in found.ignored[0]


@pytest.mark.parametrize(("version", "value"), [("4.1.4", "${env:NAME}"), ("5.0.11", "es.example")])
def test_references_between_variables_since_5_0(version, value):
    variables = {"EVENTSTORE_CLUSTER_DNS": "${env:NAME}", "NAME": "es.example"}
    assert effective(option_set("database", version), environment=variables).value("ClusterDns") == value


def test_a_reference_to_nothing_is_refused():
    with pytest.raises(ConfigError, match="EVENTSTORE_CLUSTER_DNS: NAME is not set"):
        effective(option_set("database", "5.0.11"), environment={"EVENTSTORE_CLUSTER_DNS": "${env:NAME}"})


# -- the file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ([], None),
        (["--config", "/a.yaml"], "/a.yaml"),
        (["--config=/a.yaml"], "/a.yaml"),
        (["-Config", "/a.yaml"], "/a.yaml"),
        (["--mem-db", "--CONFIG", "/a.yaml"], "/a.yaml"),
        (["--con-fig", "/a.yaml"], None),
        (["--config"], None),
        (["--log", "--config", "/a.yaml"], None),
    ],
)
def test_only_config_on_the_command_line_chooses_the_file(arguments, file):
    assert layers.config_file(DATABASE, arguments) == file


def test_the_default_file_is_shown_as_a_setting_of_the_file():
    found = effective(DATABASE, file=FILE, file_name="/etc/eventstore/eventstore.conf")
    assert (found.value("Config"), found["Config"].source) == ("/etc/eventstore/eventstore.conf", CONFIG_FILE)


def test_a_file_on_the_command_line_is_shown_as_that():
    found = effective(DATABASE, file=FILE, file_name="/a.yaml", arguments=["--config", "/a.yaml"])
    assert (found.value("Config"), found["Config"].source, found["Config"].hides) == ("/a.yaml", COMMAND_LINE, ())


def test_config_in_the_file_is_not_followed():
    found = effective(DATABASE, file="Config: /other.yaml\n", file_name="/a.yaml")
    assert found.value("Config") == "/a.yaml"
    assert found.ignored == ("/a.yaml, line 1, Config: ignored; only --config on the command line sets a file",)


def test_two_spellings_in_the_file_first_wins():
    found = effective(DATABASE, file="ClusterSize: 3\nclustersize: 5\ncluster-size: 7\n", file_name="/a.yaml")
    assert found.value("ClusterSize") == 3
    assert found.ignored == (
        "/a.yaml, line 2, clustersize: ignored, /a.yaml, line 1, ClusterSize gives ClusterSize first",
        "/a.yaml, line 3, cluster-size: ignored, /a.yaml, line 1, ClusterSize gives ClusterSize first",
    )


def test_nested_settings_are_ignored_with_unknown_keys_too():
    found = effective(DATABASE, file="ClusterSize: 3\nInterface: {IntIp: 1, Nonsense: 2}\n", file_name="/a.yaml")
    assert found.value("IntIp") == "127.0.0.1"
    assert found.ignored == ("/a.yaml, line 2: Interface has nested settings, which the server skips",)


def test_a_second_document_is_ignored():
    found = effective(DATABASE, file="ClusterSize: 3\n---\nClusterSize: 5\nNonsense: 1\n", file_name="/a.yaml")
    assert found.value("ClusterSize") == 3
    assert found.ignored == ("/a.yaml, line 3: a second document begins, and the server reads only the first",)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("database", "ClusterSiez: 3\n", "line 1, ClusterSiez: not an option of a database node 3.4.0. Did you mean"),
        ("database", "X-Custom: 3\n", "line 1, X-Custom: not an option of a database node 3.4.0. Remove it"),
        ("database", "EnableWatchdog: true\n", "line 1, EnableWatchdog: not an option of a database node"),
        ("database", "Db: /x\nWatchdogConfig: /y\n", "line 2, WatchdogConfig: not an option of a database node"),
        ("manager", "ClusterSize: 3\n", "line 1, ClusterSize: not an option of a manager node"),
    ],
)
def test_unknown_options_in_the_file(kind, text, message):
    with pytest.raises(ConfigError) as error:
        effective(option_set(kind, "3.4.0"), file=text, file_name="/a.yaml")
    assert message in str(error.value)


# -- values --------------------------------------------------------------------------------------------------------

SEEDS = (Endpoint("127.0.0.12", 2112), Endpoint("127.0.0.13", 2112))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("0", False),
        ("true", True),
        ("1", True),
        ("no", True),
        ("off", True),
        ("n", True),
        ("maybe", True),
        ("''", True),
        ("", True),
    ],
)
def test_only_false_and_0_are_false(text, value):
    assert effective(DATABASE, file=f"DisableHTTPCaching: {text}\n").value("DisableHTTPCaching") is value
    plain = text.strip("'")
    if plain:
        variables = {"EVENTSTORE_DISABLE_HTTP_CACHING": plain}
        assert effective(DATABASE, environment=variables).value("DisableHTTPCaching") is value
        arguments = [f"--disable-http-caching={plain}"]
        assert effective(DATABASE, arguments=arguments).value("DisableHTTPCaching") is value


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("GossipSeed:\n- 127.0.0.12:2112\n- 127.0.0.13:2112", "GossipSeed", SEEDS),
        ("GossipSeed: ['127.0.0.12:2112', '127.0.0.13:2112']", "GossipSeed", SEEDS),
        ('GossipSeed: ["127.0.0.12:2112", "127.0.0.13:2112"]', "GossipSeed", SEEDS),
        ("GossipSeed: 127.0.0.12:2112,127.0.0.13:2112", "GossipSeed", SEEDS),
        ("GossipSeed: []", "GossipSeed", ()),
        ("GossipSeed:", "GossipSeed", ()),
        ("IntIp: 127.1", "IntIp", "127.0.0.1"),
        ("IntIp: '::1'", "IntIp", "::1"),
        ('ClusterSize: "7"', "ClusterSize", 7),
        ('IntTcpPort: " 1112 "', "IntTcpPort", 1112),
        ("ClusterSize: 0", "ClusterSize", 0),
        ("ClusterSize: 4", "ClusterSize", 4),
        ("RunProjections: system", "RunProjections", "System"),
        ("RunProjections: ALL", "RunProjections", "All"),
        (r"Db: d:\es-data", "Db", r"d:\es-data"),
        (r"Db: 'd:\es-data'", "Db", r"d:\es-data"),
        (r'Db: "d:\es-data"', "Db", "d:\x1bs-data"),
        (r'Db: "d:\new\table"', "Db", "d:\new\table"),
        ("Index:", "Index", ""),
        ("Index: null", "Index", "null"),
        ("Index: ~", "Index", "~"),
        ("ChunksCacheSize: 9000000000", "ChunksCacheSize", 9000000000),
        ("MinFlushDelayMs: 2.5", "MinFlushDelayMs", 2.5),
        ("IntHttpPrefixes: ['http://a:1/', 'http://b:2/']", "IntHttpPrefixes", ("http://a:1/", "http://b:2/")),
        ("\ufeffClusterSize: 3", "ClusterSize", 3),
        ("Db: /x\r\nClusterSize: 3\r", "ClusterSize", 3),
        ("ClusterSize:\t3", "ClusterSize", 3),
        ("ClusterSize: 3\t", "ClusterSize", 3),
    ],
)
def test_values_that_the_server_reads(line, name, value):
    assert effective(DATABASE, file=f"{line}\n").value(name) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GossipSeed: '127.0.0.12:2112, 127.0.0.13:2112'", "could not be converted to IPEndPoint[]"),
        ("GossipSeed: ['node1:2112']", "could not be converted to IPEndPoint[]"),
        ("GossipSeed: ['127.0.0.12']", "could not be converted to IPEndPoint[]"),
        ("GossipSeed: ['127.0.0.12:99999']", "could not be converted to IPEndPoint[]"),
        ("GossipSeed: ['[::1]:2112']", "could not be converted to IPEndPoint[]"),
        ("GossipSeed: ['127.0.0.12:2112', '']", "could not be converted to IPEndPoint[]"),
        ("IntIp: localhost", "the value 'localhost' could not be converted to IPAddress"),
        ("IntIp: 300.1.1.1", "the value '300.1.1.1' could not be converted to IPAddress"),
        ("IntIp: 127.0.0.1 x", "could not be converted to IPAddress"),
        ("IntIp:", "the value '' could not be converted to IPAddress"),
        ("ClusterSize: abc", "the value 'abc' could not be converted to Int32"),
        ("ClusterSize: 0x3", "could not be converted to Int32"),
        ("ClusterSize: 1e3", "could not be converted to Int32"),
        ("ClusterSize: 99999999999", "could not be converted to Int32"),
        ("ClusterSize: ٣", "could not be converted to Int32"),
        ("ClusterSize: 1_000", "could not be converted to Int32"),
        ("ClusterSize:", "the value '' could not be converted to Int32"),
        ("ClusterSize: [1, 3]", "the value '1,3' could not be converted to Int32"),
        ("MinFlushDelayMs: 1_0", "could not be converted to Double"),
        ("IntHttpPort: 99999", "99999 is not a port, so the server crashes"),
        ("IntHttpPort: -1", "-1 is not a port, so the server crashes"),
        ("RunProjections: Foo", "the value 'Foo' could not be converted to ProjectionType"),
    ],
)
def test_values_that_the_server_refuses(line, message):
    with pytest.raises(ConfigError) as error:
        effective(DATABASE, file=f"Log: /l\n{line}\n", file_name="/a.yaml")
    assert str(error.value).startswith(f"/a.yaml, line 2, {line.partition(':')[0]}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("version", "text", "message"),
    [
        ("3.4.0", "Db: ~/x", "Db (Config File): begins with ~"),
        ("3.4.0", "Log: ~/x", "Log (Config File): begins with ~"),
        ("3.4.0", "Db:", "Db (Config File): is empty, so the server crashes"),
        (
            "3.4.0",
            "IntHttpPrefixes: http://*:2112",
            "IntHttpPrefixes (Config File): has a prefix with which the server crashes",
        ),
        ("3.4.0", "ClusterDns: ''", "ClusterDns (Config File): is empty while DiscoverViaDns is true"),
        ("4.0.3", "ClusterSize: 3\nDiscoverViaDns: false", "GossipSeed (<DEFAULT>): is empty"),
        ("3.4.0", "UseInternalSsl: true", "UseInternalSsl (Config File): is true without SslTargetHost"),
        ("3.4.0", "UseInternalSsl: true\nSslTargetHost: es", "UseInternalSsl (Config File)"),
        ("4.0.3", "DisableInsecureTCP: true", "DisableInsecureTCP (Config File)"),
        (
            "4.0.3",
            "DisableInsecureTCP: true\nUseInternalSsl: true\nSslTargetHost: es\nIntSecureTcpPort: 1114",
            "DisableInsecureTCP (Config File)",
        ),
    ],
)
def test_what_the_server_reads_and_then_does_not_start_with(version, text, message):
    with pytest.raises(ConfigError) as error:
        effective(option_set("database", version), file=text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("3.4.0", "Db: ~/x\nForce: true"),
        ("3.4.0", "ClusterSize: 3\nDiscoverViaDns: false"),
        ("4.0.3", "ClusterSize: 3\nDiscoverViaDns: false\nGossipSeed: 127.0.0.1:30777"),
        ("3.4.0", "UseInternalSsl: true\nSslTargetHost: es\nIntSecureTcpPort: 1114"),
        (
            "4.0.3",
            "DisableInsecureTCP: true\nUseInternalSsl: true\nSslTargetHost: es\n"
            "IntSecureTcpPort: 1114\nExtSecureTcpPort: 1115",
        ),
    ],
)
def test_what_the_server_starts_with(version, text):
    effective(option_set("database", version), file=text)


def test_the_raw_text_is_what_the_dump_shows():
    found = effective(DATABASE, file="DisableHTTPCaching: no\nGossipSeed: ['127.0.0.12:2112', '127.0.0.13:2112']\n")
    assert (found["DisableHTTPCaching"].raw, found.value("DisableHTTPCaching")) == ("no", True)
    assert found["GossipSeed"].raw == "[ 127.0.0.12:2112, 127.0.0.13:2112 ]"
    listed = effective(DATABASE, file="GossipSeed: 127.0.0.12:2112,127.0.0.13:2112\n")
    assert listed["GossipSeed"].raw == "127.0.0.12:2112,127.0.0.13:2112"
    assert effective(DATABASE, file="GossipSeed: []\n")["GossipSeed"].raw == ""


def test_the_order_is_that_of_the_dump():
    found = effective(DATABASE, file="ClusterSize: 3\nDb: /x\n", environment=VARIABLES, arguments=["--mem-db"])
    assert list(found)[:5] == ["MemDb", "NodePriority", "StatsPeriodSec", "ClusterSize", "Db"]
    assert list(found)[5:7] == ["Help", "Version"]


def test_managers_have_the_same_layers():
    found = effective(
        MANAGER,
        file="---\nIntIp: 127.0.0.11\nEnableWatchdog: true\n",
        environment={"EVENTSTORE_NAMESERVERS": "127.0.0.1:5353,127.0.0.2:53"},
        arguments=["-WhatIf", "--node-executable", "/opt/es/eventstored"],
    )
    assert found.value("Nameservers") == ("127.0.0.1:5353", "127.0.0.2:53")
    assert (found.value("WhatIf"), found.value("NodeExecutable")) == (True, "/opt/es/eventstored")
