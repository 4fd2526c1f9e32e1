#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_preflight
short_description: Check that a machine can run its part of an Event Store cluster
version_added: 1.0.0
description:
  - Checks one machine before anything is written to it. The module checks addresses, ports, accounts, directories, disk
    space, existing files, the clock, and the DNS name of the cluster as this machine resolves it.
  - Changes nothing, and does not fail if it finds problems. It returns them, so that a play can show the problems of
    all machines together.
options:
  plan:
    description:
      - The part of the plan for this machine. This is C(hosts[inventory_hostname]) from the result of the filter
        P(eventstore.cluster.es_plan#filter), plus C(dns) and C(provider) of the whole plan.
      - Options and environment of the servers, which can contain secrets, are not sent to the machine.
    type: dict
    required: true
  controller_time:
    description:
      - Unix time of the controller, for the comparison with the machine's clock. The action plugin sets it.
    type: float
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The module changes nothing.
  platform:
    platforms: linux, windows
    support: full
notes:
  - On Windows the module does not check permissions of directories, accounts, and firewalls.
  - Not tested on Windows itself, but with Ansible's Windows connections against a simulated host.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Check the machine
  eventstore.cluster.es_preflight:
    plan: "{{ plan.hosts[inventory_hostname] | combine({'dns': plan.dns, 'provider': plan.provider}) }}"
  vars:
    plan: "{{ groups['eventstore'] | eventstore.cluster.es_plan(hostvars) }}"
  register: inspection

- name: Fail if the machine cannot run its part
  ansible.builtin.fail:
    msg: "{{ inspection.problems | map(attribute='text') | join('; ') }}"
  when: inspection.problems | length > 0
"""

RETURN = r"""
problems:
  description: Problems that block the deployment. Empty if there are none.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: The code of the problem.
      type: str
      sample: port-taken
    text:
      description: What was expected and what was found.
      type: str
      sample: 192.168.1.11:2113 is taken by process 4711 (python3 -m http.server)
    hint:
      description: What to do.
      type: str
      sample: Stop process 4711, or plan another port
    where:
      description: Name of the host, and the file or address where the text does not name it.
      type: str
      sample: node1
  sample: []
notes:
  description: Advice that does not block the deployment.
  returned: always
  type: list
  elements: str
  sample: []
software_installed:
  description: Whether the node's program of the planned version is installed.
  returned: always
  type: bool
  sample: false
unreached_peers:
  description:
    - Problems with C(host), the name of another machine of the plan. The ports of that machine do not answer and do not
      refuse connections. These problems matter only if that machine is running.
  returned: always
  type: list
  elements: dict
  sample: []
absent_user:
  description: The account of the services, if it must be created; otherwise null.
  returned: always
  type: str
  sample: eventstore
absent_group:
  description: The group of the services, if it must be created; otherwise null.
  returned: always
  type: str
  sample: eventstore
running:
  description: The planned services that are running, found by their configuration files.
  returned: always
  type: list
  elements: dict
  sample:
    - service: es-cluster1
      config: /etc/eventstore/manager.yaml
      pid: 4711
nodes:
  description:
    - Of each planned database node C(name), whether it is C(running), and C(cluster_size), the ClusterSize of its
      process, else of its configuration file; null if neither is there.
  returned: always
  type: list
  elements: dict
  sample:
    - name: database
      running: true
      cluster_size: 3
last_versions:
  description:
    - The version that each planned service last ran, from its unit or pid file, whether it runs now or not. For a
      service with data but without a unit or pid file, the installed version, if it is not the planned one. A service
      whose version is not known is omitted.
  returned: on Linux
  type: dict
  sample: {es-cluster1: 3.4.0}
full_stop_mark:
  description: The marker file of a full stop upgrade to the planned version.
  returned: on Linux
  type: str
  sample: /etc/eventstore/database.yaml.4.0.3.full-stop
full_stop_begun:
  description: Whether the marker file exists, because a full stop upgrade has started and has not finished.
  returned: on Linux
  type: bool
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.preflight import inspect


def main() -> None:
    module = AnsibleModule(
        argument_spec={"plan": {"type": "dict", "required": True}, "controller_time": {"type": "float"}},
        supports_check_mode=True,
    )
    try:
        result = inspect(module.params["plan"], controller_time=module.params["controller_time"])
    except EventStoreError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
