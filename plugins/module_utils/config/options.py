# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Every option of database nodes and of managers: name, type, default, spellings.

From 3.4 to 5.0 options were only added, none renamed, removed or given another default, so one table serves them all.
Those from 20.6 on are in ``modern``, which is imported only for such a version.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

VERSIONS = ("3.4.0", "4.0.3", "4.1.4", "5.0.11")
KINDS = ("database", "manager")

# What it takes until a changed option counts: nothing, a signal, a restart of the one server; or the agreement of the
# whole cluster, because others look for it, count by it or talk to it under the old value. 3.x-5.x read every option
# once, at their start, and none on a signal: "reload" is for later ones.
CHANGES = ("none", "reload", "restart", "cluster")

# The server's rule for environment names and for the titles of its dump: DisableHTTPCaching -> DISABLE HTTP CACHING.
_WORD_BOUNDARY = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^A-Z])(?=[A-Z])|(?<=[A-Za-z])(?=[^A-Za-z])")


@dataclass(frozen=True)
class Option:
    """One option. ``builtin``: only the collection's own manager has it. ``change`` is one of CHANGES.

    ``since``: the version that it came with, or where ``after`` says which one had it not yet, the first one seen with
    it; ``until``: the last series with it. ``default`` of a path is the one on Linux; ``later``: versions from which on
    it is another one. ``renamed``: the name to write from the version ``deprecated`` on. ``environment_only``: a server
    that finds it elsewhere does not start.
    """

    name: str
    type: str  # bool int int64 double ip endpoint[] string string[] enum
    default: object
    allowed: tuple[str, ...] = ()
    secret: bool = False
    since: str = "3.4.0"
    after: str = ""
    until: str = ""
    later: tuple[tuple[str, object], ...] = ()
    renamed: str = ""
    deprecated: str = ""
    environment_only: bool = False
    builtin: bool = False
    path: bool = False
    change: str = "restart"

    @property
    def environment_name(self) -> str:
        return "EVENTSTORE_" + _WORD_BOUNDARY.sub("_", self.name).upper()

    @property
    def title(self) -> str:
        return _WORD_BOUNDARY.sub(" ", self.name).upper()

    @property
    def flag(self) -> str:
        return "--" + _WORD_BOUNDARY.sub("-", self.name).lower()


class OptionSet:
    """The options of one kind of node in one version, in the order of the server's own declaration."""

    def __init__(self, kind: str, version: str, options: t.Iterable[Option]) -> None:
        self.kind = kind
        self.version = version
        self.traits = families.traits(version)
        self.keyed = self.traits.reader != families.RAGS
        self._options = {_key(option.name): option for option in options}

    def __iter__(self) -> t.Iterator[Option]:
        return iter(self._options.values())

    def find(self, name: str) -> Option | None:
        """The option that ``name`` stands for in a file or on a command line, where case and dashes do not count."""
        return self._options.get(_key(name))

    def nearest(self, name: str) -> str | None:
        """The option that ``name`` was probably meant to be."""
        close = difflib.get_close_matches(re.sub(r"[-_ ]", "", name).lower(), self._options, 1)
        return self._options[close[0]].name if close else None

    def doubt(self, option: Option) -> str:
        """Why this version may be without the option, though another one has it; empty if it has it."""
        if _has(option, self.version) is not None:
            return ""
        without = f"{option.after} has it not, {option.since} has it" if option.after else f"{option.until} has it"
        return (
            f"{option.name} may be unknown to the server, which then does not start: {without}, of {self.version} it is"
            " not known"
        )

    @property
    def sections(self) -> list[str]:
        """The keys of a file below which the server and its plugins have settings."""
        if self.traits.reader != families.SECTIONS:
            return []
        from ansible_collections.eventstore.cluster.plugins.module_utils.config import modern

        return [name for since, names in modern.SECTIONS.items() if families.has(self.version, since) for name in names]

    def section_problem(self, name: str) -> str:
        """Why settings below this key do nothing; empty where they do."""
        if name.lower() in map(str.lower, self.sections):
            return ""
        close = difflib.get_close_matches(name, self.sections, 1)
        return f"no section that {self.version} knows{f'; did you mean {close[0]}?' if close else ''}"

    def extended(self, names: t.Iterable[str]) -> OptionSet:
        """The same with more options, of which nothing is known, so taken as text."""
        return OptionSet(self.kind, self.version, [*self, *(Option(name, "string", None) for name in names)])


