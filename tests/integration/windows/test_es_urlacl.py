# SPDX-License-Identifier: GPL-3.0-or-later
"""es_urlacl against the stand-in's netsh: over winrm, psrp and ssh, in three languages, and with what goes wrong."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest

from tests.doubles.windows import cmdlets
from tests.integration.windows.machines import Ansible, Windows

NET = "127.0.103"
URL = "http://192.168.1.11:{}/"
URLS = [URL.format(port) for port in (2112, 2113, 30777, 30778)]
LS = "D:(A;;GX;;;LS)"
OTHER = "S-1-5-21-1004336348-1177238915-682003330-1105"
ACCOUNTS = {"CONTOSO\\O'Hara; $x": OTHER}
WAYS = {"winrm": "en", "psrp": "de", "ssh": "it"}
STRANGER = {"http://+:80/Temporary_Listen_Addresses/": "D:(A;;GX;;;WD)"}


def es_urlacl(check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    return {"eventstore.cluster.es_urlacl": arguments, "check_mode": check, "diff": True}


LIFE = {
    "check": es_urlacl(check=True, urls=URLS),
    "run": es_urlacl(urls=URLS),
    "check again": es_urlacl(check=True, urls=URLS),
    "run again": es_urlacl(urls=URLS),
    "same in other words": es_urlacl(urls=[url.upper().replace("HTTP", "http")[:-1] for url in URLS], user="S-1-5-19"),
    "same descriptor": es_urlacl(urls=URLS, sddl="D:(A;;0x20000000;;;S-1-5-19)"),
    "other account": es_urlacl(url=URLS[0], user="CONTOSO\\O'Hara; $x", delegate=True),
    "unknown account": es_urlacl(url=URLS[0], user="CONTOSO\\nobody"),
    "check remove": es_urlacl(check=True, urls=URLS, state="absent"),
    "remove": es_urlacl(urls=URLS, state="absent"),
    "remove again": es_urlacl(urls=URLS, state="absent"),
    "runas": {**es_urlacl(urls=URLS), "become": True, "become_method": "runas", "become_user": "SYSTEM"},
}
CHANGED = ("check", "run", "other account", "check remove", "remove")
ADDS = [["netsh.exe", "http", "add", "urlacl", f"url={url}", f"sddl={LS}"] for url in URLS]
OTHERS = f"D:(A;;GA;;;{OTHER})"
DELETES = [["netsh.exe", "http", "delete", "urlacl", f"url={url}"] for url in URLS]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory):
    """The machines and the result of each step on each."""
    folder = tmp_path_factory.mktemp("life")
    with contextlib.ExitStack() as stack:
        machines = {
            # A console over ssh has a code page of its own, in which an umlaut is another byte.
            way: stack.enter_context(
                Windows(folder / way, way, f"{NET}.{last}", locale=locale, accounts=ACCOUNTS, code_page="cp850")
            )
            for last, (way, locale) in enumerate(WAYS.items(), start=11)
        }
        for machine in machines.values():
            machine.machine.write("urlacl", STRANGER)
        results = Ansible(folder / "ansible").tasks(machines, list(LIFE.values()))
        yield machines, {way: dict(zip(LIFE, results[way])) for way in machines}


@pytest.mark.parametrize("way", WAYS)
def test_only_what_differs_changes(life: t.Any, way: str) -> None:
    machines, results = life
    assert machines[way].refused() == []
    failed = {step: result.get("msg") for step, result in results[way].items() if result.get("failed")}
    assert list(failed) == ["unknown account", "runas"]
    assert f"{way}: become has no effect on a Windows host. Nothing was changed" in failed["runas"]
    assert [step for step, result in results[way].items() if result.get("changed")] == list(CHANGED)


@pytest.mark.parametrize("way", WAYS)
def test_netsh_gets_the_commands_of_the_page_and_no_others(life: t.Any, way: str) -> None:
    machines, results = life
    replaced = [DELETES[0], [*ADDS[0][:-1], f"sddl={OTHERS}"]]
    assert machines[way].changes() == [*ADDS, *replaced, *DELETES]
    assert machines[way].urlacl == STRANGER
    shown = [" ".join(command) for command in ADDS]
    assert results[way]["check"]["commands"] == results[way]["run"]["commands"] == shown


@pytest.mark.parametrize("way", WAYS)
def test_check_mode_shows_what_the_run_does(life: t.Any, way: str) -> None:
    _machines, results = life
    diff = {"before": "", "after": "".join(f"{url} {LS}\n" for url in URLS)}
    assert results[way]["check"]["diff"] == results[way]["run"]["diff"] == diff
    other = results[way]["other account"]["diff"]
    assert other == {"before": f"{URLS[0]} {LS}\n", "after": f"{URLS[0]} {OTHERS}\n"}


@pytest.mark.parametrize("way", WAYS)
def test_an_account_that_nobody_has_is_named(life: t.Any, way: str) -> None:
    machines, results = life
    told = results[way]["unknown account"]["msg"]
    assert "CONTOSO\\nobody" in told
    assert cmdlets.ACCOUNT_UNKNOWN[machines[way].settings["locale"]] in told  # whole, with umlauts and accents


# What is wrong with the machine, what is said of it, and what is reserved afterwards.
OLD = {URLS[0]: "D:(A;;GX;;;WD)"}
FAULTS: dict[str, tuple[str, dict[str, t.Any], tuple[str, ...], dict[str, str]]] = {
    "not elevated": ("winrm", {"elevated": False, "locale": "de"}, ("administrator", "elevated", URLS[0]), OLD),
    "no netsh": ("psrp", {"missing": ["netsh.exe"]}, ("netsh.exe does not exist",), OLD),
    "no netsh over ssh": ("ssh", {"missing": ["netsh.exe"], "locale": "it"}, ("netsh.exe does not exist",), OLD),
    "the new one is refused": ("winrm", {"refuse_add": "LS"}, ("It is unchanged", URLS[0]), OLD),
    "noise": ("winrm", {"noise": "WARNING: http://policy.example:80/ SDDL"}, (), {URLS[0]: LS}),
    "noise that lies": ("psrp", {"noise": "ES1:RC:5"}, (), {URLS[0]: LS}),
    "umlauts lost": ("winrm", {"umlauts_lost": True, "locale": "de"}, (), {URLS[0]: LS}),
    "slow": ("psrp", {"delay_s": {"netsh.exe": 1.2}}, (), {URLS[0]: LS}),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("faults")
    names = {name: name.replace(" ", "_") for name in FAULTS}
    with contextlib.ExitStack() as stack:
        machines = {}
        for last, (name, (way, settings, _words, _after)) in enumerate(FAULTS.items(), start=31):
            machine = stack.enter_context(Windows(folder / names[name], way, f"{NET}.{last}", **settings))
            machine.machine.write("urlacl", OLD)
            machines[names[name]] = machine
        ansible = Ansible(folder / "ansible")
        done = ansible.tasks(machines, [es_urlacl(url=URLS[0])], "-e", "ansible_psrp_operation_timeout=1")
        yield {name: (machines[names[name]], done[names[name]][0]) for name in FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_or_does_not_matter_and_nothing_is_lost(faults: t.Any, fault: str) -> None:
    machine, result = faults[fault]
    _way, _settings, words, after = FAULTS[fault]
    assert machine.refused() == []
    assert bool(result.get("failed")) == bool(words), result
    assert [word for word in words if word not in result["msg"]] == [] if words else True
    assert machine.urlacl == after


REFUSED = [
    {"url": "http://192.168.1.11/"},
    {"url": "http://192.168.1.11:0/"},
    {"url": "http://192.168.1.11:2112/?x"},
    {"url": "http://h\u00f6st:2112/"},
    {"url": "http://a b:2112/"},
    {"url": 'http://a":2112/'},
    {"url": "ftp://a:2112/"},
    {"url": "http://a:2112/", "user": 'A"B'},
    {"url": "http://a:2112/", "user": "A\nB"},
    {"url": "http://a:2112/", "user": "A\u2019B"},
    {"url": "http://a:2112/", "user": "A\u202eB"},
    {"url": "http://a:2112/", "sddl": "D:(A;;GX;;;LS) x"},
    {"url": "http://a:2112/", "listen": False},
    {"url": "http://a:2112/", "become": True},
    {"url": "http://a:2112/", "urls": ["http://a:2112/"]},
    {},
]


def test_bad_values_are_refused_before_anything_is_sent(tmp_path: pathlib.Path) -> None:
    tasks = []
    for arguments in REFUSED:
        become = {"become": True, "become_method": "runas", "become_user": "SYSTEM"} if "become" in arguments else {}
        given = {name: value for name, value in arguments.items() if name != "become"}
        tasks.append({**es_urlacl(**given), **become})
    with Windows(tmp_path / "machine", "psrp-basic", f"{NET}.60") as machine:
        results = Ansible(tmp_path / "ansible").tasks({"win": machine}, tasks)["win"]
        assert [result.get("failed") for result in results] == [True] * len(REFUSED)
        assert (machine.changes(), machine.refused(), machine.urlacl) == ([], [], {})
        assert all(result["msg"] for result in results)
