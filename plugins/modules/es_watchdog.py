#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_watchdog
short_description: Write the watchdog file of an Event Store manager
version_added: 1.0.0
description:
  - Writes the list of the nodes that a manager starts and keeps running. The file has one line for each node, with C(#)
    and the command line of the node.
  - Refuses arguments that the file cannot express, relative configuration paths, and two nodes with the same
    configuration. The server itself does not refuse a second process on the same database.
extends_documentation_fragment:
  - ansible.builtin.files
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
  - eventstore.cluster.attributes.files
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: linux, windows
  safe_file_operations:
    support: full
options:
  path:
    description: Path of the file. Its directory must exist.
    type: path
    required: true
  nodes:
    description:
      - The nodes, each as a list of its arguments, without the program.
      - An argument must not contain a space, a quote or a control character, because it is not known how the vendor's
        manager reads them.
      - Required unless O(state=absent).
    type: list
    elements: list
  force:
    description:
      - Whether to replace a damaged file, which is not UTF-8 or has lines that do not begin with C(#).
      - With V(false), such a file is refused, because it may contain needed data. Use V(true) with O(backup).
    type: bool
    default: false
  backup:
    description: Whether to keep a copy of a changed file.
    type: bool
    default: false
  state:
    description: Whether the file must exist. V(absent) removes it, whatever its content.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - The permissions of the file. On Windows, the file inherits them from its directory.
      - By default, a new file gets V(0644), and an existing file keeps its permissions.
notes:
  - The manager reads the file when it starts. This module restarts no manager.
  - On Windows the file is written with CRLF and without a BOM. A file that differs only in these is not changed.
  - Not tested on Windows itself, but with Ansible's Windows connections against a simulated host.
seealso:
  - module: eventstore.cluster.es_config
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: List one node for the manager
  eventstore.cluster.es_watchdog:
    path: /etc/eventstore/watchdog.esconfig
    nodes:
      - [--config, /etc/eventstore/database.yaml]

- name: List two nodes for the manager
  eventstore.cluster.es_watchdog:
    path: /etc/eventstore/watchdog.esconfig
    nodes:
      - [--config, /etc/eventstore/database1.yaml]
      - [--config, /etc/eventstore/database2.yaml]
    backup: true
"""

RETURN = r"""
path:
  description: Path of the file.
  returned: success
  type: str
  sample: /etc/eventstore/watchdog.esconfig
nodes:
  description: The arguments of each node in the file.
  returned: success
  type: list
  elements: list
  sample: [["--config", "/etc/eventstore/database.yaml"]]
backup_file:
  description: The copy of the file before the change.
  returned: changed, with O(backup), if there was a file
  type: str
  sample: /etc/eventstore/watchdog.esconfig.2042.2026-11-23@06:12:00~
"""

import functools
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.config import watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.posix import current, remove, replace
from ansible_collections.eventstore.cluster.plugins.module_utils.files.wanted import (
    desire_watchdog,
    refuse_damaged_watchdog,
)

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "nodes": {"type": "list", "elements": "list"},
    "force": {"type": "bool", "default": False},
    "backup": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES: dict[str, t.Any] = {"required_if": [("state", "present", ("nodes",))]}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the file to its state; the result of the module."""
    path, nodes = module.params["path"], module.params["nodes"]
    if module.params["state"] == "absent":
        return remove(module, path)
    watchdog.wanted(nodes)  # what was asked for is refused before what is there
    before, damaged = current(module, path, functools.partial(refuse_damaged_watchdog, where=path))
    (result,) = replace(module, [desire_watchdog(path, nodes, before, damaged=damaged)])
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, add_file_common_args=True, **RULES)
    try:
        result = run(module)
    except EventStoreError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
