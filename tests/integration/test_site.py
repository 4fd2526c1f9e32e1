# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job as a user does it: site.yml on three machines of this computer, then everything that can happen to them.

What is true is told by curl, /proc and the files' bytes, never by the code under test.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import uuid

import pytest
import yaml

from tests.lab_site import BIN, ROOT, Site, append, changed, curl, has_full_cluster, stored, wait_for

NET = "127.0.81"
HOSTS = ("node1", "node2", "node3")
REMOVE_DATA = ("-e", "database_remove_data=cluster1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("site"), NET)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def deployed(site: Site) -> Site:
    """The site with all that runs on it; the tests that are slow do not come after those that deploy."""
    if not site.processes("eventstored"):
        site.deploy()
    return site


def test_check_mode_on_bare_machines_tells_what_it_would_do_and_writes_nothing(site: Site) -> None:
    done = site.play("site.yml", "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(changed(done.stdout)[host] > 0 for host in HOSTS)
    assert f"+GossipSeed: ['{NET}.11:30777']" in done.stdout
    assert "+# --config" in done.stdout
    assert not [path for path in site.lab.iterdir() if path.name.startswith("node")]
    assert not site.processes("es-manager.pyz")


def test_one_command_makes_a_cluster_with_quorum(site: Site) -> None:
    done = site.deploy()
    assert "cluster1 has quorum, 3 of 3 nodes in sync" in done.stdout
    status, body = curl(f"http://{NET}.11:30778/gossip?format=json")
    assert status == 200
    members = json.loads(body)["members"]
    assert sorted(member["state"] for member in members) == ["Manager"] * 3 + ["Master", "Slave", "Slave"]
    assert all(member["isAlive"] for member in members)
    for host, last in zip(HOSTS, (11, 12, 13)):
        own = {
            connection.laddr for connection in site.node(host).net_connections("tcp") if connection.status == "LISTEN"
        }
        assert {(f"{NET}.{last}", port) for port in (1112, 1113, 2112, 2113)} == {tuple(each) for each in own}
        assert site.node(host).ppid() == site.manager(host).pid


def test_the_files_are_what_the_page_says(site: Site) -> None:
    machine = site.lab / "node2"
    database = yaml.safe_load((machine / "config/database.yaml").read_text())
    assert list(database)[:10] == [
        *("Db", "IntIp", "ExtIp", "IntTcpPort", "IntHttpPort", "ExtTcpPort", "ExtHttpPort"),
        *("DiscoverViaDns", "GossipSeed", "ClusterSize"),
    ]
    assert database["GossipSeed"] == [f"{NET}.12:30777"]
    assert database["ClusterSize"] == 3
    assert (
        machine / "config/watchdog.esconfig"
    ).read_bytes() == f"# --config {machine}/config/database.yaml\n".encode()


def test_a_second_run_changes_nothing(site: Site) -> None:
    before = {process.pid for process in site.processes("")}
    done = site.deploy()
    assert set(changed(done.stdout).values()) == {0}
    assert {process.pid for process in site.processes("")} == before


def test_check_mode_on_deployed_machines_says_that_nothing_would_change(site: Site) -> None:
    done = site.play("site.yml", "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(changed(done.stdout).values()) == {0}
    assert "+++" not in done.stdout


@pytest.mark.slow
def test_a_machine_that_is_not_reached_is_not_said_to_be_deployed(deployed: Site) -> None:
    site = deployed
    away = site.folder / "away.yml"
    node2 = {"ansible_connection": "ssh", "ansible_host": f"{NET}.12", "ansible_port": 9}
    away.write_text(yaml.safe_dump({"eventstore": {"hosts": {"node2": node2}}}))
    done = site.play("site.yml", "-i", str(away))
    assert done.returncode == 4, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "cluster1 has quorum, 3 of 3 nodes in sync" in said
    assert "cluster1: deployed on node1, node3" in said
    assert "NOT deployed on node2: failed or not reached, see above." in said
    status = site.play("playbooks/status.yml", "-i", str(away))
    assert status.returncode == 0, status.stdout + status.stderr


def test_a_killed_node_comes_back_by_itself_with_every_acknowledged_append(site: Site) -> None:
    events = [str(uuid.uuid4()) for _ in range(3)]
    assert append(f"{NET}.11:2113", events[0]) == 201
    old = site.node("node2")
    old.send_signal(signal.SIGKILL)
    append(f"{NET}.11:2113", events[1])  # acknowledged or not: node2 may have been the master
    wait_for(lambda: has_full_cluster(NET))
    assert append(f"{NET}.12:2113", events[2]) == 201
    assert site.node("node2").pid != old.pid
    for last in (11, 12, 13):
        wait_for(lambda last=last: all(event in stored(f"{NET}.{last}:2113") for event in (events[0], events[2])), 5)


def test_a_killed_manager_is_started_again_and_finds_its_node_running(site: Site) -> None:
    node = site.node("node1").pid
    site.manager("node1").send_signal(signal.SIGKILL)
    done = site.deploy()
    assert {host: changed(done.stdout)[host] for host in HOSTS} == {"node1": 1, "node2": 0, "node3": 0}
    assert site.node("node1").pid == node


@pytest.mark.slow
def test_a_killed_manager_and_its_killed_node_come_back_with_one_run(deployed: Site) -> None:
    site = deployed
    event = str(uuid.uuid4())
    assert append(f"{NET}.13:2113", event) == 201
    site.manager("node3").send_signal(signal.SIGKILL)
    site.node("node3").send_signal(signal.SIGKILL)
    site.deploy()
    assert site.node("node3").ppid() == site.manager("node3").pid
    wait_for(lambda: event in stored(f"{NET}.13:2113"), 5)


@pytest.mark.slow
def test_without_two_nodes_the_quorum_role_says_which_why_and_what_to_do(deployed: Site) -> None:
    site = deployed
    stopped = site.play("playbooks/stop.yml", "--limit", "node2,node3", "-e", "stop_cluster=cluster1")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    playbook = site.folder / "quorum.yml"
    playbook.write_text(
        "- hosts: eventstore\n  gather_facts: false\n  roles:\n"
        "    - {role: eventstore.cluster.quorum, quorum_timeout: 3}\n"
    )
    failed = site.play(str(playbook))
    assert failed.returncode != 0
    for word in ("has no quorum", "node2/database", f"{NET}.13:2113", "refused", "start"):
        assert word in failed.stdout.lower() or word in failed.stdout, word
    shown = site.play("playbooks/status.yml")
    assert shown.returncode == 2, shown.stdout + shown.stderr
    assert "NO QUORUM" in shown.stdout
    assert f"curl http://{NET}.11:30778/gossip" in shown.stdout
    site.deploy()


def test_stop_leaves_no_process_and_remove_leaves_only_data(site: Site) -> None:
    refused = site.play("playbooks/stop.yml")
    assert refused.returncode != 0
    assert "can lose 1 of its nodes in sync, but this play would stop 3" in " ".join(refused.stdout.split())
    assert "-e stop_cluster=cluster1" in refused.stdout
    assert has_full_cluster(NET)
    done = site.play("playbooks/stop.yml", "-e", "stop_cluster=cluster1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not site.processes("es-manager.pyz")
    assert not site.processes("eventstored")
    assert "cluster1: stopped on node1, node2, node3" in done.stdout
    assert "[WARNING]: stop_cluster=cluster1 names the cluster by the default" in done.stderr + done.stdout
    again = site.play("playbooks/stop.yml")
    assert set(changed(again.stdout).values()) == {0}
    data = [site.lab / host / "data/events.log" for host in HOSTS]
    wrong = site.play("playbooks/remove.yml", "-e", "database_remove_data=cluster2")
    assert wrong.returncode != 0
    assert "database_remove_data is cluster2, but the cluster is cluster1" in wrong.stdout
    assert (site.lab / "node1/config/database.yaml").is_file()
    with subprocess.Popen(["/bin/sleep", "100"], cwd=next((site.lab / "node2/software").glob("*/"))) as user:
        late = site.play("playbooks/remove.yml", *REMOVE_DATA)
        user.kill()
    assert late.returncode != 0
    assert "No data were removed, as the removal has failed before on node2" in late.stdout
    assert all(path.is_file() for path in data)
    removed = site.play("playbooks/remove.yml")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    left = {str(path.relative_to(site.lab)) for path in site.lab.glob("node1/*/*")}
    assert "node1/data/events.log" in left
    kept = [path for path in left if path.startswith(("node1/config/", "node1/software/")) and path[-1] != "~"]
    assert kept == ["node1/config/database.yaml.data"]  # where the data are, which a later deployment must not miss


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_data_on_a_mount_are_removed_and_the_mount_stays(deployed: Site) -> None:
    site = deployed
    site.play("playbooks/stop.yml", "-e", "stop_cluster=cluster1")
    site.play("playbooks/remove.yml")
    mounted = (
        'cd "$1"; shift; mount -t tmpfs none node1/data; touch node1/data/chunk\n'
        "mv node2/data node2/disk; ln -s disk node2/data\n"
        '"$@"; status=$?; ls -A node1/data node2/disk >left; umount node1/data && exit $status'
    )
    done = site.play(
        "playbooks/remove.yml", *REMOVE_DATA, within=("unshare", "-m", "sh", "-c", mounted, "sh", str(site.lab))
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site.lab / "left").read_text().split() == ["node1/data:", "node2/disk:"]
    assert (site.lab / "node2/data").is_symlink()
    assert not (site.lab / "node3/data").exists()
    assert not list(site.lab.glob("node*/config/*.data"))
    site.play("playbooks/remove.yml", *REMOVE_DATA)
    assert set(changed(site.play("playbooks/remove.yml", *REMOVE_DATA).stdout).values()) == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "net", "variables", "nodes", "managers"),
    [
        ("nodes", "127.0.82", {"eventstore_cluster_mode": "nodes"}, 3, 0),
        (
            "two-interfaces",
            "127.0.83",
            {
                "eventstore_discovery": "seeds",
                "eventstore_ext_ip": "{{ eventstore_int_ip | replace('127.0.83', '127.0.84') }}",
                "eventstore_int_http_port": 2112,
                "eventstore_ext_http_port": 2112,
            },
            3,
            3,
        ),
        (
            "several-nodes",
            "127.0.85",
            {
                "eventstore_nodes": "{{ [{'name': 'database'}, {'name': 'second', 'int_tcp_port': 3112, "
                "'ext_tcp_port': 3113, 'int_http_port': 4112, 'ext_http_port': 4113}]"
                "[:1 if inventory_hostname == 'node3' else 2] }}"
            },
            5,
            3,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
def test_every_topology_comes_from_the_inventory_alone(
    tmp_path: pathlib.Path, name: str, net: str, variables: dict[str, object], nodes: int, managers: int
) -> None:
    del name
    other = Site(tmp_path, net, **variables)
    try:
        done = other.deploy()
        assert f"has quorum, {nodes} of {nodes} nodes in sync" in done.stdout
        assert len(other.processes("es-manager.pyz")) - managers == 0
        status, body = curl(f"http://{net}.11:2112/gossip")
        assert status == 200
        states = [member["state"] for member in json.loads(body)["members"] if member["isAlive"]]
        assert (states.count("Master"), states.count("Slave"), states.count("Manager")) == (1, nodes - 1, managers)
        again = other.deploy()
        assert set(changed(again.stdout).values()) == {0}
        removed = other.play("playbooks/remove.yml", "-e", "stop_cluster=cluster1")
        assert removed.returncode == 0, removed.stdout + removed.stderr
        assert not other.processes("es-manager.pyz")
        assert not other.processes("eventstored")
        assert not list(other.lab.glob("node*/config/*.yaml"))
        assert len(list(other.lab.glob("node*/data*/events.log"))) == nodes
    finally:
        other.remove()


@pytest.fixture
def refused(tmp_path: pathlib.Path):
    """Run a playbook on a changed inventory: it fails, writes nothing, starts nothing. Gives what it prints."""
    sites = []

    def run(playbook: str = "site.yml", net: str = "127.0.86", **variables: object) -> str:
        site = Site(tmp_path, net, **variables)
        sites.append(site)
        if (
            playbook != "site.yml"
        ):  # without the lab's own preparation: a DNS entry that misses node3 and has a stranger
            record = f"cluster1.eventstore.local={net}.11,{net}.12,{net}.14"
            up = [str(BIN / "python"), str(ROOT / "lab/up"), "--directory", str(site.lab)]
            subprocess.run([*up, "--listen", f"{net}.10:15353", "--record", record], check=True)
        done = site.play(playbook)
        assert done.returncode != 0
        assert not [path for path in site.lab.iterdir() if path.name.startswith("node")]
        assert not site.processes("es-manager.pyz")
        return done.stdout

    yield run
    for site in sites:
        site.remove()


def test_wrong_variables_are_refused_together_before_anything_is_written(refused) -> None:
    text = refused(
        eventstore_databse_options={},
        eventstore_ext_http_port="2113 ",
        eventstore_archive_checksum="sha256:12",
        eventstore_data_dir="es-data",
    )
    for words in (
        "eventstore_databse_options is not a variable of this collection. Write eventstore_database_options",
        "node1, node2, node3: eventstore_archive_checksum is",
        "eventstore_data_dir",
    ):
        assert words in text


def test_wrong_options_are_refused_together_before_anything_is_written(refused) -> None:
    text = refused(
        eventstore_database_options={"ClusterSiez": 3, "StatsPeriodSec": "often", "SkipDbVerify": "no"},
        eventstore_manager_options={"ClusterGossipPort": 2112, "GossipSeed": ["node1:30777"]},
    )
    for words in ("did you mean ClusterSize?", "StatsPeriodSec: 'often'", "'no' is not true or false", "node1:30777"):
        assert words in text


def test_what_only_the_whole_cluster_shows_is_refused_before_anything_is_written(refused) -> None:
    text = refused(eventstore_ext_http_port=2112, eventstore_database_options={"ClusterSize": 4})
    for words in ("ClusterSize", "4", "2112"):
        assert words in text


def test_an_address_of_another_machine_is_refused_by_the_machine_itself(refused) -> None:
    text = refused(eventstore_int_ip="{{ '192.0.2.' ~ inventory_hostname[-1] }}")
    assert "192.0.2.1 is not an address of this machine" in text


def test_a_dns_entry_that_misses_a_machine_and_has_a_stranger_is_refused(refused) -> None:
    text = refused("playbooks/site.yml", net="127.0.87")
    assert "127.0.87.13" in text
    assert "127.0.87.14" in text


def test_the_vendor_page_comes_out_to_the_byte(tmp_path: pathlib.Path) -> None:
    command = [str(BIN / "ansible-playbook"), "playbooks/render.yml", "-i", "examples/vendor-page"]
    done = subprocess.run(
        [*command, "-e", f"render_directory={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    database = rb"""---
Db: d:\es-data
IntIp: 192.168.1.11
ExtIp: 192.168.1.11
IntTcpPort: 1112
IntHttpPort: 2112
ExtTcpPort: 1113
ExtHttpPort: 2113
DiscoverViaDns: false
GossipSeed: ['192.168.1.11:30777']
ClusterSize: 3
"""
    manager = rb"""---
IntIp: 192.168.1.11
ExtIp: 192.168.1.11
IntHttpPort: 30777
ExtHttpPort: 30778
DiscoverViaDns: true
ClusterDns: cluster1.eventstore.local
ClusterGossipPort: 30777
EnableWatchdog: true
WatchdogConfig: c:\EventStore-Config\watchdog.esconfig
Log: d:\manager-log
"""
    assert (tmp_path / "node1/database.yaml").read_bytes() == database
    assert (tmp_path / "node1/manager.yaml").read_bytes() == manager
    assert (tmp_path / "node1/watchdog.esconfig").read_bytes() == b"# --config c:\\EventStore-Config\\database.yaml\n"
