# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What the versions of an upgrade make of the configuration that is planned for the machines."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import VERSIONS, OptionSet, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import MachinePlan, ServicePlan
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version


def findings(hosts: t.Mapping[str, MachinePlan], start: Version, ends: t.Iterable[Version]) -> list[str]:
    """What each of the versions ``ends`` does not know, or reads otherwise than the one before it, as sentences."""
    found: dict[str, list[str]] = {}
    for end in ends:
        if not families.traits(str(end)).managers:
            text = (
                f"{end}: configuration for 20.x and later is not managed by this collection: write it with es_config,"
                " from the vendor's upgrade guide"
            )
            found[text] = []
            break
        for server, kind, each in _servers(hosts):
            options = option_set(kind, str(end))
            for text in (*_unknown(options, each["options"]), *_references(options, str(start), each["environment"])):
                found.setdefault(f"{end}: {text}", []).append(server)
        start = end
    return [f"{text} ({', '.join(servers)})" if servers else text for text, servers in found.items()]


def _servers(hosts: t.Mapping[str, MachinePlan]) -> t.Iterator[tuple[str, str, ServicePlan]]:
    for host, machine in hosts.items():
        for node in machine["nodes"]:
            yield f"{host}/{node['name']}", "database", node
        if machine["manager"]:
            yield f"{host}/manager", "manager", machine["manager"]


def _unknown(options: OptionSet, configured: t.Iterable[str]) -> t.Iterator[str]:
    latest = option_set(options.kind, VERSIONS[-1])
    for name in configured:
        option = latest.find(name)
        if option and not options.find(name):
            yield f"the server refuses {option.name}, first known in {option.since}: configure it after this hop"


def _references(options: OptionSet, start: str, environment: t.Mapping[str, str]) -> t.Iterator[str]:
    names = {option.environment_name for option in options}
    for name, value in environment.items():
        is_new = layers.reference(options.version, str(value)) and not layers.reference(start, str(value))
        if name in names and is_new:
            yield f"the environment variable {name} was the text {value}; from 5.0 on it is what that variable holds"


__all__ = ["findings"]
