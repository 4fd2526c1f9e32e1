#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_urlacl
short_description: Reserve the URLs of managers and database nodes on Windows
version_added: 1.0.0
description:
  - A Windows service may listen on an HTTP URL only when the URL is reserved for its account.
    Event Store needs four reservations on each machine, the internal and the external HTTP URL of the manager
    and of the database node.
  - Rights and accounts are compared, not text, in whatever language Windows speaks. A reservation that is wrong is
    replaced, read back, and put back as it was if the new one does not take.
  - Runs C(netsh http show urlacl), C(add) and C(delete) through the connection, so it needs no Python on the host. The
    account of the connection has to be an administrator.
  - Linux has no such reservations; there the module fails.
options:
  url:
    description:
      - The URL to reserve, for example V(http://192.168.1.11:2112/).
      - It must equal the prefix that the process registers. The host V(+), the host V(*), an address and a name are
        different prefixes to Windows. A slash at the end is added where it is missing.
    type: str
  urls:
    description:
      - Several URLs to reserve for the same account.
    type: list
    elements: str
  user:
    description:
      - The account for which the URLs are reserved. A SID, a name that the host can resolve, or the English name of an
        account that every Windows has, in whatever language it calls it.
    type: str
    default: NT AUTHORITY\LOCAL SERVICE
  sddl:
    description:
      - The security descriptor of the reservation, such as V(D:(A;;GX;;;LS\)), in place of O(user), O(listen) and
        O(delegate).
    type: str
  listen:
    description:
      - Whether the account may listen on the URLs.
    type: bool
    default: true
  delegate:
    description:
      - Whether the account may give the reservation to others.
    type: bool
    default: false
  state:
    description:
      - Whether the reservations are to exist.
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
  - Reservations of other prefixes on the same ports are left alone and told in RV(conflicts). With them Windows can
    refuse a node its URL, or lead requests elsewhere.
  - C(become) and C(async) are refused on Windows hosts, as they would have no effect.
  - Not run on Windows by its authors, but through Ansible's own connections against a simulated host.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Reserve the URLs of the manager and of its database node
  eventstore.cluster.es_urlacl:
    urls:
      - http://192.168.1.11:2112/
      - http://192.168.1.11:2113/
      - http://192.168.1.11:30777/
      - http://192.168.1.11:30778/

- name: Take one reservation back
  eventstore.cluster.es_urlacl:
    url: http://192.168.1.11:2112/
    state: absent
"""

RETURN = r"""
urls:
  description: The URLs that the task is about.
  returned: success
  type: list
  elements: str
  sample: ["http://192.168.1.11:2112/"]
sddl:
  description: The descriptor that the URLs have, or in check mode would have. Empty with O(state=absent).
  returned: success
  type: str
  sample: D:(A;;GX;;;LS)
conflicts:
  description: Reservations of other prefixes on the same ports, each with the reason why it is one.
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
        msg="es_urlacl: not on this platform. URL reservations exist on Windows only; this host needs none. "
        "Run the task on Windows hosts only, for example in a file that is included for them."
    )


if __name__ == "__main__":
    main()
