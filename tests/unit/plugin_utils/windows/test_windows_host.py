# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a Windows host's answers, and what is left when it says no in between."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.config.desired import Desired
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import files, host
from tests.unit.plugin_utils.windows.scripted import Scripted, Step, content, copied, kind, put, ran, said

P = "c:\\EventStore-Config\\manager.yaml"
NEW = f"{P}.es-new"
DENIED = "ERROR:Access to the path is denied."


@pytest.mark.parametrize(
    ("transport", "is_plain"), [("winrm", True), ("ansible.builtin.winrm", True), ("psrp", False), ("ssh", False)]
)
def test_only_winrm_gets_the_text_itself(transport: str, is_plain: bool) -> None:
    text = script.run("whoami.exe")
    with Scripted(Step(text if is_plain else script.encoded(text), "ES1:RC:0"), transport=transport) as there:
        assert there.run("whoami.exe") == (0, "")


def test_a_program_that_is_not_there_is_named() -> None:
    with (
        Scripted(ran("netsh.exe", "x", code=9009)) as there,
        pytest.raises(HostError, match=r"^win1: netsh.exe is not there"),
    ):
        there.run("netsh.exe", "x")


@pytest.mark.parametrize("stdout", ["", "all is well", "ES1:RC:", " ES1:RC:0"])
def test_an_answer_without_its_end_is_a_failure_that_shows_what_came(stdout: str) -> None:
    with Scripted(Step(script.run("a.exe", "b c"), stdout, rc=7)) as there:
        with pytest.raises(HostError, match="What was changed until then is not known") as refused:
            there.run("a.exe", "b c")
        assert 'win1, a.exe "b c"' in str(refused.value)
        assert "exit code 7" in str(refused.value)
        assert (repr(stdout.strip()) if stdout else "no output") in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (DENIED, "Access to the path is denied"),
        ("SID:S-1-5-19", "expected the answer OK, but came SID"),
        ("OK\nES1:OK", "did not come to the end"),
    ],
)
def test_any_other_answer_than_the_expected_one_is_a_failure(answer: str, why: str) -> None:
    text = script.remove(P)
    with Scripted(said(text, answer)) as there, pytest.raises(HostError, match=why):
        there.remove(P)


def test_check_mode_notes_a_change_and_sends_nothing_but_refuses_what_could_not_be_sent() -> None:
    with Scripted(check_mode=True) as there:
        assert there.change("net.exe", "start", "a b") is None
        assert there.commands == ['net.exe start "a b"']
        for value in ("a\nb", "x" * 4000):
            with pytest.raises(HostError, match="Nothing was done"):
                there.change("net.exe", "start", value)


def test_a_directory_in_the_place_of_a_file_is_refused() -> None:
    with Scripted(said(script.read_file(P), "DIRECTORY")) as there, pytest.raises(HostError, match="found a directory"):
        there.read(P)


# -- writing -----------------------------------------------------------------------------------------------------------

TEST_FAILED_WRITES = [
    (
        "the transfer fails half-way",
        [put(NEW, b"x", error="sha1 differs"), kind(NEW, "FILE"), said(script.remove(NEW), "OK")],
        "sha1 differs",
    ),
    ("nothing came", [put(NEW, b"x", error="disk full"), kind(NEW, "ABSENT")], "disk full"),
    (
        "the old one is held open",
        [put(NEW, b"x"), said(script.move(NEW, P), DENIED), kind(NEW, "FILE"), said(script.remove(NEW), "OK")],
        "denied",
    ),
    (
        "nor can the new one go",
        [
            put(NEW, b"x"),
            said(script.move(NEW, P), DENIED),
            kind(NEW, "FILE"),
            said(script.remove(NEW), "ERROR:in use"),
        ],
        "denied",
    ),
]


@pytest.mark.parametrize(("_name", "steps", "why"), TEST_FAILED_WRITES)
def test_a_write_that_fails_leaves_the_file_as_it_was(_name: str, steps: list[Step], why: str) -> None:
    with Scripted(*steps) as there, pytest.raises(HostError, match=f"cannot be written: .*{why}.* It is as it was"):
        there.write(P, b"x")


def test_a_backup_is_made_before_the_file_is_touched_and_only_of_a_file() -> None:
    class Named(str):
        """A path with the time of the backup in it."""

        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return re.sub(r"\.\d{8}-\d{6}~", ".TIME~", str(other)) == str(self)

    copy = Step(Named(script.copy(P, f"{P}.TIME~")), "ES1:OK")
    move = said(script.move(NEW, P), "OK")
    with Scripted(kind(P, "FILE"), copy, put(NEW, b"x"), move) as there:
        assert (there.write(P, b"x", backup=True) or "").startswith(f"{P}.2")
    for kind_ in ("ABSENT", "DIRECTORY"):
        with Scripted(kind(P, kind_), put(NEW, b"x"), move) as there:
            assert there.write(P, b"x", backup=True) is None
    refused = copy._replace(stdout=f"ES1:{DENIED}")
    with Scripted(kind(P, "FILE"), refused) as there, pytest.raises(HostError, match="denied"):
        there.write(P, b"x", backup=True)


