#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_service
short_description: Start, stop, install and check the service of a manager or of a node
version_added: 1.0.0
description:
  - Runs a manager or a node as a service, and checks that the server works. A running process alone is not enough; a
    server whose port is in use can report its exit and keep running.
  - A service is started when its process runs, its external HTTP port belongs to the process, and the server answers
    there (V(/info) of a node, V(/gossip) of a manager). M(eventstore.cluster.es_gossip_facts) checks the state of the
    cluster.
  - Before a start, the module checks that the executable exists, the configuration is valid, the addresses are on this
    machine, the ports are free, and no other process runs with the same file or has the database open. It reports all
    problems at once. The server itself does not refuse a second process on its database. Before a restart, the module
    makes these checks before the stop.
  - The module never restarts a running service because of RV(restart_needed); the play decides this.
  - A service that runs a node of a cluster is stopped only if the cluster keeps its quorum. See O(cluster).
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
  - eventstore.cluster.attributes.files
attributes:
  action:
    support: full
  check_mode:
    support: full
    details: In check mode, the executable, the configuration, the user and O(run_dir) may be missing.
  diff_mode:
    support: full
    details: Shows only the names of O(environment).
  platform:
    support: full
    platforms: linux, windows
  safe_file_operations:
    support: full
options:
  name:
    description: The name of the service.
    type: str
    required: true
  kind:
    description: The kind of server. A kind that contradicts the running process is refused.
    type: str
    choices: [manager, database]
    required: true
  state:
    description:
      - V(started) starts the service if it is stopped, and waits until the server answers.
      - V(stopped) stops the service and all its processes. V(restarted) stops and starts it.
      - V(installed) creates the unit of systemd without a start or a stop. With O(provider=process) it creates only
        O(run_dir).
      - V(absent) stops the service, then removes its unit or its pid file.
    type: str
    choices: [started, stopped, restarted, installed, absent]
    default: started
  provider:
    description:
      - The program that runs the service. V(auto) is V(systemd) on machines that were booted with it, V(windows) on
        Windows hosts, and otherwise V(process).
      - V(systemd) writes the unit V(/etc/systemd/system/NAME.service). If a package has installed a unit of that name,
        the module adds a drop-in and does not change the unit.
      - V(process) starts a plain daemon, which is not restarted after an exit or a boot.
      - V(windows) is the service control manager of a Windows host.
    type: str
    choices: [auto, systemd, windows, process]
    default: auto
  enabled:
    description:
      - Whether the service starts with the machine. Only for systemd, where the default for an installed service is
        V(true).
    type: bool
  executable:
    description:
      - The absolute path of the program. The Python of this module runs a program that ends in V(.pyz).
      - Required to start or install.
    type: path
  config:
    description:
      - The configuration file, passed to the program with C(--config).
      - Required to start or install. Set it for a stop too. With it, the module finds nodes that still run although
        their manager, or a wrapper such as C(run-node.sh), has ended.
    type: path
  version:
    description: The version of the server, such as V(3.4.0), from 3.x to 5.x. It determines the known options.
    type: str
    default: 3.4.0
  arguments:
    description:
      - Additional command-line arguments, after C(--config). They contain C(--node-executable) of the built-in manager.
        With it and the watchdog file, V(stopped) also finds nodes that still run although their manager has ended.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment variables of the process. In addition it gets only PATH, LANG, HOME and USER.
      - A node also gets LD_LIBRARY_PATH, because the vendor's archive has its libraries next to the executable. It runs
        in that directory, which contains its log configuration and its web UI.
      - Values are hidden if their name looks like that of a secret. systemd reads the variables from
        V(/etc/systemd/system/NAME.env), which only root can read.
    type: dict
    default: {}
  user:
    description: The user of the service. By default root with systemd, and the user of the task with a plain process.
    type: str
  group:
    description: The group of the service. By default the group of O(user).
    type: str
  run_dir:
    description:
      - The directory for pid and state files. With O(provider=process), it contains the pid file V(NAME.pid) and the
        output V(NAME.out). Output is appended; a start renames a file of more than 10 MiB.
      - The directory belongs to the user of the task; the module takes it back from O(user) if necessary. A manager
        owns the directory V(NAME) in it, for its state file. Below V(/run), systemd creates V(NAME) at every start.
    type: path
    default: /run/eventstore
  writable:
    description:
      - The directories that the service writes to, in addition to O(run_dir). They are the directories of its database
        and its logs, and for a manager also those of its nodes.
      - With systemd, the service can write only to these directories, and starts only if their disks are mounted.
        Without this option it can write everywhere except to C(/usr), C(/boot) and C(/etc).
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds until a started service must answer, and until a stopping service is killed.
    type: int
    default: 60
  cluster:
    description:
      - The cluster of the nodes of this service. A service that runs a node of a cluster is stopped, restarted or
        removed only if the other nodes keep the quorum. The module finds the nodes of the service by its processes. A
        wrapper and the node that it has started are one node.
      - The module queries all endpoints immediately before the stop. It refuses the stop unless all nodes agree on one
        master that answers, a majority of O(cluster.cluster_size) stays in sync and caught up without these nodes, and
        no node started and no election happened within O(cluster.settle). During its work it holds a lease from a
        majority of the built-in managers, so that no other controller stops a node. Without managers, a lock file on
        the controller for each endpoint prevents concurrent stops by the same user. It does not prevent concurrent
        stops by other users or controllers.
      - Immediately before the stop, the module renews the lease and checks the age of the last answers, on a clock that
        includes suspended time. If they are older than 5 seconds, it queries the cluster again. Without managers, the
        module does not detect a pause of a virtual machine that the clock of this machine does not show.
      - After V(restarted), the module waits until the nodes are in sync and caught up, all nodes that were in sync
        before are in sync again, and the cluster was calm for O(cluster.calm). RV(watched) contains the events in this
        time.
      - Without O(cluster), a running node of a cluster with several nodes is not stopped. A stopped service, or a node
        with C(ClusterSize) 1, does not need it.
    type: dict
    suboptions:
      name:
        description: The cluster's name, for messages and for O(cluster.override).
        type: str
        required: true
      endpoints:
        description:
          - Endpoints to query, as in M(eventstore.cluster.es_gossip_facts). Required without O(cluster.override).
        type: list
        elements: raw
      cluster_size:
        description: The cluster size. If C(ClusterSize) of the nodes is larger, the module uses that.
        type: int
      settle:
        description: Settle time. Seconds before the stop without an election and without a start of a node.
        type: float
        default: 1.0
      wait:
        description: Seconds to wait for the lease, and for the cluster to be ready for the stop.
        type: float
        default: 15.0
      stall:
        description: Seconds without progress of a restarted node after which the module fails.
        type: float
        default: 120.0
      calm:
        description:
          - Seconds after a restart with one master, one epoch, and no start and no exit of a node. A node that rejoins
            can cause elections, and these can end other nodes.
          - With less than 2 seconds, the next stop of the same play waits for the rest.
        type: float
        default: 2.0
      override:
        description:
          - The cluster's name again, typed by the operator, to skip the check of the quorum. The cluster may lose its
            quorum.
        type: str
      break_lease:
        description: The owner of a lease to release. The refusal of a stop names the owner.
        type: str
      owner:
        description: Owner of the lease. By default, user and process on the controller, and the host of the task.
        type: str
      seen:
        description:
          - RV(seen) of another restart, with the seconds since then added. If the state of the cluster is still the
            same, these seconds count towards O(cluster.settle). The stop waits until the cluster was calm for 2
            seconds. By default, RV(seen) of the previous restart in the same play.
        type: dict
        suboptions:
          state:
            description: The state of the cluster.
            type: str
            required: true
          seconds:
            description: Seconds for which the cluster had this state.
            type: float
            required: true
          calm:
            description: Seconds up to now with one master, one epoch, and no start and no exit of a node.
            type: float
            default: 0.0
  start_empty:
    description:
      - A file next to the configuration, with C(.data) after the name, records the directory of a node's database. If
        that database is missing, and the same database is not in the directory of the node's options, the module does
        not start the node. Its disk may not be mounted, or its data may be in another directory. If all nodes started
        empty, all data would be lost.
      - With V(true), the module removes this file, and the node starts empty and replicates from scratch. First, the
        module queries the endpoints of O(cluster), and refuses the start unless the other nodes have quorum.
    type: bool
    default: false
  upgrade:
    description:
      - Makes the restart an upgrade to O(version). Between the stop and the start, the staged file of each of
        O(upgrade.files), with C(.) and O(version) after its name, replaces the file if it exists. The replaced file is
        kept, with C(.) and O(upgrade.from) after its name.
      - If the new version does not start, keeps exiting, or does not join the cluster, the module restores and starts
        the previous version with its files (see O(upgrade.revive)), and fails with the reason.
      - Only with O(state=restarted). A stopped service is started.
    type: dict
    suboptions:
      from:
        description: The version before the upgrade.
        type: str
        required: true
      executable:
        description: O(executable) of the previous version, if it differs.
        type: path
      arguments:
        description: O(arguments) of the previous version.
        type: list
        elements: str
        default: []
      files:
        description: The configuration files of the service, O(config) among them.
        type: list
        elements: path
        required: true
      revive:
        description:
          - Whether to restore and start the previous version if the new version fails. With V(false), the service stays
            stopped with the files of the new version, which may have opened the database, and a boot starts that
            version again. Use V(false) for an upgrade that stops all nodes, because an old node next to new ones would
            form a separate cluster.
        type: bool
        default: true
