# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DATABASE = option_set("database", "5.0.11")
MANAGER = option_set("manager", "3.4.0")

# -- reading -------------------------------------------------------------------------------------------------------


def test_items_have_key_raw_text_and_lines():
    text = (
        "# one\n---\nDb: d:\\es-data  # data\nGossipSeed:\n- 127.0.0.12:2112\n- '127.0.0.13:2112'\n\n# end\nintip: 1\n"
    )
    found = document.read(text, where="x")
    assert [(item.key, item.raw, item.line, item.last_line) for item in found.items] == [
        ("Db", r"d:\es-data", 3, 3),
        ("GossipSeed", ("127.0.0.12:2112", "127.0.0.13:2112"), 4, 6),
        ("intip", "1", 9, 9),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "/a: the file holds nothing but comments, with which the server crashes"),
        ("# only\n\n# comments\n", "/a: the file holds nothing but comments"),
        ("---\n", "/a, line 2: expected lines of the form 'Option: value'"),
        ("- a\n- b\n", "/a, line 1: expected lines of the form"),
        ("just text\n", "/a, line 1: expected lines of the form"),
        ("ClusterSize: 3\nClusterSize: 3\n", "/a, line 2: ClusterSize stands here a second time"),
        ("A: {b: 1, b: 2}\n", "/a, line 1: b stands here a second time"),
        ("ClusterSize: 3\n---\nA: 1\nA: 2\n", "/a, line 4: A stands here a second time"),
        ("Log: /l\nGossipSeed: [127.0.0.12:2112]\n", "/a, line 2: an entry with ':' or '?' in a list in brackets"),
        ("GossipSeed: [127.0.0.12:2112, 127.0.0.13:2112]\n", "/a, line 1: an entry with ':'"),
        ("GossipSeed:\n- {ip: 127.0.0.12}\n- 1\n", "/a, line 2: GossipSeed has a list or a mapping within its list"),
        ("Log: /l\n\tDb: /x\n", "/a, line 2, column 1: not valid YAML"),
        ("ClusterSize: 3\nIntIp: a: b\n", "/a, line 2, column 9: not valid YAML: mapping values are not allowed here"),
        ("ClusterSize: 'x\n", "/a, line 2, column 1: not valid YAML"),
        ("Log: /l\n? [a, b]\n: c\n", "/a, line 2: a key is not a plain name"),
        ("Log: /l\nDb: *nowhere\n", "/a, line 2, column 5: not valid YAML"),
        ("Log: /l\nDb: \x07\n", "/a, line 2: a character that YAML does not allow"),
        ('Db: "\\ud800"\n', "/a, line 1: an escape stands for half a character"),
        ('Db: "\\UFFFFFFFF"\n', "/a: not valid YAML"),
        ("Db: " + "[" * 5000 + "\n", "/a: not valid YAML"),
        ("<html><body>404 Not Found</body></html>", "/a, line 1: expected lines of the form"),
    ],
)
def test_what_the_server_refuses_or_crashes_with(text, message):
    with pytest.raises(ConfigError) as error:
        document.read(text, where="/a")
    assert str(error.value).startswith(message)


def test_a_syntax_error_does_not_show_the_line():
    with pytest.raises(ConfigError) as error:
        document.read("CertificatePassword: hunter2: x\n", where="/a")
    assert "hunter2" not in str(error.value)


def test_aliases_that_would_grow_without_end_cost_nothing():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))

    def too_slow(_signal, _frame):
        pytest.fail("the aliases are followed again and again")

    old = signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(10)
    try:
        with pytest.raises(ConfigError, match="line 2: l1 has a list or a mapping within its list"):
            document.read("l0: &l0 [a]\n" + levels, where="/a")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("text", ["", "\n", "# a\n", "---\n", "---\n# a\n...\n"])
def test_blank(text):
    assert document.is_blank(text)


@pytest.mark.parametrize("text", ["a", "--- a\n", "# a\nDb: /x\n"])
def test_not_blank(text):
    assert not document.is_blank(text)


# -- writing -------------------------------------------------------------------------------------------------------

