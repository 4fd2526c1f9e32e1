# SPDX-License-Identifier: GPL-3.0-or-later
"""A uid without an account, as in a container, has a number for a name and is no reason to fail."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.host import accounts

NOBODYS = 424242


def test_what_has_no_name_goes_by_its_number(monkeypatch):
    assert accounts.user_name(0) == subprocess.check_output(["/usr/bin/id", "-un", "0"], text=True).strip()
    assert (accounts.user_name(NOBODYS), accounts.group_name(NOBODYS)) == ("424242", "424242")
    monkeypatch.setattr(os, "geteuid", lambda: NOBODYS)
    monkeypatch.setenv("HOME", "/srv/of/it")
    own = accounts.own()
    assert (own.pw_name, own.pw_uid, own.pw_gid, own.pw_dir) == ("424242", NOBODYS, os.getegid(), "/srv/of/it")


CHILD = """
import os, types
from ansible_collections.eventstore.cluster.plugins.module_utils.service import daemon
from ansible_collections.eventstore.cluster.plugins.modules import es_service

os.setgid(424242)
os.setuid(424242)
made = daemon._identity(types.SimpleNamespace(user=None, group=None, environment={}))
given = {"name": "a", "owner": None, "settle": 0, "wait": 0, "stall": 0}
cluster = es_service.cluster_of({"cluster": given, "state": "stopped"})
print(made["env"]["USER"], made["env"]["HOME"], cluster is not None)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another")
def test_a_service_is_started_and_stopped_under_such_a_uid():
    with pytest.raises(KeyError):
        pwd.getpwuid(NOBODYS)
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["424242", "/", "True"]
