# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files on the managed host: read whole, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError, EventStoreError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def read_text(path: str) -> str | None:
    """The text of ``path`` with its line ends as they are; None if there is no such file."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            kind = "a directory" if os.path.isdir(path) else "no regular file"
            raise ConfigError(f"expected a file, found {kind}", where=path, hint="Give the path of a file")
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
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    kept = module.backup_local(target) if backup and os.path.exists(target) else None
    try:
        # In the same directory, so that the move is a rename, and on disk before it.
        handle, temporary = tempfile.mkstemp(prefix=".es_", dir=directory)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            module.atomic_move(temporary, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=path) from error
    return kept or None


def remove(module: AnsibleModule, path: str) -> dict[str, t.Any]:
    """Remove a file, whatever is in it; the whole result of the task."""
    changed = os.path.lexists(path)
    if changed and os.path.isdir(path) and not os.path.islink(path):
        raise ConfigError("expected a file, found a directory", where=path, hint="Give the path of a file")
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
        hint="The file is damaged and was left alone: mend it, remove it, or replace it with force: true",
    )


__all__ = ["left_alone", "read_text", "remove", "removed", "write_text"]
