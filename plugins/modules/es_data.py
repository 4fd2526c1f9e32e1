#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_data
short_description: Remove the data of Event Store database nodes
version_added: 2.0.0
description:
  - Removes directories with their content. If a directory is a mount point or is reached through a link, the module
    removes only its content.
  - Fails before anything is removed if another file system is mounted below a directory, or if a path contains a link
    of an account other than C(root) or the user of the task. Links inside the directories are not followed.
  - Fails if a process has a file open in one of the directories, except in check mode.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: linux
options:
  directories:
    description: Absolute paths of the directories. An absent directory is not an error.
    type: list
    elements: path
    required: true
  state:
    description: State of the directories. V(absent) is the only value; it is required so that the task is explicit.
    type: str
    choices: [absent]
    required: true
"""

EXAMPLES = r"""
- name: Remove the database and its index
  eventstore.cluster.es_data:
    directories:
      - /var/lib/eventstore
      - /var/lib/eventstore-index
    state: absent
"""

RETURN = r"""
removed:
  description: Directories that were removed or emptied, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/eventstore]
kept:
  description: Directories that were emptied but not removed, because they are mount points or reached through a link.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import removal

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "directories": {"type": "list", "elements": "path", "required": True},
    "state": {"choices": ["absent"], "required": True},
}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Remove what is there; the result of the module."""
    found = removal.look(module.params["directories"])
    wanted = [each for each in found if not (each.stays and each.is_empty)]
    if not module.check_mode:
        removal.require_unused(wanted)
        for directory in wanted:
            removal.remove(directory)
    removed = sorted(each.path for each in wanted)
    return {
        "changed": bool(removed),
        "removed": removed,
        "kept": sorted(each.path for each in found if each.stays),
        "diff": {"before": {"data": removed}, "after": {"data": []}},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(**run(module))
    except EventStoreError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
