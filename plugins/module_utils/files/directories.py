# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Directories on the managed host, made and given away through descriptors.

No link is followed that the services' account could have put on the way. What root reads, appends to or signals by lies
where that account cannot write.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, ServiceError

_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MAX_LINKS = 40


class Account(t.NamedTuple):
    """Who is not trusted: the user and the groups that a service runs under. -1 and no groups where that is us."""

    uid: int = -1
    gids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, uid: int, gid: int = -1) -> Account:
        if os.geteuid() != 0 or uid in (-1, 0):
            return cls()
        gids = {gid}
        with contextlib.suppress(KeyError):
            user = pwd.getpwuid(uid)
            gids.update((user.pw_gid, *(each.gr_gid for each in grp.getgrall() if user.pw_name in each.gr_mem)))
        return cls(uid, frozenset(gids))

    def may_replace_in(self, status: os.stat_result) -> bool:
        """Whether it can put something else in the place of what lies in this directory."""
        if self.uid == -1:
            return False
        if status.st_uid == self.uid:
            return True
        writes = status.st_mode & 0o002 or (status.st_gid in self.gids and status.st_mode & 0o020)
        return bool(writes) and not status.st_mode & stat.S_ISVTX

    def may_have_made(self, link: os.stat_result) -> bool:
        return self.uid != -1 and link.st_uid != 0

    def __str__(self) -> str:
        return "the services' account"


class Others:
    """Who is not trusted: everybody but root and the user of this process."""

    def __init__(self) -> None:
        self._trusted = (0, os.geteuid())

    def may_replace_in(self, status: os.stat_result) -> bool:
        writes = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return status.st_uid not in self._trusted or bool(writes and not status.st_mode & stat.S_ISVTX)

    def may_have_made(self, link: os.stat_result) -> bool:
        return link.st_uid not in self._trusted

    def __str__(self) -> str:
        return "another account"


class _Walk:
    """The way from the root directory to another one, step by step."""

    def __init__(self, path: str, untrusted: Account | Others) -> None:
        self._path = path
        self._untrusted = untrusted
        self._todo = _steps(os.path.normpath(path))
        self._links = 0
        self._is_safe = True  # who is not trusted could replace nothing on the way
        self.at = os.open("/", _STEP)

    def go(self, *, make: int | None) -> bool:
        """Whether the directory is there, and ``at`` its descriptor; ``make``: the mode of a new one."""
        while self._todo:
            self._is_safe = self._is_safe and not self._untrusted.may_replace_in(os.fstat(self.at))
            name = self._todo.pop()
            if name == ".." and not self._is_safe:
                raise _refused(self._path, f"a link on the way leads upwards from where {self._untrusted} can write")
            try:
                self._step(name)
            except FileNotFoundError:
                if make is None:
                    return False
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755 if self._todo else make, dir_fd=self.at)
                self._step(name)
        return True

    def _step(self, name: str) -> None:
        try:
            inner = os.open(name, _STEP, dir_fd=self.at)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            self._follow(name)
        else:
            os.close(self.at)
            self.at = inner

    def _follow(self, name: str) -> None:
        status = os.stat(name, dir_fd=self.at, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            raise ServiceError("exists, but is not a directory", where=self._path, hint="Move it away")
        if self._untrusted.may_have_made(status) or not self._is_safe:
            raise _refused(self._path, f"{name} is a link that {self._untrusted} could have created")
        self._links += 1
        if self._links > MAX_LINKS:
            raise _refused(self._path, f"more than {MAX_LINKS} links lead to it")
        target = os.readlink(name, dir_fd=self.at)
        if target.startswith("/"):
            os.close(self.at)
            self.at = os.open("/", _STEP)
        self._todo += _steps(target)


@contextlib.contextmanager
def opened(path: str, untrusted: Account | Others, *, make: int | None = None) -> t.Iterator[int | None]:
    """A descriptor of the directory; None if it is not there. ``make``: make it with this mode, its parents 0755."""
    walk = _Walk(path, untrusted)
    try:
        if not walk.go(make=make):
            yield None
            return
        descriptor = os.open(".", _READ, dir_fd=walk.at)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        os.close(walk.at)


def is_given(path: str, owner: tuple[int, int], known: t.Collection[str]) -> bool:
    """Whether the directory is there and the owner's; ServiceError if it may not become so.

    It may not where another's things lie in it. ``known``: directories that lie in each other and are given one by one.
    """
    with opened(path, Account.of(*owner)) as descriptor:
        if descriptor is None:
            return False
        if _belongs_to(os.fstat(descriptor), owner):
            return True
        _refuse_foreign(descriptor, path, owner[0], known)
        return False


def give(path: str, owner: tuple[int, int], known: t.Collection[str]) -> None:
    """Make the directory, and give it to the owner; -1 leaves user or group as it is."""
    with opened(path, Account.of(*owner), make=0o750) as descriptor:
        if descriptor is not None and not _belongs_to(os.fstat(descriptor), owner):
            _refuse_foreign(descriptor, path, owner[0], known)
            os.fchown(descriptor, *owner)


def is_kept(path: str, owner: tuple[int, int]) -> bool:
    """Whether the directory is there, and the services' account can read it and not write to it."""
    with opened(path, Account.of(*owner)) as descriptor:
        return descriptor is not None and _is_kept(os.fstat(descriptor), owner)


def keep(path: str, owner: tuple[int, int]) -> None:
    """Make a directory that the services' account only reads, or take one back from it."""
    with opened(path, Account.of(*owner), make=0o755 if owner[1] == -1 else 0o750) as descriptor:
        if descriptor is None or _is_kept(os.fstat(descriptor), owner):
            return
        is_open = Account.of(*owner).may_replace_in(os.fstat(descriptor))
        os.fchown(descriptor, 0 if is_open else -1, owner[1])
        if is_open:
            os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o7755)