notes:
  - Needs PyYAML on a managed Linux host, and on the controller for Windows hosts.
  - On Windows, only managers are supported. O(executable) is the vendor's C(EventStore.WindowsManager.exe), which
    installs and removes the service. C(net) starts and stops it. The state comes from the service control manager, and
    the controller queries the manager. O(arguments), O(environment), O(user) and O(group) are refused, and O(run_dir)
    is not used.
  - On Windows, the module finds the nodes of a service by the files of the manager and by the ports in use.
  - Not tested on Windows itself, but with Ansible's Windows connections against a simulated host.
  - A manager stops its nodes when it stops. The nodes of a crashed manager keep running, and the next manager adopts
    them.
seealso:
  - module: eventstore.cluster.es_config
  - module: eventstore.cluster.es_watchdog
  - module: eventstore.cluster.es_gossip_facts
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Start a manager, which starts its nodes
  eventstore.cluster.es_service:
    name: es-cluster1
    kind: manager
    executable: /opt/eventstore/es-manager.pyz
    config: /etc/eventstore/manager.yaml
    arguments: [--node-executable, /opt/eventstore/3.4.0/eventstored]
    user: eventstore
    writable: [/var/lib/eventstore, /var/log/eventstore]
  register: manager

- name: Restart the manager if a restart is pending
  eventstore.cluster.es_service:
    name: es-cluster1
    kind: manager
    state: restarted
    executable: /opt/eventstore/es-manager.pyz
    config: /etc/eventstore/manager.yaml
    arguments: [--node-executable, /opt/eventstore/3.4.0/eventstored]
    user: eventstore
    writable: [/var/lib/eventstore, /var/log/eventstore]
    cluster:
      name: cluster1
      cluster_size: 3
      endpoints:
        - {name: node1/database, kind: database, address: "192.168.1.11:2113", internal: "192.168.1.11:2112"}
        - {name: node2/database, kind: database, address: "192.168.1.12:2113", internal: "192.168.1.12:2112"}
        - {name: node3/database, kind: database, address: "192.168.1.13:2113", internal: "192.168.1.13:2112"}
        - {name: node1/manager, kind: manager, address: "192.168.1.11:30778", internal: "192.168.1.11:30777"}
        - {name: node2/manager, kind: manager, address: "192.168.1.12:30778", internal: "192.168.1.12:30777"}
        - {name: node3/manager, kind: manager, address: "192.168.1.13:30778", internal: "192.168.1.13:30777"}
  when: manager.restart_needed | length > 0

