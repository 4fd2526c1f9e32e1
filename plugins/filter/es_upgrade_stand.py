# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/status."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.status import stand

DOCUMENTATION = r"""
name: es_upgrade_stand
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Report the state of each machine in an interrupted upgrade
description:
  - Checks whether an upgrade can continue. If not, reports the version that each machine runs or last ran, the command
    to run next, and whether the upgrade can be reversed.
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
    description: The current hop of P(eventstore.cluster.es_upgrade_plan#filter); empty if there is none.
    type: dict
    required: true
  looks:
    description: The reachable machines, each with the result of M(eventstore.cluster.es_preflight).
    type: dict
    required: true
  failures:
    description: The failed machines, each with the reason.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail if the upgrade cannot continue
  ansible.builtin.fail:
    msg: "{{ stand.problems + stand.lines }}"
  vars:
    stand: "{{ ansible_facts.es_gossip | eventstore.cluster.es_upgrade_stand(preflight_plan, hop, looks, failures) }}"
  when: stand.problems | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(problems), the reasons why the upgrade cannot continue; empty if it can. C(lines), the state of each machine and
      the next command. C(running), the nodes that answer with the new version.
  type: dict
"""


def es_upgrade_stand(
    gossip: t.Mapping[str, t.Any],
    plan: t.Mapping[str, t.Any],
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
