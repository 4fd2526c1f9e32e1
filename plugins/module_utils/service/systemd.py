# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Services of systemd: a unit of our own, or a drop-in where a package brought a unit of that name."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs, programs
from ansible_collections.eventstore.cluster.plugins.module_utils.service import data
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import (
    Change,
    Definition,
    provide_run_dir,
    read_if_exists,
    write,
)

BOOTED = Path("/run/systemd/system")  # sd_booted(3)
UNITS = Path("/etc/systemd/system")
DROP_IN = "es_service.conf"
MARK = "# Written by eventstore.cluster.es_service. Changes in this file are lost: use a drop-in.\n"
OUTPUT_LINES = 20
# No call waits for a service: the longest is daemon-reload on a machine with many units.
SYSTEMCTL_TIMEOUT_S = 60.0

_SAFE = re.compile(r"[A-Za-z0-9_/.:=,+@-]+")
_ESCAPED = re.compile(r'[\\"$`]')
_PROPERTIES = ("LoadState", "ActiveState", "SubState", "MainPID", "FragmentPath", "UnitFileState")
# Sandbox for all services; operators can relax it in a drop-in.
_SANDBOX = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
UMask=0027
ProtectHome=read-only
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
"""
# What `systemctl enable` and `disable` can change, and whether it then starts with the machine.
_BOOT = {"": False, "disabled": False, "enabled": True, "enabled-runtime": False}


def unit(definition: Definition, environment_file: Path | None) -> str:
    """The text of a unit."""
    return f"""{MARK}[Unit]
Description={definition.title} ({definition.name})
Wants=network-online.target
After=network-online.target
{_mounts(definition)}StartLimitIntervalSec=0

[Service]
{_service(definition, environment_file)}
[Install]
WantedBy=multi-user.target
"""


def drop_in(definition: Definition, environment_file: Path | None) -> str:
    """The text of a drop-in that makes a package's unit run what is asked for. An empty value empties a list."""
    return f"""{MARK}[Unit]
{_mounts(definition)}StartLimitIntervalSec=0

[Service]
PIDFile=
Environment=
EnvironmentFile=
ExecStart=
{_service(definition, environment_file)}"""


def _mounts(definition: Definition) -> str:
    # Without its data disk a node would begin an empty database below the mount point.
    return f"RequiresMountsFor={_list(definition.writable)}\n" if definition.writable else ""


def _service(definition: Definition, environment_file: Path | None) -> str:
    lines = ["Type=simple"]
    if definition.user:
        lines.append(f"User={definition.user}")
    if definition.group:
        lines.append(f"Group={definition.group}")
    if environment_file:
        lines.append(f"EnvironmentFile={environment_file}")
    if definition.directory != "/":
        # To the end of the line, whatever blanks it has: systemd takes no quotes here.
        lines.append(f"WorkingDirectory={definition.directory.replace('%', '%%')}")
    own_dir = definition.own_dir
    writable = list(definition.writable)
    if own_dir and own_dir.parts[:2] == ("/", "run"):
        # /run is empty after a boot, and a manager that was killed is to find its state file there.
        lines += [f"RuntimeDirectory={_quote(str(own_dir.relative_to('/run')))}", "RuntimeDirectoryMode=0750"]
        lines.append("RuntimeDirectoryPreserve=yes")
    elif own_dir:
        writable.append(str(own_dir))
    if definition.kind == "database" and definition.config:
        # At boot nothing else keeps a node from an empty database: its disk may be away, and then all others' too.
        lines.append(f"ExecStartPre={exec_start(data.start_check(definition.config))}")
    # A server that truncated its database exits 0 and wants to come back, so always, and without a limit.
    lines += [f"ExecStart={exec_start(definition.argv)}", "Restart=always", "RestartSec=1"]
    if definition.kind == "manager":
        # A manager that is stopped takes its nodes along itself. Of one that crashed the nodes have to live on: the
        # next manager adopts them. With any other mode systemd would kill them first.
        lines.append("KillMode=process")
        # For the same reason not PrivateTmp: systemd empties that at each start, under the nodes that live on.
        lines.append("TemporaryFileSystem=/tmp:mode=1777 /var/tmp:mode=1777")
    else:
        lines.append("PrivateTmp=yes")
    lines += [f"TimeoutStopSec={definition.timeout_s:g}", "LimitNOFILE=32768"]
    if definition.writable:
        lines += ["ProtectSystem=strict", f"ReadWritePaths={_list(writable)}"]
    else:
        lines.append("ProtectSystem=full")
    return "\n".join(lines) + "\n" + _SANDBOX


