# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stand-in machine runs in truth, and an archive shaped as the vendor's for Windows, with empty programs.

``python -m tests.doubles.windows.software DIR`` writes that archive and next to it ``.sha256``.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.plugin_utils import zipapp
from lab import archive

MANAGER = Path(__file__).resolve().parents[3] / "roles/manager/files/es_manager"
NAMES = ("EventStore.ClusterNode.exe", "EventStore.WindowsManager.exe")
STAND_IN = b"This stands in for a program of the vendor's; tests.doubles.windows does what it would do.\r\n"
VERSION = "3.4.0"


class Programs(t.NamedTuple):
    manager: Path
    node: Path


@functools.cache
def programs(folder: Path) -> Programs:
    """The built-in manager and the lab's database node, made in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    manager = folder / "es-manager.pyz"
    zipapp.build(manager, package=MANAGER, main="es_manager.__main__:main", interpreter=sys.executable)
    built = archive.build(folder, version=VERSION, python=sys.executable).path
    node = folder / "eventstored"
    with zipfile.ZipFile(built) as opened:
        node.write_bytes(opened.read(f"{built.stem}/eventstored"))
    node.chmod(0o755)
    return Programs(manager, node)


def windows_archive(folder: Path) -> Path:
    path = folder / f"EventStore-Lab-Windows-v{VERSION}.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in NAMES:
            made.writestr(zipfile.ZipInfo(name, archive.TIMESTAMP), STAND_IN)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}\n")
    return path


if __name__ == "__main__":
    print(windows_archive(Path(sys.argv[1])))

__all__ = ["Programs", "programs", "windows_archive"]
