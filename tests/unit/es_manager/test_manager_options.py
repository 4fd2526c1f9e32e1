# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import es_manager
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from es_manager import options
from es_manager.__main__ import main

REPOSITORY = Path(__file__).resolve().parents[3]

TEST_REFUSED = [
    ({"IntIp": "0.0.0.0"}, "IntIp (0.0.0.0) is advertised"),
    ({"IntHttpPort": 0}, "IntHttpPort (0) is not a port"),
    ({"IntHttpPort": 30778}, "gives 127.0.31.9:30778, on which IntHttpPort listens"),
    ({"GossipIntervalMs": 0}, "GossipIntervalMs (0) is too short"),
    ({"GossipTimeoutMs": -5}, "GossipTimeoutMs (-5) is too short"),
    ({"DiscoverViaDns": True, "ClusterDns": " "}, "is empty while DiscoverViaDns"),
    ({"WatchdogConfig": ""}, "WatchdogConfig (empty) does not name a file"),
    ({"WatchdogConfig": "/nonexistent/w.esconfig"}, "/nonexistent/w.esconfig cannot be read: No such file"),
    ({"NodeExecutable": ""}, "NodeExecutable (empty) is not a program"),
    ({"NodeExecutable": "/etc/passwd"}, "NodeExecutable (/etc/passwd) is not a program"),
    ({"NodeExecutable": "true"}, "NodeExecutable (true) is not a program"),
    ({"IntHttpPort": 2113}, "clashes with the node of"),
    ({"GossipSeed": "node2:30777"}, "could not be converted to IPEndPoint[]"),
    ({"LeaseClients": ["node9"]}, "is not a list of addresses: 'node9' does not appear"),
    ({"EnableWatchdogg": True}, "Did you mean EnableWatchdog?"),
]


@pytest.fixture
def write(tmp_path):
    """Write the files of one machine; returns the command line of its manager."""

    def write(changes=None, *, watchdog=None, database="{ExtIp: 127.0.31.9, ExtHttpPort: 2113}"):
        (tmp_path / "database.yaml").write_text(database)
        (tmp_path / "w.esconfig").write_text(watchdog or f"# --config {tmp_path}/database.yaml\n")
        wanted = {
            "IntIp": "127.0.31.9",
            "ExtIp": "127.0.31.9",
            "DiscoverViaDns": False,
            "WatchdogConfig": f"{tmp_path}/w.esconfig",
            "NodeExecutable": "/bin/true",
            "Log": f"{tmp_path}/log",
            **(changes or {}),
        }
        (tmp_path / "manager.yaml").write_text(yaml.safe_dump(wanted))
        return ["--config", f"{tmp_path}/manager.yaml"]

    return write


def load(arguments, environment=None):
    return options.settings(options.load(arguments, environment or {}), environment or {})


@pytest.mark.parametrize(
    ("database", "asked"),
    [
        ("{ExtIp: 0.0.0.0, IntIp: 0.0.0.0}", Endpoint("127.0.0.1", 2113)),
        (
            "{ExtIp: 127.0.31.9, ExtHttpPrefixes: 'http://es.example:80/,http://*:8080/', AddInterfacePrefixes: false}",
            Endpoint("127.0.31.9", 8080),
        ),
    ],
)
def test_a_node_is_asked_where_its_prefixes_answer(write, database, asked):
    (node,) = load(write(database=database)).watchdog.nodes
    assert node.endpoint == asked


def test_what_the_options_come_to(write, tmp_path):
    settings = load(write({"WatchdogFailureCount": 3, "WatchdogFailureTimeWindow": 60}))
    assert settings.internal == Endpoint("127.0.31.9", 30777)
    assert settings.external == Endpoint("127.0.31.9", 30778)
    assert settings.dns is None
    assert settings.watchdog.state == tmp_path / "log" / "w.esconfig.state"
    assert (settings.watchdog.failure_count, settings.watchdog.time_window_s) == (3, 60)
    (node,) = settings.watchdog.nodes
    assert node.name == "database"
    assert node.command == ("/bin/true", "--config", f"{tmp_path}/database.yaml")
    assert node.output == tmp_path / "log" / "database.out"
    assert node.endpoint == Endpoint("127.0.31.9", 2113)
    assert settings.warnings == ()


def test_without_a_log_the_state_lies_beside_the_watchdog_file(write, tmp_path):
    settings = load(write({"Log": ""}))
    assert settings.watchdog.state == tmp_path / "w.esconfig.state"


