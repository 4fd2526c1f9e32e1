# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Windows does what it understands, and says no to everything else."""

from __future__ import annotations

import base64
import inspect
import json
import pathlib
import random
import re
import typing as t

import pytest

pytest.importorskip("tree_sitter_powershell")
pytest.importorskip("psrpcore")

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script
from tests.doubles.windows import powershell, programs, shells
from tests.doubles.windows.machine import Machine, NotUnderstood

ROOT = pathlib.Path(__file__).parents[3]
# What reaches a program unchanged, with everything that a shell, PowerShell or the C runtime could take for its own.
ODD = [
    *("plain", "two words", "it's", "''", "a;b", "a|b", "a&b", "a && b", "$x", "$(x)", "${x}", "`n", "%PATH%", "!x!"),
    *("(a)", "[a]", "{a}", "@x", "@(1)", "#x", "^x", "<x>", "a,b", "a=b", "--x", "-x", "/x", "\\", "\\\\", "a\\b"),
    *("a b\\c", "*", "?", "~", "ü", "日本", "\U0001f600", "x' ; exit 9 ; '"),
]
# Functions of ``script`` that make no text to send; every other one does, with one of these values for each argument.
NO_TEXT = {
    *("check_text", "check_path", "check_service_name", "is_text", "literal", "encoded", "together", "scripts"),
    *("ran", "answer", "content", "file", "number", "outputs", "table", "texts"),
}
PATH, OTHER = "C:\\Event Store\\it's [x] $x `a", "C:\\Event Store\\a & b"
VALUES: dict[str, t.Any] = {
    **dict.fromkeys(("path", "archive", "bundle", "unpacked"), PATH),
    **dict.fromkeys(("destination", "directory", "home"), OTHER),
    **{"account": "CONTOSO\\it's $x", "name": "it's $x", "drive": "c", "service": "es"},
    **{"checksum": "0" * 64, "files": [(PATH, f"{OTHER}1", f"{OTHER}2")], "keep": False},
    **{"marker": (f"{PATH}.txt", "it's"), "left": (PATH,), "paths": (OTHER,)},
}
MADE = {
    name: function
    for name, function in inspect.getmembers(script, inspect.isfunction)
    if function.__module__ == script.__name__ and not name.startswith("_") and name not in NO_TEXT
}


