# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for the collection as a whole, whatever it consists of."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import typing as t
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
    if playbook.stem in ("check_group", "status"):  # status is one play, to be short
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


# --- the rooms ---

UTILS = ("module_utils", "plugin_utils")
PACKAGE = "ansible_collections.eventstore.cluster.plugins."
# Rooms and what stands in them without an import: data files, documents, package markers.
NO_MODULES = {"__init__", "__pycache__", "README"}


def described_rooms() -> list[tuple[str, list[str]]]:
    """Each row of ARCHITECTURE's table: the folder, and the names in backticks that begin an entry of its modules."""
    section = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+)` \| (.*) \|$", section, re.MULTILINE)
    names = re.compile(r"(?:^|; |(?<=`) |and )`(\w+)`")
    return [(room, names.findall(modules)) for room, modules in rows]


def rooms() -> dict[str, set[str]]:
    """Each folder that ARCHITECTURE has to describe, with its modules; rooms below it have rows of their own."""
    below = [path.parent for top in UTILS for path in (ROOT / "plugins" / top).rglob("*.py")]
    folders = {*below, *(ROOT / name for name in ("roles", "roles/manager/files/es_manager", "lab", "tests/doubles"))}
    found: dict[str, set[str]] = {}
    for folder in folders:
        inside = [path for path in FILES if folder in path.parents]
        direct = {path.relative_to(folder).parts[0].partition(".")[0] for path in inside}
        if folder.is_relative_to(ROOT / "plugins"):
            direct = {path.stem for path in inside if path.parent == folder}
        found[name_of(folder).partition("plugins/")[2] or name_of(folder)] = direct - NO_MODULES
    return found


def test_architecture_names_each_room_and_each_module_once() -> None:
    described = [f"{room}/{name}" for room, names in described_rooms() for name in names]
    there = [f"{room}/{name}" for room, names in rooms().items() for name in names]
    assert sorted(set(there) - set(described)) == [], (
        "not in the table of ARCHITECTURE.md: name them in their room's row"
    )
    assert sorted(set(described) - set(there)) == [], "in the table of ARCHITECTURE.md, but not there"
    assert len(described) == len(set(described)), "named twice in the table of ARCHITECTURE.md"


def sources() -> list[Path]:
    return [path for top in UTILS for path in (ROOT / "plugins" / top).rglob("*.py") if path.stat().st_size]


def test_shared_code_is_marked_as_private() -> None:
    mark = "# Private to this collection: may change in any release."
    assert [name_of(path) for path in sources() if mark not in path.read_text(encoding="utf-8").splitlines()[:3]] == []


def room_of(dotted: str) -> str:
    """``module_utils.gossip.view``: module_utils.gossip; plugins that no other imports are one room a kind."""
    top, *rest = dotted.split(".")
    return ".".join((top, *rest[:1])) if top == "module_utils" else top


def imported(path: Path) -> t.Iterator[str]:
    """The modules of this collection that a file imports, as ``module_utils.gossip.view``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(PACKAGE) for name in names if name.startswith(PACKAGE))


def arrows() -> dict[str, set[str]]:
    """Each room with the rooms that its files import, also for types only or inside of a function."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "plugins").rglob("*.py"):
        room = room_of(".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts))
        found.setdefault(room, set()).update(map(room_of, imported(path)))
    return {room: others - {room} for room, others in found.items()}


def test_imports_of_the_rooms_make_no_circle() -> None:
    left = arrows()
    while bottom := {room for room, others in left.items() if not others & left.keys()}:
        left = {room: others for room, others in left.items() if room not in bottom}
    assert {room: others & left.keys() for room, others in left.items()} == {}


# Modules run on the managed hosts, where only module_utils is sent with them.
MAY_IMPORT = {
    "module_utils": {"module_utils"},
    "plugin_utils": {"module_utils", "plugin_utils"},
    "modules": {"module_utils"},
}


def test_imports_point_from_plugins_to_shared_code() -> None:
    wrong = [
        f"{room} imports {other}"
        for room, others in arrows().items()
        for other in others
        if other.partition(".")[0] not in MAY_IMPORT.get(room.partition(".")[0], {other.partition(".")[0]})
    ]
    assert wrong == []
