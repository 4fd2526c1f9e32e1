# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Services without an init system: a daemon each, with a pid file and a file for its output below ``run_dir``."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pwd
import resource
import signal
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json
from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts, procfs
from ansible_collections.eventstore.cluster.plugins.module_utils.host.programs import Program
from ansible_collections.eventstore.cluster.plugins.module_utils.service import systemd
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import (
    Change,
    Definition,
    open_own,
    provide_run_dir,
    write,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

MAX_RECORD_BYTES = 1024 * 1024
MAX_OUTPUT_BYTES = 10 * 1024 * 1024
OUTPUT_LINES = 20
# The vendor's unit has it; its documents ask for 30,000 to 60,000 open files.
OPEN_FILES = 32768


@dataclass(frozen=True)
class Record:
    """The content of a pid file."""

    pid: int
    start_time: int
    boot_id: str
    argv: tuple[str, ...]

    @classmethod
    def of(cls, pid: int, argv: t.Sequence[str]) -> Record | None:
        """The record of a running process; None if it has ended."""
        started = procfs.start_time(pid)
        return None if started is None else cls(pid, started, procfs.boot_id(), tuple(argv))

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """What the pid file says; None if there is none, it is damaged, or neither ours nor root's."""
        try:
            with open(open_own(path, os.O_RDONLY), "rb") as stream:
                data = parse_json(stream.read(MAX_RECORD_BYTES))
            return cls(int(data["pid"]), int(data["start_time"]), str(data["boot_id"]), tuple(data["argv"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        write(path, json.dumps(self.__dict__) + "\n", 0o644)

    def is_running(self) -> bool:
        return self.boot_id == procfs.boot_id() and procfs.is_running(self.pid, self.start_time)


class ProcessProvider:
    """One service as a daemon."""

    unit: str | None = None

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._run_dir = definition.run_dir
        self._pid_file = self._run_dir / f"{definition.name}.pid"
        self._output = self._run_dir / f"{definition.name}.out"
        self._output_start = 0

    @contextlib.contextmanager
    def lock(self, *, create: bool) -> t.Iterator[None]:
        path = self._run_dir / f"{self._definition.name}.lock"
        if not create and not self._run_dir.is_dir():
            yield  # nothing was ever started there
            return
        try:
            if create:
                provide_run_dir(self._definition)
            waited = wait_until(
                lambda: _try_lock(path), lambda descriptor: descriptor >= 0, timeout_s=self._definition.timeout_s
            )
        except OSError as error:
            raise ServiceError(
                f"cannot be written: {error.strerror}", where=str(path), hint="Run as root, or set run_dir"
            ) from error
        if not waited.ok:
            raise ServiceError(
                f"another run has been working on {self._definition.name} for {waited.elapsed_s:.0f} s",
                where=str(path),
                hint="Wait for it to end",
            )
        try:
            yield
        finally:
            # Removed while it is held, so that nothing stays behind; see _try_lock.
            path.unlink(missing_ok=True)
            os.close(waited.last)

    def contradictions(self, pids: t.Iterable[int]) -> list[str]:
        units = {pid: systemd.unit_of(pid) for pid in pids}
        return [
            f"provider is process, but systemd runs {procfs.describe(pid)} as {unit} and would start it again"
            for pid, unit in units.items()
            if unit
        ]

    def obstacles(self, *, check_mode: bool) -> list[str]:
        user, group = self._definition.user, self._definition.group
        if os.geteuid() != 0:
            own = (accounts.user_name(os.geteuid()), accounts.group_name(os.getegid()))
            return [
                f"only root can start it as {what} {asked}, but this is {mine}"
                for what, asked, mine in zip(("user", "group"), (user, group), own)
                if asked not in (None, mine)
            ]
        problems = []
        if user and not check_mode and not _exists(pwd.getpwnam, user):  # an earlier task may make them
            problems.append(f"user {user} does not exist on this machine")
        if group and not check_mode and not _exists(grp.getgrnam, group):
            problems.append(f"group {group} does not exist on this machine")
        return problems

    def changes(self, *, present: bool | None, enabled: bool | None) -> list[Change]:  # noqa: ARG002
        if present is not False or not self._pid_file.exists():
            return []
        return [Change(str(self._pid_file), "exists\n", "")]

    def apply(self, *, present: bool | None, enabled: bool | None) -> None:  # noqa: ARG002
        if present is False:
            self._pid_file.unlink(missing_ok=True)

    def status(self) -> str:
        return "stopped" if self.pid() is None else "running"

    def is_active(self) -> bool:
        return self.pid() is not None

    def pid(self) -> int | None:
        record = Record.read(self._pid_file)
        if record and record.is_running():
            return record.pid
        # A run that was killed between the start and the pid file leaves a daemon: no one's child, this command line.
        found = procfs.find(self._definition.argv) if self._definition.argv else []
        return next((pid for pid in found if procfs.parent(pid) == 1), None)

    def members(self) -> list[int]:
        return []

    def adopt(self, pid: int) -> None:
        record = Record.read(self._pid_file)
        if record is None or not record.is_running():
            self._write_record(pid)

    def reasons(self, pid: int) -> list[str]:
        return [*self._other_arguments(pid), *self._other_directory(pid)]

    def _other_directory(self, pid: int) -> list[str]:
        runs_in, asked = procfs.directory(pid), os.path.realpath(self._definition.directory)
        return [f"it runs in {runs_in}, not in {asked}"] if runs_in not in ("", asked) else []

    def _other_arguments(self, pid: int) -> list[str]:
        record = Record.read(self._pid_file)
        asked = self._definition.argv
        if record is None or record.pid != pid or record.argv == asked:
            return []
        if self._definition.program not in record.argv:
            return [f"it was started as {' '.join(record.argv[:2])}, not as {self._definition.program}"]
        return ["it was started with other arguments than the given ones"]  # which may be secret

    def start(self) -> None:
        if _size(self._output) > MAX_OUTPUT_BYTES:
            self._output.replace(self._output.with_suffix(".out.1"))
        self._output_start = _size(self._output)
        try:
            self._write_record(_spawn(self._definition, self._output))
        except OSError as error:
            raise ServiceError(f"cannot be started: {error}", where=self._definition.argv[0]) from error

    def stop(self) -> None:
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def output(self) -> str:
        try:
            with open(open_own(self._output, os.O_RDONLY), "rb") as stream:
                stream.seek(max(self._output_start, _size(self._output) - 16384))
                lines = stream.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(line[:500] for line in lines[-OUTPUT_LINES:])

    def _write_record(self, pid: int) -> None:
        record = Record.of(pid, self._definition.argv)
        if record:
            record.write(self._pid_file)


def _exists(look_up: t.Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        return False
    return True


def _try_lock(path: Path) -> int:
    """The descriptor of the locked file, or -1."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The run that held it removes the file: what was locked then is no longer what others will lock.
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    os.close(descriptor)
    return -1


def _spawn(definition: Definition, output: Path) -> int:
    """Start a daemon, in its own session and a child of init, and return its pid."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # nohup and shells leave some ignored
                signal.signal(number, signal.SIG_DFL)
            _raise_open_files()
            with open(open_own(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "ab") as stream:
                daemon = Program(
                    definition.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    cwd=definition.directory,
                    start_new_session=True,
                    umask=0o022,
                    **_identity(definition),
                )
            os.write(writer, str(daemon.pid).encode())
        except BaseException as error:
            os.write(writer, str(error).encode("utf-8", "replace"))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        told = stream.read().decode("utf-8", "replace")
    os.waitpid(middle, 0)
    if not told.isdigit():
        raise OSError(told or "the process that should start it exited")
    return int(told)


def _identity(definition: Definition) -> dict[str, t.Any]:
    """The user and the environment of a daemon: nothing of the session that starts it but PATH."""
    account = pwd.getpwnam(definition.user) if definition.user else accounts.own()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        **definition.environment,
    }
    if os.geteuid() != 0:
        return {"env": environment}
    gid = grp.getgrnam(definition.group).gr_gid if definition.group else account.pw_gid
    groups = os.getgrouplist(account.pw_name, gid)
    return {"env": environment, "user": account.pw_uid, "group": gid, "extra_groups": groups}


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


__all__ = ["ProcessProvider", "Record"]
