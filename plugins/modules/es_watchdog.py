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

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils import watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    ConfigError,
    EventStoreError,
    WatchdogError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.files import left_alone, read_text, remove, write_text

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "nodes": {"type": "list", "elements": "list"},
    "force": {"type": "bool", "default": False},
    "backup": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES: dict[str, t.Any] = {"required_if": [("state", "present", ("nodes",))]}


def current(module: AnsibleModule) -> tuple[str | None, bool]:
    """The text of the file, and whether it is damaged and may be replaced; an error if it may not."""
    path = module.params["path"]
    try:
        text = read_text(path)
        watchdog.parse(text or "", where=path)
    except (ConfigError, WatchdogError) as error:
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise
        if not module.params["force"]:
            raise left_alone(error) from None
        module.warn(f"The damaged file is replaced: {error}")
        return None, True
    return text, False


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the file to its state; the result of the module."""
    path = module.params["path"]
    if module.params["state"] == "absent":
        return remove(module, path)
    after = watchdog.wanted(module.params["nodes"])
    before, damaged = current(module)
    if not module.check_mode and not os.path.isdir(os.path.dirname(path) or "."):
        raise WatchdogError(
            f"the directory {os.path.dirname(path)} is missing", where=path, hint="Create it first; nothing was written"
        )
    is_new = not os.path.exists(path)
    result: dict[str, t.Any] = {
        "changed": after != before,
        "path": path,
        "nodes": [list(entry.arguments) for entry in watchdog.parse(after)],
    }
    if result["changed"] and not module.check_mode:
        backup_file = write_text(module, path, after, backup=module.params["backup"])
        if backup_file:
            result["backup_file"] = backup_file
    file_arguments = module.load_file_common_arguments(module.params)
    if is_new and file_arguments["mode"] is None:
        file_arguments["mode"] = "0644"
    attributes: dict[str, t.Any] = {}
    result["changed"] = module.set_fs_attributes_if_different(file_arguments, result["changed"], diff=attributes)
    shown = "# Not shown: the file is damaged.\n" if damaged else before or ""
    result["diff"] = [{"before_header": path, "after_header": path, "before": shown, "after": after}]
    if attributes:
        header = f"{path} (owner and permissions)"
        result["diff"].append({"before_header": header, "after_header": header, **attributes})
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
