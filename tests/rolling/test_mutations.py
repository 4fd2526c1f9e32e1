# SPDX-License-Identifier: GPL-3.0-or-later
"""Each condition of the guard, of the lease and of the way to a stop is taken out, and a unit test has to turn red.

The mutations are made in the text of a copy, so what is tested is what an editor's slip would leave.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UTILS = "plugins/module_utils"
GUARD, LEASE, PERMISSION = (
    f"{UTILS}/stopping/conditions.py",
    f"{UTILS}/stopping/lease.py",
    f"{UTILS}/stopping/permission.py",
)
FAMILY = f"{UTILS}/service/family.py"
DATA, JOURNAL, UPGRADE = f"{UTILS}/service/data.py", f"{UTILS}/files/journal.py", f"{UTILS}/service/upgrade.py"
STAGED, RECOVERY = f"{UTILS}/service/staged_files.py", f"{UTILS}/recovery.py"
TESTS = {
    GUARD: "tests/unit/module_utils/stopping/test_conditions.py",
    LEASE: "tests/unit/module_utils/stopping/test_lease.py",
    PERMISSION: "tests/unit/module_utils/stopping/test_permission.py",
    FAMILY: "tests/unit/module_utils/service/test_family.py",
    STAGED: "tests/unit/module_utils/service/test_staged_files.py",
    RECOVERY: "tests/unit/module_utils/test_recovery.py",
    DATA: "tests/unit/module_utils/service/test_data.py",
    JOURNAL: "tests/unit/modules/test_es_config_killed.py",
    UPGRADE: "tests/unit/module_utils/service/test_upgrade.py",
}

MUTATIONS = [
    # Each condition as a whole,
    *(
        (GUARD, f"    {condition},\n", "")
        for condition in (
            "_its_nodes_are_known",
            "_its_nodes_belong_to_no_other_cluster",
            "_there_is_one_master",
            "_all_views_agree",
            "_size_is_right",
            "_a_majority_is_left",
            "_those_left_are_caught_up",
            "_nothing_has_just_changed",
        )
    ),
    # and each part of them that decides.
    (GUARD, "if not any(addresses & node.addresses for node in case.stopped):", "if not case.stopped:"),
    (GUARD, "    if len(claimants) > 1:", "    if len(claimants) > 2:"),
    (GUARD, "    elif case.cluster.master is None:", "    elif False:"),
    (GUARD, "len(case.left) < cluster.quorum_size:", "len(case.left) < cluster.quorum_size - 1:"),
    (GUARD, "if node.key not in gone]", "]"),
    (GUARD, "if late and len(case.left) - len(late) < cluster.quorum_size", "if late and len(case.left) < 0"),
    (GUARD, "{node.own.instance_id}", ""),
    (GUARD, "if node.own and node.own.is_in_sync", "if node.own"),
    (GUARD, "master.own.epoch_number if master and master.own else None", "None"),
    (GUARD, "if node not in cluster.in_sync or not _is_caught_up(cluster, node)", "if node not in cluster.in_sync"),
    (GUARD, "if node not in cluster.in_sync or not _is_caught_up(cluster, node)", "if False"),
    (GUARD, "    if unseen:", "    if False:"),
    (GUARD, "for node in cluster.nodes if node.member and", "for node in cluster.in_sync if node.member and"),
    (LEASE, "if not (is_owner or (not holder.owner and not request.renew)):", "if False:"),
    (LEASE, " and (request.breaks or self._is_token(request.token))", ""),
    (LEASE, "request.breaks or ", ""),
    (LEASE, " and not request.renew", ""),
    (LEASE, "or now >= self._until", ""),
    (PERMISSION, "if not waited.ok:", "if False:"),
    (PERMISSION, "del history[:-1]", "pass"),
    (PERMISSION, " and now - since >= settle_s", ""),
    (PERMISSION, " and now - calm_since >= calm_s", ""),
    (PERMISSION, "conditions.fingerprint(history[0]) == self._seen_state", "bool(self._seen_state)"),
    (
        PERMISSION,
        "                since = calm_since = time.monotonic()\n",
        "                since = self._seen_since\n",
    ),
    (PERMISSION, "if now_is != state:", "if not state:"),
    (PERMISSION, "(self._settle_s, self._owed_s, self._wait_s)", "(0.0, self._owed_s, self._wait_s)"),
    (PERMISSION, "max(self._size, service.cluster_size or 0, 1)", "max(self._size, 1)"),
    (PERMISSION, "max(self._size, service.cluster_size or 0, 1)", "max(service.cluster_size or 0, 1)"),
    (PERMISSION, "if self.override and self.override != self.name:", "if False:"),
    (PERMISSION, "elif service.cluster_size == 1:", "elif service.cluster_size:"),
    (PERMISSION, "if isinstance(waited.last, LeaseHeld):", "if False:"),
    (PERMISSION, "        finally:\n            self._lease_client.release()", "        finally:\n            pass"),
    (PERMISSION, "            self._lease_client.end(self._break)", "            pass"),
    (PERMISSION, "if kept and time.clock_gettime(_CLOCK) - oldest <= FRESH_S:", "if kept:"),
    (
        PERMISSION,
        "if kept and time.clock_gettime(_CLOCK) - oldest <= FRESH_S:",
        "if time.clock_gettime(_CLOCK) - oldest <= FRESH_S:",
    ),
    (PERMISSION, "oldest = min(asked, self._decided_at)", "oldest = asked"),
    (PERMISSION, "time.clock_gettime(_CLOCK) - oldest", "asked - oldest"),
    (
        PERMISSION,
        "                self._take(self._lease_client, seconds)\n            decide()",
        "                self._take(self._lease_client, seconds)",
    ),
    (
        PERMISSION,
        "                self._take(self._lease_client, seconds)\n            decide()",
        "                pass\n            decide()",
    ),
    (PERMISSION, '            self._seen_state = ""\n', ""),
    (PERMISSION, "not stuck and time.monotonic() - moved > self._stall_s", "False and stuck"),
    (PERMISSION, "                stuck = problem()", "                stuck = ''"),
    (PERMISSION, "conditions.missing(cluster, stop) or ", ""),
    (PERMISSION, "return lacks or self._unrest()", "return lacks"),
    (FAMILY, '"python" in program and ', ""),
    (FAMILY, "return MANAGER_MODULE in archive.namelist()", "return True"),
    (FAMILY, "for word in words[:2]", "for word in words"),
    (FAMILY, "    if source and procfs.is_later(source, started):", "    if False:"),
    (FAMILY, "        if source is None:\n            return None", "        if False:\n            return None"),
    (FAMILY, " or not procfs.environment_is_visible(pid)", ""),
    (FAMILY, "any(each.told for each in members) or ", ""),
    (FAMILY, " or not set(above[top]) & covered", ""),
    (FAMILY, "if known_as(each) & known]", "if False]"),
    (STAGED, "and staged.read_bytes() != path.read_bytes()", ""),
    (STAGED, "mode=like.st_mode & own.st_mode & 0o7777", "mode=own.st_mode & 0o7777"),
    (STAGED, "                    _copy(path, _beside(path, self.start))\n", ""),
    (STAGED, "                    _copy(kept, path)\n", ""),
    (RECOVERY, "    if len(full) < needed:", "    if not full:"),
    (RECOVERY, "        return self.writer > 0", "        return True"),
    (RECOVERY, "(-each.epoch, -each.writer, each.name)", "(-each.writer, each.name)"),
    (RECOVERY, 'if gossip["has_quorum"]:', "if False:"),
    # No node is started without the data that it had.
    (DATA, "if each.writer > 0 and not _is_kept", "if not _is_kept"),
    (DATA, " and not _is_kept(node, here, each)", ""),
    (DATA, "        return [_left_behind(node, here, each) for each in behind]", "        return []"),
    (DATA, "if was and not (here or there)", "if False"),
    (DATA, "self.header == other.header and ", ""),
    (DATA, "self.writer >= other.writer and ", ""),
    (DATA, " and self.epoch >= other.epoch", ""),
    (DATA, "None if node.in_memory else find(node.db)", "find(node.db)"),
    (DATA, "if not chunks and WRITER not in names:", "if WRITER not in names:"),
    (DATA, "WRITER, names, otherwise=1)", "WRITER, names, otherwise=0)"),
    (DATA, "filter(None, [was, *used])", "filter(None, [was])"),
    (DATA, "filter(None, [was, *used])", "filter(None, used)"),
    (DATA, '"EVENTSTORE_DB" if db.source == layers.ENVIRONMENT else "Db"', '"Db"'),
    (DATA, '[ -e "$file" ] && exit 0', "exit 0"),
    (DATA, ' "$dir"/chunk-*; do', "; do"),
    (DATA, '[ -e "$1" ] || exit 0; ', ""),
    (DATA, " and not losses(node):", ":"),
    (DATA, "if noted(node.config) and not", "if not"),
    # A set of files that a killed run left mixed is known.
    (JOURNAL, "return noted if path in noted else []", "return []"),
    (JOURNAL, "{*_read(directory), *paths}", "{*paths}"),
    (JOURNAL, "set(noted) - set(paths)", "set()"),
    (JOURNAL, "    if paths:\n        atomic.write", "    if False:\n        atomic.write"),
    # After an upgrade the version that runs is the one that was wanted.
    (UPGRADE, "if said and not is_release(said, wanted):", "if False:"),
    (UPGRADE, "            _refuse_other_version(control, self.files.end)\n", ""),
    (UPGRADE, "            _wait_for_nodes(control)\n", ""),
    (UPGRADE, "    if problem:\n        raise", "    if False:\n        raise"),
    (UPGRADE, "            control.stop(result)\n", ""),
    (UPGRADE, "                self.files.back()\n", ""),
    (UPGRADE, "            permitted.keep()\n", ""),
    (UPGRADE, "if self.revive and not os.access", "if not os.access"),
    (RECOVERY, 'max(plan["cluster_size"], gossip["cluster_size"])', 'plan["cluster_size"]'),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutated")
    for name in ("plugins", "lab", "tests", "roles", "meta", "playbooks", "collections"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def status(folder: Path, file: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", TESTS[file]]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return 1  # what would wait for ever is red too
    return done.returncode


@pytest.mark.parametrize("file", TESTS)
def test_the_tests_are_green_without_a_mutation(copy: Path, file: str) -> None:
    assert status(copy, file) == 0


@pytest.mark.parametrize(("file", "text", "other"), MUTATIONS)
def test_a_mutation_turns_a_test_red(copy: Path, file: str, text: str, other: str) -> None:
    path = copy / file
    whole = path.read_text()
    assert whole.count(text) >= 1, f"{file} does not have {text!r} any more"
    path.write_text(whole.replace(text, other, 1))
    try:
        assert status(copy, file) == 1
    finally:
        path.write_text(whole)
