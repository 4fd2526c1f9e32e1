# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether one machine can run its part of the plan. Looks only: nothing is written, started or stopped."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import resource
import selectors
import shutil
import socket
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import (
    EventStoreError,
    GossipError,
    Problem,
    ProblemFacts,
    TopologyError,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.discovery import compare_records, resolve
from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts, procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.sizes import size_in
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import InspectedMachine, servers
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data, family
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade import last_version

Problems = t.Iterator[Problem]


class PeerProblem(ProblemFacts):
    """A problem with another machine, ``host``."""

    host: str


OLDEST_PYTHON = (3, 9)
# Nodes complain of clocks further apart than GossipAllowedDifferenceMs, 60 s by default.
MAX_SKEW_S = 60.0
# A node that begins a chunk of its database takes 256 MB at once.
CHUNK_BYTES = 256 * 1024 * 1024
SOFTWARE_BYTES = 256 * 1024 * 1024
# KurrentDB#1405: a production cluster went down at the usual limit of 1024.
FEW_FILES = 4096
# A lost packet is sent again after 1 s.
CONNECT_TIMEOUT_S = 2.5
NO_ANSWER = f"no answer within {CONNECT_TIMEOUT_S} s"
SYSTEMD = Path("/run/systemd/system")
# The one problem that a playbook for upgrades passes over.
OTHER_VERSION = "other-version"
# Below this port a server needs a right that no service gets.
UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
FIB_TRIE = Path("/proc/net/fib_trie")


def inspect(machine: InspectedMachine, *, controller_time: float | None = None) -> dict[str, t.Any]:
    """Run all checks: ``problems`` and ``notes`` of the machine, its accounts, software, running and last versions."""
    now = time.time()
    absent = sorted(InspectedMachine.__required_keys__ - set(machine))
    if absent:
        raise TopologyError(
            f"the plan of the machine lacks {', '.join(absent)}",
            where="plan",
            hint="Give hosts[inventory_hostname] of the plan, with dns and provider of the whole plan added",
        )
    if machine["platform"] != "linux":
        raise TopologyError(
            "this machine is not Windows, but its variables say so",
            where="ansible_connection, ansible_shell_type",
            hint="Take them out of the inventory, so that the machine's files and paths are planned for Linux",
        )
    installed = os.access(_executable(machine), os.X_OK) and os.path.isfile(_executable(machine))
    absent_user, absent_group = _absent_accounts(machine)
    last_versions = last_version.last_versions(machine)
    left_behind = list(_data(machine))
    problems = [
        *_python(),
        *_clock(now, controller_time),
        *_provider(machine),
        *_account(machine, absent_user, absent_group),
        *_foreign_data(machine),
        *_software(machine, installed=installed),
        *_addresses_and_ports(machine),
        *_directories(machine),
        *_space(machine, installed=installed),
        *_files(machine),
        *_dns(machine),
        *_last_version(machine, last_versions),
        *([] if machine.get("start_empty") else left_behind),
    ]
    return {
        "problems": [problem.facts() for problem in problems],
        "notes": list(_notes(machine)),
        "unreached_peers": list(_unreachable(machine)),
        "absent_user": absent_user,
        "absent_group": absent_group,
        "software_installed": installed,
        "running": _running(machine),
        "nodes": list(_nodes(machine)),
        "last_versions": last_versions,
        "full_stop_mark": str(last_version.full_stop_mark(machine)),
        "full_stop_begun": last_version.full_stop_mark(machine).is_file(),
    }


def _executable(machine: InspectedMachine) -> str:
    return os.path.join(machine["software"]["home"], machine["software"]["executable"])


def _python() -> Problems:
    if sys.version_info < OLDEST_PYTHON:
        yield Problem(
            "python-old",
            f"{sys.executable} is Python {sys.version.split()[0]}, expected 3.9 or newer",
            "Set ansible_python_interpreter to a newer one",
        )
    if not document.HAS_YAML:
        yield Problem(
            "no-yaml",
            f"{sys.executable} has no PyYAML, which the modules and the manager need to read configuration files",
            "Install it (python3-yaml on Debian and Ubuntu, python3-pyyaml on Red Hat)",
        )


def _clock(now: float, controller_time: float | None) -> Problems:
    skew = now - controller_time if controller_time is not None else 0.0
    if abs(skew) > MAX_SKEW_S:
        yield Problem(
            "clock-skew",
            f"the clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the controller's, "
            f"and nodes are to be less than {MAX_SKEW_S:.0f} s apart",
            "Have both synchronised (chrony, systemd-timesyncd)",
        )


def _provider(machine: InspectedMachine) -> Problems:
    if machine["provider"] == "systemd" and not SYSTEMD.is_dir():
        yield Problem(
            "no-systemd",
            "eventstore_service_provider is systemd, and this machine was not started by it",
            "Set eventstore_service_provider: process, or auto",
        )
    if machine["provider"] == "windows":
        yield Problem(
            "not-windows",
            "eventstore_service_provider is windows, and this machine is not",
            "Set eventstore_service_provider: auto",
        )


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _absent_accounts(machine: InspectedMachine) -> tuple[str | None, str | None]:
    """The user and the group that have to be created before services can run under them; None: not needed."""
    user, group = machine["user"], machine["group"]
    absent_user = user if user and _uid(user) is None else None
    group = group or absent_user
    try:
        absent_group = group if group and not grp.getgrnam(group) else None
    except KeyError:
        absent_group = group
    return absent_user, absent_group


def _account(machine: InspectedMachine, absent_user: str | None, absent_group: str | None) -> Problems:
    if os.geteuid() == 0:
        return
    user = machine["user"]
    if absent_user or absent_group:
        yield Problem(
            "no-account",
            f"this machine has no {'user ' + absent_user if absent_user else f'group {absent_group}'}, and the account "
            f"{_account_name()} cannot make it",
            "Set become: true, or eventstore_user and eventstore_group to those that services are to run under",
        )
    elif user and _uid(user) != os.geteuid():
        yield Problem(
            "not-root",
            f"services cannot be started as {user} from the account {_account_name()}",
            f"Set become: true, or eventstore_user: {_account_name()}",
        )


def _foreign_data(machine: InspectedMachine) -> Problems:
    """Files that the services could not write, because another account owns them."""
    user = machine["user"]
    if not user:
        return
    uid = _uid(user)
    for directory in dict.fromkeys(path for service in servers(machine) for path in service["directories"]):
        yield from _foreign(directory, [name for name in _names(directory) if name != "lost+found"], machine, uid)
    if machine["manager"]:  # in run_dir the manager owns only its state file; the provider owns the other files
        directory = os.path.join(machine["run_dir"], machine["manager"]["service"])
        yield from _foreign(directory, _names(directory), machine, uid)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:  # not there, or no directory: _directories tells
        return []


def _foreign(directory: str, names: t.Sequence[str], machine: InspectedMachine, uid: int | None) -> Problems:
    foreign = []
    for path in (os.path.join(directory, name) for name in names):
        with contextlib.suppress(FileNotFoundError):  # a running node has its own going and coming
            owner = os.lstat(path).st_uid
            if owner != uid and path not in machine["directories"]:
                foreign.append((path, accounts.user_name(owner)))
    if foreign:
        path, name = foreign[0]
        yield Problem(
            "foreign-data",
            f"{path} and {len(foreign) - 1} more belong to {name}, and eventstore_user is {machine['user']}",
            f"Set eventstore_user: {name}; or, once nothing runs from it, chown -R {machine['user']}: {directory}",
        )


def _account_name() -> str:
    return accounts.user_name(os.geteuid())


def _software(machine: InspectedMachine, *, installed: bool) -> Problems:
    if not installed and not machine["software"]["archive"]:
        yield Problem(
            "no-software",
            f"there is no program {_executable(machine)}, and eventstore_archive is not set",
            "Set eventstore_archive and eventstore_archive_checksum, or put the software there",
        )


def _addresses_and_ports(machine: InspectedMachine) -> Problems:
    endpoints = [Endpoint.parse(text) for service in servers(machine) for text in service["listen"]]
    absent = set()
    for ip in dict.fromkeys(endpoint.host for endpoint in endpoints):
        if _bind(Endpoint(ip, 0)) == errno.EADDRNOTAVAIL:
            absent.add(ip)
            yield Problem(
                "address-absent",
                f"{ip} is not an address of this machine, which has {', '.join(_own_addresses()) or 'none'}",
                "Correct eventstore_int_ip or eventstore_ext_ip, or bring the interface up",
            )
    taken = {endpoint: _bind(endpoint) for endpoint in endpoints if endpoint.host not in absent}
    listening = procfs.listening(procfs.all_pids()) if errno.EADDRINUSE in taken.values() else []
    lowest = int(UNPRIVILEGED.read_text()) if machine["user"] else 0
    for endpoint, error in taken.items():
        if endpoint.port < lowest:
            yield Problem(
                "port-refused",
                f"services under {machine['user']} may not listen on {endpoint}",
                f"Use a port above {lowest - 1}",
            )
        if error == errno.EADDRINUSE:
            yield from _port_in_use(
                machine, endpoint, [pid for pid, other in listening if procfs.overlap(other, endpoint)]
            )
        elif error:
            yield Problem(
                "port-refused",
                f"the account {_account_name()} may not listen on {endpoint}: {os.strerror(error)}",
                "Use a port above 1023, or set become: true",
            )


def _bind(endpoint: Endpoint) -> int:
    """0 if a server could listen there, else the errno. Connections that are closing do not count as a listener."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(endpoint)
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def _port_in_use(machine: InspectedMachine, endpoint: Endpoint, pids: list[int]) -> Problems:
    strangers = [pid for pid in pids if not _is_ours(machine, procfs.command_line(pid))]
    if pids and not strangers:
        return
    if strangers:
        pid = strangers[0]
        holder = f"process {pid} ({' '.join(procfs.command_line(pid)[:4])[:80]})"
        hint = f"Stop process {pid}, or plan another port"
    else:
        holder = f"a process that {_account_name()} cannot see"
        hint = f"See who it is with: sudo ss -ltnp 'sport = :{endpoint.port}'; if it is ours, set become: true"
    yield Problem("port-taken", f"{endpoint} is taken by {holder}", hint)


def _is_ours(machine: InspectedMachine, command: t.Sequence[str]) -> bool:
    """Whether a process uses a planned configuration file, or a program below ``software.root``, of any version."""
    configs = {service["config"] for service in servers(machine)}
    root = machine["software"]["root"].rstrip("/") + "/"
    return any(word.partition("=")[2] in configs or word in configs or word.startswith(root) for word in command)


def _own_addresses() -> list[str]:
    """The IPv4 addresses of this machine, from the kernel's routing table: an address stands above `host LOCAL`."""
    try:
        lines = FIB_TRIE.read_text().splitlines()
    except OSError:
        return []
    return list(
        dict.fromkeys(above.split()[-1] for above, line in zip(lines, lines[1:]) if line.endswith("host LOCAL"))
    )


def _existing(path: str) -> str:
    """The path, or the nearest directory above it that is there."""
    while not os.path.lexists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _directories(machine: InspectedMachine) -> Problems:
    for path in dict.fromkeys(
        [machine["software"]["root"], machine["config_dir"], *machine["directories"], machine["run_dir"]]
    ):
        existing = _existing(path)
        if not os.path.isdir(existing):
            yield Problem(
                "not-a-directory",
                f"{path} has to be a directory, and {existing} is something else",
                f"Move {existing} away, or plan another directory",
            )
        elif not os.access(existing, os.W_OK | os.X_OK):
            what = "write to" if existing == path else f"make {path} in"
            yield Problem(
                "not-writable",
                f"the account {_account_name()} may not {what} {existing}",
                "Set become: true, or plan a directory of its own",
            )


def _last_version(machine: InspectedMachine, last_versions: t.Mapping[str, str]) -> Problems:
    """A node that is started in a version that may not follow the one it ran last can spoil its data."""
    version = os.path.basename(machine["software"]["home"])
    others = {service: each for service, each in last_versions.items() if each != version}
    for service, each in others.items():
        yield Problem(
            OTHER_VERSION,
            f"{service} was started in {each} last, and eventstore_version is {version}",
            f"To upgrade: playbook rolling_upgrade, or full_stop_upgrade, while the cluster runs in {each}; each also"
            f" finishes what it has begun. To leave it as it is: -e eventstore_version={each}. If the data are those of"
            f" {version} nevertheless, say so: -e preflight_last_version={version}",
        )
    if not last_versions:
        for path in last_version.waiting(machine):
            yield Problem(
                OTHER_VERSION,
                f"{path} waits for an upgrade that was begun, and what ran last is not known",
                "Run again the playbook that has begun it, rolling_upgrade or full_stop_upgrade. If the data are those"
                f" of {version} nevertheless, say so: -e preflight_last_version={version}",
            )


def _data(machine: InspectedMachine) -> Problems:
    """Nodes that would start without their data: the directory was changed, emptied or is not mounted."""
    for node in machine["nodes"]:
        try:
            place = data.planned(node)
            used = data.used_for(node["config"], procfs.all_pids())
            before = data.place(["--config", node["config"]], {})
            found = data.losses(place, [*used, before.db if before else None])
            if before and not found:
                found = data.index_left_behind(place, before)
        except EventStoreError as error:
            yield error.as_problem("data-unreadable")
            continue
        yield from found


def _space(machine: InspectedMachine, *, installed: bool) -> Problems:
    needs = [(node["options"]["Db"], CHUNK_BYTES) for node in machine["nodes"]]
    if not installed:
        needs.append((machine["software"]["root"], SOFTWARE_BYTES))
    needed: dict[int, int] = {}
    places: dict[int, str] = {}
    for path, size in needs:
        place = _existing(path)
        device = os.stat(place).st_dev
        needed[device] = needed.get(device, 0) + size
        places.setdefault(device, place)
    for device, size in needed.items():
        free = shutil.disk_usage(places[device]).free
        if free < size:
            yield Problem(
                "disk-full",
                f"the disk of {places[device]} has {free // 2**20} MiB left, and {size // 2**20} MiB are needed "
                "for the next chunk of each database and for the software",
                "Make room, or plan another directory",
            )


def _files(machine: InspectedMachine) -> Problems:
    """Existing files that are unreadable or damaged; they are never overwritten."""
    for service in servers(machine):
        if document.HAS_YAML:
            yield from _file(service["config"], lambda text, path: document.read(text, where=path))
    if machine["manager"]:
        yield from _file(machine["manager"]["watchdog"]["path"], lambda text, path: watchdog.parse(text, where=path))


def _file(path: str, read: t.Callable[[str, str], object]) -> Problems:
    hint = f"Correct it, or move it away: mv {path} {path}.damaged"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return
    except UnicodeDecodeError as error:
        yield Problem("file-damaged", f"expected UTF-8, found {error.reason} at byte {error.start}", hint, path)
        return
    except OSError as error:
        yield Problem(
            "file-unreadable", f"cannot be read: {error.strerror}", "Set become: true, or correct what is there", path
        )
        return
    if document.is_blank(text):
        return
    try:
        read(text, path)
    except EventStoreError as error:
        yield Problem("file-damaged", str(error), hint)


def _dns(machine: InspectedMachine) -> Problems:
    dns = machine["dns"]
    if not dns:
        return
    name, expected = dns["name"], dns["addresses"]
    try:
        found = resolve(name, nameservers=dns["nameservers"])
    except GossipError as error:
        yield error.as_problem("dns-unresolved")
        return
    own = _own_dns_addresses(machine)
    missing, extra = compare_records(found, expected)
    for ip in missing:
        whose = "this machine" if ip in own else "a machine of the plan"
        yield Problem("dns-missing", f"DNS name {name} has no record for {ip}, {whose}", f"Add: {name} A {ip}")
    for ip in extra:
        yield Problem(
            "dns-extra",
            f"DNS name {name} has a record for {ip}, which is no machine of the plan",
            f"Remove: {name} A {ip}; or put the machine into the inventory",
        )


def _own_dns_addresses(machine: InspectedMachine) -> set[str]:
    return {Endpoint.parse(text).host for service in servers(machine) for text in service["listen"]}


def _unreachable(machine: InspectedMachine) -> t.Iterator[PeerProblem]:
    """Peers that cannot be reached. Nobody need listen there yet: a refusal, too, comes from the machine itself."""
    whose = {Endpoint.parse(text): host for host, addresses in machine["peers"].items() for text in addresses}
    found: dict[str, dict[Endpoint, str]] = {}
    for endpoint, reason in _connect(whose).items():
        if reason:
            found.setdefault(whose[endpoint], {})[endpoint] = reason
    for host, reasons in found.items():
        why = " and ".join(dict.fromkeys(reasons.values()))
        problem = Problem(
            "peer-unreachable",
            f"{', '.join(map(str, reasons))} of {host} cannot be reached from here: {why}",
            f"Open these ports to this machine in the firewall of {host} or on the way there; none is changed here",
        )
        yield {"host": host, **problem.facts()}


def _connect(endpoints: t.Iterable[Endpoint]) -> dict[Endpoint, str]:
    """Connect to all at once: endpoint -> why that failed, "" if it connected or the machine refused the connection."""
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
        results = {}
        for endpoint in endpoints:
            probe = opened.enter_context(socket.socket())
            probe.setblocking(False)
            results[endpoint] = _connect_failure(probe.connect_ex(endpoint))
            if results[endpoint] == NO_ANSWER:
                selector.register(probe, selectors.EVENT_WRITE, endpoint)
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while selector.get_map() and time.monotonic() < deadline:
            for key, _events in selector.select(deadline - time.monotonic()):
                probe = t.cast(socket.socket, key.fileobj)
                results[key.data] = _connect_failure(probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                selector.unregister(probe)
        return results


def _connect_failure(error: int) -> str:
    if error in (0, errno.ECONNREFUSED):
        return ""
    return NO_ANSWER if error == errno.EINPROGRESS else os.strerror(error)


def _notes(machine: InspectedMachine) -> t.Iterator[str]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if machine["provider"] == "process" and files < FEW_FILES:
        yield f"a process may open {files} files here, and a busy node needs more: raise nofile in limits.conf"
    yield from machine["notes"]


def _running(machine: InspectedMachine) -> list[dict[str, t.Any]]:
    """Which of the planned services run already, by the file they were started with."""
    names = {service["config"]: service["service"] for service in servers(machine)}
    found = []
    for pid in procfs.all_pids():
        words = procfs.command_line(pid)
        given = [after for word, after in zip(words, words[1:]) if word == "--config"]
        given += [word.partition("=")[2] for word in words if word.startswith("--config=")]
        found += [{"service": names[path], "config": path, "pid": pid} for path in given if path in names]
    return sorted(found, key=lambda item: t.cast(int, item["pid"]))


def _nodes(machine: InspectedMachine) -> t.Iterator[dict[str, t.Any]]:
    """Of each planned database node whether it runs, and the ClusterSize of its process, else of its file."""
    for node in machine["nodes"]:
        pids = family.with_config([node["config"]])
        sizes = [size for size in map(family.cluster_size_of, pids) if size]
        size = max(sizes) if sizes else size_in(_text(node["config"]))
        yield {"name": node["name"], "running": bool(pids), "cluster_size": size}


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):  # _files says so
        return None


__all__ = ["inspect"]
