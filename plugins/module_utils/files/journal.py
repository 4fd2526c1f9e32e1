# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A set of files that is replaced one by one, noted next to them before: a run that was killed in between is seen."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import FormatError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic
from ansible_collections.eventstore.cluster.plugins.module_utils.foreign import parse_json

NAME = ".es_config-unfinished"
MAX_BYTES = 1024 * 1024


def unfinished(path: str) -> list[str]:
    """The set that ``path`` is in, where a run has not come to its end: its files may be of two runs."""
    noted = _read(_directory(path))
    return noted if path in noted else []


def begin(paths: t.Collection[str]) -> None:
    """Note a set on the disk, before the first of its files is replaced."""
    for directory in sorted(set(map(_directory, paths))):
        _write(directory, {*_read(directory), *paths})


def end(paths: t.Collection[str]) -> None:
    """Files that are as they are to be are no longer noted."""
    for directory in sorted(set(map(_directory, paths))):
        noted = _read(directory)
        if noted:
            _write(directory, set(noted) - set(paths))
        atomic.clear(os.path.join(directory, NAME))


def _directory(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def _read(directory: str) -> list[str]:
    try:
        descriptor = os.open(os.path.join(directory, NAME), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            noted = parse_json(stream.read(MAX_BYTES))
    except (OSError, FormatError):
        return []
    return [str(path) for path in noted] if isinstance(noted, list) else []


def _write(directory: str, paths: t.Collection[str]) -> None:
    journal = os.path.join(directory, NAME)
    if paths:
        atomic.write(journal, json.dumps(sorted(paths)).encode(), mode=0o644)
    else:
        os.unlink(journal)
        atomic.sync(directory)


__all__ = ["begin", "end", "unfinished"]
