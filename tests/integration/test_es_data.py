# SPDX-License-Identifier: GPL-3.0-or-later
"""Data are removed last and where they are: mounts and links of the operator stay, nothing else is followed.

What has mounts runs in a mount namespace of its own; what is left is told by find(1) in there.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from tests.lab_site import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts, and gives files away")

MODULE = """
import json, sys
from ansible.module_utils import basic
args = {"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[1])}
try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:
    basic._ANSIBLE_ARGS = json.dumps(args).encode()
    from ansible_collections.eventstore.cluster.plugins.modules.es_data import main
    main()
else:
    from ansible_collections.eventstore.cluster.plugins.modules.es_data import main
    with patch_module_args(args["ANSIBLE_MODULE_ARGS"]):
        main()
"""


class Outcome(t.NamedTuple):
    result: dict[str, t.Any]
    left: list[str]


class Place:
    """A folder ``var`` as the operator has prepared it, in which the module removes what it is told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder / "var"
        self.folder.mkdir()

    def remove(self, prepare: str, *directories: str, check: bool = False) -> Outcome:
        args = {
            "directories": [str(self.folder / each) for each in directories],
            "state": "absent",
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        script = (
            f"set -e; mount --make-rprivate /; cd {self.folder}\n{prepare}\n"
            f'{sys.executable} -c "$1" "$2" >../result || true\nfind . -mindepth 1 -printf \'%P\\n\' >../left'
        )
        command = ["unshare", "-m", "bash", "-c", script, "bash", MODULE, json.dumps(args)]
        paths = os.pathsep.join([str(ROOT / "collections"), os.environ.get("PYTHONPATH", "")])
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": paths}, timeout=240)
        result = json.loads((self.folder.parent / "result").read_text())
        return Outcome(result, sorted((self.folder.parent / "left").read_text().split()))


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


def test_a_plain_directory_goes_with_everything_in_it(place: Place) -> None:
    prepare = "mkdir -p db/index other; touch db/chunk-000000.000000 db/index/map other/file"
    told = place.remove(prepare, "db", check=True)
    assert (told.result["changed"], len(told.left)) == (True, 6)
    done = place.remove("true", "db", "db/index")
    assert done.left == ["other", "other/file"]
    assert done.result["removed"] == [str(place.folder / "db"), str(place.folder / "db/index")]
    assert place.remove("true", "db").result["changed"] is False


@pytest.mark.parametrize("mount", ["mount -t tmpfs none db", "mkdir disk; mount --bind disk db"], ids=["disk", "bind"])
def test_a_mount_is_emptied_and_stays(place: Place, mount: str) -> None:
    prepare = f"mkdir -p db; {mount}; mkdir db/lost+found db/index; touch db/writer.chk db/index/map"
    done = place.remove(prepare, "db")
    assert done.result["changed"] is True, done.result
    assert done.result["kept"] == [str(place.folder / "db")]
    assert [path for path in done.left if not path.startswith("disk")] == ["db", "db/lost+found"]
    assert place.remove("mount -t tmpfs none db; mkdir db/lost+found", "db").result["changed"] is False


@pytest.mark.parametrize("directories", [("db",), ("db", "db/index")])
def test_the_index_on_a_disk_of_its_own_is_emptied_too(place: Place, directories: tuple[str, ...]) -> None:
    prepare = "mkdir -p db/index; mount -t tmpfs none db/index; touch db/index/map db/writer.chk"
    done = place.remove(prepare, *directories)
    assert done.left == ["db", "db/index"], done.result


def test_what_else_is_mounted_below_is_not_removed(place: Place) -> None:
    prepare = "mkdir -p db/backup; mount -t tmpfs none db/backup; touch db/backup/precious db/writer.chk"
    refused = place.remove(prepare, "db")
    assert "db/backup is mounted below the directory" in refused.result["msg"]
    assert refused.left == ["db", "db/backup", "db/backup/precious", "db/writer.chk"]


def test_a_link_of_the_operator_stays_and_leads_to_an_empty_directory(place: Place) -> None:
    done = place.remove("mkdir -p disk/es; ln -s disk/es db; touch disk/es/writer.chk", "db")
    assert done.result["changed"] is True, done.result
    assert done.left == ["db", "disk", "disk/es"]
    assert (place.folder / "db").is_symlink()


@pytest.mark.parametrize(
    "prepare",
    [
        "mkdir -p es precious; touch precious/file; ln -s ../precious es/db; chown -h 65534 es es/db",
        "mkdir -p es precious; touch precious/file; ln -s ../precious es/db; chown 65534 es",
        "mkdir -p es precious; touch precious/file; ln -s ../precious es/db; chmod 777 es",
        "mkdir -p es precious; touch precious/file; ln -s ../precious es/db; chmod 1777 es; chown -h 65534 es/db",
    ],
    ids=["the account's", "in the account's", "where all write", "the account's, where all write"],
)
def test_a_link_that_the_account_can_have_put_there_is_not_followed(place: Place, prepare: str) -> None:
    refused = place.remove(prepare, "es/db")
    assert "is a link that another account could have created" in refused.result["msg"]
    assert "precious/file" in refused.left
    assert "es/db" in refused.left


def test_links_in_the_data_are_removed_and_not_followed(place: Place) -> None:
    prepare = "mkdir -p db/index precious; touch precious/file; ln -s ../../precious db/index/a; ln -s ../precious db/b"
    assert place.remove(prepare, "db").left == ["precious", "precious/file"]


def test_nothing_is_removed_while_a_process_has_a_file_open(place: Place) -> None:
    prepare = "mkdir db; touch db/writer.chk; exec 9<db/writer.chk; sleep 60 & sleeper=$!; trap 'kill $sleeper' EXIT"
    assert place.remove(prepare, "db", check=True).result["changed"] is True
    refused = place.remove("exec 9<db/writer.chk; sleep 60 & sleeper=$!; trap 'kill $sleeper' EXIT", "db")
    assert "is used by process" in refused.result["msg"]
    assert refused.left == ["db", "db/writer.chk"]


def test_of_several_directories_none_is_removed_if_one_cannot_be(place: Place) -> None:
    prepare = "mkdir one; touch one/writer.chk two"
    refused = place.remove(prepare, "one", "two")
    assert "exists, but is not a directory" in refused.result["msg"]
    assert refused.left == ["one", "one/writer.chk", "two"]
