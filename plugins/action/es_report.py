# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a cluster in the terminal and writes it as a page; both on the controller, without a connection to the host."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timezone

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.eventstore.cluster.plugins.module_utils import overview
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic
from ansible_collections.eventstore.cluster.plugins.module_utils.status import note_lines
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import spans
from ansible_collections.eventstore.cluster.plugins.plugin_utils.page import render

display = Display()

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "gossip": {"type": "dict", "required": True},
    "outcome": {"type": "list", "elements": "str", "default": []},
    "path": {"type": "str"},
}

# Names of ansible's settings, so that an operator's own colours hold; they are empty where NO_COLOR is set.
_COLOURS = {overview.GOOD: "COLOR_OK", overview.BAD: "COLOR_ERROR", overview.DOUBTFUL: "COLOR_CHANGED"}


class ActionModule(ActionBase):
    """The whole of es_report."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        _valid, params = self.validate_argument_spec(ARGUMENT_SPEC)
        variables = task_vars or {}
        # Not an argument: callbacks can show arguments, and the plan holds secrets.
        plan = variables["preflight_plan"]
        if isinstance(plan, str):  # a variable of the play, which is a template
            plan = self._templar.template(plan)
        lines = [*overview.table(params["gossip"], plan), *map(overview.Line, params["outcome"])]
        for line in lines:
            display.display(line.text, color=_colour(line.tone))
        if params["path"]:
            page = render(params["gossip"], plan, outcome=params["outcome"], **_of_the_play(params, variables))
            _write(params["path"], page)
        return {**result, "changed": False, "lines": [line.text for line in lines]}


def _colour(tone: str) -> str | None:
    return getattr(constants, _COLOURS[tone]) if tone in _COLOURS else None


def _of_the_play(params: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the hosts of this play have registered: notes of preflight, and what happened in each turn."""
    hosts, after = variables.get("ansible_play_hosts_all", []), params["gossip"].get("watched")
    found = {str(host): variables["hostvars"][host] for host in hosts}
    looks = {host: values["preflight_look"] for host, values in found.items() if "preflight_look" in values}
    turns = spans(found)
    return {
        "asked": datetime.now(timezone.utc),
        "notes": note_lines({host: look.get("notes", []) for host, look in looks.items()}),
        "turns": [*turns, ("", after)] if turns and after else turns,
    }


def _write(path: str, page: str) -> None:
    try:
        atomic.write(os.path.expanduser(path), page.encode(), mode=0o644, durable=False)
    except OSError as error:
        raise AnsibleActionFail(
            f"The page was not written to {path}: {error.strerror}. "
            "Give as eventstore_report a file in a directory that exists on the controller."
        ) from error


__all__ = ["ActionModule"]
