# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/plan/services."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.services import services

DOCUMENTATION = r"""
name: es_services
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: List the services of one machine of a plan
description:
  - Turns a machine of the plan into what M(eventstore.cluster.es_service) takes. The manager starts the database nodes
    of its machine; on a machine without a manager, each database node is a service.
options:
  _input:
    description: A machine of the plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the names of the services of this machine
  ansible.builtin.debug:
    msg: "{{ preflight_plan.hosts[inventory_hostname] | eventstore.cluster.es_services | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description:
    - For each service C(name), C(kind), C(executable), C(config), C(arguments), C(environment) and C(writable), options
      of M(eventstore.cluster.es_service), and C(files), the configuration files of the service and of its nodes.
  type: list
  elements: dict
"""


class FilterModule:
    """The collection's filter es_services."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_services": services}
