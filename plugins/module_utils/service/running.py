# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Which servers of Event Store run on this machine at an address, and with what they were started."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config import watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import (
    is_secret_option,
    is_secret_variable,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import RunningServer
from ansible_collections.eventstore.cluster.plugins.module_utils.service import family

with contextlib.suppress(ImportError):  # the module requires it
    import yaml


def servers(ip: str) -> list[RunningServer]:
    """The servers whose configuration file has ``ip`` as IntIp, managers last. Nothing secret is in them."""
    found: dict[str, RunningServer] = {}
    for pid in sorted(procfs.all_pids()):
        path = family.config_file(pid)
        # A server may be several processes, of which the first was started by the service or by the manager.
        if path and path not in found and not procfs.is_of_container(pid):
            options = _options(path)
            if options.get("IntIp") == ip:
                found[path] = _server(pid, path, options)
    return sorted(found.values(), key=lambda server: (server["kind"] == "manager", server["config"]))


def _options(path: str) -> dict[str, t.Any]:
    try:
        data = yaml.safe_load(Path(path).read_text("utf-8-sig"))
    except OSError as error:
        raise ServiceError(
            f"the configuration file cannot be read: {error.strerror}", where=path, hint="Run it with become"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}  # not a file of these servers: other programs have an option --config, too
    return {str(name): value for name, value in data.items()} if isinstance(data, dict) else {}


def _server(pid: int, path: str, options: dict[str, t.Any]) -> RunningServer:
    variables = {name: text for name, text in procfs.environment(pid).items() if name.startswith("EVENTSTORE_")}
    secrets = [*filter(is_secret_option, options), *filter(is_secret_variable, variables)]
    owner = os.stat(f"/proc/{pid}")
    return {
        "kind": "manager" if family.is_manager(pid) else "database",
        "name": Path(path).stem,
        "config": path,
        "options": {name: value for name, value in options.items() if name not in secrets},
        "environment": {name: text for name, text in variables.items() if name not in secrets},
        "secrets": secrets,
        "command": procfs.command_line(pid),
        "unit": procfs.unit(pid),
        "user": pwd.getpwuid(owner.st_uid).pw_name,
        "group": grp.getgrgid(owner.st_gid).gr_name,
        "watchdog": _watchdog(options.get("WatchdogConfig")),
    }


def _watchdog(path: str | None) -> list[str]:
    """The configuration files of the nodes in a manager's watchdog file, in its order."""
    if not path:
        return []
    entries = watchdog.parse(Path(path).read_text(encoding="utf-8"), where=path)
    return [config for entry in entries if (config := entry.config)]


__all__ = ["servers"]
