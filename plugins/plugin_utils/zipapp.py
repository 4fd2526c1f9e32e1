# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A Python package and the ``module_utils`` it uses in one runnable file; the same sources give the same bytes.

Entries are stored, not compressed: bytes then depend on no zlib version, so a controller with another one
does not make the copy task report a change.
"""

from __future__ import annotations

import io
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic

MODULE_UTILS = Path(__file__).resolve().parent.parent / "module_utils"
MODULE_UTILS_PACKAGE = "ansible_collections/eventstore/cluster/plugins/module_utils"

# The earliest time that a zip entry can have.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)

MAIN = """\
import sys

from {module} import {function}

sys.exit({function}())
"""


def build(
    target: Path,
    *,
    package: Path,
    main: str,
    interpreter: str = "/usr/bin/env python3",
    modules: Path = MODULE_UTILS,
) -> None:
    """Write the runnable ``target`` (mode 0755) whose start calls ``main``, written ``package.module:function``.

    ``package`` is the directory of that package; ``main`` says under which name it is imported:
    ``lab.node.program:main`` puts ``…/lab/node`` at ``lab/node``. An equal ``target`` is left untouched.
    """
    module, colon, function = main.partition(":")
    name = tuple(module.split(".")[:-1])
    if not colon or not name or package.resolve().parts[-len(name) :] != name:
        raise ValueError(f"main {main!r} is not package.module:function of the package in {package}")
    entries = {"__main__.py": MAIN.format(module=module, function=function).encode()}
    entries.update(_sources(package, "/".join(name)))
    entries.update(_sources(modules, MODULE_UTILS_PACKAGE))
    for path in list(entries):
        for parent in list(Path(path).parents)[:-1]:
            entries.setdefault(f"{parent}/__init__.py", b"")
    content = f"#!{interpreter}\n".encode() + _archive(entries)
    if not target.is_file() or target.read_bytes() != content:
        atomic.write(target, content, mode=0o755)


def _sources(directory: Path, prefix: str) -> t.Iterator[tuple[str, bytes]]:
    for path in directory.rglob("*.py"):
        yield f"{prefix}/{path.relative_to(directory).as_posix()}", path.read_bytes()


def _archive(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(entries):
            info = zipfile.ZipInfo(path, TIMESTAMP)
            info.create_system = 3  # unix, whatever system builds it
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[path])
    return buffer.getvalue()


__all__ = ["build"]