def option_set(kind: str, version: str) -> OptionSet:
    """The options of ``kind`` (``database`` or ``manager``) in ``version``, any 3.x to 5.x or 20.6 to 26.1.

    With them are those of which it is not known whether they came with this or with a later release: see ``doubt``.
    """
    there = (option for option in table(kind, version) if _has(option, version) is not False)
    return OptionSet(kind, version, (_in_version(option, version) for option in there))


def deployed_option_set(kind: str, version: str) -> OptionSet:
    """The options of a server that this collection deploys and operates, 3.x to 5.x."""
    if not families.traits(version).managers:
        raise ConfigError(
            f"version {version!r} is not deployed or operated by this collection, only 3.x to 5.x",
            hint="es_config writes and checks its files, and es_gossip_facts reads its gossip",
        )
    return option_set(kind, version)


def table(kind: str, version: str) -> t.Sequence[Option]:
    """The options that any version of the same kind of server has or had."""
    if kind not in KINDS:
        raise ConfigError(f"the kind of node is {kind!r}, expected {' or '.join(KINDS)}")
    if families.traits(version).managers:
        return _DATABASE if kind == "database" else _MANAGER
    if kind == "manager":
        raise ConfigError(
            f"{version} has no manager: there are none from 20.x on",
            hint="Give kind: database, or a version from 3.x to 5.x",
        )
    from ansible_collections.eventstore.cluster.plugins.module_utils.config import modern

    return modern.OPTIONS


def _has(option: Option, version: str) -> bool | None:
    return families.has(version, option.since, after=option.after, until=option.until)


def _in_version(option: Option, version: str) -> Option:
    for since, default in option.later:
        if families.has(version, since):
            option = replace(option, default=default)
    return option


def _key(name: str) -> str:
    return name.replace("-", "").lower()


