# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that a changed path, an emptied directory or a disk that is away would lose; told by curl and the files."""

from __future__ import annotations

import json
import shutil
import uuid

import psutil
import pytest

from tests.lab_site import Site, append, changed, has_full_cluster, stored, wait_for

NET = "127.0.120"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
STOP = ("playbooks/stop.yml", "-e", "stop_cluster=cluster1")
KEEPS = pytest.mark.usefixtures("event")
# The rule is the same without managers; who starts a node is not.
ONE_MODE = pytest.mark.parametrize("site", ["managers"], indirect=True)
MOVED = ("-e", '{"eventstore_data_dir": "{{ lab_machine }}/moved"}')


@pytest.fixture(scope="module", params=["managers", pytest.param("nodes", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("data"), NET, eventstore_cluster_mode=request.param)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.fixture
def event(site: Site):
    """An acknowledged event of the running cluster; it is there afterwards, whatever happened."""
    wait_for(lambda: has_full_cluster(site.net))
    written = str(uuid.uuid4())
    wait_for(lambda: append(NODES[0], written) == 201)
    wait_for(lambda: all(written in stored(address) for address in NODES))
    yield written
    wait_for(lambda: has_full_cluster(site.net))
    wait_for(lambda: all(written in stored(address) for address in NODES))


def text(output: str) -> str:
    return " ".join(output.split())


def configurations(site: Site) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in site.lab.glob("node*/config/*")}


def pids(site: Site) -> set[int]:
    return {each.pid for each in site.processes("")}


def lose_power(site: Site, *hosts: str) -> None:
    lost = [each for each in site.processes("") if any(f"/{host}/" in " ".join(each.cmdline()) for host in hosts)]
    for process in lost:
        process.kill()
    psutil.wait_procs(lost, timeout=10)


def refused(site: Site, *arguments: str, words: tuple[str, ...]) -> None:
    """A play that fails, changes no file and starts and stops nothing."""
    before = configurations(site), pids(site)
    done = site.play(*arguments)
    assert done.returncode != 0, done.stdout + done.stderr
    for word in words:
        assert word in text(done.stdout), done.stdout
    assert (configurations(site), pids(site)) == before


@KEEPS
def test_a_deployment_notes_where_the_data_are(site: Site) -> None:
    for host in HOSTS:
        assert (site.lab / host / "config/database.yaml.data").read_text() == f"{site.lab}/{host}/data\n"
    again = site.deploy()
    assert set(changed(again.stdout).values()) == {0}, again.stdout


@KEEPS
@ONE_MODE
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"eventstore_data_dir": "{{ lab_machine }}/new"}, ("/node1/new now, which has no database", "mv ")),
        ({"eventstore_environment": {"EVENTSTORE_MEM_DB": "true"}}, ("MemDb is true",)),
    ],
    ids=["data_dir", "memory"],
)
def test_a_changed_path_is_refused_before_anything_is_written(site: Site, variables, words) -> None:
    data = site.lab / "node1/data"
    known = ("node1: the data of database would be left behind", f"they are in {data} (", "start_empty=")
    refused(site, "site.yml", "-e", json.dumps(variables), words=(*known, *words))
    assert not (site.lab / "node1/new").exists()


@pytest.mark.slow
@KEEPS
@ONE_MODE
def test_an_index_that_would_be_left_behind_is_refused(site: Site) -> None:
    (site.lab / "node2/data/index").mkdir()
    (site.lab / "node2/data/index/indexmap").write_text("000000\n1\n")
    variables = ("-e", '{"eventstore_database_options": {"Index": "{{ lab_machine }}/fast"}}')
    refused(site, "site.yml", *variables, words=("node2: the index of database would be left behind", "/node2/fast"))
    shutil.rmtree(site.lab / "node2/data/index")


