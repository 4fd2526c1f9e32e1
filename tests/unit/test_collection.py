# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for the collection as a whole, whatever it consists of."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

# Home directories, checkouts on a build machine, registries of Python packages.
FOREIGN = re.compile(r"/(?:home|Users)/[a-z]\w*/|/work/[a-z]|/root/\.|/simple/|--(?:extra-)?index-url")


def committed() -> list[Path]:
    """Files that git knows or would take; not the links under collections/."""
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, text=True)  # noqa: S607
    paths = [ROOT / name for name in listed.split("\0") if name and not name.startswith("collections/")]
    return [path for path in paths if path.is_file()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def load(path: Path) -> dict[str, object]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


FILES = committed()
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
ROLES = sorted(path for path in ROOT.glob("roles/*") if path.is_dir())

in_every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def test_there_is_something_to_test() -> None:
    assert len(FILES) > 100
    assert MODULES
    assert ROLES


def test_the_page_of_problem_codes_is_what_the_code_says() -> None:
    command = [sys.executable, "scripts/problem_codes.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_action_group_names_every_module_and_nothing_else() -> None:
    assert load(ROOT / "meta/runtime.yml")["action_groups"] == {"es": MODULES}


def test_every_action_plugin_has_a_module() -> None:
    actions = {path.stem for path in ROOT.glob("plugins/action/*.py")}
    assert actions <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_module_uses_the_shared_attributes(module: str) -> None:
    text = (ROOT / f"plugins/modules/{module}.py").read_text(encoding="utf-8")
    documentation = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    assert "eventstore.cluster.attributes" in documentation["extends_documentation_fragment"]
    assert documentation["version_added"] in load(ROOT / "changelogs/changelog.yaml")["releases"]
    assert {"check_mode", "diff_mode", "platform"} <= documentation["attributes"].keys()


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:100]}"
        for path in FILES
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_requirement_is_pinned_by_hash(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    packages = text.replace("\\\n", "").splitlines()
    assert len(packages) >= 5
    assert [line for line in packages if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_what_make_test_needs_holds_what_make_lab_needs() -> None:
    def pins(name: str) -> set[str]:
        return set(
            re.findall(r"^\S+==\S+", (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8"), re.MULTILINE)
        )

    assert pins("run") <= pins("dev")


@in_every_role
def test_role_is_complete(role: Path) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", role.name)
    for name in ("README.md", "meta/argument_specs.yml", "tasks/main.yml"):
        assert (role / name).is_file(), f"{name_of(role)} has no {name}"


@pytest.mark.parametrize("playbook", sorted(ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_no_playbook_ends_well_without_a_machine(playbook: Path) -> None:
    """The first play fails where the group of the others has no machine; those after it have no other group."""
    first, *plays = yaml.safe_load(playbook.read_text(encoding="utf-8"))
    group = "{{ eventstore_inventory_group | default('eventstore') }}"
    if playbook.stem == "check_group":
        assert (first["hosts"], plays) == (f"{group},all,localhost", [])
        assert first["name"].endswith(group)
        return
    assert first["ansible.builtin.import_playbook"] == "check_group.yml"
    assert plays[0]["hosts"] == group
    assert {play["hosts"] for play in plays} <= {group, "rolling_last", "recover_first", "recover_last"}


@in_every_role
def test_galaxy_gets_the_role_in_the_words_of_its_argument_spec(role: Path) -> None:
    info = load(role / "meta/main.yml")["galaxy_info"]
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    assert isinstance(info, dict)
    assert isinstance(specs, dict)
    assert info["description"] == specs["main"]["short_description"]
    assert info["min_ansible_version"] == "2.16"


def test_galaxy_takes_the_authors() -> None:
    authors = load(ROOT / "galaxy.yml")["authors"]
    assert isinstance(authors, list)
    assert all(len(author) <= 64 for author in authors)


def test_modules_start_programs_in_one_place() -> None:
    """From ansible-core 2.21 on sanity refuses these calls, and ``make test`` runs an older one."""
    call = re.compile(r"\b(subprocess\.(Popen|run|call|check_call|check_output)|os\.(system|popen|posix_spawnp?))\(")
    found = [
        name_of(path)
        for folder in ("modules", "module_utils")
        for path in (ROOT / "plugins" / folder).rglob("*.py")
        if call.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@in_every_role
def test_documented_entries_exist(role: Path) -> None:
    entries = load(role / "meta/argument_specs.yml")["argument_specs"]
    assert isinstance(entries, dict)
    assert {"main"} <= entries.keys() <= {path.stem for path in (role / "tasks").glob("*.yml")}


@in_every_role
def test_defaults_are_those_of_the_argument_specs(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    assert isinstance(specs, dict)
    options = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    own = {name: option for name, option in options.items() if name.startswith(f"{role.name}_")}
    assert defaults == {name: option["default"] for name, option in own.items() if "default" in option}
