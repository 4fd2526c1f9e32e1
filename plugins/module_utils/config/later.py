# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Options of later versions: none of them is a slip of the pen for the option whose name is nearest.

Source: the options of the tags 20.10.6, 21.10.11, 22.10.5, 23.10.6, 24.10.4 and 26.1.0.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import (
    VERSIONS,
    Option,
    OptionSet,
    option_set,
)

_CAME_WITH = {
    "20.x": """AdvertiseHostToClientAs AdvertiseHttpPortToClientAs AdvertiseTcpPortToClientAs AuthorizationConfig
        AuthorizationType CertificatePrivateKeyFile CertificateReservedNodeCommonName DeadMemberRemovalPeriodSec
        DisableAdminUi DisableExternalTcpTls DisableGossipOnHttp DisableInternalTcpTls DisableLogFile DisableStatsOnHttp
        EnableAtomPubOverHttp EnableExternalTcp ExtHostAdvertiseAs HttpPort HttpPortAdvertiseAs Insecure
        IntHostAdvertiseAs KeepAliveInterval KeepAliveTimeout LeaderElectionTimeoutMs LogConfig LogConsoleFormat
        LogFileRetentionCount LogLevel MaxAppendSize MaxTruncation ReadOnlyReplica TrustedRootCertificatesPath
        UnsafeAllowSurplusNodes WriteTimeoutMs""",
    "21.x": """AllowUnknownOptions ChunkSize CommitAckCount DbLogFormat Dev IndexCacheSize LogFileInterval LogFileSize
        PrepareAckCount ProjectionCompilationTimeout ProjectionExecutionTimeout QuorumSize RemoveDevCerts StatsStorage
        StreamExistenceFilterSize UseIndexBloomFilters""",
    "22.x": """ScavengeBackendCacheSize ScavengeBackendPageSize ScavengeHashUsersCacheCapacity
        TrustedRootCertificateStoreLocation TrustedRootCertificateStoreName TrustedRootCertificateSubjectName
        TrustedRootCertificateThumbprint""",
    "23.x": """AdvertiseNodePortToClientAs AllowAnonymousEndpointAccess AllowAnonymousStreamAccess
        CertificatePrivateKeyPassword DefaultAdminPassword DefaultOpsPassword EnableUnixSocket NodeHeartbeatInterval
        NodeHeartbeatTimeout NodeHostAdvertiseAs NodeIp NodePort NodePortAdvertiseAs NodeTcpPort NodeTcpPortAdvertiseAs
        OverrideAnonymousEndpointAccessForGossip ReplicationHeartbeatInterval ReplicationHeartbeatTimeout
        ReplicationHostAdvertiseAs ReplicationIp ReplicationPort ReplicationTcpPortAdvertiseAs TelemetryOptout""",
    "24.x": "Archiver MaxAppendEventSize MaxProjectionStateSize Transform",
    "26.x": "DisableClientAuthEkuValidation MaxPartitionStateCacheSize",
}
# What up to 5.x does the same, where something does.
_EARLIER = {
    "CertificatePrivateKeyFile": "CertificateFile, which contains the key too (PKCS #12)",
    "CertificatePrivateKeyPassword": "CertificatePassword",
    "DisableAdminUi": "AdminOnExt, with the opposite value",
    "DisableGossipOnHttp": "GossipOnExt, with the opposite value",
    "DisableStatsOnHttp": "StatsOnExt, with the opposite value",
    "ExtHostAdvertiseAs": "ExtIpAdvertiseAs",
    "HttpPort": "ExtHttpPort",
    "HttpPortAdvertiseAs": "ExtHttpPortAdvertiseAs",
    "IntHostAdvertiseAs": "IntIpAdvertiseAs",
    "NodeHeartbeatInterval": "ExtTcpHeartbeatInterval",
    "NodeHeartbeatTimeout": "ExtTcpHeartbeatTimeout",
    "NodeHostAdvertiseAs": "ExtIpAdvertiseAs",
    "NodeIp": "ExtIp",
    "NodePort": "ExtHttpPort",
    "NodePortAdvertiseAs": "ExtHttpPortAdvertiseAs",
    "NodeTcpPort": "ExtTcpPort",
    "NodeTcpPortAdvertiseAs": "ExtTcpPortAdvertiseAs",
    "ReplicationHeartbeatInterval": "IntTcpHeartbeatInterval",
    "ReplicationHeartbeatTimeout": "IntTcpHeartbeatTimeout",
    "ReplicationHostAdvertiseAs": "IntIpAdvertiseAs",
    "ReplicationIp": "IntIp",
    "ReplicationPort": "IntTcpPort",
    "ReplicationTcpPortAdvertiseAs": "IntTcpPortAdvertiseAs",
}


def _key(name: str) -> str:
    return re.sub("[-_ ]", "", name).lower()


_LATER = {_key(name): (name, version) for version, names in _CAME_WITH.items() for name in names.split()}


def meant(options: OptionSet, name: str, spell: t.Callable[[Option], str] = lambda option: option.name) -> str:
    """A hint for a name that no option has, in any spelling; "" if there is none."""
    newer = option_set(options.kind, VERSIONS[-1]).find(_key(name))
    if newer and not options.find(newer.name):
        return f"it is available from {newer.since} on"
    if _key(name) in _LATER:
        own, version = _LATER[_key(name)]
        earlier = f"; up to 5.x it is {_EARLIER[own]}" if own in _EARLIER else ""
        return f"it is available from {version} on{earlier}"
    nearest = options.find(options.nearest(name) or "")
    return f"did you mean {spell(nearest)}?" if nearest else ""


__all__ = ["meant"]
