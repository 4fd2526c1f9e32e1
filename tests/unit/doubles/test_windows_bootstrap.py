# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own scripts are found by any number of threads at once, and in a way that no other thread can disturb."""

from __future__ import annotations

import ast
import concurrent.futures
import pathlib
import threading
import typing as t

import pytest

pytest.importorskip("tree_sitter_powershell")

from tests.doubles.windows import bootstrap, cmdlets, machine, powershell, programs, services, shells

PLUGIN = """
class Connection:
    def put_file(self, in_path, out_path):
        {variable} = {start}
            begin {{{{ $path = '{{0}}' }}}}
        '''
"""
WORKERS = 32


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """The connections of Ansible as they were before 2.19, when each had its text in a variable."""
    texts = {
        "winrm.py": PLUGIN.format(variable="script_template", start="u'''"),
        "psrp.py": PLUGIN.format(variable="copy_script", start="'''"),
    }
    monkeypatch.setattr(bootstrap.pkgutil, "get_data", lambda _package, name: texts.get(name, "").encode())
    bootstrap._text_in_plugin.cache_clear()
    yield
    bootstrap._text_in_plugin.cache_clear()


@pytest.mark.usefixtures("plugins")
def test_many_threads_that_begin_at_once_find_the_same_texts() -> None:
    """In CPython before 3.11.5 two threads that parse Python at once can end in SystemError."""
    begin = threading.Barrier(WORKERS)

    def look(_number: int) -> tuple[bool, ...]:
        begin.wait()
        return (
            bootstrap.find("begin { $path = 'C:\\x' }", []) is not None,
            bootstrap.find("begin {{ $path = '{0}' }}", ["C:\\x"]) is not None,
            bootstrap.find("'x'", []) is None,
        )

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        assert set(pool.map(look, range(WORKERS))) == {(True, True, True)}


@pytest.mark.parametrize("module", [bootstrap, cmdlets, machine, powershell, programs, services, shells])
def test_what_runs_in_threads_parses_no_python(module: t.Any) -> None:
    """A lock of our own would not keep another library's thread from parsing at the same time."""
    tree = ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported & {"ast", "inspect", "importlib"} == set()
