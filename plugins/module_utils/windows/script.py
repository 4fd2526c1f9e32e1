# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to a Windows host, and what comes back: short PowerShell texts that carry native commands and files.

Every value is a single-quoted literal, every program is called with ``&`` and one literal for each argument, and the
text is never a line of a shell. An answer counts only in lines that begin with ``ES1:``; no message is ever understood.
Values that Windows PowerShell 5.1 would not hand over as they are, and values that nobody means, are refused.
"""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
import unicodedata

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.topology.paths import path_problem

# cmd.exe, which winrm puts between, takes lines of at most 8,191 characters.
LONGEST_ENCODED = 8000
POWERSHELL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand"
# The exit code that cmd.exe has for a program that is not there.
NOT_FOUND = 9009
MARK = "ES1:"

# PowerShell takes each of these for a single quote.
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
# 5.1 does not escape them for programs.
_DOUBLE_QUOTES = '"\u201c\u201d\u201e'
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_CATCH = "catch { 'ES1:ERROR:' + $_.Exception.Message; exit 1 }"


class Ran(t.NamedTuple):
    """A program's exit code, as the host printed it, and what it printed."""

    code: int
    output: str


# -- values ------------------------------------------------------------------------------------------------------------


def check_text(text: str, *, where: str) -> str:
    """The text, if it reaches a program on the host unchanged; HostError says why it would not."""
    problem = ""
    wrong = next((char for char in text if unicodedata.category(char) in _INVISIBLE), None)
    if not text:
        problem = "is empty"
    elif wrong is not None:
        problem = f"is {text!r}, with the invisible character U+{ord(wrong):04X}"
    elif any(char in _DOUBLE_QUOTES for char in text):
        problem = f"is {text!r}, with a double quote, which Windows PowerShell does not hand over to programs"
    elif any(char in _SINGLE_QUOTES[1:] for char in text):
        problem = f"is {text!r}, with a typographic quote"
    elif text != text.strip():
        problem = f"is {text!r}, with white space at an end"
    elif text.endswith("\\") and re.search(r"\s", text):
        problem = (
            f"is {text!r}, white space and a '\\' at the end, which Windows PowerShell turns into an escaped quote"
        )
    if problem:
        raise HostError(problem, where=where, hint="Nothing was done. Write it without that")
    return text


def check_path(path: str, *, where: str) -> str:
    """An absolute path below a drive; HostError for all else."""
    check_text(path, where=where)
    problem = path_problem(path, windows=True)
    if problem:
        raise HostError(problem, where=where, hint=r"Nothing was done. Write a path such as c:\EventStore-Config")
    return path


def check_service_name(name: str, *, where: str = "name") -> str:
    """A name that no program takes for an option or a path."""
    if not _SERVICE_NAME.fullmatch(name):
        raise HostError(
            f"is {name!r}, and not 1 to 80 letters, digits, '.', '_' and '-', the first one a letter or a digit",
            where=where,
            hint="Nothing was done. Rename the service",
        )
    return name


def literal(text: str) -> str:
    """A value as PowerShell reads it back without a change."""
    return "'" + "".join(char * 2 if char in _SINGLE_QUOTES else char for char in text) + "'"


# -- scripts -----------------------------------------------------------------------------------------------------------


def run(program: str, *arguments: str) -> str:
    """Run a program; ``ran`` reads the answer. The code is printed because ssh keeps only 8 bits of it."""
    words = " ".join(literal(check_text(word, where=f"{program}, argument")) for word in (program, *arguments))
    return f"$global:LASTEXITCODE = {NOT_FOUND}\n& {words}\n''\n'ES1:RC:' + $global:LASTEXITCODE"


def read_file(path: str) -> str:
    """``FILE`` with the content in base64, ``DIRECTORY`` or ``ABSENT``."""
    where = literal(path)
    content = f"'ES1:FILE:' + [System.Convert]::ToBase64String([System.IO.File]::ReadAllBytes({where}))"
    return _kind(where, content)


def kind_of(path: str) -> str:
    """``FILE``, ``DIRECTORY`` or ``ABSENT``."""
    return _kind(literal(path), "'ES1:FILE'")


def move(path: str, destination: str) -> str:
    return _do(f"Move-Item -LiteralPath {literal(path)} -Destination {literal(destination)} -Force -ErrorAction Stop")


def copy(path: str, destination: str) -> str:
    return _do(f"Copy-Item -LiteralPath {literal(path)} -Destination {literal(destination)} -ErrorAction Stop")


def remove(path: str) -> str:
    """Remove a file, or a directory with all that is in it."""
    return _do(f"Remove-Item -LiteralPath {literal(path)} -Recurse -Force -ErrorAction Stop")


def make_directory(path: str) -> str:
    return _do(f"$null = [System.IO.Directory]::CreateDirectory({literal(path)})")


def unpack(archive: str, directory: str) -> str:
    """Unpack a zip, without the mark that Windows gives to files from elsewhere, to a directory that is made."""
    return _do(
        f"Unblock-File -LiteralPath {literal(archive)} -ErrorAction Stop; "
        "Add-Type -AssemblyName 'System.IO.Compression.FileSystem' -ErrorAction Stop; "
        f"[System.IO.Compression.ZipFile]::ExtractToDirectory({literal(archive)}, {literal(directory)})"
    )


def directories(path: str) -> str:
    """``DIRECTORIES`` in a directory, their paths."""
    return _ask("DIRECTORIES", _texts(f"[System.IO.Directory]::GetDirectories({literal(path)})"))


