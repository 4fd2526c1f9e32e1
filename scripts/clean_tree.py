# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a copy of the working tree: scripts/clean_tree.py COMMAND …

Some tools want a folder …/ansible_collections/NAMESPACE/NAME, resolved; others copy the collection there themselves,
with all the environments and caches in it. The copy holds what git knows or would take. It is a git repository of its
own: in a folder that git ignores ansible-test skips every file and passes. The links under collections/ stay out; they
lead to the same files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy(name: str, *, without: tuple[str, ...] = ()) -> Path:
    """Make the copy under .cache/NAME; its folder."""
    tree = ROOT / ".cache" / name / "ansible_collections" / "eventstore" / "cluster"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, text=True)  # noqa: S607
    for path in filter(None, listed.split("\0")):
        source = ROOT / path
        if source.is_file() and not path.startswith(("collections/", *without)):
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for command in ("git init --quiet .", "git add --all"):
        subprocess.check_call(command.split(), cwd=tree)
    return tree


if __name__ == "__main__":
    sys.exit(subprocess.call(sys.argv[1:], cwd=copy(Path(sys.argv[1]).name)))
