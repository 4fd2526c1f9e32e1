# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Whether a Windows machine can run its part of the plan. Looks only, with what every Windows has.

Not looked at, as nothing reliable tells it in every language: firewalls, accounts other than the service's own.
"""

from __future__ import annotations

import datetime
import ntpath
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, HostError, Problem
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.discovery import compare_records
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.sizes import size_in
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import InspectedMachine, servers
from ansible_collections.eventstore.cluster.plugins.module_utils.preflight import (
    CHUNK_BYTES,
    MAX_SKEW_S,
    SOFTWARE_BYTES,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import acl, network, script, services, urlacl
from ansible_collections.eventstore.cluster.plugins.module_utils.windows.processes import MANAGER_PROGRAM
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.files import text_of
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import FILE, Host

Problems = t.Iterator[Problem]

# The host says its time in whole seconds.
RESOLUTION_S = 1.0


def inspect(host: Host, machine: InspectedMachine) -> dict[str, t.Any]:
    """As ``module_utils.preflight.inspect``: problems, notes, what is there and what runs."""
    if machine["platform"] != "windows":
        raise HostError(
            "this machine is Windows, but its variables do not say so",
            where="ansible_connection, ansible_shell_type",
            hint="Set them in the inventory, so that the machine's files and paths are planned for Windows",
        )
    software = machine["software"]
    _prefetch(host, machine)
    installed = host.kind_of(ntpath.join(software["home"], software["executable"])) == FILE
    running = _running(host, machine)
    sizes: dict[str, int | None] = {}
    problems = [
        *_session(host),
        *_clock(host),
        *_services(machine),
        *_software(host, machine, installed=installed),
        *_addresses_and_ports(host, machine, runs=bool(running)),
        *_directories(host, machine),
        *_space(host, machine, installed=installed),
        *_files(host, machine, sizes),
        *_dns(host, machine),
    ]
    return {
        "changed": False,
        "problems": [problem.facts() for problem in problems],
        "notes": list(_notes(host, machine)),
        "software_installed": installed,
        "running": running,
        "nodes": [
            {"name": node["name"], "running": bool(running), "cluster_size": sizes.get(node["config"])}
            for node in machine["nodes"]
        ],
    }


def _prefetch(host: Host, machine: InspectedMachine) -> None:
    """Ask in one start of PowerShell what is asked below one by one."""
    software, manager = machine["software"], machine["manager"]
    programs = [software["executable"], *([MANAGER_PROGRAM] if manager else [])]
    paths = [*(ntpath.join(software["home"], program) for program in programs), *_places(machine)]
    files = [service["config"] for service in servers(machine)] + ([manager["watchdog"]["path"]] if manager else [])
    commands = [
        *([services.query(script.check_service_name(manager["service"]))] if manager else []),
        *(network.show_session(), network.show_addresses(), network.show_listeners(), network.show_queues()),
        urlacl.show_command(),
    ]
    drives = {software["root"][0].lower(), *(node["options"]["Db"][0].lower() for node in machine["nodes"])}
    host.prefetch(
        script.time(),
        *(script.run(*command) for command in commands),
        *(script.kind_of(script.check_path(path, where="path")) for path in paths),
        *(script.read_file(script.check_path(path, where="path")) for path in files),
        *([script.process_of(manager["service"])] if manager else []),
        *(script.permissions(path) for path in _trusted(machine)),
        *(script.free_bytes(drive) for drive in sorted(drives)),
        *([script.addresses_of(machine["dns"]["name"])] if machine["dns"] else []),
    )


def _running(host: Host, machine: InspectedMachine) -> list[dict[str, t.Any]]:
    manager = machine["manager"]
    if not manager:
        return []
    name = script.check_service_name(manager["service"])
    if services.read_state(host.run(*services.query(name)), name=name) in (None, services.STOPPED):
        return []
    said = host.say(script.process_of(name), where=f"process of {name}")
    pid = int(said.value.partition(" ")[0]) if said.kind == "PROCESS" else None
    return [{"service": name, "config": manager["config"], "pid": pid}]


def _session(host: Host) -> Problems:
    if not network.is_elevated(host.run(*network.show_session()).output):
        yield Problem(
            "not-admin",
            "the session of the connection is not that of an elevated administrator",
            "Connect as a member of Administrators; for local accounts see LocalAccountTokenFilterPolicy",
        )


def _clock(host: Host) -> Problems:
    skew, uncertainty = _skew(host)
    if abs(skew) - uncertainty <= MAX_SKEW_S < abs(skew) + uncertainty:
        skew, uncertainty = _skew(host)  # now asked alone, which takes less time
    if abs(skew) - uncertainty > MAX_SKEW_S:
        yield Problem(
            "clock-skew",
            f"the clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the controller's (give or take "
            f"{uncertainty:.0f} s), and nodes are to be less than {MAX_SKEW_S:.0f} s apart",
            "Have both synchronised (w32tm /resync)",
        )


def _skew(host: Host) -> tuple[float, float]:
    """How far the host's clock is ahead, and how uncertain that is: it was read between two times of the controller."""
    text = host.ask(script.time(), expected="TIME", where="clock")
    now = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp() + RESOLUTION_S / 2
    before, after = host.asked
    return now - (before + after) / 2, (after - before + RESOLUTION_S) / 2


