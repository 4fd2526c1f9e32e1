# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import whatif
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DUMPS = Path(__file__).parent / "whatif"

SPELLINGS = [
    ("IntIp", "EVENTSTORE_INT_IP", "INT IP", "--int-ip"),
    ("DisableHTTPCaching", "EVENTSTORE_DISABLE_HTTP_CACHING", "DISABLE HTTP CACHING", "--disable-http-caching"),
    ("DisableInsecureTCP", "EVENTSTORE_DISABLE_INSECURE_TCP", "DISABLE INSECURE TCP", "--disable-insecure-tcp"),
    ("StatsPeriodSec", "EVENTSTORE_STATS_PERIOD_SEC", "STATS PERIOD SEC", "--stats-period-sec"),
    ("Db", "EVENTSTORE_DB", "DB", "--db"),
]


@pytest.mark.parametrize(("name", "environment", "title", "flag"), SPELLINGS)
def test_spellings(name, environment, title, flag):
    option = option_set("database", "5.0.11").find(name)
    assert (option.environment_name, option.title, option.flag) == (environment, title, flag)


@pytest.mark.parametrize("version", ["3.4.0", "4.1.4", "5.0.11"])
def test_names_and_defaults_are_those_of_the_servers_own_dump(version):
    dumped = whatif.parse((DUMPS / f"whatif-{version}.txt").read_text())
    options = {option.title: option for option in option_set("database", version)}
    assert set(dumped) == set(options)
    for title, (raw, source) in dumped.items():
        if source == "<DEFAULT>":
            default = options[title].default
            assert raw == ("" if default in (None, ()) else str(default)), title


@pytest.mark.parametrize(("version", "count"), list(zip(VERSIONS, (77, 90, 94, 104))))
def test_number_of_options(version, count):
    assert len(list(option_set("database", version))) == count


@pytest.mark.parametrize(
    ("version", "as_version"),
    [
        ("3.0.1", "3.4.0"),
        ("3.4.0", "3.4.0"),
        ("3.3.0", "3.4.0"),
        ("4.0.0", "4.0.3"),
        ("4.0", "4.0.3"),
        ("4.1.0", "4.1.4"),
        ("5.0.10", "5.0.11"),
        ("5.0.11-rc1", "5.0.11"),
    ],
)
def test_versions_between_two_tables_get_all_that_they_may_have(version, as_version):
    assert [option.name for option in option_set("database", version)] == [
        option.name for option in option_set("database", as_version)
    ]


@pytest.mark.parametrize(
    ("version", "names"),
    [
        # Exact: 5.0.10 brought the one, 5.0.0 the other.
        ("5.0.9", {"StreamInfoCacheCapacity": "absent", "StructuredLog": "there", "WriteStatsToDb": "doubtful"}),
        ("5.0.10", {"StreamInfoCacheCapacity": "there", "WriteStatsToDb": "doubtful"}),
        ("5.0.11", {"WriteStatsToDb": "there", "InitializationThreads": "there"}),
        ("4.1.4", {"WriteStatsToDb": "absent", "StructuredLog": "absent", "SkipIndexVerify": "there"}),
        ("3.5.0", {"LogHttpRequests": "there", "BetterOrdering": "doubtful"}),
        ("3.4.0", {"LogHttpRequests": "absent", "BetterOrdering": "absent"}),
    ],
)
def test_an_option_is_there_from_its_patch_release_on(version, names):
    options = option_set("database", version)
    for name, expected in names.items():
        option = options.find(name)
        found = "absent" if option is None else "doubtful" if options.doubt(option) else "there"
        assert (name, found) == (name, expected)


def test_a_doubt_names_both_versions():
    options = option_set("database", "5.0.3")
    assert options.doubt(options.find("WriteStatsToDb")) == (
        "WriteStatsToDb may be unknown to the server, which then does not start: "
        "4.1.4 has it not, 5.0.11 has it, of 5.0.3 it is not known"
    )


@pytest.mark.parametrize("version", ["2.0.1", "6.0.0", "26.2.0", "", "latest", "3", "3.4.0\n", "v3.4.0"])
def test_other_eras_are_refused(version):
    with pytest.raises(ConfigError, match=r"is not supported.*3\.x to 5\.x"):
        option_set("database", version)


def test_another_kind_is_refused():
    with pytest.raises(ConfigError, match="database or manager"):
        option_set("witness", "3.4.0")


@pytest.mark.parametrize("name", ["IntIp", "intip", "INTIP", "int-ip", "--int-ip", "I-n-t-Ip"])
def test_found_without_case_and_dashes(name):
    assert option_set("database", "3.4.0").find(name).name == "IntIp"


@pytest.mark.parametrize("name", ["int_ip", "Int Ip", "IntIpp", ""])
def test_not_found(name):
    assert option_set("database", "3.4.0").find(name) is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ClusterSiez", "ClusterSize"),
        ("int_ip", "IntIp"),
        ("CLUSTER_SZIE", "ClusterSize"),
        ("Gossip-Seeds", "GossipSeed"),
        ("X-Custom", None),
        ("zzz", None),
    ],
)
def test_nearest(name, nearest):
    assert option_set("database", "3.4.0").nearest(name) == nearest


def test_manager_defaults():
    defaults = {option.name: option.default for option in option_set("manager", "3.4.0")}
    assert (defaults["IntHttpPort"], defaults["ExtHttpPort"], defaults["ClusterGossipPort"]) == (30777, 30778, 30777)
    assert (defaults["EnableWatchdog"], defaults["WatchdogConfig"]) == (True, "")
    assert (defaults["GossipIntervalMs"], defaults["GossipTimeoutMs"]) == (1000, 500)
    assert {option.name for option in option_set("manager", "3.4.0") if option.builtin} == {
        "LeaseClients",
        "NodeExecutable",
        "Nameservers",
    }


def test_one_secret():
    assert [option.name for option in option_set("database", "5.0.11") if option.secret] == ["CertificatePassword"]
