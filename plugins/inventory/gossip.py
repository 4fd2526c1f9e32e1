# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live cluster as inventory: the Ansible half of module_utils/gossip/machines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gossip
short_description: The machines of a running cluster as inventory
version_added: 2.0.0
author:
  - The eventstore.cluster founders (@eventstore-cluster)
description:
  - Asks one or more servers of a cluster which others there are, then asks all of them, over HTTP from the controller.
  - Servers with the same internal IP address are one machine. The host's name is that address, unless a host of an
    earlier inventory source has it as C(eventstore_int_ip), C(ansible_host) or name; then that host gets the variables.
  - Each machine is in the group O(group), and in one group for each role that its servers have now, C(master),
    C(slave), C(manager), or another state in lower case, as C(clone). Versions from 20.6 on say Leader and Follower;
    the groups have the same names. A machine with a server that does not answer is in the group C(unreachable).
  - Host variables are C(es_internal_ip), C(es_roles) (the groups of roles), C(es_state), C(es_version) and
    C(es_lag_bytes) of the first database node, C(es_nodes) and C(es_manager) (entries of C(members) and C(managers) in
    what M(eventstore.cluster.es_gossip_facts) returns), and C(ansible_host) of a host that no earlier source has.
    The group O(group) has the variable C(es_gossip), which is all that this module returns.
  - The name of the configuration file has to end in C(gossip.yml), C(gossip.yaml), C(eventstore.yml) or
    C(eventstore.yaml).
notes:
  - Ansible reads an inventory once, before the first play; a role may have moved since then. Before a task that must
    work on the master or must not, ask again with M(eventstore.cluster.es_gossip_facts).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [eventstore.cluster.gossip]
  endpoints:
    description:
      - HTTP addresses of servers, as V(IP:PORT) or V(NAME:PORT). All addresses of a name are asked. One server that
        answers is enough.
      - The ports are external HTTP ports, by default 30778 of managers and 2113 of database nodes.
    type: list
    elements: str
    required: true
  nameservers:
    description: Name servers to ask in place of the system's, as IP or IP:PORT. Needs C(dnspython).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for one round of requests; a round asks all servers at once.
    type: float
    default: 2.0
  group:
    description: The group of all machines. The playbooks of this collection work on C(eventstore).
    type: str
    default: eventstore
"""

EXAMPLES = r"""
# orders.gossip.yml, to be tried with: ansible-inventory -i orders.gossip.yml --graph
plugin: eventstore.cluster.gossip
endpoints:
  - orders.example.net:30778

---
# Groups and variables of your own, and a cache, as other inventory plugins have them
plugin: eventstore.cluster.gossip
endpoints: ["192.168.1.11:2113", "192.168.1.12:2113", "192.168.1.13:2113"]
strict: true
compose:
  ansible_user: "'admin'"
groups:
  behind: (es_lag_bytes or 0) > 16777216
keyed_groups:
  - key: es_version
    prefix: version
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/eventstore
cache_timeout: 60
"""

import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.machines import Machine, gather, machines
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import GossipFacts

SUFFIXES = tuple(f"{stem}.{end}" for stem in ("gossip", "eventstore") for end in ("yml", "yaml"))

# What an earlier inventory source may call a machine's address, in the order in which the plan reads it.
_ADDRESSES = ("eventstore_int_ip", "ansible_host")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The plugin eventstore.cluster.gossip."""

    NAME = "eventstore.cluster.gossip"
    inventory: t.Any

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache=cache)
        self._read_config_data(path)
        gossip = self._gossip(path, cache)
        group = inventory.add_group(self._sanitize_group_name(self.get_option("group")))
        inventory.set_variable(group, "es_gossip", gossip)
        names = self._known_names()
        for machine in machines(gossip):
            self._add(machine, group, names.get(machine.host))

    def _gossip(self, path: str, may_read: bool) -> GossipFacts:
        """The fact ``es_gossip``; ``may_read`` is false with ``--flush-cache``, which is to fill the cache again."""
        key, is_cached = self.get_cache_key(path), bool(self.get_option("cache"))
        if may_read and is_cached and key in self._cache:
            return t.cast("GossipFacts", self._cache[key])
        try:
            gossip = gather(
                self.get_option("endpoints"),
                nameservers=self.get_option("nameservers"),
                timeout_s=self.get_option("timeout"),
            )
        except EventStoreError as error:
            raise AnsibleParserError(str(error)) from error
        if is_cached:
            self._cache[key] = gossip
        return gossip

    def _known_names(self) -> dict[str, str]:
        """Address -> host of an earlier inventory source."""
        names: dict[str, str] = {}
        for name, host in self.inventory.hosts.items():
            address = next((host.vars[each] for each in _ADDRESSES if each in host.vars), name)
            names.setdefault(str(address), name)
        return names

    def _add(self, machine: Machine, group: str, known: str | None) -> None:
        host = known or self.inventory.add_host(machine.host)
        for name in (group, *map(self.inventory.add_group, map(self._sanitize_group_name, machine.groups))):
            self.inventory.add_child(name, host)
        variables = machine.variables()
        if not known:
            variables["ansible_host"] = machine.host
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


__all__ = ["InventoryModule"]
