# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What is sent to a Windows host, and what comes back: short PowerShell texts that carry native commands and files.

Every value is a single-quoted literal, every program is called with ``&`` and one literal for each argument, and the
text is never a line of a shell. An answer counts only in lines that begin with ``ES1:``; no message is ever understood.
Values that Windows PowerShell 5.1 would not hand over as they are, and values that no one means, are refused.

Each function that makes a text makes one part; ``together`` makes one script of several, since each start of PowerShell
takes about a second. What is sent is base64, and what comes back is base64 for each part: only ASCII crosses the wire,
whatever code page a console has (over ssh it is the machine's own, and PowerShell decodes by it what programs print).
"""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
import unicodedata

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem

# cmd.exe, which winrm puts between, takes lines of at most 8,191 characters.
LONGEST_ENCODED = 8000
POWERSHELL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand"
MARK = "ES1:"
# What Windows answers while another program, such as a virus scanner, holds a file open or looks into a directory: the
# low half of the HRESULT is the error's number (winerror.h: access denied, sharing and lock violation; WinBase.h,
# ReplaceFile: unable to remove the replaced file, to move the replacement, and to move it after the first step).
BUSY = (5, 32, 33, 1175, 1176, 1177)

# PowerShell takes each of these for a single quote.
_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
# 5.1 does not escape them for programs.
_DOUBLE_QUOTES = '"\u201c\u201d\u201e'
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# The functions that parts use. GetBaseException: PowerShell wraps what a .NET method throws.
_FUNCTIONS = {
    "EsPart": "($part) { 'ES1:' + [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes(((& { "
    "try { & $part } catch { 'ES1:ERROR:' + $_.Exception.GetBaseException().HResult + '|' + "
    "$_.Exception.GetBaseException().Message } }) -join [char]10))) }",
    "EsRead": "($path) { if ([System.IO.File]::Exists($path)) { 'ES1:FILE:' + "
    "[System.IO.File]::GetLastWriteTimeUtc($path).ToString('s') + '|' + "
    "[System.Convert]::ToBase64String([System.IO.File]::ReadAllBytes($path)) } else { EsKind $path } }",
    "EsKind": "($path) { if ([System.IO.File]::Exists($path)) { 'ES1:FILE' } "
    "elseif ([System.IO.Directory]::Exists($path)) { 'ES1:DIRECTORY' } else { 'ES1:ABSENT' } }",
    "EsPut": "($new, $path, $old) { if ([System.IO.File]::Exists($new)) { if ([System.IO.File]::Exists($path)) { "
    "[System.IO.File]::Replace($new, $path, $old) } else { [System.IO.File]::Move($new, $path) } } }",
    "EsRemove": "($path) { if ([System.IO.File]::Exists($path)) { Remove-Item -LiteralPath $path -Force "
    "-ErrorAction Stop } elseif ([System.IO.Directory]::Exists($path)) { Remove-Item -LiteralPath $path -Recurse "
    "-Force -ErrorAction Stop } }",
}


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
        raise HostError(problem, where=where, hint="Nothing was changed. Write it without that")
    return text


def is_text(text: str) -> bool:
    """Whether ``check_text`` takes it."""
    try:
        return bool(check_text(text, where=""))
    except HostError:
        return False


def check_path(path: str, *, where: str) -> str:
    """An absolute path below a drive; HostError for all else."""
    check_text(path, where=where)
    problem = path_problem(path, windows=True)
    if problem:
        raise HostError(problem, where=where, hint=r"Nothing was changed. Write a path such as c:\EventStore-Config")
    return path


def check_service_name(name: str, *, where: str = "name") -> str:
    """A name that no program takes for an option or a path."""
    if not _SERVICE_NAME.fullmatch(name):
        raise HostError(
            f"is {name!r}, and not 1 to 80 letters, digits, '.', '_' and '-', the first one a letter or a digit",
            where=where,
            hint="Nothing was changed. Rename the service",
        )
    return name


def literal(text: str) -> str:
    """A value as PowerShell reads it back without a change."""
    return "'" + "".join(char * 2 if char in _SINGLE_QUOTES else char for char in text) + "'"


# -- parts -------------------------------------------------------------------------------------------------------------


def run(program: str, *arguments: str) -> str:
    """Run a program; ``ran`` reads the answer. The code is printed because ssh keeps only 8 bits of it."""
    words = " ".join(literal(check_text(word, where=f"{program}, argument")) for word in (program, *arguments))
    return f"& {words}\n''\n'ES1:RC:' + $global:LASTEXITCODE"


def read_file(path: str) -> str:
    """``FILE`` with the time of its last change and its content, ``DIRECTORY`` or ``ABSENT``; see ``file``."""
    return f"EsRead {literal(path)}"


def kind_of(path: str) -> str:
    """``FILE``, ``DIRECTORY`` or ``ABSENT``."""
    return f"EsKind {literal(path)}"


def split(bundle: str, paths: t.Sequence[str]) -> str:
    """Write each line of a file, which is base64, to its own file, and remove it."""
    line = f"[System.IO.File]::ReadAllLines({literal(bundle)})"
    return _do(
        *(
            f"[System.IO.File]::WriteAllBytes({literal(path)}, [System.Convert]::FromBase64String({line}[{number}]))"
            for number, path in enumerate(paths)
        ),
        f"[System.IO.File]::Delete({literal(bundle)})",
    )


def replace(files: t.Sequence[tuple[str, str, str]], *, keep: bool) -> str:
    """Put new files in the place of files that may be there: (new, place, where the old one goes) of each.

    Not by Move-Item -Force: where the target exists, that deletes it first and can then fail (PowerShell/PowerShell,
    FileSystemProvider.cs, MoveFileInfoItem), and its permissions are lost. Replace keeps permissions and attributes
    (docs: ReplaceFileW). It is given a place for the old file, because without one it can lose it as well: "the
    replaced file no longer exists" (the same page, ERROR_UNABLE_TO_MOVE_REPLACEMENT). May be sent again after an error.
    """
    puts = [f"EsPut {literal(new)} {literal(path)} {literal(old)}" for new, path, old in files]
    return _do(*puts, *(() if keep else (f"[System.IO.File]::Delete({literal(old)})" for _new, _path, old in files)))


def move(path: str, destination: str) -> str:
    """Move a directory to where nothing is; Move-Item would put it into a directory that is there."""
    return _do(_move(path, destination))


def remove(*paths: str) -> str:
    """Remove files, and directories with all that is in them, where they are there."""
    return _do(*(f"EsRemove {literal(path)}" for path in paths))


def make_directories(*paths: str) -> str:
    return _do(*(f"$null = [System.IO.Directory]::CreateDirectory({literal(path)})" for path in paths))


def unpack(archive: str, checksum: str, directory: str) -> str:
    """Unpack a zip, without the mark that Windows gives to files from elsewhere, to a directory that is made.

    ``HASH`` with what its SHA-256 is, and nothing done, where it is another one.
    """
    found = f"(Get-FileHash -LiteralPath {literal(archive)} -Algorithm 'SHA256' -ErrorAction Stop).Hash"
    steps = _do(
        f"Unblock-File -LiteralPath {literal(archive)} -ErrorAction Stop",
        "Add-Type -AssemblyName 'System.IO.Compression.FileSystem' -ErrorAction Stop",
        f"[System.IO.Compression.ZipFile]::ExtractToDirectory({literal(archive)}, {literal(directory)})",
    )
    is_right = f"[System.String]::Equals({found}, {literal(checksum.upper())})"
    return f"if ({is_right}) {{ {steps} }} else {{ 'ES1:HASH:' + {found} }}"


def install(unpacked: str, home: str, marker: tuple[str, str], *, left: t.Sequence[str]) -> str:
    """Mark an unpacked directory, move it to its place, and remove what is left of the way there.

    ``marker``: the path of a file and its text, which is no secret, for the text of a script is logged; in UTF-8
    without a BOM. May be sent again after an error, and does nothing where nothing was unpacked.
    """
    path, text = marker
    steps = f"[System.IO.File]::WriteAllText({literal(path)}, {literal(text)}); {_move(unpacked, home)}"
    removals = "; ".join(f"EsRemove {literal(each)}" for each in left)
    return _do(
        f"if ([System.IO.Directory]::Exists({literal(unpacked)})) {{ {steps} }}",
        f"if ([System.IO.Directory]::Exists({literal(home)})) {{ {removals} }}",
    )


def directories(path: str) -> str:
    """``DIRECTORIES`` in a directory, their paths; none if it is not there."""
    where = literal(path)
    found = _ask("DIRECTORIES", _texts(f"[System.IO.Directory]::GetDirectories({where})"))
    return f"if ([System.IO.Directory]::Exists({where})) {{ {found} }} else {{ 'ES1:DIRECTORIES:' }}"


def programs() -> str:
    """``PROGRAMS`` of all processes that the session may look at, and of all services, running or not."""
    return _ask("PROGRAMS", f"{_all('Win32_Process', 'ExecutablePath')} + ',' + {_all('Win32_Service', 'PathName')}")


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


def process_of(service: str) -> str:
    """``PROCESS``: number and start (UTC) of the process of a service; an error where none runs."""
    found = f"Get-CimInstance -ClassName 'Win32_Service' -Filter {literal(_named(service))} -ErrorAction Stop"
    time = "$_.StartTime.ToUniversalTime().ToString('s')"
    answer = f"'ES1:PROCESS:' + $_.Id + ' ' + {time}"
    return f"Get-Process -Id ({found}).ProcessId -ErrorAction Stop | ForEach-Object {{ {answer} }}"


def _named(service: str) -> str:
    """A condition of WQL, in which a checked name needs no escape."""
    return f"Name = '{check_service_name(service)}'"


def processes() -> str:
    """``PROCESSES``: number, parent's number and command line of each; see ``table``.

    Without 0 and 4, which are Windows itself. No command line has a NUL; what a session may not see is empty.
    """
    found = "Get-CimInstance -ClassName 'Win32_Process' -Filter 'ProcessId > 4' -ErrorAction Stop"
    row = "'' + $_.ProcessId + ' ' + $_.ParentProcessId + ' ' + $_.CommandLine"
    rows = f"({found} | ForEach-Object {{ {row} }}) -join [char]0"
    return _ask("PROCESSES", _base64(rows))


def _move(path: str, destination: str) -> str:
    return f"[System.IO.Directory]::Move({literal(path)}, {literal(destination)})"


def _do(*statements: str) -> str:
    return "; ".join([*statements, "'ES1:OK'"])


def _ask(kind: str, expression: str) -> str:
    return f"'ES1:{kind}:' + {expression}"


def _all(kind: str, member: str) -> str:
    return _texts(f"(Get-CimInstance -ClassName '{kind}' -ErrorAction Stop).{member}")


def _texts(expression: str) -> str:
    """Texts as ``texts`` reads them: no path has a ``|``."""
    return _base64(f"{expression} -join '|'")


def _base64(expression: str) -> str:
    return f"[System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes(({expression})))"


# -- scripts -----------------------------------------------------------------------------------------------------------


def together(parts: t.Sequence[str]) -> str:
    """One script of several parts, which are run one after the other whatever becomes of each."""
    text = "\n".join(f"EsPart {{ {part} }}" for part in parts)
    needed: list[str] = []
    for name in _FUNCTIONS:  # in an order in which each stands before those that it uses
        if any(name in each for each in (text, *(_FUNCTIONS[other] for other in needed))):
            needed.append(name)
    return "\n".join([*(f"function {name}{_FUNCTIONS[name]}" for name in needed), text])


def scripts(parts: t.Sequence[str]) -> t.Iterator[list[str]]:
    """The parts in as few lists as Windows takes scripts of; a part that is too long for any is alone in its list."""
    batch: list[str] = []
    for part in parts:
        if batch and _length(together([*batch, part])) > LONGEST_ENCODED:
            yield batch
            batch = []
        batch.append(part)
    if batch:
        yield batch


def _length(script: str) -> int:
    """Of its base64."""
    return -(-len(script.encode("utf-16-le", "surrogatepass")) // 3) * 4


def encoded(script: str) -> str:
    """A command line that runs the script in whatever shell; HostError if no host would take it."""
    try:
        text = base64.b64encode(script.encode("utf-16-le")).decode()
    except UnicodeEncodeError:
        raise HostError("a text has half a surrogate pair", hint="Nothing was changed. Write it without that") from None
    if len(text) > LONGEST_ENCODED:
        raise HostError(
            f"the command would have {len(text)} characters, and Windows takes {LONGEST_ENCODED}",
            hint="Nothing was changed. Use shorter paths and values",
        )
    return f"{POWERSHELL} {text}"


# -- answers -----------------------------------------------------------------------------------------------------------


def outputs(stdout: str, count: int) -> list[str] | None:
    """What each part of a script printed; None if the host did not come to its end."""
    lines = re.findall(r"^ES1:([A-Za-z0-9+/]*={0,2})[ \r]*$", stdout, re.MULTILINE)
    try:
        found = [base64.b64decode(line, validate=True).decode("utf-8", "replace") for line in lines]
    except binascii.Error:
        return None
    return found if len(found) == count else None


def ran(stdout: str) -> Ran | None:
    """What ``run`` gave; None if the program was not run to its end."""
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


def file(value: str) -> tuple[str, bytes]:
    """The time of the last change (UTC, ISO 8601) and the content of a file that ``read_file`` gave."""
    written, _bar, text = value.partition("|")
    return written, content(text)


def number(value: str) -> tuple[int, str]:
    """The number of an ``ERROR`` as Windows counts them, 0 for one of PowerShell's own, and its words."""
    code, _bar, words = value.partition("|")
    hresult = int(code) if re.fullmatch("-?[0-9]{1,10}", code) else 0
    # FACILITY_WIN32: HRESULT_FROM_WIN32 of winerror.h.
    return (hresult & 0xFFFF if hresult >> 16 & 0xFFFF == 0x8007 else 0), words


def content(value: str) -> bytes:
    """Content that came in base64; HostError if it did not come whole."""
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise HostError(f"the content of a file came damaged: {error}") from None


def texts(value: str) -> list[str]:
    """The texts of an answer that has several."""
    read = [content(part).decode("utf-8", "replace") for part in value.split(",")]
    return [text for part in read for text in part.split("|") if text]


def table(value: str) -> list[list[str]]:
    """The rows of ``PROCESSES``, each with three texts; one that is no such row is left out."""
    rows = [row.split(" ", 2) for row in content(value).decode("utf-8", "replace").split("\0")]
    return [row for row in rows if len(row) == 3 and re.fullmatch("[0-9]{1,10}/[0-9]{1,10}", "/".join(row[:2]))]


__all__ = [
    "BUSY",
    "LONGEST_ENCODED",
    "Ran",
    "addresses_of",
    "answer",
    "check_path",
    "check_service_name",
    "check_text",
    "content",
    "directories",
    "encoded",
    "file",
    "free_bytes",
    "install",
    "is_text",
    "kind_of",
    "literal",
    "make_directories",
    "move",
    "number",
    "outputs",
    "permissions",
    "process_of",
    "processes",
    "programs",
    "ran",
    "read_file",
    "remove",
    "replace",
    "run",
    "scripts",
    "sid_of",
    "split",
    "table",
    "texts",
    "time",
    "together",
    "unpack",
]
