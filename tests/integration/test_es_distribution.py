# SPDX-License-Identifier: GPL-3.0-or-later
"""es_distribution: check, run, check again, run again, and everything that must be refused.

The real action plugin and module with real files, in this process; three plays show that Ansible does the same.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleFileNotFound
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.shell import sh

from ansible_collections.eventstore.cluster.plugins.action import es_distribution

ROOT = Path(__file__).resolve().parents[2]


class Done(t.NamedTuple):
    """What one es_distribution task gave back."""

    result: dict[str, t.Any]


class InProcess(es_distribution.ActionModule):
    """The action plugin; one directory is controller and host: files are copied, the module runs in this process."""

    def __init__(self, directory: Path, run_module: t.Callable[..., dict[str, t.Any]], task: t.Any) -> None:
        connection = MagicMock()
        connection._shell = sh.ShellModule()
        connection._shell.tmpdir = None
        super().__init__(task, connection, MagicMock(), DataLoader(), MagicMock(), MagicMock())
        self._directory = directory
        self._run_module = run_module

    def _find_needle(self, _dirname: str, needle: str) -> str:
        path = self._directory / needle
        if not path.exists():
            raise AnsibleFileNotFound(f"Could not find or access '{needle}'")
        return str(path)

    def _execute_module(self, *, module_args: dict[str, t.Any], **_more: t.Any) -> dict[str, t.Any]:
        return self._run_module("es_distribution", module_args, check=self._task.check_mode, diff=True)

    def _make_tmp_path(self, _user: t.Any = None) -> None:
        self._connection._shell.tmpdir = str(self._directory / "remote" / "task")
        Path(self._connection._shell.tmpdir).mkdir(parents=True)

    def _transfer_file(self, local_path: str, remote_path: str) -> None:
        shutil.copy(local_path, remote_path)

    def _fixup_perms2(self, *_paths: t.Any, **_more: t.Any) -> None:
        pass


class Play(t.Protocol):
    def __call__(self, directory: Path, *arguments: str, **options: t.Any) -> Done:
        """Run one es_distribution task, in check mode with ``--check``."""


@pytest.fixture
def play(run_module) -> Play:
    def run(directory: Path, *arguments: str, **options: t.Any) -> Done:
        task = MagicMock(args=options, check_mode="--check" in arguments, diff=True, async_val=0)
        action = InProcess(directory, run_module, task)
        try:
            return Done(action.run_on_posix({}))
        except AnsibleActionFail as error:
            return Done({"failed": True, "msg": str(error)})
        finally:
            shutil.rmtree(action._connection._shell.tmpdir or directory / "none", ignore_errors=True)

    return run


def play_in_ansible(directory: Path, *arguments: str, **options: t.Any) -> Done:
    """Run it by ansible-playbook on localhost, and have its result shown as one word."""
    tasks = [
        {"name": "Unpack", "eventstore.cluster.es_distribution": options, "register": "it", "ignore_errors": True},
        {"name": "Show the result", "ansible.builtin.debug": {"msg": "RESULT:{{ it | to_json | b64encode }}"}},
    ]
    book = [{"name": "Test", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (directory / "play.yml").write_text(json.dumps(book))
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "play.yml", "--diff", *arguments],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",  # YAML folds long words
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    _shown, _marker, result = ran.stdout.partition("RESULT:")
    return Done(json.loads(base64.b64decode(result.partition('"')[0])))


def make_archive(path: Path, program: str = "program", name: str = "eventstored", version: str = "3.4.0") -> str:
    """Write a tar.gz in the vendor's shape; its checksum."""
    top = f"EventStore-v{version}"
    with tarfile.open(path, "w:gz") as file:
        for member, content in ((f"{top}/{name}", program), (f"{top}/web/index.html", "page")):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            info.mode = 0o755
            file.addfile(info, io.BytesIO(content.encode()))
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def tree(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "versions" / "3.4.0"


def test_check_run_check_run(play: Play, tmp_path: Path, home: Path) -> None:
    options = {"src": "a.tar.gz", "checksum": make_archive(tmp_path / "a.tar.gz"), "home": str(home)}
    unpacked = {".es_distribution.json", "eventstored", "web", "web/index.html"}
    after = {"versions": [str(home)], "entries": ["eventstored", "web/"], "programs": [], "directories": []}

    checked = play(tmp_path, "--check", **options)
    assert checked.result["changed"]
    assert checked.result["diff"] == {
        "before": {"versions": [], "programs": [], "directories": []},
        "after": after,
    }
    assert not home.parent.exists()

    ran = play(tmp_path, **options)
    assert ran.result["changed"]
    assert ran.result["diff"] == checked.result["diff"]
    assert ran.result["executable"] == f"{home}/eventstored"
    assert tree(home) == unpacked
    assert list(home.parent.iterdir()) == [home]

    (tmp_path / "a.tar.gz").unlink()  # where all is there nobody reads the archive
    for again in (play(tmp_path, "--check", **options), play(tmp_path, **options)):
        assert not again.result["changed"]
        assert again.result["diff"]["before"] == again.result["diff"]["after"]
    assert tree(home) == unpacked
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] == []

    assert play(tmp_path, "--check", home=str(home), state="absent").result["changed"]
    assert tree(home) == unpacked
    gone = play(tmp_path, home=str(home), state="absent")
    assert gone.result["removed"] == [str(home)]
    assert list(home.parent.iterdir()) == []
    assert not play(tmp_path, home=str(home), state="absent").result["changed"]


