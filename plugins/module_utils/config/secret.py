# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What may be a secret, and how a task's arguments are shown without it."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import KINDS, VERSIONS, option_set

MASK = "********"
_TELLING = re.compile("pass|pwd|secret|token|credential|key|auth", re.IGNORECASE)
# Variables of runtimes and of the collection, none of which holds a password. HTTP_PROXY can.
_HARMLESS = re.compile(
    "EVENTSTORE_NAMESERVERS|HOME|LANG|LC_[A-Z]+|LD_LIBRARY_PATH|PATH|TMPDIR|TZ|USER|(COMPlus|DOTNET|MONO)_[A-Za-z_]+"
)
_OPTIONS = [option for kind in KINDS for option in option_set(kind, VERSIONS[-1])]
_VARIABLES = {option.environment_name: option.secret for option in _OPTIONS}


def is_secret_option(name: str) -> bool:
    """Whether an option of the server, or what is probably meant to be one, holds a secret."""
    known = option_set("database", VERSIONS[-1])
    option = known.find(name) or known.find(known.nearest(name) or "")
    return option.secret if option else bool(_TELLING.search(name))


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable may hold one: all may but the server's own that do not, and a few known ones."""
    return _VARIABLES.get(name, not _HARMLESS.fullmatch(name))


def tells_of_secret(name: str) -> bool:
    """Whether the name says so itself; its value is then masked wherever it turns up."""
    return bool(_TELLING.search(name))


def without_credentials(url: str) -> str:
    """The address without user, password and query, which can hold a key."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    return parts._replace(netloc=host, query=MASK if parts.query else "", fragment="").geturl()


def has_credentials(url: str) -> bool:
    """Whether an address holds a user or a password."""
    return "://" in url and "@" in re.split("[/?#]", url.partition("://")[2])[0]


def shown(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Arguments of a task as a log may have them: variables without values, addresses without passwords."""
    found = dict(arguments)
    if isinstance(found.get("environment"), dict):
        found["environment"] = {
            name: MASK if is_secret_variable(str(name)) else value for name, value in found["environment"].items()
        }
    elif found.get("environment"):
        found["environment"] = MASK
    if isinstance(found.get("url"), str):
        found["url"] = without_credentials(found["url"])
    return found


__all__ = [
    "MASK",
    "has_credentials",
    "is_secret_option",
    "is_secret_variable",
    "shown",
    "tells_of_secret",
    "without_credentials",
]
