# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Paths of machines this code does not run on: Windows and Linux paths as text."""

from __future__ import annotations

import re

WINDOWS_ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]")
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
WINDOWS_LONGEST_PATH = 259


def join(directory: str, name: str) -> str:
    """Join in the style in which the directory is written."""
    separator = "/" if "/" in directory else "\\"
    return directory.rstrip("/\\") + separator + name


def path_problem(path: str, *, windows: bool) -> str:
    """What is wrong with an absolute path, "" if nothing is."""
    if not path:
        return "is empty"
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        # YAML turns "d:\es-data" into d:<ESC>s-data, and the server takes that without a word (measured on 3.4.0).
        return (
            f"is {path!r}, with a control character: in double quotes YAML reads a backslash as the start of an escape"
        )
    if path != path.strip():
        return f"is {path!r}, with a blank at an end"
    if path.startswith("~"):
        return f"is {path!r}, but the server does not expand ~"
    return _windows_problem(path) if windows else _linux_problem(path)


def _linux_problem(path: str) -> str:
    if not path.startswith("/"):
        return f"is {path!r}, not an absolute path"
    if ".." in path.split("/"):
        return f"is {path!r}, with a '..' in it"
    return f"is {path!r}, the whole file system" if not path.strip("/") else ""


def _windows_problem(path: str) -> str:
    if not WINDOWS_ABSOLUTE.match(path):
        return f"is {path!r}, not an absolute path with a drive such as 'd:\\es-data'"
    parts = [part for part in re.split(r"[\\/]", path[3:]) if part]
    if not parts:
        return f"is {path!r}, a whole drive"
    if len(path) > WINDOWS_LONGEST_PATH:
        return f"has {len(path)} characters, more than the {WINDOWS_LONGEST_PATH} of a Windows path"
    for part in parts:
        if re.search(r'[<>:"|?*]', part) or part == ".." or part.endswith((".", " ")) or WINDOWS_DEVICE.match(part):
            return f"is {path!r}, and {part!r} is no name for a file on Windows"
    return ""


def same_path(path: str, *, windows: bool) -> str:
    """One text for all spellings of a path, to compare with."""
    parts = [part for part in re.split(r"[\\/]" if windows else "/", path) if part not in ("", ".")]
    return "/".join(parts).lower() if windows else "/".join(parts)


def is_within(path: str, directory: str) -> bool:
    """Whether a path is a directory or lies in it; both as of ``same_path``."""
    return f"{path}/".startswith(f"{directory}/")


__all__ = ["is_within", "join", "path_problem", "same_path"]
