# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks on the controller itself, without a connection to the host; the module runs for ``from: target`` only."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.gossip.facts import (
    ARGUMENT_SPEC,
    ConditionNotMet,
    gather,
    not_met,
)
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction


class ActionModule(HostAction):
    """The controller half of es_gossip_facts."""

    _supports_async = False  # there is no process on the host to come back to

    def run_on_posix(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        params = self._params()
        return self._ask(params) if params["from"] == "controller" else super().run_on_posix(task_vars)

    def run_on_windows(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        params = self._params()
        if params["from"] == "controller":
            return self._ask(params)
        raise AnsibleActionFail(
            f"es_gossip_facts cannot ask from {task_vars.get('inventory_hostname', 'this host')}, a Windows host "
            f"({self._connection.transport}), because it needs Python there. Leave 'from' out to ask from the "
            "controller, or delegate the task to a Linux host that reaches the nodes."
        )

    def _params(self) -> dict[str, t.Any]:
        _result, params = self.validate_argument_spec(ARGUMENT_SPEC)
        return t.cast("dict[str, t.Any]", params)

    def _ask(self, params: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            return {"changed": False, "ansible_facts": {"es_gossip": gather(params)}}
        except ConditionNotMet as error:
            return not_met(error, params["fail"], self._display.verbosity)
        except EventStoreError as error:
            return {"failed": True, "msg": str(error)}


__all__ = ["ActionModule"]
