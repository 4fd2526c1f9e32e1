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
short_description: Check the inventory group and the hosts of a play
description:
  - Checks that the inventory has the group, and that C(--limit) leaves at least one of its machines.
positional: _input, group, hosts
options:
  _input:
    description: The groups of the inventory, C(groups).
    type: dict
    required: true
  group:
    description: Name of the group with the machines of one cluster.
    type: str
    required: true
  hosts:
    description: The hosts of the play, C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  only:
    description: Whether all hosts must be in the group.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Fail if the play has no machine of the group
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
