# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a Windows host's answers, and what is left when it says no in between."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError, HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.wanted import Desired
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import files, host, writing
from tests.unit.plugin_utils.windows.scripted import (
    Scripted,
    Step,
    content,
    copied,
    done,
    gone,
    kind,
    put,
    ran,
    refused,
    said,
)

P = "c:\\EventStore-Config\\manager.yaml"
NEW = f"{P}.es-new"
OLD = f"{P}.es-old"
SECOND = "c:\\EventStore-Config\\database.yaml"
DENIED = "ERROR:-2147024891|Access to the path is denied."


@pytest.mark.parametrize(
    ("transport", "is_plain"), [("winrm", True), ("ansible.builtin.winrm", True), ("psrp", False), ("ssh", False)]
)
def test_only_winrm_gets_the_text_itself(transport: str, is_plain: bool) -> None:
    text = script.together([script.run("whoami.exe")])
    answer = "ES1:RVMxOlJDOjA=\r\n"  # ES1:RC:0
    with Scripted(Step(text if is_plain else script.encoded(text), answer), transport=transport) as there:
        assert there.run("whoami.exe") == (0, "")


def test_a_program_that_is_not_there_is_named() -> None:
    with (
        Scripted(gone("netsh.exe", "x")) as there,
        pytest.raises(HostError, match=r"^win1: netsh.exe does not exist"),
    ):
        there.run("netsh.exe", "x")


@pytest.mark.parametrize("stdout", ["", "all is well", "ES1:RC:", " ES1:RC:0", "ES1:RVMx\nES1:RVMx"])
def test_an_answer_without_its_end_is_a_failure_that_shows_what_came(stdout: str) -> None:
    with Scripted(Step(script.together([script.run("a.exe", "b c")]), stdout, rc=7)) as there:
        with pytest.raises(HostError, match="It is not known whether anything was changed") as refused:
            there.run("a.exe", "b c")
        assert "win1, & 'a.exe' 'b c'" in str(refused.value)
        assert "exit code 7" in str(refused.value)
        assert (repr(stdout.strip()) if stdout else "no output") in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("ERROR:-2146232800|No room.", "No room"),
        ("SID:S-1-5-19", "expected the answer OK, got SID"),
        ("OK\nES1:OK", "did not finish the script"),
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
            with pytest.raises(HostError, match="Nothing was changed"):
                there.change("net.exe", "start", value)


def test_a_directory_in_the_place_of_a_file_is_refused() -> None:
    with Scripted(said(script.read_file(P), "DIRECTORY")) as there, pytest.raises(HostError, match="found a directory"):
        there.read(P)


def test_what_is_asked_ahead_is_asked_in_one_start_and_given_once() -> None:
    steps = [kind(P, "FILE"), content(NEW, b"x"), ran("whoami.exe", out="me"), kind(P, "ABSENT")]
    scripted = Scripted(*steps, ahead=True)
    with scripted as there:
        there.prefetch(*(step.sent for step in steps[:3]), steps[0].sent)
        assert (there.read(NEW), there.run("whoami.exe").output, there.kind_of(P)) == (b"x", "me", "FILE")
        assert scripted.starts == 1
        assert there.kind_of(P) == "ABSENT"
    assert scripted.starts == 2


def test_a_change_drops_what_was_asked_ahead_and_brings_what_was_asked_with_it() -> None:
    start = ran("net.exe", "start", "x")
    steps = [kind(P, "FILE"), start, kind(NEW, "FILE"), kind(P, "ABSENT"), *done(script.remove(P)), kind(NEW, "ABSENT")]
    with Scripted(*steps, ahead=True) as there:
        there.prefetch(kind(P, "").sent)
        there.change_all([["net.exe", "start", "x"]], then=[kind(NEW, "").sent])
        assert there.kind_of(P) == "ABSENT"
        there.remove(P)
        assert there.kind_of(NEW) == "ABSENT"


def test_what_another_program_holds_is_tried_again_for_a_time(clock: list[float]) -> None:
    text = script.move("c:\\a", "c:\\b")
    for number in script.BUSY:
        with Scripted(refused(text, number), refused(text, number), *done(text)) as there:
            there.move("c:\\a", "c:\\b")
    assert 0 < clock[0] < host.HELD_S
    with Scripted(refused(text, 32, "in use", again=True)) as there, pytest.raises(HostError, match=r"in use.*scanner"):
        there.move("c:\\a", "c:\\b")
    assert clock[0] >= host.HELD_S
    before = clock[0]
    with Scripted(refused(text, 183, "exists")) as there, pytest.raises(HostError, match="exists"):
        there.move("c:\\a", "c:\\b")
    assert clock[0] == before


# -- writing -----------------------------------------------------------------------------------------------------------

REPLACE = script.replace([(NEW, P, OLD)], keep=False)
BACK = script.replace([(OLD, P, f"{P}.es-set")], keep=False)
FORGET = done(script.remove(NEW, f"{P}.es-set"))

# What was there, what comes after the new content was put, and what is said of the file then.
TEST_FAILED_WRITES: list[tuple[str, str, list[Step], str]] = [
    ("the old one is in use", "FILE", [content(P, b"old"), *FORGET], "is unchanged"),
    ("nothing was there", "ABSENT", [content(P, None), *FORGET], "does not exist, as before"),
    ("it is gone, and kept", "FILE", [content(P, None), kind(OLD, "FILE"), *done(BACK), *FORGET], "is unchanged"),
    ("it is gone", "FILE", [content(P, None), kind(OLD, "ABSENT")], f"are both gone: its new content is in {NEW}"),
    ("nothing can be seen", "FILE", [refused(script.read_file(P), 5)], "could not be read"),
    (
        "it cannot come back",
        "FILE",
        [content(P, None), kind(OLD, "FILE"), refused(BACK, 183, "odd")],
        "could not be read",
    ),
]


