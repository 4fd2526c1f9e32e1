# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host of which every text that it is sent is expected, in order; what is left over at the end fails too."""

from __future__ import annotations

import base64
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
    return Step(script.run(*words), f"{out}\n\nES1:RC:{code}\n", again=again)


def said(text: str, answer: str, *, again: bool = False) -> Step:
    """Any other text."""
    return Step(text, f"ES1:{answer}\n", again=again)


def kind(path: str, answer: str) -> Step:
    return said(script.kind_of(path), answer)


def content(path: str, text: str | bytes | None) -> Step:
    """A file is read; None: there is none."""
    data = text.encode() if isinstance(text, str) else text
    answer = "ABSENT" if data is None else f"FILE:{base64.b64encode(data).decode()}"
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


def registry(service: str = "es", **values: str) -> Step:
    """The registry is asked for a service; values as ``Start="0x2"``."""
    kinds = {"ImagePath": "REG_EXPAND_SZ", "FailureActions": "REG_BINARY"}
    lines = [f"    {name}    {kinds.get(name, 'REG_DWORD')}    {value}" for name, value in values.items()]
    return ran(*services.query_settings(service), out="\n".join(lines))


class Scripted:
    """``with Scripted(step, …) as host:`` gives a ``Host``; stands where the action plugin does."""

    def __init__(self, *steps: Step, check_mode: bool = False, transport: str = "winrm") -> None:
        self._steps = list(steps)
        self._came = False
        self._connection = types.SimpleNamespace(transport=transport)
        self.host = Host(t.cast("t.Any", self), "win1", check_mode)

    def __enter__(self) -> Host:
        return self.host

    def __exit__(self, kind_: object, *_rest: object) -> None:
        if kind_ is None:
            left = [step.sent for step in self._steps if not (step.again and self._came and step is self._steps[0])]
            assert left == [], f"never came: {left}"

    def _low_level_execute_command(self, command: str, *, sudoable: bool) -> dict[str, t.Any]:
        assert sudoable is False
        step = self._next(command)
        return {"stdout": step.stdout, "stderr": "", "rc": step.rc}

    def _transfer_data(self, path: str, data: bytes) -> None:
        self._next(("put", path, data))

    def _transfer_file(self, source: str, path: str) -> None:
        self._next(("copied", source, path))

    def _next(self, sent: t.Any) -> Step:
        if len(self._steps) > 1 and self._steps[0].again and self._came and self._steps[0].sent != sent:
            self._steps.pop(0)
            self._came = False
        assert self._steps, f"nothing more was expected, but came: {sent}"
        step = self._steps[0]
        assert sent == step.sent
        self._came = step.again
        if not step.again:
            self._steps.pop(0)
        if step.error:
            raise AnsibleError(step.error)
        return step


__all__ = ["Scripted", "Step", "content", "copied", "kind", "put", "ran", "registry", "said", "state"]