def _services(machine: InspectedMachine) -> Problems:
    if machine["provider"] not in ("auto", "windows"):
        yield Problem(
            "not-linux",
            f"eventstore_service_provider is {machine['provider']}, and this machine is Windows",
            "Set eventstore_service_provider: auto",
        )
    if not machine["manager"]:
        yield Problem(
            "no-service",
            "eventstore_cluster_mode is nodes, and on Windows 3.x to 5.x run as a service only below a manager",
            "Set eventstore_cluster_mode: managers",
        )
    for variable, given in (
        ("eventstore_user", machine["user"]),
        ("eventstore_group", machine["group"]),
        ("eventstore_environment", machine["manager"] and machine["manager"]["environment"]),
    ):
        if given:
            yield Problem(
                "not-for-windows",
                f"{variable} is set, and the vendor's installer of the service takes none",
                "Leave it out for Windows machines; the service has the machine's environment, as LOCAL SERVICE",
            )


def _software(host: Host, machine: InspectedMachine, *, installed: bool) -> Problems:
    software = machine["software"]
    if not installed and not software["archive"]:
        yield Problem(
            "no-software",
            f"there is no program {ntpath.join(software['home'], software['executable'])}, and eventstore_archive is "
            "not set",
            "Set eventstore_archive and eventstore_archive_checksum, or put the software there",
        )
    program = ntpath.join(software["home"], MANAGER_PROGRAM)
    if installed and machine["manager"] and host.kind_of(program) != FILE:
        yield Problem(
            "no-manager",
            f"there is no program {program}, without which there is no manager on Windows",
            "Use the vendor's archive that has managers, the commercial one",
        )


def _addresses_and_ports(host: Host, machine: InspectedMachine, *, runs: bool) -> Problems:
    wanted = [Endpoint.parse(text) for service in servers(machine) for text in service["listen"]]
    own = network.read_addresses(host.run(*network.show_addresses()).output)
    for ip in dict.fromkeys(endpoint.host for endpoint in wanted):
        if ip not in own and ip != "0.0.0.0" and not ip.startswith("127."):
            yield Problem(
                "address-absent",
                f"{ip} is not an address of this machine, which has {', '.join(own) or 'none'}",
                "Correct eventstore_int_ip or eventstore_ext_ip, or bring the interface up",
            )
    if runs:  # whose process it is cannot be told, but the service is there and so are its ports
        return
    sockets, queues = (host.run(*command).output for command in (network.show_listeners(), network.show_queues()))
    for listener in network.read_listeners(sockets, queues):
        yield from (_port_in_use(endpoint, listener.pid) for endpoint in wanted if listener.holds(endpoint))


def _port_in_use(endpoint: Endpoint, pid: int) -> Problem:
    if pid == network.SYSTEM:  # that one is Windows itself, and http.sys did not tell for which process it listens
        return Problem(
            "port-taken",
            f"{endpoint} is taken by Windows itself (process {pid}), as http.sys listens for programs",
            f"See which program it is ({' '.join(network.show_queues())}) and stop that, or plan another port",
        )
    return Problem(
        "port-taken",
        f"{endpoint} is taken by process {pid}",
        f'Stop process {pid} (tasklist /svc /fi "pid eq {pid}"), or plan another port',
    )


def _places(machine: InspectedMachine) -> list[str]:
    """What has to be a directory, if it is there."""
    return list(dict.fromkeys([machine["software"]["root"], machine["config_dir"], *machine["directories"]]))


def _directories(host: Host, machine: InspectedMachine) -> Problems:
    for path in _places(machine):
        if host.kind_of(path) == FILE:
            yield Problem(
                "not-a-directory",
                f"{path} has to be a directory, and is a file",
                "Move it away, or plan another directory",
            )