def test_brings_a_program_alone_with_the_archive_and_again(play: Play, tmp_path: Path, home: Path) -> None:
    built, dest = tmp_path / "built.pyz", home.parent / "manager.pyz"
    built.write_text("first")
    options = {
        "src": "a.tar.gz",
        "checksum": make_archive(tmp_path / "a.tar.gz"),
        "home": str(home),
        "programs": [{"src": str(built), "dest": str(dest)}],
    }
    assert play(tmp_path, "--check", **options).result["diff"]["after"]["programs"] == [str(dest)]
    assert not dest.exists()
    assert play(tmp_path, **options).result["changed"]
    assert dest.read_text() == "first"
    assert (home / "eventstored").exists()

    built.write_text("second")
    assert play(tmp_path, "--check", **options).result["changed"]
    assert dest.read_text() == "first"
    assert play(tmp_path, **options).result["changed"]
    assert dest.read_text() == "second"
    assert not play(tmp_path, **options).result["changed"]
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] == []

    built.unlink()
    assert "Put the file there, or fix the path" in play(tmp_path, **options).result["msg"]


def test_continues_after_an_interrupted_run_and_keeps_the_number_of_versions(
    play: Play, tmp_path: Path, home: Path
) -> None:
    for version in ("3.0.0", "3.1.0"):
        checksum = make_archive(tmp_path / f"{version}.tar.gz", version=version)
        play(tmp_path, src=f"{version}.tar.gz", checksum=checksum, home=str(home.with_name(version)))
    checksum = make_archive(tmp_path / "a.tar.gz")
    left = home.with_name(".es_distribution-3.4.0")
    left.mkdir()
    (left / "eventstored").write_text("half")
    options = {"src": "a.tar.gz", "checksum": checksum, "home": str(home), "keep_versions": 2}
    removed = [str(home.with_name("3.0.0"))]

    assert play(tmp_path, "--check", **options).result["removed"] == removed
    assert {path.name for path in home.parent.iterdir()} == {"3.0.0", "3.1.0", left.name}
    ran = play(tmp_path, **options)
    assert ran.result["removed"] == removed
    assert {path.name for path in home.parent.iterdir()} == {"3.1.0", "3.4.0"}
    assert (home / "eventstored").read_text() == "program"
    assert not play(tmp_path, **options).result["changed"]


def test_refuses_another_archive_of_the_same_version(play: Play, tmp_path: Path, home: Path) -> None:
    first = make_archive(tmp_path / "a.tar.gz")
    play(tmp_path, src="a.tar.gz", checksum=first, home=str(home))
    second = make_archive(tmp_path / "b.tar.gz", program="other")
    for mode in ([], ["--check"]):
        refused = play(tmp_path, *mode, src="b.tar.gz", checksum=second, home=str(home))
        assert refused.result["failed"]
        assert f"expected {second}, found {first}" in refused.result["msg"]
    assert (home / "eventstored").read_text() == "program"


