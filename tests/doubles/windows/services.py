# SPDX-License-Identifier: GPL-3.0-or-later
"""The service control manager. A started manager is the built-in one with the lab's nodes, on this machine's address.

What the vendor's manager reads from its files is translated: its paths become paths of this computer.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import psutil
import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses
from tests.doubles.windows import accounts, software
from tests.doubles.windows.machine import Machine, Refused

STOPPED, START_PENDING, RUNNING = 1, 2, 4
CONSTANTS = {STOPPED: "STOPPED", START_PENDING: "START_PENDING", RUNNING: "RUNNING"}
OK = 0
ACCESS_DENIED, ALREADY_RUNNING, DISABLED, NOT_INSTALLED = 5, 1056, 1058, 1060
NOT_STARTED, TERMINATED, MARKED, EXISTS = 1062, 1067, 1072, 1073
AUTOMATIC, MANUAL, OFF = 2, 3, 4
STOP_TIMEOUT_S = 20.0
DRIVE = re.compile(r"[A-Za-z]:[\\/].*", re.DOTALL)

Service = dict[str, t.Any]


def find(machine: Machine, name: str) -> tuple[str, Service] | None:
    """The service of that name, whatever its case; those marked for deletion go when their time is over."""
    services = machine.read("services")
    gone = [each for each, service in services.items() if _over(service)]
    for each in gone:
        del services[each]
    if gone:
        machine.write("services", services)
    return next(((each, service) for each, service in services.items() if each.lower() == name.lower()), None)


def _over(service: Service) -> bool:
    return service.get("marked_until") is not None and time.time() >= service["marked_until"]


def install(machine: Machine, name: str, image: str, description: str, config: str) -> int:
    found = find(machine, name)
    if found:
        return MARKED if found[1].get("marked_until") is not None else EXISTS
    services = machine.read("services")
    services[name] = {
        "image": image,
        "config": config,
        "account": "NT AUTHORITY\\LocalService",
        "start": AUTOMATIC,
        "delayed": True,
        "description": description,
        "exit_code": 0,
        "pid": None,
        "failure_actions": [],
        "failure_on_non_crash": False,
    }
    machine.write("services", services)
    return OK


def uninstall(machine: Machine, name: str) -> int:
    found = find(machine, name)
    if not found:
        return NOT_INSTALLED
    name = found[0]
    stop(machine, name)
    services = machine.read("services")
    services[name]["marked_until"] = time.time() + machine.setting("marked_s")
    machine.write("services", services)
    find(machine, name)
    return OK


def state(service: Service) -> int:
    return RUNNING if process(service) else STOPPED


def process(service: Service) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        if service["pid"] is not None:
            found = psutil.Process(service["pid"])
            if found.create_time() == service["created"] and found.status() != psutil.STATUS_ZOMBIE:
                return found
    return None


def running(machine: Machine) -> list[tuple[str, psutil.Process]]:
    found = [(name, process(service)) for name, service in machine.read("services").items()]
    return [(name, each) for name, each in found if each]


def nodes(machine: Machine) -> list[tuple[str, psutil.Process, str]]:
    """The database nodes that run, also those that outlived their manager: (service, process, file on Windows)."""
    files = {
        word: (path.parent.name, config)
        for path in (machine.folder / "run").glob("*/nodes.json")
        for word, config in json.loads(path.read_text(encoding="utf-8")).items()
    }
    return [
        (files[word][0], process, files[word][1])
        for process in psutil.process_iter(["cmdline"])
        for word in (process.info["cmdline"] or ())
        if word in files
    ]


def start(machine: Machine, name: str) -> int:
    found = find(machine, name)
    if not found:
        return NOT_INSTALLED
    name, service = found
    if service.get("marked_until") is not None:
        return MARKED
    if service["start"] == OFF:
        return DISABLED
    if process(service):
        return ALREADY_RUNNING
    services = machine.read("services")
    why = "it fails, as machine.json says" if machine.setting("start_fails") else _launch(machine, name, services[name])
    services[name]["exit_code"] = TERMINATED if why else 0
    machine.write("services", services)
    if why:
        machine.note("events", {"service": name, "why": why})
        return TERMINATED
    return OK


def stop(machine: Machine, name: str) -> int:
    found = find(machine, name)
    if not found:
        return NOT_INSTALLED
    running = process(found[1])
    if not running:
        return NOT_STARTED
    running.terminate()
    with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
        running.wait(STOP_TIMEOUT_S)
    services = machine.read("services")
    services[found[0]].update(pid=None, exit_code=0)
    machine.write("services", services)
    return OK


def _launch(machine: Machine, name: str, service: Service) -> str:
    """Start the manager of a service and note its process; why it would have ended at once, or ''."""
    folder = machine.folder / "run" / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        urls = _translate(machine, service["config"], folder)
    except (OSError, Refused, ValueError, yaml.YAMLError) as error:
        return f"{service['config']}: {error}"
    unreserved = [url for url in urls if not _may_listen(machine, url)]
    if unreserved:
        return f"Access is denied: {unreserved[0]} is not reserved for the service's account"
    programs = software.programs(machine.folder / "run")
    with (folder / "output").open("ab") as log:
        child = subprocess.Popen(
            [
                *(sys.executable, str(programs.manager), "--config", str(folder / "manager.yaml")),
                *("--node-executable", str(programs.node)),
                *("--watchdog-state", str(folder / "state")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "EVENTSTORE_NAMESERVERS": ",".join(machine.setting("nameservers"))},
            start_new_session=True,
        )
    CHILDREN.append(child)
    service.update(pid=child.pid, created=psutil.Process(child.pid).create_time())
    return ""


# Popen objects are kept, so that ended children are waited for.
CHILDREN: list[subprocess.Popen[bytes]] = []


def _translate(machine: Machine, config: str, folder: Path) -> list[str]:
    """Write the files that the manager and its nodes really read; the URLs that they listen on."""
    options = _read(machine, config)
    urls = _urls(options, 30777, 30778)
    watchdog = options.get("WatchdogConfig")
    lines = []
    files = {}
    if watchdog:
        for number, line in enumerate(machine.get(watchdog).decode("utf-8-sig").splitlines()):
            if not line.startswith("# "):
                raise ValueError(f"{watchdog}: a line that is no command line: {line!r}")
            words = _split(line[2:])
            if len(words) != 2 or words[0] != "--config":
                raise ValueError(f"{watchdog}: the stand-in knows --config PATH only, not {line!r}")
            node = _read(machine, words[1])
            urls += _urls(node, 2112, 2113)
            target = folder / f"node{number}.yaml"
            target.write_text(yaml.safe_dump(_local(machine, node)), encoding="utf-8")
            files[str(target)] = words[1]
            lines.append(f"# --config {target}\n")
        options["WatchdogConfig"] = None
    local = _local(machine, options)
    if watchdog:
        (folder / "watchdog.esconfig").write_text("".join(lines), encoding="utf-8")
        local["WatchdogConfig"] = str(folder / "watchdog.esconfig")
    (folder / "manager.yaml").write_text(yaml.safe_dump(local), encoding="utf-8")
    machine.write(f"run/{folder.name}/nodes", files)
    return urls


def urls_of(machine: Machine, config: str, *, is_manager: bool) -> list[str]:
    """The URLs of a manager or a node, as its file says now; none if it cannot be read."""
    with contextlib.suppress(OSError, Refused, ValueError, KeyError, yaml.YAMLError):
        return _urls(_read(machine, config), *((30777, 30778) if is_manager else (2112, 2113)))
    return []


def _read(machine: Machine, path: str) -> dict[str, t.Any]:
    data = yaml.safe_load(machine.get(path).decode("utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError(f"{path}: no options")
    return data


def _split(line: str) -> list[str]:
    return [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', line)]


def _local(machine: Machine, options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        key: str(machine.path(value)) if isinstance(value, str) and DRIVE.fullmatch(value) else value
        for key, value in options.items()
    }


def _urls(options: dict[str, t.Any], internal: int, external: int) -> list[str]:
    known = {"IntHttpPort": internal, "ExtHttpPort": external, **options}
    return [url for side in addresses.SIDES for url in addresses.prefixes(known, side)]


def _may_listen(machine: Machine, url: str) -> bool:
    sddl = machine.read("urlacl").get(url, "")
    allowed = accounts.GENERIC_EXECUTE | accounts.GENERIC_ALL
    return any(
        entry.kind == "A" and entry.rights & allowed and entry.sid in ("S-1-5-19", "S-1-1-0")
        for entry in accounts.entries(sddl) or []
    )


def end_all(machine: Machine) -> None:
    """Stop what runs, as a machine does that is switched off in order."""
    for name, _process in running(machine):
        stop(machine, name)
