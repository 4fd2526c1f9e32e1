# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text is run by: powershell.exe under cmd.exe (winrm, ssh), sshd's default shell, or a runspace (psrp)."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from xml.sax.saxutils import escape

from tests.doubles.windows import bootstrap, powershell
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused
from tests.doubles.windows.powershell import Ran

POWERSHELL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand"
ENCODED = re.compile(rf"{POWERSHELL} ([A-Za-z0-9+/=]+)", re.IGNORECASE)
# What ansible-core before 2.18 puts before it on ssh.
CHCP = re.compile(r"chcp\.com 65001 (?:> \$null ; |>nul 2>&1 && )(.*)", re.IGNORECASE | re.DOTALL)
NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"


class Ended(t.NamedTuple):
    """As a process ends: its code, as Windows has it, and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


def command_line(machine: Machine, line: str, stdin: bytes = b"") -> Ended:
    """What cmd.exe makes of a line; only PowerShell with an encoded text is known."""
    if len(line) > machine.setting("longest_line"):
        return Ended(1, b"", b"The command line is too long.\r\n")
    match = ENCODED.fullmatch(line.strip())
    if not match:
        return _refuse(machine, f"a line for cmd.exe: {line!r}", line)
    try:
        text = base64.b64decode(match[1], validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return _refuse(machine, "an encoded text that is none", line)
    inner = ENCODED.fullmatch(text.strip())
    if inner:  # ansible-core before 2.19 encodes again
        return command_line(machine, text, stdin)
    return _ended(evaluate(machine, text, _lines(stdin)))


def default_shell(machine: Machine, line: str) -> Ended:
    """What sshd runs: PowerShell or cmd.exe, whichever; both start a program with plain words in the same way."""
    match = CHCP.fullmatch(line)
    if match:
        return command_line(machine, match[1])
    ended = command_line(machine, line)
    # No one has set a code page, so the console has the machine's own.
    return ended._replace(stdout=ended.stdout.decode().encode(machine.setting("code_page"), "replace"))


def evaluate(machine: Machine, text: str, stdin: t.Iterable[str] = (), arguments: t.Sequence[str] = ()) -> Ran:
    """Run a text in a runspace; what is not understood is noted, and fails whatever the text would catch."""
    try:
        own = bootstrap.find(text, arguments)
        machine.note("started", {"text": "one of Ansible's own" if own else text})
        if own:
            with machine.lock:
                return own(machine, stdin)
        if arguments:
            raise NotUnderstood(f"a script with arguments: {arguments}")
        return powershell.run(machine, text)
    except NotUnderstood as error:
        machine.note("refused", {"why": str(error), "text": text})
        return Ran(errors=[f"tests.doubles.windows does not understand {error}"], exit_code=1, succeeded=False)
    except (Refused, ValueError, KeyError) as error:
        machine.note("refused", {"why": repr(error), "text": text})
        return Ran(errors=[f"tests.doubles.windows failed: {error!r}"], exit_code=1, succeeded=False)


def clixml(errors: list[str]) -> bytes:
    """As powershell.exe writes errors where no one reads a console."""
    lines = "".join(f'<S S="Error">{escape(line)}_x000D__x000A_</S>' for line in errors)
    return f'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">{lines}</Objs>'.encode()


def _ended(ran: Ran) -> Ended:
    stdout = "".join(f"{line}\r\n" for line in ran.output).encode()
    return Ended(ran.code, stdout, clixml(ran.errors) if ran.errors else b"")


def _refuse(machine: Machine, why: str, text: str) -> Ended:
    machine.note("refused", {"why": why, "text": text})
    return Ended(1, b"", f"tests.doubles.windows does not understand {why}\r\n".encode())


def _lines(stdin: bytes) -> list[str]:
    # str.splitlines would also split at characters that may stand in a JSON text.
    return [line.rstrip("\r") for line in stdin.decode("utf-8").split("\n")] if stdin else []


__all__ = ["Ended", "command_line", "default_shell", "evaluate"]