def _list(paths: t.Iterable[str]) -> str:
    return " ".join(map(_quote, paths))


def exec_start(argv: t.Sequence[str]) -> str:
    """A command line as systemd reads it back: words, quotes, specifiers (%) and variables ($). systemd.service(5)."""
    if "$" in argv[0]:
        raise ServiceError(f"systemd cannot start a program with a '$' in its path: {argv[0]}", hint="Rename it")
    return " ".join([_quote(argv[0]), *(_quote(argument).replace("$", "$$") for argument in argv[1:])])


def _quote(argument: str) -> str:
    argument = argument.replace("%", "%%")
    if _SAFE.fullmatch(argument):
        return argument
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def environment_file(environment: t.Mapping[str, str]) -> str:
    """The variables as systemd reads them back. systemd.exec(5), EnvironmentFile=."""
    escaped = ((name, _ESCAPED.sub(r"\\\g<0>", value)) for name, value in sorted(environment.items()))
    return MARK + "".join(f'{name}="{value}"\n' for name, value in escaped)


def installed_command(name: str) -> list[str]:
    """The command line that a unit or a drop-in of ours starts; empty if there is none."""
    for path in (UNITS / f"{name}.service.d" / DROP_IN, UNITS / f"{name}.service"):
        text = read_if_exists(path) or ""
        lines = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart=")]
        if text.startswith(MARK) and lines:
            return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(lines[-1])]
    return []


def unit_of(pid: int) -> str:
    """The unit of which this is the main process, so that systemd starts it again; empty if there is none."""
    name = procfs.unit(pid)
    if not name or not BOOTED.is_dir():
        return ""
    with contextlib.suppress(ServiceError):
        return name if _run("systemctl", "show", "--property=MainPID", name).strip() == f"MainPID={pid}" else ""
    return name


