# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A service as it is asked for, and what every provider of services can do with it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic
from ansible_collections.eventstore.cluster.plugins.module_utils.files.directories import give, keep

# What systemd takes as a unit's name without escaping, and every file system as a file's.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ACCOUNT = re.compile(r"[^\s:/%\"'\\-][^\s:/%\"'\\]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Definition:
    """``argv`` is empty where only an existing service is to be stopped.

    ``writable``: the directories that it writes to, in addition to ``run_dir``; empty if no one said so.
    """

    name: str
    kind: str
    argv: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    group: str | None = None
    run_dir: Path = Path("/run/eventstore")
    writable: tuple[str, ...] = ()
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ServiceError(
                f"expected letters, digits, '_', '.' and '-', got {self.name!r}",
                where="name",
                hint="A service's name is also the name of files",
            )
        for what, account in (("user", self.user), ("group", self.group)):
            if account is not None and not _ACCOUNT.fullmatch(account):
                raise ServiceError(f"{account!r} is not the name of a {what}", where=what)
        for name, value in self.environment.items():
            if not _VARIABLE.fullmatch(name):
                raise ServiceError(f"{name!r} is not the name of a variable", where="environment")
            if any(char in value for char in "\n\r\0"):
                raise ServiceError(f"the value of {name} has a line break or a NUL", where="environment")
        for path in self.writable:
            if not path.startswith("/") or not path.isprintable():
                raise ServiceError(f"{path!r} is not an absolute path", where="writable")
        for position, argument in enumerate(self.argv):
            if not argument.isprintable():
                raise ServiceError(f"argument {position} of the command line has a control character", where=self.name)

    @property
    def own_dir(self) -> Path | None:
        """The directory below ``run_dir`` that the service itself writes to; all else there is the provider's."""
        return self.run_dir / self.name if self.kind == "manager" else None

    @property
    def owner(self) -> tuple[int, int]:
        """Numbers of the user and the group that it runs under; -1 where it runs as who starts it."""
        try:
            account = pwd.getpwnam(self.user) if self.user else None
            gid = grp.getgrnam(self.group).gr_gid if self.group else account.pw_gid if account else -1
        except KeyError:
            return -1, -1  # ``obstacles`` says so
        return account.pw_uid if account else -1, gid

    @property
    def program(self) -> str:
        """What is run: an archive of Python is an argument of the Python that runs it."""
        return self.argv[1] if self.argv[1:] and self.argv[1].endswith(".pyz") else self.argv[0]

    @property
    def config(self) -> str:
        """The configuration file on the command line; empty if there is none."""
        words = [*self.argv, "--config", ""]
        return words[words.index("--config") + 1]

    @property
    def directory(self) -> str:
        """The working directory: a node finds its log.config, web UI and plugins there (measured on 4.1.4 and 5.0.11).

        A manager starts its nodes in the directory of the executable, too; itself it needs none.
        """
        return os.path.dirname(self.program) if self.kind == "database" and self.argv else "/"

    @property
    def title(self) -> str:
        return {"manager": "Event Store Manager", "database": "Event Store database node"}[self.kind]


@dataclass(frozen=True)
class Change:
    """Something that has to be written before a service is what is asked for; without secrets."""

    what: str
    before: str
    after: str


class Provider(t.Protocol):
    """Who starts and stops one service."""

    unit: str | None

    def lock(self, *, create: bool) -> t.ContextManager[None]:
        """Keep other runs away from this service; they wait. ``create``: make what that takes."""

    def contradictions(self, pids: t.Iterable[int]) -> list[str]:
        """Why processes of the service are another provider's."""

    def obstacles(self, *, check_mode: bool) -> list[str]:
        """Why it could not be started; in check mode without what an earlier task may make."""

    def changes(self, *, present: bool | None, enabled: bool | None) -> list[Change]:
        """What ``apply`` would write."""

    def apply(self, *, present: bool | None, enabled: bool | None) -> None:
        """Install it or remove it, let it start with the machine or not. None leaves things as they are."""

    def status(self) -> str:
        """Its state in the provider's own words."""

    def is_active(self) -> bool:
        """Whether it runs, or is about to."""

    def pid(self) -> int | None:
        """The main process."""

    def members(self) -> list[int]:
        """The processes that the provider counts as the service's, children of others among them."""

    def adopt(self, pid: int) -> None:
        """Make sure that the next run finds the running service."""

    def reasons(self, pid: int) -> list[str]:
        """Why the running process is not what is asked for, as far as only the provider knows."""

    def start(self) -> None:
        """Start it; it may end at once."""

    def stop(self) -> None:
        """Ask it to end; it may take its time."""

    def output(self) -> str:
        """The last lines that it printed, since ``start`` if that was called."""


def provide_run_dir(definition: Definition) -> None:
    """Make ``run_dir``, which root keeps for itself, and in it the directory of the service."""
    uid, gid = definition.owner
    keep(str(definition.run_dir), (uid, -1))
    if definition.own_dir:
        give(str(definition.own_dir), (uid, gid), ())


def open_own(path: Path, flags: int, mode: int = 0o600) -> int:
    """A descriptor of a file that only we or root can have put there; OSError for links and what others own."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid in (0, os.geteuid()) and status.st_nlink == 1:
        os.set_blocking(descriptor, True)
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EPERM, "it is a link, or belongs to another user; remove it", str(path))


def write(path: Path, text: str, mode: int) -> None:
    """Replace the file in one step; ServiceError if it cannot be written."""
    try:
        atomic.write(path, os.fsencode(text), mode=mode)
    except OSError as error:
        raise ServiceError(f"cannot be written: {error.strerror}", where=str(path), hint="Run as root") from error


def read_if_exists(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(f"cannot be read: {error.strerror}", where=str(path), hint="Run as root") from error


__all__ = ["Change", "Definition", "Provider", "open_own", "provide_run_dir", "read_if_exists", "write"]
