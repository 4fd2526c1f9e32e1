# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible import constants

from ansible_collections.eventstore.cluster.plugins.lookup.es_manager import LookupModule


def test_the_path_is_that_of_a_manager_which_runs_anywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    (path,) = LookupModule().run([])
    assert Path(path).parent == tmp_path
    done = subprocess.run([sys.executable, path, "--version"], capture_output=True, text=True, cwd="/", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("es-manager ")
    content = Path(path).read_bytes()
    Path(path).unlink()
    assert LookupModule().run([]) == [path]
    assert Path(path).read_bytes() == content
