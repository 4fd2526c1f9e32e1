# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config import layers, whatif
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DUMPS = sorted((Path(__file__).parent / "whatif").glob("*.txt"))

MEASURED = """\
ES VERSION:               3.4.0.0 (Unknown/Unknown, Unknown)
OS:                       Linux (Unix 6.18.44.669)
RUNTIME:                  6.8.0.105 (Debian ...) (64-bit)
GC:                       2 GENERATIONS
LOGS:                     /var/log/eventstore

MODIFIED OPTIONS:

\tWHAT IF:                  true (Command Line)
\tCONFIG:                   layer.yaml (Command Line)
\tCLUSTER SIZE:             3 (Config File)
\tGOSSIP SEED:              [ 127.0.0.32:2112, 127.0.0.33:2112 ] (Config File)
\tDISCOVER VIA DNS:         false (Config File)
\tDB:                       /srv/es (old) (Environment Variable)

DEFAULT OPTIONS:

\tHELP:                     False (<DEFAULT>)
\tEXT SECURE TCP PORT ADVERTISE AS: 0 (<DEFAULT>)
\tINDEX:                    <empty> (<DEFAULT>)
"""


def test_the_measured_dump():
    assert whatif.parse(MEASURED) == {
        "WHAT IF": ("true", "Command Line"),
        "CONFIG": ("layer.yaml", "Command Line"),
        "CLUSTER SIZE": ("3", "Config File"),
        "GOSSIP SEED": ("[ 127.0.0.32:2112, 127.0.0.33:2112 ]", "Config File"),
        "DISCOVER VIA DNS": ("false", "Config File"),
        "DB": ("/srv/es (old)", "Environment Variable"),
        "HELP": ("False", "<DEFAULT>"),
        "EXT SECURE TCP PORT ADVERTISE AS": ("0", "<DEFAULT>"),
        "INDEX": ("", "<DEFAULT>"),
    }


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_every_option_line_of_every_layout_is_read(dump):
    text = dump.read_text()
    lines = re.findall(r"(?m)^\s+([^:\n]+):.*\((?:<DEFAULT>|[A-Z][A-Za-z ]+)\)$", text)
    assert len(lines) > 70
    assert list(whatif.parse(text)) == lines


@pytest.mark.parametrize(
    ("version", "title", "expected"),
    [
        ("4.1.4", "GOSSIP SEED", ("[ 192.168.1.11:30777 ]", "Config File")),
        ("22.10.5", "GOSSIP SEED", ("es2.example.net:2113,es3.example.net:2113", "Yaml")),
        ("22.10.5", "INT IP", ("192.0.2.11", "Environment Variables")),
        ("22.10.5", "CERTIFICATE FILE", ("", "<DEFAULT>")),
        ("23.10.6", "CERTIFICATE FILE", ("", "<DEFAULT>")),
        ("24.10.4", "CERTIFICATE PASSWORD", ("********", "<DEFAULT>")),
        ("24.10.4-empty", "CLUSTER DNS", ("", "Yaml")),
        ("26.1.0", "INSECURE", ("true", "Command Line")),
        ("26.1.0", "TRUSTED ROOT CERTIFICATES PATH", ("/etc/ssl/certs", "<DEFAULT>")),
        ("25.0.0", "CONFIG", ("/etc/kurrentdb/node.yaml", "Command Line")),
    ],
)
def test_values_of_other_layouts(version, title, expected):
    dump = next(path for path in DUMPS if path.stem == f"whatif-{version}")
    assert whatif.parse(dump.read_text())[title] == expected


@pytest.mark.parametrize(
    ("version", "source"), [("23.10.6", "Yaml"), ("24.10.4-empty", "Json"), ("26.1.0", "Event Store Json File")]
)
def test_blanks_at_the_edges_of_a_value_are_kept(version, source):
    """Measured on 23.10.6 and 24.10.4, where the values begin in another column each."""
    text = next(path for path in DUMPS if path.stem == f"whatif-{version}").read_text()
    line = next(line for line in text.splitlines() if line.strip().startswith("NODE PRIORITY:"))
    given = line.replace("0 (<DEFAULT>)", f" 7  ({source})")
    assert whatif.parse(text.replace(line, given))["NODE PRIORITY"] == (" 7 ", source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got 'nothing'"),
        ("Error while parsing options:\nThe option ClusterSiez is not a known option", "Error while parsing options"),
        ("\tINT IP:                   127.0.0.1 (<DEFAULT>)", "MODIFIED OPTIONS"),
        ("<html>404</html>", "<html>404</html>"),
    ],
)
def test_what_is_no_dump_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        whatif.parse(text)


def test_written_as_the_server_writes_it():
    options = option_set("database", "3.4.0")
    seeds = "['127.0.0.32:2112', '127.0.0.33:2112']"
    effective = layers.effective(
        options,
        file=f"ClusterSize: 3\nGossipSeed: {seeds}\nDiscoverViaDns: false\n",
        environment={"EVENTSTORE_DB": "/srv/es (old)"},
        arguments=["--what-if", "--config", "layer.yaml"],
    )
    text = whatif.render(effective)
    measured = set(MEASURED[MEASURED.index("MODIFIED") :].splitlines())
    assert measured <= set(text.splitlines())
    assert {title: found for title, found in whatif.parse(text).items() if title in whatif.parse(MEASURED)} == (
        whatif.parse(MEASURED)
    )


@pytest.mark.parametrize(
    "value", ["one\ntwo", "one\n\ntwo\n", " x ", "x\t", " ", "\n", "a (b)", "(Config)x\ny", "INT IP: x", "\u2028x"]
)
def test_line_breaks_and_blanks_of_a_value_are_kept(value):
    made = layers.effective(
        option_set("database", "5.0.11"), environment={"EVENTSTORE_CERTIFICATE_SUBJECT_NAME": value}
    )
    found = whatif.parse(whatif.render(made))
    assert found["CERTIFICATE SUBJECT NAME"] == (value, "Environment Variable")
    assert len(found) == len(made)


def test_a_dump_of_a_million_lines_is_read_in_a_moment():
    started = time.process_time()
    whatif.parse("MODIFIED OPTIONS:\n\tDB: x\n" + "(\n" * 500_000 + "(" * 500_000 + "\n\tLOG: /x (Config File)\n")
    assert time.process_time() - started < 5


def test_none_modified():
    text = whatif.render(layers.effective(option_set("database", "3.4.0")))
    assert text.startswith(
        "MODIFIED OPTIONS:\n\nNONE\n\nDEFAULT OPTIONS:\n\n\tHELP:                     False (<DEFAULT>)\n"
    )


def test_a_secret_is_not_in_the_dump():
    options = option_set("database", "3.4.0")
    text = whatif.render(layers.effective(options, file="CertificatePassword: hunter2\n"))
    assert "\tCERTIFICATE PASSWORD:     ******** (Config File)\n" in text
    assert "hunter2" not in text
