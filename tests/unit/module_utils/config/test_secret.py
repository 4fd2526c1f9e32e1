# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import (
    has_credentials,
    is_secret_option,
    is_secret_variable,
    shown,
    without_credentials,
)


@pytest.mark.parametrize(
    "name", ["DB_PWD", "PLAIN", "HTTP_PROXY", "EVENTSTORE_CERTIFICATE_PASSWORD", "EVENTSTORE_CERTIFICATE_PASWORD", ""]
)
def test_a_variable_that_may_hold_a_secret(name):
    assert is_secret_variable(name)


@pytest.mark.parametrize(
    "name", ["EVENTSTORE_INT_IP", "EVENTSTORE_NAMESERVERS", "LANG", "LC_ALL", "MONO_GC_PARAMS", "LD_LIBRARY_PATH"]
)
def test_a_variable_that_holds_none(name):
    assert not is_secret_variable(name)


def test_an_option_that_holds_a_secret():
    names = ["CertificatePassword", "certificate-password", "CertificatePasword", "SomeLaterToken"]
    assert all(is_secret_option(name) for name in names)
    assert not any(is_secret_option(name) for name in ("Db", "IntIp", "CertificateFile"))


@pytest.mark.parametrize(
    ("url", "holds", "plain"),
    [
        ("https://h/a.zip", False, "https://h/a.zip"),
        ("https://h:8443/a@b.zip", False, "https://h:8443/a@b.zip"),
        ("https://u:p@h:8443/a.zip", True, "https://h:8443/a.zip"),
        ("https://u:p@x@h/a.zip?sig=1#f", True, "https://h/a.zip?********"),
        ("https://token@[::1]/a.zip", True, "https://[::1]/a.zip"),
        ("https://u:p@[::1/a.zip", True, "********"),
        ("files/a@b.zip", False, "files/a@b.zip"),
    ],
)
def test_addresses(url, holds, plain):
    assert has_credentials(url) == holds
    assert without_credentials(url) == plain


def test_arguments_are_shown_without_secrets():
    given = {"environment": {"DB_PWD": "x", "LANG": "C"}, "url": "https://u:p@h/", "name": "n"}
    assert shown(given) == {"environment": {"DB_PWD": "********", "LANG": "C"}, "url": "https://h/", "name": "n"}
    assert shown({"environment": "DB_PWD=x", "url": None}) == {"environment": "********", "url": None}
    assert given["url"] == "https://u:p@h/"
