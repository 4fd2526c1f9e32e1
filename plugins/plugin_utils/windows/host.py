# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A Windows host behind a connection of Ansible: programs, files and directories, and nothing else.

The only place where a text is sent to one. Python is not needed there, and no other collection is needed here.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass, field

from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.wait import wait_until
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

FILE, DIRECTORY, ABSENT = "FILE", "DIRECTORY", "ABSENT"
_SHOWN = 2000
# How long what another program holds open is tried again. A scanner looks at a fresh program for some seconds.
HELD_S = 20.0


class Said(t.NamedTuple):
    """The answer of one part: its kind and its value. ``number``: of an error, as winerror.h counts them."""

    kind: str
    value: str
    number: int = 0


@dataclass(frozen=True)
class File:
    """``written``: in UTC and ISO 8601, so that the order of two is that of their texts."""

    content: bytes
    written: str


@dataclass
class Host:
    """``commands``: the command lines that changed something, or would have in check mode, as the host gets them."""

    action: ActionBase
    name: str
    check_mode: bool
    commands: list[str] = field(default_factory=list)
    # What parts that were asked together have printed, and between which times of the controller they were asked.
    _known: dict[str, str] = field(default_factory=dict)
    asked: tuple[float, float] = (0.0, 0.0)

    def require_plain_task(self) -> None:
        """HostError for keywords that would be ignored in silence."""
        if self.action._play_context.become:
            raise HostError(
                "become has no effect on a Windows host",
                where=self.name,
                hint="Nothing was changed. Connect as an administrator, and set ansible_become: false for this host",
            )
        if self.action._task.async_val:
            raise HostError(
                "async has no effect on a Windows host",
                where=self.name,
                hint="Nothing was changed. Run the task without async",
            )

    def prefetch(self, *parts: str) -> None:
        """Run at once what will be asked, or done, one by one: each start of PowerShell takes about a second.

        Each answer is given once, and whatever changes something later drops what is left.
        """
        for batch in script.scripts(list(dict.fromkeys(parts))):
            self._known.update(zip(batch, self._send(batch)))

    def knows(self, part: str) -> bool:
        """Whether it was asked already, and nothing has changed since."""
        return part in self._known

    # -- programs ------------------------------------------------------------------------------------------------------

    def run(self, program: str, *arguments: str) -> script.Ran:
        """Run a program that only looks."""
        return self._ran(self._print(script.run(program, *arguments)), program, *arguments)

    def change(self, program: str, *arguments: str) -> script.Ran | None:
        """Run a program that changes something; in check mode only note it, and return None."""
        rans = self.change_all([[program, *arguments]])
        return rans[0] if rans else None

    def change_all(self, commands: t.Sequence[t.Sequence[str]], then: t.Sequence[str] = ()) -> list[script.Ran]:
        """Run programs one after the other and, in the same start, ask what will be asked next; nothing in check mode.

        Whether each has done its work has to be asked: the next one is run in any case.
        """
        self.commands += [command_line(*command) for command in commands]
        parts = [script.run(*command) for command in commands]
        for part in parts:
            script.encoded(script.together([part]))  # refused now if it would be later
        if self.check_mode:
            return []
        self._known.clear()
        given = [*parts, *then]
        printed = [text for batch in script.scripts(given) for text in self._send(batch)]
        self._known.update(zip(then, printed[len(parts) :]))
        return [self._ran(text, *command) for text, command in zip(printed, commands)]

    def _ran(self, printed: str, program: str, *arguments: str) -> script.Ran:
        found = script.ran(printed)
        if found is not None:
            return found
        said = _said(printed)
        if said is None or said.kind != "ERROR":
            raise self._unanswered(command_line(program, *arguments), printed)
        raise HostError(
            f"{program} does not exist, or may not be run: {said.value}",
            where=self.name,
            hint="Check its path, and that the host is a Windows host",
        )

    # -- files and directories -----------------------------------------------------------------------------------------

    def ask(self, part: str, *, expected: str, where: str) -> str:
        """The value of the answer ``expected``; HostError for every other one."""
        said = self.answer(part, where=where)
        if said.kind != expected:
            raise HostError(f"expected the answer {expected}, got {said.kind}", where=f"{self.name}, {where}")
        return said.value

    def do(self, part: str, *, where: str) -> None:
        """Change something; what another program holds is tried again for some time."""

        def attempt() -> Said:
            if part not in self._known:  # else it was run together with what came before it
                self._known.clear()
            return self.say(part, where=where)

        said = wait_until(attempt, lambda said: said.number not in script.BUSY, timeout_s=HELD_S).last
        if said.kind == "ERROR":
            raise self._error(said, where)
        if said.kind != "OK":
            raise HostError(f"expected the answer OK, got {said.kind}", where=f"{self.name}, {where}")

    def kind_of(self, path: str) -> str:
        """FILE, DIRECTORY or ABSENT."""
        return self.answer(script.kind_of(script.check_path(path, where="path")), where=path).kind

    def look(self, path: str) -> File | None:
        """A file, None if there is none."""
        said = self.answer(script.read_file(script.check_path(path, where="path")), where=path)
        if said.kind == DIRECTORY:
            raise HostError("expected a file, found a directory", where=path, hint="Set the path of a file")
        if said.kind != FILE:
            return None
        written, content = script.file(said.value)
        return File(content, written)

    def read(self, path: str) -> bytes | None:
        """The content of a file, None if there is none."""
        found = self.look(path)
        return found.content if found else None

    def send(self, source: str, path: str) -> None:
        """Copy a file of the controller to the host."""
        self._known.clear()
        try:
            self.action._transfer_file(source, script.check_path(path, where="path"))
        except AnsibleError as error:
            self.forget(path)
            raise HostError(f"cannot be written: {error}", where=path) from error

    def put(self, path: str, content: bytes) -> None:
        """Write a file that no one reads yet."""
        self._known.clear()
        self.action._transfer_data(script.check_path(path, where="path"), content)

    def make_directories(self, *paths: str) -> None:
        for path in paths:
            script.check_path(path, where="path")
        self.do(script.make_directories(*paths), where=", ".join(paths))

    def move(self, path: str, destination: str) -> None:
        """Move a directory to where nothing is."""
        self.do(script.move(path, script.check_path(destination, where="path")), where=destination)

    def remove(self, *paths: str) -> None:
        """Remove what is there, directories with all that is in them."""
        for path in paths:
            script.check_path(path, where="path")
        self.do(script.remove(*paths), where=", ".join(paths))

    def forget(self, *paths: str) -> None:
        """Remove what a failure has left, if that is possible at once; the failure is what counts."""
        with contextlib.suppress(AnsibleError, HostError):
            self._known.clear()
            self.say(script.remove(*paths), where="what is left")

    # -- the wire ------------------------------------------------------------------------------------------------------

    def answer(self, part: str, *, where: str) -> Said:
        """The answer of a part, whatever it is but an error."""
        said = self.say(part, where=where)
        if said.kind == "ERROR":
            raise self._error(said, where)
        return said

    def say(self, part: str, *, where: str) -> Said:
        """The answer of a part, an error as well."""
        printed = self._print(part)
        said = _said(printed)
        if said is None:
            raise self._unanswered(where, printed)
        return said

    def _print(self, part: str) -> str:
        return self._known.pop(part, None) or self._send([part])[0]

    def _error(self, said: Said, where: str) -> HostError:
        hint = "Check that the account of the connection is permitted to do that."
        if said.number in script.BUSY:
            hint = (
                f"{hint} Check also that no other program, such as a virus scanner, holds it. It was tried for "
                f"{HELD_S:g} s"
            )
        return HostError(said.value, where=f"{self.name}, {where}", hint=hint)

    def _send(self, parts: t.Sequence[str]) -> list[str]:
        """Run the parts in one start of PowerShell; what each printed."""
        # winrm encodes a plain text on every version of Ansible, and some encode an encoded one again; the others
        # need it encoded, as psrp else adds an exit and ssh hands it to whatever shell the server has.
        text = script.together(parts)
        encoded = script.encoded(text)
        command = text if self.action._connection.transport.rpartition(".")[2] == "winrm" else encoded
        before = time.time()
        answer: dict[str, t.Any] = self.action._low_level_execute_command(command, sudoable=False)
        self.asked = (before, time.time())
        printed = script.outputs(answer["stdout"], len(parts))
        if printed is None:
            raise self._unanswered(parts[0].splitlines()[0], _shown(answer))
        return printed

    def _unanswered(self, what: str, printed: str) -> HostError:
        return HostError(
            f"the host did not finish the script: {printed or 'no output'}",
            where=f"{self.name}, {what}",
            hint="It is not known whether anything was changed: check the host. PowerShell 5.1 without Constrained "
            "Language Mode is required",
        )


def command_line(program: str, *arguments: str) -> str:
    """A command as an operator would type it on the host."""
    return " ".join(
        f'"{word}"' if not word or any(char.isspace() for char in word) else word for word in (program, *arguments)
    )


def _said(printed: str) -> Said | None:
    found = script.answer(printed)
    if found is None or found[0] != "ERROR":
        return Said(*found) if found else None
    number, words = script.number(found[1])
    return Said("ERROR", words, number)


def _shown(answer: dict[str, t.Any]) -> str:
    texts = [
        f"{name} {answer[name].strip()[:_SHOWN]!r}" for name in ("stdout", "stderr") if answer.get(name, "").strip()
    ]
    return ", ".join([f"exit code {answer['rc']}", *(texts or ["no output"])])


__all__ = ["ABSENT", "DIRECTORY", "FILE", "File", "Host", "Said", "command_line"]