@pytest.mark.slow
@ONE_MODE
def test_data_that_were_moved_are_found_at_the_new_place(site: Site, event: str) -> None:
    assert site.play(*STOP).returncode == 0
    for host in HOSTS[:2]:
        (site.lab / host / "data").rename(site.lab / host / "moved")
    refused(site, "site.yml", *MOVED, words=("node3: the data of database would be left behind",))
    (site.lab / "node3/data").rename(site.lab / "node3/moved")
    site.deploy(*MOVED)
    assert (site.lab / "node1/config/database.yaml.data").read_text() == f"{site.lab}/node1/moved\n"
    again = site.deploy(*MOVED)
    assert set(changed(again.stdout).values()) == {0}, again.stdout
    wait_for(lambda: all(event in stored(address) for address in NODES))
    assert site.play(*STOP).returncode == 0
    for host in HOSTS:
        (site.lab / host / "moved").rename(site.lab / host / "data")
    site.deploy()


@pytest.mark.slow
@KEEPS
def test_a_file_that_something_else_has_changed_is_refused_at_the_restart_and_at_the_start(site: Site) -> None:
    path = site.lab / "node3/config/database.yaml"
    kept = path.read_text()
    path.write_text(kept.replace(f"{site.lab}/node3/data", f"{site.lab}/node3/new"))
    left_behind = (f"they are in {site.lab}/node3/data (", f"Db is {site.lab}/node3/new now, which has no database")
    roll = ("playbooks/rolling_restart.yml", "--limit", "node3", "-e", "rolling_all=cluster1")
    refused(site, *roll, words=("es-cluster1", "cannot be started", *left_behind))
    assert site.play(*STOP, "--limit", "node3").returncode == 0
    refused(site, "playbooks/start.yml", words=left_behind)
    path.write_text(kept)
    assert site.play("playbooks/start.yml").returncode == 0


@KEEPS
def test_never_do_all_nodes_come_up_empty(site: Site) -> None:
    """As after a boot without the disks."""
    lose_power(site, *HOSTS)
    for host in HOSTS:
        (site.lab / host / "data").rename(site.lab / host / "disk")
        (site.lab / host / "data").mkdir()
    missing = ("database had its data in", "Mount the disk")
    refused(site, "playbooks/start.yml", words=missing)
    refused(site, "site.yml", words=("node1: database had its data in", "node3: database had its data in", *missing))
    all_empty = ("-e", "start_empty=node1,node2,node3")
    refused(
        site,
        "playbooks/start.yml",
        *all_empty,
        words=("0 of 3 nodes are in sync", "playbook eventstore.cluster.recover"),
    )
    refused(site, "playbooks/recover.yml", words=("0 of 3 nodes have data",))
    for host in HOSTS:
        shutil.rmtree(site.lab / host / "data", ignore_errors=True)
        (site.lab / host / "disk").rename(site.lab / host / "data")
    assert site.play("playbooks/start.yml").returncode == 0


def test_one_machine_with_a_new_disk_is_filled_from_the_others_when_it_is_named(site: Site, event: str) -> None:
    lose_power(site, "node2")
    shutil.rmtree(site.lab / "node2/data")
    (site.lab / "node2/data").mkdir()
    refused(site, "site.yml", words=("node2: database had its data in", "start_empty="))
    refused(site, "site.yml", "-e", "start_empty=node1", words=("node2: database had its data in",))
    site.deploy("-e", "start_empty=node2")
    wait_for(lambda: event in stored(NODES[1]))
    assert (site.lab / "node2/config/database.yaml.data").read_text() == f"{site.lab}/node2/data\n"
    again = site.deploy()
    assert set(changed(again.stdout).values()) == {0}, again.stdout


@pytest.mark.slow
@ONE_MODE
def test_removed_services_leave_the_note_and_removed_data_take_it_along(site: Site) -> None:
    assert site.play("playbooks/remove.yml", "-e", "stop_cluster=cluster1").returncode == 0
    refused(site, "site.yml", *MOVED, words=("node1: the data of database would be left behind",))
    assert site.play("playbooks/remove.yml", "-e", "database_remove_data=cluster1").returncode == 0
    assert not list(site.lab.glob("node*/config/*.data"))
    site.deploy(*MOVED)
