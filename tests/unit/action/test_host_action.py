# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform is chosen by the connection's shell: POSIX runs the module, and Windows gets no module."""

from __future__ import annotations

import importlib
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.shell import powershell, sh

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import Problem, ServiceError

ACTIONS = ["es_config", "es_data", "es_watchdog", "es_service", "es_urlacl"]
PACKAGE = "ansible_collections.eventstore.cluster.plugins.action"


@pytest.fixture(params=ACTIONS)
def make_action(request):
    def make(*, windows: bool):
        task = MagicMock(
            action=f"eventstore.cluster.{request.param}", async_val=0, check_mode=False, args={"name": "x"}
        )
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


def test_vaulted_arguments_are_texts(make_action):
    """Up to ansible-core 2.18 they come as objects that argument specs refuse on the controller."""
    vaulted = type("Vaulted", (), {"__ENCRYPTED__": True, "__str__": lambda _self: "open"})
    action = make_action(windows=False)
    action._task.args = {"name": "x", "options": {"CertificatePassword": vaulted()}, "list": [vaulted()]}
    action.run(task_vars={"inventory_hostname": "node1"})
    assert action._task.args["options"] == {"CertificatePassword": "open"}
    assert action._task.args["list"] == ["open"]


@pytest.mark.parametrize(
    ("keyword", "problem"), [("become", "become has no effect"), ("async_val", "async has no effect")]
)
def test_keywords_without_effect_are_refused_on_windows_and_nothing_is_sent(make_action, keyword, problem):
    action = make_action(windows=True)
    action._play_context.become = keyword == "become"
    action._task.async_val = 30 if keyword == "async_val" else 0
    with pytest.raises(AnsibleActionFail, match=problem):
        action.run(task_vars={"inventory_hostname": "node1"})
    action._execute_module.assert_not_called()
    action._connection.exec_command.assert_not_called()


def test_a_refusal_on_windows_has_its_code_in_the_message_and_in_the_result(make_action):
    action = make_action(windows=True)
    action._play_context.become = False
    problem = Problem("no-majority", "not stopped", "Wait", "es-orders")
    action.on_windows = MagicMock(side_effect=ServiceError.of(problem))
    with pytest.raises(AnsibleActionFail) as refused:
        action.run(task_vars={"inventory_hostname": "node1"})
    assert str(refused.value) == "es-orders: not stopped. Wait [no-majority]"
    result = getattr(refused.value, "_result", None) or refused.value.result
    assert result["codes"] == ["no-majority"]
