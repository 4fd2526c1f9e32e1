# SPDX-License-Identifier: GPL-3.0-or-later
"""URL reservations: normal form, every language, rights instead of text, and what is done about them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import urlacl

URL = "http://192.168.1.11:2112/"
LOCAL_SERVICE = "D:(A;;GX;;;LS)"

TEST_URLS = [
    (URL, URL),
    ("http://192.168.1.11:2112", URL),
    ("HTTP://Node1.Example:2112/Path/", "http://node1.example:2112/Path/"),
    ("http://+:80/", "http://+:80/"),
    ("https://*:443/a/b", "https://*:443/a/b/"),
    ("http://[0:0::1]:2112/", "http://[::1]:2112/"),
    ("http://localhost:65535/", "http://localhost:65535/"),
]

TEST_URLS_REFUSED = [
    ("", "is not http or https"),
    ("192.168.1.11:2112", "is not http or https"),
    ("ftp://192.168.1.11:2112/", "is not http or https"),
    ("http://192.168.1.11/", "has no port"),
    ("http://192.168.1.11:/", "has no port"),
    ("http://192.168.1.11:0/", "'0'"),
    ("http://192.168.1.11:02112/", "'02112'"),
    ("http://192.168.1.11:65536/", "'65536'"),
    ("http://192.168.1.11:+1/", "'+1'"),
    ("http://192.168.1.11:2112/?a=b", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112?a=b", "is not http or https"),
    ("http://192.168.1.11:2112/#a", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112/a b/", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112/../", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112//", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112/\n", "has a path that is not a prefix"),
    ("http://192.168.1.11:2112/ user=Everyone", "has a path that is not a prefix"),
    ("http://münchen:2112/", "is not http or https with an ASCII host"),
    ("http://192.168.1.300:2112/", "is not an address"),
    ("http://192.168.1:2112/", "is not an address"),
    ("http://[::g]:2112/", "is not an address"),
    ("http://user@host:2112/", "is not a name"),
    ("http://a b:2112/", "is not a name"),
    ("http://-a:2112/", "is not a name"),
    ("http://:2112/", "is not a name"),
]

TEST_ACCOUNTS = [
    (r"NT AUTHORITY\LOCAL SERVICE", "S-1-5-19"),
    (r"nt authority\localservice", "S-1-5-19"),
    ("LocalService", "S-1-5-19"),
    (r"NT AUTHORITY\SYSTEM", "S-1-5-18"),
    ("Everyone", "S-1-1-0"),
    (r"BUILTIN\Users", "S-1-5-32-545"),
    ("s-1-5-21-1-2-3-500", "S-1-5-21-1-2-3-500"),
    (r"EXAMPLE\system", None),
    ("es-service", None),
    ("S-1-5-21-", None),
]

TEST_EQUAL = [
    ("D:(A;;GX;;;LS)", "D:(A;;GX;;;S-1-5-19)", True),
    ("D:(A;;GX;;;LS)", "D:(A;;0x20000000;;;LS)", True),
    ("D:(A;;GX;;;LS)(A;;GA;;;BA)", "D:(A;;GA;;;BA)(A;;GX;;;LS)", True),
    ("D:(A;;GA;;;LS)", "D:(A;;GXGW;;;LS)", True),
    ("D:(a;;gx;;;ls)".replace("(a", "(A"), "D:(A;;GX;;;LS)", True),
    ("D:(A;;GX;;;LS)", "D:(A;;GA;;;LS)", False),
    ("D:(A;;GX;;;LS)", "D:(A;;GX;;;NS)", False),
    ("D:(A;;GX;;;LS)", "D:(D;;GX;;;LS)", False),
    ("D:(A;;GX;;;LS)", "D:(A;;GX;;;LS)(A;;GX;;;WD)", False),
    ("D:(A;;GX;;;LS)", "D:(A;;0x20000001;;;LS)", False),
    ("", "", False),
    ("D:(A;;GX)", "D:(A;;GX)", False),
]

# English as of aspnetcore issue 19969, Italian as of OnlyT issue 154; the German labels are made up.
ENGLISH = """
URL Reservations:
-----------------

    Reserved URL            : http://*:5357/
        User: BUILTIN\\Users
            Listen: Yes
            Delegate: No
        User: NT AUTHORITY\\LOCAL SERVICE
            Listen: Yes
            Delegate: No
            SDDL: D:(A;;GX;;;BU)(A;;GX;;;LS)

    Reserved URL            : http://192.168.1.11:2112/
        User: NT AUTHORITY\\LOCAL SERVICE
            Listen: Yes
            Delegate: No
            SDDL: D:(A;;GX;;;LS)

    Reserved URL            : https://+:443/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/
        User: NT SERVICE\\SstpSvc
            Listen: Yes
            Delegate: Yes
            SDDL: D:(A;;GA;;;S-1-5-80-3435701886-799518250-3791383489-3228296122-293
8884314)(A;;GA;;;BA)

