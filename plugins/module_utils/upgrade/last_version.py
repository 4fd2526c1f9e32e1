# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Which version a service was started in last, as its provider left it on the disk. Nothing need run for that."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path, PurePosixPath

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import UpgradeError
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import (
    InspectedMachine,
    MachinePlan,
    servers,
    units,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.recovery import WRITER
from ansible_collections.eventstore.cluster.plugins.module_utils.service import systemd
from ansible_collections.eventstore.cluster.plugins.module_utils.service.daemon import Record
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import Version

NODE_EXECUTABLE = "--node-executable"


def version_of(command: t.Sequence[str]) -> str:
    """The version whose directory the database node's program is in; empty if it is in none."""
    program = command[0] if command else ""
    for word, after in zip(command, command[1:]):
        if word == NODE_EXECUTABLE:
            program = after
    return next(filter(_is_release, reversed(PurePosixPath(program).parts[:-1])), "")


def last_versions(machine: InspectedMachine) -> dict[str, str]:
    """Service -> version, of the services of a machine's plan for which it is known."""
    uses_systemd = machine["provider"] == "systemd" or (machine["provider"] == "auto" and systemd.BOOTED.is_dir())
    found = {}
    for service in units(machine):
        name = service["service"]
        if uses_systemd:
            command = systemd.installed_command(name)
        else:
            record = Record.read(Path(machine["run_dir"]) / f"{name}.pid")
            command = list(record.argv) if record else []
        version = version_of(command) or _only_possible(machine)
        if version:
            found[name] = version
    return found


def waiting(machine: MachinePlan) -> list[Path]:
    """Configuration files of the planned version beside those in use that are not yet what is in use."""
    version = os.path.basename(machine["software"]["home"])
    files = [(Path(f"{service['config']}.{version}"), Path(service["config"])) for service in servers(machine)]
    return [
        path for path, used in files if path.is_file() and used.is_file() and path.read_bytes() != used.read_bytes()
    ]


def full_stop_mark(machine: MachinePlan) -> Path:
    """The file that is there from when a healthy cluster may be stopped for the planned version until that runs."""
    return Path(f"{machine['nodes'][0]['config']}.{os.path.basename(machine['software']['home'])}.full-stop")


def _only_possible(machine: MachinePlan) -> str:
    """A plain process leaves no trace after a boot, but data that are there were not written by what is not there."""
    home = Path(machine["software"]["home"])
    has_data = any(os.path.exists(os.path.join(node["options"]["Db"], WRITER)) for node in machine["nodes"])
    if not has_data or home.is_dir():
        return ""
    others = [path.parent.name for path in home.parent.glob(f"*/{machine['software']['executable']}")]
    return max(filter(_is_release, others), key=Version.parse, default="")


def _is_release(name: str) -> bool:
    try:
        Version.parse(name)
    except UpgradeError:
        return False
    return True


__all__ = ["full_stop_mark", "last_versions", "version_of", "waiting"]
