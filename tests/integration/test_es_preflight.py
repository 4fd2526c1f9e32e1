# SPDX-License-Identifier: GPL-3.0-or-later
"""es_preflight on this machine, with addresses 127.0.71.x."""

from __future__ import annotations

import contextlib
import copy
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils import preflight
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import GossipError
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan

ABSENT = "192.0.2.1"  # TEST-NET-1, on no machine


def free_ports(ip, count):
    """Different ones: each is held until the last is found."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((ip, 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The plan of the first of three machines, all of whose files would be in ``tmp_path``; DNS says what it should."""

    def make(**variables):
        servers = ("int_tcp", "int_http", "ext_tcp", "ext_http", "manager_int_http", "manager_ext_http")
        names = [f"eventstore_{server}_port" for server in servers]
        ports = dict(zip(names, free_ports("127.0.71.1", len(names))))
        group = {
            **ports,
            "eventstore_root": f"{tmp_path}/software",
            "eventstore_config_dir": f"{tmp_path}/config",
            "eventstore_data_dir": f"{tmp_path}/data",
            "eventstore_log_dir": f"{tmp_path}/log",
            "eventstore_manager_log_dir": f"{tmp_path}/log/manager",
            "eventstore_run_dir": f"{tmp_path}/run",
            "eventstore_archive": "https://archives.example/es.zip",
            "eventstore_archive_checksum": "sha256:" + "0" * 64,
            **variables,
        }
        made = plan({f"node{n}": {"eventstore_int_ip": f"127.0.71.{n}", **group} for n in (1, 2, 3)})
        assert made["problems"] == []
        return {**made["hosts"]["node1"], "dns": made["dns"], "provider": made["provider"]}

    monkeypatch.setattr(preflight, "resolve", lambda _name, **_: ["127.0.71.3", "127.0.71.2", "127.0.71.1"])
    return make


@pytest.fixture
def look(run_module):
    def run(given, **more):
        result = run_module("es_preflight", {"plan": given, "controller_time": time.time(), **more}, check=True)
        assert not result.get("failed"), result
        assert result["changed"] is False
        return result

    return run


def codes(result):
    return [problem["code"] for problem in result["problems"]]


def only(result, code):
    assert codes(result) == [code]
    problem = result["problems"][0]
    assert problem["hint"]
    return ": ".join(filter(None, (problem["where"], problem["text"])))


def tree(path):
    return sorted(os.path.join(top, name) for top, folders, files in os.walk(path) for name in (*folders, *files))


def test_a_bare_machine_is_well_and_stays_bare(machine, look, tmp_path):
    given = machine()
    before = tree(tmp_path)
    result = look(given)
    assert result["problems"] == []
    assert result["software_installed"] is False
    assert result["running"] == []
    assert tree(tmp_path) == before


def test_installed_software_is_seen(machine, look):
    given = machine(eventstore_archive=None, eventstore_archive_checksum=None)
    program = os.path.join(given["software"]["home"], given["software"]["executable"])
    assert program in only(look(given), "no-software")
    os.makedirs(given["software"]["home"])
    with open(program, "w") as stream:
        stream.write("#!/bin/sh\n")
    assert look(given)["software_installed"] is False
    os.chmod(program, 0o700)
    result = look(given)
    assert result["software_installed"] is True
    assert result["problems"] == []


# -- addresses and ports -------------------------------------------------------------------------------------------


def test_an_address_of_another_machine(machine, look):
    given = machine(eventstore_ext_ip=None)
    given["nodes"][0]["listen"][0] = f"{ABSENT}:1112"
    text = only(look(given), "address-absent")
    assert ABSENT in text
    assert "127.0.0.1" in text  # what the machine has


