# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads at the terminal: lines of the playbooks on three machines, default callback, no ansible.cfg."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.lab_site import BIN, ROOT, Site

NET = "127.0.83"
STATUS, AGAIN, IDLE, ROLL = 25, 80, 60, 110


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    made = Site(tmp_path_factory.mktemp("terminal"), NET, eventstore_cluster_name="orders")
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


def play(site: Site, playbook: str, *arguments: str) -> list[str]:
    """The lines of a play that ends well, without a warning; paths as short as those of a real machine."""
    config = site.folder / "ansible.cfg"
    config.touch()
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), str(ROOT / f"playbooks/{playbook}.yml"), "-i", str(site.inventory), *arguments],
        cwd=site.folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_HOME": str(site.folder / "controller"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout + done.stderr
    return done.stdout.rstrip("\n").split("\n")


@pytest.mark.parametrize(
    ("playbook", "most", "said"),
    [
        ("status", STATUS, "orders has quorum, 3 of 3 nodes in sync"),
        ("site", AGAIN, "orders: deployed on node1, node2, node3"),
        ("rolling_restart", IDLE, "orders: no restart is pending on node1, node2, node3"),
    ],
)
def test_a_play_with_nothing_to_do_is_short(site: Site, playbook: str, most: int, said: str) -> None:
    lines = play(site, playbook)
    assert len(lines) <= most, "\n".join(lines)
    assert any(said in line for line in lines)


def test_a_roll_says_in_a_line_what_each_turn_did_and_all_of_them_in_a_table(site: Site) -> None:
    lines = play(site, "rolling_restart", "-e", "rolling_all=orders")
    assert len(lines) <= ROLL, "\n".join(lines)
    turn = re.compile(
        r"(node\d): es-orders was caught up (\d+\.\d) s after its stop, (\d+ B|[\d.]+ KiB) copied, master is node\d/"
    )
    turns = [found for line in lines if (found := turn.match(line))]
    assert sorted(found[1] for found in turns) == ["node1", "node2", "node3"]
    text = "\n".join(lines)
    head = next(index for index, line in enumerate(lines) if "stop to caught up" in line)
    for row, found in zip(lines[head + 1 :], turns):
        assert re.search(rf"\b{found[1]} +{found[2]} s +{found[3]} +node\d/", row), row
    assert re.search(
        r"3 restarts in \d+ s; (no time without quorum was seen|the longest time without quorum seen)", text
    )
    assert "orders: restarted, where a restart was pending, on node1, node2, node3" in text
