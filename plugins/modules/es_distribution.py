#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: es_distribution
short_description: Unpack a version of the Event Store software next to the others
version_added: 1.0.0
description:
  - Unpacks an archive, zip or tar.gz, to a separate directory, completely or not at all. If the archive contains a
    single top directory, the module unpacks the content of that directory.
  - An archive with a wrong checksum, or one that could write outside the directory, is refused before anything is
    written.
  - If the software is already installed, the module neither reads nor transfers the archive.
  - Without an archive, the module checks that the software is installed.
  - Also installs programs that consist of one file, such as the built-in manager, and creates the directories of the
    services.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
  - eventstore.cluster.attributes.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Check mode downloads nothing, so it does not show the top-level entries of an archive at O(url).
  platform:
    platforms: linux, windows
    support: full
  action:
    support: full
  safe_file_operations:
    support: full
options:
  home:
    description:
      - Absolute path of the directory to unpack to. Other versions are in directories next to it.
      - If the last part of the path is a version, the name of the archive's top directory, such as
        C(EventStore-OSS-Linux-v4.1.4), must not contain another version.
    type: path
    required: true
  state:
    description:
      - V(present) unpacks the software.
      - V(absent) removes the software. It fails if a process uses the software, or on Windows if a service is installed
        from it. Software that this module did not unpack is not removed.
    type: str
    choices: [present, absent]
    default: present
  src:
    description: Path of the archive on the controller, or with O(remote_src) on the host.
    type: path
  remote_src:
    description: Whether O(src) and the O(programs) are on the host.
    type: bool
    default: false
  url:
    description:
      - URL of the archive, C(http) or C(https). The host downloads it.
      - It must not contain a user or a password, because it is shown. Use a C(.netrc) file of the user on the host.
    type: str
  checksum:
    description: SHA-256 of the archive as C(sha256:HEX). Required with O(src) and O(url).
    type: str
  executable:
    description: Path of the program below O(home). The archive must contain it.
    type: str
    default: eventstored
  keep_versions:
    description:
      - The number of versions to keep, including O(home). The module removes the oldest versions first. It keeps a
        version that a process uses, software that it did not unpack, and on Windows a version from which a service is
        installed.
      - V(0) keeps all versions.
    type: int
    default: 0
  programs:
    description: Programs that consist of one file, executable for all users. V(absent) does not remove them.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path of the program on the controller, or with O(remote_src) on the host.
        type: path
        required: true
      dest:
        description: Absolute path to install it to.
        type: path
        required: true
      checksum:
        description: SHA-256 of the program as C(sha256:HEX). By default that of the file O(programs[].src).
        type: str
  directories:
    description:
      - Directories of the services, parents first. The module creates them with mode 0750 for O(owner) and O(group). It
        does not change the mode of an existing directory.
      - The module follows no link that O(owner) could have created, and does not change the owner of a directory that
        contains files of other users.
    type: list
    elements: path
    default: []
  config_dir:
    description:
      - Directory of the configuration files, which the services only read. The module creates it with mode 0750 for the
        user of the task and O(group). If O(owner) can write to it, the module corrects owner and mode.
    type: path
  owner:
    description:
      - Owner of O(directories), as name or uid. Defaults to the user of the task.
      - The software belongs to the user of the task, so that the services cannot change it.
    type: str
  group:
    description:
      - Group of O(directories), as name or gid. Defaults to the group of O(owner).
    type: str
notes:
  - On Windows the archive is a zip, which the controller downloads from O(url). O(owner), O(group), O(programs) and
    O(remote_src) are refused, and directories inherit their permissions. A version is removed only in the session of
    an elevated administrator, because only that session shows all processes.
  - Not tested on Windows itself, but with Ansible's Windows connections against a simulated host.
"""

EXAMPLES = r"""
- name: Unpack the software from an archive on the controller
  eventstore.cluster.es_distribution:
    src: EventStore-OSS-Ubuntu-16.04-v3.4.0.tar.gz
    checksum: sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
    home: /opt/eventstore/3.4.0
    keep_versions: 2

- name: Unpack the software from an archive that each host downloads
  eventstore.cluster.es_distribution:
    url: https://artifacts.example.com/EventStore-OSS-Ubuntu-16.04-v3.4.0.tar.gz
    checksum: sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
    home: /opt/eventstore/3.4.0

- name: Unpack the software, and install the built-in manager
  eventstore.cluster.es_distribution:
    src: EventStore-OSS-Ubuntu-16.04-v3.4.0.tar.gz
    checksum: sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
    home: /opt/eventstore/3.4.0
    programs:
      - src: "{{ lookup('eventstore.cluster.es_manager') }}"
        dest: /opt/eventstore/es-manager.pyz

