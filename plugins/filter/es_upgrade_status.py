# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/status."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.status import status

DOCUMENTATION = r"""
name: es_upgrade_status
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Report the state of each machine in an interrupted upgrade
description:
  - Checks whether an upgrade can continue. If not, reports the version that each machine runs or last ran, the command
    to run next, and whether the upgrade can be reversed.
positional: _input, plan, hop, hosts, hostvars
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  hop:
    description: The current hop of P(eventstore.cluster.es_upgrade_plan#filter); empty if there is none.
    type: dict
    required: true
  hosts:
    description: The reachable machines, C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of all machines, C(hostvars). C(preflight_look) is the result of
        M(eventstore.cluster.es_preflight). C(upgrade_failure), if defined, is the reason why the machine has failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail if the upgrade cannot continue
  ansible.builtin.fail:
    msg: "{{ status.problems + status.lines }}"
  vars:
    status: "{{ ansible_facts.es_gossip
      | eventstore.cluster.es_upgrade_status(preflight_plan, hop, ansible_play_hosts, hostvars) }}"
  when: status.problems | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(problems), the reasons why the upgrade cannot continue; empty if it can. C(lines), the state of each machine and
      the next command. C(running), the nodes that answer with the new version. C(upgrading), the machines of the hop.
      C(stopped), the machines without a running service. C(first), the machines that start the version before the
      others. C(begun), whether a full stop was interrupted. C(left_out), the reason why the upgrade cannot continue
      with these machines only; empty if it can.
  type: dict
"""


def es_upgrade_status(
    gossip: ClusterFacts,
    plan: Plan,
    hop: t.Mapping[str, t.Any],
    hosts: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, t.Any]:
    """Say where each machine is."""
    failures = {host: hostvars[host]["upgrade_failure"] for host in hosts if "upgrade_failure" in hostvars[host]}
    return status(gossip, plan, hop, {host: hostvars[host]["preflight_look"] for host in hosts}, failures)


class FilterModule:
    """The collection's filter es_upgrade_status."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_upgrade_status": es_upgrade_status}