PAGE_DATABASE = """\
# Filename : database.yaml
---
Db: d:\\es-data
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
PAGE_MANAGER = """\
# Filename : manager.yaml
---
IntIp: 192.168.1.11
ExtIp: 192.168.1.11
IntHttpPort: 30777
ExtHttpPort: 30778
DiscoverViaDns: true
ClusterDns: cluster1.eventstore.local
ClusterGossipPort: 30777
EnableWatchdog: true
WatchdogConfig: c:\\EventStore-Config\\watchdog.esconfig
Log: d:\\manager-log
"""


def test_the_vendors_database_file_comes_out():
    wanted = {
        "db": r"d:\es-data",
        "IntIp": "192.168.1.11",
        "ext-ip": "192.168.1.11",
        "IntTcpPort": 1112,
        "IntHttpPort": "2112",
        "ExtTcpPort": 1113,
        "ExtHttpPort": 2113,
        "DiscoverViaDns": "False",
        "GossipSeed": ["192.168.1.11:30777"],
        "ClusterSize": 3,
    }
    options = option_set("database", "3.4.0")
    assert document.render(options, wanted, header="Filename : database.yaml") == PAGE_DATABASE


def test_the_vendors_manager_file_comes_out():
    wanted = {
        "IntIp": "192.168.1.11",
        "ExtIp": "192.168.1.11",
        "IntHttpPort": 30777,
        "ExtHttpPort": 30778,
        "DiscoverViaDns": True,
        "ClusterDns": "cluster1.eventstore.local",
        "ClusterGossipPort": 30777,
        "EnableWatchdog": True,
        "WatchdogConfig": r"c:\EventStore-Config\watchdog.esconfig",
        "Log": r"d:\manager-log",
    }
    assert document.render(MANAGER, wanted, header="Filename : manager.yaml") == PAGE_MANAGER


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("Db", r"C:\Program Files\Event Store", r"Db: C:\Program Files\Event Store"),
        ("Db", r"\\server\share", r"Db: \\server\share"),
        ("Db", "/srv/it's # here", "Db: '/srv/it''s # here'"),
        ("CertificatePassword", "a: b", "CertificatePassword: 'a: b'"),
        ("CertificatePassword", "-x", "CertificatePassword: '-x'"),
        ("CertificatePassword", " x ", "CertificatePassword: ' x '"),
        ("CertificatePassword", "x:", "CertificatePassword: 'x:'"),
        ("CertificatePassword", "a #b", "CertificatePassword: 'a #b'"),
        ("CertificatePassword", "", "CertificatePassword: ''"),
        ("CertificatePassword", 'say "hi"', "CertificatePassword: 'say \"hi\"'"),
        ("CertificatePassword", "&a *b !c |d >e", "CertificatePassword: '&a *b !c |d >e'"),
        ("CertificatePassword", "grün", "CertificatePassword: 'grün'"),
        ("IntHttpPrefixes", ["http://a:1/", "it's"], "IntHttpPrefixes: ['http://a:1/', 'it''s']"),
        ("GossipSeed", "127.0.0.1:1,127.0.0.2:2", "GossipSeed: ['127.0.0.1:1', '127.0.0.2:2']"),
        ("GossipSeed", [], "GossipSeed: []"),
        ("MinFlushDelayMs", 2, "MinFlushDelayMs: 2"),
        ("RunProjections", "all", "RunProjections: All"),
    ],
)
def test_lines(name, value, line):
    assert document.render(DATABASE, {name: value}) == f"---\n{line}\n"


def test_a_header_of_several_lines_stays_a_comment():
    text = document.render(DATABASE, {"Db": "/x"}, header="one\n\nDb: /evil")
    assert text == "# one\n#\n# Db: /evil\n---\nDb: /x\n"


def strategy_for(option):
    texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"))
    hostile = st.one_of(
        texts,
        st.sampled_from(
            ["# x", "a: b", "'", '"', "\\", "-", "- x", "? x", "%a", "@a", "`a", "x ", " x", "[a]", "{a: b}"]
        ),
        st.text("'\"#:-\\ ,[]{}&*!|>%@`~xé\u00a0", max_size=12),
    )
    addresses = st.ip_addresses(v=4).map(str)
    ports = st.integers(1, 65535)
    if option.path:
        return st.tuples(st.sampled_from(["/", "d:\\", "\\\\server\\"]), hostile).map("".join)
    return {
        "bool": st.booleans(),
        "int": ports if option.name != "ClusterSize" else st.integers(0, 5).map(lambda n: 2 * n + 1),
        "int64": st.integers(-(2**63), 2**63 - 1),
        "double": st.floats(-1e14, 1e14),
        "ip": addresses,
        "endpoint[]": st.lists(st.builds(Endpoint, addresses, ports).map(str), max_size=4),
        "string": hostile,
        "string[]": st.lists(hostile.filter(lambda s: s and s == s.strip() and "," not in s), max_size=4),
        "enum": st.sampled_from(option.allowed or ("",)),
    }[option.type]


# Each of these alone would stop the server for a reason that has nothing to do with reading and writing.
QUIET = {"DiscoverViaDns", "UseInternalSsl", "DisableInsecureTCP", "ClusterDns", "Config", "ClusterSize"}
QUIET |= {"IntHttpPrefixes", "ExtHttpPrefixes"}
ANY_WANTED = st.lists(
    st.sampled_from([option for option in DATABASE if option.name not in QUIET]), unique=True
).flatmap(lambda options: st.fixed_dictionaries({option.name: strategy_for(option) for option in options}))


def as_texts(text):
    """An independent reading: all scalars are texts, as they are to the server."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 (makes nothing but texts, lists and dictionaries)


