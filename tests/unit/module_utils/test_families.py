# SPDX-License-Identifier: GPL-3.0-or-later
"""What a version does, held against what was measured of it; and no other module compares versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError
from ansible_collections.eventstore.cluster.plugins.module_utils.families import (
    ESDB,
    KEYS,
    KURRENT,
    LEGACY,
    RAGS,
    SECTIONS,
    traits,
)

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("version", "family", "reader", "prefixes"),
    [
        ("3.0.1", LEGACY, RAGS, ("EVENTSTORE_",)),
        ("3.4.0", LEGACY, RAGS, ("EVENTSTORE_",)),
        ("5.0.11", LEGACY, RAGS, ("EVENTSTORE_",)),
        ("20.10.6", ESDB, RAGS, ("EVENTSTORE_",)),
        ("21.10.11", ESDB, KEYS, ("EVENTSTORE_",)),
        ("23.10.6", ESDB, KEYS, ("EVENTSTORE_",)),
        ("24.10.4", ESDB, SECTIONS, ("EVENTSTORE_",)),
        ("25.0.0", KURRENT, SECTIONS, ("KURRENTDB_", "EVENTSTORE_")),
        ("26.1.0", KURRENT, SECTIONS, ("KURRENTDB_", "EVENTSTORE_")),
    ],
)
def test_who_reads_the_options(version, family, reader, prefixes):
    found = traits(version)
    assert (found.family, found.reader, found.prefixes) == (family, reader, prefixes)
    assert found.managers == found.url_acls == (family == LEGACY)
    assert found.one_http_port == found.tls == found.names_as_addresses == (family != LEGACY)


# Measured: an unknown option, a value that the start refuses, a file that is not YAML, and where the reason stands.
@pytest.mark.parametrize(
    ("version", "refused", "failed", "unreadable", "stream"),
    [
        ("3.4.0", 0, 1, 1, "stderr"),
        ("4.1.4", 0, 0, 0, "stderr"),
        ("5.0.11", 0, 0, 0, "stderr"),
        ("20.10.6", 0, 0, 0, "stderr"),
        ("22.10.5", 1, 1, 1, "stdout"),
        ("23.10.6", 1, 1, 1, "stdout"),
        ("24.10.4", 1, 1, 134, "stdout"),
        ("26.1.0", 1, 1, 134, "stdout"),
    ],
)
def test_how_a_start_that_fails_ends(version, refused, failed, unreadable, stream):
    found = traits(version)
    assert (found.refused_option, found.failed_start, found.unreadable_file) == (refused, failed, unreadable)
    assert found.complains_on == stream


def test_places_move_with_the_name_of_the_product():
    old, new = traits("24.10.4"), traits("25.0.0")
    assert (old.user, old.unit, old.executable) == ("eventstore", "eventstore.service", "eventstored")
    assert (new.user, new.unit, new.executable) == ("kurrent", "kurrentdb.service", "kurrentd")
    assert (old.config, old.db, old.log) == (
        "/etc/eventstore/eventstore.conf",
        "/var/lib/eventstore",
        "/var/log/eventstore",
    )
    assert (new.config, new.db, new.log) == (
        "/etc/kurrentdb/kurrentdb.conf",
        "/var/lib/kurrentdb",
        "/var/log/kurrentdb",
    )


@pytest.mark.parametrize(
    ("version", "there"),
    [("24.10.4", False), ("24.10.6", True), ("25.0.0", False), ("25.0.2", True), ("25.1.0", True), ("26.1.0", True)],
)
def test_windows_service_came_to_three_series(version, there):
    assert traits(version).windows_service is there


def test_what_changed_within_the_families():
    assert [traits(version).references for version in ("4.1.4", "5.0.0", "20.10.6", "22.10.5")] == [
        False,
        True,
        True,
        False,
    ]
    assert [traits(version).starts_alone for version in ("3.4.0", "4.0.3", "23.10.6")] == [True, False, False]
    assert [traits(version).yaml_above_json for version in ("24.10.4", "25.1.4", "26.1.0")] == [False, False, True]
    assert [traits(version).truncations for version in ("23.10.6", "24.10.4", "26.1.0")] == [1, 2, 2]
    assert [traits(version).sighup_reloads for version in ("5.0.11", "20.10.6", "26.1.0")] == [False, True, True]
    assert [traits(version).orderly_sigterm for version in ("5.0.11", "20.10.6")] == [False, True]
    assert [traits(version).gossip for version in ("5.0.11", "23.10.6", "24.10.4")] == [
        "internalHttpIp",
        "httpEndPointIp",
        "internalHttpEndPointIp",
    ]


@pytest.mark.parametrize("version", ["2.0.1", "6.0.0", "19.10.0", "20.5.9", "26.2.0", "27.0.0", "", "latest", "3"])
def test_unknown_versions(version):
    assert not families.is_supported(version)
    with pytest.raises(ConfigError, match=r"is not supported.*3\.x to 5\.x or from 20\.6 to 26\.1"):
        traits(version)


@pytest.mark.parametrize(
    ("version", "since", "after", "until", "expected"),
    [
        ("5.0.9", "5.0.10", "", "", False),
        ("5.0.10", "5.0.10", "", "", True),
        ("4.1.4", "5.0.11", "4.1.4", "", False),
        ("5.0.0", "5.0.11", "4.1.4", "", None),
        ("5.0.11", "5.0.11", "4.1.4", "", True),
        ("3.0.0", "3.4.0", "", "", True),
        ("23.10.9", "20.10.6", "", "23.10.6", True),
        ("24.2.0", "20.10.6", "", "23.10.6", None),
        ("24.10.0", "20.10.6", "", "23.10.6", False),
    ],
)
def test_whether_a_version_has_something(version, since, after, until, expected):
    assert families.has(version, since, after=after, until=until) is expected


def test_newest():
    assert [families.newest(family) for family in (LEGACY, ESDB, KURRENT)] == ["5.0.11", "24.10.4", "26.1.0"]


# Comparing versions: by their first letters, by their parts, by tuples of numbers.
COMPARISON = re.compile(
    r"version\S*\.startswith\(|\.(?:major|minor|patch)\b|\bVersion\(\s*\d"
    r"|[<>]=?\s*\((?:[3-9]|2\d),|\((?:[3-9]|2\d), ?\d+\) [<>]"
    r"|[<>]=?\s*Version\.parse|Version\.parse\([^)]*\)\s*[<>]"
)
# The hops between versions are what the planner of upgrades is about.
MAY = (
    "module_utils/families.py",
    "module_utils/versions.py",
    "module_utils/upgrade/matrix.py",
    "module_utils/upgrade/routes.py",
)


def compared(text):
    return [line.strip() for line in text.splitlines() if COMPARISON.search(line) and "sys.version_info" not in line]


def test_no_other_module_compares_versions():
    files = [path for folder in ("plugins", "roles", "lab") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): compared(path.read_text()) for path in files}
    assert {name: lines for name, lines in found.items() if lines and not name.endswith(MAY)} == {}


@pytest.mark.parametrize(
    "line",
    [
        'if options.version.startswith("5."):',
        "if Version.parse(text).major < 20:",
        "_MANAGED = Version(20, 0, 0)",
        "if family >= (5, 0):",
        "if Version.parse(a) < b:",
    ],
)
def test_the_search_for_comparisons_finds_them(line):
    assert compared(line)
