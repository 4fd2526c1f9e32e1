# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets, .NET methods and objects that the stand-in knows; each name in lower case. Everything else raises."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import ipaddress
import re
import time
import typing as t
import zipfile
from dataclasses import dataclass

import dns.exception
import dns.resolver

from tests.doubles.windows import services, software
from tests.doubles.windows.accounts import SID, sid_of
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused


@dataclass(frozen=True)
class Type:
    name: str


# -- methods of types --------------------------------------------------------------------------------------------------


def static(machine: Machine, type_name: str, member: str, *given: t.Any) -> t.Any:
    function = STATIC.get((type_name, member))
    if function is None:
        raise NotUnderstood(f"[{type_name}]::{member}")
    try:
        return function(machine, *given)
    except TypeError:
        raise NotUnderstood(f"[{type_name}]::{member} with {len(given)} arguments") from None


def _extract(machine: Machine, archive: str, directory: str) -> None:
    """As ExtractToDirectory of .NET Framework: the directory is made; nothing is written over."""
    content = machine.get(archive)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            names = [info for info in opened.infolist() if not info.is_dir()]
            machine.make_directory(directory)
            for info in names:
                target = f"{directory}\\{info.filename}"
                if ".." in re.split(r"[\\/]", info.filename):
                    raise Refused("Extracting Zip entry would have resulted in a file outside the specified directory.")
                if machine.path(target).exists():
                    raise Refused(f"The file '{target}' already exists.")
                machine.make_directory(re.split(r"[\\/][^\\/]*$", target)[0])
                machine.put(target, opened.read(info))
    except zipfile.BadZipFile:
        raise Refused("End of Central Directory record could not be found.") from None


def _addresses(machine: Machine, name: str) -> list[str]:
    if re.fullmatch(r"[0-9.]+", name):
        return [name]
    nameservers = machine.setting("nameservers")
    found = []
    for server in nameservers:
        address, _colon, port = server.partition(":")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [address], int(port or 53)
        try:
            found = [record.to_text() for record in resolver.resolve(name, "A", lifetime=3)]
        except dns.exception.DNSException:
            continue
        break
    if not found:
        raise Refused("No such host is known")
    return [str(ipaddress.ip_address(each)) for each in found]


def _delete(machine: Machine, path: str) -> None:
    """As ``File.Delete``: a file that is not there is no error."""
    if machine.path(path).is_file():
        machine.remove(path)


def _now(machine: Machine) -> dict[str, t.Any]:
    return _date_time(machine, time.time())


def _written(machine: Machine, path: str) -> dict[str, t.Any]:
    found = machine.path(path)
    if not found.exists():
        raise NotUnderstood(f"the time of a file that is not there, which Windows says is 1601: {path!r}")
    return _date_time(machine, found.stat().st_mtime)


def _date_time(machine: Machine, epoch_s: float) -> dict[str, t.Any]:
    """A time in UTC, on this machine's clock."""
    moment = datetime.datetime.fromtimestamp(epoch_s + machine.setting("clock_s"), datetime.timezone.utc)

    def to_string(form: str) -> str:
        if form != "s":
            raise NotUnderstood(f"DateTime.ToString({form!r})")
        return moment.strftime("%Y-%m-%dT%H:%M:%S")

    return {"tostring": to_string}