"""
ITALIAN = ENGLISH.replace("Reserved URL ", "URL prenotati").replace("User", "Utente").replace("Listen:", "In ascolto:")
GERMAN = ENGLISH.replace("Reserved URL", "Reservierte URL").replace("User:", "Benutzer:").replace("Yes", "Ja")
CHINESE = ENGLISH.replace("Reserved URL            :", "保留 URL\uff1a")


@pytest.mark.parametrize(("text", "expected"), TEST_URLS)
def test_a_url_has_one_normal_form(text, expected):
    url = urlacl.parse_url(text)
    assert str(url) == expected
    assert urlacl.parse_url(str(url)) == url


@pytest.mark.parametrize(("text", "why"), TEST_URLS_REFUSED)
def test_what_is_no_prefix_is_refused(text, why):
    with pytest.raises(HostError, match=re.escape(why)):
        urlacl.parse_url(text)


@given(st.text(max_size=30))
def test_no_url_brings_a_second_argument_along(tail):
    try:
        url = str(urlacl.parse_url(f"http://192.168.1.11:2112/{tail}"))
    except HostError:
        return
    assert re.fullmatch("[!-~]+", url)
    assert '"' not in url


@pytest.mark.parametrize(("account", "sid"), TEST_ACCOUNTS)
def test_accounts_of_every_windows_need_no_translation(account, sid):
    assert urlacl.known_sid(account) == sid


@pytest.mark.parametrize(("one", "other", "equal"), TEST_EQUAL)
def test_rights_and_sids_are_compared_and_not_text(one, other, equal):
    assert urlacl.is_equal(one, other) is equal
    assert urlacl.is_equal(other, one) is equal


def test_descriptors_that_are_written():
    assert urlacl.to_sddl("S-1-5-19", listen=True, delegate=False) == "D:(A;;GX;;;LS)"
    assert urlacl.to_sddl("S-1-5-21-1-2-3-500", listen=True, delegate=True) == "D:(A;;GA;;;S-1-5-21-1-2-3-500)"
    assert urlacl.to_sddl("S-1-1-0", listen=False, delegate=True) == "D:(A;;GW;;;WD)"
    with pytest.raises(HostError, match="listen and delegate are both false"):
        urlacl.to_sddl("S-1-5-19", listen=False, delegate=False)
    with pytest.raises(HostError, match="expected a SID"):
        urlacl.to_sddl("LS)(A;;GA;;;WD", listen=True, delegate=False)


@pytest.mark.parametrize("text", ["", "LS", "D:", "D:(A;;GX;;;LS) x", "O:BAD:(A;;GX;;;LS)", "D:(AU;;GX;;;LS)"])
def test_descriptors_that_are_none_are_refused(text):
    with pytest.raises(HostError, match="is not the descriptor of a reservation"):
        urlacl.check_sddl(text)


@pytest.mark.parametrize("shown", [ENGLISH, ITALIAN, GERMAN, CHINESE], ids=["en", "it", "de", "zh"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_reservations_are_read_in_every_language(shown, ends):
    entries = urlacl.parse_show(shown.replace("\n", ends))
    assert [entry.spelling for entry in entries] == [
        "http://*:5357/",
        URL,
        "https://+:443/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/",
    ]
    assert [entry.sddl for entry in entries] == [
        "D:(A;;GX;;;BU)(A;;GX;;;LS)",
        LOCAL_SERVICE,
        "D:(A;;GA;;;S-1-5-80-3435701886-799518250-3791383489-3228296122-2938884314)(A;;GA;;;BA)",
    ]
    assert all(entry.url for entry in entries)


def entries(*pairs):
    return urlacl.parse_show("".join(f"  Reserved URL : {url}\n SDDL: {sddl}\n" for url, sddl in pairs))


WANTED = [urlacl.parse_url(URL)]

TEST_PLAN = [
    ([], LOCAL_SERVICE, [["netsh.exe", "http", "add", "urlacl", f"url={URL}", "sddl=D:(A;;GX;;;LS)"]]),
    ([(URL, "D:(A;;GX;;;S-1-5-19)")], LOCAL_SERVICE, []),
    (
        [("HTTP://192.168.1.11:2112/", "D:(A;;GX;;;WD)")],
        LOCAL_SERVICE,
        [
            ["netsh.exe", "http", "delete", "urlacl", "url=HTTP://192.168.1.11:2112/"],
            ["netsh.exe", "http", "add", "urlacl", f"url={URL}", "sddl=D:(A;;GX;;;LS)"],
        ],
    ),
    ([(URL, LOCAL_SERVICE)], None, [["netsh.exe", "http", "delete", "urlacl", f"url={URL}"]]),
    ([("http://+:2112/", LOCAL_SERVICE)], None, []),
]


@pytest.mark.parametrize(("there", "sddl", "commands"), TEST_PLAN)
def test_only_what_is_wrong_is_changed(there, sddl, commands):
    steps = urlacl.plan(WANTED, sddl, entries(*there))
    assert [command for step in steps for command in step.commands] == commands


TEST_CONFLICTS = [
    (URL, LOCAL_SERVICE, None),
    ("http://192.168.1.11:2113/", LOCAL_SERVICE, None),
    ("http://192.168.1.10:2112/", LOCAL_SERVICE, "stale: the same account"),
    ("http://+:2112/", "D:(A;;GX;;;WD)", "other accounts on the port"),
    ("http://*:2112/", LOCAL_SERVICE, "stale"),
    ("https://+:2112/", LOCAL_SERVICE, "https on the port"),
    ("http://192.168.1.11:2112/web/", "D:(A;;GX;;;WD)", "other accounts"),
]


@pytest.mark.parametrize(("url", "sddl", "reason"), TEST_CONFLICTS)
def test_other_prefixes_on_the_same_port_are_told(url, sddl, reason):
    found = urlacl.conflicts(WANTED, LOCAL_SERVICE, entries((url, sddl)))
    assert [entry.spelling for entry in found] == ([url] if reason else [])
    if reason:
        assert found[0].reason.startswith(reason)
