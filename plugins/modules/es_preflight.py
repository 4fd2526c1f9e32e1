#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_preflight
short_description: Look whether a machine can run its part of an Event Store cluster
version_added: 1.0.0
description:
  - Looks at one machine before anything is written there. Its addresses and ports, accounts, directories, disk space,
    existing files, clock, and the DNS name of the cluster as this machine sees it.
  - Changes nothing, and does not fail because of what it finds. It returns the problems, so that those of all machines
    can be shown together.
options:
  plan:
    description:
      - The plan of this machine, C(hosts[inventory_hostname]) of what the filter P(eventstore.cluster.es_plan#filter)
        returns, with C(dns) and C(provider) of the whole plan added.
      - Options of nodes and managers and their environment, which can hold secrets, do not reach the machine.
    type: dict
    required: true
  controller_time:
    description:
      - Unix time of the controller, to compare the machine's clock with. The action plugin sets it.
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
    details: Nothing is ever changed.
  platform:
    platforms: linux, windows
    support: full
notes:
  - On Windows it does not look at who may write to the directories, at accounts and at firewalls.
  - Not run on Windows by its authors, but through Ansible's own connections against a simulated host.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Look at the machine
  eventstore.cluster.es_preflight:
    plan: "{{ plan.hosts[inventory_hostname] | combine({'dns': plan.dns, 'provider': plan.provider}) }}"
  vars:
    plan: "{{ groups['eventstore'] | eventstore.cluster.es_plan(hostvars) }}"
  register: look

- name: Refuse a machine that cannot run its part
  ansible.builtin.fail:
    msg: "{{ look.problems | map(attribute='text') | join('; ') }}"
  when: look.problems | length > 0
"""

RETURN = r"""
problems:
  description: What stands in the way; empty if nothing does.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: A word that stands for the kind of problem.
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
  description: What is worth knowing and stands in nobody's way.
  returned: always
  type: list
  elements: str
  sample: []
software_installed:
  description: Whether the database node's program of the planned version is there.
  returned: always
  type: bool
  sample: false
unreached_peers:
  description:
    - Problems, with C(host), another machine of the plan at whose ports this one gets no answer, not even a refusal.
      They count only if that machine is switched on, which this one cannot know.
  returned: always
  type: list
  elements: dict
  sample: []
absent_user:
  description: The account that the services are to run under and that has to be made; null if it is there.
  returned: always
  type: str
  sample: eventstore
absent_group:
  description: The group that has to be made; null if it is there.
  returned: always
  type: str
  sample: eventstore
running:
  description: The planned services that run already, by the configuration file they were started with.
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
    - The version that each planned service was started in last, whether it runs or not, as its unit or pid file tells.
      Of a service that has data and has left no trace, the version of the software that is there, if it is not the
      planned one. What is not known is not in it.
  returned: on Linux
  type: dict
  sample: {es-cluster1: 3.4.0}
full_stop_mark:
  description: The file that tells of a full stop for an upgrade to the planned version.
  returned: on Linux
  type: str
  sample: /etc/eventstore/database.yaml.4.0.3.full-stop
full_stop_begun:
  description: Whether it is there, as such a stop was begun and has not come to its end.
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