def programs() -> str:
    """``PROGRAMS`` of all processes that the session may look at, and of all services, running or not."""
    return _ask("PROGRAMS", f"{_all('Win32_Process', 'ExecutablePath')} + ',' + {_all('Win32_Service', 'PathName')}")


def checksum(path: str) -> str:
    """``HASH`` with the SHA-256 of a file, in hexadecimal digits."""
    return _ask("HASH", f"(Get-FileHash -LiteralPath {literal(path)} -Algorithm 'SHA256' -ErrorAction Stop).Hash")


def permissions(path: str) -> str:
    """``SDDL`` with owner and permissions of a file or a directory."""
    return _ask("SDDL", f"(Get-Acl -LiteralPath {literal(path)} -ErrorAction Stop).Sddl")


def sid_of(account: str) -> str:
    """``SID`` of an account that the host or its domain knows."""
    name = literal(check_text(account, where="user"))
    kind = "[System.Security.Principal.SecurityIdentifier]"
    return _ask("SID", f"(New-Object System.Security.Principal.NTAccount({name})).Translate({kind}).Value")


def addresses_of(name: str) -> str:
    """``ADDRESSES`` of a DNS name as the host resolves it, with blanks between."""
    return _ask("ADDRESSES", f"([System.Net.Dns]::GetHostAddresses({literal(name)}) -join ' ')")


def free_bytes(drive: str) -> str:
    """``FREE`` with the bytes that are left on a drive, such as ``d``."""
    return _ask("FREE", f"(New-Object System.IO.DriveInfo({literal(drive)})).AvailableFreeSpace")


def time() -> str:
    """``TIME`` in UTC, as ``2026-11-23T08:51:30``."""
    return _ask("TIME", "[System.DateTime]::UtcNow.ToString('s')")


def written_at(path: str) -> str:
    """``TIME`` in UTC at which a file was last written."""
    return _ask("TIME", f"[System.IO.File]::GetLastWriteTimeUtc({literal(path)}).ToString('s')")


def started_at(pid: int) -> str:
    """``TIME`` in UTC at which a process was started."""
    return _ask("TIME", f"(Get-Process -Id {int(pid)} -ErrorAction Stop).StartTime.ToUniversalTime().ToString('s')")


def _do(statements: str) -> str:
    return f"try {{ {statements}; 'ES1:OK' }} {_CATCH}"


def _ask(kind: str, expression: str) -> str:
    return f"try {{ 'ES1:{kind}:' + {expression} }} {_CATCH}"


def _all(kind: str, member: str) -> str:
    return _texts(f"(Get-CimInstance -ClassName '{kind}' -ErrorAction Stop).{member}")


def _texts(expression: str) -> str:
    """Texts as ``texts`` reads them: no path has a ``|``, and base64 passes every code page."""
    joined = f"({expression} -join '|')"
    return f"[System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes({joined}))"


def _kind(path: str, file: str) -> str:
    return (
        f"try {{ if ([System.IO.File]::Exists({path})) {{ {file} }} "
        f"elseif ([System.IO.Directory]::Exists({path})) {{ 'ES1:DIRECTORY' }} else {{ 'ES1:ABSENT' }} }} {_CATCH}"
    )


def encoded(script: str) -> str:
    """A command line that runs the script in whatever shell; HostError if no host would take it."""
    try:
        text = base64.b64encode(script.encode("utf-16-le")).decode()
    except UnicodeEncodeError:
        raise HostError("a text has half a surrogate pair", hint="Nothing was done. Write it without that") from None
    if len(text) > LONGEST_ENCODED:
        raise HostError(
            f"the command would have {len(text)} characters, and Windows takes {LONGEST_ENCODED}",
            hint="Nothing was done. Use shorter paths and values",
        )
    return f"{POWERSHELL} {text}"


# -- answers -----------------------------------------------------------------------------------------------------------


def ran(stdout: str) -> Ran | None:
    """What ``run`` gave; None if the host did not come to its end."""
    lines = stdout.splitlines()
    for number in range(len(lines) - 1, -1, -1):
        code = re.fullmatch(r"ES1:RC:(-?[0-9]{1,10})\s*", lines[number])
        if code:
            return Ran(int(code[1]), "\n".join(line.rstrip() for line in lines[:number]).strip("\n"))
    return None


def answer(stdout: str) -> tuple[str, str] | None:
    """The one answer of any other script, its kind and its value; None if there is none, or not exactly one."""
    marked = [line[len(MARK) :].rstrip() for line in stdout.splitlines() if line.startswith(MARK)]
    if len(marked) != 1:
        return None
    kind, _colon, value = marked[0].partition(":")
    return kind, value


def content(value: str) -> bytes:
    """The content of a file that ``read_file`` gave; HostError if it did not come whole."""
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise HostError(f"the content of a file came damaged: {error}") from None


def texts(value: str) -> list[str]:
    """The texts of an answer that has several."""
    read = [content(part).decode("utf-8", "replace") for part in value.split(",")]
    return [text for part in read for text in part.split("|") if text]


__all__ = [
    "LONGEST_ENCODED",
    "NOT_FOUND",
    "Ran",
    "addresses_of",
    "answer",
    "check_path",
    "check_service_name",
    "check_text",
    "checksum",
    "content",
    "copy",
    "directories",
    "encoded",
    "free_bytes",
    "kind_of",
    "literal",
    "make_directory",
    "move",
    "permissions",
    "programs",
    "ran",
    "read_file",
    "remove",
    "run",
    "sid_of",
    "started_at",
    "texts",
    "time",
    "unpack",
    "written_at",
]
