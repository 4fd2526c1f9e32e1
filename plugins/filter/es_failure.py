# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/summary: whether a play fails at its end."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.summary import failure

DOCUMENTATION = r"""
name: es_failure
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say why a play fails at its end
description:
  - One sentence for a cluster that is not as O(not_met) says it has to be, or a line for nodes of another version than
    the plan's.
positional: _input, plan, not_met
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  not_met:
    description: RV(eventstore.cluster.es_gossip_facts#module:not_met), empty if the condition came true.
    type: str
    required: true
  version:
    description: Whether nodes of another version than the plan's are a failure.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check that the cluster has quorum
  ansible.builtin.fail:
    msg: "{{ why }}"
  vars:
    why: "{{ ansible_facts.es_gossip | eventstore.cluster.es_failure(preflight_plan, waited.not_met | default('')) }}"
  when: why != ''
  run_once: true
"""

RETURN = r"""
_value:
  description: Why it fails; empty if it does not.
  type: str
"""


def es_failure(gossip: t.Mapping[str, t.Any], plan: Plan, not_met: object, version: bool = False) -> str:
    """Say why a play fails."""
    return failure(gossip, plan, str(not_met), version=version)


class FilterModule:
    """The collection's filter es_failure."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_failure": es_failure}
