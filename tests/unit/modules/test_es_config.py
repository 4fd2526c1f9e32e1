# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import stat

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.host import module

OPTIONS = {
    "Db": "/srv/es-data",
    "IntIp": "192.168.1.11",
    "DiscoverViaDns": False,
    "GossipSeed": ["192.168.1.11:30777"],
    "ClusterSize": 3,
}
TEXT = """\
---
Db: /srv/es-data
IntIp: 192.168.1.11
DiscoverViaDns: false
GossipSeed: ['192.168.1.11:30777']
ClusterSize: 3
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "etc" / "database.yaml"


@pytest.fixture(autouse=True)
def usual_umask():
    """A module has a process of its own; here it must not leave its umask to the other tests."""
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.fixture
def es_config(run_module, path):
    """Run es_config on ``path``, whose directory exists."""
    path.parent.mkdir()

    def run(*, check=False, diff=True, **more):
        args = {"path": str(path), "kind": "database", "version": "3.4.0", "options": OPTIONS, **more}
        return run_module("es_config", args, check=check, diff=diff)

    return run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def files(path):
    return sorted(each.name for each in path.parent.iterdir())


def test_check_write_check_again_write_again(es_config, path):
    checked = es_config(check=True)
    assert checked["changed"]
    assert not path.exists()

    written = es_config()
    assert written["changed"]
    assert path.read_text() == TEXT
    assert mode(path) == 0o644
    assert written["diff"][0] == checked["diff"][0]
    assert written["diff"][0]["before"] == ""
    assert written["diff"][0]["after"] == TEXT

    assert not es_config(check=True)["changed"]
    inode = path.stat().st_ino
    assert not es_config()["changed"]
    assert path.stat().st_ino == inode

    changed = es_config(options={**OPTIONS, "ClusterSize": 5}, check=True)
    assert changed["changed"]
    assert changed["diff"][0]["before"] == TEXT
    assert changed["diff"][0]["after"] == TEXT.replace("3\n", "5\n")
    assert path.read_text() == TEXT
    assert es_config(options={**OPTIONS, "ClusterSize": 5})["changed"]
    assert yaml.safe_load(path.read_text())["ClusterSize"] == 5
    assert files(path) == ["database.yaml"]


def test_what_is_returned(es_config, path):
    result = es_config(
        environment={"EVENTSTORE_CLUSTER_SIZE": 5, "EVENTSTORE_INTIP": "127.0.0.1"},
        arguments=["--config", str(path), "--int-ip", "192.168.1.12", "stray"],
    )
    assert result["path"] == str(path)
    assert result["effective"]["ClusterSize"] == {"value": 5, "source": "Environment Variable"}
    assert result["effective"]["IntIp"] == {"value": "192.168.1.12", "source": "Command Line"}
    assert result["effective"]["GossipSeed"] == {"value": ["192.168.1.11:30777"], "source": "Config File"}
    assert result["effective"]["StatsPeriodSec"] == {"value": 30, "source": "<DEFAULT>"}
    assert result["shadowed"] == {
        "IntIp": {"in_file": "192.168.1.11", "value": "192.168.1.12", "source": "Command Line"},
        "ClusterSize": {"in_file": "3", "value": 5, "source": "Environment Variable"},
    }
    assert len(result["ignored"]) == 2
    assert "'stray'" in result["ignored"][0]
    assert "EVENTSTORE_INTIP: not known to the server; did you mean EVENTSTORE_INT_IP?" in result["ignored"][1]


def test_nothing_is_shadowed_by_the_file_itself(es_config, path):
    path.write_text("ClusterSize: 3\nclustersize: 5\n")
    result = es_config(exclusive=False, options={}, environment={"EVENTSTORE_CONFIG": "/other"})
    assert not result["changed"]
    assert result["shadowed"] == {}
    assert len(result["ignored"]) == 2


def test_a_bare_machine_in_check_mode(run_module, tmp_path):
    args = {"path": str(tmp_path / "no/such/dir/x.yaml"), "kind": "database", "version": "3.4.0", "options": OPTIONS}
    checked = run_module("es_config", args, check=True, diff=True)
    assert checked["changed"]
    assert checked["diff"][0]["after"] == TEXT
    assert not (tmp_path / "no").exists()

    refused = run_module("es_config", args)
    assert refused["failed"]
    assert f"the directory {tmp_path}/no/such/dir is missing. Create it first; nothing was written" in refused["msg"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"options": {"ClusterSiez": 3}},
            "options: ClusterSiez is not an option of a database node 3.4.0; did you mean",
        ),
        ({"options": {"MemDb": "no", "IntIp": "x"}}, "1) MemDb: 'no' is not true or false"),
        ({"options": {}}, "the file would hold no option, and the server crashes"),
        (
            {"options": {"ClusterDns": "a.example,b.example"}},
            "'a.example,b.example' is no DNS name; one name has a record",
        ),
        (
            {"options": {"IntHttpPrefixes": ["http://*:2112"]}},
            "IntHttpPrefixes (Config File): has what the server crashes",
        ),
        ({"options": {"ClusterSize": 4}}, "ClusterSize: 4 is not a size for a cluster"),
        ({"options": {"EnableWatchdog": True}}, "EnableWatchdog is an option of a manager node"),
        ({"version": "26.2.0"}, "version '26.2.0' is not supported"),
        ({"kind": "manager"}, "ClusterSize is an option of a database node"),
        ({"arguments": ["--int_ip", "1"]}, "command line, --int_ip: not an option"),
        ({"arguments": ["--config", "/elsewhere"]}, "arguments: --config chooses /elsewhere, not the file"),
        (
            {"environment": {"EVENTSTORE_INT_IP": "node1"}},
            "EVENTSTORE_INT_IP: the value 'node1' could not be converted",
        ),
        ({"header": "\x07"}, "line 1: a character that YAML does not allow"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(es_config, path, args, message):
    path.write_text("Log: /l\n")
    result = es_config(**args)
    assert result["failed"]
    assert message in result["msg"]
    assert path.read_text() == "Log: /l\n"
    assert files(path) == ["database.yaml"]


DAMAGED = [
    (b"ClusterSize: 3\nClusterSize: 5\n", "line 2: ClusterSize stands here a second time"),
    (b"a: b: c\n", "line 1, column 5: not valid YAML"),
    (b"- a list\n", "line 1: expected lines of the form"),
    (b"Db: /srv/\xff\n", "byte 10 is not UTF-8 text"),
    (b"<html>404</html>\n", "line 1: expected lines of the form"),
    (b"GossipSeed: [127.0.0.1:1]\n", "line 1: an entry with ':'"),
]


@pytest.mark.parametrize(("data", "message"), DAMAGED)
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_damaged_file_is_left_alone(es_config, path, data, message, exclusive):
    path.write_bytes(data)
    result = es_config(exclusive=exclusive)
    assert result["failed"]
    assert message in result["msg"]
    assert "mend it, remove it, or replace it with force: true" in result["msg"]
    assert path.read_bytes() == data


@pytest.mark.parametrize(("data", "message"), DAMAGED)
def test_a_damaged_file_is_replaced_by_force(es_config, path, data, message):
    path.write_bytes(data)
    result = es_config(force=True, backup=True)
    assert path.read_text() == TEXT
    with open(result["backup_file"], "rb") as backup:
        assert backup.read() == data
    assert message in str(result["warnings"])
    assert not es_config(force=True)["changed"]


@pytest.mark.parametrize("force", [True, False])
def test_a_directory_is_never_replaced(es_config, path, force):
    path.mkdir()
    result = es_config(force=force)
    assert result["failed"]
    assert "expected a file, found a directory" in result["msg"]
    assert path.is_dir()


@pytest.mark.parametrize("text", ["", "# comments only\n"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_file_without_options_is_not_damaged(es_config, path, text, exclusive):
    path.write_text(text)
    assert es_config(exclusive=exclusive)["changed"]
    assert yaml.safe_load(path.read_text())["ClusterSize"] == 3
    assert path.read_text().startswith("---\n" if exclusive else text)


@pytest.mark.parametrize("text", [None, "", "# comments only\n", "---\n"])
def test_a_file_that_stays_without_options_is_refused(es_config, path, text):
    if text is not None:
        path.write_text(text)
    result = es_config(exclusive=False, options={})
    assert result["failed"]
    assert "the server crashes on an empty file or one of comments only" in result["msg"]
    assert "Give at least one option" in result["msg"]
    assert (path.read_text() if path.exists() else None) == text


OWN = "IntIp: 10.9.0.5\nExtIp: 10.9.0.5\n"
ANY = "IntIp: 0.0.0.0\nExtIp: 0.0.0.0\nClusterSize: 3\n"
DOUBTS = [
    ("DiscoverViaDns: ip\n", "line 1, DiscoverViaDns: 'ip' is true to the server"),
    ("ClusterDns: a.example,b.example\n", "ClusterDns (Config File): 'a.example,b.example' is no DNS name; one name"),
    (
        f"{ANY}AddInterfacePrefixes: false\nIntHttpPrefixes: http://*:2112/\nExtHttpPrefixes: http://*:2113/\n",
        "IntIp (Config File): with AddInterfacePrefixes false the node gives 0.0.0.0 to the others",
    ),
    (f"{ANY}IntIp: 10.9.0.5\n".replace("IntIp: 0.0.0.0\n", ""), "the internal HTTP server has no prefix"),
    (f"{OWN}ClusterSize: 3\nIntIpAdvertiseAs: 198.51.100.5\n", "answers 400 Invalid host to 198.51.100.5"),
    ("EnableTrustedAuth: 'no'\n", "EnableTrustedAuth: 'no' is true to the server"),
    ("Db: /x\nInterface: {IntIp: 10.0.0.1}\n", "Interface has nested settings, which the server skips"),
]


@pytest.mark.parametrize(("text", "warning"), DOUBTS)
def test_what_the_server_takes_without_a_word_is_told(es_config, path, text, warning):
    path.write_text(text)
    result = es_config(exclusive=False, options={"StatsPeriodSec": 30}, version="5.0.11")
    assert result["changed"]
    assert any(warning in each for each in result["warnings"]), result


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("IntIp: 0.0.0.0\n", "IntIp (Config File): a manager gives 0.0.0.0 to the others"),
        ("ClusterDns: a,b\n", "'a,b' is no DNS name"),
        ("EnableWatchdog: off\n", "'off' is true to the server"),
    ],
)
def test_a_managers_file_is_doubted_too(es_config, path, text, warning):
    path.write_text(text)
    result = es_config(kind="manager", exclusive=False, options={"Log": "/l"})
    assert any(warning in each for each in result["warnings"]), result


MODERN = {
    "Db": "/srv/db",
    "Log": "/srv/log",
    "ClusterSize": 3,
    "DiscoverViaDns": False,
    "GossipSeed": ["es2.example.org:2113", "es3.example.org:2113"],
    "CertificateFile": "/etc/tls/node.crt",
}


def test_a_file_for_a_server_of_today(es_config, path):
    result = es_config(version="24.10.4", options=MODERN)
    assert result["changed"]
    assert "GossipSeed: ['es2.example.org:2113', 'es3.example.org:2113']" in path.read_text()
    assert result["effective"]["GossipSeed"]["value"] == ["es2.example.org:2113", "es3.example.org:2113"]
    assert result["effective"]["NodePort"] == {"value": 2113, "source": "<DEFAULT>"}
    assert result["effective"]["ClusterSize"]["source"] == "Yaml"
    assert "warnings" not in result
    again = es_config(version="24.10.4", options=MODERN)
    assert not again["changed"]
    assert es_config(version="24.10.4", exclusive=False, options={"StatsPeriodSec": 60})["changed"]
    assert "StatsPeriodSec: 60" in path.read_text()


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        ("24.10.4", {"HttpPrt": 1}, "HttpPrt is not an option of a database node 24.10.4; did you mean HttpPort?"),
        ("25.0.0", {"HttpPort": 1}, "it went after 24.10.4; write NodePort"),
        ("24.10.4", {"DisableAdminUi": "yes"}, "'yes' is not true or false; the server does not start with it"),
        ("24.10.4", {"GossipSeed": ["[::1]:2113"]}, "is IPv6, which the server does not read in GossipSeed"),
        ("24.10.4", {"DefaultAdminPassword": "x"}, "can only be set by an environment variable"),
        ("24.10.4", {"Licencing": {"LicenseKey": "x"}}, "no section that 24.10.4 knows; did you mean Licensing?"),
        ("24.10.4", {"GossipSeed": []}, "the server ends with exit code 1 and says so on stdout"),
        ("20.10.6", {"CertificateFile": ""}, "the server ends with exit code 0"),
        ("24.10.4", {"CertificateFile": ""}, "TLS needs a certificate"),
    ],
)
def test_what_a_server_of_today_would_not_start_with_is_not_written(es_config, path, version, change, message):
    result = es_config(version=version, options={**MODERN, **change})
    assert result["failed"]
    assert message in result["msg"]
    assert not path.exists()


def test_what_the_environment_does_to_a_server_of_today(es_config, path):
    result = es_config(version="24.10.4", options=MODERN, environment={"EVENTSTORE_NAMESERVERS": "10.0.0.1"})
    assert "environment variable EVENTSTORE_NAMESERVERS: not an option of a database node 24.10.4" in result["msg"]
    assert not path.exists()
    result = es_config(version="26.1.0", options=MODERN, environment={"KURRENTDB_CLUSTER_SIZE": "5"})
    assert result["shadowed"] == {"ClusterSize": {"in_file": "3", "value": 5, "source": "Environment Variables"}}


def test_an_old_name_is_doubted(es_config):
    result = es_config(version="24.10.4", options={**MODERN, "HttpPort": 3113})
    assert any(
        "HttpPort (Yaml): the old name of NodePort; later versions than 24.10.4" in each for each in result["warnings"]
    )
    assert result["effective"]["NodePort"]["value"] == 3113


def test_a_section_is_written_and_its_secret_is_seen_by_none(es_config, path):
    result = es_config(
        version="24.10.4", options={**MODERN, "Licensing": {"LicenseKey": "s3cret-key"}}, _ansible_diff=True
    )
    assert 'Licensing: {"LicenseKey": "s3cret-key"}' in path.read_text()
    assert "s3cret-key" not in str(result)
    assert path.stat().st_mode & 0o007 == 0
    kept = es_config(version="24.10.4", exclusive=False, options={"StatsPeriodSec": 60}, _ansible_diff=True)
    assert "s3cret-key" in path.read_text()
    assert "s3cret-key" not in str(kept)


def test_there_is_no_manager_of_today(es_config):
    assert "there are none from 20.x on" in es_config(version="24.10.4", kind="manager", options={"Log": "/l"})["msg"]


@pytest.mark.parametrize(("version", "warned"), [("5.0.0", True), ("5.0.11", False)])
def test_an_option_that_the_patch_release_may_be_without_is_doubted(es_config, version, warned):
    result = es_config(options={"WriteStatsToDb": False}, version=version)
    said = any("WriteStatsToDb may be unknown to the server" in each for each in result.get("warnings", []))
    assert said == warned


@pytest.mark.parametrize(
    "text",
    [
        ANY,
        f"{OWN}ClusterSize: 1\nIntIpAdvertiseAs: 198.51.100.5\n",
        "ClusterDns: es.example.\nDiscoverViaDns: 0\n",
        "ClusterDns: a,b\nDiscoverViaDns: false\n",
    ],
)
def test_of_what_works_nothing_is_said(es_config, path, text):
    path.write_text(text)
    result = es_config(
        exclusive=False, options={"StatsPeriodSec": 30, "GossipSeed": ["10.0.0.1:2112"]}, version="5.0.11"
    )
    assert result["changed"]
    assert "warnings" not in result


def test_other_options_comments_and_order_are_kept(es_config, path):
    path.write_text("# mine\nLog: /l # log\nclustersize: 5 # size\n")
    result = es_config(exclusive=False, options={"ClusterSize": 3, "Db": "/x"})
    assert result["changed"]
    assert path.read_text() == "# mine\nLog: /l # log\nClusterSize: 3 # size\nDb: /x\n"
    assert not es_config(exclusive=False, options={"ClusterSize": 3, "Db": "/x"})["changed"]


def test_exclusive_removes_other_options(es_config, path):
    path.write_text("Log: /l\n")
    assert es_config()["diff"][0]["before"] == "Log: /l\n"
    assert path.read_text() == TEXT


def test_an_unknown_option_that_is_kept_is_refused(es_config, path):
    path.write_text("Nonsense: 1\nLog: /l\n")
    result = es_config(exclusive=False)
    assert f"{path}, line 1, Nonsense: not an option of a database node 3.4.0" in result["msg"]
    assert path.read_text() == "Nonsense: 1\nLog: /l\n"
    assert es_config(exclusive=False, unknown_options="allow")["changed"]


@pytest.mark.parametrize(("unknown_options", "warnings"), [("warn", 1), ("allow", 0)])
def test_unknown_options_can_be_written_safely(es_config, path, unknown_options, warnings):
    wanted = {"NewOption": "# a: 'b'", "ClusterSize": 3}
    result = es_config(options=wanted, unknown_options=unknown_options)
    assert len(result.get("warnings", [])) == warnings
    assert yaml.safe_load(path.read_text()) == wanted
    assert result["effective"]["NewOption"] == {"value": "# a: 'b'", "source": "Config File"}


def test_an_option_of_the_built_in_manager_only_if_asked_for(es_config, path):
    options = {"NodeExecutable": "/opt/es/eventstored"}
    refused = es_config(kind="manager", options=options)
    assert "NodeExecutable is an option of the built-in manager" in refused["msg"]
    assert es_config(kind="manager", options=options, unknown_options="allow")["changed"]
    assert path.read_text() == "---\nNodeExecutable: /opt/es/eventstored\n"


def test_backup(es_config, path):
    path.write_text("Log: /l\n")
    assert "backup_file" not in es_config(backup=True, check=True)
    with open(es_config(backup=True)["backup_file"]) as backup:
        assert backup.read() == "Log: /l\n"
    assert "backup_file" not in es_config(backup=True)


def test_mode(es_config, path):
    assert es_config(mode="0600")["changed"]
    assert mode(path) == 0o600
    assert not es_config(mode="0600")["changed"]
    assert not es_config()["changed"]
    assert mode(path) == 0o600
    checked = es_config(mode="0640", check=True)
    assert checked["changed"]
    assert checked["diff"][1]["before"] == {"mode": "0600"}
    assert checked["diff"][1]["after"] == {"mode": "0640"}
    assert mode(path) == 0o600


# -- secrets -------------------------------------------------------------------------------------------------------

SECRET = "hunter2"  # noqa: S105 (the point of the tests)


@pytest.mark.parametrize(
    "args",
    [
        {"options": {**OPTIONS, "CertificatePassword": SECRET}},
        {"options": {**OPTIONS, "certificate-password": SECRET}},
        {"options": {"CertificatePasword": SECRET}},
        {"options": {"CertificatePassword": [SECRET]}},
        {"options": {"CertificatePassword": {"a": {"b": SECRET}}}},
        {"environment": {"EVENTSTORE_CERTIFICATE_PASSWORD": SECRET}},
        {"environment": {"EVENTSTORE_CERTIFICATEPASSWORD": SECRET}},
        {"arguments": ["--certificate-password", SECRET]},
        {"arguments": [f"--certificate-password={SECRET}"]},
        {"arguments": [f"-CertificatePassword={SECRET}"]},
        {"arguments": ["--certificate-password", "x9", SECRET]},
        {"arguments": ["--mem-db", "--certificat-password", SECRET]},
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_secret_never_leaves_the_file(es_config, monkeypatch, args, check):
    logged = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, *words, **more: logged.append((words, more)))
    result = es_config(check=check, **args)
    assert SECRET not in json.dumps(result)
    assert "Invoked with" in str(logged)
    assert SECRET not in str(logged)


def test_a_secret_in_the_file_is_hidden(es_config, path):
    path.write_text(f"CertificatePassword: {SECRET}\n# certificate-password was {SECRET}\n")
    result = es_config(
        exclusive=False, options={"ClusterSize": 3}, environment={"EVENTSTORE_CERTIFICATE_PASSWORD": "other77"}
    )
    assert SECRET not in json.dumps(result)
    assert "other77" not in json.dumps(result)
    assert "********" in result["effective"]["CertificatePassword"]["value"]
    assert set(result["shadowed"]) == {"CertificatePassword"}
    assert SECRET in path.read_text()


def test_a_file_with_a_secret_is_not_for_others(es_config, path):
    es_config(options={"CertificatePassword": SECRET})
    assert mode(path) == 0o640
    path.chmod(0o604)
    assert es_config(options={"CertificatePassword": SECRET})["changed"]
    assert mode(path) == 0o600
    assert es_config(options={"CertificatePassword": SECRET}, mode="0644")["changed"]
    assert mode(path) == 0o644
    assert yaml.safe_load(path.read_text()) == {"CertificatePassword": SECRET}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another group")
def test_a_file_with_a_secret_is_read_by_the_group_of_its_directory(es_config, path):
    os.chown(path.parent, 0, 65534)
    assert es_config(options={"CertificatePassword": SECRET}, check=True)["changed"]
    es_config(options={"CertificatePassword": SECRET})
    assert (path.stat().st_gid, mode(path)) == (65534, 0o640)
    assert not es_config(options={"CertificatePassword": SECRET})["changed"]
    path.write_text("IntIp: 10.0.0.1\n")
    os.chown(path, 0, 0)
    path.chmod(0o644)
    es_config(options={"CertificatePassword": SECRET})
    assert (path.stat().st_gid, mode(path)) == (65534, 0o640)
    os.chown(path, 0, 7)  # as the operator wants it
    assert not es_config(options={"CertificatePassword": SECRET})["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root is not led by links of others")
@pytest.mark.parametrize("way", ["file", "directory", "behind a link of root's"])
def test_root_does_not_follow_a_link_of_another_user(es_config, path, tmp_path, way):
    roots = tmp_path / "roots"
    roots.mkdir()
    (roots / "database.yaml").write_text("ClusterSize: 1\n")
    link = path if way == "file" else path.parent
    target = roots / "database.yaml" if way == "file" else roots
    if way != "file":
        path.parent.rmdir()
    if way == "behind a link of root's":
        path.parent.symlink_to(tmp_path / "between")
        link = tmp_path / "between"
    link.symlink_to(target)
    os.lchown(link, 65534, 65534)
    for check in (True, False):
        refused = es_config(check=check, force=True)
        assert refused["failed"]
        assert refused["msg"].startswith(f"{link}: is a link of user 65534, which root does not follow")
    assert (roots / "database.yaml").read_text() == "ClusterSize: 1\n"
    os.lchown(link, 0, 0)
    assert es_config()["changed"]
    assert (roots / "database.yaml").read_text() == TEXT


def test_a_new_file_with_a_secret_is_at_no_moment_for_others(es_config, path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        AnsibleModule,
        "set_fs_attributes_if_different",
        lambda _self, _args, changed, **_more: seen.append(mode(path)) or changed,
    )
    es_config(options={"CertificatePassword": SECRET})
    assert seen == [0o640]


def test_without_pyyaml(es_config, monkeypatch):
    monkeypatch.setattr(module, "HAS_YAML", False)
    result = es_config()
    assert result["failed"]
    assert "Failed to import the required Python library (PyYAML)" in result["msg"]


@pytest.fixture
def machine(run_module, tmp_path):
    """Run es_config on all files of a machine; ``more`` replaces options of the files by their names."""
    folder = tmp_path / "etc"
    folder.mkdir()

    def run(*, check=False, manager=None, **more):
        watchdog = {"EnableWatchdog": True, "WatchdogConfig": str(folder / "watchdog.esconfig")}
        files = [
            {"path": str(folder / "database.yaml"), "kind": "database", "options": OPTIONS},
            {
                "path": str(folder / "manager.yaml"),
                "kind": "manager",
                "options": watchdog,
                "nodes": [["--config", str(folder / "database.yaml")]],
                **(manager or {}),
            },
        ]
        return run_module("es_config", {"version": "3.4.0", "files": files, **more}, check=check, diff=True)

    run.folder = folder
    return run


def test_all_files_of_a_machine_check_write_check_again_write_again(machine):
    checked = machine(check=True)
    assert checked["changed"]
    assert not list(machine.folder.iterdir())
    written = machine()
    assert written["changed"]
    assert written["diff"] == checked["diff"]
    assert [each["path"].rpartition("/")[2] for each in written["files"]] == [
        "database.yaml",
        "manager.yaml",
        "watchdog.esconfig",
    ]
    assert (machine.folder / "database.yaml").read_text() == TEXT
    assert (machine.folder / "watchdog.esconfig").read_text() == f"# --config {machine.folder}/database.yaml\n"
    for check in (True, False):
        assert not machine(check=check)["changed"]
    changed = machine(manager={"nodes": [["--config", "/other.yaml"]]}, backup=True)
    assert [each["changed"] for each in changed["files"]] == [False, False, True]
    assert os.path.exists(changed["files"][2]["backup_file"])


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ({"nodes": [["--config", "relative.yaml"]]}, "not an absolute path"),
        ({"options": {"EnableWatchdgo": True}}, "EnableWatchdog"),
        ({"options": {"EnableWatchdog": True}}, "no WatchdogConfig that names the file"),
        ({"options": {"WatchdogConfig": "/nowhere/watchdog.esconfig"}}, "the directory /nowhere is missing"),
    ],
)
def test_one_file_that_is_refused_keeps_all_from_being_written(machine, manager, words):
    result = machine(manager=manager)
    assert result["failed"]
    assert words in result["msg"]
    assert not list(machine.folder.iterdir())


def test_one_damaged_file_keeps_all_from_being_written(machine):
    (machine.folder / "watchdog.esconfig").write_text("no watchdog file\n")
    result = machine()
    assert result["failed"]
    assert "left alone" in result["msg"]
    assert [each.name for each in machine.folder.iterdir()] == ["watchdog.esconfig"]


def test_a_file_twice_is_refused(machine):
    result = machine(manager={"path": str(machine.folder / "database.yaml")})
    assert result["failed"]
    assert "two files have this path" in result["msg"]
    assert not list(machine.folder.iterdir())


def test_secrets_of_any_file_are_hidden(machine):
    result = machine(manager={"options": {"CertificatePasword": SECRET}})
    assert result["failed"]
    assert SECRET not in json.dumps(result)
