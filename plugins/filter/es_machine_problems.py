# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/machines: before anything is changed."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.machines import (
    OTHER_VERSION,
    machine_problems,
    size_problems,
    version_problems,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan

DOCUMENTATION = r"""
name: es_machine_problems
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say why nothing may be changed on the machines of a cluster
description:
  - The problems that M(eventstore.cluster.es_preflight) has found on any machine of the play, and peers that it could
    not reach though they are in the play.
  - Nodes that run another version than the plan's, and nodes that must not start beside those that run, because of
    their ClusterSizes.
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
    description: The hosts of the play, which is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all machines, which is C(hostvars). C(preflight_look) is what the module returned.
    type: dict
    required: true
  last_version:
    description: The version that nodes may have run last; typed by the operator, it is not a problem.
    type: str
    default: ""
  other_version:
    description: Whether nodes may run another version, as in an upgrade.
    type: bool
    default: false
  only_version:
    description: Whether only what a start can harm is checked, the versions and the sizes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check that every machine can run its part
  ansible.builtin.fail:
    msg: "{{ problems | eventstore.cluster.es_problems }}"
  vars:
    problems: "{{ ansible_facts.es_gossip
      | eventstore.cluster.es_machine_problems(preflight_plan, ansible_play_hosts_all, hostvars) }}"
  when: problems | length > 0
  run_once: true
"""

RETURN = r"""
_value:
  description: The problems, each with C(code), C(text), C(hint) and C(where); empty if there are none.
  type: list
  elements: dict
"""


def es_machine_problems(
    gossip: t.Mapping[str, t.Any],
    plan: Plan,
    hosts: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    last_version: object = "",
    other_version: bool = False,
    only_version: bool = False,
) -> list[ProblemFacts]:
    """Say why nothing may be changed."""
    looked = {host: hostvars[host]["preflight_look"] for host in hosts if "preflight_look" in hostvars[host]}
    looks = {host: look for host, look in looked.items() if "problems" in look}
    passed = [OTHER_VERSION] if other_version or last_version == plan["version"] else []
    found = machine_problems(looks, passed=passed)
    if only_version:
        found = [problem for problem in found if problem["code"] == OTHER_VERSION]
    versions = [] if other_version else version_problems(gossip, plan)
    return [*found, *versions, *size_problems(gossip, plan, looks)]


class FilterModule:
    """The collection's filter es_machine_problems."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_machine_problems": es_machine_problems}