@contextlib.contextmanager
def listener(endpoint, *arguments):
    """A process that listens there and has these words in its command line."""
    ip, _colon, port = endpoint.rpartition(":")
    script = (
        "import socket,sys,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1);"
        f"s.bind(('{ip}', {port})); s.listen(); print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


def test_a_port_that_a_stranger_holds(machine, look):
    given = machine()
    endpoint = given["nodes"][0]["listen"][3]
    with listener(endpoint) as pid:
        text = only(look(given), "port-taken")
        assert endpoint in text
        assert f"process {pid} " in text
    assert look(given)["problems"] == []


def test_a_stranger_on_all_addresses(machine, look):
    given = machine()
    endpoint = given["manager"]["listen"][0]
    with listener(f"0.0.0.0:{endpoint.rpartition(':')[2]}") as pid:
        assert f"{endpoint} is in use by process {pid} " in only(look(given), "port-taken")


def test_a_port_that_nobody_visible_holds(machine, look, monkeypatch):
    given = machine()
    endpoint = given["nodes"][0]["listen"][0]
    monkeypatch.setattr(preflight.procfs, "listening", lambda _pids: [])
    with listener(endpoint):
        result = look(given)
        assert "cannot see" in only(result, "port-taken")
        assert "become: true" in result["problems"][0]["hint"]


@pytest.mark.parametrize("form", ["--config {config}", "--config={config}", "{root}/3.3.0/eventstored"])
def test_our_own_service_may_hold_its_ports(machine, look, form):
    given = machine()
    node = given["nodes"][0]
    words = form.format(config=node["config"], root=given["software"]["root"]).split()
    with listener(node["listen"][0], *words) as pid:
        result = look(given)
        assert result["problems"] == []
        wanted = [{"service": node["service"], "config": node["config"], "pid": pid}] if "config" in form else []
        assert result["running"] == wanted


def test_an_editor_is_no_running_service(machine, look):
    given = machine()
    with listener(f"127.0.71.9:{free_ports('127.0.71.9', 1)[0]}", given["nodes"][0]["config"]):
        assert look(given)["running"] == []


def test_a_port_for_root_only(machine, look, monkeypatch):
    given = machine()
    monkeypatch.setattr(preflight, "_bind", lambda endpoint: preflight.errno.EACCES if endpoint.port else 0)
    result = look(given)
    assert set(codes(result)) == {"port-refused"}
    assert "Permission denied" in result["problems"][0]["text"]


# -- files and directories -----------------------------------------------------------------------------------------


FILES = [
    pytest.param("nodes", b"ClusterSize: 3\nClusterSize: 5\n", "file-damaged", "line 2", id="duplicate key"),
    pytest.param("nodes", b"- a\n", "file-damaged", "expected lines", id="a list"),
    pytest.param("nodes", b"\xff\xfe", "file-damaged", "UTF-8", id="no text"),
    pytest.param("manager", b"IntIp: [a\n", "file-damaged", "not valid YAML", id="broken YAML"),
    pytest.param("watchdog", b"--config x\n", "file-damaged", "line 1", id="watchdog without #"),
]


def path_of(given, which):
    if which == "nodes":
        return given["nodes"][0]["config"]
    return given["manager"]["config"] if which == "manager" else given["manager"]["watchdog"]["path"]


@pytest.mark.parametrize(("which", "content", "code", "said"), FILES)
def test_an_existing_file_that_is_damaged(machine, look, which, content, code, said):
    given = machine()
    path = path_of(given, which)
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as stream:
        stream.write(content)
    text = only(look(given), code)
    assert path in text
    assert said in text
    with open(path, "rb") as stream:
        assert stream.read() == content


@pytest.mark.parametrize(
    ("which", "content"),
    [
        ("nodes", "---\nClusterSize: 3\n"),
        ("nodes", ""),
        ("nodes", "# nothing\n"),
        ("watchdog", "# --config /a.yaml\n"),
        ("watchdog", ""),
    ],
)
def test_an_existing_file_that_is_sound(machine, look, which, content):
    given = machine()
    path = path_of(given, which)
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as stream:
        stream.write(content)
    assert look(given)["problems"] == []


def test_a_directory_where_a_file_has_to_be(machine, look):
    given = machine()
    os.makedirs(given["nodes"][0]["config"])
    assert given["nodes"][0]["config"] in only(look(given), "file-unreadable")


def test_a_file_where_a_directory_has_to_be(machine, look, tmp_path):
    given = machine()
    (tmp_path / "data").write_text("")
    text = only(look(given), "not-a-directory")
    assert f"{tmp_path}/data" in text


def test_a_directory_that_may_not_be_written(machine, look, tmp_path, monkeypatch):
    given = machine()
    os.mkdir(tmp_path / "log")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != f"{tmp_path}/log" and real(path, mode))
    result = look(given)
    assert codes(result) == ["not-writable"] * 2
    assert f"write to {tmp_path}/log" in result["problems"][0]["text"]
    assert f"make {tmp_path}/log/manager in {tmp_path}/log" in result["problems"][1]["text"]


