# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check, the cheapest first; stops at the first that fails. With names as arguments, those only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# The exit status of a check that cannot be made on this computer.
SKIPPED = 77

CHECKS = {
    "lint": "ruff check .",
    "format": "ruff format --check .",
    "yaml": "yamllint --strict .",
    "shell": "python scripts/shell.py",
    "changelog": "python scripts/clean_tree.py antsibull-changelog lint",
    "types": "mypy",
    "unit": "python -m pytest tests/unit -n 2 --dist worksteal",
    "docs": "python scripts/clean_tree.py antsibull-docs lint-collection-docs --plugin-docs .",
    "ansible-lint": "ansible-lint -q",
    "sanity": "python scripts/sanity.py",
    # Where machines cannot be made it says why, and the integration tests skip those with machines too.
    "machines": "scripts/molecule --no-install default",
    "integration": "python -m pytest tests/integration -n 2 --dist loadfile",
}


def main() -> int:
    unknown = [name for name in sys.argv[1:] if name not in CHECKS]
    if unknown:
        print(f"There is no check {', '.join(unknown)}. There are: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    summary = []
    for name in sys.argv[1:] or CHECKS:
        print(f"\n== {name}: {CHECKS[name]}", flush=True)
        began = time.monotonic()
        status, last_line = run(CHECKS[name].split(), environment)
        if status == SKIPPED:
            summary.append(f"{name:14}skipped")
            continue
        if status:
            print(f"\nThe check {name} failed. Alone: make test T={name}", file=sys.stderr)
            return 1
        # pytest closes with what it has counted.
        counted = last_line.strip("= \n") if "pytest" in CHECKS[name] else ""
        summary.append(f"{name:14}{time.monotonic() - began:7.1f} s  {counted}".rstrip())
    print("", "== all checks passed", *summary, sep="\n")
    return 0


def run(argv: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a check and show what it prints; its exit status and its last line."""
    last_line = ""
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last_line = line
    return process.returncode, last_line


if __name__ == "__main__":
    sys.exit(main())
