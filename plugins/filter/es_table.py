# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/overview: the table."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.overview import table
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan

DOCUMENTATION = r"""
name: es_table
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 1.0.0
short_description: Show what runs where
description:
  - Turns the facts of M(eventstore.cluster.es_gossip_facts) about a planned cluster into a table of servers with their
    states, addresses and lag, the problems, and where to look next.
positional: _input, plan
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what runs where
  ansible.builtin.debug:
    msg: "{{ ansible_facts.es_gossip | eventstore.cluster.es_table(preflight_plan) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""


def es_table(gossip: ClusterFacts, plan: Plan) -> list[str]:
    """Write the state of a cluster as lines of text."""
    return [line.text for line in table(gossip, plan)]


class FilterModule:
    """The collection's filter es_table."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_table": es_table}
