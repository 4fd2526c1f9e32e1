# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a machine of tests/doubles/hosts by its namespaces: no ssh, and a cut network does not hurt."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: lab_machine
short_description: Run in a machine of tests/doubles/hosts
description:
  - Runs commands in the namespaces of a machine that C(tests/doubles/hosts/machine) made, through its file C(enter).
  - Needs to run in the C(tests/doubles/hosts/box) that has the machine.
author: The project
options:
  directory:
    description: The machine's directory in the box.
    type: str
    required: true
    vars:
      - name: ansible_lab_machine_directory
"""

# As ssh's ConnectTimeout: a machine that hangs takes the connection and says nothing.
CONNECT_TIMEOUT = 10


class Connection(ConnectionBase):
    transport = "lab_machine"
    has_pipelining = True

    def _connect(self) -> Connection:
        if not self._connected:
            try:
                done = subprocess.run([self._enter, "true"], capture_output=True, timeout=CONNECT_TIMEOUT, check=False)
            except subprocess.TimeoutExpired:
                raise AnsibleConnectionFailure(f"the machine did not answer in {CONNECT_TIMEOUT} s") from None
            except OSError as error:
                raise AnsibleConnectionFailure(f"there is no machine: {error}") from error
            if done.returncode:
                raise AnsibleConnectionFailure(f"the machine is off: {_text(done.stderr)}")
            self._connected = True
        return self

    @property
    def _enter(self) -> str:
        return str(Path(self.get_option("directory")) / "enter")

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        del sudoable
        return self._run(cmd, input=in_data or b"")

    def put_file(self, in_path: str, out_path: str) -> None:
        with open(in_path, "rb") as source:
            status, _, errors = self._run(f"cat >{shlex.quote(out_path)}", stdin=source)
        if status:
            raise AnsibleError(f"cannot write {out_path}: {_text(errors)}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        status, content, errors = self._run(f"cat {shlex.quote(in_path)}")
        if status:
            raise AnsibleError(f"cannot read {in_path}: {_text(errors)}")
        Path(out_path).write_bytes(content)

    def close(self) -> None:
        self._connected = False

    def _run(self, command: str, **stdin: t.Any) -> tuple[int, bytes, bytes]:
        self._connect()
        done = subprocess.run([self._enter, "/bin/sh", "-c", command], capture_output=True, check=False, **stdin)
        if done.returncode:
            # Says so if it was the machine that ended.
            self._connected = False
            self._connect()
        return done.returncode, done.stdout, done.stderr


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()
