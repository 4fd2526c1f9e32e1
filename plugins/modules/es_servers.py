#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_servers
short_description: Read with what the servers of Event Store on a machine were started
version_added: 2.0.0
description:
  - Finds running managers and database nodes by their configuration files, and reads command line, file, environment
    and account of each. Changes nothing.
  - Only the built-in manager is told from a database node. Not for Windows.
  - The values of options and variables that hold secrets are left out.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
extends_documentation_fragment:
  - eventstore.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: linux
options:
  ip:
    description: The C(IntIp) in the configuration files of the servers.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read with what the servers were started
  eventstore.cluster.es_servers:
    ip: 192.168.1.11
  register: adopt_found
"""

RETURN = r"""
servers:
  description: The servers, database nodes first.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: database
      name: database
      config: /etc/eventstore/database.yaml
      options: {Db: /var/lib/eventstore, IntIp: 192.168.1.11}
      environment: {}
      secrets: []
      command: [/opt/eventstore/4.1.4/eventstored, --config, /etc/eventstore/database.yaml]
      unit: es-orders.service
      user: eventstore
      group: eventstore
      watchdog: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.host.module import require_yaml
from ansible_collections.eventstore.cluster.plugins.module_utils.service.running import servers


def main() -> None:
    module = AnsibleModule(argument_spec={"ip": {"type": "str", "required": True}}, supports_check_mode=True)
    require_yaml(module)
    try:
        module.exit_json(changed=False, servers=servers(module.params["ip"]))
    except EventStoreError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
