# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/status: advice."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines

DOCUMENTATION = r"""
name: es_notes
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: Format advice about machines for display
description:
  - Turns the C(notes) of M(eventstore.cluster.es_preflight) for several machines into one line for each note.
positional: _input, hostvars
options:
  _input:
    description: Names of the machines.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all machines, C(hostvars). C(preflight_look) is what the module returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show advice
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | eventstore.cluster.es_notes(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: One line for each note; empty if there are none.
  type: list
  elements: str
"""


def es_notes(hosts: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Write the notes about these machines."""
    looks = {str(host): hostvars[host]["preflight_look"] for host in hosts if "preflight_look" in hostvars[host]}
    return note_lines({host: [str(note) for note in look.get("notes", [])] for host, look in looks.items()})


class FilterModule:
    """The collection's filter es_notes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_notes": es_notes}
