# SPDX-License-Identifier: GPL-3.0-or-later
"""``EventStore-Lab-vX.zip``: the stand-in database node in an archive of the same shape as the vendor's.

The same sources give the same bytes: times are fixed, and entries are stored, so no zlib version matters.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tempfile
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import deployed_option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError
from ansible_collections.eventstore.cluster.plugins.plugin_utils import zipapp

NODE = Path(__file__).resolve().parent / "node"
# As the vendor's: the node is its child, and does not take its place.
WRAPPER = b'#!/bin/sh\nLD_LIBRARY_PATH="$(dirname "$0"):$LD_LIBRARY_PATH" "$(dirname "$0")/eventstored" "$@"\n'
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip entry can have
LONGEST_INTERPRETER = 250  # the kernel cuts a first line after 256 bytes


class Built(t.NamedTuple):
    """The archive, and whether its content is new."""

    path: Path
    changed: bool


def build(output: Path, *, version: str, python: str) -> Built:
    """Write the archive and beside it ``.sha256`` with the digest alone; equal files are left untouched."""
    deployed_option_set("database", version)
    if not python.startswith("/") or re.search(r"\s", python) or len(python) > LONGEST_INTERPRETER:
        raise DistributionError(
            "the first line of a program holds an absolute path without blanks of at most "
            f"{LONGEST_INTERPRETER} characters, but came {python!r}",
            where="--python",
            hint="Give another Python, or a link to this one",
        )
    top = f"EventStore-Lab-v{version}"
    content = _zip(
        {
            f"{top}/README.md": ((NODE / "README.md").read_bytes(), 0o644),
            f"{top}/eventstored": (_program(version, python), 0o755),
            f"{top}/run-node.sh": (WRAPPER, 0o755),
        }
    )
    path = output / f"{top}.zip"
    digest = path.with_name(f"{path.name}.sha256")
    text = f"{hashlib.sha256(content).hexdigest()}\n".encode()
    output.mkdir(parents=True, exist_ok=True)
    changed = [_write(path, content), _write(digest, text)]
    return Built(path, any(changed))


def _program(version: str, python: str) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        package = Path(directory) / "lab" / "node"
        shutil.copytree(NODE, package, ignore=shutil.ignore_patterns("__pycache__"))
        source = (package / "version.py").read_text(encoding="utf-8")
        versioned = re.sub(r'^VERSION = ".*"$', f'VERSION = "{version}"', source, flags=re.MULTILINE)
        (package / "version.py").write_text(versioned, encoding="utf-8")
        program = Path(directory) / "eventstored"
        zipapp.build(program, package=package, main="lab.node.program:main", interpreter=python)
        return program.read_bytes()


def _zip(entries: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, (content, mode) in entries.items():
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.create_system = 3  # unix: the mode counts
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    part = path.with_name(f"{path.name}.tmp")
    part.write_bytes(content)
    part.replace(path)
    return True


__all__ = ["Built", "build"]
