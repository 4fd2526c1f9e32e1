# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Files of a Windows host replaced, all or none; after an error nothing is said that was not looked at."""

from __future__ import annotations

import base64
import datetime
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import FILE, Host


class Place(t.NamedTuple):
    """A file that gets a content. ``new``: where it is written first; ``old``: where the file that was there goes."""

    path: str
    new: str
    old: str
    content: bytes


def write(host: Host, contents: t.Mapping[str, bytes], *, backup: bool = False) -> dict[str, str | None]:
    """Give each file its content; the path of its backup, None where none was asked for or no file was there."""
    if not contents:
        return {}
    suffix = f"{datetime.datetime.now():%Y%m%d-%H%M%S}~" if backup else "es-old"

    def named(path: str, end: str) -> str:
        return script.check_path(f"{path}.{end}", where="path")

    places = [Place(path, named(path, "es-new"), named(path, suffix), content) for path, content in contents.items()]
    moves = script.replace([(each.new, each.path, each.old) for each in places], keep=backup)
    looks = [script.kind_of(each.old) for each in places] if backup else []
    was_there = {path for path in contents if host.kind_of(path) == FILE}
    try:
        steps = [*_bring(host, places), moves]
        host.prefetch(*steps, *looks, *(script.permissions(each.path) for each in places))
        for step in steps:
            host.do(step, where=", ".join(contents))
    except (AnsibleError, HostError) as error:
        _look_after(host, places, was_there, error)
    return {each.path: each.old if backup and host.kind_of(each.old) == FILE else None for each in places}


def _bring(host: Host, places: t.Sequence[Place]) -> list[str]:
    """Transfer the new contents, and the part that is still to be run: several come as lines of one file.

    Each transfer takes a second, as a start of PowerShell does.
    """
    if len(places) == 1:
        host.put(places[0].new, places[0].content)
        return []
    bundle = script.check_path(f"{places[0].path}.es-set", where="path")
    host.put(bundle, b"".join(base64.b64encode(each.content) + b"\r\n" for each in places))
    return [script.split(bundle, [each.new for each in places])]


def _look_after(host: Host, places: t.Sequence[Place], was_there: set[str], error: Exception) -> None:
    """After an error: take back what was replaced, and say of each file what is there now.

    Returns if all files have their new content after all.
    """
    paths = ", ".join(each.path for each in places)
    try:
        found = {each.path: host.read(each.path) for each in places}
        if all(found[each.path] == each.content for each in places):
            return
        states = [_taken_back(host, each, found[each.path], was_there=each.path in was_there) for each in places]
    except (AnsibleError, HostError) as second:
        states = [f"The current state could not be read ({second}): check {paths}, and .es-new and .es-old there"]
    raise HostError(f"cannot be written: {error}", where=paths, hint="; ".join(states)) from error


def _taken_back(host: Host, place: Place, content: bytes | None, *, was_there: bool) -> str:
    """Bring a file back to what it was; what it is now, in words."""
    path, spare = place.path, f"{place.path}.es-set"
    if was_there and content in (None, place.content):
        if host.kind_of(place.old) != FILE:
            return f"{path} and {place.old} are both gone: its new content is in {place.new}"
        host.do(script.replace([(place.old, path, spare)], keep=False), where=path)
    elif not was_there and content == place.content:
        host.remove(path)
    host.forget(place.new, spare)
    return f"{path} is unchanged" if was_there else f"{path} does not exist, as before"


__all__ = ["write"]
