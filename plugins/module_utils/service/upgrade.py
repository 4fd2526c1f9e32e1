# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The upgrade of one service between its stop and its start, and the way back where the new version fails."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.service import family, readiness
from ansible_collections.eventstore.cluster.plugins.module_utils.versions import is_release
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import Effective
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.control import Control
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.staged_files import StagedFiles
    from ansible_collections.eventstore.cluster.plugins.module_utils.service.states import Outcome
    from ansible_collections.eventstore.cluster.plugins.module_utils.stopping.permission import Permission


@dataclass(frozen=True)
class Upgrade:
    """``files``: of both versions. If the new version fails: with ``revive`` the previous version is restored and
    started; without, the service stays stopped on the new files.
    """

    files: StagedFiles
    previous: Control
    revive: bool

    def refuse_no_way_back(self) -> None:
        """ServiceError if the previous version could not be started again, although it may have to be."""
        running = self.previous.running
        program = running.definition.program
        if running.definition.kind == "manager" and running.effective:
            program = running.effective.value("NodeExecutable") or program
        if self.revive and not os.access(program, os.X_OK):
            raise ServiceError(
                "the previous version is not there, so there would be no way back",
                where=program,
                hint="Nothing was stopped. Unpack it there",
            )

    def start(self, control: Control, result: Outcome, permitted: Permission, *, enabled: bool | None) -> None:
        """Start the stopped service in its new version, or else in its previous one or not at all, and then fail."""
        try:
            self.files.forward()
            control.install(result, present=True, enabled=enabled)
            control.start(result)
            _wait_for_nodes(control)
            _refuse_other_version(control, self.files.end)
            result.seen = permitted.wait_until_back(control.crash_loop_problem)
        except ServiceError as failure:
            self._take_back(control, result, permitted, failure, enabled=enabled)

    def _take_back(
        self, control: Control, result: Outcome, permitted: Permission, failure: ServiceError, *, enabled: bool | None
    ) -> t.NoReturn:
        start, end = self.files.start, self.files.end
        where = f"{control.running.definition.name}, {start} -> {end}"
        try:
            permitted.keep()
            control.stop(result)
            if self.revive:
                self.files.back()
                self.previous.install(result, present=True, enabled=enabled)
                self.previous.start(result)
                permitted.wait_until_back(self.previous.crash_loop_problem)
        except ServiceError as error:
            fails = f"come back on {start}: {error}" if self.revive else f"stop: {error}"
            raise ServiceError(
                f"{end} failed: {failure}. And it does not {fails}",
                where=where,
                hint="No other node was stopped. Bring this one back before anything else is done",
            ) from failure
        left = f"runs {start} again, with its files" if self.revive else f"is stopped, with the files of {end}"
        raise ServiceError(
            f"{end} failed: {failure}", where=where, hint=f"It {left}. Fix the reason, then run it again"
        ) from failure


def _wait_for_nodes(control: Control) -> None:
    """A manager answers, whatever its nodes do: wait until they listen; ServiceError if they go on ending."""

    def observe() -> tuple[str, bool]:
        return control.crash_loop_problem(), control.running.nodes_listen()

    definition = control.running.definition
    waited = wait_until(observe, lambda seen: bool(seen[0]) or seen[1], timeout_s=definition.timeout_s)
    problem, _listen = waited.last
    if problem:
        raise ServiceError(problem, where=definition.name, hint="Read its log")


def _refuse_other_version(control: Control, wanted: str) -> None:
    """ServiceError if a node says that it is another version: an archive can have the name of another one."""
    for effective in filter(None, map(family.effective_of, control.running.node_pids())):
        answer = _answer_of(control, effective)
        said = answer.get("version", "")
        if said and not is_release(said, wanted):
            raise ServiceError(
                f"the node answers as {said}, so its software is another version's",
                where=answer["url"],
                hint=f"Set eventstore_version to {said.rpartition('.')[0]}, or give the archive of {wanted}",
            )


def _answer_of(control: Control, node: Effective) -> dict[str, t.Any]:
    """What a node with these options answers; empty if it does not in time, or goes on ending."""
    listeners = readiness.listeners(node)

    def observe() -> readiness.Readiness:
        return control.running.inspect_at(listeners, "database")

    def is_over(seen: readiness.Readiness) -> bool:
        return not seen.problem or bool(control.crash_loop_problem())

    return wait_until(observe, is_over, timeout_s=control.running.definition.timeout_s).last.answer


__all__ = ["Upgrade"]
