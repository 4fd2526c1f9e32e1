# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/upgrade/turns."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.types import Watched
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import turns

DOCUMENTATION = r"""
name: es_turns
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: List the events of each turn of a rolling restart or upgrade
description:
  - Lists elections, epochs, two masters at the same time, and nodes that exited or restarted unexpectedly, for each
    turn of this play and for the time after the last turn. Even a successful roll can have such events.
positional: _input, hostvars, watched
options:
  _input:
    description: The machines.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variables of all machines, C(hostvars), with the registered results of M(eventstore.cluster.es_service).
    type: dict
    required: true
  watched:
    description: C(watched) of M(eventstore.cluster.es_gossip_facts) for the time since the last turn.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the events
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | eventstore.cluster.es_turns(hostvars, ansible_facts.es_gossip.watched) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines, one for each turn and one for the time after; empty if no machine was restarted.
  type: list
  elements: str
"""


def es_turns(hosts: t.Iterable[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], watched: Watched) -> list[str]:
    """Say what the turns have brought about."""
    return turns({host: hostvars[host] for host in hosts}, watched)


class FilterModule:
    """The collection's filter es_turns."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_turns": es_turns}
