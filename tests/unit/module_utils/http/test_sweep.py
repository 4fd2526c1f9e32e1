# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.http import sweep
from ansible_collections.eventstore.cluster.plugins.module_utils.http.answer import AnswerParser


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"404 Not Found", "HTTP status 404 Not Found"),
        (b"404 No\x1b[2J\r\nserver: ng\ninx\x07", "HTTP status 404 No?[2J, from ng?inx?"),
        (b"302 Found\r\nLocation: /web", "HTTP status 302 Found"),
        (b"204", "HTTP status 204"),
    ],
)
def test_a_status_that_is_not_200_is_named_in_printable_text(head, text):
    parser = AnswerParser(only_ok=True)
    parser.feed(b"HTTP/1.1 " + head + b"\r\n\r\n")
    assert sweep._of_status(parser) == (sweep.STATUS, text)