def test_a_file_that_does_not_come_leaves_nothing(tmp_path) -> None:
    steps = [copied(tmp_path, P, error="broken pipe"), kind(P, "FILE"), said(script.remove(P), "OK")]
    with Scripted(*steps) as there, pytest.raises(HostError, match="broken pipe"):
        there.send(str(tmp_path), P)


# -- configuration files -----------------------------------------------------------------------------------------------

PARAMS = {"path": P}


@pytest.mark.parametrize(
    ("data", "text"), [(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"), (b"a\nb", "a\nb"), (b"", ""), (None, None)]
)
def test_a_bom_and_carriage_returns_make_no_difference(data: bytes | None, text: str | None) -> None:
    with Scripted(content(P, data)) as there:
        assert files.text_of(there, P) == text


def test_a_damaged_file_is_left_unless_it_may_be_replaced() -> None:
    told: list[str] = []
    with Scripted(content(P, b"a\xff")) as there, pytest.raises(EventStoreError, match="byte 2 is not UTF-8"):
        files.current(there, P, lambda _text: None, force=False, warn=told.append)
    assert told == []
    with Scripted(content(P, b"a\xff")) as there:
        assert files.current(there, P, lambda _text: None, force=True, warn=told.append) == (None, True)
    assert "byte 2" in told[0]


def desired(path: str, text: str, changed: bool = True) -> Desired:
    return Desired(path, text, {"changed": changed}, "", text)


def test_lines_are_written_as_windows_has_them_and_no_file_where_one_has_no_directory() -> None:
    directory, other = "c:\\EventStore-Config", "d:\\other\\x.yaml"
    both = [desired(P, "a: ü\nb: 2\n"), desired(other, "a: 1\n")]
    write = [put(NEW, b"a: \xc3\xbc\r\nb: 2\r\n"), said(script.move(NEW, P), "OK")]
    for who, warnings in (("LS", 0), ("BA", 1)):
        may = said(script.permissions(P), f"SDDL:D:(A;;FA;;;{who})")
        with Scripted(kind(directory, "DIRECTORY"), *write, may) as there:
            (done,) = files.replace(there, both[:1], backup=False)
        assert (done["changed"], len(done["warnings"]), "backup_file" in done) == (True, warnings, False)
    for found in ("ABSENT", "FILE"):
        steps = [kind(directory, "DIRECTORY"), kind("d:\\other", found)]
        with Scripted(*steps) as there, pytest.raises(EventStoreError, match="nothing was written"):
            files.replace(there, both, backup=False)
    with Scripted(check_mode=True) as there:
        assert files.replace(there, both[:1], backup=False)[0]["changed"]
    with Scripted() as there:
        assert not files.replace(there, [desired(P, "a: 1\n", changed=False)], backup=False)[0]["changed"]


def test_a_file_that_the_service_may_not_read_is_told_with_what_to_type() -> None:
    with Scripted(said(script.permissions(P), "SDDL:O:BAG:SYD:(A;;FA;;;SY)(A;;FA;;;BA)")) as there:
        (told,) = files.access_warnings(there, P)
    assert 'icacls c:\\EventStore-Config /grant "*S-1-5-19:(OI)(CI)R"' in told
    with Scripted(said(script.permissions(P), "SDDL:O:BAG:SYD:(A;;0x1200a9;;;BU)")) as there:
        assert files.access_warnings(there, P) == []


@pytest.mark.parametrize(("option", "value"), [("mode", "0644"), ("owner", "x"), ("group", "x")])
def test_what_only_posix_has_is_refused(option: str, value: str) -> None:
    with pytest.raises(EventStoreError, match=f"^{re.escape(P)}: {option}: a file on Windows has no such thing"):
        files.refuse_posix({**PARAMS, option: value})


def test_removing() -> None:
    with Scripted(kind(P, "FILE"), said(script.remove(P), "OK")) as there:
        assert files.remove(there, PARAMS)["changed"]
    with Scripted(kind(P, "FILE"), check_mode=True) as there:
        assert files.remove(there, PARAMS)["changed"]
    with Scripted(kind(P, "ABSENT")) as there:
        assert not files.remove(there, PARAMS)["changed"]
    with Scripted(kind(P, "DIRECTORY")) as there, pytest.raises(EventStoreError, match="found a directory"):
        files.remove(there, PARAMS)


def test_the_scripted_host_notices_what_is_not_expected_and_what_does_not_come() -> None:
    with pytest.raises(AssertionError), Scripted(kind(P, "FILE")) as there:
        there.remove(P)
    with pytest.raises(AssertionError, match="never came"), Scripted(kind(P, "FILE"), kind(P, "FILE")) as there:
        there.kind_of(P)
    with pytest.raises(AssertionError, match="nothing more"), Scripted() as there:
        there.kind_of(P)
    with pytest.raises(AnsibleError, match="x"), Scripted(put(NEW, b"", error="x")) as there:
        there.action._transfer_data(NEW, b"")
    assert host.ABSENT == "ABSENT"
