# SPDX-License-Identifier: GPL-3.0-or-later
"""es_urlacl has no work outside Windows, and says so."""

from __future__ import annotations

import pytest

URL = "http://192.168.1.11:2112/"

REFUSED = [
    pytest.param({"url": URL}, "not on this platform", id="one url"),
    pytest.param({"urls": [URL], "state": "absent"}, "not on this platform", id="several, absent"),
    pytest.param({}, "one of the following is required: url, urls", id="no url"),
    pytest.param({"url": URL, "urls": [URL]}, "mutually exclusive: url|urls", id="both"),
    pytest.param({"url": URL, "sddl": "D:", "user": "me"}, "mutually exclusive: sddl|user", id="sddl and user"),
]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("args", "text"), REFUSED)
def test_refused_on_posix(run_module, args, text, check):
    result = run_module("es_urlacl", args, check=check)
    assert result["failed"]
    assert text in result["msg"]
