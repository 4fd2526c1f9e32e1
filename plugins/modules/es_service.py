#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: es_service
short_description: Start, stop, install and prove the service of a manager or of a database node
version_added: 1.0.0
description:
  - Runs a manager or a database node as a service and proves that it works. A running process proves nothing, for a
    server whose port is taken can print that it exits and live on.
  - Started means that the process runs, that its external HTTP port belongs to it, and that it answers there what its
    kind answers; V(/info) of a database node, V(/gossip) of a manager. Whether the cluster is well is for
    M(eventstore.cluster.es_gossip_facts) to say.
  - Before a start, everything is checked and all problems are told at once. The executable is there, the configuration
    is valid, the addresses are on this machine, the ports are free, and nothing else runs with the same file or has the
    database open, for the server refuses no second process on it. A restart does this before it stops anything.
  - A service that runs is never restarted because of RV(restart_needed); that is for the play to decide.
  - A service that runs a node of a cluster is stopped only if the cluster keeps its quorum, see O(cluster).
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
  - eventstore.cluster.attributes.files
attributes:
  action:
    support: full
  check_mode:
    support: full
    details: What an earlier task may bring (executable, configuration, user, O(run_dir)) may be missing then.
  diff_mode:
    support: full
    details: Of O(environment) it shows names only.
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
    description: What the service runs. One that contradicts what runs is refused.
    type: str
    choices: [manager, database]
    required: true
  state:
    description:
      - V(started) starts the service if it does not run, and waits until it answers.
      - V(stopped) ends it and all its processes, V(restarted) does both.
      - V(installed) makes the unit of systemd without a start or a stop. With O(provider=process) there is nothing to
        install but O(run_dir).
      - V(absent) stops the service, then removes its unit or its pid file, and nothing else.
    type: str
    choices: [started, stopped, restarted, installed, absent]
    default: started
  provider:
    description:
      - Who runs the service. V(auto) is V(systemd) on machines that were booted with it, else V(process).
      - V(systemd) writes the unit V(/etc/systemd/system/NAME.service). Where a package has brought a unit of that name,
        it is left alone and gets a drop-in.
      - V(process) starts a plain daemon; nothing starts it again after an end or a boot.
      - V(windows) is the service control manager of a Windows host, where V(auto) is that, too.
    type: str
    choices: [auto, systemd, windows, process]
    default: auto
  enabled:
    description:
      - Whether the service starts with the machine. Only for systemd, where an installed service does unless this is
        V(false).
    type: bool
  executable:
    description:
      - The absolute path of the program. One that ends in V(.pyz) is run by the Python that runs this module.
      - Required to start or install.
    type: path
  config:
    description:
      - The configuration file, given to the program with C(--config).
      - Required to start or install. Give it to stop, too, so that nodes can be found that outlived a manager or a
        wrapper such as C(run-node.sh); they have the same file.
    type: path
  version:
    description: The version of the server, such as V(3.4.0), from 3.x to 5.x. It decides which options are known.
    type: str
    default: 3.4.0
  arguments:
    description:
      - More of the command line, after C(--config). C(--node-executable) of the built-in manager stands here; with
        it and the watchdog file, V(stopped) also finds nodes that outlived a manager.
    type: list
    elements: str
    default: []
  environment:
    description:
      - The environment. Nothing else but PATH, LANG, HOME and USER gets to the process.
      - A database node also gets LD_LIBRARY_PATH, as the vendor's archive has its libraries beside the executable, and
        runs in that directory, where it looks for its log configuration and its web UI.
      - Values of names that look like those of secrets are hidden. systemd reads all of them from
        V(/etc/systemd/system/NAME.env), which only root can read.
    type: dict
    default: {}
  user:
    description: The user that the service runs as. Without it, root with systemd, the user of the task with a process.
    type: str
  group:
    description: The group that the service runs as. Without it, that of O(user).
    type: str
  run_dir:
    description:
      - The directory for what lives as long as the service. With O(provider=process), the pid file V(NAME.pid) and the
        output V(NAME.out), which is appended to and put aside at a start when it has more than 10 MiB.
      - It belongs to who starts services, and is taken back from O(user). A manager gets the directory V(NAME) in it,
        for its state file; systemd makes that at every start if it is below V(/run).
    type: path
    default: /run/eventstore
  writable:
    description:
      - The directories that the service writes to, besides O(run_dir); those of its database and its logs, and for a
        manager also those of its nodes.
      - With systemd, it can write nowhere else then, and starts only when their disks are mounted. Without this option
        only C(/usr), C(/boot) and C(/etc) are closed to it.
    type: list
    elements: path
    default: []
  timeout:
    description: How many seconds a start may take until the service answers, and a stop until it is killed.
    type: int
    default: 60
  cluster:
    description:
      - The cluster that the database nodes of this service belong to. A service that runs a node of a cluster is
        stopped, restarted or removed only if the others keep a quorum without it. Which nodes that takes down is read
        from the running processes. A wrapper and the node that it has started are one node.
      - The module asks all endpoints itself, right before the stop. It refuses unless one master answers and all agree
        on it, a majority of O(cluster.cluster_size) stays in sync and caught up without these nodes, and there was no
        election and no start of a node within O(cluster.settle). While it works, it holds a lease from a majority of
        the built-in managers, so that nobody else stops a node meanwhile, from whatever controller. Without managers,
        a lock of the user on the controller, for each endpoint of a cluster of this name, keeps runs apart; runs of
        different users or controllers are told apart only by the nodes that they find down.
      - Right before the stop, the lease is renewed and the age of the last look is checked, on a clock that counts the
        time in which the machine was suspended; what is older than 5 seconds is done again. Of a cluster without
        managers, a pause of a whole virtual machine that its own clock does not show is not noticed.
      - After V(restarted), the module returns when the nodes are in sync and have caught up, all that were in sync
        before are so again, and the cluster was calm for O(cluster.calm). It says what happened, see RV(watched).
      - Without it, a running node of a cluster of several is not stopped at all. A service that does not run, or a
        node that runs with C(ClusterSize) 1, needs none.
    type: dict
    suboptions:
      name:
        description: The cluster's name, for texts and for O(cluster.override).
        type: str
        required: true
      endpoints:
        description: Whom to ask, as in M(eventstore.cluster.es_gossip_facts). Needed unless O(cluster.override) is.
        type: list
        elements: raw
      cluster_size:
        description: How many database nodes make up the cluster. A larger C(ClusterSize) of the nodes wins.
        type: int
      settle:
        description: Seconds before the stop in which there must be no election and no start of a node.
        type: float
        default: 1.0
      wait:
        description: Seconds to wait for the lease and for a cluster that is not ready for the stop yet.
        type: float
        default: 15.0
      stall:
        description: Seconds without any progress after which restarted nodes are not waited for any longer.
        type: float
        default: 120.0
      calm:
        description:
          - Seconds for which, after a restart, there must be one master, one epoch, and no start and no end of a node.
            A node that comes back can bring about elections, which end other nodes.
          - With less than 2 seconds, the next stop of the same play waits for the rest.
        type: float
        default: 2.0
      override:
        description:
          - The cluster's name once more, as typed by the operator, to stop without asking anybody. The cluster may lose
            its quorum.
        type: str
      break_lease:
        description: The owner of a lease to be broken, as the refusal has named it.
        type: str
      owner:
        description: Who wants the lease. By default, user and process on the controller, and the host of the task.
        type: str
      seen:
        description:
          - What another restart has returned as RV(seen), with the seconds since then added. Where the cluster still is
            like this, they are part of O(cluster.settle). The stop waits until the cluster was calm for 2 seconds. By
            default, that of the restart before in the same play.
        type: dict
        suboptions:
          state:
            description: How the cluster was seen.
            type: str
            required: true
          seconds:
            description: For how long.
            type: float
            required: true
          calm:
            description: For how long, up to now, there was one master, one epoch, and no start and no end of a node.
            type: float
            default: 0.0
  start_empty:
    description:
      - Where a node has its database is noted in a file beside its configuration, with C(.data) behind the name. A node
        that has no database there any more, nor the same one where its options say now, is not started. Its disk may
        not be mounted, its data may be in another directory, and when all nodes start empty, nothing is left.
      - With this option, the note goes and the node starts empty, to get everything from the others. The module asks
        the endpoints of O(cluster) first, and refuses unless these have a quorum without the nodes of the service.
    type: bool
    default: false
  upgrade:
    description:
      - Makes the restart an upgrade to O(version). Between the stop and the start, each of O(upgrade.files) is replaced
        by the file of the same name with C(.) and O(version) behind it, where there is one; the replaced file stays,
        with C(.) and O(upgrade.from) behind its name.
      - Where the new version does not start, goes on ending, or does not come back into the cluster, the service is
        brought back on the previous version with its files, see O(upgrade.revive), and the module fails and says why.
      - Only with O(state=restarted). A service that does not run is started.
    type: dict
    suboptions:
      from:
        description: The version that runs until then.
        type: str
        required: true
      executable:
        description: O(executable) of the previous version, where it is another one.
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
          - Whether the previous version is brought back and started again where the new one fails. Without, the service
            stays stopped with the files of the new version, which may have opened the database, and a boot tries that
            version again. That is for an upgrade that stops all nodes; beside new ones an old one would be a cluster of
            its own.
        type: bool
        default: true