# Source: ClusterNodeOptions.cs and Opts.cs in the tags oss-v3.4.0, oss-v4.0.3, oss-v4.1.4 and oss-v5.0.11; the release
# notes of 3.5.0, 4.1.1, 5.0.0 and 5.0.10 for the options that have no ``after``.
_DATABASE = (
    Option("Help", "bool", False, change="none"),
    Option("Version", "bool", False, change="none"),
    Option("Log", "string", "/var/log/eventstore", path=True),
    Option("Config", "string", "", path=True),
    Option("Defines", "string[]", ()),
    Option("WhatIf", "bool", False, change="none"),
    Option("StartStandardProjections", "bool", False),
    Option("DisableHTTPCaching", "bool", False),
    Option("MonoMinThreadpoolSize", "int", 10),
    Option("IntIp", "ip", "127.0.0.1", change="cluster"),
    Option("ExtIp", "ip", "127.0.0.1"),
    Option("IntHttpPort", "int", 2112, change="cluster"),
    Option("ExtHttpPort", "int", 2113),
    Option("IntTcpPort", "int", 1112, change="cluster"),
    Option("IntSecureTcpPort", "int", 0, change="cluster"),
    Option("ExtTcpPort", "int", 1113),
    Option("ExtSecureTcpPortAdvertiseAs", "int", 0),
    Option("ExtSecureTcpPort", "int", 0),
    Option("ExtIpAdvertiseAs", "ip", None),
    Option("ExtTcpPortAdvertiseAs", "int", 0),
    Option("ExtHttpPortAdvertiseAs", "int", 0),
    Option("IntIpAdvertiseAs", "ip", None, change="cluster"),
    Option("IntSecureTcpPortAdvertiseAs", "int", 0, change="cluster"),
    Option("IntTcpPortAdvertiseAs", "int", 0, change="cluster"),
    Option("IntHttpPortAdvertiseAs", "int", 0, change="cluster"),
    Option("IntTcpHeartbeatTimeout", "int", 700),
    Option("ExtTcpHeartbeatTimeout", "int", 1000),
    Option("IntTcpHeartbeatInterval", "int", 700),
    Option("ExtTcpHeartbeatInterval", "int", 2000),
    Option("GossipOnSingleNode", "bool", False, since="4.0.3", after="3.4.0"),
    Option("ConnectionPendingSendBytesThreshold", "int", 10485760, since="4.0.3", after="3.4.0"),
    Option("ConnectionQueueSizeThreshold", "int", 50000, since="5.0.11", after="4.1.4"),
    Option("StreamInfoCacheCapacity", "int", 100000, since="5.0.10"),
    Option("Force", "bool", False),
    Option("ClusterSize", "int", 1, change="cluster"),
    Option("NodePriority", "int", 0),
    Option("MinFlushDelayMs", "double", 2),
    Option("CommitCount", "int", -1, change="cluster"),
    Option("PrepareCount", "int", -1, change="cluster"),
    Option("AdminOnExt", "bool", True),
    Option("StatsOnExt", "bool", True),
    Option("GossipOnExt", "bool", True),
    Option("DisableScavengeMerging", "bool", False),
    Option("ScavengeHistoryMaxAge", "int", 30, since="4.0.3", after="3.4.0"),
    Option("DiscoverViaDns", "bool", True, change="cluster"),
    Option("ClusterDns", "string", "fake.dns", change="cluster"),
    Option("ClusterGossipPort", "int", 30777, change="cluster"),
    Option("GossipSeed", "endpoint[]", (), change="cluster"),
    Option("StatsPeriodSec", "int", 30),
    Option("CachedChunks", "int", -1),
    Option("ReaderThreadsCount", "int", 4, since="4.0.3", after="3.4.0"),
    Option("ChunksCacheSize", "int64", 536871424),
    Option("MaxMemTableSize", "int", 1000000),
    Option("HashCollisionReadLimit", "int", 100, since="4.0.3", after="3.4.0"),
    Option("Db", "string", "/var/lib/eventstore", path=True),
    Option("Index", "string", None, path=True),
    Option("MemDb", "bool", False),
    Option("SkipDbVerify", "bool", False),
    Option("WriteThrough", "bool", False, since="4.0.3", after="3.4.0"),
    Option("Unbuffered", "bool", False, since="4.0.3", after="3.4.0"),
    Option("ChunkInitialReaderCount", "int", 5, since="4.1.4", after="4.0.3"),
    Option("RunProjections", "enum", "None", allowed=("None", "System", "All")),
    Option("ProjectionThreads", "int", 3),
    Option("WorkerThreads", "int", 5),
    Option("ProjectionsQueryExpiry", "int", 5, since="4.1.4", after="4.0.3"),
    Option("FaultOutOfOrderProjections", "bool", False, since="5.0.11", after="4.1.4"),
    Option("IntHttpPrefixes", "string[]", ()),
    Option("ExtHttpPrefixes", "string[]", ()),
    Option("EnableTrustedAuth", "bool", False),
    Option("AddInterfacePrefixes", "bool", True),
    Option("CertificateStoreLocation", "string", ""),
    Option("CertificateStoreName", "string", ""),
    Option("CertificateSubjectName", "string", ""),
    Option("CertificateThumbprint", "string", ""),
    Option("CertificateFile", "string", "", path=True),
    Option("CertificatePassword", "string", "", secret=True),
    Option("UseInternalSsl", "bool", False, change="cluster"),
    Option("DisableInsecureTCP", "bool", False, since="4.0.3", after="3.4.0", change="cluster"),
    Option("SslTargetHost", "string", "n/a"),
    Option("SslValidateServer", "bool", True),
    Option("AuthenticationType", "string", "internal"),
    Option("AuthenticationConfig", "string", "", path=True),
    Option("DisableFirstLevelHttpAuthorization", "bool", False, since="5.0.11", after="4.1.4"),
    Option("PrepareTimeoutMs", "int", 2000),
    Option("CommitTimeoutMs", "int", 2000),
    Option("UnsafeDisableFlushToDisk", "bool", False),
    Option("BetterOrdering", "bool", False, since="4.0.3", after="3.4.0"),
    Option("UnsafeIgnoreHardDelete", "bool", False, since="4.0.3", after="3.4.0"),
    Option("SkipIndexVerify", "bool", False, since="4.1.0"),
    Option("IndexCacheDepth", "int", 16),
    Option("OptimizeIndexMerge", "bool", False, since="4.1.4", after="4.0.3"),
    Option("GossipIntervalMs", "int", 1000),
    Option("GossipAllowedDifferenceMs", "int", 60000),
    Option("GossipTimeoutMs", "int", 500),
    Option("EnableHistograms", "bool", False),
    Option("LogHttpRequests", "bool", False, since="3.5.0"),
    Option("LogFailedAuthenticationAttempts", "bool", False, since="5.0.11", after="4.1.4"),
    Option("AlwaysKeepScavenged", "bool", False, since="4.0.3", after="3.4.0"),
    Option("SkipIndexScanOnReads", "bool", False, since="4.0.3", after="3.4.0"),
    Option("ReduceFileCachePressure", "bool", False, since="5.0.11", after="4.1.4"),
    Option("InitializationThreads", "int", 1, since="5.0.11", after="4.1.4"),
    Option("StructuredLog", "bool", True, since="5.0.0"),
    Option("MaxAutoMergeIndexLevel", "int", 2147483647, since="5.0.11", after="4.1.4"),
    Option("WriteStatsToDb", "bool", True, since="5.0.11", after="4.1.4"),
)