def test_a_full_disk(machine, look, monkeypatch):
    given = machine()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=300 * 2**20))
    text = only(look(given), "disk-full")
    assert "300 MiB left" in text
    assert "512 MiB are needed" in text


# -- the rest ------------------------------------------------------------------------------------------------------


RECORDS = [
    pytest.param(["127.0.71.1", "127.0.71.2"], ["dns-missing"], "127.0.71.3, a machine of the plan", id="missing"),
    pytest.param(["127.0.71.3", "127.0.71.2"], ["dns-missing"], "127.0.71.1, this machine", id="own missing"),
    pytest.param(
        [f"127.0.71.{n}" for n in (1, 2, 3, 4)], ["dns-extra"], "127.0.71.4, which is not a planned machine", id="extra"
    ),
    pytest.param(["127.0.71.1", "127.0.71.2", "10.0.0.9"], ["dns-missing", "dns-extra"], "127.0.71.3", id="wrong"),
]


@pytest.mark.parametrize(("found", "expected", "said"), RECORDS)
def test_records_against_machines(machine, look, monkeypatch, found, expected, said):
    monkeypatch.setattr(preflight, "resolve", lambda _name, **_: found)
    result = look(machine())
    assert codes(result) == expected
    assert said in result["problems"][0]["text"]
    assert "cluster1.eventstore.local" in result["problems"][0]["text"]


def test_a_name_that_does_not_resolve(machine, look, monkeypatch):
    def refuse(name, nameservers):
        assert nameservers == ["127.0.71.53:5353"]
        raise GossipError("no such name", where=f"DNS name {name}", hint="Add it")

    monkeypatch.setattr(preflight, "resolve", refuse)
    assert "no such name" in only(look(machine(eventstore_nameservers=["127.0.71.53:5353"])), "dns-unresolved")


def test_seeds_need_no_name(machine, look, monkeypatch):
    monkeypatch.setattr(preflight, "resolve", None)
    assert look(machine(eventstore_discovery="seeds"))["problems"] == []


@pytest.mark.parametrize(("ahead", "said"), [(-90, "90 s ahead"), (90, "90 s behind")])
def test_a_clock_that_is_off(machine, look, ahead, said):
    assert said in only(look(machine(), controller_time=time.time() + ahead), "clock-skew")
    assert look(machine(), controller_time=time.time() + ahead / 2)["problems"] == []


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"eventstore_service_provider": "windows"}, "not-windows", "windows"),
    ],
)
def test_what_the_machine_does_not_have(machine, look, variables, code, said):
    assert said in only(look(machine(**variables)), code)


ACCOUNTS = [
    ({"eventstore_user": "daemon"}, None, None, ""),
    ({"eventstore_user": "daemon", "eventstore_group": "no-group"}, None, "no-group", "no group no-group"),
    ({"eventstore_user": "no-user"}, "no-user", "no-user", "no user no-user"),
    ({"eventstore_user": "no-user", "eventstore_group": "daemon"}, "no-user", None, "no user no-user"),
    ({"eventstore_service_provider": "process"}, None, None, ""),
]


@pytest.mark.parametrize(("variables", "user", "group", "said"), ACCOUNTS)
def test_accounts_that_have_to_be_made_and_who_cannot_make_them(
    machine, look, monkeypatch, variables, user, group, said
):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    seen = look(machine(**variables))
    assert (seen["problems"], seen["absent_user"], seen["absent_group"]) == ([], user, group)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    if said:
        assert f"{said}, and the account 54321 cannot create it" in only(look(machine(**variables)), "no-account")


