# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/status: what a playbook has done."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.status import outcome

DOCUMENTATION = r"""
name: es_outcome
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say on which machines of a cluster something was done, and on which not
description:
  - Names the machines that a play has come to its end with, those that failed or could not be reached, and those that
    C(--limit) has left out.
positional: _input, done, hosts, left
options:
  _input:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  done:
    description: What was done, as V(deployed).
    type: str
    required: true
  hosts:
    description: The hosts of the play, which is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  left:
    description: Those of them that have not failed, which is C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  check:
    description: Whether it was only checked, which is C(ansible_check_mode).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what was done
  ansible.builtin.debug:
    msg: "{{ preflight_plan | eventstore.cluster.es_outcome('stopped', ansible_play_hosts_all, ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One line for each of these that has a machine.
  type: list
  elements: str
"""


def es_outcome(
    plan: Plan, done: object, hosts: t.Sequence[str], left: t.Sequence[str], check: bool = False
) -> list[str]:
    """Say what was done where."""
    return outcome(plan, str(done), hosts, left, check=check)


class FilterModule:
    """The collection's filter es_outcome."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_outcome": es_outcome}
