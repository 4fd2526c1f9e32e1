# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/status: problems."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ProblemFacts, problem_lines

DOCUMENTATION = r"""
name: es_problems
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 1.0.0
short_description: Write problems as text for an operator
description:
  - Turns the C(problems) of a plan, of M(eventstore.cluster.es_preflight) or of M(eventstore.cluster.es_gossip_facts)
    into one line each with what is wrong, where, and what to do.
options:
  _input:
    description: The problems, each with C(code), C(text), C(hint) and, where it is not in the text, C(where).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse to go on without quorum
  ansible.builtin.fail:
    msg: "{{ ansible_facts.es_gossip.problems | eventstore.cluster.es_problems }}"
  when: not ansible_facts.es_gossip.has_quorum
"""

RETURN = r"""
_value:
  description: The text, one line a problem.
  type: str
"""


def es_problems(problems: t.Sequence[ProblemFacts]) -> str:
    """Write problems as text, each once."""
    return "\n".join(problem_lines(problems))


class FilterModule:
    """The collection's filter es_problems."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_problems": es_problems}
