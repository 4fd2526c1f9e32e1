# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/recovery."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import ClusterFacts
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.recovery import recover

DOCUMENTATION = r"""
name: es_recovery
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Explain a cluster without quorum, and say which machines to start first
description:
  - Turns the checkpoints in the databases' directories into an order of starts, the highest position first, and refuses
    where an acknowledged write could be lost, which is where no majority of the nodes has data.
positional: _input, plan, results
options:
  _input:
    description: The facts C(es_gossip).
    type: dict
    required: true
  plan:
    description: The plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  results:
    description:
      - For each machine that could be reached, the results of a loop of M(ansible.builtin.slurp) over pairs of the name
        of a node and that of a file, V(epoch.chk) or V(writer.chk). A file that is not there has no C(content).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ (ansible_facts.es_gossip | eventstore.cluster.es_recovery(preflight_plan, checkpoints)).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(lines) for an operator, C(order), the machines to start before there is quorum, C(last), those to start after.
    - C(problems) where nothing must be started, each with C(code), C(text), C(hint) and C(where).
  type: dict
"""


def es_recovery(
    gossip: ClusterFacts,
    plan: Plan,
    results: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]],
) -> dict[str, t.Any]:
    """Say which machines of a cluster without quorum to start, in which order."""
    checkpoints: dict[str, dict[str, dict[str, str]]] = {}
    for host, read in results.items():
        for result in read:
            node, file = result["item"]
            checkpoints.setdefault(str(host), {}).setdefault(str(node), {})[str(file)] = str(result.get("content", ""))
    return recover(gossip, plan, checkpoints)


class FilterModule:
    """The collection's filter es_recovery."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_recovery": es_recovery}
