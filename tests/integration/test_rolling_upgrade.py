# SPDX-License-Identifier: GPL-3.0-or-later
"""rolling_upgrade.yml on a cluster that runs: plan, hop, failure and way back, resumed; told by curl and the files."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile

import pytest

from tests.lab_site import Site, changed, curl, has_full_cluster, wait_for
from tests.watcher import Watcher, Writer

NET = "127.0.98"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
UPGRADE = "playbooks/rolling_upgrade.yml"
OLD, NEW = "4.0.3", "4.1.4"
TO = ("-e", f"eventstore_version={NEW}")
WRONG = "4.1.3"  # the name under which an archive of 4.1.4 is given
TO_WRONG = ("-e", f"eventstore_version={WRONG}", "-e", f"upgrade_accept={WRONG}")
ACCEPT = (*TO, "-e", f"upgrade_accept={NEW}")
FULL_STOP = ("-e", "upgrade_shortest=true", "-e", f"upgrade_accept={OLD}", "-e", "stop_cluster=cluster1")


@pytest.fixture(scope="module", params=["managers", pytest.param("nodes", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    mode = request.param
    made = Site(tmp_path_factory.mktemp("upgrade"), NET, eventstore_version=OLD, eventstore_cluster_mode=mode)
    try:
        made.build(NEW)
        if mode == "managers":
            made.deploy()
        else:  # with managers: test_stop_start_recover.py
            made.build(OLD)
            made.deploy("-e", "eventstore_version=3.4.0")
            done = made.play("playbooks/full_stop_upgrade.yml", *FULL_STOP)
            assert done.returncode == 0, done.stdout + done.stderr
            assert versions() == dict.fromkeys(HOSTS, f"{OLD}.0")
        yield made
    finally:
        made.remove()


def versions() -> dict[str, str]:
    said = (curl(f"http://{address}/info") for address in NODES)
    return {host: json.loads(body)["esVersion"] if status else "" for host, (status, body) in zip(HOSTS, said)}


def text(output: str) -> str:
    return " ".join(output.split())


def state(site: Site) -> dict[str, object]:
    """All that an upgrade would change."""
    files = {
        str(path): path.read_bytes()
        for folder in ("config", "software")
        for path in site.lab.glob(f"node*/{folder}/**/*")
        if path.is_file()
    }
    return {"files": files, "pids": {each.pid for each in site.processes("")}}


SLOW = pytest.mark.slow
# What the planner says is the same without managers.
ONE_MODE = pytest.mark.parametrize("site", ["managers"], indirect=True)


@ONE_MODE
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            ("--check", *TO),
            0,
            ["Hop 1 of 1: 4.0.3 -> 4.1.4, rolling, slaves first, master last", "ONE WAY", "Stop all pro"],
        ),
        (TO, 2, ["what cannot be undone after it (1)", f"-e upgrade_accept={NEW}", "ONE WAY"]),
        pytest.param((*ACCEPT, "--limit", "node1"), 2, ["node2, node3 would be left out"], marks=SLOW),
        pytest.param(("-e", "eventstore_version=3.9.4"), 2, ["3.9.4 would be a downgrade"], marks=SLOW),
        pytest.param(
            ("-e", "eventstore_version=5.0.11"),
            2,
            ["is 2 hops away", "Set eventstore_version to 4.1.4 first"],
            marks=SLOW,
        ),
        (
            (*ACCEPT, "-e", '{"eventstore_database_options": {"SkipIndexVerfy": true, "Db2": "x"}}'),
            2,
            ["SkipIndexVerfy", "SkipIndexVerify", "Db2"],
        ),
    ],
    ids=["check", "not accepted", "limit", "downgrade", "two hops", "options"],
)
def test_what_is_only_said(site: Site, arguments: tuple[str, ...], status: int, words: list[str]) -> None:
    before = state(site)
    if "5.0.11" in str(arguments):
        site.build("5.0.11")
    if "3.9.4" in str(arguments):
        site.build("3.9.4")
    done = site.play(UPGRADE, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    for word in words:
        assert word in text(done.stdout), done.stdout
    assert state(site) == before


@pytest.mark.slow
@ONE_MODE
@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/rolling_restart.yml"])
def test_nothing_else_changes_the_version(site: Site, playbook: str) -> None:
    before = state(site)
    done = site.play(playbook, *TO)
    assert done.returncode != 0
    assert f"last ran {OLD}, but eventstore_version is {NEW}" in text(done.stdout)
    assert "rolling_upgrade" in done.stdout
    assert state(site) == before


@pytest.mark.slow
@ONE_MODE
def test_a_machine_that_fails_comes_back_on_its_old_version_and_the_roll_stops(site: Site) -> None:
    """Both slaves refuse, so whichever is first stops the roll."""
    for host in HOSTS:
        (site.lab / host / "data/lab-refuses").write_text(NEW)
    before = {host: (site.lab / host / "config/database.yaml").read_bytes() for host in HOSTS}
    option = ("-e", '{"eventstore_database_options": {"SkipIndexVerify": true}}')  # 4.0.3 would refuse it
    with Watcher(NODES) as watcher:
        done = site.play(UPGRADE, *ACCEPT, *option)
        wait_for(lambda: has_full_cluster(NET))
    assert done.returncode != 0
    assert "4.1.4 failed:" in text(done.stdout), done.stdout
    assert "runs 4.0.3 again with its files" in text(done.stdout)
    assert watcher.worst == 1, watcher.worst_nodes
    assert len({address for address, _from, _to in watcher.outages}) == 1
    assert set(versions().values()) == {"4.0.3.0"}
    assert {host: (site.lab / host / "config/database.yaml").read_bytes() for host in HOSTS} == before
    for host in HOSTS:
        (site.lab / host / "data/lab-refuses").unlink()


@pytest.fixture
def archive_of_another_version(site: Site):
    """The archive of 4.1.4 under the name of 4.1.3. Gives a function that leaves its top directory out."""
    new, wrong = (site.lab / f"EventStore-Lab-v{version}.zip" for version in (NEW, WRONG))

    def write(content: bytes) -> None:
        wrong.write_bytes(content)
        wrong.with_name(f"{wrong.name}.sha256").write_text(hashlib.sha256(content).hexdigest())

    def without_top() -> None:
        with zipfile.ZipFile(new) as named, zipfile.ZipFile(wrong, "w") as flat:
            flat.writestr("eventstored", named.read(f"EventStore-Lab-v{NEW}/eventstored"))
        write(wrong.read_bytes())

    write(new.read_bytes())
    yield without_top
    for path in (wrong, wrong.with_name(f"{wrong.name}.sha256")):
        path.unlink()
    for host in HOSTS:
        shutil.rmtree(site.lab / host / "software" / WRONG, ignore_errors=True)
        for path in (site.lab / host / "config").glob(f"*.{WRONG}"):
            path.unlink()


def test_an_archive_that_says_it_is_another_version_is_refused_before_anything_is_stopped(
    site: Site, archive_of_another_version
) -> None:
    del archive_of_another_version
    before = state(site)
    done = site.play(UPGRADE, *TO_WRONG)
    assert done.returncode != 0
    assert f"is the archive of another version: expected {WRONG}, found EventStore-Lab-v{NEW}" in text(done.stdout)
    assert state(site) == before


@pytest.mark.slow
def test_a_machine_that_runs_another_version_than_the_wanted_one_goes_back_and_the_roll_stops(
    site: Site, archive_of_another_version
) -> None:
    archive_of_another_version()
    before = {host: (site.lab / host / "config/database.yaml").read_bytes() for host in HOSTS}
    with Watcher(NODES) as watcher:
        done = site.play(UPGRADE, *TO_WRONG)
        wait_for(lambda: has_full_cluster(NET))
    assert done.returncode != 0
    said = text(done.stdout)
    assert f"{WRONG} failed:" in said, done.stdout
    assert f"the node answers as {NEW}.0, so the installed software has another version" in said
    assert f"runs {OLD} again with its files" in said
    assert len({address for address, _from, _to in watcher.outages}) == 1
    assert watcher.worst == 1, watcher.worst_nodes
    assert set(versions().values()) == {f"{OLD}.0"}
    assert {host: (site.lab / host / "config/database.yaml").read_bytes() for host in HOSTS} == before


def test_the_roll_takes_the_master_last_goes_on_where_it_stopped_and_loses_nothing(site: Site) -> None:
    """The master's machine refuses at first: the slaves are done by then, and stay as they are the second time.

    The second slave does not run: it comes first, as no other node can be done without before it is back.
    """
    master = next(host for host, address in zip(HOSTS, NODES) if '"master"' in curl(f"http://{address}/info")[1])
    (site.lab / master / "data/lab-refuses").write_text(NEW)
    slave = [host for host in HOSTS if host != master][1]
    with Watcher(NODES) as watcher, Writer(NODES) as writer:
        assert site.play("playbooks/stop.yml", "--limit", slave).returncode == 0
        failed = site.play(UPGRADE, *ACCEPT)
        wait_for(lambda: has_full_cluster(NET))
        assert failed.returncode != 0
        order = [HOSTS[NODES.index(address)] for address, _from, _to in watcher.outages]
        assert (order[0], order[-1]) == (slave, master)
        assert versions() == {host: "4.0.3.0" if host == master else "4.1.4.0" for host in HOSTS}
        done_before = {host: site.node(host).pid for host in HOSTS if host != master}
        (site.lab / master / "data/lab-refuses").unlink()
        done = site.play(UPGRADE, *ACCEPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "An upgrade was interrupted; hop 1 finishes it" in done.stdout
    assert set(versions().values()) == {"4.1.4.0"}
    assert {host: site.node(host).pid for host in done_before} == done_before
    assert watcher.worst == 1, watcher.worst_nodes
    assert len(writer.acknowledged) > 50
    for address in NODES:
        wait_for(lambda address=address: not writer.lost(address), 10)
    for host in HOSTS:  # the previous version stays, with its files
        assert (site.lab / host / "software" / OLD / "eventstored").exists()
        assert not (site.lab / host / "config/database.yaml.4.1.4").exists()
    print(f"longest gap between acknowledged appends {writer.longest_gap_s:.1f} s")


@ONE_MODE
def test_again_changes_nothing(site: Site) -> None:
    before = state(site)
    done = site.play(UPGRADE, *TO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cluster1 runs 4.1.4 on every node; there is nothing to do" in text(done.stdout)
    assert set(changed(done.stdout).values()) == {0}
    assert state(site) == before


@pytest.mark.slow  # after the upgrade of the same site
@pytest.mark.parametrize("site", ["nodes"], indirect=True)  # with managers: test_rolling.py
def test_a_rolling_restart_without_managers(site: Site) -> None:
    before = {host: site.node(host).pid for host in HOSTS}
    with Watcher(NODES) as watcher:
        done = site.play("playbooks/rolling_restart.yml", *TO, "-e", "rolling_all=cluster1")
        wait_for(lambda: has_full_cluster(NET))
    assert done.returncode == 0, done.stdout + done.stderr
    assert watcher.worst == 1, watcher.worst_nodes
    assert all(site.node(host).pid != pid for host, pid in before.items())
