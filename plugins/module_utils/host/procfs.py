# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Processes of this machine, read from /proc. A process is known by its pid *and* its start time: pids come again."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError

PROC = Path("/proc")
ANY_IP = ("0.0.0.0", "::")
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
LISTEN = b"0A"  # the kernel's TCP_LISTEN, as /proc/net/tcp writes it


def start_time(pid: int) -> int | None:
    """Clock ticks from the machine's boot to the start of the process; None if it does not run (or is a zombie)."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def is_running(pid: int, started: int) -> bool:
    """Whether the very process that began at ``started`` still runs."""
    return start_time(pid) == started


def started_at(pid: int) -> float | None:
    """Unix time of the start of the process, to a clock tick; None if it does not run."""
    ticks = start_time(pid)
    if ticks is None:
        return None
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def is_later(path: Path, started: float) -> bool:
    """Whether a file was written after that time; one from before the same clock tick counts as not."""
    try:
        return path.stat().st_mtime > started + 1 / os.sysconf("SC_CLK_TCK")
    except OSError:
        return False


def parent(pid: int) -> int | None:
    """The pid of the parent; None if the process does not run."""
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def command_line(pid: int) -> list[str]:
    """The arguments of a process, the program first; empty if it does not run."""
    return _strings(pid, "cmdline")


def environment(pid: int) -> dict[str, str]:
    """The environment with which the process began; empty if it does not run or may not be seen."""
    return dict(item.split("=", 1) for item in _strings(pid, "environ") if "=" in item)


def environment_is_visible(pid: int) -> bool:
    """Whether ``environment`` can see it: it takes the same user, or root with CAP_SYS_PTRACE."""
    try:
        (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return True


def program(pid: int) -> str:
    """The program file that the process runs, of a script its interpreter; empty if it may not be seen."""
    return _link(pid, "exe")


def directory(pid: int) -> str:
    """The working directory; empty if it may not be seen."""
    return _link(pid, "cwd")


def is_of_container(pid: int) -> bool:
    """Whether it has its own pids, so that its files are others of the same names; no, where that is not seen."""
    return _link(pid, "ns/pid") not in ("", _link(os.getpid(), "ns/pid"))


def ancestors(pid: int) -> list[int]:
    """Parent, grandparent and so on; without the first process of all."""
    found: list[int] = []
    above = parent(pid)
    while above is not None and above > 1:
        found.append(above)
        above = parent(above)
    return found


def unit(pid: int) -> str:
    """The service of systemd to which the process belongs, such as ``es-cluster1.service``; empty if to none."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return ""
    # cgroups(7): hierarchy, controllers, path; systemd's own is 0 without controllers, or the one of its name.
    paths = [line.split(":", 2)[2] for line in lines if line.startswith("0::") or ":name=systemd:" in line]
    names = [part for path in paths for part in path.split("/") if part.endswith(".service")]
    return names[-1] if names else ""


def all_pids() -> t.Iterator[int]:
    """The pids of all processes that can be seen."""
    try:
        names = os.listdir(PROC)
    except OSError as error:
        raise _unreadable(error) from None
    yield from (int(name) for name in names if name.isdigit())


def descendants(pids: t.Iterable[int]) -> list[int]:
    """The running children of processes, theirs and so on. Orphans are not found: their parent is another."""
    children: dict[int, list[int]] = {}
    for other in all_pids():
        above = parent(other)
        if above is not None:
            children.setdefault(above, []).append(other)
    found: set[int] = set()
    todo = list(pids)
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return sorted(found)


def files_below(pid: int, directory: str) -> list[str]:
    """The files below a directory that the process has open to write; none if they may not be seen."""
    top = os.path.join(os.path.realpath(directory), "")
    return sorted({target for name, target in _descriptors(pid) if target.startswith(top) and _writes(pid, name)})


def _writes(pid: int, descriptor: str) -> bool:
    """A backup reads; proc(5), fdinfo: flags, in octal digits, with the two lowest bits 0 for O_RDONLY."""
    try:
        lines = (PROC / str(pid) / "fdinfo" / descriptor).read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split()[1] for line in lines if line.startswith("flags:")), "0")
    return flags[-1] not in "04"


def group(leader: int) -> list[int]:
    """The running processes of a process group, whether or not its leader still runs."""
    found = ((pid, _stat(pid)) for pid in all_pids())
    return sorted(pid for pid, fields in found if fields and int(fields[2]) == leader)


