# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What a server takes without a word, and no operator can have meant."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, layers, values


def doubts(effective: layers.Effective) -> list[str]:
    """One sentence each, with the option and where its value comes from."""
    rules = (_cluster_dns, _wildcards, _prefixes) if "ClusterSize" in effective else (_cluster_dns, _manager)
    if not effective.options.traits.managers:
        rules = (_cluster_dns, _old_names)
    rules = (_too_new, *rules)
    return [text for rule in rules for text in rule(effective)]


def _too_new(effective: layers.Effective) -> t.Iterator[str]:
    for name, setting in effective.items():
        doubt = effective.options.doubt(setting.option) if setting.source != layers.DEFAULT else ""
        if doubt:
            yield f"{_place(name, setting)}: {doubt}"


def _old_names(effective: layers.Effective) -> t.Iterator[str]:
    version = effective.options.version
    for name, setting in effective.items():
        option = setting.option
        if setting.source == layers.DEFAULT or not option.deprecated or not families.has(version, option.deprecated):
            continue
        until = f"; later versions than {option.until} do not start with it" if option.until else ""
        what = f"the old name of {option.renamed}" if option.renamed else "deprecated"
        yield f"{_place(name, setting)}: {what}{until}"


def _cluster_dns(effective: layers.Effective) -> t.Iterator[str]:
    if effective.value("DiscoverViaDns"):
        setting = effective["ClusterDns"]
        problem = values.dns_name_problem(effective.value("ClusterDns"))
        if problem:
            yield f"{_place('ClusterDns', setting)}: {problem}"


def _manager(effective: layers.Effective) -> t.Iterator[str]:
    for name in ("IntIp", "ExtIp"):
        if addresses.is_any(effective.value(name)):
            given = f"a manager gives {addresses.ANY_IP} to the others, which cannot reach it"
            yield f"{_place(name, effective[name])}: {given}"


def _wildcards(effective: layers.Effective) -> t.Iterator[str]:
    if effective.value("AddInterfacePrefixes") or effective.value("ClusterSize") == 1:
        return
    for side in addresses.SIDES:
        if addresses.is_any(addresses.advertised(effective.by_name, f"{side}HttpPort").host):
            setting = effective[f"{side}Ip"]
            yield (
                f"{_place(f'{side}Ip', setting)}: with AddInterfacePrefixes false the node gives {addresses.ANY_IP} to "
                f"the others, which cannot reach it; set {side}IpAdvertiseAs"
            )


def _prefixes(effective: layers.Effective) -> t.Iterator[str]:
    for side, word in addresses.SIDES.items():
        doubt = addresses.prefix_doubt(effective.by_name, side)
        if doubt and (side == "Ext" or effective.value("ClusterSize") > 1):
            yield f"{_place(f'{side}HttpPrefixes', effective[f'{side}HttpPrefixes'])}: the {word} HTTP server {doubt}"


def _place(name: str, setting: layers.Setting) -> str:
    return f"{name} ({setting.source})"


__all__ = ["doubts"]
