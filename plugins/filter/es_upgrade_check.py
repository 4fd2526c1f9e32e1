# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/refusals."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.refusals import Asked, check

DOCUMENTATION = r"""
name: es_upgrade_check
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Check whether an upgrade of a cluster may begin
description:
  - Plans the way to the version of the plan, as P(eventstore.cluster.es_upgrade_plan#filter) does, and says why its
    first hop may not begin now, because of the cluster, the machines, or what the operator has not confirmed.
positional: _input, plan, hosts, hostvars
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
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
        M(eventstore.cluster.es_preflight) returned.
    type: dict
    required: true
  stop_all:
    description: Whether the playbook is the one that stops all nodes.
    type: bool
    default: false
  accept:
    description: The version to go to, typed by an operator who has read what is said of the hop.
    type: str
    default: ""
  stop_cluster:
    description: The cluster's name, typed by an operator who wants all nodes to be stopped.
    type: str
    default: ""
  check:
    description: Whether nothing is to be changed, which is C(ansible_check_mode).
    type: bool
    default: false
  start:
    description: The version of nodes that do not run, where neither their machine nor a running node tells it.
    type: str
    default: ""
  shortest:
    description: Whether to take the way with the fewest hops, though more of them stop all nodes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the hop
  ansible.builtin.fail:
    msg: "{{ checked.refusal }}"
  vars:
    checked: "{{ ansible_facts.es_gossip
      | eventstore.cluster.es_upgrade_check(preflight_plan, ansible_play_hosts, hostvars) }}"
  when: checked.refusal != ''
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(hop), the next hop as in P(eventstore.cluster.es_upgrade_plan#filter), empty if all nodes run the version;
      C(lines), the way for an operator; C(refusal), why the hop may not begin, else empty.
  type: dict
"""


def es_upgrade_check(
    gossip: ClusterFacts,
    plan: Plan,
    hosts: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    **asked: t.Any,
) -> dict[str, t.Any]:
    """Check whether the next hop may begin."""
    looks = {host: hostvars[host]["preflight_look"] for host in hosts}
    return check(gossip, plan, looks, Asked(**asked))


class FilterModule:
    """The collection's filter es_upgrade_check."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_upgrade_check": es_upgrade_check}