# The manager is closed source: documents name these options, Opts.cs (3.4.0 to 5.0.11) their defaults. WatchdogState
# and the two failure options are known from Opts.cs alone; GossipSeed and the two gossip times are inferred.
_MANAGER = (
    Option("Help", "bool", False, change="none"),
    Option("Version", "bool", False, change="none"),
    Option("Log", "string", None, path=True),
    Option("Config", "string", "", path=True),
    Option("WhatIf", "bool", False, change="none"),
    Option("IntIp", "ip", "127.0.0.1", change="cluster"),
    Option("ExtIp", "ip", "127.0.0.1"),
    Option("IntHttpPort", "int", 30777, change="cluster"),
    Option("ExtHttpPort", "int", 30778),
    Option("DiscoverViaDns", "bool", True, change="cluster"),
    Option("ClusterDns", "string", "fake.dns", change="cluster"),
    Option("ClusterGossipPort", "int", 30777, change="cluster"),
    Option("GossipSeed", "endpoint[]", (), change="cluster"),
    Option("GossipIntervalMs", "int", 1000),
    Option("GossipTimeoutMs", "int", 500),
    Option("EnableWatchdog", "bool", True),
    Option("WatchdogConfig", "string", "", path=True),
    Option("WatchdogState", "string", "", path=True),
    Option("WatchdogFailureTimeWindow", "int", -1),
    Option("WatchdogFailureCount", "int", -1),
    # What the built-in manager starts, and the DNS servers (IP:port) it asks in place of the system's resolver.
    Option("NodeExecutable", "string", "", path=True, builtin=True),
    Option("Nameservers", "string[]", (), builtin=True),
    # Addresses and networks that may use the lease, beside the cluster's machines.
    Option("LeaseClients", "string[]", (), builtin=True),
)

__all__ = ["CHANGES", "KINDS", "VERSIONS", "Option", "OptionSet", "deployed_option_set", "option_set"]