WRONG = "sha256:" + 64 * "0"
ASKED = "checksum mismatch: expected"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checksum": WRONG}, f"On the controller: {{directory}}/a.tar.gz: {ASKED} {WRONG}"),
        ({"src": "absent.tar.gz"}, "Put the file there, or fix the path"),
        ({"executable": "EventStore.exe"}, "has no file EventStore.exe; it contains eventstored, web/"),
        ({"executable": "../eventstored"}, "executable is '../eventstored'"),
        ({"checksum": "5e88"}, "Write sha256: and the 64 hexadecimal digits"),
        ({"checksum": None}, "missing parameter(s) required by 'src': checksum"),
        ({"home": "versions/3.4.0"}, "Write an absolute path"),
        ({"home": "/"}, "Write an absolute path"),
        ({"directories": ["data"]}, "directories has 'data'. Write absolute paths"),
        ({"directories": ["{directory}/a.tar.gz"]}, "{directory}/a.tar.gz: exists, but is not a directory"),
        ({"owner": "no-such-user"}, "owner is 'no-such-user', which does not exist on this host"),
        ({"src": None, "checksum": None}, "eventstored does not exist, and no archive is given"),
        ({"src": None, "url": "https://me:secret@example.com/a.zip"}, "contains a user or a password"),
        ({"src": None, "url": "file:///etc/passwd"}, "is not an http or https address"),
    ],
)
def test_refuses_and_writes_nothing(
    play: Play, tmp_path: Path, home: Path, options: dict[str, t.Any], message: str
) -> None:
    options = json.loads(json.dumps(options).replace("{directory}", str(tmp_path)))
    made = {"src": "a.tar.gz", "checksum": make_archive(tmp_path / "a.tar.gz"), "home": str(home), **options}
    refused = play(tmp_path, **{name: value for name, value in made.items() if value is not None})
    assert refused.result["failed"]
    assert message.format(directory=tmp_path) in refused.result["msg"]
    assert not home.parent.exists()


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[str]:
    """Serves the files of a directory, and counts nothing."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: t.Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_arguments: t.Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_downloads_on_the_host(play: Play, tmp_path: Path, home: Path, server: str) -> None:
    options = {"url": f"{server}/a.tar.gz", "checksum": make_archive(tmp_path / "a.tar.gz"), "home": str(home)}
    missing = play(tmp_path, **{**options, "url": f"{server}/b.tar.gz"})
    assert f"{server}/b.tar.gz: expected status 200, got 404" in missing.result["msg"]
    make_archive(tmp_path / "other.tar.gz", program="other")
    wrong = play(tmp_path, **{**options, "url": f"{server}/other.tar.gz"})
    assert f"expected {options['checksum']}, got sha256:" in wrong.result["msg"]
    assert not home.parent.exists()

    assert play(tmp_path, "--check", **options).result["changed"]
    assert not home.parent.exists()
    assert play(tmp_path, **options).result["changed"]
    assert (home / "eventstored").read_text() == "program"
    assert not play(tmp_path, **options).result["changed"]


def test_makes_directories(play: Play, tmp_path: Path, home: Path) -> None:
    data, log = tmp_path / "data" / "node", tmp_path / "log"
    log.mkdir()
    (log / "kept").touch()
    checksum = make_archive(tmp_path / "a.tar.gz")
    options = {"src": "a.tar.gz", "checksum": checksum, "home": str(home), "directories": [str(data), str(log)]}
    assert play(tmp_path, "--check", **options).result["diff"]["after"]["directories"] == [str(data)]
    assert not data.parent.exists()
    assert play(tmp_path, **options).result["diff"]["after"]["directories"] == [str(data)]
    assert data.is_dir()
    assert not play(tmp_path, **options).result["changed"]
    assert (log / "kept").exists()


def test_takes_an_archive_that_is_on_the_host(play: Play, tmp_path: Path, home: Path) -> None:
    options = {"checksum": make_archive(tmp_path / "a.tar.gz"), "home": str(home), "remote_src": True}
    absent = play(tmp_path, src=str(tmp_path / "b.tar.gz"), **options)
    assert f"{tmp_path}/b.tar.gz: cannot be read: No such file or directory" in absent.result["msg"]
    assert play(tmp_path, "--check", src=str(tmp_path / "a.tar.gz"), **options).result["diff"]["after"]["entries"]
    assert not home.parent.exists()
    assert play(tmp_path, src=str(tmp_path / "a.tar.gz"), **options).result["changed"]
    assert (home / "eventstored").read_text() == "program"


def test_in_a_play_it_does_the_same(tmp_path: Path, home: Path) -> None:
    built, dest = tmp_path / "built.pyz", home.parent / "manager.pyz"
    built.write_text("first")
    options = {
        "src": "a.tar.gz",
        "checksum": make_archive(tmp_path / "a.tar.gz"),
        "home": str(home),
        "programs": [{"src": str(built), "dest": str(dest)}],
    }
    checked = play_in_ansible(tmp_path, "--check", **options)
    assert checked.result["diff"]["after"]["entries"] == ["eventstored", "web/"]
    assert not home.parent.exists()
    assert play_in_ansible(tmp_path, **options).result["changed"]
    assert (dest.read_text(), (home / "eventstored").read_text()) == ("first", "program")
    assert not play_in_ansible(tmp_path, **options).result["changed"]
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] == []