STATIC: dict[tuple[str, str], t.Callable[..., t.Any]] = {
    ("system.io.file", "exists"): lambda machine, path: machine.path(path).is_file(),
    ("system.io.directory", "exists"): lambda machine, path: machine.path(path).is_dir(),
    ("system.io.file", "getlastwritetimeutc"): _written,
    ("system.io.file", "readallbytes"): lambda machine, path: machine.get(path),
    ("system.io.file", "readalllines"): lambda machine, path: machine.get(path).decode("utf-8-sig").splitlines(),
    ("system.io.file", "writeallbytes"): lambda machine, path, content: machine.put(path, content),
    ("system.io.file", "writealltext"): lambda machine, path, text: machine.put(path, text.encode()),
    ("system.io.file", "delete"): _delete,
    ("system.io.file", "move"): lambda machine, source, target: machine.move(source, target),
    ("system.io.file", "replace"): lambda machine, *paths: machine.replace(*paths),
    ("system.io.directory", "createdirectory"): lambda machine, path: machine.make_directory(path),
    ("system.io.directory", "move"): lambda machine, source, target: machine.move(source, target),
    ("system.string", "equals"): lambda _machine, one, other: one == other,
    ("system.convert", "tobase64string"): lambda _machine, content: base64.b64encode(content).decode(),
    ("system.convert", "frombase64string"): lambda _machine, text: base64.b64decode(text, validate=True),
    ("system.io.compression.zipfile", "extracttodirectory"): _extract,
    ("system.io.directory", "getdirectories"): lambda machine, path: machine.directories(path),
    ("system.text.encoding", "utf8"): lambda _machine: {"getbytes": lambda text: text.encode("utf-8")},
    ("system.net.dns", "gethostaddresses"): _addresses,
    ("system.datetime", "utcnow"): _now,
}


# -- objects -----------------------------------------------------------------------------------------------------------


def new(machine: Machine, type_name: str, *given: t.Any) -> dict[str, t.Any]:
    if type_name == "system.security.principal.ntaccount":
        (account,) = given

        def translate(kind: Type) -> dict[str, t.Any]:
            if kind.name != "system.security.principal.securityidentifier":
                raise NotUnderstood(f"Translate to {kind.name}")
            sid = sid_of(account, machine.setting("accounts"), machine.setting("locale"))
            if sid is None:
                raise Refused(ACCOUNT_UNKNOWN.get(machine.setting("locale"), ACCOUNT_UNKNOWN["en"]))
            return {"value": sid}

        return {"translate": translate}
    if type_name == "system.io.driveinfo":
        (drive,) = given
        if not (machine.drives / drive[:1].upper()).is_dir():
            raise Refused("Could not find the drive. The drive might not be ready or might not be mapped.")
        return {"availablefreespace": machine.setting("free_bytes")}
    raise NotUnderstood(f"New-Object {type_name}")


ACCOUNT_UNKNOWN = {
    "en": "Some or all identity references could not be translated.",
    "de": "Manche oder alle Identitätsverweise konnten nicht übersetzt werden.",
    "it": "Impossibile convertire alcuni o tutti i riferimenti di identità.",
}


# -- cmdlets -----------------------------------------------------------------------------------------------------------


def _take(given: dict[str, t.Any], *names: str, switches: t.Sequence[str] = ()) -> list[t.Any]:
    unknown = set(given) - set(names) - set(switches)
    if unknown or not set(names) <= set(given) or any(given.get(name, True) is not True for name in switches):
        raise NotUnderstood(f"parameters {sorted(given)}, where {sorted([*names, *switches])} are known")
    return [given[name] for name in names]


def _move(machine: Machine, given: dict[str, t.Any]) -> None:
    source, target = _take(given, "literalpath", "destination", switches=["force"])
    machine.move_item(source, target)


def _remove(machine: Machine, given: dict[str, t.Any]) -> None:
    (path,) = _take(given, "literalpath", switches=["recurse", "force"])
    machine.remove(path)


def _unblock(machine: Machine, given: dict[str, t.Any]) -> None:
    (path,) = _take(given, "literalpath")
    if not machine.path(path).is_file():
        raise Refused(f"Cannot find path '{path}' because it does not exist.")
    machine.path(path).with_name(machine.path(path).name + ":Zone.Identifier").unlink(missing_ok=True)


def _add_type(_machine: Machine, given: dict[str, t.Any]) -> None:
    (name,) = _take(given, "assemblyname")
    if name != "System.IO.Compression.FileSystem":
        raise NotUnderstood(f"Add-Type {name}")


