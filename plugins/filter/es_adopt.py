# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter es_adopt: the running servers of machines to an inventory."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.adopt import adopt

DOCUMENTATION = r"""
name: es_adopt
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Make an inventory for a cluster that runs already
description:
  - Turns what M(eventstore.cluster.es_servers) found on the machines into variables with which the roles find the
    cluster unchanged, as YAML. What cannot be told is in comments at the beginning.
positional: _input, hostvars
options:
  _input:
    description: Names of the machines.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all machines, which is C(hostvars). C(adopt_found) is what the module returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the inventory
  ansible.builtin.copy:
    content: "{{ ansible_play_hosts | eventstore.cluster.es_adopt(hostvars) }}"
    dest: adopted.yml
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The text of the inventory.
  type: str
"""

# How a machine is reached belongs to it, wherever it was said.
CONNECTION = ("ansible_host", "ansible_connection", "ansible_user", "ansible_port", "ansible_python_interpreter")


def es_adopt(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """Write the inventory."""
    inventory, unknown = adopt({str(host): hostvars[host]["adopt_found"]["servers"] for host in hosts})
    for host, values in inventory["eventstore"]["hosts"].items():
        values.update({name: str(hostvars[host][name]) for name in CONNECTION if name in hostvars[host]})
    comments = "".join(f"# - {' '.join(line.split())}\n" for line in unknown)
    return f"# Made from the running cluster. Not known, to be checked by you:\n{comments}---\n{_dump(inventory)}"


def _dump(inventory: dict[str, t.Any]) -> str:
    return str(yaml.safe_dump(inventory, sort_keys=False, allow_unicode=True, width=120))


class FilterModule:
    """The collection's filter es_adopt."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_adopt": es_adopt}