def test_files_of_another_account(machine, look, tmp_path):
    # As after a change of eventstore_user: its node could not write its own database.
    (tmp_path / "data").mkdir()
    (tmp_path / "data/lost+found").mkdir()
    (tmp_path / "log/manager").mkdir(parents=True)  # directories of the plan are given away by a later role
    assert look(machine())["problems"] == []
    (tmp_path / "data/chaser.chk").touch()
    (tmp_path / "data/writer.chk").touch()
    me = pwd.getpwuid(os.getuid()).pw_name
    said = f"and 1 more belong to {me}, but eventstore_user is eventstore"
    assert only(look(machine()), "foreign-data") == f"{tmp_path}/data/chaser.chk {said}"
    assert look(machine(eventstore_user=me))["problems"] == []
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "run/es-cluster1").mkdir(parents=True)
    for name in ("es-cluster1.pid", "es-cluster1/watchdog.state", "es-cluster1/watchdog.state.lock"):
        (tmp_path / "run" / name).touch()
    assert only(look(machine()), "foreign-data") == f"{tmp_path}/run/es-cluster1/watchdog.state {said}"
    assert look(machine(eventstore_service_provider="process"))["problems"] == []


def test_no_systemd(machine, look, monkeypatch, tmp_path):
    given = machine(eventstore_service_provider="systemd")
    monkeypatch.setattr(preflight, "SYSTEMD", tmp_path / "nowhere")
    assert "systemd" in only(look(given), "no-systemd")
    monkeypatch.setattr(preflight, "SYSTEMD", tmp_path)
    assert look(given)["problems"] == []


def test_another_account_needs_root(machine, look, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "of daemon cannot be started by the account 54321" in only(
        look(machine(eventstore_user="daemon")), "not-root"
    )


def test_no_yaml_and_an_old_python(machine, look, monkeypatch):
    monkeypatch.setattr(preflight.document, "HAS_YAML", False)
    assert "PyYAML" in only(look(machine()), "no-yaml")
    monkeypatch.undo()
    monkeypatch.setattr(preflight, "OLDEST_PYTHON", (9, 9))
    monkeypatch.setattr(preflight, "_dns", lambda _plan: [])
    assert "3.9 or newer" in only(look(machine()), "python-old")


def test_few_files_are_worth_a_note(machine, look, monkeypatch):
    given = machine(eventstore_service_provider="process")
    monkeypatch.setattr(preflight.resource, "getrlimit", lambda _what: (1024, 4096))
    assert "1024 files" in look(given)["notes"][0]
    monkeypatch.setattr(preflight.resource, "getrlimit", lambda _what: (65536, 65536))
    assert look(given)["notes"] == []
    assert look({**given, "notes": ["of the plan"]})["notes"] == ["of the plan"]


def test_half_a_plan_is_refused(machine, run_module):
    given = copy.deepcopy(machine())
    del given["dns"], given["nodes"]
    result = run_module("es_preflight", {"plan": given})
    assert result["failed"]
    assert "lacks dns, nodes" in result["msg"]


def test_a_plan_for_windows_is_refused(machine, run_module):
    result = run_module("es_preflight", {"plan": {**machine(), "platform": "windows"}})
    assert result["failed"]
    assert "ansible_connection" in result["msg"]


def test_a_port_that_the_services_account_may_not_have(machine, look):
    given = {"eventstore_ext_http_port": 81}
    text = only(look(machine(**given)), "port-refused")
    assert text == "the account eventstore is not permitted to listen on 127.0.71.1:81"
    assert look(machine(**given, eventstore_service_provider="process"))["problems"] == []


@pytest.fixture
def silent():
    """An address that drops what would open a connection, as a firewall does: its queue of them is full."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.71.4", 0), backlog=0))
        for _ in range(8):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield "{}:{}".format(*server.getsockname())


def test_a_firewall_between_two_machines(machine, look, silent, monkeypatch):
    given = machine()
    assert look(given)["unreached_peers"] == []  # nobody listens on 127.0.71.2, and it says so
    given["peers"] = {"node2": [silent, "127.0.71.2:2112"], "node3": ["127.0.71.3:2112"]}
    monkeypatch.setattr(preflight, "CONNECT_TIMEOUT_S", 0.2)
    seen = look(given)
    assert seen["problems"] == []
    (found,) = seen["unreached_peers"]
    assert (found["host"], found["code"]) == ("node2", "peer-unreachable")
    assert found["text"].startswith(f"{silent} of node2 cannot be reached from this machine: ")
