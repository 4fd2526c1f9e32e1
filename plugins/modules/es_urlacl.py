#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_urlacl
short_description: Reserve the URLs of managers and nodes on Windows
version_added: 1.0.0
description:
  - A Windows service may listen on an HTTP URL only if the URL is reserved for its account.
    Event Store needs four reservations on each machine, for the internal and the external HTTP URL of the manager
    and of the node.
  - The module compares rights and accounts, not text, so the language of Windows does not matter. It replaces a wrong
    reservation, reads the new one, and restores the old one if the new one has no effect.
  - Runs C(netsh http show urlacl), C(add) and C(delete) through the connection and needs no Python on the host. The
    account of the connection must be an administrator.
  - Linux has no URL reservations; the module fails there.
options:
  url:
    description:
      - The URL to reserve, for example V(http://192.168.1.11:2112/).
      - It must equal the prefix that the process registers. For Windows, the host V(+), the host V(*), an address and a
        name are different prefixes. A missing slash at the end is added.
    type: str
  urls:
    description:
      - Several URLs to reserve for the same account.
    type: list
    elements: str
  user:
    description:
      - The account for which the URLs are reserved. A SID, a name that the host can resolve, or the English name of a
        built-in account, whatever the language of Windows.
    type: str
    default: NT AUTHORITY\LOCAL SERVICE
  sddl:
    description:
      - The security descriptor of the reservation, such as V(D:(A;;GX;;;LS\)), instead of O(user), O(listen) and
        O(delegate).
    type: str
  listen:
    description:
      - Whether the account may listen on the URLs.
    type: bool
    default: true
  delegate:
    description:
      - Whether the account may delegate the reservation to other accounts.
    type: bool
    default: false
  state:
    description:
      - Whether the reservations must exist.
    type: str
    choices: [present, absent]
    default: present
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
    platforms: windows
notes:
  - The module does not change reservations of other prefixes on the same ports, and reports them in RV(conflicts).
    Because of them, Windows can refuse the URL to a node, or send requests to another process.
  - C(become) and C(async) are refused on Windows hosts, because they would have no effect.
  - Not tested on Windows itself, but with Ansible's Windows connections against a simulated host.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Reserve the URLs of the manager and of its node
  eventstore.cluster.es_urlacl:
    urls:
      - http://192.168.1.11:2112/
      - http://192.168.1.11:2113/
      - http://192.168.1.11:30777/
      - http://192.168.1.11:30778/

- name: Remove one reservation
  eventstore.cluster.es_urlacl:
    url: http://192.168.1.11:2112/
    state: absent
"""

RETURN = r"""
urls:
  description: The URLs of the task.
  returned: success
  type: list
  elements: str
  sample: ["http://192.168.1.11:2112/"]
sddl:
  description: The descriptor of the URLs, or in check mode the one that they would have. Empty with O(state=absent).
  returned: success
  type: str
  sample: D:(A;;GX;;;LS)
conflicts:
  description: Reservations of other prefixes on the same ports, each with the reason of the conflict.
  returned: success
  type: list
  elements: dict
  sample:
    - url: http://192.168.1.10:2112/
      sddl: D:(A;;GX;;;LS)
      reason: "stale: the same account, another prefix on the port of http://192.168.1.11:2112/"
commands:
  description: The commands that changed something, or would have in check mode.
  returned: changed
  type: list
  elements: str
  sample: ["netsh.exe http add urlacl url=http://192.168.1.11:2112/ sddl=D:(A;;GX;;;LS)"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str"},
    "urls": {"type": "list", "elements": "str"},
    "user": {"type": "str", "default": r"NT AUTHORITY\LOCAL SERVICE"},
    "sddl": {"type": "str"},
    "listen": {"type": "bool", "default": True},
    "delegate": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES: dict[str, t.Any] = {
    "mutually_exclusive": [("url", "urls"), ("sddl", "user")],
    "required_one_of": [("url", "urls")],
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, **RULES)
    module.fail_json(
        msg="es_urlacl: not on this platform. URL reservations exist on Windows only. Run the task on Windows hosts "
        "only, for example with include_tasks."
    )


if __name__ == "__main__":
    main()
