# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to Windows: hostile values arrive unchanged or are refused, and only marked answers count."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script

TEST_ARRIVES = [
    "http://192.168.1.11:2112/",
    "http://+:80/",
    "D:(A;;GX;;;LS)",
    r"c:\EventStore-Config\manager.yaml",
    "two words",
    "it's",
    "''",
    "$env:PATH",
    "$(Remove-Item c:)",
    "a;b",
    "a|b",
    "a&b",
    "a`nb",
    "a^b",
    "%PATH%",
    "!x!",
    "@(1)",
    "@{a=1}",
    "a,b",
    "(a)",
    "{a}",
    "[a]",
    "#a",
    "-a",
    "--%",
    "a>b",
    "a<b",
    "*?",
    "~",
    "ES1:RC:0",
    "München ß 漢字 😀",
    "a\\",
    "\\",
]

TEST_REFUSED = [
    ("", "is empty"),
    ("a\nb", "U+000A"),
    ("a\rb", "U+000D"),
    ("a\tb", "U+0009"),
    ("a\0b", "U+0000"),
    ("d:\x1bs-data", "U+001B"),
    ("a\x7fb", "U+007F"),
    ("a\x01b", "U+0001"),
    ("a\u0085b", "U+0085"),
    ("a\u2028b", "U+2028"),
    ("a\u2029b", "U+2029"),
    ("a\ud800b", "U+D800"),
    ("a\udfffb", "U+DFFF"),
    ("a\u200bb", "U+200B"),
    ("a\u200db", "U+200D"),
    ("a\u200eb", "U+200E"),
    ("a\u202ab", "U+202A"),
    ("a\u202eb", "U+202E"),
    ("a\u2066b", "U+2066"),
    ("a\u2069b", "U+2069"),
    ("a\u00adb", "U+00AD"),
    ("\ufeffa", "U+FEFF"),
    ('a"b', "double quote"),
    ("a\u201cb", "double quote"),
    ("a\u201db", "double quote"),
    ("a\u201eb", "double quote"),
    ("a\u2018b", "typographic quote"),
    ("a\u2019b", "typographic quote"),
    ("a\u201ab", "typographic quote"),
    ("a\u201bb", "typographic quote"),
    (" a", "white space at an end"),
    ("a ", "white space at an end"),
    ("\u3000a", "white space at an end"),
    ("a\u00a0", "white space at an end"),
    ("a b\\", "escaped quote"),
    ("a\u00a0b\\", "escaped quote"),
]

TEST_PATHS_REFUSED = [
    "x.yaml",
    "c:",
    "c:\\",
    "c:x",
    r"\\server\share\x",
    r"\\?\c:\x",
    r"c:\a\..\b",
    "c:\\a<b",
    "c:\\a>b",
    "c:\\a|b",
    "c:\\a:b",
    "c:\\a?",
    "c:\\a*",
    "c:\\a.",
    "c:\\a. \\b",
    "c:\\a \\b",
    "c:\\a\\.\\b",
    "c:\\CON",
    "c:\\prn",
    "c:\\AUX.yaml",
    "c:\\a\\com9.log\\b",
    "c:\\nul.txt",
    "c:\\a\\COM1",
    "c:\\lpt9.log",
    "c:\\" + "a" * 257,
    "c:\\a b\\",
    "/etc/eventstore",
]

TEST_NAMES_REFUSED = [
    "",
    "-x",
    "_x",
    ".x",
    "a b",
    "a/b",
    "a\\b",
    "a'b",
    "ä",
    "a" * 81,
    "a\n",
    "a$b",
    'a"b',
    "a;b",
    "\u0661",
]


def arguments_of(text):
    """The words of a ``run`` script as PowerShell reads single-quoted literals: written anew, to not trust itself."""
    line = text.splitlines()[0]
    assert line.startswith("& ")
    words, rest = [], line[1:]
    while rest:
        match = re.match(r" '((?:[^'\u2018\u2019\u201a\u201b]|(['\u2018\u2019\u201a\u201b])\2)*)'", rest)
        assert match, rest
        words.append(re.sub("(['\u2018\u2019\u201a\u201b])\\1", r"\1", match[1]))
        rest = rest[match.end() :]
    return words


