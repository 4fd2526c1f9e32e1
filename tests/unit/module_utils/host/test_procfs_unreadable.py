# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.host import procfs


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_process_that_cannot_be_looked_at_is_not_one_that_has_ended(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Else a second node would be started on the same data."""

    def fail(_path: Path) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    for look in (procfs.start_time, procfs.command_line, procfs.parent):
        with pytest.raises(ServiceError, match="the processes of this machine cannot be read"):
            look(os.getpid())
    with pytest.raises(ServiceError):
        procfs.find(["/bin/true"])


def test_a_process_that_has_ended_has_no_start_time() -> None:
    assert procfs.start_time(2**22 + 1) is None
