# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the servers of one version do differently from those of another. No other module compares versions.

``legacy`` is 3.x to 5.x, ``esdb`` EventStoreDB 20.x to 24.x, ``kurrent`` KurrentDB from 25.0 on. Measured on 3.4.0,
4.1.4, 5.0.11, 20.10.6, 22.10.5, 23.10.6, 24.10.4 and 26.1.0; between two of these, the vendor's changelog says when.
"""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

LEGACY, ESDB, KURRENT = "legacy", "esdb", "kurrent"
# How options are read: by the vendor's own library; as flat keys; as keys and sections of plugins.
RAGS, KEYS, SECTIONS = "rags", "keys", "sections"
CRASH = 134  # the exit code of a process that an exception ends

# The versions whose options were read from their sources, and the last series of which anything is known.
SAMPLES = (
    "3.4.0",
    "4.0.3",
    "4.1.4",
    "5.0.11",
    "20.10.6",
    "21.10.11",
    "22.10.5",
    "23.10.6",
    "24.10.4",
    "25.0.0",
    "25.1.4",
    "26.1.0",
)
_VERSION = re.compile(
    r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,9}))?(?:\.\d{1,9})?(?:-hotfix(\d{1,4})|-[0-9A-Za-z.]+)?", re.ASCII
)


@dataclass(frozen=True)
class Traits:
    """What the servers of one version do. The defaults are those of 3.x.

    ``refused_option``, ``failed_start``, ``unreadable_file``: exit codes where an option is unknown or cannot be read,
    where its value stops the start later, and where the configuration file stops it. ``truncations``:
    how often a node ends with 0 to cut its log before it joins.
    """

    family: str = LEGACY
    # -- options
    reader: str = RAGS
    prefixes: tuple[str, ...] = ("EVENTSTORE_",)  # of environment variables, the strongest first
    references: bool = False  # ${env:NAME} in an environment variable stands for another one
    yaml_above_json: bool = False
    # -- a start that fails
    refused_option: int = 0
    failed_start: int = 1
    unreadable_file: int = 1
    complains_on: str = "stderr"
    max_append_size: int = 16767216  # 0: the size of a chunk
    starts_alone: bool = True  # without seeds and DNS: logs an error and goes on
    # -- the network
    managers: bool = True
    one_http_port: bool = False
    names_as_addresses: bool = False  # in seeds and in what is advertised
    tls: bool = False  # of HTTP, and on unless Insecure says otherwise
    gossip: str = "internalHttpIp"  # the field of /gossip in which the others address a node
    # -- places
    user: str = "eventstore"
    unit: str = "eventstore.service"
    executable: str = "eventstored"
    windows_executable: str = "EventStore.ClusterNode.exe"
    windows_service: bool = False
    url_acls: bool = True
    config: str = "/etc/eventstore/eventstore.conf"
    db: str = "/var/lib/eventstore"
    log: str = "/var/log/eventstore"
    # -- ends
    orderly_sigterm: bool = False  # the log has IS SHUT DOWN; up to 5.x the signal just ends the process
    truncations: int = 1
    sighup_reloads: bool = False


# From the version on, this is different. Sources: measurements; CHANGELOG.md of the vendor for the exact version.
_CHANGES: tuple[tuple[str, dict[str, t.Any]], ...] = (
    ("3.0.0", {}),
    ("4.0.0", {"failed_start": 0, "unreadable_file": 0, "starts_alone": False}),
    ("5.0.0", {"references": True}),
    (
        "20.6.0",
        {
            "family": ESDB,
            "managers": False,
            "one_http_port": True,
            "names_as_addresses": True,
            "tls": True,
            "gossip": "httpEndPointIp",
            "url_acls": False,
            "orderly_sigterm": True,
        },
    ),
    ("20.6.1", {"sighup_reloads": True}),
    (
        "21.6.0",
        {
            "reader": KEYS,
            "references": False,
            "refused_option": 1,
            "failed_start": 1,
            "unreadable_file": 1,
            "complains_on": "stdout",
        },
    ),
    ("24.6.0", {"reader": SECTIONS, "unreadable_file": CRASH}),
    ("24.10.0", {"gossip": "internalHttpEndPointIp", "truncations": 2}),
    ("24.10.6", {"windows_service": True}),
    (
        "25.0.0",
        {
            "family": KURRENT,
            "prefixes": ("KURRENTDB_", "EVENTSTORE_"),
            "user": "kurrent",
            "unit": "kurrentdb.service",
            "executable": "kurrentd",
            "windows_executable": "KurrentDB.exe",
            "windows_service": False,
            "config": "/etc/kurrentdb/kurrentdb.conf",
            "db": "/var/lib/kurrentdb",
            "log": "/var/log/kurrentdb",
        },
    ),
    ("25.0.2", {"windows_service": True}),
    ("25.1.0", {"max_append_size": 0}),
    ("26.0.0", {"yaml_above_json": True}),
)


@functools.cache
def traits(version: str) -> Traits:
    """What servers of ``version`` do; ConfigError for a version of which nothing is known."""
    asked = parse(version)
    found = Traits()
    for since, change in _CHANGES:
        if asked >= parse(since):
            found = replace(found, **change)
    return found


def is_supported(version: str) -> bool:
    """Whether anything is known of the version."""
    try:
        return bool(parse(version))
    except ConfigError:
        return False


@functools.cache
def parse(version: str) -> Version:
    """A version as an operator or a table gives it, also without its third number; ConfigError for an unknown one."""
    match = _VERSION.fullmatch(version)
    found = Version(*(int(number or 0) for number in match.groups())) if match else None
    if not found or not (3 <= found.major <= 5 or (20, 6) <= found[:2] <= (26, 1)):
        raise ConfigError(
            f"version {version!r} is not supported",
            hint="Give a version from 3.x to 5.x or from 20.6 to 26.1 as text, such as 3.4.0 or 24.10.4",
        )
    return found


def has(version: str, since: str, *, after: str = "", until: str = "") -> bool | None:
    """Whether ``version`` has what came with ``since``; None where that is not known.

    ``after``: the last version known to be without it, where ``since`` is only the first one seen with it. ``until``:
    the last of SAMPLES that has it, with its whole series; the series of the next one is without it.
    """
    asked = parse(version)
    if asked < parse(since) and since != SAMPLES[0]:  # 3.0 to 3.3 are taken for 3.4.0
        return None if after and asked > parse(after) else False
    if not until or asked[:2] <= parse(until)[:2]:
        return True
    gone = parse(SAMPLES[SAMPLES.index(until) + 1])
    return False if asked[:2] >= gone[:2] else None


def newest(family: str) -> str:
    """The newest version of the family whose options are known."""
    return [version for version in SAMPLES if traits(version).family == family][-1]


__all__ = [
    "CRASH",
    "ESDB",
    "KEYS",
    "KURRENT",
    "LEGACY",
    "RAGS",
    "SAMPLES",
    "SECTIONS",
    "Traits",
    "has",
    "is_supported",
    "newest",
    "parse",
    "traits",
]
