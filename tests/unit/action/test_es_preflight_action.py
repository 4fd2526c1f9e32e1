# SPDX-License-Identifier: GPL-3.0-or-later
"""The action sends the time and no secret, names the host, and refuses become on Windows."""

from __future__ import annotations

import copy
import hashlib
import pathlib
import time
import zipfile
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.shell import powershell, sh

from ansible_collections.eventstore.cluster.plugins.action.es_preflight import ActionModule
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import preflight as windows_preflight

SECRET = "hunter2"  # noqa: S105 the word that must not get out


@pytest.fixture
def make_action():
    def make(arguments, *, windows=False):
        connection = MagicMock(transport="winrm" if windows else "ssh")
        connection._shell = powershell.ShellModule() if windows else sh.ShellModule()
        action = ActionModule(
            task=MagicMock(action="eventstore.cluster.es_preflight", async_val=0, args=arguments),
            connection=connection,
            play_context=MagicMock(check_mode=False),
            loader=MagicMock(),
            templar=MagicMock(),
            shared_loader_obj=MagicMock(),
        )
        problem = {"code": "port-taken", "text": "it is: taken", "hint": "do", "where": ""}
        action._execute_module = MagicMock(return_value={"changed": False, "problems": [problem]})
        return action

    return make


@pytest.fixture(params=["managers", "nodes"])
def machine(request):
    group = {
        "eventstore_cluster_mode": request.param,
        "eventstore_database_options": {"CertificatePassword": SECRET},
        "eventstore_environment": {"TOKEN": SECRET},
        "eventstore_archive": f"https://archives.example/es.zip?key={SECRET}",
        "eventstore_archive_checksum": "sha256:" + "0" * 64,
    }
    made = plan({f"node{n}": {"eventstore_int_ip": f"127.0.71.{n}", **group} for n in (1, 2, 3)})
    return {**made["hosts"]["node1"], "dns": made["dns"], "provider": made["provider"]}


def test_secrets_stay_on_the_controller(make_action, machine):
    before = copy.deepcopy(machine)
    assert SECRET in repr(machine)
    action = make_action({"plan": machine})
    result = action.run(task_vars={"inventory_hostname": "node1"})
    sent = action._execute_module.call_args.kwargs["module_args"]
    assert SECRET not in repr(sent)
    assert sent["plan"]["nodes"][0]["options"] == {"Db": "/var/lib/eventstore"}
    assert sent["plan"]["software"]["archive"] is True
    assert abs(sent["controller_time"] - time.time()) < 5
    assert result["problems"] == [{"code": "port-taken", "text": "it is: taken", "hint": "do", "where": "node1"}]
    assert machine == before


@pytest.mark.parametrize("arguments", [{}, {"plan": "text"}, {"plan": {}}])
def test_what_is_no_plan_is_left_to_the_module(make_action, arguments):
    action = make_action(arguments)
    action.run(task_vars={"inventory_hostname": "node1"})
    action._execute_module.assert_called_once()


def test_become_is_refused_on_windows_before_anything_is_sent(make_action, machine):
    action = make_action({"plan": machine}, windows=True)
    action._play_context.become = True
    with pytest.raises(AnsibleActionFail, match="become has no effect on what is sent to a Windows host"):
        action.run(task_vars={"inventory_hostname": "node1"})
    action._execute_module.assert_not_called()
    action._connection.exec_command.assert_not_called()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "es.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("EventStore-OSS-Linux-v4.1.4/eventstored", "program")
    return path


@pytest.mark.parametrize("windows", [False, True], ids=["posix", "windows"])
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"checksum": "sha256:" + "0" * 64}, "is not the archive that was asked for"),
        ({"executable": "other"}, "other"),
        (
            {"home": "c:\\es\\4.1.3"},
            "is the archive of another version: expected 4.1.3, found EventStore-OSS-Linux-v4.1.4",
        ),
        ({"archive": "/none.zip"}, "eventstore_archive /none.zip cannot be read on the controller"),
        ({"archive": "https://archives.example/es.zip"}, None),
        ({}, None),
    ],
    ids=["checksum", "program", "version", "missing", "url", "good"],
)
def test_an_archive_that_the_host_needs_is_looked_at_before_anything_is_made(
    make_action, monkeypatch, archive, windows, wrong, problem
):
    checksum = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    software = {"archive": str(archive), "checksum": checksum, "executable": "eventstored", "home": "/opt/4.1.4"}
    software.update(wrong)
    action = make_action({"plan": {"software": software}}, windows=windows)
    seen = {"problems": [], "software_installed": False}
    monkeypatch.setattr(windows_preflight, "inspect", lambda *_args, **_named: copy.deepcopy(seen))
    action._execute_module.return_value = copy.deepcopy(seen)

    def find(_kind, path):
        if not pathlib.Path(path).exists():
            raise AnsibleError("Could not find or access it\nIf you are using a module …")
        return path

    action._find_needle = find
    action._play_context.become = False
    found = action.run(task_vars={"inventory_hostname": "node1"})["problems"]
    assert [each["code"] for each in found] == ([] if problem is None else ["archive"])
    assert all(problem in each["text"] and each["where"] == "node1" for each in found)
    action._execute_module.return_value = {"problems": [], "software_installed": True}
    if not windows:
        assert action.run(task_vars={"inventory_hostname": "node1"})["problems"] == []
