# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible half of module_utils/plan/files."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.plan.files import files

DOCUMENTATION = r"""
name: es_files
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 2.0.0
short_description: List the configuration files of one machine of a plan
description:
  - Turns a machine of the plan into the value for O(eventstore.cluster.es_config#module:files).
positional: _input, suffix, directory
options:
  _input:
    description: A machine of the plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  suffix:
    description:
      - Suffix of the paths, for staged files. With a suffix, a manager's list of nodes is omitted.
    type: str
    default: ""
  directory:
    description:
      - Directory for the files, their own instead directories. With a directory, a manager's list of nodes is
        omitted.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write all files of the machine, or none
  eventstore.cluster.es_config:
    version: "{{ preflight_plan.version }}"
    files: "{{ preflight_plan.hosts[inventory_hostname] | eventstore.cluster.es_files }}"
"""

RETURN = r"""
_value:
  description: C(path), C(kind) and C(options) of each file, and C(nodes) of a manager.
  type: list
  elements: dict
"""


class FilterModule:
    """The collection's filter es_files."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_files": files}