def _hash(machine: Machine, given: dict[str, t.Any]) -> dict[str, str]:
    path, algorithm = _take(given, "literalpath", "algorithm")
    if algorithm != "SHA256":
        raise NotUnderstood(f"Get-FileHash {algorithm}")
    return {"hash": hashlib.sha256(machine.get(path)).hexdigest().upper()}


def _process(machine: Machine, given: dict[str, t.Any]) -> dict[str, t.Any]:
    (pid,) = _take(given, "id")
    if pid is None:
        raise Refused("Cannot bind argument to parameter 'Id' because it is null.")
    if pid == 0:
        raise Refused("Access is denied", 5)  # its StartTime
    processes = [process for _name, process in services.running(machine) if process.pid == pid]
    if not isinstance(pid, int):
        raise NotUnderstood(f"Get-Process -Id {pid!r}")
    if not processes:
        raise Refused(f"Cannot find a process with the process identifier {pid}.")
    started = _date_time(machine, processes[0].create_time())
    return {"id": pid, "starttime": {"touniversaltime": lambda: started}}


def _instances(machine: Machine, given: dict[str, t.Any]) -> list[dict[str, t.Any]] | dict[str, t.Any] | None:
    """All processes, some of which a session is not shown the program of; all services, running or not."""
    kind, condition = _take({"filter": "", **given}, "classname", "filter")
    stored = machine.read("services")
    running = dict(services.running(machine))
    if kind == "Win32_Process" and condition in ("", "ProcessId > 4"):
        programs = [stored[name]["image"].split('"')[1] for name in running]
        if not condition:
            return [{"executablepath": path} for path in [None, *machine.setting("processes"), *programs]]
        return _processes(machine)
    if kind != "Win32_Service":
        raise NotUnderstood(f"Get-CimInstance {kind} {condition!r}")
    if not condition:
        return [{"pathname": service["image"]} for service in stored.values()]
    match = re.fullmatch("Name = '([A-Za-z0-9._-]+)'", condition)
    if not match:
        raise NotUnderstood(f"a filter of services: {condition!r}")
    found = services.find(machine, match[1])
    if not found:
        return None
    process = services.process(found[1])
    return {"processid": process.pid if process else 0}


def _processes(machine: Machine) -> list[dict[str, t.Any]]:
    stored = machine.read("services")
    hides = machine.setting("hides_command_lines")
    rows = [(each.pid, 700, stored[name]["image"]) for name, each in services.running(machine)]
    for _name, node, config in services.nodes(machine):
        rows.append((node.pid, node.ppid(), f'"c:\\EventStore\\{software.NAMES[0]}" --config {config}'))
    rows += [(row["pid"], row["parent"], row["command"]) for row in machine.setting("foreign")]
    return [
        {"processid": pid, "parentprocessid": parent, "commandline": None if hides else command}
        for pid, parent, command in rows
    ]


def _acl(machine: Machine, given: dict[str, t.Any]) -> dict[str, str]:
    """What the nearest folder of acl.json says; else the rights that a folder below C: inherits."""
    (path,) = _take(given, "literalpath")
    found = machine.path(path)
    if not found.exists():
        raise Refused(f"Cannot find path '{path}' because it does not exist.")
    said = {str(machine.path(each)): sddl for each, sddl in machine.read("acl").items()}
    for each in (found, *found.parents):
        if str(each) in said:
            return {"sddl": said[str(each)]}
    return {"sddl": f"O:BAG:{SID['deployer'][:-5]}-513D:(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)"}


KNOWN: dict[str, t.Callable[..., t.Any]] = {
    "move-item": _move,
    "remove-item": _remove,
    "unblock-file": _unblock,
    "add-type": _add_type,
    "get-filehash": _hash,
    "get-acl": _acl,
    "get-ciminstance": _instances,
    "get-process": _process,
    "new-object": new,
}

__all__ = ["KNOWN", "Type", "new", "static"]
