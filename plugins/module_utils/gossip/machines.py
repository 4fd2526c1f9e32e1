# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The machines of a cluster that only gossip describes: from some endpoints to all servers, grouped by address.

Gossip knows no machines. Servers with the same internal IP address are taken to be one machine, which is what the
plan of this collection makes; behind an address translation it is the advertised address that is compared.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint, is_ip
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError, GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts, members, view
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.discovery import resolve
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import (
    GossipFacts,
    MemberFacts,
    ServerFacts,
)

UNREACHABLE = "unreachable"


@dataclass
class Machine:
    """The servers with the internal address ``host``, as the fact ``es_gossip`` has them."""

    host: str
    nodes: list[MemberFacts] = field(default_factory=list)
    manager: ServerFacts | None = None

    @property
    def groups(self) -> list[str]:
        """A group for each role that a server of the machine has now; ``unreachable`` if one did not answer."""
        roles = [role(node["state"]) for node in self.nodes if node["answers"]]
        managers = [self.manager] if self.manager else []
        roles += ["manager" for manager in managers if manager["answers"]]
        silent = [UNREACHABLE for server in [*self.nodes, *managers] if not server["answers"]]
        return list(dict.fromkeys([*filter(None, roles), *silent[:1]]))

    def variables(self) -> dict[str, t.Any]:
        """What gossip says of the machine, as host variables; none of them is a setting of the roles."""
        first = self.nodes[0] if self.nodes else None
        return {
            "es_internal_ip": self.host,
            "es_roles": self.groups,
            "es_state": first["state"] if first else "",
            "es_version": first["es_version"] if first else "",
            "es_lag_bytes": first["lag_bytes"] if first else None,
            "es_nodes": [dict(node) for node in self.nodes],
            "es_manager": dict(self.manager) if self.manager else {},
        }


def role(state: str) -> str:
    """The name of a state's group; both vocabularies have the same names."""
    if state in members.MASTERS:
        return "master"
    return "slave" if state in members.SLAVES else state.lower()


def gather(endpoints: t.Sequence[str], *, nameservers: t.Sequence[str] = (), timeout_s: float) -> GossipFacts:
    """Ask the endpoints (``IP:PORT`` or ``NAME:PORT``) which servers there are, and then all servers.

    Gives the fact ``es_gossip``; GossipError if no endpoint answers with gossip.
    """
    params = {name: option.get("default") for name, option in facts.ARGUMENT_SPEC.items()}
    addresses = [address for text in endpoints for address in _addresses(text, nameservers, timeout_s)]
    targets = facts.read_endpoints([str(address) for address in dict.fromkeys(addresses)])
    cluster = view.ClusterView(facts.ask(targets, timeout_s))
    if not cluster.trusted:
        said = "; ".join(f"{each.target.label}: {each.text or each.error}" for each in cluster.views)
        raise GossipError(
            f"expected gossip from one of the endpoints, but came none: {said}",
            where="endpoints",
            hint="Give the external HTTP address of a running manager or database node",
        )
    return facts.gather({**params, "timeout": timeout_s, "endpoints": _all_servers(cluster)})


def machines(gossip: GossipFacts) -> list[Machine]:
    """The machines of the fact ``es_gossip``, sorted by address, names last."""
    found: dict[str, Machine] = {}
    for node in gossip["members"]:
        found.setdefault(_host(node), Machine(_host(node))).nodes.append(node)
    for manager in gossip["managers"]:
        found.setdefault(_host(manager), Machine(_host(manager))).manager = manager
    return sorted(found.values(), key=_order)


def _order(machine: Machine) -> tuple[int, int, str]:
    if not is_ip(machine.host):
        return 7, 0, machine.host
    address = ipaddress.ip_address(machine.host)
    return address.version, int(address), ""


def _host(server: ServerFacts) -> str:
    """The internal address; a server that listens everywhere has only that at which it was asked."""
    internal, asked = (Endpoint.parse(server[name], names=True).host for name in ("internal", "address"))
    return asked if is_ip(internal) and ipaddress.ip_address(internal).is_unspecified else internal


def _addresses(text: str, nameservers: t.Sequence[str], timeout_s: float) -> list[Endpoint]:
    try:
        name, port = Endpoint.parse(text, names=True)
    except FormatError as error:
        raise GossipError(error.problem, where="endpoints") from None
    return [Endpoint(ip, port) for ip in resolve(name, nameservers=nameservers, timeout_s=timeout_s)]


def _all_servers(cluster: view.ClusterView) -> list[dict[str, str]]:
    """All servers that the views list, as entries of ``endpoints``; each is asked where gossip says it listens."""
    nodes = [(node, view.DATABASE) for node in cluster.nodes]
    return [
        _entry(node, kind)
        for node, kind in [*nodes, *((node, view.MANAGER) for node in cluster.managers)]
        if node.target or node.member
    ]


def _entry(node: view.ServerView, kind: str) -> dict[str, str]:
    address = str(node.target.address if node.target else node.seen[0][1].external_http)
    known = kind if node.member else ""
    host = node.key.host
    return {"name": f"{host}/{address}", "host": host, "kind": known, "address": address, "internal": str(node.key)}


__all__ = ["UNREACHABLE", "Machine", "gather", "machines", "role"]
