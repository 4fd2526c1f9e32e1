# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host behind a connection of Ansible: programs, files and directories, and nothing else.

The only place where a text is sent to one. Python is not needed there, and no other collection is needed here.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

FILE, DIRECTORY, ABSENT = "FILE", "DIRECTORY", "ABSENT"
_SHOWN = 2000


@dataclass
class Host:
    """``commands``: the command lines that changed something, or would have in check mode, as the host gets them."""

    action: ActionBase
    name: str
    check_mode: bool
    commands: list[str] = field(default_factory=list)

    def require_plain_task(self) -> None:
        """HostError for keywords that would be ignored in silence."""
        if self.action._play_context.become:
            raise HostError(
                "become has no effect on what is sent to a Windows host",
                where=self.name,
                hint="Nothing was done. Connect as an administrator, and set ansible_become: false for this host",
            )
        if self.action._task.async_val:
            raise HostError(
                "async has no effect on a Windows host", where=self.name, hint="Nothing was done. Run it without async"
            )

    # -- programs ------------------------------------------------------------------------------------------------------

    def run(self, program: str, *arguments: str) -> script.Ran:
        """Run a program that only looks."""
        command = command_line(program, *arguments)
        answer = self._send(script.run(program, *arguments))
        ran = script.ran(answer["stdout"])
        if ran is None:
            raise self._unanswered(command, answer)
        if ran.code == script.NOT_FOUND:
            raise HostError(
                f"{program} is not there, or may not be run ({_shown(answer)})",
                where=self.name,
                hint="Is its path right, and is the host a Windows?",
            )
        return ran

    def change(self, program: str, *arguments: str) -> script.Ran | None:
        """Run a program that changes something; in check mode only note it, and return None."""
        self.commands.append(command_line(program, *arguments))
        script.encoded(script.run(program, *arguments))  # refused now if it would be later
        return None if self.check_mode else self.run(program, *arguments)

    # -- files and directories -----------------------------------------------------------------------------------------

    def ask(self, text: str, *, expected: str, where: str) -> str:
        """The value of the answer ``expected``; HostError for every other one."""
        kind, value = self._answer(text, where=where)
        if kind != expected:
            raise HostError(f"expected the answer {expected}, but came {kind}", where=f"{self.name}, {where}")
        return value

    def kind_of(self, path: str) -> str:
        """FILE, DIRECTORY or ABSENT."""
        return self._answer(script.kind_of(script.check_path(path, where="path")), where=path)[0]

    def read(self, path: str) -> bytes | None:
        """The content of a file, None if there is none."""
        kind, value = self._answer(script.read_file(script.check_path(path, where="path")), where=path)
        if kind == DIRECTORY:
            raise HostError("expected a file, found a directory", where=path, hint="Give the path of a file")
        return script.content(value) if kind == FILE else None

    def write(self, path: str, content: bytes, *, backup: bool = False) -> str | None:
        """Replace a file in one step; the path of the backup, if one was made."""
        kept = f"{path}.{datetime.datetime.now():%Y%m%d-%H%M%S}~" if backup and self.kind_of(path) == FILE else None
        if kept:
            self.ask(script.copy(path, script.check_path(kept, where="backup")), expected="OK", where=path)
        fresh = script.check_path(f"{path}.es-new", where="path")
        try:
            self.action._transfer_data(fresh, content)
            self.ask(script.move(fresh, path), expected="OK", where=path)
        except (AnsibleError, HostError) as error:
            self._forget(fresh)
            raise HostError(f"cannot be written: {error}", where=path, hint="It is as it was") from error
        return kept

    def send(self, source: str, path: str) -> None:
        """Copy a file of the controller to the host."""
        try:
            self.action._transfer_file(source, script.check_path(path, where="path"))
        except AnsibleError as error:
            self._forget(path)
            raise HostError(f"cannot be written: {error}", where=path) from error

    def make_directory(self, path: str) -> None:
        self.ask(script.make_directory(script.check_path(path, where="path")), expected="OK", where=path)

    def move(self, path: str, destination: str) -> None:
        self.ask(script.move(path, script.check_path(destination, where="path")), expected="OK", where=destination)

    def remove(self, path: str) -> None:
        self.ask(script.remove(script.check_path(path, where="path")), expected="OK", where=path)

    def _forget(self, path: str) -> None:
        """Remove what a failure has left, if it is there; the failure is what counts."""
        try:
            if self.kind_of(path) == FILE:
                self.remove(path)
        except (AnsibleError, HostError):
            return

    # -- the wire ------------------------------------------------------------------------------------------------------

    def _answer(self, text: str, *, where: str) -> tuple[str, str]:
        answer = self._send(text)
        found = script.answer(answer["stdout"])
        if found is None:
            raise self._unanswered(where, answer)
        if found[0] == "ERROR":
            raise HostError(found[1], where=f"{self.name}, {where}", hint="May the account of the connection do that?")
        return found

    def _send(self, text: str) -> dict[str, t.Any]:
        # winrm encodes a plain text on every version of Ansible, and some encode an encoded one again; the others
        # need it encoded, as psrp else adds an exit and ssh hands it to whatever shell the server has.
        encoded = script.encoded(text)
        command = text if self.action._connection.transport.rpartition(".")[2] == "winrm" else encoded
        answer: dict[str, t.Any] = self.action._low_level_execute_command(command, sudoable=False)
        return answer

    def _unanswered(self, what: str, answer: dict[str, t.Any]) -> HostError:
        return HostError(
            f"the host did not come to the end of it: exit code {answer['rc']}, {_shown(answer)}",
            where=f"{self.name}, {what}",
            hint="What was changed until then is not known: look there. PowerShell 5.1 without Constrained Language "
            "Mode is needed",
        )


def command_line(program: str, *arguments: str) -> str:
    """A command as an operator would type it on the host."""
    return " ".join(
        f'"{word}"' if not word or any(char.isspace() for char in word) else word for word in (program, *arguments)
    )


def _shown(answer: dict[str, t.Any]) -> str:
    texts = [
        f"{name} {answer[name].strip()[:_SHOWN]!r}" for name in ("stdout", "stderr") if answer.get(name, "").strip()
    ]
    return ", ".join(texts) or "no output"


__all__ = ["ABSENT", "DIRECTORY", "FILE", "Host", "command_line"]
