# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor page's Example 1 on three stand-in Windows machines, each reached in another way, up to quorum and back.

What is true is told by curl, the machines' folders and the files' bytes.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess

import psutil
import pytest
import yaml

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from lab.dns.server import DnsServer
from lab.windows.software import windows_archive
from tests.integration.windows.machines import ROOT, Ansible, Windows
from tests.lab_site import changed, curl

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


def test_one_command_makes_a_cluster_with_quorum(site: Site) -> None:
    done = site.play("site.yml")
    assert done.returncode == 0
    assert "cluster1 has quorum, 3 of 3 nodes in sync" in done.stdout
    status, body = curl(f"http://{NET}.11:30778/gossip?format=json")
    assert status == 200
    states = sorted(member["state"] for member in json.loads(body)["members"] if member["isAlive"])
    assert states == ["Manager"] * 3 + ["Master", "Slave", "Slave"]


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


def test_a_second_run_changes_nothing(site: Site) -> None:
    before = {
        host: (machine.services["es-cluster1"]["pid"], machine.changes()) for host, machine in site.machines.items()
    }
    done = site.play("site.yml", "--diff")
    assert done.returncode == 0
    assert set(changed(done.stdout).values()) == {0}
    after = {
        host: (machine.services["es-cluster1"]["pid"], machine.changes()) for host, machine in site.machines.items()
    }
    assert after == before


def test_a_reservation_that_somebody_took_is_put_back(site: Site) -> None:
    machine = site.machines["node2"]
    url = f"http://{machine.ip}:2112/"
    machine.machine.write("urlacl", {**machine.urlacl, url: "D:(A;;GX;;;WD)"})
    done = site.play("site.yml")
    assert done.returncode == 0
    assert changed(done.stdout) | {"node2": 1} == {"node1": 0, "node2": 1, "node3": 0}
    assert machine.urlacl[url] == "D:(A;;GX;;;LS)"


def test_remove_leaves_only_data(site: Site) -> None:
    pids = [machine.services["es-cluster1"]["pid"] for machine in site.machines.values()]
    done = site.play("remove.yml", "-e", "stop_cluster=cluster1")
    assert done.returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    for machine in site.machines.values():
        assert (machine.services, machine.urlacl) == ({}, {})
        assert machine.files("C:\\") == []
        assert machine.files("D:\\")