@given(ANY_WANTED)
def test_the_server_reads_back_what_was_asked_for(wanted):
    assume(wanted)
    text = document.render(DATABASE, wanted)
    found = layers.effective(DATABASE, file=text)
    assert [name for name in found if found[name].source == "Config File"] == list(wanted)
    for name, value in wanted.items():
        if name == "GossipSeed":
            value = [Endpoint.parse(item) for item in value]
        assert found.value(name) == (tuple(value) if isinstance(value, list) else value)
    independent = as_texts(text)
    assert {name: value for name, value in independent.items() if isinstance(wanted[name], (str, list))} == {
        name: value for name, value in wanted.items() if isinstance(value, (str, list))
    }


@given(st.text(max_size=20))
def test_any_text_is_written_right_or_refused(text):
    try:
        written = document.render(DATABASE, {"AuthenticationType": text})
    except ConfigError:
        return
    assert as_texts(written) == {"AuthenticationType": text}
    assert layers.effective(DATABASE, file=written).value("AuthenticationType") == text


@pytest.mark.parametrize(
    "text", ["a\nb", "a\tb", "a\x1bb", "a\x85b", "a\u2028b", "a\u2029b", "\ud800", "\ufeff", "a\x00"]
)
def test_what_cannot_be_expressed_is_refused(text):
    with pytest.raises(ConfigError, match="control character"):
        document.render(DATABASE, {"AuthenticationType": text})


def test_render_refuses_what_check_refuses():
    with pytest.raises(ConfigError, match="ClusterSiez is not an option"):
        document.render(DATABASE, {"ClusterSiez": 3})


# -- editing -------------------------------------------------------------------------------------------------------


