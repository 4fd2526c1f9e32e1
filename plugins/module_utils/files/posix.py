# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""Text files on the managed host: read whole, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files import atomic, journal
from ansible_collections.eventstore.cluster.plugins.module_utils.files.directories import refuse_planted_links

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.eventstore.cluster.plugins.module_utils.files.wanted import Desired


def read_text(path: str) -> str | None:
    """The text of ``path`` with its line ends as they are; None if there is no such file."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            kind = "a directory" if os.path.isdir(path) else "something other than a regular file"
            raise ConfigError(f"expected a file, found {kind}", where=path, hint="Set the path of a file")
        return Path(path).read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte {error.start + 1} is not UTF-8 text", where=path, hint="Remove the file, or save it as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from None


def write_text(module: AnsibleModule, path: str, text: str, *, backup: bool) -> str | None:
    """Replace ``path`` by ``text`` in one step, keeping owner and mode; return the path of the backup, if any.

    A new file gets 0666 less the umask. A link is followed, so that it stays a link.
    """
    refuse_planted_links(path)
    target = os.path.realpath(path)
    kept = module.backup_local(target) if backup and os.path.exists(target) else None
    try:
        with atomic.staged(target, text.encode()) as temporary:
            module.atomic_move(temporary, target)  # keeps mode, owner and the context of SELinux
        atomic.sync(os.path.dirname(target))
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=path) from error
    return kept or None


def current(module: AnsibleModule, path: str, check: t.Callable[[str | None], object]) -> tuple[str | None, bool]:
    """The text of the file, and whether it is damaged and may be replaced; the error of ``check`` if it may not."""
    refuse_planted_links(path)
    try:
        text = read_text(path)
        check(text)
    except EventStoreError as error:
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise
        if not module.params["force"]:
            raise left_alone(error) from None
        module.warn(f"The damaged file is replaced: {error}")
        return None, True
    return text, False


def replace(module: AnsibleModule, files: t.Sequence[Desired]) -> list[dict[str, t.Any]]:
    """Bring the files to what is desired, all or, where a directory is missing, none; the result of each.

    They are replaced one after the other. A run that is killed in between leaves a journal, and the next ends its work.
    """
    for each in files:
        directory = os.path.dirname(each.path)
        if not module.check_mode and not os.path.isdir(directory or "."):
            raise ConfigError(
                f"the directory {directory} is missing",
                where=each.path,
                hint="Nothing was written. Create the directory first",
            )
    paths, changes = [each.path for each in files], [each.path for each in files if each.result["changed"]]
    killed = sorted({path for each in files for path in journal.unfinished(each.path)})
    if killed:
        module.warn(f"A run was killed, or failed, while it wrote {', '.join(killed)}: these files may not match")
    if module.check_mode:
        results = [_replace(module, each) for each in files]
    else:
        with _os_errors(paths[0]):
            journal.begin(changes if len(changes) > 1 else [])
        results = [_replace(module, each) for each in files]
        _clear(paths)
    results[0]["changed"] = results[0]["changed"] or any(path in killed for path in paths)
    return results


def _clear(paths: t.Sequence[str]) -> None:
    """All are as they are to be: forget a run that was killed, and what it left."""
    with _os_errors(paths[0]):
        journal.end(paths)
        for path in map(os.path.realpath, paths):
            atomic.clear(path)


@contextlib.contextmanager
def _os_errors(path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"its directory cannot be written to: {error.strerror}", where=path) from error


def _replace(module: AnsibleModule, file: Desired) -> dict[str, t.Any]:
    result = dict(file.result)
    is_new = not os.path.exists(file.path)
    if result["changed"] and not module.check_mode:
        # A new file with a secret is never readable by others, not even for a moment.
        usual = os.umask(0o027) if file.has_secret else None
        try:
            backup_file = write_text(module, file.path, file.text, backup=module.params["backup"])
        finally:
            if usual is not None:
                os.umask(usual)
        if backup_file:
            result["backup_file"] = backup_file
    wanted = module.load_file_common_arguments(module.params, path=file.path)
    if wanted["mode"] is None and file.has_secret:
        wanted["mode"] = "0640" if is_new else "o-rwx"
    elif wanted["mode"] is None and is_new:
        wanted["mode"] = "0644"
    if file.has_secret and wanted["group"] is None:
        wanted["group"] = _group_of_readers(file.path)
    attributes: dict[str, t.Any] = {}
    result["changed"] = module.set_fs_attributes_if_different(wanted, result["changed"], diff=attributes)
    if module._diff:
        result["diff"] = [file.diff]
        if attributes:
            header = f"{file.path} (owner and permissions)"
            result["diff"].append({"before_header": header, "after_header": header, **attributes})
    return result


def _group_of_readers(path: str) -> str | None:
    """The group of the directory, for a file of root's: without others' rights the services could not read it."""
    directory = os.path.dirname(os.path.realpath(path))
    if os.geteuid() != 0 or not os.path.isdir(directory) or (os.path.exists(path) and os.stat(path).st_gid != 0):
        return None
    return str(os.stat(directory).st_gid)


def remove(module: AnsibleModule, path: str) -> dict[str, t.Any]:
    """Remove a file, whatever is in it; the whole result of the task."""
    changed = os.path.lexists(path)
    if changed and os.path.isdir(path) and not os.path.islink(path):
        raise ConfigError("expected a file, found a directory", where=path, hint="Set the path of a file")
    if changed and not module.check_mode:
        try:
            os.unlink(path)
        except OSError as error:
            raise ConfigError(f"cannot be removed: {error.strerror}", where=path) from error
    return removed(path, changed=changed)


def removed(path: str, *, changed: bool) -> dict[str, t.Any]:
    """The result of a task that removes a file."""
    return {"changed": changed, "path": path, "diff": [{"before": f"{path}\n" if changed else "", "after": ""}]}


def left_alone(error: EventStoreError) -> EventStoreError:
    """The error for a file that is damaged and may not be replaced."""
    return type(error)(
        error.problem,
        where=error.where,
        hint="The damaged file was not changed: fix it, remove it, or replace it with force: true",
    )


__all__ = ["current", "left_alone", "read_text", "remove", "removed", "replace", "write_text"]
