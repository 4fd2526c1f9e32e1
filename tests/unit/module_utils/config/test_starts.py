# SPDX-License-Identifier: GPL-3.0-or-later
"""What is predicted of a server's start, held against 436 starts of real servers 23.10.6, 24.10.4 and 26.1.0.

A row of starts.json has the layers of one start and how it ended. ``start``: not with --what-if, which checks less.
``machine``: not the options ended it. ``stopped``: it ran until it was stopped. ``shows``: the server's own list of
what differs from its defaults.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import keyed, start
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import DEFAULT
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set

ROWS = json.loads((Path(__file__).parents[2] / "fixtures/config/starts.json").read_text(encoding="utf-8"))
# In every row, and not in ``shows``.
GIVEN = {"Config", "Insecure", "Db", "Log", "WhatIf"}
# The server's list is not there, lacks what it reads, or was cut off before the server came to the check.
NO_LIST = {"help", "help_with_bad_conf", "version", "opt_LogConsoleFormat_Json"}
NOT_LISTED = {"json_array_seed": {"GOSSIP SEED"}}
STOPPED_BEFORE = {("24.10.4", "s_size3_noseed")}


def name_of(row):
    return f"{row['version']}-{row['name']}"


def predicted(row):
    arguments = row.get("arguments", []) + ([] if row.get("start") else ["--what-if"])
    return keyed.effective(
        option_set("database", row["version"]),
        file=row["file"],
        file_name="/etc/node.yaml",
        environment=row.get("environment"),
        arguments=arguments,
        json_files=row.get("json"),
    )


STARTS = [row for row in ROWS if not row["exit"] or "machine" in row]
ENDS = [row for row in ROWS if row["exit"] and "machine" not in row]


def test_there_are_all_rows():
    assert len(STARTS) + len(ENDS) == len(ROWS) == 436
    assert len(ENDS) > 100
    assert {(row["exit"], row["stream"]) for row in ENDS} == {(1, "stdout"), (134, "stderr")}


@pytest.mark.parametrize("row", STARTS, ids=name_of)
def test_starts(row):
    if (row["version"], row["name"]) in STOPPED_BEFORE:  # the same start without a limit ends: v_size3_noseed
        with pytest.raises(start.Refused, match="GossipSeed"):
            predicted(row)
        return
    effective = predicted(row)
    found = {
        setting.option.title: ["********" if setting.option.secret else setting.raw.strip(), setting.source]
        for name, setting in effective.items()
        if setting.source != DEFAULT and name not in GIVEN
    }
    shown = row.get("shows", {})
    if row["version"].startswith("23."):  # its list shows only what is spelled as the option is declared
        found = {title: value for title, value in found.items() if title in shown}
    new_names = {
        setting.option.renamed for setting in effective.values() if setting.option.renamed and setting.source != DEFAULT
    }
    handed_over = {effective[name].option.title for name in new_names if name in effective}
    for title in (NOT_LISTED.get(row["name"], set()) | handed_over) - set(shown):
        found.pop(title, None)
    if row["name"] not in NO_LIST and not row.get("start"):
        assert found == shown


@pytest.mark.parametrize("row", ENDS, ids=name_of)
def test_ends(row):
    with pytest.raises(start.Refused) as refused:
        predicted(row)
    assert (refused.value.exit_code, refused.value.stream) == (row["exit"], row["stream"])
    assert f"exit code {row['exit']} and says so on {row['stream']}" in str(refused.value)
    assert refused.value.where
    if "options" in row:
        assert any(flat(refused.value.option).startswith(flat(name)) for name in row["options"])
        assert all(flat(name) in flat(str(refused.value)) for name in row["options"] if ":" not in name)


def flat(name):
    return name.lower().replace(" ", "").replace("-", "").replace("_", "")


# -- beyond the rows: what a server does without a word ------------------------------------------------------------


def effective(version, file="", **layers):
    base = "Insecure: true\nDb: /srv/db\nLog: /srv/log\n"
    return keyed.effective(option_set("database", version), file=base + file, file_name="/n.yaml", **layers)


@pytest.mark.parametrize(
    ("version", "file", "said"),
    [
        ("24.10.4", "node-priority: 7\n", "line 4, node-priority: the server accepts this spelling and does nothing"),
        ("24.10.4", "node-priority: 7\n", "write NodePriority"),
        ("26.1.0", '"Cluster:NodePriority": 7\n', "does nothing with it; write NodePriority"),
        ("24.10.4", "Licencing:\n  LicenseKey: x\n", "no section that 24.10.4 knows"),
        ("24.10.4", "Licencing:\n  LicenseKey: x\n", "did you mean Licensing?"),
        ("24.10.4", "Archive:\n  Enabled: true\n", "no section that 24.10.4 knows"),
        ("24.10.4", "Cluster:\n  NodePriority: 7\n", "no section that 24.10.4 knows"),
        ("23.10.6", "Licensing:\n  LicenseKey: x\n", "no section that 23.10.6 knows"),
        ("24.10.4", "Config: /x.yaml\n", "not followed"),
    ],
)
def test_what_does_nothing_is_named(version, file, said):
    assert any(said in each for each in effective(version, file).ignored)


@pytest.mark.parametrize(
    ("version", "file"),
    [
        ("24.10.4", "Licensing:\n  LicenseKey: x\n"),
        ("25.0.0", "Archive:\n  Enabled: true\n"),
        ("25.1.4", "SecondaryIndexing:\n  Enabled: true\n"),
        ("24.10.4", "NodePriority: 7\n"),
    ],
)
def test_of_what_works_nothing_is_said(version, file):
    assert effective(version, file).ignored == ()


def test_names_of_the_environment():
    found = effective("23.10.6", environment={"eventstore_node_priority": "7"})
    assert "the server wants the prefix EVENTSTORE_ in capital letters" in found.ignored[0]
    assert effective("24.10.4", environment={"eventstore_node_priority": "7"}).value("NodePriority") == 7
    named = effective("24.10.4", environment={"EVENTSTORE_LICENCING__LICENSE_KEY": "x"}).ignored
    assert "EVENTSTORE_LICENCING__LICENSE_KEY: the server passes over it" in named[0]
    assert effective("24.10.4", environment={"EVENTSTORE_LICENSING__LICENSE_KEY": "x"}).ignored == ()


@pytest.mark.parametrize("variable", ["EVENTSTORE_NAMESERVERS", "EVENTSTORE_HOME", "EVENTSTORE_LEASE_CLIENTS"])
@pytest.mark.parametrize("version", ["21.10.11", "23.10.6", "24.10.4", "26.1.0"])
def test_nothing_of_ours_may_reach_a_server_that_does_not_know_it(version, variable):
    with pytest.raises(start.Refused, match=f"environment variable {variable}: not an option"):
        effective(version, environment={variable: "x"})


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("HttpPort: 3113\n", 3113),
        ("HttpPort: 3113\nNodePort: 4113\n", 4113),
        ("HttpPort: 3113\nNodePort: 2113\n", 3113),  # the new name's default is as if it was not given
        ("NodePort: 4113\n", 4113),
    ],
)
@pytest.mark.parametrize("version", ["23.10.6", "24.10.4"])
def test_an_old_name_counts_while_the_new_one_has_its_default(version, file, value):
    assert effective(version, file).value("NodePort") == value


def test_the_new_name_wins_whatever_the_layer():
    found = effective("23.10.6", "NodePort: 4113\n", environment={"EVENTSTORE_HTTP_PORT": "3113"})
    assert found.value("NodePort") == 4113


@pytest.mark.parametrize(
    ("version", "file", "option"),
    [
        ("24.10.4", "ClusterSize: 0\n", "ClusterSize"),
        ("24.10.4", "DiscoverViaDns: true\nClusterDns: ' '\n", "ClusterDns"),
        ("24.10.4", "Index: /srv/db\n", "Index"),
        ("24.10.4", "DiscoverViaDns: false\nGossipSeed: a:1,b:2\n", "GossipSeed"),
        ("26.1.0", "ClusterSize: 3\nDiscoverViaDns: false\n", "GossipSeed"),
        ("26.1.0", "ReadOnlyReplica: true\n", "ReadOnlyReplica"),
        ("26.1.0", "MaxAppendEventSize: 20000000\n", "MaxAppendEventSize"),
        ("26.1.0", "MaxAppendSize: 300000000\n", "MaxAppendSize"),
        ("24.10.4", "InitializationThreads: 0\n", "InitializationThreads"),
        ("24.10.4", "ReplicationPort: 70000\n", "ReplicationPort"),
    ],
)
def test_what_only_the_start_refuses(version, file, option):
    """With --what-if the same servers end with 0."""
    assert effective(version, file, arguments=["--what-if"])
    with pytest.raises(start.Refused) as refused:
        effective(version, file)
    assert refused.value.option == option


def test_there_is_no_silent_insecure_server():
    options = option_set("database", "24.10.4")
    with pytest.raises(start.Refused, match="TLS needs a certificate"):
        keyed.effective(options, file="Db: /srv/db\n")
    assert keyed.effective(options, file="Db: /srv/db\nCertificateFile: /etc/tls/node.crt\n")


@pytest.mark.parametrize(
    ("version", "environment", "arguments", "path"),
    [
        ("24.10.4", {"EVENTSTORE_CONFIG": "/e"}, [], "/e"),
        ("24.10.4", {"EVENTSTORE_CONFIG": "/e"}, ["--config", "/c"], "/c"),
        ("26.1.0", {"EVENTSTORE_CONFIG": "/e", "KURRENTDB_CONFIG": "/k"}, [], "/k"),
        ("24.10.4", {}, [], None),
    ],
)
def test_who_chooses_the_file(version, environment, arguments, path):
    assert keyed.config_file(option_set("database", version), arguments, environment) == path