def edit(text, wanted):
    return document.edit(text, values.check(DATABASE, wanted).values, options=DATABASE, where="/a")


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("ClusterSize: 3\n", {"ClusterSize": 5}, "ClusterSize: 5\n"),
        ("ClusterSize: 3  # three\n", {"ClusterSize": 5}, "ClusterSize: 5  # three\n"),
        ("cluster-size: 3 # three\n", {"ClusterSize": 3}, "cluster-size: 3 # three\n"),
        ("clustersize: '3'\n", {"ClusterSize": 5}, "ClusterSize: 5\n"),
        ("# top\n---\nDb: /x\n# end\n", {"ClusterSize": 3}, "# top\n---\nDb: /x\nClusterSize: 3\n# end\n"),
        ("Db: /x", {"ClusterSize": 3}, "Db: /x\nClusterSize: 3\n"),
        ("", {"ClusterSize": 3}, "ClusterSize: 3\n"),
        ("# only\n---\n", {"ClusterSize": 3}, "# only\n---\nClusterSize: 3\n"),
        ("Db: /x\r\nLog: /l\r\n", {"Log": "/m", "Index": "/i"}, "Db: /x\r\nLog: /m\r\nIndex: /i\r\n"),
        (
            "GossipSeed:\n- 127.0.0.1:1\n- 127.0.0.2:2\n\n# the log\nLog: /l\n",
            {"GossipSeed": ["127.0.0.3:3"]},
            "GossipSeed: ['127.0.0.3:3']\n\n# the log\nLog: /l\n",
        ),
        (
            "GossipSeed: ['127.0.0.1:1',\n  '127.0.0.2:2'] # two\nLog: /l\n",
            {"GossipSeed": ["127.0.0.1:1", "127.0.0.2:2"], "Log": "/m"},
            "GossipSeed: ['127.0.0.1:1',\n  '127.0.0.2:2'] # two\nLog: /m\n",
        ),
        ("SslTargetHost: |\n  a\n  b\nLog: /l\n", {"SslTargetHost": "es"}, "SslTargetHost: es\nLog: /l\n"),
        ("SslTargetHost: >-\n  a\n  b\n", {"SslTargetHost": "es", "Log": "/l"}, "SslTargetHost: es\nLog: /l\n"),
        ("SslTargetHost: a\n  b\nLog: /l\n", {"SslTargetHost": "es"}, "SslTargetHost: es\nLog: /l\n"),
        ("Index:\nLog: /l\n", {"Index": "/i"}, "Index: /i\nLog: /l\n"),
        ("Index: # here\nLog: /l\n", {"Index": "/i"}, "Index: /i # here\nLog: /l\n"),
        ("Log:\t/l\t# log\n", {"Log": "/m"}, "Log: /m\t# log\n"),
        ("\ufeffLog: /l\n", {"Log": "/m"}, "Log: /m\n"),
        ("LdapsAuth:\n  Host: a\nLog: /l\n", {"Log": "/m"}, "LdapsAuth:\n  Host: a\nLog: /m\n"),
        ("Log: /l\nLdapsAuth:\n  Host: a\n", {"Db": "/m"}, "Log: /l\nDb: /m\nLdapsAuth:\n  Host: a\n"),
        ("LdapsAuth:\n  Host: a\n", {"Db": "/m"}, "LdapsAuth:\n  Host: a\nDb: /m\n"),
        ("Log: /l\n---\nDb: /x\n", {"Db": "/m"}, "Log: /l\nDb: /m\n---\nDb: /x\n"),
        ("ClusterSize: 3\nclustersize: 5\n", {"ClusterSize": 7}, "ClusterSize: 7\nclustersize: 5\n"),
        ("ClusterSize: 3\nclustersize: 5\n", {"ClusterSize": 5}, "ClusterSize: 5\nclustersize: 5\n"),
        ("cluster-size: 3\nClusterSize: 5\n", {"ClusterSize": 7}, None),
        ("{Log: /l}\n", {"Log": "/m"}, None),
        ("{Log: /l}\n", {"Log": "/l"}, "{Log: /l}\n"),
        ("Log: &log /l\nIndex: *log\n", {"Log": "/m"}, None),
        ("--- {Log: /l}\n", {"Db": "/m"}, None),
        ("? Log\n: /l\n", {"Log": "/m"}, "Log: /m\n"),
    ],
)
def test_edit(before, wanted, after):
    if after is None:
        with pytest.raises(ConfigError, match="cannot be changed safely"):
            edit(before, wanted)
    else:
        assert edit(before, wanted) == after
        assert edit(after, wanted) == after


@given(ANY_WANTED, ANY_WANTED)
def test_edit_changes_what_is_wanted_and_nothing_else(there, wanted):
    assume(there)
    before = "# top\n" + document.render(DATABASE, there) + "# end\n"
    after = edit(before, wanted)
    assert as_texts(after) == {
        **as_texts(before),
        **(as_texts(document.render(DATABASE, wanted)) if wanted else {}),
    }
    assert after.startswith("# top\n---\n")
    assert after.endswith("# end\n")
    assert edit(after, wanted) == after


# -- secrets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Db: /x\nCertificatePassword: hunter2\n",
        "certificate-password: 'hunter2'\n",
        "CertificatePassword: >-\n  hunter2\n  hunter2\nDb: /x\n",
        '"CertificatePassword": "hunter2"\n',
        "{CertificatePassword: hunter2}\n",
        "# CertificatePassword: hunter2\nDb: /x\n",
        "  # old: certificate-password hunter2\nDb: /x\n",
        "CertificatePassword: hunter2\nCertificatePassword: hunter2\n",
        "\tCertificatePassword: hunter2\n",
        "CertificatePassword:\n- hunter2\n",
        "? CertificatePassword\n: hunter2\n",
        "Db: /x\n---\nCertificatePassword: hunter2\n",
        "LdapsAuth:\n  CertificatePassword: hunter2\n",
    ],
)
def test_secrets_are_hidden_wherever_they_stand(text):
    shown = document.mask(DATABASE, text)
    assert "hunter2" not in shown
    assert "*" in shown or "Not shown" in shown


@pytest.mark.parametrize("text", ["Db: /x # y\r\nLog: '/l'\r\n", "no yaml: at: all", "", "# only\n"])
def test_what_is_no_secret_is_shown(text):
    assert document.mask(DATABASE, text) == text
