# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Services of Windows: what the service control manager says, and the commands that change it.

Only constants, numbers and names that Windows does not translate are read. ``net start`` ends with 2 for every failure
and the vendor's installer with 0 for having done nothing, so each is judged by ``sc query`` and by nothing else.
"""

from __future__ import annotations

import re
import struct
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows.script import Ran

STATES = {
    1: "STOPPED",
    2: "START_PENDING",
    3: "STOP_PENDING",
    4: "RUNNING",
    5: "CONTINUE_PENDING",
    6: "PAUSE_PENDING",
    7: "PAUSED",
}
NOT_INSTALLED = 1060
STOPPED, RUNNING = STATES[1], STATES[4]
KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\"

_STATE = re.compile(r":\s*([1-7])\s+([A-Z_]+)\b")
_VALUE = re.compile(r"^\s+(\S+)\s+(REG_[A-Z_]+)(?:\s+(.*?))?\s*$")
_START = {2: "auto", 3: "manual", 4: "disabled"}
_ACTIONS = {0: "none", 1: "restart", 2: "reboot", 3: "run a command"}


@dataclass(frozen=True)
class Settings:
    """A service as the registry has it. ``recovery``: what Windows does at the first, second, … failure, in words.

    ``on_error``: whether that also holds when the service ends by itself with an error. Nothing holds for an end with
    exit code 0, which Windows takes for a wish.
    """

    program: str = ""
    account: str = ""
    start_mode: str = ""
    is_deleted: bool = False
    recovery: tuple[str, ...] = ()
    on_error: bool = False


def query(name: str) -> list[str]:
    return ["sc.exe", "query", name]


def query_settings(name: str) -> list[str]:
    return ["reg.exe", "query", KEY + name]


def install(program: str, name: str, config: str) -> list[str]:
    return [program, "install", "-InstanceName", name, "-ManagerConfig", config]


def uninstall(program: str, name: str) -> list[str]:
    return [program, "uninstall", "-InstanceName", name]


def start(name: str) -> list[str]:
    return ["net.exe", "start", name]


def stop(name: str) -> list[str]:
    return ["net.exe", "stop", name]


def set_start_mode(name: str, *, automatic: bool) -> list[str]:
    # To sc.exe, the name with its equals sign and the value are two words.
    return ["sc.exe", "config", name, "start=", "delayed-auto" if automatic else "demand"]


def read_state(ran: Ran, *, name: str) -> str | None:
    """One of ``STATES``, None if there is no such service; HostError with what came if that cannot be told."""
    if ran.code == NOT_INSTALLED:
        return None
    found = [match[2] for match in _STATE.finditer(ran.output) if STATES[int(match[1])] == match[2]]
    if ran.code or len(found) != 1:
        raise HostError(
            f"expected the state of a service, but sc.exe exited with {ran.code} and printed {ran.output!r}",
            where=f"sc.exe query {name}",
            hint="Run the command on the host, as the account of the connection",
        )
    return found[0]


def read_settings(ran: Ran) -> Settings:
    """What ``reg query`` printed of a service; empty where it printed nothing, for it decides nothing."""
    values = {}
    for line in ran.output.splitlines():
        found = _VALUE.match(line)
        if found:
            values[found[1].lower()] = found[3] or ""
    mode = _START.get(_number(values.get("start")) or 0, "")
    if mode == "auto" and _number(values.get("delayedautostart")):
        mode = "delayed"
    return Settings(
        program=values.get("imagepath", ""),
        account=values.get("objectname", ""),
        start_mode=mode,
        is_deleted=bool(_number(values.get("deleteflag"))),
        recovery=_recovery(values.get("failureactions", "")),
        on_error=bool(_number(values.get("failureactionsonnoncrashfailures"))),
    )


def _number(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def _recovery(text: str) -> tuple[str, ...]:
    """SERVICE_FAILURE_ACTIONS as the registry has it: five numbers, the fourth counts the pairs of action and delay."""
    try:
        content = bytes.fromhex(text)
        count = struct.unpack_from("<5I", content)[3]
        pairs: t.Iterator[tuple[int, ...]] = struct.iter_unpack("<2I", content[20 : 20 + 8 * count])
        return tuple(f"{_ACTIONS.get(action, str(action))} after {delay} ms" for action, delay in pairs)
    except (ValueError, struct.error):
        return ()


def recovery_problems(name: str, settings: Settings) -> list[str]:
    """What Windows will not do when the manager ends, and what to type to have it done."""
    if not any(action.startswith("restart") for action in settings.recovery):
        return [
            f"{name}: Windows does not restart it after a failure. To enable restarts: sc.exe failure {name} reset= "
            "86400 actions= restart/5000/restart/5000/restart/60000"
        ]
    if not settings.on_error:
        return [
            f"{name}: Windows restarts it after a crash, but not after an exit with an error. To enable that too: "
            f"sc.exe failureflag {name} 1. Windows never restarts it after exit code 0"
        ]
    return []


def not_installed(name: str, command: str, ran: Ran) -> HostError:
    """What is to be said when the installer has run and the service control manager knows no such service."""
    printed = f" It printed: {ran.output}" if ran.output else " It printed nothing."
    return HostError(
        f"the installer exited with {ran.code}, but the service control manager has no service {name}.{printed}\nIn a "
        "session without a logged-on user, as those of winrm, psrp and ssh, some releases of the vendor's installer "
        "do nothing (KurrentDB issue 905)",
        where=command,
        hint=f"Run the installer once on the host, as a logged-on administrator: {command}\nThen run this task again: "
        "it finds and uses the service",
    )


__all__ = [
    "NOT_INSTALLED",
    "RUNNING",
    "STATES",
    "STOPPED",
    "Settings",
    "install",
    "not_installed",
    "query",
    "query_settings",
    "read_settings",
    "read_state",
    "recovery_problems",
    "set_start_mode",
    "start",
    "stop",
    "uninstall",
]
