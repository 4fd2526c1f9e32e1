# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade whose new version fails, or is another one, does not stay: what comes back, and what is said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.service import family
from ansible_collections.eventstore.cluster.plugins.module_utils.service.readiness import Readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.service.states import Outcome
from ansible_collections.eventstore.cluster.plugins.module_utils.service.upgrade import Upgrade
from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.permission import Permission

EFFECTIVE = layers.effective(option_set("database", "4.1.4"), file="ExtIp: 127.0.0.1\n", environment={}, arguments=[])


class Control:
    """Notes what is done to a service; ``fails``: the steps that end in an error."""

    def __init__(self, name, log, *, fails=(), says="4.1.4.0", listens=True, loops=""):
        self._name, self._log, self._fails, self._says, self._loops = name, log, fails, says, loops
        self.running = SimpleNamespace(
            definition=SimpleNamespace(name="es", timeout_s=0.0, kind="database", program="/bin/sh"),
            effective=None,
            nodes_listen=lambda: listens,
            node_pids=lambda: [1],
            inspect_at=lambda _listeners, _kind: Readiness(answer={"url": "http://x/info", "version": self._says}),
        )

    def _step(self, step):
        self._log.append(f"{self._name} {step}")
        if step in self._fails:
            raise ServiceError(f"no {step}")

    def install(self, _result, **_more):
        self._step("install")

    def start(self, _result):
        self._step("start")

    def stop(self, _result):
        self._step("stop")

    def crash_loop_problem(self):
        return self._loops


@pytest.fixture
def log():
    return []


@pytest.fixture
def upgrade(log, monkeypatch):
    monkeypatch.setattr(family, "effective_of", lambda _pid: EFFECTIVE)

    def upgrade(*, revive=True, previous=(), back="", **control):
        files = SimpleNamespace(
            start="4.0.3", end="4.1.4", forward=lambda: log.append("forward"), back=lambda: log.append("back")
        )

        def wait_until_back(problem):
            log.append("wait")
            if back:
                raise ServiceError(back)
            return {"state": problem()}

        permitted = Permission(wait_until_back=wait_until_back, keep=lambda: log.append("keep"))
        result = Outcome()
        new, old = Control("new", log, **control), Control("old", log, fails=previous)
        Upgrade(files, old, revive).start(new, result, permitted, enabled=True)
        return result

    return upgrade


FORWARD = ["forward", "new install", "new start"]
BACK = ["keep", "new stop", "back", "old install", "old start", "wait"]


@pytest.mark.parametrize("says", ["4.1.4", "4.1.4.0", "4.1.4-hotfix1", ""])
def test_a_version_that_works_stays(upgrade, log, says):
    assert upgrade(says=says).seen == {"state": ""}
    assert log == [*FORWARD, "wait"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"fails": ["start"]}, "no start", id="does not start"),
        pytest.param({"loops": "it ends again"}, "it ends again", id="goes on ending"),
        pytest.param({"says": "4.1.3.0"}, "the node answers as 4.1.3.0", id="is an earlier version"),
        pytest.param({"says": "4.1.40.0"}, "the node answers as 4.1.40.0", id="is another version"),
    ],
)
def test_a_version_that_fails_or_is_another_one_is_taken_back(upgrade, log, given, why):
    with pytest.raises(ServiceError, match=rf"^es, 4.0.3 -> 4.1.4: 4.1.4 failed: .*{why}.*runs 4.0.3 again"):
        upgrade(**given)
    assert log == [*FORWARD, *BACK]


def test_a_node_that_does_not_come_back_into_the_cluster_is_taken_back(upgrade, log):
    with pytest.raises(ServiceError, match=r"does not come back on 4\.0\.3: no quorum"):
        upgrade(back="no quorum")
    assert log == [*FORWARD, "wait", *BACK]


def test_without_a_way_back_it_stays_stopped_on_the_new_files(upgrade, log):
    with pytest.raises(ServiceError, match=r"is stopped, with the files of 4\.1\.4"):
        upgrade(revive=False, fails=["start"])
    assert log == [*FORWARD, "keep", "new stop"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fails": ["start"], "previous": ["start"]}, "does not come back on 4.0.3: no start"),
        ({"fails": ["start", "stop"], "revive": False}, "does not stop: no stop"),
    ],
)
def test_the_second_error_is_told_with_the_first(upgrade, given, why):
    with pytest.raises(ServiceError, match=rf"4\.1\.4 failed: .*no start.* And it {why}.*No other node was stopped"):
        upgrade(**given)


def test_an_upgrade_needs_its_way_back_unless_it_is_given_up(log):
    old = Control("old", log)
    Upgrade(None, old, True).refuse_no_way_back()
    old.running.definition.program = "/none/4.0.3/eventstored"
    Upgrade(None, old, False).refuse_no_way_back()
    with pytest.raises(ServiceError, match=r"/none/4\.0\.3/eventstored: the previous version is not there"):
        Upgrade(None, old, True).refuse_no_way_back()
