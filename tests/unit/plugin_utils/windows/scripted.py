# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host of which every text that it is sent is expected, in order; what is left over at the end fails too."""

from __future__ import annotations

import base64
import itertools
import pathlib
import types
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script, services
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class Step(t.NamedTuple):
    """``sent`` has to come next, and gets the answer; ``again``: it may come any number of times, and once at least."""

    sent: t.Any
    stdout: str = ""
    rc: int = 0
    again: bool = False
    error: str = ""


def ran(*words: str, out: str = "", code: int = 0, again: bool = False) -> Step:
    """A program."""
    return Step(script.run(*words), f"{out}\n\nES1:RC:{code}", again=again)


def gone(*words: str) -> Step:
    """A program that is not there, or may not be run."""
    return Step(script.run(*words), "ES1:ERROR:-2146233087|The term is not recognized.")


def said(text: str, answer: str, *, again: bool = False) -> Step:
    """Any other part."""
    return Step(text, f"ES1:{answer}", again=again)


def again(steps: t.Iterable[Step]) -> list[Step]:
    """The steps come any number of times, in any order."""
    return [step._replace(again=True) for step in steps]


def done(*texts: str) -> list[Step]:
    """Parts that change something, and do it."""
    return [said(text, "OK") for text in texts]


def refused(text: str, number: int, words: str = "denied", *, again: bool = False) -> Step:
    """Windows says no, with a number of winerror.h."""
    return said(text, f"ERROR:{(0x80070000 | number) - 2**32}|{words}", again=again)


def kind(path: str, answer: str) -> Step:
    return said(script.kind_of(path), answer)


def content(path: str, text: str | bytes | None, written: str = "2026-11-23T08:00:00") -> Step:
    """A file is read; None: there is none."""
    data = text.encode() if isinstance(text, str) else text
    answer = "ABSENT" if data is None else f"FILE:{written}|{base64.b64encode(data).decode()}"
    return said(script.read_file(path), answer)


def put(path: str, data: bytes, *, error: str = "") -> Step:
    """Data are transferred to a file."""
    return Step(("put", path, data), error=error)


def copied(source: pathlib.Path, path: str, *, error: str = "") -> Step:
    """A file of the controller is transferred."""
    return Step(("copied", str(source), path), error=error)


def state(name: str | None, *, again: bool = False, service: str = "es") -> Step:
    """The service control manager is asked; None: it knows no such service."""
    number = next((number for number, each in services.STATES.items() if each == name), 0)
    out, code = ("", 1060) if name is None else (f"        STATE : {number}  {name}", 0)
    return ran(*services.query(service), out=out, code=code, again=again)


def process(pid: int, service: str = "es") -> Step:
    """Which process a service has; 0: it has none, and PowerShell says so in its way."""
    answer = f"PROCESS:{pid} 2026-11-23T08:51:30" if pid else "ERROR:-2146233079|No process."
    return said(script.process_of(service), answer)


def registry(service: str = "es", **values: str) -> Step:
    """The registry is asked for a service; values as ``Start="0x2"``."""
    kinds = {"ImagePath": "REG_EXPAND_SZ", "FailureActions": "REG_BINARY"}
    lines = [f"    {name}    {kinds.get(name, 'REG_DWORD')}    {value}" for name, value in values.items()]
    return ran(*services.query_settings(service), out="\n".join(lines))


def parts_of(text: str) -> list[str]:
    """The parts of a script, as they were put together."""
    parts = [part.removesuffix(" }") for part in text.split("\nEsPart { ")[1:]]
    assert script.together(parts) == text
    return parts


class Scripted:
    """``with Scripted(step, …) as host:`` gives a ``Host``; stands where the action plugin does.

    The parts come one by one, in the order of the code: what is asked ahead changes nothing but the time it takes, and
    has tests of its own (``ahead``).
    """

    def __init__(self, *steps: Step, check_mode: bool = False, transport: str = "winrm", ahead: bool = False) -> None:
        self._steps = list(steps)
        self._came: set[str] = set()
        self.starts = 0
        self._connection = types.SimpleNamespace(transport=transport)
        self.host = Host(t.cast("t.Any", self), "win1", check_mode)
        if not ahead:
            self.host.prefetch = lambda *_parts: None  # type: ignore[method-assign]
            self.host.change_all = self._one_by_one  # type: ignore[method-assign]

    def _one_by_one(self, commands: t.Sequence[t.Sequence[str]], then: t.Sequence[str] = ()) -> list[script.Ran]:
        del then
        return [ran for command in commands for ran in Host.change_all(self.host, [command])]

    def __enter__(self) -> Host:
        return self.host

    def __exit__(self, kind_: object, *_rest: object) -> None:
        if kind_ is None:
            left = [step.sent for step in self._steps if not (step.again and step.sent in self._came)]
            assert left == [], f"never came: {left}"

    def _low_level_execute_command(self, command: str, *, sudoable: bool) -> dict[str, t.Any]:
        """Each part of the script has to be the next step's; a step of whole text is a script's."""
        assert sudoable is False
        self.starts += 1
        if self._steps and self._steps[0].sent == command:
            step = self._next(command)
            return {"stdout": step.stdout, "stderr": "", "rc": step.rc}
        printed = [base64.b64encode(self._next(part).stdout.encode()).decode() for part in parts_of(command)]
        return {"stdout": "".join(f"ES1:{line}\r\n" for line in printed), "stderr": "", "rc": 0}

    def _transfer_data(self, path: str, data: bytes) -> None:
        self._next(("put", path, data))

    def _transfer_file(self, source: str, path: str) -> None:
        self._next(("copied", source, path))

    def _next(self, sent: t.Any) -> Step:
        again = list(itertools.takewhile(lambda step: step.again, self._steps))
        found = next((step for step in again if step.sent == sent), None)
        if found:
            self._came.add(found.sent)
            return found
        if all(step.sent in self._came for step in again):
            del self._steps[: len(again)]
        assert self._steps, f"nothing more was expected, got: {sent}"
        step = self._steps.pop(0)
        assert sent == step.sent
        if step.error:
            raise AnsibleError(step.error)
        return step


__all__ = [
    *(
        "Scripted",
        "Step",
        "again",
        "content",
        "copied",
        "done",
        "gone",
        "kind",
        "process",
        "put",
        "ran",
        "refused",
        "registry",
        "said",
    ),
    "state",
]
