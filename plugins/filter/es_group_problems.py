# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/plan/group."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.group import group_problems, strangers

DOCUMENTATION = r"""
name: es_group_problems
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say why a play would not work on the machines of a cluster
description:
  - Says whether the inventory has the group, and whether C(--limit) leaves any of its machines.
positional: _input, group, hosts
options:
  _input:
    description: The groups of the inventory, which is C(groups).
    type: dict
    required: true
  group:
    description: Name of the group that holds the machines of one cluster.
    type: str
    required: true
  hosts:
    description: The hosts of the play, which is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  only:
    description: Whether all of the hosts have to be in the group.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Fail where there is nothing to do
  ansible.builtin.fail:
    msg: "{{ problems | eventstore.cluster.es_problems }}"
  vars:
    problems: "{{ groups | eventstore.cluster.es_group_problems('eventstore', ansible_play_hosts_all) }}"
  when: problems | length > 0
"""

RETURN = r"""
_value:
  description: The problems, each with C(code), C(text), C(hint) and C(where); empty if there are none.
  type: list
  elements: dict
"""


def es_group_problems(
    groups: t.Mapping[str, t.Sequence[str]], group: object, hosts: t.Sequence[str], only: bool = False
) -> list[ProblemFacts]:
    """Say what is wrong with the group."""
    check = strangers if only else group_problems
    return [problem.facts() for problem in check(groups, str(group), hosts)]


class FilterModule:
    """The collection's filter es_group_problems."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_group_problems": es_group_problems}
