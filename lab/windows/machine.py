# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one machine in a folder: whoever wants to know what is true there reads the files.

machine.json     what it is and what is broken: see ``DEFAULTS``
drives/C/...     its files, by Windows path
urlacl.json      {"http://192.168.1.11:2112/": "D:(A;;GX;;;LS)"}
services.json    {name: Service}
ran.jsonl        one line for each program that was run: {"program", "arguments", "code"}
refused.jsonl    one line for each text that was not understood: {"why", "text"}
run/NAME/        what a started service runs on, translated to paths of this computer
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import typing as t
from pathlib import Path

# Also what can be broken; a test writes machine.json at any time, and the next look sees it.
DEFAULTS: dict[str, t.Any] = {
    "name": "WIN1",
    "user": "deployer",
    "addresses": [],
    "locale": "en",  # en, de, it
    "nameservers": [],
    "accounts": {},  # {"CONTOSO\\events": "S-1-5-21-..."}
    "free_bytes": 100 * 2**30,
    "clock_s": 0,  # how far the clock is ahead
    "elevated": True,
    "processes": [],  # programs that run, beside those of the services
    "missing": [],  # programs that are not there
    "delay_s": {},  # {"netsh.exe": 2.5}
    "noise": "",  # printed before everything, as a profile or a policy does
    "umlauts_lost": False,  # native output in a code page that the reader does not expect
    "logged_in": True,  # somebody sits at the machine: the vendor's installer works
    "marked_s": 0.0,  # how long an uninstalled service stays marked for deletion
    "start_fails": False,
    "refuse_add": "",  # netsh refuses to add a reservation with this in its descriptor
    "longest_line": 8191,
}

NAME = re.compile(r"[^<>:\"/\\|?*\x00-\x1f]+")


class NotUnderstood(Exception):
    """The stand-in does not know this, and so says nothing about what Windows would do."""


class Refused(Exception):
    """Windows says no, with these words."""


class Machine:
    """What is on one machine. One operation at a time changes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drives = folder / "drives"
        self.lock = threading.RLock()
        for drive in ("C", "D"):
            (self.drives / drive).mkdir(parents=True, exist_ok=True)

    def setting(self, name: str) -> t.Any:
        default = DEFAULTS[name]
        return self.read("machine", DEFAULTS).get(name, default)

    def read(self, name: str, default: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        try:
            found: dict[str, t.Any] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return dict(default or {})
        return found

    def write(self, name: str, data: dict[str, t.Any]) -> None:
        path = self.folder / f"{name}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        part.replace(path)

    def note(self, name: str, line: dict[str, t.Any]) -> None:
        with self.lock, (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    # -- files ---------------------------------------------------------------------------------------------------------

    def path(self, windows_path: str) -> Path:
        r"""Where the file of a Windows path (``C:\a``, ``c:/A``) is on this computer."""
        match = re.fullmatch(r"([A-Za-z]):[\\/](.*)", windows_path, re.DOTALL)
        if not match:
            raise NotUnderstood(f"a path that is not absolute: {windows_path!r}")
        found = self.drives / match[1].upper()
        if not found.is_dir():
            raise Refused(f"Cannot find drive. A drive with the name '{match[1]}' does not exist.")
        for part in re.split(r"[\\/]+", match[2].rstrip("\\/")):
            if not part:
                continue
            if not NAME.fullmatch(part) or part in (".", "..") or part.endswith((".", " ")):
                raise NotUnderstood(f"a path with the part {part!r}: {windows_path!r}")
            found = next(
                (each for each in _children(found) if each.name.lower() == part.lower()),
                found / part,
            )
        return found

    def put(self, windows_path: str, content: bytes) -> None:
        path = self.path(windows_path)
        if not path.parent.is_dir() or path.is_dir():
            raise Refused(f"Could not find a part of the path '{windows_path}'.")
        path.write_bytes(content)

    def get(self, windows_path: str) -> bytes:
        path = self.path(windows_path)
        if not path.is_file():
            raise Refused(f"Could not find file '{windows_path}'.")
        return path.read_bytes()

    def move(self, source: str, target: str) -> None:
        """As ``Move-Item -Force``: a file takes the place of a file; into a directory that is there."""
        old, new = self.path(source), self.path(target)
        if not old.exists():
            raise Refused(f"Cannot find path '{source}' because it does not exist.")
        if new.is_dir():
            new = new / old.name
        if not new.parent.is_dir():
            raise Refused("Could not find a part of the path.")
        if new.is_dir() or (old.is_dir() and new.exists()):
            raise Refused("Cannot create a file when that file already exists.")
        old.replace(new)

    def copy(self, source: str, target: str) -> None:
        old, new = self.path(source), self.path(target)
        if not old.exists():
            raise Refused(f"Cannot find path '{source}' because it does not exist.")
        if old.is_dir():
            raise NotUnderstood(f"Copy-Item of a directory: {source!r}")
        if new.is_dir() or not new.parent.is_dir():
            raise NotUnderstood(f"Copy-Item to what is no file in a directory: {target!r}")
        shutil.copyfile(old, new)

    def remove(self, windows_path: str) -> None:
        path = self.path(windows_path)
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            raise Refused(f"Cannot find path '{windows_path}' because it does not exist.")

    def directories(self, windows_path: str) -> list[str]:
        """The directories in a directory, as ``GetDirectories`` has them."""
        path = self.path(windows_path)
        if not path.is_dir():
            raise Refused(f"Could not find a part of the path '{windows_path}'.")
        return [f"{windows_path.rstrip(chr(92))}\\{each.name}" for each in path.iterdir() if each.is_dir()]

    def make_directory(self, windows_path: str) -> None:
        path = self.path(windows_path)
        if path.is_file():
            raise Refused(f"Cannot create '{windows_path}' because a file or directory with the same name exists.")
        path.mkdir(parents=True, exist_ok=True)


def _children(folder: Path) -> t.Iterator[Path]:
    with contextlib.suppress(NotADirectoryError, FileNotFoundError):
        yield from folder.iterdir()


__all__ = ["DEFAULTS", "Machine", "NotUnderstood", "Refused"]