@pytest.mark.parametrize("value", TEST_ARRIVES)
def test_hostile_values_arrive_unchanged(value):
    text = script.run("netsh.exe", "http", value)
    assert arguments_of(text) == ["netsh.exe", "http", value]
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(("value", "why"), TEST_REFUSED)
def test_values_that_would_not_arrive_are_refused(value, why):
    with pytest.raises(HostError, match=re.escape(why)):
        script.run("netsh.exe", value)
    with pytest.raises(HostError, match=r"Nothing was changed"):
        script.check_path(value, where="path")


@given(st.text(max_size=40))
def test_any_text_arrives_or_is_refused(value):
    try:
        text = script.run("p.exe", value, "end")
    except HostError:
        return
    assert arguments_of(text) == ["p.exe", value, "end"]
    assert base64.b64decode(script.encoded(text).split()[-1]).decode("utf-16-le") == text


@given(st.text(alphabet=st.sampled_from("'\u2018\u2019\u201a\u201ba $`"), max_size=12))
def test_a_literal_reads_back_whatever_quotes_it_has(value):
    assert arguments_of(f"& {script.literal(value)}") == [value]


@pytest.mark.parametrize("path", TEST_PATHS_REFUSED)
def test_paths_that_are_no_place_for_a_file_are_refused(path):
    with pytest.raises(HostError, match=r"^home: "):
        script.check_path(path, where="home")


def test_paths_are_kept_as_they_are_written():
    for path in (r"c:\EventStore-Config\database.yaml", "d:/es data/it's", r"c:\a\b" + "\\"):
        assert script.check_path(path, where="path") == path


@pytest.mark.parametrize("name", TEST_NAMES_REFUSED)
def test_service_names_that_could_be_options_or_paths_are_refused(name):
    with pytest.raises(HostError, match="Rename the service"):
        script.check_service_name(name)


def test_a_command_that_is_too_long_for_windows_is_refused():
    longest = script.encoded(script.run("netsh.exe", "x" * 2900))
    assert len(longest) < 8191
    with pytest.raises(HostError, match="and Windows takes 8000"):
        script.encoded(script.run("netsh.exe", "x" * 3000))


def test_the_page_s_command_in_its_exact_form():
    assert script.run("netsh.exe", "http", "show", "urlacl") == (
        "& 'netsh.exe' 'http' 'show' 'urlacl'\n''\n'ES1:RC:' + $global:LASTEXITCODE"
    )


TEST_RAN = [
    ("SERVICE_NAME: x\r\n\r\nES1:RC:0\r\n", (0, "SERVICE_NAME: x")),
    ("\r\nES1:RC:1060\r\n", (1060, "")),
    ("ES1:RC:0\nthe program printed that itself\nES1:RC:-1073741515\nnoise of a profile\n", None),
    ("no end", None),
    ("  ES1:RC:0", None),
    ("ES1:RC:zero", None),
    ("", None),
]


@pytest.mark.parametrize(("stdout", "expected"), TEST_RAN)
def test_the_last_printed_code_counts(stdout, expected):
    if "noise" in stdout:
        expected = (-1073741515, "ES1:RC:0\nthe program printed that itself")
    assert script.ran(stdout) == expected


TEST_ANSWERS = [
    ("ES1:OK\r\n", ("OK", "")),
    ("banner\r\nES1:SDDL:O:BAG:SYD:(A;;FA;;;SY)\r\nnoise", ("SDDL", "O:BAG:SYD:(A;;FA;;;SY)")),
    ("ES1:OK\nES1:OK\n", None),
    ("OK", None),
    ("", None),
]


@pytest.mark.parametrize(("stdout", "expected"), TEST_ANSWERS)
def test_only_one_marked_line_is_an_answer(stdout, expected):
    assert script.answer(stdout) == expected


