# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor page's Example 1 on three stand-in Windows machines, each reached in another way, up to quorum and back.

What is true is told by curl, the machines' folders and the files' bytes.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import typing as t

import psutil
import pytest
import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer
from tests.doubles.windows import services
from tests.doubles.windows.software import windows_archive
from tests.integration.windows.machines import ROOT, Ansible, Windows
from tests.lab_site import changed, curl, has_full_cluster, wait_for

NET = "127.0.96"
HOSTS = {"node1": "winrm", "node2": "psrp", "node3": "ssh"}
DNS = "cluster1.eventstore.local"
PORTS = (2112, 2113, 30777, 30778)


class Site:
    def __init__(self, folder: pathlib.Path, machines: dict[str, Windows]) -> None:
        self.machines = machines
        self.ansible = Ansible(folder)
        archive = windows_archive(folder)
        self.inventory = folder / "inventory.yml"
        variables = {
            "eventstore_version": "3.4.0",
            "eventstore_cluster_dns": DNS,
            "eventstore_archive": str(archive),
            "eventstore_archive_checksum": f"sha256:{archive.with_name(f'{archive.name}.sha256').read_text().strip()}",
        }
        hosts = {name: {"eventstore_int_ip": each.ip, **each.variables} for name, each in machines.items()}
        self.inventory.write_text(yaml.safe_dump({"eventstore": {"vars": variables, "hosts": hosts}}))

    def play(self, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = str(ROOT / "playbooks" / playbook)
        done = self.ansible.command("ansible-playbook", path, "-i", str(self.inventory), *arguments)
        print(done.stdout, done.stderr)
        assert [machine.refused() for machine in self.machines.values()] == [[], [], []]
        return done


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("windows-site")
    addresses = [f"{NET}.{last}" for last in (11, 12, 13)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(DnsServer(Endpoint(f"{NET}.10", 15353), {DNS: addresses}))
        machines = {
            host: stack.enter_context(Windows(folder / host, way, address, nameservers=[f"{NET}.10:15353"]))
            for (host, way), address in zip(HOSTS.items(), addresses)
        }
        yield Site(folder, machines)


def test_check_mode_shows_the_commands_of_the_page_and_does_nothing(site: Site) -> None:
    done = site.play("site.yml", "--check", "--diff", "-v")
    assert done.returncode == 0
    shown = " ".join(done.stdout.split())  # long lines of YAML are wrapped
    for machine in site.machines.values():
        for port in PORTS:
            assert f"netsh.exe http add urlacl url=http://{machine.ip}:{port}/ sddl=D:(A;;GX;;;LS)" in shown
        assert machine.changes() == []
        assert (machine.files("C:\\"), machine.files("D:\\")) == ([], [])
    assert shown.count("EventStore.WindowsManager.exe install -InstanceName es-cluster1 -ManagerConfig") >= 3


# A start of PowerShell takes about a second on a real host, so a run asks much at once: at most so many of a machine.
FIRST_RUN, NO_CHANGE = 12, 6


def test_one_command_makes_a_cluster_with_quorum(site: Site) -> None:
    before = {host: machine.starts() for host, machine in site.machines.items()}
    done = site.play("site.yml")
    assert done.returncode == 0
    assert "cluster1 has quorum, 3 of 3 nodes in sync" in done.stdout
    status, body = curl(f"http://{NET}.11:30778/gossip?format=json")
    assert status == 200
    states = sorted(member["state"] for member in json.loads(body)["members"] if member["isAlive"])
    assert states == ["Manager"] * 3 + ["Master", "Slave", "Slave"]
    starts = {host: machine.starts() - before[host] for host, machine in site.machines.items()}
    print(starts)
    assert max(starts.values()) <= FIRST_RUN, starts


def test_a_run_without_a_change_starts_powershell_a_few_times_only(site: Site) -> None:
    before = {host: machine.starts() for host, machine in site.machines.items()}
    done = site.play("site.yml")
    assert changed(done.stdout) == dict.fromkeys(HOSTS, 0)
    starts = {host: machine.starts() - before[host] for host, machine in site.machines.items()}
    print(starts)
    assert max(starts.values()) <= NO_CHANGE, starts


@pytest.mark.parametrize("host", HOSTS)
def test_what_reached_the_machine_is_what_the_page_says(site: Site, host: str) -> None:
    machine = site.machines[host]
    assert machine.urlacl == {f"http://{machine.ip}:{port}/": "D:(A;;GX;;;LS)" for port in PORTS}
    service = machine.services["es-cluster1"]
    assert (service["account"], service["start"], service["delayed"]) == ("NT AUTHORITY\\LocalService", 2, True)
    assert service["config"] == "c:\\EventStore-Config\\manager.yaml"
    commands = [" ".join(each) for each in machine.changes()]
    installed = [each for each in commands if "EventStore.WindowsManager.exe" in each]
    assert installed == [
        "c:\\EventStore\\3.4.0\\EventStore.WindowsManager.exe install -InstanceName es-cluster1 "
        "-ManagerConfig c:\\EventStore-Config\\manager.yaml"
    ]
    assert commands.index("net.exe start es-cluster1") > commands.index(installed[0])
    database = yaml.safe_load(machine.file("C:\\EventStore-Config\\database.yaml") or b"")
    assert (database["Db"], database["ClusterSize"]) == ("d:\\es-data", 3)
    assert database["GossipSeed"] == [f"{machine.ip}:30777"]
    watchdog = machine.file("C:\\EventStore-Config\\watchdog.esconfig")
    assert (watchdog or b"").split() == [b"#", b"--config", b"c:\\EventStore-Config\\database.yaml"]


def test_a_second_run_puts_back_a_reservation_that_somebody_took_and_changes_nothing_else(site: Site) -> None:
    taken = site.machines["node2"]
    url = f"http://{taken.ip}:2112/"
    before = {host: (machine.services, machine.changes()) for host, machine in site.machines.items()}
    taken.machine.write("urlacl", {**taken.urlacl, url: "D:(A;;GX;;;WD)"})
    done = site.play("site.yml", "--diff")
    assert done.returncode == 0
    assert changed(done.stdout) == {"node1": 0, "node2": 1, "node3": 0}
    before["node2"][1].extend(
        [
            ["netsh.exe", "http", "delete", "urlacl", f"url={url}"],
            ["netsh.exe", "http", "add", "urlacl", f"url={url}", "sddl=D:(A;;GX;;;LS)"],
        ]
    )
    after = {host: (machine.services, machine.changes()) for host, machine in site.machines.items()}
    assert after == before
    assert taken.urlacl[url] == "D:(A;;GX;;;LS)"


SERVICE = "es-cluster1"
PROGRAM = "c:\\EventStore\\3.4.0\\EventStore.WindowsManager.exe"


def es_service(state: str) -> dict[str, t.Any]:
    """Bring node1's service to a state, asking the whole cluster and waiting for nothing."""
    asked = [
        {"name": f"{host}/{kind}", "kind": kind, "address": f"{ip}:{port + 1}", "internal": f"{ip}:{port}"}
        for host, ip in zip(HOSTS, (f"{NET}.{last}" for last in (11, 12, 13)))
        for kind, port in (("database", 2112), ("manager", 30777))
    ]
    arguments = {
        "name": SERVICE,
        "kind": "manager",
        "state": state,
        "executable": PROGRAM,
        "config": "c:\\EventStore-Config\\manager.yaml",
        "cluster": {"name": "cluster1", "endpoints": asked, "cluster_size": 3, "settle": 0.5, "wait": 0},
    }
    return {"eventstore.cluster.es_service": arguments}


def two_are_left() -> bool:
    """Node1 and node2 have both noticed that node3 is down, and have elected a master."""
    for last in (11, 12):
        status, body = curl(f"http://{NET}.{last}:2113/gossip?format=json")
        members = json.loads(body)["members"] if status == 200 else []
        alive = [member["state"] for member in members if member["isAlive"] and member["state"] != "Manager"]
        if sorted(alive) != ["Master", "Slave"]:
            return False
    return True


def test_a_stop_that_would_cost_the_majority_never_reaches_the_service_control_manager(site: Site) -> None:
    """Over winrm; the node of another machine is down already."""
    node1, node3 = site.machines["node1"], site.machines["node3"]
    services.stop(node3.machine, SERVICE)
    wait_for(two_are_left)
    before = (node1.changes(), node1.services, node1.urlacl)
    tasks = [es_service(state) for state in ("stopped", "restarted", "absent")]
    without = {"eventstore.cluster.es_service": {**tasks[0]["eventstore.cluster.es_service"], "cluster": None}}
    plays = Ansible(site.ansible.folder / "refused")
    results = plays.tasks({"node1": node1}, [*tasks, without])["node1"]
    for result in results[:3]:
        assert result["failed"]
        assert "1 of 3 nodes would remain in sync (node2/database) and 2 are needed" in result["msg"]
        assert "node3/database" in result["msg"]  # what to bring back first
    assert "cluster is not set" in results[3]["msg"]
    assert (node1.changes(), node1.services, node1.urlacl) == before
    assert psutil.Process(node1.services[SERVICE]["pid"]).is_running()
    assert curl(f"http://{NET}.11:2113/info")[0] == 200


def test_a_stop_that_the_cluster_can_do_without_is_done_and_a_restart_waits_until_it_is_back(site: Site) -> None:
    node1, node3 = site.machines["node1"], site.machines["node3"]
    services.start(node3.machine, SERVICE)
    wait_for(lambda: has_full_cluster(NET))
    done = len(node1.changes())
    plays = Ansible(site.ansible.folder / "permitted")
    tasks = [es_service("restarted"), es_service("stopped")]
    for task in tasks:  # right after a restart, the cluster may have to settle
        task["eventstore.cluster.es_service"]["cluster"]["wait"] = 15
    restarted, stopped = plays.tasks({"node1": node1}, tasks)["node1"]
    assert (restarted.get("msg"), stopped.get("msg")) == (None, None)
    net = ["net.exe", "stop", SERVICE], ["net.exe", "start", SERVICE]
    assert node1.changes()[done:] == [*net, net[0]]
    assert (restarted["status"], stopped["status"]) == ("RUNNING", "STOPPED")
    assert curl(f"http://{NET}.11:2113/info")[0] == 0
    assert json.loads(curl(f"http://{NET}.12:30778/gossip?format=json")[1])["members"]
    started = plays.tasks({"node1": node1}, [es_service("started")])["node1"][0]
    assert started["changed"]
    wait_for(lambda: has_full_cluster(NET))


def test_a_node_that_outlived_its_manager_is_seen_behind_http_sys_and_no_second_one_is_started(site: Site) -> None:
    """It binds its TCP ports itself; those of HTTP are the process 4's, as netstat has it."""
    node1 = site.machines["node1"]
    (node,) = [each for _service, each, _config in services.nodes(node1.machine)]
    manager = psutil.Process(node1.services[SERVICE]["pid"])
    manager.kill()
    manager.wait(60)
    before = node1.changes()
    plays = Ansible(site.ansible.folder / "orphan")
    started, stopped = plays.tasks({"node1": node1}, [es_service("started"), es_service("stopped")])["node1"]
    assert node1.refused() == []
    assert f"{NET}.11:1112 (process {node.pid})" in started["msg"]
    assert f"{NET}.11:2113 (process {node.pid})" in started["msg"]
    assert "(process 4)" not in started["msg"]
    assert f"(process {node.pid})" in stopped["warnings"][0]
    assert node1.changes() == before
    assert node.is_running()
    done = site.play("site.yml", "--limit", "node1", "--tags", "all")
    assert f"Stop process {node.pid}" in " ".join(done.stdout.split())
    node.kill()
    node.wait(60)
    assert plays.tasks({"node1": node1}, [es_service("started")])["node1"][0]["changed"]
    wait_for(lambda: has_full_cluster(NET))


def test_a_roll_to_another_version_is_planned_and_refused_before_anything_is_brought(site: Site) -> None:
    before = {host: (machine.services, machine.changes()) for host, machine in site.machines.items()}
    done = site.play("rolling_upgrade.yml", "-e", "eventstore_version=3.9.4", "-e", "upgrade_accept=3.9.4")
    assert done.returncode == 2
    shown = " ".join(done.stdout.split())
    assert "from 3.4.0 to 3.9.4 in 1 hop" in shown, done.stdout
    assert "Not upgraded: node1, node2, node3 run Windows" in shown
    assert {host: (machine.services, machine.changes()) for host, machine in site.machines.items()} == before
    assert [machine.machine.directories("c:\\EventStore") for machine in site.machines.values()] == [
        ["c:\\EventStore\\3.4.0"]
    ] * 3


def test_remove_leaves_only_data(site: Site) -> None:
    pids = [machine.services["es-cluster1"]["pid"] for machine in site.machines.values()]
    done = site.play("remove.yml", "-e", "stop_cluster=cluster1")
    assert done.returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    for machine in site.machines.values():
        assert (machine.services, machine.urlacl) == ({}, {})
        assert machine.files("C:\\") == []
        assert machine.files("D:\\")
