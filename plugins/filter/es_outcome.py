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
short_description: List the machines of a cluster by the result of a play
description:
  - Names the machines on which a play has finished, the machines that failed or could not be reached, and the machines
    that C(--limit) excludes.
positional: _input, done, hosts, left
options:
  _input:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  done:
    description: The action of the play, such as V(deployed).
    type: str
    required: true
  hosts:
    description: The hosts of the play, C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  left:
    description: The hosts that have not failed, C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  check:
    description: Whether the play runs in check mode, C(ansible_check_mode).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the result
  ansible.builtin.debug:
    msg: "{{ preflight_plan | eventstore.cluster.es_outcome('stopped', ansible_play_hosts_all, ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One line for each result that at least one machine has.
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