def made(function: t.Callable[..., str]) -> str:
    """A part, with a value for each parameter of the function that makes it."""
    parameters = inspect.signature(function).parameters.values()
    plain = [VALUES[each.name] for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    several = [value for each in parameters if each.kind is each.VAR_POSITIONAL for value in VALUES[each.name]]
    named = {each.name: VALUES[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY}
    return function(*plain, *several, **named)


KNOWN = {
    "run": script.run("netsh.exe", "http", "show", "urlacl"),
    **{name: made(function) for name, function in MADE.items() if name != "run"},
}


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path / "machine")


def output(machine: Machine, text: str) -> list[str]:
    return powershell.run(machine, text).output


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_collection_sends_is_powershell_and_understood(machine: Machine, name: str) -> None:
    machine.make_directory("C:\\Event Store")
    machine.put(PATH, b"YQ==\r\n")
    text = script.together([KNOWN[name]])
    assert not powershell.parse(text).has_error
    ran = shells.evaluate(machine, text)
    assert ran.errors == []
    assert not (machine.folder / "refused.jsonl").exists()
    assert script.outputs("\n".join(ran.output), 1)


def test_parts_that_are_run_together_give_what_each_gives_alone(machine: Machine) -> None:
    """Whatever is in them and whatever fails, and in ASCII, so that no code page can change it."""
    machine.put("C:\\a.txt", "ü 日本".encode())
    parts = [
        *(script.read_file("C:\\a.txt"), script.free_bytes("x"), script.kind_of("C:\\b"), script.kind_of("C:\\")),
        *(script.run("netsh.exe", "http", "show", "urlacl"), script.run("none\u00fc.exe"), script.directories("C:\\")),
    ]
    machine.write("machine", {"locale": "de", "noise": "ES1:RC:0\nES1:\u00fc", "missing": ["none\u00fc.exe"]})
    alone = [script.outputs("\n".join(output(machine, script.together([part]))), 1) for part in parts]
    printed = "\n".join(output(machine, script.together(parts))[1:])
    assert printed.isascii()
    assert script.outputs(printed, len(parts)) == [each[0] for each in alone if each]
    kinds = [(script.answer(each[0]) or ("",))[0] for each in alone if each]
    assert kinds == ["FILE", "ERROR", "ABSENT", "DIRECTORY", "RC", "ERROR", "DIRECTORIES"]


def test_the_number_of_an_error_comes_with_it(machine: Machine) -> None:
    machine.put("C:\\a.txt", b"")
    machine.write("held", {"C:\\a.txt": 1})
    (first,) = script.outputs("\n".join(output(machine, script.together([script.remove("C:\\a.txt")]))), 1) or ()
    kind, value = script.answer(first) or ("", "")
    assert (kind, script.number(value)[0]) == ("ERROR", 32)
    assert script.number("-2146232800|x") == (0, "x")


def test_no_text_is_made_elsewhere() -> None:
    """All that makes a text is in ``script`` and known here; one place sends it, and no playbook has one of its own."""
    assert {name for name in script.__all__ if inspect.isfunction(getattr(script, name))} == {*MADE, *NO_TEXT}
    sent = [path for path in (ROOT / "plugins").rglob("*.py") if "_low_level_execute_command" in path.read_text()]
    assert [path.relative_to(ROOT).as_posix() for path in sent] == ["plugins/plugin_utils/windows/host.py"]
    yaml = [path for room in ("roles", "playbooks") for path in (ROOT / room).rglob("*.yml")]
    assert [
        path for path in yaml if re.search(r"builtin\.raw|win_shell|win_command|powershell", path.read_text())
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        'netsh "http" show urlacl',
        "& 'netsh.exe' \"$x\"",
        "Invoke-Expression 'netsh http show urlacl'",
        "cmd /c netsh http show urlacl",
        "& 'netsh.exe' 'http' 'show' 'urlacl' > 'C:\\x'",
        "& 'netsh.exe' 'http' 'show' 'urlacl' | Out-Null",
        "& 'netsh.exe' 'http' 'show' 'sslcert'",
        "& 'netsh.exe' 'http' 'add' 'urlacl' 'url=http://a:1/' 'user=Everyone'",
        "& 'netsh.exe' 'http' 'add' 'urlacl' 'url=http://a:1/' 'url=http://a:2/' 'sddl=D:(A;;GX;;;LS)'",
        "& 'sc.exe' 'delete' 'x'",
        "& 'format.com' 'c:'",
        "$x = 1",
        "$x",
        "'a' * 3",
        "'a' -eq 'b'",
        "1 + 'a'",
        "Remove-Item -LiteralPath 'C:\\x' -Recurse -Force",
        "Remove-Item -Path 'C:\\*' -Recurse -Force -ErrorAction Stop",
        "Remove-Item -LiteralPath 'C:\\x' -Recurse -Force -ErrorAction SilentlyContinue",
        "Get-Content -LiteralPath 'C:\\x' -ErrorAction Stop",
        "[System.IO.File]::AppendAllText('C:\\x', 'a')",
        "[System.IO.File]::Exists('x')",
        "[System.IO.File]::Exists('C:\\a\\..\\b')",
        "[System.IO.File]::Exists('C:\\a', 'b')",
        "New-Object System.Net.WebClient",
        "foreach ($x in 1) { 'a' }",
        "function f { 'a' }",
        "function f($x = 1) { 'a' }; f 'b'",
        "function f($x) { 'a' }; f",
        "function f($x) { 'a' }; f 'b' 'c'",
        "function f($x) { $y }; f 'b'",
        "& { 'a' } 'b'",
        "Get-CimInstance -ClassName 'Win32_Process' -ErrorAction Stop | Where-Object { $_.Name }",
        "Get-CimInstance -ClassName 'Win32_Process' -Filter 'ProcessId = 1' -ErrorAction Stop",
        "[int] '5'",
        "Copy-Item -LiteralPath 'C:\\x' -Destination 'C:\\y' -ErrorAction Stop",
        "& 'netsh.exe' 'http' 'show' 'servicestate'",
        "param($x)",
        "throw 'x'",
        "try { 'a' } finally { 'b' }",
        "try { 'a' } catch [System.IO.IOException] { 'b' }",
        "'open",
        "if ('a') { 'b' }",
        "'a' ; }",
        "[void] 'a'",
        "'a\u2019; exit 5; \u2018b'",
        "& 'sc.exe' 'query' @x",
        "'a'.Length",
        "'a'[0]",
    ],
)
def test_what_it_does_not_know_it_refuses_and_nothing_catches_that(machine: Machine, text: str) -> None:
    with pytest.raises(NotUnderstood):
        powershell.run(machine, text)
    with pytest.raises(NotUnderstood):
        powershell.run(machine, f"try {{ {text} }} catch {{ 'ES1:OK' }}")
    ran = shells.evaluate(machine, text)
    assert (ran.output, ran.code) == ([], 1)
    assert json.loads((machine.folder / "refused.jsonl").read_text().splitlines()[-1])["text"] == text


@pytest.mark.parametrize("value", ODD)
def test_odd_values_come_back_as_they_were(machine: Machine, value: str) -> None:
    assert output(machine, script.literal(value)) == [value]


def test_random_values_come_back_as_they_were(machine: Machine) -> None:
    chance = random.Random(4)
    alphabet = "ab '\u2018\u2019\u201a\u201b\"`$%&();|{}[]\\/@#,äß\u65e5-"
    for _ in range(300):
        value = "".join(chance.choices(alphabet, k=chance.randrange(1, 12)))
        assert output(machine, script.literal(value)) == [value]


HOSTILE = [
    *(
        "",
        '"',
        'a"b',
        "a b\\",
        "a\nb",
        "a\r\nb",
        "a\0b",
        "a\tb",
        "\x1b[0m",
        "\x85",
        "\u2028",
        "\u2029",
        "\ud800",
        " a",
        "a ",
    ),
    *(
        "\u2018",
        "\u2019;exit",
        "\u201a",
        "\u201b",
        "\u201c",
        "\u201d",
        "\u201e",
        "\u202e",
        "\u200b",
        "\ufeff",
        "a\u00a0",
    ),
]


