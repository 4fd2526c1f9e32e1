# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/roll."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.roll import roll

DOCUMENTATION = r"""
name: es_roll
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Plan a rolling restart
description:
  - Says which services have to be restarted, which machine comes last because it runs the master, and why nothing may
    be restarted.
positional: _input, hosts, hostvars
options:
  _input:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  hosts:
    description: The machines, which is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of all machines, which is C(hostvars). C(services_results) is what
        M(eventstore.cluster.es_service) returned for each service, and the fact C(es_gossip) how the cluster was before
        the first turn.
    type: dict
    required: true
  all:
    description: The cluster's name, typed by the operator to restart also services without a pending restart.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show which restarts are pending
  ansible.builtin.debug:
    msg: "{{ (preflight_plan | eventstore.cluster.es_roll(ansible_play_hosts_all, hostvars)).wanted }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(wanted), for each machine the names of the services to restart yet; C(master), the machine of the master, which
      comes last; C(refusal), why nothing may be restarted, else empty.
  type: dict
"""


def es_roll(
    plan: Plan,
    hosts: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    all: object = "",
) -> dict[str, t.Any]:
    """Plan a rolling restart."""
    machines = {
        host: {
            "services_results": hostvars[host].get("services_results", {}),
            "es_gossip": hostvars[host]["ansible_facts"].get("es_gossip", {}),
        }
        for host in hosts
    }
    return roll(plan, machines, str(all))


class FilterModule:
    """The collection's filter es_roll."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_roll": es_roll}
