# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter es_size_problems: whether planned nodes may start beside those that run, by their ClusterSizes."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.sizes import start_problems
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan

DOCUMENTATION = r"""
name: es_size_problems
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say why new database nodes must not start beside those that run
description:
  - A node counts votes and acknowledgements by its own ClusterSize. Nodes with a larger ClusterSize beside nodes with a
    smaller one make two masters possible, which each acknowledge writes, and one of them loses its writes.
  - Two masters are impossible only while the two smallest majorities of all nodes add up to more than the number of
    nodes.
positional: _input, looks, members
options:
  _input:
    description: The plan of the cluster, as of P(eventstore.cluster.es_plan#filter).
    type: dict
    required: true
  looks:
    description: By machine, what M(eventstore.cluster.es_preflight) returned.
    type: dict
    required: true
  members:
    description: C(es_gossip.members) of M(eventstore.cluster.es_gossip_facts), of all endpoints of the plan.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Check the sizes before anything starts
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | eventstore.cluster.es_problems }}"
  vars:
    looks: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'look'))) }}"
    problems: "{{ plan | eventstore.cluster.es_size_problems(looks, ansible_facts.es_gossip.members) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The problems, each with C(code), C(text), C(hint) and C(where); empty if there are none.
  type: list
  elements: dict
"""


def es_size_problems(
    plan: Plan,
    looks: t.Mapping[str, t.Mapping[str, t.Any]],
    members: t.Iterable[t.Mapping[str, t.Any]],
) -> list[ProblemFacts]:
    """Say why new nodes must not start."""
    seen = {host: look["nodes"] for host, look in looks.items() if "nodes" in look}
    answering = {member["name"] for member in members if member["answers"]}
    return [problem.facts() for problem in start_problems(plan, seen, answering)]


class FilterModule:
    """The collection's filter es_size_problems."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_size_problems": es_size_problems}
