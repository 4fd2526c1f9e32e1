# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.report import upgrade

DOCUMENTATION = r"""
name: es_upgrade_plan
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 1.0.0
short_description: Plan the upgrade of a running cluster to another version
description:
  - Turns the facts of M(eventstore.cluster.es_gossip_facts) about a planned cluster into the hops from the versions
    that run to another one, as the vendor's upgrade documents allow them, and says what to do before each of them,
    what cannot be undone after it, and which planned option it does not know.
  - A way without a stop of the whole cluster comes first; a shorter one with such a stop is named beside it. A cell of
    the vendor's matrix that no document has is marked as inferred.
  - Where nodes run two versions, between which an upgrade can roll, the first hop finishes what was interrupted.
  - Whatever no document allows is refused, downgrades and nodes that do not say their version among it.
positional: _input, plan, target
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  target:
    description: The version to upgrade to, with three numbers, such as V(5.0.11).
    type: str
    required: true
  stopped:
    description:
      - The machines whose nodes need not answer, each with C(last_versions) of M(eventstore.cluster.es_preflight). A
        node that is not in it is taken to have O(start), or the oldest version of all.
    type: dict
    default: {}
  start:
    description: The version of the nodes of O(stopped), where neither the machine nor a running node tells it.
    type: str
    default: ""
  shortest:
    description: Whether to take the way with the fewest hops, though more of them stop all nodes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show how to get to 5.0.11
  ansible.builtin.debug:
    msg: "{{ (ansible_facts.es_gossip | eventstore.cluster.es_upgrade_plan(preflight_plan, '5.0.11')).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(lines) for an operator.
    - C(hops), each with C(from), C(to), C(mode) (V(rolling), V(rolling, master last) or V(stop all)), the C(nodes)
      that do not run C(to) yet, what to do C(before), what is C(one_way) with C(since), C(text) and C(going_back),
      C(notes), C(sources), and C(inferred), which is empty where a document has this hop.
    - C(problems) where it is refused, each with C(code), C(text), C(hint) and C(where); then no hops and no lines.
  type: dict
"""


def es_upgrade_plan(
    gossip: ClusterFacts,
    plan: Plan,
    target: object,
    stopped: t.Mapping[str, t.Mapping[str, str]] | None = None,
    start: object = "",
    shortest: bool = False,
) -> dict[str, t.Any]:
    """Plan the upgrade of a cluster to a version."""
    return upgrade(gossip, plan, str(target), stopped=stopped, start=str(start), shortest=shortest)


class FilterModule:
    """The collection's filter es_upgrade_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_upgrade_plan": es_upgrade_plan}
