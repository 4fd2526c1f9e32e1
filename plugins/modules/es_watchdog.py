#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_watchdog
short_description: Write the watchdog file of an Event Store manager
version_added: 1.0.0
description:
  - Writes the file that names the database nodes which a manager starts and keeps running, one line for each, with C(#)
    and then the node's command line.
  - Refuses what the file cannot express, a relative configuration path, and two nodes with the same configuration. The
    server does not refuse a second process on the same database.
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
    description: The file. Its directory must exist.
    type: path
    required: true
  nodes:
    description:
      - The nodes, each as the list of its arguments, without the program.
      - An argument may have no blank, quote or control character, as nobody knows how a manager would read it.
      - Required unless O(state=absent).
    type: list
    elements: list
  force:
    description:
      - Whether to replace a file that is damaged, so neither UTF-8 nor lines that begin with C(#).
      - Without it such a file is refused, as it may hold what somebody needs. Use it with O(backup).
    type: bool
    default: false
  backup:
    description: Whether to keep a copy of a file that changes.
    type: bool
    default: false
  state:
    description: Whether the file is to be there. V(absent) removes it, whatever is in it.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - The permissions of the file. Not on Windows, where it inherits them from its directory.
      - Without it, a new file gets V(0644), and an existing file keeps its own.
notes:
  - The manager reads the file when it starts. This module restarts nothing.
  - On Windows the file is written with CRLF and without a BOM, as an editor does there. One that differs in nothing
    else is left as it is.
  - Not run on Windows by its authors, but through Ansible's own connections against a simulated host.
seealso:
  - module: eventstore.cluster.es_config
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Have the manager keep one database node running
  eventstore.cluster.es_watchdog:
    path: /etc/eventstore/watchdog.esconfig
    nodes:
      - [--config, /etc/eventstore/database.yaml]

- name: Have the manager keep two database nodes running
  eventstore.cluster.es_watchdog:
    path: /etc/eventstore/watchdog.esconfig
    nodes:
      - [--config, /etc/eventstore/database1.yaml]
      - [--config, /etc/eventstore/database2.yaml]
    backup: true
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /etc/eventstore/watchdog.esconfig
nodes:
  description: The arguments of each node as the file has them.
  returned: success
  type: list
  elements: list
  sample: [["--config", "/etc/eventstore/database.yaml"]]
backup_file:
  description: The copy of the file as it was.
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
