# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts for systemd: whole units, and words that systemd reads back as they were."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ServiceError
from ansible_collections.eventstore.cluster.plugins.module_utils.service.data import start_check
from ansible_collections.eventstore.cluster.plugins.module_utils.service.definition import Definition
from ansible_collections.eventstore.cluster.plugins.module_utils.service.systemd import (
    drop_in,
    environment_file,
    exec_start,
    unit,
)

MANAGER = Definition(
    name="es-cluster1",
    kind="manager",
    argv=("/usr/bin/python3", "/opt/eventstore/es-manager.pyz", "--config", "/etc/eventstore/manager.yaml"),
    user="eventstore",
    group="eventstore",
    writable=("/var/lib/eventstore", "/var/log/event store"),
)
DATABASE = Definition(
    name="es-cluster1-database",
    kind="database",
    argv=("/opt/event store/3.4.0/eventstored", "--config", "/etc/eventstore/database.yaml"),
    environment={"EVENTSTORE_CLUSTER_SIZE": "3"},
    run_dir=Path("/srv/run"),
    timeout_s=90,
)

UNIT_OF_MANAGER = """\
# Written by eventstore.cluster.es_service. Changes in this file are lost: use a drop-in.
[Unit]
Description=Event Store Manager (es-cluster1)
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/var/lib/eventstore "/var/log/event store"
StartLimitIntervalSec=0

[Service]
Type=simple
User=eventstore
Group=eventstore
RuntimeDirectory=eventstore/es-cluster1
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=yes
ExecStart=/usr/bin/python3 /opt/eventstore/es-manager.pyz --config /etc/eventstore/manager.yaml
Restart=always
RestartSec=1
KillMode=process
TemporaryFileSystem=/tmp:mode=1777 /var/tmp:mode=1777
TimeoutStopSec=60
LimitNOFILE=32768
ProtectSystem=strict
ReadWritePaths=/var/lib/eventstore "/var/log/event store"
@SANDBOX@

[Install]
WantedBy=multi-user.target
"""

UNIT_OF_DATABASE = """\
# Written by eventstore.cluster.es_service. Changes in this file are lost: use a drop-in.
[Unit]
Description=Event Store database node (es-cluster1-database)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
EnvironmentFile=/etc/systemd/system/x.env
WorkingDirectory=/opt/event store/3.4.0
@CHECK@
ExecStart="/opt/event store/3.4.0/eventstored" --config /etc/eventstore/database.yaml
Restart=always
RestartSec=1
PrivateTmp=yes
TimeoutStopSec=90
LimitNOFILE=32768
ProtectSystem=full
@SANDBOX@

[Install]
WantedBy=multi-user.target
"""

DROP_IN_OF_DATABASE = """\
# Written by eventstore.cluster.es_service. Changes in this file are lost: use a drop-in.
[Unit]
StartLimitIntervalSec=0

[Service]
PIDFile=
Environment=
EnvironmentFile=
ExecStart=
Type=simple
EnvironmentFile=/etc/systemd/system/x.env
WorkingDirectory=/opt/event store/3.4.0
@CHECK@
ExecStart="/opt/event store/3.4.0/eventstored" --config /etc/eventstore/database.yaml
Restart=always
RestartSec=1
PrivateTmp=yes
TimeoutStopSec=90
LimitNOFILE=32768
ProtectSystem=full
@SANDBOX@
"""

# As systemd.service(5) reads it back, it is data.start_check() of the configuration.
CHECK = (
    r'ExecStartPre=/bin/sh -c "[ -e \"$$1\" ] || exit 0; IFS= read -r dir <\"$$1\"; for file in \"$$dir/writer.chk\"'
    r" \"$$dir\"/chunk-*; do [ -e \"$$file\" ] && exit 0; done; echo \"There is no database in $$dir, where this node"
    r" had its data (as $$1 says). Mount its disk; where the data were moved, start it with playbook"
    r' eventstore.cluster.start\" >&2; exit 1" sh /etc/eventstore/database.yaml.data'
)

