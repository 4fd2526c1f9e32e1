# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy does with an upload: build the collection, import it, and take no warning for an answer."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import clean_tree
import yaml

SKIPPED = 77
# The check ansible-lint is stricter, reads the same files, and takes as long as all the rest of an import.
WITHOUT_LINT = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false"}


def main() -> int:
    tree = clean_tree.copy("galaxy")
    problem = disagreement(tree)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    if importlib.util.find_spec("galaxy_importer") is None:
        print(
            "SKIPPED: galaxy-importer is not installed here, so that what Galaxy makes of the collection is not known"
        )
        return SKIPPED
    built = tree.parent / "built"
    shutil.rmtree(built, ignore_errors=True)  # of another version
    build = "ansible-galaxy collection build --force --output-path"
    subprocess.check_call([*build.split(), built], cwd=tree)
    (tarball,) = built.glob("*.tar.gz")
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", tarball],
        cwd=built,
        env={**os.environ, **WITHOUT_LINT, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stdout.splitlines() if re.match("(WARNING|ERROR)", line)]
    if done.returncode or complaints or "completed successfully" not in done.stdout:
        print(done.stdout)
        print(*["Galaxy would say:", *complaints], sep="\n  ", file=sys.stderr)
        return 1
    print(f"{tarball.name}: imported as Galaxy does, without a warning")
    return 0


def disagreement(tree: Path) -> str:
    """In what galaxy.yml and the changelog do not agree; empty if in nothing. Fragments wait for a release."""
    version = yaml.safe_load((tree / "galaxy.yml").read_text())["version"]
    releases = yaml.safe_load((tree / "changelogs/changelog.yaml").read_text())["releases"]
    newest = max(releases, key=lambda text: [int(number) for number in text.split(".")])
    fragments = list((tree / "changelogs/fragments").glob("*.yml"))
    if fragments:
        print(f"{len(fragments)} changes are in no release yet: antsibull-changelog release")
    if newest != version and not fragments:
        return f"galaxy.yml has version {version}, and the newest release in changelogs/changelog.yaml is {newest}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
