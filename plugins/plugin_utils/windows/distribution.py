# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Versions of the software side by side on a Windows host: unpacked whole or not at all.

The archive is looked through on the controller, copied, compared by its checksum on the host and unpacked next to its
place, to which it is moved at the end. A marker in it, the same as on Linux, holds the checksum of its archive.
Which versions are superfluous is decided as on Linux; what uses them is read from processes and services.
"""

from __future__ import annotations

import contextlib
import json
import ntpath
import shutil
import tempfile
import typing as t

from ansible.module_utils.urls import open_url

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError, EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem
from ansible_collections.eventstore.cluster.plugins.module_utils.software import installed
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import (
    check_checksum,
    check_url,
    open_archive,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.software.installed import MARKER, TEMPORARY
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import ABSENT, DIRECTORY, FILE, Host

Params = t.Mapping[str, t.Any]


class Distribution:
    """One version on one host; ``find`` gives the path of an archive on the controller."""

    def __init__(self, host: Host, params: Params, find: t.Callable[[str], str]) -> None:
        self._host = host
        self._params = params
        self._find = find
        self._home = ntpath.normpath(script.check_path(params["home"], where="home"))
        self._executable: str = params["executable"]
        self._program = ntpath.join(self._home, *self._executable.split("/"))
        script.check_path(self._program, where="executable")
        self._checksum = installed.check_request(params) or ""
        self._is_given = bool(params["src"] or params["url"])
        for option in ("owner", "group", "remote_src", "programs"):
            if params[option]:
                raise DistributionError(
                    f"{option} is set, but has no effect on Windows",
                    where=self._home,
                    hint="Nothing was changed. Remove the option",
                )

    def bring_to(self, state: str) -> dict[str, t.Any]:
        """``present`` or ``absent``; the result of the task."""
        result = self._absent() if state == "absent" else self._present()
        return {"executable": self._program, **result}

    # -- present -------------------------------------------------------------------------------------------------------

    def _present(self) -> dict[str, t.Any]:
        self._prefetch()
        missing = self._missing_directories()
        unpacks = not self._is_complete()
        after: dict[str, t.Any] = {"versions": [], "directories": missing}
        if unpacks:
            after["versions"] = [self._home]
            with self._archive() as path:
                after["entries"] = self._unpack(path, missing)
        if missing and not self._host.check_mode and not unpacks:
            self._host.make_directories(*missing)
        removed = self._superfluous()
        for path in removed if not self._host.check_mode else ():
            self._remove(path)
        before: dict[str, t.Any] = {"versions": removed, "directories": []}
        changed = bool(unpacks or missing or removed)
        return {"changed": changed, "removed": removed, "diff": {"before": before, "after": after}}

    def _prefetch(self) -> None:
        """Ask at once what is asked of a version that is there or is not; what cannot be asked is refused later."""
        parent, drive = ntpath.dirname(self._home), self._home[0]
        directories = [path for path in self._all_directories if not path_problem(path, windows=True)]
        given = [script.read_file(self._marker), script.kind_of(self._home), script.free_bytes(drive)]
        self._host.prefetch(
            script.kind_of(self._program),
            *(script.kind_of(path) for path in directories),
            *(given if self._is_given else ()),
            *([script.directories(parent)] if self._is_given and self._params["keep_versions"] else ()),
        )

    @property
    def _marker(self) -> str:
        return ntpath.join(self._home, MARKER)

    def _is_complete(self) -> bool:
        has_program = self._host.kind_of(self._program) == FILE
        found = self._found_checksum() if self._is_given else None
        is_free = self._is_given and found is None and self._host.kind_of(self._home) == ABSENT
        checksum = self._checksum if self._is_given else None
        return installed.is_whole(
            self._home, self._executable, checksum, has_program=has_program, is_free=is_free, found=found
        )

    def _found_checksum(self) -> str | None:
        found = self._host.look(self._marker)
        return installed.read_marker(found.content, where=self._marker, home=self._home) if found else None

    @property
    def _all_directories(self) -> list[str]:
        return [*filter(None, [self._params["config_dir"]]), *self._params["directories"]]

    def _missing_directories(self) -> list[str]:
        missing = []
        for path in self._all_directories:
            kind = self._host.kind_of(script.check_path(path, where="directories"))
            if kind == FILE:
                raise DistributionError("exists, but is not a directory", where=path, hint="Move it away")
            missing += [path] if kind == ABSENT else []
        return missing

    @contextlib.contextmanager
    def _archive(self) -> t.Iterator[str]:
        """The archive's path on the controller, which also downloads it: a Windows needs no way out then."""
        if self._params["src"]:
            yield self._find(self._params["src"])
            return
        url = self._params["url"]
        check_url(url)
        with tempfile.NamedTemporaryFile() as file:
            try:
                with open_url(url, timeout=30) as answer:
                    shutil.copyfileobj(answer, file)
            except OSError as error:
                raise DistributionError(f"cannot be downloaded: {error}", where=url) from error
            file.flush()
            yield file.name

    def _unpack(self, path: str, missing: t.Sequence[str]) -> list[str]:
        """Check the archive and, out of check mode, bring it and unpack it; its top-level entries."""
        check_checksum(path, self._checksum)
        with open_archive(path) as archive:
            archive.require(self._executable)
            archive.require_version(ntpath.basename(self._home))
            for entry in archive.entries:
                if entry.kind == "link" or path_problem(ntpath.join(self._home, *entry.path), windows=True):
                    raise DistributionError(
                        f"has {entry}, which is not a file name on Windows, or is a link",
                        where=path,
                        hint="Nothing was unpacked. Check that the archive is for Windows",
                    )
            entries, top, size = archive.top_level(), archive.top, archive.size
        if not zip_like(path):
            raise DistributionError("is not a zip file", where=path, hint="Use the vendor's archive for Windows")
        if not self._host.check_mode:
            self._bring(path, top, size, missing)
        return entries

    def _bring(self, path: str, top: str, size: int, missing: t.Sequence[str]) -> None:
        host, parent = self._host, ntpath.dirname(self._home)
        free = int(host.ask(script.free_bytes(parent[0]), expected="FREE", where=f"drive {parent[0]}"))
        installed.require_room(size, free, where=f"{host.name}, drive {parent[0]}")
        temporary = self._temporary(self._home)
        copied = f"{temporary}.zip"
        unpacked = ntpath.join(temporary, top) if top else temporary
        marker = script.check_path(ntpath.join(unpacked, MARKER), where="path")
        remove = script.remove(temporary, copied)  # first what an interrupted run has left
        make = script.make_directories(*(script.check_path(each, where="path") for each in (parent, *missing)))
        host.prefetch(remove, make)
        for part in (remove, make):
            host.do(part, where=parent)
        try:
            host.send(path, copied)
            unpack = script.unpack(copied, self._checksum.partition(":")[2], temporary)
            text = json.dumps({"checksum": self._checksum})
            install = script.install(unpacked, self._home, (marker, text), left=(temporary, copied))
            host.prefetch(unpack, install, *([script.directories(parent)] if self._params["keep_versions"] else ()))
            said = host.answer(unpack, where=copied)
            if said.kind == "HASH":
                raise DistributionError(
                    f"was damaged in transfer: expected {self._checksum}, found sha256:{said.value.lower()}",
                    where=f"{host.name}, {copied}",
                    hint="Nothing was unpacked. Run the task again",
                )
            host.do(install, where=self._home)
        except EventStoreError:
            host.forget(temporary, copied)
            raise

    def _temporary(self, path: str) -> str:
        return ntpath.join(ntpath.dirname(path), f"{TEMPORARY}{ntpath.basename(path)}")

    # -- absent --------------------------------------------------------------------------------------------------------

    def _absent(self) -> dict[str, t.Any]:
        if self._host.kind_of(self._home) != DIRECTORY or self._found_checksum() is None:
            return {"changed": False, "removed": []}
        programs = inside(self._home, self._programs())
        if programs:
            raise DistributionError(
                f"is used by {', '.join(programs)}, as a process or as a service that is installed",
                where=self._home,
                hint="Nothing was removed. Stop the processes that use it, and remove its service first",
            )
        if not self._host.check_mode:
            self._remove(self._home)
        diff = {"before": {"versions": [self._home]}, "after": {"versions": []}}
        return {"changed": True, "removed": [self._home], "diff": diff}

    # -- versions --------------------------------------------------------------------------------------------------

    def _superfluous(self) -> list[str]:
        """The oldest versions that no process and no service uses; as on Linux none without an archive."""
        keep = self._params["keep_versions"] if self._is_given else 0
        there = self._directories() if keep else []
        others = [path for path in there if path.lower() != self._home.lower()]
        # So few need not be looked into.
        old = installed.oldest(self._versions(there), self._home, keep) if len(others) >= keep > 0 else []
        programs = self._programs() if old else []
        return [path for path in old if not inside(path, programs)]

    def _directories(self) -> list[str]:
        """Next to the version; nothing was ever unpacked where a path is refused."""
        parent = ntpath.dirname(self._home)
        found = script.texts(self._host.ask(script.directories(parent), expected="DIRECTORIES", where=parent))
        return [
            path
            for path in found
            if not ntpath.basename(path).startswith(TEMPORARY)
            and not path_problem(ntpath.join(path, MARKER), windows=True)
            and script.is_text(path)
        ]

    def _versions(self, paths: t.Sequence[str]) -> list[str]:
        """Those that this collection unpacked, the oldest first; Windows does not tell upper and lower case apart."""
        markers = {path: ntpath.join(path, MARKER) for path in paths}
        self._host.prefetch(*(script.read_file(marker) for marker in markers.values()))
        found = []
        for path, marker in markers.items():
            said = self._host.answer(script.read_file(marker), where=marker)
            if said.kind == FILE:
                is_own = path.lower() == self._home.lower()
                found.append((script.file(said.value)[0], self._home if is_own else path))
        return [path for _time, path in sorted(found)]

    def _programs(self) -> list[str]:
        """What runs or may be started by Windows; DistributionError if that cannot be seen."""
        if not network.is_elevated(self._host.run(*network.show_session()).output):
            raise DistributionError(
                "the session of the connection is not permitted to see all processes, so no version can be removed",
                where=self._host.name,
                hint="Nothing was removed. Connect as an administrator, or set keep_versions: 0",
            )
        return script.texts(self._host.ask(script.programs(), expected="PROGRAMS", where="processes and services"))

    def _remove(self, path: str) -> None:
        """Interrupted, it leaves nothing that looks complete. Windows refuses the first step for what is in use."""
        temporary = self._temporary(path)
        self._host.remove(temporary)
        self._host.move(path, temporary)
        self._host.remove(temporary)


def inside(directory: str, programs: t.Iterable[str]) -> list[str]:
    """The programs, or command lines of services, that are in a directory."""
    place = ntpath.normpath(directory).lower() + "\\"
    return [program for program in programs if place in program.replace("/", "\\").lower()]


def zip_like(path: str) -> bool:
    """Whether a file begins as a zip does: Windows unpacks nothing else by itself."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


__all__ = ["Distribution"]
