# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Options of other versions: none of them is a slip of the pen for the option whose name is nearest."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import Option, OptionSet, table

# What up to 5.x does the same, where something does.
_EARLIER = {
    "CertificatePrivateKeyFile": "CertificateFile, which holds the key too (PKCS #12)",
    "CertificatePrivateKeyPassword": "CertificatePassword",
    "DisableAdminUi": "AdminOnExt, the other way round",
    "DisableGossipOnHttp": "GossipOnExt, the other way round",
    "DisableStatsOnHttp": "StatsOnExt, the other way round",
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


_NOW = {
    **{earlier.partition(",")[0]: name for name, earlier in reversed(_EARLIER.items())},
    "IntHttpPort": "HttpPort, for there is one HTTP port",
    "IntHttpPortAdvertiseAs": "HttpPortAdvertiseAs, for there is one HTTP port",
    "UseInternalSsl": "Insecure, the other way round",
}


def meant(options: OptionSet, name: str, spell: t.Callable[[Option], str] = lambda option: option.name) -> str:
    """A hint for a name that this version has no option for, in any spelling; "" if there is none."""
    is_legacy = options.traits.managers
    own = _find(table(options.kind, options.version), name)
    if own and not options.find(own.name):
        return _gone_or_new(options, own)
    other = _find(table("database", families.newest(families.KURRENT if is_legacy else families.LEGACY)), name)
    if other and options.find(other.name):
        other = None
    if other and is_legacy:
        earlier = f"; up to 5.x it is {_EARLIER[other.name]}" if other.name in _EARLIER else ""
        return f"it came with {other.since.partition('.')[0]}.x{earlier}"
    if other:
        return f"it went with 5.x; from 20.x on it is {_NOW[other.name]}" if other.name in _NOW else "it went with 5.x"
    nearest = options.find(options.nearest(name) or "")
    return f"did you mean {spell(nearest)}?" if nearest else ""


def _find(options: t.Iterable[Option], name: str) -> Option | None:
    key = re.sub("[-_ ]", "", name).lower()
    return next((option for option in options if option.name.lower() == key), None)


def _gone_or_new(options: OptionSet, option: Option) -> str:
    if families.has(options.version, option.since, after=option.after):
        write = f"; write {option.renamed}" if options.find(option.renamed) else ""
        return f"it went after {option.until}{write}"
    return f"it came with {option.since}"


__all__ = ["meant"]