- name: Start a node without a manager, and wait long enough for a large index
  eventstore.cluster.es_service:
    name: es-cluster1-database
    kind: database
    version: 5.0.11
    executable: /opt/eventstore/5.0.11/eventstored
    config: /etc/eventstore/database.yaml
    timeout: 900

- name: Stop a manager and its nodes without the check of the quorum
  eventstore.cluster.es_service:
    name: es-cluster1
    kind: manager
    state: stopped
    config: /etc/eventstore/manager.yaml
    arguments: [--node-executable, /opt/eventstore/3.4.0/eventstored]
    cluster:
      name: cluster1
      override: "{{ stop_cluster }}"  # -e stop_cluster=cluster1
"""

RETURN = r"""
codes:
  description: The problem codes for which a stop or an empty start was refused; the page of problem codes lists them.
  returned: failure
  type: list
  elements: str
  sample: [no-majority]
status:
  description: The state as the provider reports it. In check mode the state before the task.
  returned: success
  type: str
  sample: active (running)
pid:
  description: The pid of the main process.
  returned: success
  type: int
  sample: 812
processes:
  description: The processes of the service, including the nodes of a manager, and the addresses on which they listen.
  returned: on Linux
  type: list
  elements: dict
  sample:
    - pid: 812
      command: [/usr/bin/python3, /opt/eventstore/es-manager.pyz, --config, /etc/eventstore/manager.yaml]
      listening: ["192.168.1.11:30777", "192.168.1.11:30778"]
