# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks on the controller without touching the connection; ``from: target`` runs the module, and not on Windows."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.shell import powershell, sh
from ansible.utils.display import Display

from ansible_collections.eventstore.cluster.plugins.action import es_gossip_facts
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip import facts
from tests.doubles.gossip.answers import HEALTHY, REFUSED, node

ENDPOINTS = ["10.0.0.1:2113"]


@pytest.fixture
def run(monkeypatch):
    """Run the action; returns its result and the mock of ``_execute_module``."""

    def run(args, *, windows=False, check=False, views=None):
        monkeypatch.setattr(facts, "ask", lambda *_arguments: views or [node(number, HEALTHY) for number in (1, 2, 3)])
        task = MagicMock(action="eventstore.cluster.es_gossip_facts", async_val=0, args=args, check_mode=check)
        connection = MagicMock(
            transport="winrm" if windows else "ssh", spec=["transport", "_shell", "has_native_async"]
        )
        connection._shell = powershell.ShellModule() if windows else sh.ShellModule()
        action = es_gossip_facts.ActionModule(
            task=task,
            connection=connection,
            play_context=MagicMock(check_mode=check),
            loader=MagicMock(),
            templar=MagicMock(),
            shared_loader_obj=MagicMock(),
        )
        action._load_name = task.action  # by the plugin loader; ansible-core before 2.19 needs it
        module = action._execute_module = MagicMock(return_value={"ansible_facts": {"es_gossip": "from the host"}})
        return action.run(task_vars={"inventory_hostname": "node1"}), module

    return run


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_the_controller_asks_for_every_kind_of_host(run, windows, check):
    result, module = run({"endpoints": ENDPOINTS, "cluster_size": "3"}, windows=windows, check=check)
    assert result["ansible_facts"]["es_gossip"]["has_quorum"] is True
    assert list(result["ansible_facts"]) == ["es_gossip"]
    assert result["changed"] is False
    module.assert_not_called()


def test_from_target_runs_the_module(run):
    result, module = run({"endpoints": ENDPOINTS, "from": "target"})
    assert result["ansible_facts"]["es_gossip"] == "from the host"
    module.assert_called_once()


def test_from_target_on_windows_is_refused(run):
    with pytest.raises(AnsibleActionFail) as error:
        run({"endpoints": ENDPOINTS, "from": "target"}, windows=True)
    assert "cannot query from node1, a Windows host (winrm)" in str(error.value)
    assert "Remove 'from' to query from the controller" in str(error.value)


@pytest.mark.parametrize("verbosity", [0, 2, 3])
def test_until_that_does_not_hold_fails_in_words_and_with_facts_only_at_vvv(run, monkeypatch, verbosity):
    """Callbacks sort the keys: thousands of characters of facts would come before the message."""
    monkeypatch.setattr(Display(), "verbosity", verbosity)
    views = [node(1, HEALTHY), node(2, REFUSED), node(3, REFUSED)]
    result, _module = run({"endpoints": ENDPOINTS, "until": "quorum", "wait_timeout": 0}, views=views)
    assert result["failed"]
    assert "- no-answer: n2 on host2 (10.0.0.2:2113) does not answer: connection refused" in result["msg"]
    if verbosity < 3:
        assert "ansible_facts" not in result
    else:
        assert result["ansible_facts"]["es_gossip"]["has_quorum"] is False


def test_bad_endpoints_fail_in_plain_words(run):
    result, _module = run({"endpoints": ["node 1:2113"]})
    assert result["failed"]
    assert result["msg"].startswith("endpoints, entry 1: 'node 1:2113' does not begin with an IP address or a name")
    assert "ansible_facts" not in result


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, "missing required arguments: endpoints"),
        ({"endpoints": ENDPOINTS, "util": "quorum"}, "util"),
        (
            {"endpoints": ENDPOINTS, "until": "quorate"},
            "value of until must be one of: none, answered, quorum, healthy",
        ),
        ({"endpoints": ENDPOINTS, "timeout": "soon"}, "timeout"),
    ],
)
def test_arguments_are_held_against_the_module_s_own_specification(run, args, expected):
    with pytest.raises(AnsibleError) as error:
        run(args)
    assert expected in str(error.value)
