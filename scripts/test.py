# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check, the cheapest first; stops where one fails. With names as arguments, those only."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
    "licences": "reuse lint --lines",
    "changelog": "python scripts/clean_tree.py antsibull-changelog lint",
    "unit": "python -m pytest tests/unit -m 'not slow' -n 2 --dist worksteal",
    "sanity": "python scripts/sanity.py",
    # Where machines cannot be made it says why, and the integration tests skip those with machines too.
    "machines": "scripts/molecule --no-install default",
    "types": "mypy",
    "docs": "python scripts/clean_tree.py antsibull-docs lint-collection-docs --plugin-docs .",
    "ansible-lint": "ansible-lint -q",
    "galaxy": "python scripts/galaxy.py",
    # They wait more than they work.
    "integration": "python -m pytest tests/integration -m 'not slow' --durations 10"
    " -n 3 --dist loadfile --no-loadscope-reorder",
}
# Each of these keeps one processor busy, so two run at once.
PAIRED = ("sanity", "machines", "types", "docs", "ansible-lint", "galaxy")


def main() -> int:
    unknown = [name for name in sys.argv[1:] if name not in CHECKS]
    if unknown:
        print(f"There is no check {', '.join(unknown)}. There are: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    wanted = [name for name in CHECKS if name in (sys.argv[1:] or CHECKS)]
    summary: list[str] = []
    while wanted:
        at_once = [name for name in wanted if name in PAIRED] if wanted[0] in PAIRED else wanted[:1]
        wanted = [name for name in wanted if name not in at_once]
        failed = run_paired(at_once, summary) if len(at_once) > 1 else run(at_once[0], summary)
        if failed:
            return 1
    print("", "== all checks passed", *summary, sep="\n")
    return 0


def run_paired(names: list[str], summary: list[str]) -> bool:
    """Run checks two at once, each shown when it has ended; whether one has failed."""
    print(f"\n== {', '.join(names)}: two at once", flush=True)
    with ThreadPoolExecutor(2) as pool:
        return any(list(pool.map(lambda name: run(name, summary, at_its_end=True), names)))


def run(name: str, summary: list[str], *, at_its_end: bool = False) -> bool:
    """Run a check and show what it prints; whether it has failed."""
    title = f"\n== {name}: {CHECKS[name]}\n"
    began = time.monotonic()
    if not at_its_end:
        print(title, end="", flush=True)
    lines = []
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        shlex.split(CHECKS[name]),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if not at_its_end:
                print(line, end="", flush=True)
    if at_its_end:
        print(title + "".join(lines), end="", flush=True)
    if process.returncode == SKIPPED:
        summary.append(f"{name:14}skipped")
    elif process.returncode:
        print(f"\nThe check {name} failed. Alone: make test T={name}", file=sys.stderr)
        return True
    else:
        # pytest closes with what it has counted.
        counted = lines[-1].strip("= \n") if "pytest" in CHECKS[name] else ""
        summary.append(f"{name:14}{time.monotonic() - began:7.1f} s  {counted}".rstrip())
    return False


if __name__ == "__main__":
    sys.exit(main())