restart_needed:
  description: Reasons for a pending restart. Empty if a restart would change nothing.
  returned: success
  type: list
  elements: str
  sample: ["/etc/eventstore/manager.yaml was written after pid 812 was started"]
stop_all_needed:
  description:
    - Options that differ between the files and the running processes, and that must change on all nodes together. A
      node that is restarted alone could not rejoin the cluster.
  returned: success
  type: list
  elements: str
  sample: [IntTcpPort]
answer:
  description: The answer of the server. Version and state of a node; address and members of a manager.
  returned: success
  type: dict
  sample: {url: "http://192.168.1.11:2113/info", version: 3.4.0.0, state: master}
start_mode:
  description: The start mode of the Windows service.
  returned: on Windows
  type: str
  sample: delayed
recovery:
  description: The action of Windows after the first, second and further failures of the service.
  returned: on Windows
  type: list
  elements: str
  sample: [restart after 5000 ms]
seen:
  description: The state of the cluster after a restart, and the seconds for which it had this state.
  returned: after a restart with O(cluster)
  type: dict
  sample:
    state: "master 192.168.1.11:2112, epoch 4, in sync: 192.168.1.11:2112 c0c063f9-481d-41e2-aee3-309a9b61c87f"
    seconds: 0.4
    calm: 1.1
watched:
  description:
    - Events in the cluster since the last sweep before the stop, as C(watched) of
      M(eventstore.cluster.es_gossip_facts), without the requested restart.
    - C(stopped_s), C(answered_s) and C(in_sync_s) are the seconds from C(began) until the stop was sent, and until the
      restarted nodes answered and were in sync. A value that was not observed is omitted.
    - C(back_s) is the time in seconds from the stop until the nodes were in sync and caught up. C(copied_bytes) is the
      largest number of bytes that they were behind.
    - The module also shows them as one line, and as a warning if data may be lost.
  returned: after a restart with O(cluster)
  type: dict
  sample:
    began: "2026-11-28T11:54:55Z"
    seconds: 12.4
    sweeps: 118
    calm_s: 2.1
    elections: 1
    epochs: [5, 6]
    masters: [node1/database, node2/database]
    two_masters_s: 0.0
    two_masters: []
    no_quorum_s: 0.0
    restarted: []
    ended: []
    stopped_s: 3.1
    answered_s: 5.6
    in_sync_s: 9.8
    back_s: 9.7
    copied_bytes: 1048576
commands:
  description: The commands that changed something, or would have in check mode.
  returned: on Windows, changed
  type: list
  elements: str
  sample: [net.exe start es-cluster1]
unit:
  description: Path of the unit or of the drop-in.
  returned: with systemd
  type: str
  sample: /etc/systemd/system/es-cluster1.service