def lines(*texts):
    return "".join(f"ES1:{base64.b64encode(text.encode()).decode()}\r\n" for text in texts)


def test_what_parts_printed_counts_only_if_each_did_and_nothing_else_is_taken_for_it():
    both = lines("ES1:OK", "ü\nES1:RC:0")
    assert script.outputs(both, 2) == ["ES1:OK", "ü\nES1:RC:0"]
    assert script.outputs(f"banner\r\nES1:RC:0\r\n{both}ES1: x\n", 2) == ["ES1:OK", "ü\nES1:RC:0"]
    assert script.outputs(lines("", ""), 2) == ["", ""]
    for damaged in (lines("ES1:OK"), lines("a", "b", "c"), both[:-4], f"ES1:YQ=\n{lines('b')}", ""):
        assert script.outputs(damaged, 2) is None


def test_parts_are_sent_in_as_few_scripts_as_windows_takes():
    parts = [script.kind_of(f"c:\\{letter * 200}") for letter in "abcdefghijklmnopqrstuvwxyz"]
    batches = list(script.scripts(parts))
    assert [part for batch in batches for part in batch] == parts
    assert len(batches) == 3
    assert all(len(script.encoded(script.together(batch))) < 8191 for batch in batches)
    assert list(script.scripts([])) == []
    longest = script.run("netsh.exe", "x" * 4000)
    assert list(script.scripts([parts[0], longest, parts[1]])) == [[parts[0]], [longest], [parts[1]]]


def test_a_script_has_the_functions_that_its_parts_use_and_no_other():
    def functions(text):
        return set(re.findall(r"^function (\w+)", text, re.MULTILINE))

    assert functions(script.together([script.time()])) == {"EsPart"}
    assert functions(script.together([script.kind_of("c:\\x")])) == {"EsPart", "EsKind"}
    assert functions(script.together([script.time(), script.read_file("c:\\x")])) == {"EsPart", "EsKind", "EsRead"}


def test_no_text_has_a_cmdlet_that_could_take_a_path_for_a_pattern():
    """What takes wildcards in -Path or -Destination gets -LiteralPath; all else is .NET, which knows no wildcards."""
    texts = [
        script.replace([("c:\\a[1]", "c:\\b", "c:\\c")], keep=False),
        *(script.remove("c:\\a[1]"), script.unpack("c:\\a", "0", "c:\\b"), script.permissions("c:\\a")),
        *(script.move("c:\\a", "c:\\b"), script.install("c:\\a", "c:\\b", ("c:\\a\\m", "x"), left=["c:\\c"])),
    ]
    for text in texts:
        whole = script.together([text])
        assert re.findall(r"-(?:Path|Destination)\b", whole) == []
        for cmdlet in re.findall(r"\b(?:Remove-Item|Unblock-File|Get-FileHash|Get-Acl)\b.{15}", whole):
            assert "-LiteralPath" in cmdlet


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("-2147024864|Der Prozess ...", (32, "Der Prozess ...")),
        ("-2147024891|denied", (5, "denied")),
        ("-2146232800|a|b", (0, "a|b")),
        ("|no number", (0, "no number")),
        ("\u0661|x", (0, "x")),
    ],
)
def test_the_number_of_an_error_is_that_of_winerror(value, expected):
    assert script.number(value) == expected


def test_a_table_has_only_rows_that_are_whole():
    text = "5 1 c:\\a.exe --x y\0" + "6 5 \0" + "7\0x y z\0\u0661 1 z"
    assert script.table(base64.b64encode(text.encode()).decode()) == [["5", "1", "c:\\a.exe --x y"], ["6", "5", ""]]


def test_a_file_that_did_not_come_whole_is_refused():
    assert script.content("w6TDtg==") == "äö".encode()
    for value in ("w6TDt", "w6TD\u00a0g==", "not base64!"):
        with pytest.raises(HostError, match="damaged"):
            script.content(value)
