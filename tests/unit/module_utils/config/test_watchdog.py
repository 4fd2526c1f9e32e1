# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.config.watchdog import (
    Entry,
    parse,
    render,
    require_separate_configs,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import WatchdogError

LINUX = ("--config", "/etc/eventstore/database.yaml")
WINDOWS = ("--config", r"c:\EventStore-Config\database.yaml")

TEST_PARSE = [
    ("", []),
    ("\n\r\n  \n", []),
    ("# --config c:\\EventStore-Config\\database.yaml", [WINDOWS]),
    ("#--config c:\\EventStore-Config\\database.yaml\r\n", [WINDOWS]),
    ("#--config=c:\\EventStore-Config\\database.yaml\n", [(r"--config=c:\EventStore-Config\database.yaml",)]),
    ("\ufeff# --config /etc/eventstore/database.yaml\n", [LINUX]),
    ("  #\t--config  /etc/eventstore/database.yaml \t\n", [LINUX]),
    ("# --config /a.yaml\n\n# --config /b.yaml --node-priority 5", [
        ("--config", "/a.yaml"),
        ("--config", "/b.yaml", "--node-priority", "5"),
    ]),
]  # fmt: skip

TEST_PARSE_REFUSED = [
    ("--config /a.yaml\n", "wd, line 1: a line begins with '#'"),
    ("# --config /a.yaml\nIntIp: 127.0.0.1\n", "wd, line 2: a line begins with '#'"),
    ("#\n", "wd, line 1: expected the options of a node"),
    ("# my nodes\n", "The file cannot have comments"),
    ("# # --config /a.yaml\n", "wd, line 1: expected the options of a node"),
    ('# --config "/a.yaml"\n', "has a space, a quote or a control character"),
    ("# --config '/a.yaml'\n", "has a space, a quote or a control character"),
    ("# --config /a\x1b.yaml\n", "has a space, a quote or a control character"),
    ("# --config /a\u00a0b.yaml\n", "has a space, a quote or a control character"),
]

TEST_RENDER_REFUSED = [
    [],
    ["/etc/eventstore/database.yaml"],
    ["--config", ""],
    ["--config", "/etc/event store/database.yaml"],
    ["--config", "/a.yaml\n# --config /b.yaml"],
    ["--config", "/a.yaml\r"],
    ["--config", "/a\u2028b.yaml"],
    ["--config", '"/a.yaml"'],
]

TEST_CONFIG = [
    (("--config", "/a.yaml"), "/a.yaml"),
    (("--config=/a.yaml",), "/a.yaml"),
    (("-Config", "/a.yaml"), "/a.yaml"),
    (("--mem-db", "--config", "/a.yaml"), "/a.yaml"),
    (("--mem-db",), None),
]

TEST_NOT_SEPARATE = [
    (["/a.yaml", "/a.yaml"], "nodes 1 and 2 both have --config /a.yaml"),
    (["/a.yaml", "/b.yaml", "/./a.yaml"], "nodes 1 and 3 both have"),
    ([r"c:\es\a.yaml", "C:/ES/A.yaml"], "nodes 1 and 2 both have"),
    (["database.yaml"], "not an absolute path"),
    (["etc/database.yaml"], "not an absolute path"),
    ([r"es\database.yaml"], "not an absolute path"),
    ([r"c:database.yaml"], "not an absolute path"),
]

argument = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"), exclude_characters="\"'"),
    min_size=1,
)
node = st.builds(lambda first, more: [f"-{first}", *more], argument, st.lists(argument))


@pytest.mark.parametrize(("text", "expected"), TEST_PARSE)
def test_parse(text, expected):
    assert [entry.arguments for entry in parse(text)] == expected


def test_an_entry_knows_its_line():
    assert [entry.line for entry in parse("# --config /a\r\n\r\n# --config /b\r\n")] == [1, 3]


@pytest.mark.parametrize(("text", "message"), TEST_PARSE_REFUSED)
def test_parse_refuses(text, message):
    with pytest.raises(WatchdogError) as error:
        parse(text, where="wd")
    assert message in str(error.value)


def test_render_writes_the_documented_line():
    assert render([LINUX, WINDOWS]) == (
        "# --config /etc/eventstore/database.yaml\n# --config c:\\EventStore-Config\\database.yaml\n"
    )


@pytest.mark.parametrize("arguments", TEST_RENDER_REFUSED)
def test_render_refuses(arguments):
    with pytest.raises(WatchdogError, match="node 2"):
        render([LINUX, arguments])


@given(st.lists(node))
def test_what_is_rendered_is_parsed_back(nodes):
    assert [list(entry.arguments) for entry in parse(render(nodes))] == nodes


@given(
    st.lists(st.sampled_from(["#", "# ", "-", "--config", "=", " ", "\t", "\r", "\n", "'", "/a", "ä", "\x0c", "\x85"]))
)
def test_any_text_is_refused_or_keeps_its_meaning(parts):
    try:
        entries = parse("".join(parts))
    except WatchdogError:
        return
    assert parse(render(entry.arguments for entry in entries)) == entries


@pytest.mark.parametrize(("arguments", "config"), TEST_CONFIG)
def test_config_of_an_entry(arguments, config):
    assert Entry(arguments).config == config


def test_separate_configs_are_accepted():
    require_separate_configs([Entry(LINUX), Entry(WINDOWS), Entry(("--mem-db",)), Entry(("--mem-db", "--force"))])


def test_nodes_without_a_config_that_are_the_same_are_refused():
    with pytest.raises(WatchdogError, match="nodes 1 and 2 both have --mem-db"):
        require_separate_configs([Entry(("--mem-db",)), Entry(("--mem-db",))])


@pytest.mark.parametrize(("configs", "message"), TEST_NOT_SEPARATE)
def test_configs_that_clash_or_are_relative_are_refused(configs, message):
    with pytest.raises(WatchdogError) as error:
        require_separate_configs([Entry(("--config", config)) for config in configs], where="wd")
    assert message in str(error.value)