notes:
  - Needs PyYAML on a managed Linux host, and on the controller for Windows hosts.
  - On Windows there are managers only. O(executable) is the vendor's C(EventStore.WindowsManager.exe), which installs
    and removes the service; C(net) starts and stops it. The state is that of the service control manager, and the
    manager is asked from the controller. O(arguments), O(environment), O(user) and O(group) are refused there,
    O(run_dir) is not used.
  - On Windows the nodes of a stop are read from the files of the manager and from the ports that are listened on.
  - Not run on Windows by its authors, but through Ansible's own connections against a simulated host.
  - A manager takes its database nodes along when it stops. Nodes of a manager that crashed run on, and the next
    manager adopts them.
seealso:
  - module: eventstore.cluster.es_config
  - module: eventstore.cluster.es_watchdog
  - module: eventstore.cluster.es_gossip_facts
author:
  - The eventstore.cluster founders (@eventstore-cluster)
"""

EXAMPLES = r"""
- name: Run a manager, which runs its database nodes
  eventstore.cluster.es_service:
    name: es-cluster1
    kind: manager
    executable: /opt/eventstore/es-manager.pyz
    config: /etc/eventstore/manager.yaml
    arguments: [--node-executable, /opt/eventstore/3.4.0/eventstored]
    user: eventstore
    writable: [/var/lib/eventstore, /var/log/eventstore]
  register: manager