"""

import time

# Most of a module's time goes to the imports below, and what the controller has seen grows older during them.
BEGAN = time.monotonic()

import os
import signal
import socket
import sys
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet, deployed_option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import tells_of_secret
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    ConfigError,
    EventStoreError,
    ServiceError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.files import journal
from ansible_collections.eventstore.cluster.plugins.module_utils.files.posix import read_text
from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts, procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.host.module import DiscreetModule, require_yaml
from ansible_collections.eventstore.cluster.plugins.module_utils.service import systemd
from ansible_collections.eventstore.cluster.plugins.module_utils.service.control import Control
from ansible_collections.eventstore.cluster.plugins.module_utils.service.daemon import ProcessProvider
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import Definition, Provider
from ansible_collections.eventstore.cluster.plugins.module_utils.service.processes import Running
from ansible_collections.eventstore.cluster.plugins.module_utils.service.staged_files import StagedFiles
from ansible_collections.eventstore.cluster.plugins.module_utils.service.states import PRESENT, STOPS, Outcome
from ansible_collections.eventstore.cluster.plugins.module_utils.service.upgrade import Upgrade
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping import permission

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["manager", "database"], "required": True},
    "state": {
        "type": "str",
        "choices": ["started", "stopped", "restarted", "installed", "absent"],
        "default": "started",
    },
    "provider": {"type": "str", "choices": ["auto", "systemd", "windows", "process"], "default": "auto"},
    "enabled": {"type": "bool"},
    "executable": {"type": "path"},
    "config": {"type": "path"},
    "version": {"type": "str", "default": "3.4.0"},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "user": {"type": "str"},
    "group": {"type": "str"},
    "run_dir": {"type": "path", "default": "/run/eventstore"},
    "writable": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 60},
    "start_empty": {"type": "bool", "default": False},
    "cluster": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "endpoints": {"type": "list", "elements": "raw"},
            "cluster_size": {"type": "int"},
            "settle": {"type": "float", "default": 1.0},
            "wait": {"type": "float", "default": 15.0},
            "stall": {"type": "float", "default": 120.0},
            "calm": {"type": "float", "default": 2.0},
            "override": {"type": "str"},
            "break_lease": {"type": "str"},
            "owner": {"type": "str"},
            "seen": {
                "type": "dict",
                "options": {
                    "state": {"type": "str", "required": True},
                    "seconds": {"type": "float", "required": True},
                    "calm": {"type": "float", "default": 0.0},
                },
            },
        },
    },
    "upgrade": {
        "type": "dict",
        "options": {
            "from": {"type": "str", "required": True},
            "executable": {"type": "path"},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "path", "required": True},
            "revive": {"type": "bool", "default": True},
        },
    },
}
RULES: dict[str, t.Any] = {"required_if": [("state", state, ("executable", "config")) for state in PRESENT]}


class ServiceModule(DiscreetModule):
    """A module that knows the secrets in what a service is started with."""

    def secrets(self) -> set[str]:
        return _secrets(self.params)


def _secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    found = {str(value) for name, value in params["environment"].items() if tells_of_secret(str(name))}
    words = params["arguments"]
    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        if word.startswith("-") and tells_of_secret(name):
            found.add(value if equals else following)
    return found - {""}


def _definition(params: t.Mapping[str, t.Any]) -> Definition:
    executable, config = params["executable"], params["config"]
    environment = {str(name): str(value) for name, value in params["environment"].items()}
    argv: list[str] = []
    if executable and config:
        python = [sys.executable] if executable.endswith(".pyz") else []
        argv = [*python, executable, "--config", config, *params["arguments"]]
        if params["kind"] == "database":
            environment = {"LD_LIBRARY_PATH": os.path.dirname(executable), **environment}
    return Definition(
        name=params["name"],
        kind=params["kind"],
        argv=tuple(argv),
        environment=environment,
        user=params["user"],
        group=params["group"],
        run_dir=Path(params["run_dir"]),
        writable=tuple(params["writable"]),
        timeout_s=params["timeout"],
    )


def _provider(params: t.Mapping[str, t.Any], definition: Definition) -> Provider:
    name = params["provider"]
    if name == "windows":
        raise ServiceError(
            "this machine is not Windows",
            where="provider windows",
            hint="Use provider: auto",
        )
    if name == "systemd" or (name == "auto" and systemd.BOOTED.is_dir()):
        return systemd.SystemdProvider(definition)
    if params["enabled"] is not None:
        raise ServiceError(
            "a plain process cannot start with the machine",
            where="enabled",
            hint="Remove the option, or use provider: systemd on a machine that runs systemd",
        )
    return ProcessProvider(definition)


def _effective(
    module: AnsibleModule,
    definition: Definition,
    options: OptionSet,
    arguments: t.Sequence[str],
    source: Path | None = None,
) -> layers.Effective | None:
    """What the service works with; None if the file cannot be read and need not be. ``source``: where it still is."""
    params = module.params
    path, state = params["config"], params["state"]
    if not path:
        return None
    try:
        text = read_text(str(source or path))
        if text is None:
            if state in ("started", "restarted") and not module.check_mode:
                raise ConfigError("the configuration file is missing", where=path, hint="Nothing was started")
            return None
        unknown = [item.key for item in document.read(text, where=path).items if not options.find(item.key)]
        for name in unknown:  # a patch release may have it; if not, the server says so
            module.warn(f"{path}: {name} is not known to be an option of a {params['kind']} node {options.version}")
        return layers.effective(
            options.extended(unknown),
            file=text,
            file_name=path,
            environment=definition.environment,
            arguments=["--config", path, *arguments],
        )
    except ConfigError as error:
        if state in ("started", "restarted"):
            raise
        module.warn(f"The configuration is not valid, so nodes of an earlier manager cannot be found: {error}")
        return None


def cluster_of(params: t.Mapping[str, t.Any], began: float | None = None) -> permission.StopPolicy | None:
    """The option ``cluster`` of a task that stops nodes or starts one empty, else None. ``began``: when it came."""
    given = params["cluster"]
    if given is None or (params["state"] not in STOPS and not params["start_empty"]):
        return None
    owner = given["owner"] or f"{accounts.user_name(os.geteuid())}@{socket.gethostname()}:{os.getpid()}"
    return permission.StopPolicy({**given, "owner": owner}, began)


def _upgrade(module: AnsibleModule) -> Upgrade | None:
    params, given = module.params, module.params["upgrade"]
    if not given:
        return None
    if params["state"] != "restarted":
        raise ServiceError("an upgrade is a restart", where="upgrade", hint="Use state: restarted")
    old = {**params, "executable": given["executable"] or params["executable"], "arguments": given["arguments"]}
    options = deployed_option_set(params["kind"], given["from"])
    definition = _definition(old)
    running = Running(
        definition,
        _provider(old, definition),
        options=options,
        config=params["config"],
        effective=_effective(module, definition, options, given["arguments"]),
    )
    files = StagedFiles(given["from"], params["version"], tuple(map(Path, given["files"])))
    return Upgrade(files, Control(running), given["revive"])


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    options = deployed_option_set(params["kind"], params["version"])
    definition = _definition(params)
    provider = _provider(params, definition)
    upgrade = _upgrade(module)
    source = upgrade.files.current(Path(params["config"])) if upgrade else None
    effective = _effective(module, definition, options, params["arguments"], source)
    if effective is not None:
        module.no_log_values.update(each.raw for each in effective.values() if each.option.secret and each.raw)
    if params["config"] and params["state"] in PRESENT and journal.unfinished(params["config"]):
        module.warn(
            f"A run was killed while it wrote {', '.join(journal.unfinished(params['config']))}: these files may not "
            "match. Write them again with playbook eventstore.cluster.site"
        )
    enabled = params["enabled"]
    if enabled is None and params["state"] in PRESENT and provider.unit:
        enabled = True
    running = Running(
        definition,
        provider,
        options=options,
        config=params["config"],
        effective=effective,
        previous=upgrade.previous.running if upgrade else None,
    )
    control = Control(
        running,
        cluster=cluster_of(params, BEGAN),
        check_mode=module.check_mode,
        upgrade=upgrade,
        start_empty=params["start_empty"],
    )
    if params["state"] == "restarted":
        # A controller that goes away takes its connection along, and must not leave a restart half done.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    result = control.bring_to(params["state"], enabled=enabled)
    for warning in result.warnings:
        module.warn(warning)
    return _outcome(module, running, result)


def _outcome(module: AnsibleModule, running: Running, result: Outcome) -> dict[str, t.Any]:
    provider = running.provider
    active, pid, pids = provider.is_active(), provider.pid(), running.pids()
    compares = active and pid and module.params["state"] in PRESENT
    held = procfs.listening(pids)
    outcome: dict[str, t.Any] = {
        "changed": result.changed,
        "status": provider.status(),
        "pid": pid,
        "processes": [
            {
                "pid": each,
                "command": procfs.command_line(each),
                "listening": [str(endpoint) for owner, endpoint in held if owner == each],
            }
            for each in pids
        ],
        "restart_needed": running.restart_reasons(pid) if compares and pid else [],
        "stop_all_needed": running.cluster_wide_changes() if compares else [],
        "answer": result.answer,
    }
    if provider.unit:
        outcome["unit"] = provider.unit
    if result.seen:
        outcome["seen"] = result.seen
    if module._diff:
        outcome["diff"] = {"before": result.before, "after": result.after}
    return outcome


def main() -> None:
    module = ServiceModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        **RULES,
    )
    require_yaml(module)
    try:
        result = run(module)
    except EventStoreError as error:
        module.fail_json(msg=str(error), codes=list(error.codes))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
