# SPDX-License-Identifier: GPL-3.0-or-later
"""shellcheck on every shell script that git knows or would take."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def is_shell(path: Path) -> bool:
    with open(path, "rb") as file:
        return re.match(rb"#!.*\b(?:ba)?sh$", file.readline(80).rstrip()) is not None


listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], text=True).split("\0")  # noqa: S607
scripts = [path for path in listed if Path(path).is_file() and is_shell(Path(path))]
sys.exit(subprocess.call(["shellcheck", "--severity=warning", *scripts]) if scripts else "no shell script was found")  # noqa: S607
