# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/status."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.status import stand

DOCUMENTATION = r"""
name: es_upgrade_stand
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Say where each machine is in the middle of an upgrade
description:
  - Says whether an upgrade can go on. If not, what each machine runs or has run last, what to type next, and whether
    there is a way back.
positional: _input, plan, hop, looks, failures
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  hop:
    description: The hop of P(eventstore.cluster.es_upgrade_plan#filter) that is taken; empty if there is none.
    type: dict
    required: true
  looks:
    description: The machines that can be reached, each with what M(eventstore.cluster.es_preflight) returns.
    type: dict
    required: true
  failures:
    description: The machines that have failed, each with the reason.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Stop here where something has failed
  ansible.builtin.fail:
    msg: "{{ stand.problems + stand.lines }}"
  vars:
    stand: "{{ ansible_facts.es_gossip | eventstore.cluster.es_upgrade_stand(preflight_plan, hop, looks, failures) }}"
  when: stand.problems | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(problems), why it cannot go on; empty if it can. C(lines), each machine and what to do next. C(running), the
      nodes that answer in the new version.
  type: dict
"""


def es_upgrade_stand(
    gossip: t.Mapping[str, t.Any],
    plan: Plan,
    hop: t.Mapping[str, t.Any],
    looks: t.Mapping[str, t.Mapping[str, t.Any]],
    failures: t.Mapping[str, str],
) -> dict[str, t.Any]:
    """Say where each machine is."""
    return stand(gossip, plan, hop, looks, failures)


class FilterModule:
    """The collection's filter es_upgrade_stand."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_upgrade_stand": es_upgrade_stand}
