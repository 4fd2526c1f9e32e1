# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one machine in a folder: whoever wants to know what is true there reads the files.

machine.json     what it is and what is broken: see ``DEFAULTS``
drives/C/...     its files, by Windows path
held.json        {path: how many more times a move or a removal of it is refused, as another program has it open}
urlacl.json      {"http://192.168.1.11:2112/": "D:(A;;GX;;;LS)"}
services.json    {name: Service}
ran.jsonl        one line for each program that was run: {"program", "arguments", "code"}
started.jsonl    one line for each text that PowerShell was started for (psrp: was sent): {"text"}
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
    "processes": [],  # programs that run, next to those of the services
    "foreign": [],  # [{"pid", "parent", "command", "sockets": ["IP:PORT"], "urls": ["HTTP://..."]}] of other processes
    "hides_command_lines": False,  # as from a session that is not an administrator's
    "missing": [],  # programs that are not there
    "delay_s": {},  # {"netsh.exe": 2.5}
    "noise": "",  # printed before everything, as a profile or a policy does
    "code_page": "utf-8",  # of a console over ssh, such as cp850
    "umlauts_lost": False,  # native output in a code page that the reader does not expect
    "logged_in": True,  # someone sits at the machine: the vendor's installer works
    "marked_s": 0.0,  # how long an uninstalled service stays marked for deletion
    "start_fails": False,
    "replace_fails": {},  # {path: number of winerror.h} what ReplaceFile ends with
    "refuse_add": "",  # netsh refuses to add a reservation with this in its descriptor
    "longest_line": 8191,
}

NAME = re.compile(r"[^<>:\"/\\|?*\x00-\x1f]+")


class NotUnderstood(Exception):
    """The stand-in does not know this, and so says nothing about what Windows would do."""


class Refused(Exception):
    """Windows says no, with these words; ``number`` is that of winerror.h, 0: an error without one."""

    def __init__(self, words: str, number: int = 0) -> None:
        super().__init__(words)
        # HRESULT_FROM_WIN32, or COR_E_IO, as a signed number.
        self.hresult = (0x80070000 | number if number else 0x80131620) - 2**32


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

    def move_item(self, source: str, target: str) -> None:
        """As ``Move-Item -Force``: into a directory that is there; a file that is there is deleted first.

        PowerShell/PowerShell, FileSystemProvider.cs, MoveFileInfoItem: where the move fails and the target exists, it
        is deleted and the move tried again, which can fail as well.
        """
        old, new = self.path(source), self.path(target)
        if not old.exists():
            raise Refused(f"Cannot find path '{source}' because it does not exist.", 2)
        if new.is_dir():
            new = new / old.name
        if new.is_file() and old.is_file():
            self.refuse_held(target)
            new.unlink()
            self._move_acl(target, None)
        self.move(source, target)

    def move(self, source: str, target: str) -> None:
        """As ``File.Move`` and ``Directory.Move``: to where nothing is, permissions and all."""
        old, new = self.path(source), self.path(target)
        if not old.exists():
            raise Refused(f"Could not find file '{source}'.", 2)
        if new.exists():
            raise Refused("Cannot create a file when that file already exists.", 183)
        if not new.parent.is_dir():
            raise Refused("Could not find a part of the path.", 3)
        self.refuse_held(source)
        old.replace(new)
        self._move_acl(source, target)

    def replace(self, source: str, target: str, backup: str) -> None:
        """As ``File.Replace``: permissions and attributes stay with the place. docs: ReplaceFileW."""
        new, old, kept = (self.path(each) for each in (source, target, backup))
        for path, where in ((new, source), (old, target)):
            if not path.is_file():
                raise Refused(f"Could not find file '{where}'.", 2)
        fault = self.setting("replace_fails").get(target)
        if fault != 1177:
            self.refuse_held(source)
            self.refuse_held(target)
        if fault not in (None, 1177):
            raise Refused("The replaced and the new file keep their names.", fault)
        acl = self.read("acl").get(target)
        old.replace(kept)
        if fault == 1177:
            raise Refused("Unable to move the replacement file to the file to be replaced.", fault)
        new.replace(old)
        self.write("acl", {**self.read("acl"), **({target: acl, backup: acl} if acl else {})})

    def refuse_held(self, windows_path: str) -> None:
        """Another program holds a file open, or one in a directory; a number of times, of which this is one."""
        held = self.read("held")
        if held.get(windows_path, 0):
            self.write("held", {**held, windows_path: held[windows_path] - 1})
            words = "The process cannot access the file because it is being used by another process."
            # A directory with an open file cannot be moved, and Windows calls that denied.
            is_directory = self.path(windows_path).is_dir()
            raise Refused("Access to the path is denied." if is_directory else words, 5 if is_directory else 32)

    def _move_acl(self, source: str, target: str | None) -> None:
        acl = self.read("acl")
        if source in acl:
            sddl = acl.pop(source)
            self.write("acl", {**acl, **({target: sddl} if target else {})})

    def remove(self, windows_path: str) -> None:
        path = self.path(windows_path)
        self.refuse_held(windows_path)
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            raise Refused(f"Cannot find path '{windows_path}' because it does not exist.", 2)
        self._move_acl(windows_path, None)

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