@pytest.fixture
def echo(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[str] | None]:
    """Send arguments to a program that writes down what it received; None if they were not sent."""
    received: list[list[str]] = []

    def keep(_machine: Machine, _program: str, arguments: list[str]) -> programs.Done:
        received.append(arguments)
        return programs.Done()

    monkeypatch.setitem(programs.PROGRAMS, "echo.exe", keep)

    def send(*arguments: str) -> list[str] | None:
        try:
            text = script.run("echo.exe", *arguments)
        except HostError:
            return None
        assert output(machine, text)[-1] == "ES1:RC:0"
        return received.pop()

    return send


@pytest.mark.parametrize("value", ODD)
def test_what_is_sent_to_a_program_arrives_unchanged(echo: t.Callable[..., t.Any], value: str) -> None:
    assert echo(value, "next") == [value, "next"]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_would_arrive_as_something_else_is_not_sent(echo: t.Callable[..., t.Any], value: str) -> None:
    assert echo(value, "next") is None


def test_random_values_arrive_unchanged_or_are_not_sent(echo: t.Callable[..., t.Any]) -> None:
    chance = random.Random(5)
    alphabet = "ab '\u2019\"`$%&();|{}[]\\/@#,ä\u65e5-\t"
    arrived = 0
    for _ in range(1000):
        values = ["".join(chance.choices(alphabet, k=chance.randrange(1, 9))) for _ in range(2)]
        received = echo(*values)
        assert received in (None, values)
        arrived += received is not None
    assert arrived > 100


def test_a_value_that_is_not_quoted_is_noticed(machine: Machine) -> None:
    with pytest.raises(NotUnderstood):
        powershell.run(machine, "& 'sc.exe' 'query' 'it's'")
    with pytest.raises(NotUnderstood):
        powershell.run(machine, "& 'sc.exe' 'query' $env:COMPUTERNAME")


@pytest.mark.parametrize(
    ("text", "code", "lines"),
    [
        ("exit 1060", 1060, []),
        ("'a'; exit", 0, ["a"]),
        ("$global:LASTEXITCODE = 9009\n'RC:' + $global:LASTEXITCODE", 0, ["RC:9009"]),
        ("& 'sc.exe' 'query' 'none'\nexit $LASTEXITCODE", 1060, ...),
        ("& 'sc.exe' 'query' 'none'", 1, ...),
        ("'a' + 1 + 'b'", 0, ["a1b"]),
        ("try { exit 3 } catch { 'no' }", 3, []),
        ("if ([System.IO.Directory]::Exists('c:\\')) { 'yes' } else { 'no' }", 0, ["yes"]),
    ],
)
def test_codes_and_lines_are_those_of_powershell(machine: Machine, text: str, code: int, lines: t.Any) -> None:
    ran = powershell.run(machine, text)
    assert ran.code == code
    assert lines is ... or ran.output == lines


def test_a_missing_program_is_an_error_that_a_part_tells(machine: Machine) -> None:
    machine.write("machine", {"missing": ["netsh.exe"]})
    text = script.together([script.run("netsh.exe", "http", "show", "urlacl")])
    (printed,) = script.outputs("\n".join(output(machine, text)), 1) or ()
    assert script.ran(printed) is None
    assert (script.answer(printed) or ("",))[0] == "ERROR"


def test_the_noise_of_a_profile_comes_first(machine: Machine) -> None:
    machine.write("machine", {"noise": "ES1:RC:0"})
    assert output(machine, "'a'") == ["ES1:RC:0", "a"]


def test_cmd_takes_an_encoded_text_of_its_length_and_nothing_else(machine: Machine) -> None:
    def line(text: str) -> str:
        encoded = base64.b64encode(text.encode("utf-16-le")).decode()
        return f"{shells.POWERSHELL} {encoded}"

    assert shells.command_line(machine, line("'a'")) == (0, b"a\r\n", b"")
    assert shells.command_line(machine, line(line("'a'"))) == (0, b"a\r\n", b"")
    assert shells.command_line(machine, line(f"'{'a' * 4000}'"))[0] == 1
    assert shells.command_line(machine, "netsh http show urlacl")[0] == 1
    assert shells.default_shell(machine, f"chcp.com 65001 > $null ; {line('exit 1060')}").code == 1060


def test_errors_are_clixml_as_ansible_reads_it(machine: Machine) -> None:
    machine.write("machine", {"missing": ["sc.exe"]})
    encoded = base64.b64encode("& 'sc.exe' 'query' '<&>'".encode("utf-16-le")).decode()
    ended = shells.command_line(machine, f"{shells.POWERSHELL} {encoded}")
    assert ended.stderr.startswith(b"#< CLIXML\r\n<Objs ")
    from ansible.plugins.shell.powershell import _parse_clixml

    assert b"'sc.exe' is not recognized" in _parse_clixml(ended.stderr)