def escaped(text: str) -> str:
    return re.escape(text)


@pytest.mark.parametrize(("_name", "before", "after", "told"), TEST_FAILED_WRITES)
def test_after_a_failed_write_only_what_was_looked_at_is_said(
    _name: str, before: str, after: list[Step], told: str
) -> None:
    steps = [kind(P, before), put(NEW, b"x"), refused(REPLACE, 183, "odd"), *after]
    with Scripted(*steps) as there, pytest.raises(HostError, match=f"cannot be written: .*odd.*{escaped(told)}"):
        writing.write(there, {P: b"x"})


@pytest.mark.parametrize(("before", "found", "told"), [("FILE", b"old", "is unchanged"), ("ABSENT", None, "not exist")])
def test_a_content_that_does_not_come_changes_nothing(before: str, found: bytes | None, told: str) -> None:
    steps = [kind(P, before), put(NEW, b"x", error="disk full"), content(P, found), *FORGET]
    with Scripted(*steps) as there, pytest.raises(HostError, match=f"disk full.*{told}"):
        writing.write(there, {P: b"x"})


def test_a_write_that_was_done_in_spite_of_its_error_is_none() -> None:
    with Scripted(kind(P, "FILE"), put(NEW, b"x"), refused(REPLACE, 183), content(P, b"x")) as there:
        assert writing.write(there, {P: b"x"}) == {P: None}


def test_of_two_files_the_first_is_taken_back_where_the_second_cannot_be_replaced() -> None:
    bundle = f"{P}.es-set"
    places = [(f"{path}.es-new", path, f"{path}.es-old") for path in (P, SECOND)]
    replace = script.replace(places, keep=False)
    began = [
        *(kind(P, "FILE"), kind(SECOND, "ABSENT"), put(bundle, b"eA==\r\neQ==\r\n")),
        *done(script.split(bundle, [place[0] for place in places])),
    ]
    after = [
        *(refused(replace, 183, "odd"), content(P, b"x"), content(SECOND, None)),
        *(kind(OLD, "FILE"), *done(BACK), *FORGET, *done(script.remove(f"{SECOND}.es-new", f"{SECOND}.es-set"))),
    ]
    both = {P: b"x", SECOND: b"y"}
    with Scripted(*began, *after) as there, pytest.raises(HostError) as failed:
        writing.write(there, both)
    assert f"{P} is unchanged; {SECOND} does not exist, as before" in str(failed.value)
    with Scripted(*began, *done(replace)) as there:
        assert writing.write(there, both) == {P: None, SECOND: None}
    came = [kind(P, "ABSENT"), kind(SECOND, "ABSENT"), began[2], began[3], refused(replace, 183)]
    gone_ = [content(P, b"x"), content(SECOND, None), *done(script.remove(P)), *FORGET, after[-1]]
    with Scripted(*came, *gone_) as there, pytest.raises(HostError, match="does not exist, as before"):
        writing.write(there, both)
    assert writing.write(there, {}) == {}


def test_a_backup_is_the_file_that_was_there_under_a_name_with_the_time() -> None:
    class Timed(str):
        """A text with the time of the backup in it."""

        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return re.sub(r"\.\d{8}-\d{6}~", ".TIME~", str(other)) == str(self)

    kept = f"{P}.TIME~"
    replace = Step(Timed(script.replace([(NEW, P, kept)], keep=True)), "ES1:OK")
    for found, has_backup in (("FILE", True), ("ABSENT", False)):
        look = Step(Timed(script.kind_of(kept)), f"ES1:{found}")
        with Scripted(kind(P, found), put(NEW, b"x"), replace, look) as there:
            backup = writing.write(there, {P: b"x"}, backup=True)[P]
            assert (backup is not None) == has_backup
            assert not backup or backup.startswith(f"{P}.2")


def test_a_file_that_does_not_come_leaves_nothing(tmp_path) -> None:
    steps = [copied(tmp_path, P, error="broken pipe"), *done(script.remove(P))]
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
    write = [kind(P, "ABSENT"), put(NEW, b"a: \xc3\xbc\r\nb: 2\r\n"), *done(REPLACE)]
    for who, warnings in (("LS", 0), ("BA", 1)):
        may = said(script.permissions(P), f"SDDL:D:(A;;FA;;;{who})")
        with Scripted(kind(directory, "DIRECTORY"), *write, may) as there:
            (result,) = files.replace(there, both[:1], backup=False)
        assert (result["changed"], len(result["warnings"]), "backup_file" in result) == (True, warnings, False)
    for found in ("ABSENT", "FILE"):
        steps = [kind(directory, "DIRECTORY"), kind("d:\\other", found)]
        with Scripted(*steps) as there, pytest.raises(EventStoreError, match="Nothing was written"):
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
    with pytest.raises(EventStoreError, match=f"^{re.escape(P)}: {option}: files on Windows do not have this"):
        files.refuse_posix({**PARAMS, option: value})


def test_removing() -> None:
    with Scripted(kind(P, "FILE"), *done(script.remove(P))) as there:
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