SANDBOX = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
UMask=0027
ProtectHome=read-only
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
"""

ENV = Path("/etc/systemd/system/x.env")


def test_units():
    assert unit(MANAGER, None) == UNIT_OF_MANAGER.replace("@SANDBOX@\n", SANDBOX)
    assert unit(DATABASE, ENV) == UNIT_OF_DATABASE.replace("@SANDBOX@\n", SANDBOX).replace("@CHECK@", CHECK)
    assert drop_in(DATABASE, ENV) == DROP_IN_OF_DATABASE.replace("@SANDBOX@\n", SANDBOX).replace("@CHECK@", CHECK)


def test_the_only_place_to_write_is_named_when_it_is_not_below_run():
    text = unit(dataclasses.replace(MANAGER, run_dir=Path("/srv/run")), None)
    assert 'ReadWritePaths=/var/lib/eventstore "/var/log/event store" /srv/run/es-cluster1\n' in text


WORDS = [
    ("plain", "plain"),
    ("a b", '"a b"'),
    ("", '""'),
    ("100%", '"100%%"'),
    ("$HOME", '"$$HOME"'),
    ('say "hi"', r'"say \"hi\""'),
    (r"d:\es-data", r'"d:\\es-data"'),
    (";", '";"'),
    ("it's", '"it\'s"'),
    ("ü", '"ü"'),
]


@pytest.mark.parametrize(("word", "written"), WORDS)
def test_words_of_a_command_line(word, written):
    assert exec_start(["/bin/x", word]) == f"/bin/x {written}"


def read_back(text: str) -> list[str]:
    """A command line as systemd.service(5) and systemd.syntax(7) say that it is read, for what quoting here needs."""
    words: list[str] = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|([^\s"\\\';]+)', text):
        quoted, bare = match.groups()
        word = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        assert not re.search(r"%[^%]", word.replace("%%", "")), "a specifier"
        word = word.replace("%%", "%")
        if words:  # no variables in the path of the program
            assert not re.search(r"\$", word.replace("$$", "")), "a variable"
            word = word.replace("$$", "$")
        words.append(word)
    return words


printable = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)


@given(st.lists(printable, max_size=4))
def test_systemd_reads_the_words_that_were_asked_for(arguments):
    argv = ["/opt/my node/100%/eventstored", *arguments]
    assert read_back(exec_start(argv)) == argv


def commands(tmp_path: Path, definition: Definition) -> list[list[str]]:
    """The command lines that systemd itself reads in the definition's unit, in which it finds no fault."""
    (tmp_path / "es-x.service").write_text(unit(definition, None))
    done = subprocess.run(
        ["systemd-analyze", "verify", "./es-x.service"],  # noqa: S607
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_LOG_TARGET": "console", "SYSTEMD_LOG_LEVEL": "debug"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert not re.findall(r"es-x\.service:\d+:.*", said)  # what the parser says has file and line
    lines = re.findall(r"Command Line: (/bin/.*)", said)
    # What it shows is quoted as for a shell, and before variables: there $$ still stands for $.
    return [
        [word.replace("$$", "$") for word in shlex.split(line.replace(r"\$", "$").replace(r"\`", "`"))]
        for line in lines
    ]


with_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")


@with_systemd
def test_systemd_itself_finds_the_same_words_and_no_fault(tmp_path):
    arguments = [string.punctuation, "a b", "", "100%", ";", r"d:\es-data", '"']
    definition = Definition(name="es-x", kind="manager", argv=("/bin/echo", *arguments))
    assert commands(tmp_path, definition) == [["/bin/echo", *arguments]]


@with_systemd
def test_systemd_reads_the_check_of_the_data_as_it_is_and_before_the_start(tmp_path):
    argv = ("/bin/echo", "--config", "/etc/a node's/100%.yaml")
    check = start_check(argv[2])
    assert commands(tmp_path, Definition(name="es-x", kind="database", argv=argv)) == [check, list(argv)]


def test_a_dollar_in_the_programs_path_is_refused():
    with pytest.raises(ServiceError, match=r"a '\$' in its path: /opt/\$x"):
        exec_start(["/opt/$x"])


def test_environment_file():
    text = environment_file({"B": r'say "$x" `y` \z %h', "A": "a b", "C": ""})
    assert text.splitlines()[1:] == ['A="a b"', r'B="say \"\$x\" \`y\` \\z %h"', 'C=""']


REFUSED = [
    ({"name": "a/b"}, "name: expected letters"),
    ({"name": ".hidden"}, "name: expected letters"),
    ({"user": "x\nExecStart=/bin/sh"}, "is not the name of a user"),
    ({"group": "%h"}, "is not the name of a group"),
    ({"environment": {"A B": "1"}}, "'A B' is not the name of a variable"),
    ({"environment": {"A": "1\n2"}}, "the value of A has a line break"),
    ({"writable": ("/a\nExecStart=/bin/sh",)}, "is not an absolute path"),
    ({"writable": ("data",)}, "'data' is not an absolute path"),
    ({"argv": ("/bin/x", "a\nb")}, "argument 1 of the command line has a control character"),
]


@pytest.mark.parametrize(("fields", "text"), REFUSED)
def test_what_would_break_a_unit_is_refused(fields, text):
    with pytest.raises(ServiceError, match=re.escape(text)):
        Definition(**{"name": "x", "kind": "manager", **fields})
