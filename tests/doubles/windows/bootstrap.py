# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own scripts that put a file, known by their bytes, which have to be those of the installed ansible-core.

They are Ansible's, run on Windows by its users every day; here their effect is done without reading them. From 2.19 on
one wrapper is sent, and what it is to run comes with the input; before, each connection had its own text.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import pkgutil
import re
import typing as t

from tests.doubles.windows.machine import Machine, NotUnderstood, Refused
from tests.doubles.windows.powershell import Ran, verbatim

END = "\0\0\0\0"
PUT = ("winrm_put_file.ps1", "psrp_put_file.ps1")


def find(text: str, arguments: t.Sequence[str]) -> t.Callable[[Machine, t.Iterable[str]], Ran] | None:
    """What to do with the lines of the input, if the text is one of Ansible's; None for every other text."""
    lines = _lines(text)
    wrapper = _own("bootstrap_wrapper.ps1")
    if wrapper and not arguments and lines == _lines(wrapper):
        return _run
    for plugin, variable in (("winrm", "script_template"), ("psrp", "copy_script")):
        template = _text_in_plugin(plugin, variable)
        if template and plugin == "psrp" and len(arguments) == 1 and lines == _lines(template):
            return lambda machine, given: put(machine, arguments[0], given)
        if template and plugin == "winrm" and not arguments:
            before, _hole, after = "\n".join(_lines(template)).replace("{{", "{").replace("}}", "}").partition("{0}")
            sent = "\n".join(lines)
            if sent.startswith(before) and sent.endswith(after):
                path = verbatim(f"'{sent[len(before) : -len(after)]}'")
                return lambda machine, given: put(machine, path, given)
    return None


def _run(machine: Machine, lines: t.Iterable[str]) -> Ran:
    """Do what the wrapper would do with the lines of its input."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == END and len(parts) < 3:
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) != 3:
        raise NotUnderstood("the bootstrap wrapper with less input than a script, its arguments and a file")
    first, manifest = json.loads("".join(parts[0])), json.loads("".join(parts[1]))
    if first["name"] != "exec_wrapper" or first["script"] != _own("exec_wrapper.ps1"):
        raise NotUnderstood(f"the bootstrap wrapper with the script {first['name']!r}")
    (action,) = manifest["actions"]
    name = action["name"]
    sent = base64.b64decode(manifest["scripts"][name]["script"]).decode()
    if name not in PUT or set(action["params"]) != {"Path"} or sent != _own(name):
        raise NotUnderstood(f"Ansible's script {name!r} with {sorted(action['params'])}")
    return put(machine, action["params"]["Path"], parts[2])


def put(machine: Machine, path: str, lines: t.Iterable[str]) -> Ran:
    """Write the file whose content comes in lines of base64; the answer is its SHA-1, as Ansible wants it."""
    try:
        content = b"".join(base64.b64decode(line, validate=True) for line in lines if line)
        machine.put(path, content)
    except (Refused, binascii.Error) as error:
        return Ran(errors=[str(error)], exit_code=1, succeeded=False)
    machine.note("ran", {"program": "put_file", "arguments": [path], "code": 0})
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return Ran(output=[json.dumps({"sha1": sha1})])


@functools.cache
def _text_in_plugin(plugin: str, variable: str) -> str | None:
    """The text that the connection's put_file keeps in a variable.

    Found without ``ast``: this runs in many threads, and until 3.11.5 two that parse at once can fail ("AST constructor
    recursion depth mismatch", python/cpython issue 106905); a lock here would not keep others from parsing.
    """
    source = (pkgutil.get_data("ansible.plugins.connection", f"{plugin}.py") or b"").decode()
    found = re.search(rf"^\s+{variable} = u?(['\"]{{3}})(.*?)\1", source, re.DOTALL | re.MULTILINE)
    if found and "\\" in found[2]:
        raise NotUnderstood(f"{variable} of Ansible's {plugin}.py, which has escapes")
    return found[2] if found else None


def _own(name: str) -> str | None:
    try:
        data = pkgutil.get_data("ansible.executor.powershell", name)
    except FileNotFoundError:
        return None
    return data.decode() if data else None


def _lines(text: str) -> list[str]:
    """As the shell plugin sends a script: no indentation, no empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


__all__ = ["find", "put"]
