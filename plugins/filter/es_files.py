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
  - Turns a machine of the plan into what O(eventstore.cluster.es_config#module:files) takes.
positional: _input, suffix, directory
options:
  _input:
    description: A machine of the plan that P(eventstore.cluster.es_plan#filter) makes.
    type: dict
    required: true
  suffix:
    description:
      - What is added to the paths, for files beside those in use. A manager's list of its nodes is left out then.
    type: str
    default: ""
  directory:
    description:
      - The directory to write the files to, in place of theirs. A manager's list of its nodes is left out then.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write the files of the machine, or none
  eventstore.cluster.es_config:
    version: "{{ preflight_plan.version }}"
    files: "{{ preflight_plan.hosts[inventory_hostname] | eventstore.cluster.es_files }}"
"""

RETURN = r"""
_value:
  description: For each file C(path), C(kind) and C(options), and for a manager C(nodes).
  type: list
  elements: dict
"""


class FilterModule:
    """The collection's filter es_files."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_files": files}
