# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/summary."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.status import outcome
from ansible_collections.eventstore.cluster.plugins.module_utils.summary import summary

DOCUMENTATION = r"""
name: es_summary
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say what a play has done
description:
  - Advice about machines, pending restarts, what each turn of a rolling restart or upgrade did, and the machines on
    which the play did its work.
positional: _input, plan, hosts, left, hostvars
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
  left:
    description: Those of them that have not failed, which is C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of all machines, which is C(hostvars). C(preflight_look) is what
        M(eventstore.cluster.es_preflight) returned, C(services_results) what M(eventstore.cluster.es_service)
        returned for each service.
    type: dict
    required: true
  done:
    description: What was done, as V(deployed). Without it, the machines are not listed.
    type: str
    default: ""
  check:
    description: Whether it was only checked, which is C(ansible_check_mode).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the cluster, and what was done
  eventstore.cluster.es_report:
    gossip: "{{ ansible_facts.es_gossip }}"
    outcome: "{{ ansible_facts.es_gossip | eventstore.cluster.es_summary(preflight_plan, ansible_play_hosts_all,
      ansible_play_hosts, hostvars, done='started') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def es_summary(
    gossip: t.Mapping[str, t.Any],
    plan: Plan,
    hosts: t.Sequence[str],
    left: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    done: object = "",
    check: bool = False,
) -> list[str]:
    """Say what a play has done."""
    names = ("preflight_look", "services_results")
    machines = {host: {name: hostvars[host][name] for name in names if name in hostvars[host]} for host in hosts}
    lines = summary(gossip, machines)
    return [*lines, *outcome(plan, str(done), hosts, left, check=check)] if done else lines


class FilterModule:
    """The collection's filter es_summary."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_summary": es_summary}
