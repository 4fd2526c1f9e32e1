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
short_description: Say where each machine is in the middle of an upgrade
description:
  - Says whether an upgrade can go on. If not, what each machine runs or has run last, what to type next, and whether
    there is a way back.
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
    description: The hop of P(eventstore.cluster.es_upgrade_plan#filter) that is taken; empty if there is none.
    type: dict
    required: true
  hosts:
    description: The machines that can be reached, which is C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of all machines, which is C(hostvars). C(preflight_look) is what
        M(eventstore.cluster.es_preflight) returned; C(upgrade_failure), where it is defined, why the machine has
        failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop here where something has failed
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
    - C(problems), why it cannot go on; empty if it can. C(lines), each machine and what to do next. C(running), the
      nodes that answer in the new version. C(upgrading), the machines that the hop is for, C(stopped), those where no
      service runs, C(first), those that start the version before the others. C(begun), whether a full stop was
      interrupted. C(left_out), why it cannot go on with these machines only, else empty.
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