def test_environment_and_command_line_are_stronger_than_the_file(write):
    arguments = write({"GossipIntervalMs": 1, "GossipTimeoutMs": 1})
    settings = load([*arguments, "--gossip-timeout-ms", "3000"], {"EVENTSTORE_GOSSIP_INTERVAL_MS": "2000"})
    assert (settings.gossip_interval_s, settings.gossip_timeout_s) == (2, 3)


def test_who_may_use_the_lease_is_listed_in_the_environment(write):
    settings = load(write(), {"EVENTSTORE_LEASE_CLIENTS": "198.51.100.9,203.0.113.0/24"})
    assert [str(each) for each in settings.lease_clients] == ["198.51.100.9/32", "203.0.113.0/24"]


def test_the_environment_counts_for_the_node_too(write):
    arguments = write()
    with pytest.raises(EventStoreError, match="clashes with the node"):
        load(arguments, {"EVENTSTORE_EXT_HTTP_PORT": "30779"})


def test_dns_hides_seeds(write):
    settings = load(write({"DiscoverViaDns": True, "ClusterDns": "c.test", "GossipSeed": ["127.0.31.8:30777"]}))
    assert settings.dns == ("c.test", 30777)
    assert settings.seeds == ()


def test_a_mere_relay_needs_no_node(write):
    assert load(write({"EnableWatchdog": False, "WatchdogConfig": "", "NodeExecutable": ""})).watchdog is None


def test_nodes_of_the_same_file_name_have_different_names(write, tmp_path):
    lines = ""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "database.yaml").write_text("ExtIp: 127.0.31.9")
        lines += f"# --config {tmp_path}/{name}/database.yaml\n"
    names = [node.name for node in load(write(watchdog=lines)).watchdog.nodes]
    assert names == ["database", "database-2"]


def test_a_node_that_the_server_would_refuse_is_started_with_a_warning(write):
    settings = load(write(database="ClusterSiez: 3"))
    assert settings.watchdog.nodes[0].endpoint is None
    assert "Did you mean ClusterSize?" in settings.warnings[0]


def test_an_empty_watchdog_file_is_a_warning(write):
    settings = load(write({"NodeExecutable": ""}, watchdog="\n"))
    assert settings.watchdog.nodes == ()
    assert "lists no node" in settings.warnings[0]


@pytest.mark.parametrize(("changes", "message"), TEST_REFUSED)
def test_what_cannot_work_is_refused(write, changes, message, tmp_path):
    with pytest.raises(EventStoreError) as error:
        load(write(changes))
    assert message in str(error.value)
    assert not (tmp_path / "log").exists()


def test_a_missing_node_configuration_is_refused(write, tmp_path):
    with pytest.raises(EventStoreError, match=r"w\.esconfig, line 1, --config: .*other\.yaml cannot be read"):
        load(write(watchdog=f"# --config {tmp_path}/other.yaml"))


def test_two_nodes_with_one_configuration_are_refused(write, tmp_path):
    with pytest.raises(EventStoreError, match="nodes 1 and 2 both have"):
        load(write(watchdog=f"# --config {tmp_path}/database.yaml\n" * 2))


def test_what_if_prints_and_touches_nothing(write, capsys, tmp_path):
    arguments = write({"NodeExecutable": "/nonexistent"})
    before = sorted(tmp_path.iterdir())
    assert main([*arguments, "-WhatIf", "--gossip-interval-ms", "700"]) == 0
    output = capsys.readouterr()
    assert "\tGOSSIP INTERVAL MS:       700 (Command Line)\n" in output.out
    assert "\tINT IP:                   127.0.31.9 (Config File)\n" in output.out
    assert "\tEXT HTTP PORT:            30778 (<DEFAULT>)\n" in output.out
    assert output.err == ""
    assert sorted(tmp_path.iterdir()) == before


def test_help_names_every_option(capsys):
    assert main(["--help"]) == 0
    assert "--watchdog-failure-time-window EVENTSTORE_WATCHDOG_FAILURE_TIME_WINDOW" in capsys.readouterr().out


def test_version_is_the_collections(capsys):
    assert main(["--version"]) == 0
    assert es_manager.VERSION in capsys.readouterr().out
    assert yaml.safe_load((REPOSITORY / "galaxy.yml").read_text())["version"] == es_manager.VERSION
