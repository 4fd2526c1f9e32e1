# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services' account puts on the way leads root nowhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import EventStoreError
from ansible_collections.eventstore.cluster.plugins.module_utils.files.directories import give, is_given, is_kept, keep

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")

ACCOUNT = 65534
OWNER = (ACCOUNT, ACCOUNT)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A directory of the account's below one of root's."""
    path = tmp_path / "log"
    give(str(path), OWNER, ())
    return path


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A directory of root's that holds something."""
    path = tmp_path / "roots"
    path.mkdir(mode=0o700)
    (path / "shadow").write_text("secret")
    return path


def owner(path: Path) -> tuple[int, int, str]:
    status = os.lstat(path)
    return status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode))


def planted(link: Path, target: Path) -> None:
    link.symlink_to(target)
    os.lchown(link, *OWNER)


def test_a_directory_is_made_and_given_and_its_parents_are_not(tmp_path: Path) -> None:
    path = tmp_path / "var" / "data"
    assert not is_given(str(path), OWNER, ())
    give(str(path), OWNER, ())
    assert (owner(path), owner(path.parent)) == ((*OWNER, "0o750"), (0, 0, "0o755"))
    assert is_given(str(path), OWNER, ())


@pytest.mark.parametrize("is_roots", [False, True])
def test_a_link_below_a_directory_of_the_account_is_not_followed(log: Path, roots: Path, is_roots: bool) -> None:
    planted(log / "manager", roots)
    if is_roots:  # the account can also move a link of root's there
        os.lchown(log / "manager", 0, 0)
    for act in (is_given, give):
        with pytest.raises(EventStoreError, match="link"):
            act(str(log / "manager"), OWNER, ())
        with pytest.raises(EventStoreError, match="link"):
            act(str(log / "manager" / "deeper"), OWNER, ())
    assert owner(roots) == (0, 0, "0o700")
    assert not (roots / "deeper").exists()


def test_a_directory_that_is_replaced_between_look_and_deed_is_not_followed(
    log: Path, roots: Path, monkeypatch
) -> None:
    real = os.mkdir

    def mkdir(name: str, *args: int, **more: int) -> None:
        real(name, *args, **more)
        if name == "manager":
            (log / "manager").rmdir()
            planted(log / "manager", roots)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(EventStoreError, match="link"):
        give(str(log / "manager"), OWNER, ())
    assert owner(roots) == (0, 0, "0o700")


def test_a_link_of_the_accounts_in_a_directory_of_everybodys_is_not_followed(tmp_path: Path, roots: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    planted(tmp_path / "tmp" / "data", roots)
    with pytest.raises(EventStoreError, match="link"):
        give(str(tmp_path / "tmp" / "data"), OWNER, ())
    assert owner(roots) == (0, 0, "0o700")


def test_links_of_roots_where_only_root_writes_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk" / "inner").mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "link").symlink_to("../disk/inner")
    (tmp_path / "data").symlink_to(tmp_path / "opt" / "link")
    give(str(tmp_path / "data"), OWNER, ())
    give(str(tmp_path / "data" / "log"), OWNER, ())
    assert owner(tmp_path / "disk" / "inner")[:2] == owner(tmp_path / "disk" / "inner" / "log")[:2] == OWNER
    assert (tmp_path / "data").is_symlink()
    assert owner(tmp_path / "data")[0] == 0
    assert is_given(str(tmp_path / "data"), OWNER, ())


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(EventStoreError, match="more than 40 links"):
        give(str(tmp_path / "a"), OWNER, ())


def test_what_holds_files_of_others_is_not_given_away(log: Path, roots: Path) -> None:
    roots.rename(log / "manager")  # as the account can, within its own directory
    for act in (is_given, give):
        with pytest.raises(EventStoreError, match="contains shadow of user 0"):
            act(str(log / "manager"), OWNER, ())
    assert owner(log / "manager") == (0, 0, "0o700")


def test_a_new_disk_and_nested_directories_are_given(tmp_path: Path) -> None:
    (tmp_path / "data" / "lost+found").mkdir(parents=True)
    (tmp_path / "data" / "log").mkdir()
    (tmp_path / "data" / "own").touch()
    os.chown(tmp_path / "data" / "own", *OWNER)
    known = [str(tmp_path / "data"), str(tmp_path / "data" / "log")]
    for path in known:
        give(path, OWNER, known)
    assert [owner(Path(path))[:2] for path in known] == [OWNER, OWNER]
    assert owner(tmp_path / "data" / "lost+found")[0] == 0


def test_a_directory_that_services_read_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "etc"
    keep(str(path), OWNER)
    assert owner(path) == (0, ACCOUNT, "0o750")
    assert is_kept(str(path), OWNER)


@pytest.mark.parametrize(
    ("before", "mode", "after"),
    [
        (OWNER, 0o750, (0, ACCOUNT, "0o750")),
        ((0, ACCOUNT), 0o770, (0, ACCOUNT, "0o750")),
        ((0, 0), 0o777, (0, ACCOUNT, "0o755")),
        ((0, 0), 0o700, (0, ACCOUNT, "0o700")),
        ((1, ACCOUNT), 0o750, (1, ACCOUNT, "0o750")),
        ((0, 0), 0o755, (0, 0, "0o755")),
    ],
)
def test_a_directory_that_the_account_can_write_to_is_taken_back(tmp_path: Path, before, mode, after) -> None:
    path = tmp_path / "etc"
    path.mkdir()
    os.chown(path, *before)
    path.chmod(mode)
    assert is_kept(str(path), OWNER) == ((*before, oct(mode)) == after)
    keep(str(path), OWNER)
    assert owner(path) == after
    assert is_kept(str(path), OWNER)


def test_tmp_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    keep(str(tmp_path), (ACCOUNT, -1))
    assert owner(tmp_path) == (0, 0, "0o1777")
