# SPDX-License-Identifier: GPL-3.0-or-later
"""No playbook shows a secret of the inventory: with -vvv and --diff, in what fails, and in the list of processes."""

from __future__ import annotations

import threading
import typing as t

import psutil
import pytest

from tests.lab_site import Site

NET = "127.0.93"
SECRETS = {
    "option": "PLANTED-option",
    "password": "PLANTED-pwd",
    "token": "PLANTED-token",
    "odd name": "PLANTED-odd",
    "url": "PLANTED-url",
}
VARIABLES: dict[str, t.Any] = {
    "eventstore_cluster_mode": "nodes",
    "eventstore_database_options": {"CertificatePassword": SECRETS["option"], "CertificateFile": "/etc/hostname"},
    "eventstore_environment": {
        "DB_PWD": SECRETS["password"],
        "APP_TOKEN": SECRETS["token"],
        "PLAIN": SECRETS["odd name"],
    },
}
STOP = ("-e", "stop_cluster=cluster1")


@pytest.fixture
def site(tmp_path, request: pytest.FixtureRequest) -> t.Iterator[Site]:
    """With the variables of the test, or with secrets of every kind; removed also where all plays are refused."""
    given = request.getfixturevalue("variables") if "variables" in request.fixturenames else VARIABLES
    made = Site(tmp_path, NET, **given)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def command_lines() -> t.Iterator[set[str]]:
    """Of every process that is seen while the test runs."""
    seen: set[str] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            seen.update(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    thread = threading.Thread(target=watch)
    thread.start()
    yield seen
    is_over.set()
    thread.join()


def shown(site: Site, playbook: str, *arguments: str, fails: bool = False) -> str:
    done = site.play(playbook, "-vvv", "--diff", *arguments)
    text = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, text
    return text


def leaks(text: str) -> list[str]:
    return [line[:300] for line in text.splitlines() if "PLANTED" in line]


PLAYS: list[tuple[str, ...]] = [
    ("site.yml", "--check"),
    ("site.yml",),
    ("playbooks/render.yml", "-e", "render_directory={folder}/render"),
    ("playbooks/rolling_restart.yml", "-e", "rolling_all=cluster1"),
    ("playbooks/status.yml",),
    ("playbooks/upgrade_plan.yml", "-e", "upgrade_to=4.1.4"),
    ("playbooks/recover.yml", "--check"),
    ("playbooks/stop.yml", *STOP),
    ("playbooks/start.yml",),
]


@pytest.mark.parametrize("plays", [PLAYS[1:2], pytest.param(PLAYS, marks=pytest.mark.slow)], ids=["site", "all"])
def test_no_playbook_shows_a_secret(site: Site, command_lines: set[str], plays: list[tuple[str, ...]]) -> None:
    texts = {play: shown(site, *(word.format(folder=site.folder) for word in play)) for play in plays}
    assert {play: leaks(text) for play, text in texts.items() if leaks(text)} == {}
    config = site.lab / "node1/config/database.yaml"
    assert SECRETS["option"] in config.read_text()
    assert {site.node("node1").environ()[name] for name in ("DB_PWD", "APP_TOKEN", "PLAIN")} == {
        SECRETS["password"],
        SECRETS["token"],
        SECRETS["odd name"],
    }
    config.unlink()
    (config / "x").mkdir(parents=True)  # in its place a directory: tasks fail
    for playbook, arguments in (("site.yml", ()), ("playbooks/remove.yml", STOP)):
        assert leaks(shown(site, playbook, *arguments, fails=True)) == []
    assert [line for line in command_lines if "PLANTED" in line] == []
    assert command_lines


@pytest.mark.parametrize(
    "variables",
    [
        {
            "eventstore_archive": f"https://me:{SECRETS['url']}@127.0.0.1:1/a.zip",
            "eventstore_environment": f"DB_PWD={SECRETS['password']}",
            "eventstore_database_options": f"CertificatePassword: {SECRETS['option']}",
        },
        {"eventstore_archive": f"https://{SECRETS['url']}@127.0.0.1:1/a.zip"},
        {"eventstore_database_options": {"CertificatePasword": SECRETS["option"]}},
        {"eventstore_database_options": {"CertificatePassword": [SECRETS["option"]]}},
    ],
)
def test_what_is_refused_is_not_shown(site: Site, variables: dict[str, object]) -> None:
    refused = shown(site, "site.yml", "--check", "-e", f"eventstore_archive_checksum=sha256:{'0' * 64}", fails=True)
    assert leaks(refused) == []
    assert all(name in refused for name in variables)


def test_a_password_in_an_address_is_not_sent_to_the_host(site: Site, tmp_path) -> None:
    book = tmp_path / "book.yml"
    book.write_text(f"""
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - eventstore.cluster.es_distribution:
        url: https://me:{SECRETS["url"]}@127.0.0.1:1/a.zip
        checksum: sha256:{"0" * 64}
        home: {tmp_path}/opt/3.4.0
""")
    assert leaks(shown(site, str(book), fails=True)) == []
