# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether a server from 21.6 on starts with its options, and how it ends where it does not.

Measured on 23.10.6, 24.10.4 and 26.1.0. ``--what-if`` of these servers finds an unknown option, a value of a wrong
type, an option at a wrong place and a password with Insecure, and nothing else: it is no test of a configuration.
"""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet

Finding = tuple[str, str, str]  # the option, what is wrong with it, what to do

_CERTIFICATES = ("CertificateStoreLocation", "CertificateStoreName", "CertificateFile")
_RECORD = 16 * 1024 * 1024  # the largest event, which 24.10 and 26.1 check on their own


class Refused(ConfigError):
    """The server does not start: ``exit_code``, the ``stream`` that has its reason, and the ``option``."""

    def __init__(self, problem: str, *, where: str, hint: str, option: str, exit_code: int, stream: str) -> None:
        super().__init__(problem, where=where, hint=hint)
        self.option, self.exit_code, self.stream = option, exit_code, stream


def refused(options: OptionSet, problem: str, *, where: str, hint: str, option: str) -> Refused:
    """The server reads an option and ends."""
    traits = options.traits
    code, stream = traits.refused_option, traits.complains_on
    told = f"{problem}; the server ends with exit code {code} and says so on {stream}"
    return Refused(told, where=where, hint=hint, option=option, exit_code=code, stream=stream)


def unreadable(options: OptionSet, error: ConfigError) -> Refused:
    """The server cannot read a file, or its command line, and ends."""
    code = options.traits.unreadable_file
    stream = "stderr" if code == families.CRASH else options.traits.complains_on
    told = f"{error.problem}; the server ends with exit code {code} and says so on {stream} only"
    return Refused(told, where=error.where, hint=error.hint, option="", exit_code=code, stream=stream)


def check(effective: Effective) -> None:
    """``Refused`` for the first thing that stops a start, in the order of the server's own checks."""
    rules = [_wrong_place, _default_passwords]
    if not effective.value("WhatIf"):
        rules += [_cluster, _seeds, _replicas, _paths, _sizes, _ports, _certificate]
    for rule in rules:
        for name, problem, hint in rule(effective):
            where = f"{name} ({effective[name].source})"
            raise refused(effective.options, problem, where=where, hint=hint, option=name)


def _wrong_place(effective: Effective) -> t.Iterator[Finding]:
    for name, setting in effective.items():
        is_elsewhere = setting.source not in ("<DEFAULT>", "Environment Variables", "Event Store Environment Variables")
        if setting.option.environment_only and is_elsewhere:
            yield name, "can only be set by an environment variable", "Move it to the environment of the service"


def _default_passwords(effective: Effective) -> t.Iterator[Finding]:
    for name in ("DefaultAdminPassword", "DefaultOpsPassword"):
        if (
            name in effective
            and effective.value("Insecure")
            and effective.value(name) != effective[name].option.default
        ):
            yield name, "is set while Insecure is true: there are no users", "Remove one of the two"


def _cluster(effective: Effective) -> t.Iterator[Finding]:
    if effective.value("ClusterSize") < 1:
        yield "ClusterSize", "is less than 1", "Write the number of voting nodes"
    if effective.value("DiscoverViaDns") and not effective.value("ClusterDns").strip():
        yield "ClusterDns", "is empty while DiscoverViaDns is true", "Write the DNS name, or DiscoverViaDns: false"


def _seeds(effective: Effective) -> t.Iterator[Finding]:
    size, seeds = effective.value("ClusterSize"), effective.value("GossipSeed")
    if size == 1 and len(seeds) > 1:
        yield "GossipSeed", "has several nodes while ClusterSize is 1", "Write the number of voting nodes"
    if size > 1 and not effective.value("DiscoverViaDns") and not seeds:
        yield "GossipSeed", "is empty while DiscoverViaDns is false", "Write the addresses of the other nodes"


def _replicas(effective: Effective) -> t.Iterator[Finding]:
    is_replica = effective.value("ReadOnlyReplica")
    if is_replica and effective.value("ClusterSize") <= 1:
        yield "ReadOnlyReplica", "is true while ClusterSize is 1", "Write the number of voting nodes"
    if "Archiver" in effective and effective.value("Archiver"):
        if not is_replica:
            yield "Archiver", "is true without ReadOnlyReplica", "Set ReadOnlyReplica too"
        if effective.options.traits.family == families.KURRENT and effective.value("UnsafeIgnoreHardDelete"):
            yield "Archiver", "is true with UnsafeIgnoreHardDelete", "Remove one of the two"


def _paths(effective: Effective) -> t.Iterator[Finding]:
    if effective.value("Db").startswith("~"):
        yield "Db", "begins with ~, which the server refuses", "Write the whole path"
    if effective.value("Index") and effective.value("Index") == effective.value("Db"):
        yield "Index", "is the same directory as Db", "Leave Index out: it is a directory in Db then"


def _sizes(effective: Effective) -> t.Iterator[Finding]:
    if effective.value("InitializationThreads") < 1:
        yield "InitializationThreads", "is less than 1", "Write 1 or more"
    largest = effective.options.traits.max_append_size or effective.value("ChunkSize")
    if effective.value("MaxAppendSize") > largest:
        yield "MaxAppendSize", f"is more than {largest}", f"Write {largest} or less"
    event = effective.get("MaxAppendEventSize")
    is_checked = effective.options.traits.family == families.KURRENT and event and event.source != "<DEFAULT>"
    if is_checked and effective.value("MaxAppendEventSize") > _RECORD:
        yield "MaxAppendEventSize", f"is more than {_RECORD}", f"Write {_RECORD} or less"


def _ports(effective: Effective) -> t.Iterator[Finding]:
    for name, setting in effective.items():
        if "Port" in name and isinstance(setting.value, int) and not 0 <= setting.value <= 65535:
            yield name, f"is {setting.value}, which is not a port", "Write a number from 1 to 65535"


def _certificate(effective: Effective) -> t.Iterator[Finding]:
    has_one = any(effective.value(name) for name in _CERTIFICATES)
    is_dev = "Dev" in effective and effective.value("Dev")
    if not effective.value("Insecure") and not is_dev and not has_one:
        hint = "Set CertificateFile, CertificatePrivateKeyFile and TrustedRootCertificatesPath, or Insecure: true"
        yield "CertificateFile", "is missing while Insecure is false: TLS needs a certificate", hint


__all__ = ["Refused", "check", "refused", "unreadable"]
