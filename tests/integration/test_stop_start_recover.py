# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole cluster at once: stopped and started in order, recovered without quorum, upgraded where it cannot roll."""

from __future__ import annotations

import json
import shutil
import signal
import uuid

import psutil
import pytest

from tests.lab_site import Site, append, changed, curl, has_full_cluster, stored, wait_for
from tests.watcher import Watcher, Writer

NET = "127.0.99"
HOSTS = ("node1", "node2", "node3")
NODES = [f"{NET}.{last}:2113" for last in (11, 12, 13)]
STOP = ("playbooks/stop.yml", "-e", "stop_cluster=cluster1")
NEW = "4.0.3"
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("all"), NET)
    try:
        for version in (NEW, "3.9.4"):
            made.build(version)
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.fixture
def stopped(site: Site) -> Site:
    """All machines at once have lost their power."""
    lost = [*site.processes("es-manager.pyz"), *site.processes("eventstored")]
    for process in lost:
        process.kill()
    psutil.wait_procs(lost, timeout=10)
    assert not site.processes("eventstored")
    return site


def master() -> str:
    return next(address for address in NODES if '"master"' in curl(f"http://{address}/info")[1])


def start(site: Site) -> None:
    done = site.play("playbooks/start.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: has_full_cluster(NET))


def text(output: str) -> str:
    return " ".join(output.split())


def test_stop_takes_the_master_last_and_start_brings_all_back(site: Site) -> None:
    event, last = str(uuid.uuid4()), master()
    assert append(NODES[0], event) == 201
    with Watcher(NODES) as watcher:
        done = site.play(*STOP)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for(lambda: all(watcher.is_down(address) for address in NODES))
        assert watcher.since(last) == max(map(watcher.since, NODES))
    assert not site.processes("eventstored")
    start(site)
    wait_for(lambda: all(event in stored(address) for address in NODES), 10)


def test_recover_explains_and_starts_the_highest_first(stopped: Site) -> None:
    """node1 lacks what the others have acknowledged, and comes last."""
    assert stopped.play("playbooks/start.yml", "--limit", "node2,node3").returncode == 0
    event = str(uuid.uuid4())
    wait_for(lambda: append(NODES[1], event) == 201)
    assert stopped.play(*STOP).returncode == 0
    told = stopped.play("playbooks/recover.yml", "--check")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "bytes less than node" in text(told.stdout)
    assert not stopped.processes("eventstored")
    done = stopped.play("playbooks/recover.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: has_full_cluster(NET))
    born = {host: stopped.node(host).create_time() for host in HOSTS}
    assert max(born, key=lambda host: born[host]) == "node1", (born, done.stdout)
    wait_for(lambda: event in stored(NODES[0]), 10)
    again = stopped.play("playbooks/recover.yml")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "has quorum; there is nothing to recover" in text(again.stdout)
    assert set(changed(again.stdout).values()) == {0}


@pytest.mark.slow
def test_recover_starts_an_emptied_node_after_the_others(stopped: Site) -> None:
    shutil.rmtree(stopped.lab / "node2/data")
    (stopped.lab / "node2/data").mkdir()
    done = stopped.play("playbooks/recover.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node2/database: does not answer, NO DATA" in text(done.stdout)
    wait_for(lambda: has_full_cluster(NET))
    born = {host: stopped.node(host).create_time() for host in HOSTS}
    assert max(born, key=lambda host: born[host]) == "node2"


def test_recover_refuses_what_could_lose_acknowledged_writes(stopped: Site) -> None:
    """Two emptied nodes and one with data would make a quorum, that of the emptied ones alone too."""
    for host in ("node1", "node2"):
        (stopped.lab / host / "data").rename(stopped.lab / host / "kept")
        (stopped.lab / host / "data").mkdir()
    refused = stopped.play("playbooks/recover.yml")
    assert refused.returncode != 0
    assert "1 of 3 nodes have data, but a majority is needed" in text(refused.stdout)
    assert "node1/database (no data), node2/database (no data)" in text(refused.stdout)
    assert not stopped.processes("eventstored")
    for host in ("node1", "node2"):
        (stopped.lab / host / "data").rmdir()
        (stopped.lab / host / "kept").rename(stopped.lab / host / "data")
    limited = stopped.play("playbooks/recover.yml", "--limit", "node3")
    assert "node1/database (machine unreachable), node2/database (machine unreachable)" in text(limited.stdout)
    assert not stopped.processes("eventstored")
    start(stopped)


# The way of two hops rolls; where 3.9.4 is not wanted, the document of 4.0.0 stops all.
UPGRADE = "playbooks/full_stop_upgrade.yml"
TO = ("-e", f"eventstore_version={NEW}", "-e", "upgrade_shortest=true")
ACCEPT = (*TO, "-e", f"upgrade_accept={NEW}")
NAMED = (*ACCEPT, "-e", "stop_cluster=cluster1")


def versions() -> dict[str, str]:
    said = (curl(f"http://{address}/info") for address in NODES)
    return {host: json.loads(body)["esVersion"] if status else "" for host, (status, body) in zip(HOSTS, said)}


def configurations(site: Site) -> dict[str, bytes]:
    return {host: (site.lab / host / "config/database.yaml").read_bytes() for host in HOSTS}


@pytest.mark.parametrize(
    ("playbook", "arguments", "status", "words"),
    [
        pytest.param(
            *(UPGRADE, ("--check", *TO), 0, ["Hop 1 of 1: 3.4.0 -> 4.0.3, STOP ALL nodes", "ONE WAY"]), marks=SLOW
        ),
        (UPGRADE, TO, 2, ["type its name: -e stop_cluster=cluster1"]),
        pytest.param(UPGRADE, (*TO, "-e", "stop_cluster=cluster1"), 2, [f"-e upgrade_accept={NEW}"], marks=SLOW),
        pytest.param(UPGRADE, (*NAMED, "--limit", "node1"), 2, ["node2, node3 would be left out"], marks=SLOW),
        pytest.param(
            *(UPGRADE, ("-e", "eventstore_version=3.9.4", *STOP[1:]), 2),
            ["this hop can roll", "Run playbook eventstore.cluster.rolling_upgrade"],
            marks=SLOW,
        ),
        ("playbooks/rolling_upgrade.yml", NAMED, 2, ["this hop cannot roll", "eventstore.cluster.full_stop_upgrade"]),
    ],
    ids=["check", "not named", "not accepted", "limit", "rolls", "cannot roll"],
)
def test_what_a_full_stop_only_says(
    site: Site, playbook: str, arguments: tuple[str, ...], status: int, words: list[str]
) -> None:
    before = site.processes("eventstored"), configurations(site)
    done = site.play(playbook, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    for word in words:
        assert word in text(done.stdout), done.stdout
    assert (site.processes("eventstored"), configurations(site)) == before
    assert has_full_cluster(NET)


@pytest.mark.slow
def test_a_full_stop_begins_from_a_healthy_cluster_only(site: Site) -> None:
    """What is beside its files is no sign of a stop that was permitted before."""
    assert site.play("playbooks/stop.yml", "--limit", "node3").returncode == 0
    for host in HOSTS:
        (site.lab / host / f"config/database.yaml.{NEW}").write_text("MemDb: false\n")
    before = site.processes("eventstored")
    refused = site.play(UPGRADE, *NAMED)
    assert refused.returncode != 0
    assert "is not healthy, and a full stop begins only when" in text(refused.stdout), refused.stdout
    assert site.processes("eventstored") == before
    start(site)


@pytest.mark.slow
def test_a_full_stop_goes_on_where_it_was_interrupted_and_loses_nothing(site: Site) -> None:
    """Killed when all is stopped; then the first machine refuses, then another one; then it comes to its end."""
    for host in ("node1", "node3"):
        (site.lab / host / "data/lab-refuses").write_text(NEW)
    old = configurations(site)
    option = ("-e", '{"eventstore_database_options": {"BetterOrdering": true}}')  # 3.4.0 does not know it
    with Writer(NODES) as writer:
        wait_for(lambda: len(writer.acknowledged) > 50)
        killed = site.start(UPGRADE, *NAMED, *option)
        wait_for(lambda: killed.poll() is not None or not site.processes("eventstored"), 180)
        assert killed.poll() is None, killed.communicate()
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert len(list(site.lab.glob("node*/config/*.full-stop"))) == 3
        for playbook in ("site.yml", "playbooks/recover.yml"):
            refused = site.play(playbook, *TO)
            assert refused.returncode != 0
            assert "node1, node2, node3: es-cluster1 last ran 3.4.0" in text(refused.stdout), refused.stdout
            assert "full_stop_upgrade" in text(refused.stdout)
        assert not site.processes("eventstored")
        assert configurations(site) == old

        first = site.play(UPGRADE, *NAMED, *option)
        assert first.returncode != 0
        said = text(first.stdout)
        assert "node1: es-cluster1, 3.4.0 -> 4.0.3: 4.0.3 failed:" in said, first.stdout
        assert "node1 is stopped; it last ran 4.0.3; it has failed" in said
        assert "node2 is stopped; it last ran 3.4.0" in said
        assert "eventstore_version=3.4.0 --limit node2,node3" in said
        assert not site.processes("eventstored")
        assert {host: text for host, text in configurations(site).items() if host != "node1"} == {
            host: old[host] for host in HOSTS if host != "node1"
        }

        (site.lab / "node1/data/lab-refuses").unlink()
        second = site.play(UPGRADE, *NAMED, *option)
        assert second.returncode != 0
        said = text(second.stdout)
        assert "node3 is stopped; it last ran 4.0.3; it has failed" in said, second.stdout
        assert "node2 runs 4.0.3" in said
        assert "A return to 3.4.0 is not planned" in said
        assert versions() == {"node1": "4.0.3.0", "node2": "4.0.3.0", "node3": ""}

        (site.lab / "node3/data/lab-refuses").unlink()
        left = {host: site.node(host).pid for host in ("node1", "node2")}
        before = len(writer.acknowledged)
        done = site.play(UPGRADE, *NAMED, *option)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for(lambda: len(writer.acknowledged) > before + 20)
    assert {host: site.node(host).pid for host in left} == left
    assert has_full_cluster(NET)
    assert set(versions().values()) == {"4.0.3.0"}
    for address in NODES:
        wait_for(lambda address=address: not writer.lost(address), 10)
    assert all(b"BetterOrdering" in text for text in configurations(site).values())

    assert not list(site.lab.glob("node*/config/*.full-stop"))

    pids = {each.pid for each in site.processes("")}
    again = site.play(UPGRADE, *NAMED, *option)
    assert again.returncode == 0, again.stdout + again.stderr
    assert set(changed(again.stdout).values()) == {0}
    assert {each.pid for each in site.processes("")} == pids
