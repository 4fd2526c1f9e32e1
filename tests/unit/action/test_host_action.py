# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform is chosen by the connection's shell: POSIX runs the module, Windows is refused with advice."""

from __future__ import annotations

import importlib
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.shell import powershell, sh

ACTIONS = ["es_config", "es_watchdog", "es_service", "es_urlacl"]
PACKAGE = "ansible_collections.eventstore.cluster.plugins.action"


@pytest.fixture(params=ACTIONS)
def make_action(request):
    def make(*, windows: bool):
        task = MagicMock(action=f"eventstore.cluster.{request.param}", async_val=0, args={"name": "x"})
        connection = MagicMock(transport="winrm" if windows else "ssh")
        connection._shell = powershell.ShellModule() if windows else sh.ShellModule()
        module = importlib.import_module(f"{PACKAGE}.{request.param}")
        action = module.ActionModule(
            task=task,
            connection=connection,
            play_context=MagicMock(check_mode=False),
            loader=MagicMock(),
            templar=MagicMock(),
            shared_loader_obj=MagicMock(),
        )
        action._execute_module = MagicMock(return_value={"changed": True, "pid": 7})
        return action

    return make


def test_posix_runs_the_module_of_the_task(make_action):
    action = make_action(windows=False)
    assert action.run(task_vars={"inventory_hostname": "node1"})["pid"] == 7
    action._execute_module.assert_called_once()
    assert "module_name" not in action._execute_module.call_args.kwargs
    assert action._supports_check_mode


def test_windows_is_refused_by_name_and_nothing_runs(make_action):
    action = make_action(windows=True)
    name = action._task.action.rpartition(".")[2]
    with pytest.raises(AnsibleActionFail) as error:
        action.run(task_vars={"inventory_hostname": "node1"})
    assert f"{name} on Windows hosts is not part of this release, and node1 is one (winrm)" in str(error.value)
    assert "--limit 'all:!node1'" in str(error.value)
    action._execute_module.assert_not_called()
