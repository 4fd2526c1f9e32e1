# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Configuration files on a Windows host: read, compared, replaced, readable by the service.

They are written with CRLF and without a BOM, as an editor on Windows does, for no one knows how the vendor's manager
splits lines. The server takes LF, CRLF and a BOM (measured on 3.4.0), so a file that differs in these only is right.
"""

from __future__ import annotations

import ntpath
import typing as t

from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, WatchdogError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.posix import left_alone, removed
from ansible_collections.eventstore.cluster.plugins.module_utils.paths import path_problem
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import acl, script
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows import writing
from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import ABSENT, DIRECTORY, Host

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.files.wanted import Desired

# What only POSIX knows of files; all of them are None unless they are given.
POSIX_ARGUMENTS: dict[str, dict[str, t.Any]] = {name: {"type": "raw"} for name in FILE_COMMON_ARGUMENTS}


def refuse_posix(params: t.Mapping[str, t.Any]) -> None:
    """ConfigError for options that would be ignored in silence."""
    given = [name for name in POSIX_ARGUMENTS if params.get(name) is not None]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: files on Windows do not have this",
            where=params["path"] or "files",
            hint="Nothing was written. Remove the option: the file inherits its permissions from its directory",
        )


def prefetch(host: Host, paths: t.Iterable[str]) -> None:
    """Ask at once what ``current`` and ``replace`` will ask of these files."""
    checked = [path for path in paths if not path_problem(path, windows=True)]  # the others are refused later
    host.prefetch(
        *(script.read_file(path) for path in checked),
        *(script.kind_of(path) for path in checked),
        *(script.kind_of(ntpath.dirname(path)) for path in checked),
    )


def text_of(host: Host, path: str) -> str | None:
    """The text of a file with LF and without a BOM; ConfigError if it is none."""
    content = host.read(path)
    return None if content is None else text_in(content, path)


def text_in(content: bytes, path: str) -> str:
    """The text of a content that is a file's."""
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte {error.start + 1} is not UTF-8 text", where=path, hint="Remove the file, or save it as UTF-8"
        ) from None


def current(
    host: Host, path: str, check: t.Callable[[str | None], object], *, force: bool, warn: t.Callable[[str], object]
) -> tuple[str | None, bool]:
    """The text of the file with LF, and whether it is damaged and may be replaced; the error of ``check`` if not."""
    script.check_path(path, where="path")
    try:
        text = text_of(host, path)
        check(text)
    except (ConfigError, WatchdogError) as error:
        if not force:
            raise left_alone(error) from None
        warn(f"The damaged file is replaced: {error}")
        return None, True
    return text, False


def replace(host: Host, files: t.Sequence[Desired], *, backup: bool) -> list[dict[str, t.Any]]:
    """Bring the files to what is desired, all or none; the result of each."""
    changed = [each for each in files if each.result["changed"]] if not host.check_mode else []
    for directory in dict.fromkeys(ntpath.dirname(each.path) for each in changed):
        if host.kind_of(directory) != DIRECTORY:
            path = next(each.path for each in changed if ntpath.dirname(each.path) == directory)
            raise ConfigError(
                f"the directory {directory} is missing",
                where=path,
                hint="Nothing was written. Create the directory first",
            )
    contents = {each.path: each.text.replace("\n", "\r\n").encode() for each in changed}
    kept = writing.write(host, contents, backup=backup)
    return [_result(host, each, kept) for each in files]


def _result(host: Host, file: Desired, kept: t.Mapping[str, str | None]) -> dict[str, t.Any]:
    result = {**file.result, "diff": [file.diff], "warnings": list(file.warnings)}
    if file.path in kept:
        result["warnings"] += access_warnings(host, file.path)
    if kept.get(file.path):
        result["backup_file"] = kept[file.path]
    return result


def access_warnings(host: Host, path: str) -> list[str]:
    """Whether the account that the vendor's installer gives a service may read the file that was written."""
    sddl = host.ask(script.permissions(path), expected="SDDL", where=path)
    if acl.is_for_local_service(sddl):
        return []
    return [
        f"{path}: NT AUTHORITY\\LOCAL SERVICE, the default account of the service, seems to have no permission to read "
        f'it ({sddl}). Grant it: icacls {ntpath.dirname(path)} /grant "*{acl.LOCAL_SERVICE}:(OI)(CI)R"'
    ]


def remove(host: Host, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Remove the file; the whole result of the task."""
    path = script.check_path(params["path"], where="path")
    kind = host.kind_of(path)
    if kind == DIRECTORY:
        raise ConfigError("expected a file, found a directory", where=path, hint="Set the path of a file")
    if kind != ABSENT and not host.check_mode:
        host.remove(path)
    return removed(path, changed=kind != ABSENT)


__all__ = [
    "POSIX_ARGUMENTS",
    "access_warnings",
    "current",
    "prefetch",
    "refuse_posix",
    "remove",
    "replace",
    "text_in",
    "text_of",
]