def _space(host: Host, machine: InspectedMachine, *, installed: bool) -> Problems:
    needed: dict[str, int] = {}
    for node in machine["nodes"]:
        drive = node["options"]["Db"][0].lower()
        needed[drive] = needed.get(drive, 0) + CHUNK_BYTES
    if not installed:
        drive = machine["software"]["root"][0].lower()
        needed[drive] = needed.get(drive, 0) + SOFTWARE_BYTES
    for drive, size in needed.items():
        try:
            free = int(host.ask(script.free_bytes(drive), expected="FREE", where=f"drive {drive}"))
        except HostError as error:
            yield Problem("no-drive", f"drive {drive}: {error.problem}", "Bring it up, or plan another one")
            continue
        if free < size:
            yield Problem(
                "disk-full",
                f"drive {drive} has {free // 2**20} MiB left, and {size // 2**20} MiB are needed for the next chunk of "
                "each database and for the software",
                "Make room, or plan another directory",
            )


def _files(host: Host, machine: InspectedMachine, sizes: dict[str, int | None]) -> Problems:
    """Existing files that are damaged and are not overwritten; ``sizes`` gets the ClusterSize of each sound one."""

    def read(text: str, path: str) -> None:
        document.read(text, where=path)
        sizes[path] = size_in(text)

    for service in servers(machine):
        yield from _file(host, service["config"], read)
    if machine["manager"]:
        yield from _file(
            host, machine["manager"]["watchdog"]["path"], lambda text, path: watchdog.parse(text, where=path)
        )


def _file(host: Host, path: str, read: t.Callable[[str, str], object]) -> Problems:
    try:
        text = text_of(host, path)
        if text is not None and not document.is_blank(text):
            read(text, path)
    except EventStoreError as error:
        yield Problem("file-damaged", str(error), f"Correct it, or move it away: move {path} {path}.damaged")


def _dns(host: Host, machine: InspectedMachine) -> Problems:
    if not machine["dns"]:
        return
    name, expected = machine["dns"]["name"], machine["dns"]["addresses"]
    try:
        found = host.ask(script.addresses_of(name), expected="ADDRESSES", where=f"DNS name {name}").split()
    except HostError as error:
        yield Problem("dns-unresolved", f"DNS name {name}: {error.problem}", f"Add a record for each of {expected}")
        return
    missing, extra = compare_records([ip for ip in found if ":" not in ip], expected)
    for ip in missing:
        yield Problem("dns-missing", f"DNS name {name} has no record for {ip}", f"Add: {name} A {ip}")
    for ip in extra:
        yield Problem(
            "dns-extra",
            f"DNS name {name} has a record for {ip}, which is no machine of the plan",
            f"Remove: {name} A {ip}; or put the machine into the inventory",
        )


def _notes(host: Host, machine: InspectedMachine) -> t.Iterator[str]:
    yield from machine["notes"]
    if machine["dns"] and machine["dns"]["nameservers"]:
        yield "eventstore_nameservers has no effect on Windows, whose programs ask the machine's own name servers"
    shown = host.run(*urlacl.show_command())
    for path in _trusted(machine):
        said = host.say(script.permissions(path), where=path)
        if said.kind == "SDDL" and acl.may_local_service_change(said.value):  # else it is not there yet
            yield (
                f"{path}: NT AUTHORITY\\LOCAL SERVICE, under which the service runs, may change what is in it, and "
                f"administrators run and trust that. To leave it to them: icacls {path} /inheritance:r /grant:r "
                f'"*S-1-5-32-544:(OI)(CI)F" "*S-1-5-18:(OI)(CI)F" "*{acl.LOCAL_SERVICE}:(OI)(CI)RX"'
            )
    wanted = [urlacl.parse_url(url) for url in machine["urlacls"]]
    for conflict in urlacl.conflicts(wanted, None, urlacl.parse_show(shown.output)):
        yield (
            f"{conflict.spelling} is reserved ({conflict.reason}): {conflict.sddl}. If the service is then denied its "
            "URL, remove it: es_urlacl with state: absent"
        )


def _trusted(machine: InspectedMachine) -> list[str]:
    """Directories with what administrators run, and with what tells the service what to run.

    A directory below C: inherits from it that all accounts that have logged on may change what is in it.
    """
    return [machine["software"]["root"], machine["config_dir"]]


__all__ = ["inspect"]