class SystemdProvider:
    """One service as a unit."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._id = f"{definition.name}.service"
        self._own_unit = UNITS / self._id
        self._drop_in = UNITS / f"{self._id}.d" / DROP_IN
        # Apart from the unit, which everyone may read, as everyone may ask systemd for what the unit itself sets.
        self._environment = UNITS / f"{definition.name}.env"
        self._started_at: float | None = None
        self._state = self._show()
        self._of_package = self._belongs_to_others()
        self.unit: str | None = str(self._drop_in if self._of_package else self._own_unit)

    def lock(self, *, create: bool) -> t.ContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()  # systemd does the jobs of a unit one after the other

    def contradictions(self, pids: t.Iterable[int]) -> list[str]:  # noqa: ARG002
        return []  # what others have started is stopped one by one, and stays stopped

    def obstacles(self, *, check_mode: bool) -> list[str]:  # noqa: ARG002
        if self._state["LoadState"] == "masked":
            return [f"{self._id} is masked (systemctl unmask {self._id})"]
        return []

    def changes(self, *, present: bool | None, enabled: bool | None) -> list[Change]:
        found = [
            Change(str(path), self._shown(path, before), self._shown(path, after, before))
            for path, before, after, _mode in self._file_changes(present)
        ]
        wanted = False if present is False else enabled
        if self._boot_differs(wanted):
            found.append(Change(f"{self._id} starts with the machine", f"{not wanted}\n", f"{wanted}\n"))
        return found

    def apply(self, *, present: bool | None, enabled: bool | None) -> None:
        # A unit can be disabled as long as it is there, and enabled once it is.
        if self._boot_differs(False) and (present is False or enabled is False):
            self._systemctl("disable", self._id)
        changes = self._file_changes(present)
        for path, _before, after, mode in changes:
            if after is None:
                path.unlink()
            else:
                path.parent.mkdir(exist_ok=True)
                write(path, after, mode)
        if present is False:
            with contextlib.suppress(OSError):  # not there, or others have drop-ins too
                self._drop_in.parent.rmdir()
        if changes:
            self._systemctl("daemon-reload")
        if present is False and self._state["ActiveState"] == "failed":
            self._systemctl("reset-failed", self._id)
        self._state = self._show()
        if present is not False and enabled and self._boot_differs(True):
            self._systemctl("enable", self._id)

    def status(self) -> str:
        return f"{self._state['ActiveState']} ({self._state['SubState']})"

    def is_active(self) -> bool:
        self._state = self._show()
        return self._state["ActiveState"] not in ("inactive", "failed")

    def pid(self) -> int | None:
        return int(self._state["MainPID"]) or None

    def members(self) -> list[int]:
        return [pid for pid in procfs.all_pids() if procfs.unit(pid) == self._id]

    def adopt(self, pid: int) -> None:
        """systemd knows its processes."""

    def reasons(self, pid: int) -> list[str]:
        started = procfs.started_at(pid)
        pending = [f"{path} would be written" for path, *_rest in self._file_changes(True)]
        return pending + [
            f"{path} was written after pid {pid} was started"
            for path in (self._own_unit, self._drop_in, self._environment)
            if started is not None and procfs.is_later(path, started)
        ]

    def start(self) -> None:
        provide_run_dir(self._definition)
        self._started_at = time.time()
        self._systemctl("start", self._id)
        self._state = self._show()

    def stop(self) -> None:
        self._systemctl("stop", "--no-block", self._id)

    def output(self) -> str:
        since = [] if self._started_at is None else [f"--since=@{int(self._started_at)}"]
        lines = ["--quiet", "--no-pager", "--output=cat", f"--lines={OUTPUT_LINES}"]
        with contextlib.suppress(ServiceError):
            return _run("journalctl", f"--unit={self._id}", *lines, *since).strip()
        return ""

    def _belongs_to_others(self) -> bool:
        fragment = self._state["FragmentPath"]
        if fragment in ("", str(self._own_unit)):
            text = read_if_exists(self._own_unit)
            return text is not None and not text.startswith(MARK)
        return True

    def _file_changes(self, present: bool | None) -> list[tuple[Path, str | None, str | None, int]]:
        """(path, text before, text after, mode) of each file of ours that is not as it is to be."""
        if present is None:
            return []
        wanted: dict[Path, tuple[str | None, int]] = {self._environment: (None, 0o600), self._drop_in: (None, 0o644)}
        if not self._of_package:
            wanted[self._own_unit] = (None, 0o644)
        if present:
            path = self._environment if self._definition.environment else None
            render = drop_in if self._of_package else unit
            wanted[Path(str(self.unit))] = (render(self._definition, path), 0o644)
            if path:
                wanted[path] = (environment_file(self._definition.environment), 0o600)
        found = []
        for path, (after, mode) in wanted.items():
            before = read_if_exists(path)
            if before != after:
                found.append((path, before, after, mode))
        return found

    def _shown(self, path: Path, text: str | None, other: str | None = None) -> str:
        """A text as a diff may have it: of variables only the names, and which lines are not as in ``other``."""
        if text is None or path != self._environment:
            return text or ""
        known = (other or text).splitlines()
        lines = (line.partition("=")[0] + ("" if line in known else " (new value)") for line in text.splitlines())
        return "\n".join(lines) + "\n"

    def _boot_differs(self, wanted: bool | None) -> bool:
        """A unit without an [Install] section can be neither enabled nor disabled; others start it, or no one."""
        starts = _BOOT.get(self._state["UnitFileState"])
        return wanted is not None and starts is not None and starts != wanted

    def _show(self) -> dict[str, str]:
        lines = _run("systemctl", "show", f"--property={','.join(_PROPERTIES)}", self._id).splitlines()
        state = dict(line.partition("=")[::2] for line in lines)
        return {name: state.get(name, "0" if name == "MainPID" else "") for name in _PROPERTIES}

    def _systemctl(self, *arguments: str) -> None:
        try:
            _run("systemctl", *arguments)
        except ServiceError as error:
            raise ServiceError(error.problem, where=self._id, hint=f"The journal says:\n{self.output()}") from error


def _run(*argv: str) -> str:
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
    command = " ".join(argv)
    try:
        code, output, errors = programs.run(argv, environment=environment, timeout_s=SYSTEMCTL_TIMEOUT_S)
    except FileNotFoundError:
        raise ServiceError(
            f"{argv[0]} is not installed on this machine", where="provider systemd", hint="Use provider: process"
        ) from None
    except subprocess.TimeoutExpired:
        raise ServiceError(
            f"'{command}' did not end within {SYSTEMCTL_TIMEOUT_S:g} s", where="provider systemd"
        ) from None
    if code != 0:
        text = (errors or output).strip()
        raise ServiceError(f"'{command}' ended with {code}: {text}", where="provider systemd")
    return output


__all__ = [
    "BOOTED",
    "UNITS",
    "SystemdProvider",
    "drop_in",
    "environment_file",
    "exec_start",
    "installed_command",
    "unit",
    "unit_of",
]