def find(argv: t.Sequence[str]) -> list[int]:
    """The running processes with exactly this command line, as given or as the kernel rewrites it for a script."""
    wanted = (list(argv), [*_interpreter(argv[0]), *argv])
    return sorted(pid for pid in all_pids() if command_line(pid) in wanted and start_time(pid) is not None)


def listening(pids: t.Iterable[int]) -> list[tuple[int, Endpoint]]:
    """What each of these processes listens on, over TCP."""
    sockets = _listening_sockets()
    return [(pid, at) for pid in pids for at in sorted({sockets[i] for i in _socket_inodes(pid) & sockets.keys()})]


def sockets_are_visible(pid: int) -> bool:
    """Whether ``listening`` can see the sockets of a process: it takes the same user, or root with CAP_SYS_PTRACE."""
    try:
        next((PROC / str(pid) / "fd").iterdir(), None)
    except OSError:
        return False
    return True


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether two sockets cannot listen on both, or one answers for the other: same port, same or any address."""
    return one.port == other.port and (one.host == other.host or one.host in ANY_IP or other.host in ANY_IP)


def holder(endpoint: Endpoint) -> int | None:
    """The process that listens there; None if none does, or if it may not be seen."""
    held = [pid for pid, theirs in listening(all_pids()) if overlap(theirs, endpoint)]
    return min(held, default=None)


def describe(pid: int | None) -> str:
    """A process in words."""
    if pid is None:
        return "a process that this user cannot see" + ("" if os.geteuid() == 0 else " (root can see more)")
    return f"pid {pid} ({' '.join(command_line(pid)) or 'a thread of the kernel'})"


def boot_id() -> str:
    """What tells this boot of the machine from any other: start times count from it."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the third on; None for a zombie, which has ended but is not yet fetched."""
    try:
        # The second field, the name in parentheses, may hold blanks and parentheses itself (proc(5)).
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError as error:
        _require_gone(error)
        return None
    return None if not fields or fields[0] in (b"Z", b"X") else fields


def _require_gone(error: OSError) -> None:
    """A process that could not be looked at is not one that has ended: a second node would be started next to it."""
    if error.errno in EXHAUSTED:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> ServiceError:
    return ServiceError(
        f"the processes of this machine cannot be read: {error.strerror}",
        where=str(PROC),
        hint="Check for an exhausted limit: ulimit -n, sysctl fs.file-nr, free memory",
    )


def _strings(pid: int, name: str) -> list[str]:
    try:
        content = (PROC / str(pid) / name).read_bytes()
    except OSError as error:
        _require_gone(error)
        return []
    return [part.decode("utf-8", "surrogateescape") for part in content.split(b"\0")[:-1]]


def _interpreter(program: str) -> list[str]:
    """The words that execve(2) puts before a script's path, from its ``#!`` line; env(1) replaces itself."""
    try:
        with open(program, "rb") as stream:
            line = stream.readline(256)
    except OSError:
        return []
    if not line.startswith(b"#!"):
        return []
    words = [word.strip() for word in line[2:].decode("utf-8", "surrogateescape").split(None, 1)]
    return words[1:] if words and words[0].endswith("/env") else words


def _listening_sockets() -> dict[int, Endpoint]:
    """Inode -> address of all TCP sockets that listen."""
    found: dict[int, Endpoint] = {}
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / name).read_bytes().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTEN:
                found[int(fields[9])] = _address(fields[1].decode())
    return found


def _address(text: str) -> Endpoint:
    """``0B00007F:0840`` is 127.0.0.11:2112: words of 32 bits in the byte order of the machine, then the port."""
    words, _colon, port = text.partition(":")
    packed = b"".join(int(words[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(words), 8))
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return Endpoint(str(mapped or address), int(port, 16))


def _socket_inodes(pid: int) -> set[int]:
    return {int(target[8:-1]) for _name, target in _descriptors(pid) if target.startswith("socket:[")}


def _descriptors(pid: int) -> t.Iterator[tuple[str, str]]:
    """(number, what it stands for) of the open descriptors of a process."""
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed by then
                yield descriptor.name, os.readlink(descriptor)


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(PROC / str(pid) / name)
    except OSError:
        return ""


__all__ = [
    "all_pids",
    "ancestors",
    "boot_id",
    "command_line",
    "descendants",
    "describe",
    "directory",
    "environment",
    "environment_is_visible",
    "files_below",
    "find",
    "group",
    "holder",
    "is_later",
    "is_of_container",
    "is_running",
    "listening",
    "overlap",
    "parent",
    "program",
    "sockets_are_visible",
    "start_time",
    "started_at",
    "unit",
]