- name: Check that the software is installed
  eventstore.cluster.es_distribution:
    home: /opt/eventstore/3.4.0
"""

RETURN = r"""
executable:
  description: Path of the program.
  returned: success
  type: str
  sample: /opt/eventstore/3.4.0/eventstored
removed:
  description: Versions that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/opt/eventstore/3.3.1]
"""

import contextlib
import grp
import os
import pwd
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import (
    without_credentials,
)
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import DistributionError, EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.directories import give, is_given, is_kept, keep
from ansible_collections.eventstore.cluster.plugins.module_utils.host.module import DiscreetModule
from ansible_collections.eventstore.cluster.plugins.module_utils.software import installed
from ansible_collections.eventstore.cluster.plugins.module_utils.software.archive import (
    MAX_BYTES,
    check_checksum,
    check_url,
    checksum,
    open_archive,
)

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "home": {"type": "path", "required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "src": {"type": "path"},
    "remote_src": {"type": "bool", "default": False},
    "url": {},
    "checksum": {},
    "executable": {"default": "eventstored"},
    "keep_versions": {"type": "int", "default": 0},
    "owner": {},
    "group": {},
    "programs": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "src": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "checksum": {},
        },
    },
    "directories": {"type": "list", "elements": "path", "default": []},
    "config_dir": {"type": "path"},
}
RULES: dict[str, t.Any] = {
    "mutually_exclusive": [("src", "url")],
    "required_by": {"src": "checksum", "url": "checksum"},
}
BLOCK_BYTES = 1024 * 1024
# What the result ``needs`` of the controller, next to the programs named by their ``dest``.
NEEDS_ARCHIVE = "archive"
# The number of an account that an earlier task would make, were this not check mode; no one's files have it.
NOT_YET_MADE = -2


def present(module: AnsibleModule, home: Path) -> dict[str, t.Any]:
    """Unpack the version if it is not there, and remove superfluous ones."""
    params = module.params
    given = params["src"] or params["url"]
    if installed.is_complete(home, params["executable"], params["checksum"] if given else None):
        if not given:
            return {"changed": False}
        result: dict[str, t.Any] = {"changed": False}
    elif params["src"] and not params["remote_src"]:
        # The action plugin looks at the archive on the controller and, out of check mode, comes again with it.
        result = {"changed": True, "needs": [NEEDS_ARCHIVE], "entries": []}
    elif params["url"] and module.check_mode:
        result = {"changed": True, "entries": []}
    else:
        result = {"changed": True, "entries": _unpack(module, home)}
    superfluous = installed.superfluous(home, params["keep_versions"])
    if not module.check_mode and "needs" not in result:
        for path in superfluous:
            installed.remove(path)
    return {**result, "removed": [str(path) for path in superfluous]}


def absent(module: AnsibleModule, home: Path) -> dict[str, t.Any]:
    """Remove the version if this collection unpacked it and nothing uses it."""
    removable = installed.is_removable(home)
    if removable and not module.check_mode:
        installed.remove(home)
    return {"changed": removable, "removed": [str(home)] if removable else []}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the version to its state; the result of the module."""
    params = module.params
    home = _home(params)
    owner = _owner(params, check_mode=module.check_mode)
    directories = _wrong_directories(params, owner)
    programs = _wrong_programs(params)
    before = [str(path) for path in installed.versions(home.parent)]
    leftovers = installed.leftovers(home.parent)
    if leftovers and not module.check_mode:
        installed.clear(home.parent)
    result = absent(module, home) if params["state"] == "absent" else present(module, home)
    removed = result.setdefault("removed", [])
    if programs and not params["remote_src"]:
        # As with the archive: the action plugin comes again with them.
        result.setdefault("needs", []).extend(program["dest"] for program in programs)
    if not module.check_mode and "needs" not in result:
        for path in directories:
            if path == params["config_dir"]:
                keep(path, owner)
            else:
                give(path, owner, params["directories"])
        for program in programs:
            installed.install(Path(program["src"]), Path(program["dest"]))
    destinations = [program["dest"] for program in programs]
    after: dict[str, t.Any] = {
        "versions": [path for path in before if path not in removed],
        "programs": destinations,
        "directories": directories,
    }
    if "entries" in result:
        after["versions"].append(str(home))
        after["entries"] = result.pop("entries")
    result["changed"] = bool(result["changed"] or removed or leftovers or directories or programs)
    result["executable"] = str(home / params["executable"])
    result["diff"] = {"before": {"versions": before, "programs": [], "directories": []}, "after": after}
    return result


