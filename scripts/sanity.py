# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test sanity`` on the working tree. It passes where it finds no file, so the tests that ran are counted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import clean_tree

ROOT = Path(__file__).resolve().parent.parent
LEAST_TESTS = 20
# Programs and tests; the rules for plugins do not fit them.
NOT_ANSIBLE = ("lab/", "scripts/", "tests/bench/", "tests/doubles/", "tests/integration/", "tests/unit/")
# Where ansible-core 2.16 to 2.21 look for pip's bootstrap script before they download it from a host of their own.
BOOTSTRAPS = ("get_pip_23_1_2.py", "get_pip_24_2.py", "get_pip_25_2.py")


def main() -> int:
    tree = clean_tree.copy("sanity", without=NOT_ANSIBLE)
    # Homes of its own: for the bootstrap script and the environments, and because it would import what lies in TMPDIR.
    home = ROOT / ".cache" / "sanity" / "home"
    temporary = ROOT / ".cache" / "sanity" / "tmp"
    for directory in (home / ".ansible/test/cache", temporary):
        directory.mkdir(parents=True, exist_ok=True)
    for name in BOOTSTRAPS:
        shutil.copy(ROOT / "scripts" / "get_pip.py", home / ".ansible/test/cache" / name)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--color", "no", "--python", python, *sys.argv[1:]]
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(temporary)}
    ran = 0
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            ran += line.startswith("Running sanity test")
    if process.returncode:
        return 1
    if not sys.argv[1:] and ran < LEAST_TESTS:
        print(f"ansible-test ran {ran} sanity tests, and at least {LEAST_TESTS} were expected", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
