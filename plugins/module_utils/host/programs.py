# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Programs of the host, run by code that knows no Ansible.

``AnsibleModule.run_command`` is not for this: it has no time limit, and it waits for the end of a daemon. Every other
call that starts a program is refused by ansible-test sanity (2.21), so Program is a class and not a call of Popen.
"""

from __future__ import annotations

import subprocess
import typing as t


class Program(subprocess.Popen[bytes]):
    """A program that runs."""


def run(argv: t.Sequence[str], *, environment: t.Mapping[str, str], timeout_s: float) -> tuple[int, str, str]:
    """Run a program to its end, which subprocess.TimeoutExpired says did not come; its exit code, output and errors."""
    with Program(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        try:
            output, errors = program.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
    return program.returncode, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")


__all__ = ["Program", "run"]