- name: Restart it where the running one is not what was asked for
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

- name: Run a database node without a manager, for longer than a large index takes to load
  eventstore.cluster.es_service:
    name: es-cluster1-database
    kind: database
    version: 5.0.11
    executable: /opt/eventstore/5.0.11/eventstored
    config: /etc/eventstore/database.yaml
    timeout: 900

- name: Stop a manager and its database nodes, whatever becomes of the cluster
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
  description: The state in the words of the provider; in check mode the one that was found.
  returned: success
  type: str
  sample: active (running)
pid:
  description: The main process.
  returned: success
  type: int
  sample: 812
processes:
  description: The processes of the service, the nodes of a manager among them, and what they listen on.
  returned: on Linux
  type: list
  elements: dict
  sample:
    - pid: 812
      command: [/usr/bin/python3, /opt/eventstore/es-manager.pyz, --config, /etc/eventstore/manager.yaml]
      listening: ["192.168.1.11:30777", "192.168.1.11:30778"]
restart_needed:
  description: Why the running service is not what a start would make of it now; empty when it is.
  returned: success
  type: list
  elements: str
  sample: ["/etc/eventstore/manager.yaml was written after pid 812 was started"]
stop_all_needed:
  description:
    - Options that the files have another value for than the running processes, and that all nodes of the cluster have
      to change at once. A node that was restarted alone would not find the others, or be found.
  returned: success
  type: list
  elements: str
  sample: [IntTcpPort]
answer:
  description: What it answered. The version and state of a database node, the address and members of a manager.
  returned: success
  type: dict
  sample: {url: "http://192.168.1.11:2113/info", version: 3.4.0.0, state: master}
start_mode:
  description: How Windows starts the service.
  returned: on Windows
  type: str
  sample: delayed
recovery:
  description: What Windows does at the first, second and further failures of the service.
  returned: on Windows
  type: list
  elements: str
  sample: [restart after 5000 ms]
seen:
  description: How the cluster is after a restart, and for how many seconds it was seen like this.
  returned: after a restart that O(cluster) was asked for
  type: dict
  sample:
    state: "master 192.168.1.11:2112, epoch 4, in sync: 192.168.1.11:2112 c0c063f9-481d-41e2-aee3-309a9b61c87f"
    seconds: 0.4
    calm: 1.1
watched:
  description:
    - What has happened to the cluster since the look before the stop, as C(watched) of
      M(eventstore.cluster.es_gossip_facts). The wanted restart is not in it.
    - C(stopped_s), C(answered_s) and C(in_sync_s) are the seconds from C(began) until the stop was sent, and until the
      restarted nodes answered and were in sync. One that was not seen is left out.
    - C(back_s) is the time in seconds from the stop until the nodes were in sync and caught up, C(copied_bytes) the
      most that they were behind.
    - Also shown as one line, and as a warning where data may be lost.
  returned: after a restart that O(cluster) was asked for
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
  description: The unit or the drop-in.
  returned: with systemd
  type: str
  sample: /etc/systemd/system/es-cluster1.service
"""

import time

# Most of a module's time goes to the imports below, and what the controller has seen grows older meanwhile.
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
            "nothing starts a plain process with the machine",
            where="enabled",
            hint="Leave it out, or use provider: systemd on a machine that runs systemd",
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
                raise ConfigError("the configuration file is not there", where=path, hint="Nothing was started")
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
        module.warn(f"The configuration is not valid, so nodes that outlived a manager are not looked for: {error}")
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
            f"A run was killed while it wrote {', '.join(journal.unfinished(params['config']))}: they may not fit."
            " Write them again, with playbook eventstore.cluster.site"
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
