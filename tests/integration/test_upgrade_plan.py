# SPDX-License-Identifier: GPL-3.0-or-later
"""upgrade_plan.yml on a cluster that runs: it asks, plans and refuses, and touches nothing."""

from __future__ import annotations

import hashlib
import signal
import typing as t

import pytest

from tests.lab_site import Site, changed, wait_for

NET = "127.0.95"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("upgrade_plan"), NET)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


def said(site: Site, *arguments: str) -> tuple[int, str]:
    done = site.play("playbooks/upgrade_plan.yml", *arguments)
    return done.returncode, " ".join(done.stdout.replace("- '", " ").replace("'", " ").split())


def machine_files(site: Site) -> dict[str, str]:
    """What an operator wrote and installed; logs and data grow by themselves."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("config", "software")
        for path in sorted(site.lab.glob(f"node*/{folder}/**/*"))
        if path.is_file()
    }


PLANS = [
    pytest.param(
        *("3.9.4", "from 3.4.0 to 3.9.4 in 1 hop, never all nodes down", ["Hop 1 of 1: 3.4.0 -> 3.9.4, rolling"]),
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "4.0.3",
        "from 3.4.0 to 4.0.3 in 2 hops, never all nodes down",
        ["Or in 1 hop, 1 of them with all nodes down: 3.4.0 -> 4.0.3 (stop all)"],
        marks=pytest.mark.slow,
    ),
    ("5.0.11", "from 3.4.0 to 5.0.11 in 4 hops", ["Stop all projections", "from 5.0.0 on: it writes version 2"]),
    pytest.param(
        *("20.10.6", "1 of them with all nodes down", ["Managers are gone", "is not managed by this collection"]),
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("target", "headline", "more"), PLANS)
def test_the_plan_of_what_runs(site: Site, target: str, headline: str, more: t.Sequence[str]) -> None:
    files, pids = machine_files(site), {each.pid for each in site.processes("")}
    status, output = said(site, "-e", f"upgrade_to={target}")
    assert status == 0, output
    for text in (headline, "Nothing was changed", *more):
        assert text in output
    assert (machine_files(site), {each.pid for each in site.processes("")}) == (files, pids)


@pytest.mark.slow
def test_check_mode_plans_just_the_same(site: Site) -> None:
    done = site.play("playbooks/upgrade_plan.yml", "--check", "-e", "upgrade_to=5.0.11")
    assert done.returncode == 0, done.stdout
    assert "Hop 4 of 4: 4.1.4 -> 5.0.11" in done.stdout
    assert set(changed(done.stdout).values()) == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-e", "upgrade_to=3.3.0"], "3.3.0 would be a downgrade"),
        (["-e", "upgrade_to=nonsense"], "expected a release such as 5.0.11"),
        ([], "upgrade_to: expected a release such as 5.0.11"),
    ],
)
def test_refused(site: Site, arguments: list[str], text: str) -> None:
    status, output = said(site, *arguments)
    assert status == 2
    assert text in output
    assert "Hop" not in output


@pytest.mark.slow
def test_refused_while_a_node_does_not_answer(site: Site) -> None:
    manager, node = site.manager("node3"), site.node("node3")
    manager.send_signal(signal.SIGSTOP)  # or it would start the node again
    node.send_signal(signal.SIGSTOP)
    try:
        status, output = said(site, "-e", "upgrade_to=5.0.11")
    finally:
        node.send_signal(signal.SIGCONT)
        manager.send_signal(signal.SIGCONT)
    assert status == 2
    assert f"missing: node3/database ({NET}.13:2113)" in output
    assert "no-answer" in output
    assert "Hop" not in output
    wait_for(lambda: said(site, "-e", "upgrade_to=5.0.11")[0] == 0)
