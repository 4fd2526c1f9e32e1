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
short_description: Say what the turns of a rolling restart or upgrade have brought about
description:
  - Elections, epochs, two masters at once, nodes that ended by themselves or were started again, for each machine that
    was restarted in this play and for the time after the last one. A roll that ended well can have had all of them.
positional: _input, hostvars, watched
options:
  _input:
    description: The machines.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variable C(hostvars), in which the role C(services) has registered what
        M(eventstore.cluster.es_service) returned.
    type: dict
    required: true
  watched:
    description: C(watched) of M(eventstore.cluster.es_gossip_facts), of the time since the last turn.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what happened
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
