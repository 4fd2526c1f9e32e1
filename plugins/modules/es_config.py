#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_config
short_description: Write the configuration file of an Event Store node
version_added: 1.0.0
description:
  - Writes the YAML file of a database node or of a manager, so that the server reads back exactly what was asked for.
  - Before anything is written, each name and value is checked against what the given version of the server knows, with
    all problems reported at once. The server itself reports only the first, and reads many wrong values in silence; to
    3.x to 5.x V(no) and V(off) are true.
  - Also works out which value each option has in the end, after defaults, file, environment and command line.
  - From 21.6 on it says whether the server starts. What stops a start is an error, with the exit code of the server and
    the stream that has its reason. The C(--what-if) of these servers does not find most of that.
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
    details: Values of secret options are hidden.
  platform:
    support: full
    platforms: linux, windows
  safe_file_operations:
    support: full
options:
  path:
    description: The file. Its directory must exist. Required unless O(files) is given.
    type: path
  kind:
    description: The kind of node that reads the file. Required unless O(state=absent) or O(files) is given.
    type: str
    choices: [database, manager]
  files:
    description:
      - Several files of one machine in one go, in place of O(path), O(kind) and O(options). All other options are for
        each of them.
      - Nothing is written unless all of them can be. They are then replaced one after the other, each in one step.
      - A run that is killed in between leaves files of two runs, and beside them the file V(.es_config-unfinished) that
        names them. The next run that writes them says so and ends its work; until then M(eventstore.cluster.es_service)
        warns of them where it starts something. There is no such file on Windows.
      - Only with O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description: As O(path).
        type: path
        required: true
      kind:
        description: As O(kind).
        type: str
        choices: [database, manager]
        required: true
      options:
        description: As O(options).
        type: dict
        default: {}
      nodes:
        description:
          - The database nodes that this manager starts, as in O(eventstore.cluster.es_watchdog#module:nodes). They are
            written to the file that C(WatchdogConfig) names, as M(eventstore.cluster.es_watchdog) does.
        type: list
        elements: list
  version:
    description:
      - The version of the server, such as V(3.4.0) or V(24.10.4), from 3.x to 5.x and from 20.6 to 26.1. From 20.6 on
        there is only O(kind=database).
      - The options of 3.4.0, 4.0.3, 4.1.4, 5.0.11, 20.10.6, 21.10.11, 22.10.5, 23.10.6, 24.10.4, 25.0.0, 25.1.4 and
        26.1.0 are known. Where it is not known whether another release has an option, there is a warning.
      - Required unless O(state=absent).
    type: str
  options:
    description:
      - The options and their values, written in this order.
      - Case and dashes do not count in names; they are written as the server declares them.
      - From 24.6 on a section of the server or its plugins, such as C(Licensing), is a dictionary, with
        O(exclusive=true). The server passes over a section that it does not know; here that is an error.
    type: dict
    default: {}
  exclusive:
    description:
      - Whether the file holds O(options) and nothing else.
      - With V(false), other options, comments and the order of the file stay as they are.
    type: bool
    default: true
  unknown_options:
    description:
      - What to do with an option that O(kind) in O(version) is not known to have.
      - Patch releases add options, and the manager's are not all documented; V(warn) and V(allow) write such ones too.
    type: str
    choices: [error, warn, allow]
    default: error
  header:
    description: A comment for the top of the file, used where the file is written as a whole.
    type: str
    default: ""
  environment:
    description: The environment with which the node is started; it is stronger than the file.
    type: dict
    default: {}
  arguments:
    description: The command line with which the node is started; it is stronger than the environment.
    type: list
    elements: str
    default: []
  force:
    description:
      - Whether to replace a file that is damaged, so neither UTF-8 nor a YAML mapping that the server can read.
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
      - Without it, a new file gets V(0644), one with a secret in it V(0640). An existing file keeps its own; only
        others lose their rights where a secret is in it.
notes:
  - Needs PyYAML on a managed Linux host, and on the controller for Windows hosts.
  - On Windows the file is written with CRLF and without a BOM, as an editor does there. The server takes LF, CRLF and a
    BOM, so a file that differs in nothing else is left as it is.
  - On Windows a file is warned of that C(LOCAL SERVICE) does not seem to be allowed to read, after it was written.
  - Not run on Windows by its authors, but through Ansible's own connections against a simulated host.
  - The node reads the file when it starts. This module restarts nothing.
seealso:
  - module: eventstore.cluster.es_watchdog
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Write the configuration of a database node
  eventstore.cluster.es_config:
    path: /etc/eventstore/database.yaml
    kind: database
    version: 3.4.0
    header: "Filename : database.yaml"
    options:
      Db: /srv/es-data
      IntIp: 192.168.1.11
      ExtIp: 192.168.1.11
      DiscoverViaDns: false
      GossipSeed: ["192.168.1.11:30777"]
      ClusterSize: 3

- name: Write all files of a machine, or none
  eventstore.cluster.es_config:
    version: 3.4.0
    files:
      - path: /etc/eventstore/database.yaml
        kind: database
        options: {Db: /srv/es-data, IntIp: 192.168.1.11, ExtIp: 192.168.1.11, ClusterSize: 3}
      - path: /etc/eventstore/manager.yaml
        kind: manager
        options: {IntIp: 192.168.1.11, ExtIp: 192.168.1.11, WatchdogConfig: /etc/eventstore/watchdog.esconfig}
        nodes:
          - [--config, /etc/eventstore/database.yaml]

- name: Change one option and leave the rest of the file alone
  eventstore.cluster.es_config:
    path: /etc/eventstore/database.yaml
    kind: database
    version: 3.4.0
    exclusive: false
    options:
      StatsPeriodSec: 240

- name: Write the configuration of a KurrentDB node
  eventstore.cluster.es_config:
    path: /etc/kurrentdb/kurrentdb.conf
    kind: database
    version: 26.1.0
    options:
      Db: /srv/kurrentdb
      Log: /var/log/kurrentdb
      NodeIp: 192.168.1.11
      ReplicationIp: 192.168.1.11
      ClusterSize: 3
      DiscoverViaDns: false
      GossipSeed: ["es2.example.org:2113", "es3.example.org:2113"]
      CertificateFile: /etc/kurrentdb/node.crt
      CertificatePrivateKeyFile: /etc/kurrentdb/node.key
      TrustedRootCertificatesPath: /etc/kurrentdb/ca

- name: See what wins when the node is started with an environment and a command line
  eventstore.cluster.es_config:
    path: /etc/eventstore/database.yaml
    kind: database
    version: 3.4.0
    exclusive: false
    environment:
      EVENTSTORE_CLUSTER_SIZE: 5
    arguments: [--config, /etc/eventstore/database.yaml]
  check_mode: true
  register: config
  failed_when: config.shadowed | length > 0
"""

RETURN = r"""
files:
  description: For each file, in order, what is returned for a single one; RV(files[].nodes) for a watchdog file.
  returned: with O(files)
  type: list
  elements: dict
  contains:
    nodes:
      description: The arguments of each node.
      returned: for a watchdog file
      type: list
      elements: list
      sample: [[--config, /etc/eventstore/database.yaml]]
path:
  description: The file.
  returned: success
  type: str
  sample: /etc/eventstore/database.yaml
effective:
  description:
    - For each option the value with which the node works, and where it comes from, one of V(<DEFAULT>), V(Config File),
      V(Environment Variable) and V(Command Line); from 21.6 on V(Yaml) and V(Environment Variables).
    - Defaults of paths are those on Linux.
  returned: success
  type: dict
  sample:
    ClusterSize: {value: 3, source: Config File}
    StatsPeriodSec: {value: 30, source: <DEFAULT>}
shadowed:
  description: Options of the file that the environment or the command line overrides.
  returned: success
  type: dict
  sample:
    ClusterSize: {in_file: "3", value: 5, source: Environment Variable}
ignored:
  description:
    - What the server passes over or misreads in silence, each with its place. These, and values that no operator can
      have meant, are warnings too.
  returned: success
  type: list
  elements: str
  sample: ["environment variable EVENTSTORE_INTIP: not known to the server; did you mean EVENTSTORE_INT_IP?"]
backup_file:
  description: The copy of the file as it was.
  returned: changed, with O(backup), if there was a file
  type: str
  sample: /etc/eventstore/database.yaml.2042.2026-11-23@06:12:00~
"""

import functools
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import KINDS
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import wanted
from ansible_collections.eventstore.cluster.plugins.module_utils.files.posix import current, remove, replace
from ansible_collections.eventstore.cluster.plugins.module_utils.host.module import DiscreetModule, require_yaml

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path"},
    "kind": {"type": "str", "choices": list(KINDS)},
    "options": {"type": "dict", "default": {}},
    "files": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": list(KINDS), "required": True},
            "options": {"type": "dict", "default": {}},
            "nodes": {"type": "list", "elements": "list"},
        },
    },
    "version": {"type": "str"},
    "exclusive": {"type": "bool", "default": True},
    "unknown_options": {"type": "str", "choices": ["error", "warn", "allow"], "default": "error"},
    "header": {"type": "str", "default": ""},
    "environment": {"type": "dict", "default": {}},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "force": {"type": "bool", "default": False},
    "backup": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES: dict[str, t.Any] = {
    "required_one_of": [("path", "files")],
    "mutually_exclusive": [("path", "files"), ("kind", "files"), ("arguments", "files")],
    "required_if": [
        ("state", "present", ("version",)),
        ("state", "present", ("kind", "files"), True),
        ("state", "absent", ("path",)),
    ],
}


class ConfigModule(DiscreetModule):
    """A module that knows the secrets among its options."""

    def secrets(self) -> set[str]:
        return wanted.secrets(self.params)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    if params["state"] == "absent":
        return remove(module, params["path"])
    files = wanted.desire_all(params, functools.partial(current, module))
    for warning in (warning for each in files for warning in each.warnings):
        module.warn(warning)
    return wanted.merged(params, replace(module, files))


def main() -> None:
    module = ConfigModule(argument_spec=ARGUMENTS, supports_check_mode=True, add_file_common_args=True, **RULES)
    require_yaml(module)
    try:
        result = run(module)
    except EventStoreError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
