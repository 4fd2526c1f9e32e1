# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.eventstore.cluster.plugins.action import es_report
from ansible_collections.eventstore.cluster.plugins.module_utils.upgrade.turns import REGISTERED
from tests.doubles.pages import healthy, nine, plan, watched

Result = dict[str, t.Any]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What goes to the terminal: text and colour."""
    lines: list[tuple[str, str | None]] = []
    monkeypatch.setattr(es_report.display, "display", lambda text, color=None: lines.append((text, color)))
    return lines


def run(check: bool = False, hostvars: Result | None = None, **args: t.Any) -> Result:
    task = MagicMock(args=args, async_val=0, check_mode=check, diff=False, delegate_to=None)
    action = es_report.ActionModule(
        task, MagicMock(), MagicMock(check_mode=check), MagicMock(), MagicMock(), MagicMock()
    )
    variables = {
        "preflight_plan": plan("host1", "host2", "host3"),
        "ansible_play_hosts_all": list(hostvars or {}),
        "hostvars": hostvars or {},
    }
    return action.run(task_vars=variables)


def test_the_table_is_shown_in_colours_and_returned(shown):
    result = run(gossip=nine("host{}"), outcome=["orders: deployed on host1"])
    assert (result["changed"], result["lines"]) == (False, [text for text, _colour in shown])
    colours = dict(shown)
    assert colours["orders has quorum, 6 of 9 nodes in sync, 5 needed, can lose 1"] == "green"
    assert {colour for text, colour in shown if "no answer" in text} == {"red"}
    assert shown[-1] == ("orders: deployed on host1", None)


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("check", [False, True])
def test_the_page_has_the_outcome_the_notes_and_the_turns_of_this_play(tmp_path, check):
    path = tmp_path / "cluster.html"
    results = {"results": [{"watched": watched("03:00:00", 30.0, stopped_s=3.0, answered_s=9.0, in_sync_s=21.0)}]}
    hostvars = {"host1": {"preflight_look": {"notes": ["1024 files are few"]}}, "host2": {REGISTERED: results}}
    run(check, hostvars, gossip={**healthy(), "watched": watched("03:01:00", 5.0)}, outcome=["done"], path=str(path))
    text = path.read_text()
    for words in (
        "<li>done</li>",
        "host1: 1024 files are few",
        '<span class="who">host2</span>',
        "After the last turn",
    ):
        assert words in text
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("shown")
def test_a_page_that_cannot_be_written_is_an_error_with_the_place(tmp_path):
    path = tmp_path / "missing" / "cluster.html"
    with pytest.raises(AnsibleActionFail, match=f"The page was not written to {path}: No such file or directory"):
        run(gossip=healthy(), path=str(path))


def test_the_plan_with_its_secrets_is_no_argument():
    assert "plan" not in es_report.ARGUMENT_SPEC
