# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options from 20.6 on: it is what its data say, and what the servers' own lists show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import modern, whatif
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import (
    CHANGES,
    deployed_option_set,
    option_set,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

ROOT = Path(__file__).parents[4]
DUMPS = Path(__file__).parent / "whatif"


def test_the_table_is_what_the_data_say():
    subprocess.run([sys.executable, ROOT / "scripts/options.py", "--check"], check=True)


@pytest.mark.parametrize(
    ("version", "count"),
    [
        ("20.10.6", 113),
        ("21.10.11", 129),
        ("22.10.5", 136),
        ("23.10.6", 155),
        ("24.10.4", 147),
        ("25.0.0", 133),
        ("25.1.4", 132),
        ("26.1.0", 134),
    ],
)
def test_number_of_options(version, count):
    options = list(option_set("database", version))
    assert len(options) == count
    assert [option.name for option in options if option_set("database", version).doubt(option)] == []


@pytest.mark.parametrize("version", ["22.10.5", "23.10.6", "24.10.4", "25.0.0", "26.1.0"])
def test_names_and_defaults_are_those_of_the_servers_own_list(version):
    dumped = whatif.parse((DUMPS / f"whatif-{version}.txt").read_text())
    options = {option.title: option for option in option_set("database", version)}
    assert set(dumped) - set(options) == set()
    for title, (raw, source) in dumped.items():
        option = options[title]
        if source == "<DEFAULT>" and not option.secret and raw != "********":
            default = "" if option.default in (None, ()) else str(option.default)
            assert raw == default, title


@pytest.mark.parametrize(
    ("version", "name", "there"),
    [
        ("20.10.2", "StreamInfoCacheCapacity", "absent"),
        ("20.10.3", "StreamInfoCacheCapacity", "there"),
        ("24.10.3", "MaxAppendEventSize", "absent"),
        ("24.10.4", "MaxAppendEventSize", "there"),
        ("24.2.0", "ExtTcpPort", "doubtful"),
        ("24.10.0", "ExtTcpPort", "absent"),
        ("26.0.3", "MaxPartitionStateCacheSize", "doubtful"),
        ("23.10.0", "NodePort", "there"),
        ("22.10.5", "NodePort", "absent"),
        ("25.0.0", "HttpPort", "absent"),
    ],
)
def test_from_which_release_to_which(version, name, there):
    options = option_set("database", version)
    option = options.find(name)
    assert ("absent" if option is None else "doubtful" if options.doubt(option) else "there") == there


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("Db", {"24.10.4": "/var/lib/eventstore", "25.0.0": "/var/lib/kurrentdb"}),
        ("MaxAppendSize", {"25.0.0": 1048576, "25.1.4": 268435456}),
        ("StreamInfoCacheCapacity", {"24.10.4": 0, "26.1.0": 100000}),
    ],
)
def test_a_default_can_change(name, defaults):
    assert {version: option_set("database", version).find(name).default for version in defaults} == defaults


def test_secrets_and_what_only_the_environment_can_set():
    options = list(option_set("database", "24.10.4"))
    assert {option.name for option in options if option.secret} == {
        "CertificatePassword",
        "CertificatePrivateKeyPassword",
        "DefaultAdminPassword",
        "DefaultOpsPassword",
    }
    assert {option.name for option in options if option.environment_only} == {
        "DefaultAdminPassword",
        "DefaultOpsPassword",
        "TelemetryOptout",
    }


def test_a_new_name_is_an_option():
    names = {option.name for option in modern.OPTIONS}
    assert {option.renamed for option in modern.OPTIONS} - {""} <= names
    assert all(option.deprecated for option in modern.OPTIONS if option.renamed)
    assert {option.change for option in modern.OPTIONS} <= set(CHANGES)
    assert all(option.allowed for option in modern.OPTIONS if option.type == "enum")


def test_there_are_no_managers():
    with pytest.raises(ConfigError, match=r"24\.10\.4 has no manager: there are none from 20\.x on"):
        option_set("manager", "24.10.4")


def test_services_of_today_are_not_operated():
    """es_service takes its options from here."""
    assert deployed_option_set("database", "5.0.11").find("IntIp")
    with pytest.raises(ConfigError, match=r"not deployed or operated by this collection.*es_config.*es_gossip_facts"):
        deployed_option_set("database", "24.10.4")


@pytest.mark.parametrize("module", ["es_config", "es_service", "es_preflight"])
def test_the_table_is_not_imported_for_older_versions(module):
    program = (
        f"import sys; import ansible_collections.eventstore.cluster.plugins.modules.{module};"
        "from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set;"
        "option_set('database', '5.0.11');"
        "print([name for name in sys.modules if name.endswith(('.modern', '.keyed', '.start'))])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT / "collections")}, capture_output=True, check=True
    )
    assert run.stdout.decode().strip() == "[]"