def _wrong_directories(params: dict[str, t.Any], owner: tuple[int, int]) -> list[str]:
    """Those of the directories that are not there, or belong to another."""
    if params["state"] != "present":
        return []
    if params["config_dir"] in params["directories"]:
        params["config_dir"] = None  # the services write to it
    config_dirs = [params["config_dir"]] if params["config_dir"] else []
    for path in [*config_dirs, *params["directories"]]:
        if not os.path.isabs(path):
            raise DistributionError(f"directories has {path!r}", hint="Write absolute paths")
    wrong = [path for path in config_dirs if not is_kept(path, owner)]
    return wrong + [path for path in params["directories"] if not is_given(path, owner, params["directories"])]


def _wrong_programs(params: dict[str, t.Any]) -> list[dict[str, str]]:
    """Those of the programs that are not there, are others, or cannot be executed by everybody."""
    wrong = []
    for program in params["programs"] if params["state"] == "present" else []:
        path = Path(program["dest"])
        if not path.is_absolute():
            raise DistributionError(f"programs has {program['dest']!r}", hint="Write absolute paths")
        if path.is_dir():
            raise DistributionError("exists, but is not a file", where=str(path), hint="Move it away")
        program["checksum"] = program["checksum"] or checksum(program["src"])
        if not installed.is_installed(path, program["checksum"]):
            wrong.append(program)
    return wrong


def _unpack(module: AnsibleModule, home: Path) -> list[str]:
    """Check the archive and, out of check mode, unpack it; its top-level entries."""
    params = module.params
    path = params["src"] or _download(module)
    check_checksum(path, params["checksum"])
    with open_archive(path) as archive:
        archive.require(params["executable"])
        archive.require_version(home.name)
        if not module.check_mode:
            installed.unpack(archive, home, params["executable"], params["checksum"])
        return archive.top_level()


def _download(module: AnsibleModule) -> str:
    """Fetch the archive; its path, in a directory that the module removes at its end."""
    from ansible.module_utils.urls import fetch_url  # costs as much as all other imports, and few runs download

    url = module.params["url"]
    answer, info = fetch_url(module, url, timeout=30)
    if info["status"] != 200:
        raise DistributionError(
            f"expected status 200, got {info['status']}: {info['msg']}",
            where=without_credentials(url),
            hint="Nothing was unpacked. Fix the url, or copy the archive to the controller and use src",
        )
    path = os.path.join(module.tmpdir, "archive")
    with answer, open(path, "wb") as file:
        for block in iter(lambda: answer.read(BLOCK_BYTES), b""):
            file.write(block)
            if file.tell() > MAX_BYTES:
                raise DistributionError(
                    f"sends more than {MAX_BYTES} bytes", where=without_credentials(url), hint="Nothing was unpacked"
                )
    return path


def _home(params: dict[str, t.Any]) -> Path:
    """``home``, with all that can be wrong with options."""
    home = Path(os.path.normpath(params["home"]))
    if not home.is_absolute() or len(home.parts) < 3:
        raise DistributionError(
            f"home is {params['home']!r}",
            hint="Write an absolute path that ends in the version, such as /opt/eventstore/3.4.0",
        )
    program = params["executable"].split("/")
    if not all(part not in ("", ".", "..") for part in program):
        raise DistributionError(
            f"executable is {params['executable']!r}", hint="Write its path below home, without . and .."
        )
    params["checksum"] = installed.check_request(params)
    if params["url"]:
        check_url(params["url"])
    return home


def _owner(params: dict[str, t.Any], *, check_mode: bool) -> tuple[int, int]:
    """Numbers of the user and the group; -1 where it may be anybody."""
    if params["owner"] and not params["group"]:
        with contextlib.suppress(KeyError):  # a number, or it is still to be made
            params["group"] = str(pwd.getpwnam(params["owner"]).pw_gid)
    return (
        _number("owner", params["owner"], lambda name: pwd.getpwnam(name).pw_uid, check_mode),
        _number("group", params["group"], lambda name: grp.getgrnam(name).gr_gid, check_mode),
    )


def _number(option: str, name: str | None, look_up: t.Callable[[str], int], check_mode: bool) -> int:
    if not name:
        return -1
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        if check_mode:
            return NOT_YET_MADE
        raise DistributionError(
            f"{option} is {name!r}, which does not exist on this host", hint="Create it first, or fix the name"
        ) from None


def main() -> None:
    module = DiscreetModule(argument_spec=ARGUMENTS, supports_check_mode=True, **RULES)
    os.umask(0o022)  # a stricter one of root's would keep the service's user from the software
    try:
        module.exit_json(**run(module))
    except EventStoreError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