def refuse_planted_links(path: str) -> None:
    """For root: ConfigError where the way to a file leads over a link that another user made."""
    if os.geteuid() != 0:
        return
    todo, at = _steps(os.path.abspath(path)), "/"
    for _link in range(MAX_LINKS):
        while todo and not os.path.islink(os.path.join(at, todo[-1])):
            at = os.path.join(at, todo.pop())
        if not todo:
            return
        link = os.path.join(at, todo.pop())
        if os.lstat(link).st_uid != 0:
            raise ConfigError(
                f"is a link of user {os.lstat(link).st_uid}, which root does not follow",
                where=link,
                hint="Check its target, and remove the link, or create it again as root",
            )
        target = os.readlink(link)
        at = "/" if target.startswith("/") else at
        todo += _steps(target)


def _steps(path: str) -> list[str]:
    """The names on the way, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _belongs_to(status: os.stat_result, owner: tuple[int, int]) -> bool:
    return all(wanted in (-1, found) for wanted, found in zip(owner, (status.st_uid, status.st_gid)))


def _is_kept(status: os.stat_result, owner: tuple[int, int]) -> bool:
    if os.geteuid() != 0 or owner[0] in (-1, 0):
        return True
    is_read = owner[1] in (-1, status.st_gid) or status.st_mode & 0o005 == 0o005
    return is_read and not Account.of(*owner).may_replace_in(status)


def _refuse_foreign(descriptor: int, path: str, uid: int, known: t.Collection[str]) -> None:
    owner = os.fstat(descriptor).st_uid
    if uid in (-1, owner):
        return
    for name in sorted(os.listdir(descriptor)):
        other = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid
        if name != "lost+found" and other != uid and os.path.join(path, name) not in known:
            raise ServiceError(
                f"belongs to user {owner}, but contains {name} of user {other}",
                where=path,
                hint="It was not changed. Plan another directory; or, if the services own all its content, chown -R "
                f"{uid} it",
            )


def _refused(path: str, problem: str) -> ServiceError:
    return ServiceError(
        problem,
        where=path,
        hint="Nothing was done. Give the directory that it leads to, or remove it. A link of root's is followed where"
        " only root can write",
    )


__all__ = ["Account", "Others", "give", "is_given", "is_kept", "keep", "opened", "refuse_planted_links"]
