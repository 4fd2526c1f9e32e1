# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of modules share."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as ansible_warnings
from hypothesis import HealthCheck, settings

try:
    from ansible.module_utils import _internal
except ImportError:  # before ansible-core 2.19
    _internal = None

# A computer that does other things meanwhile is no defect of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

MODULES = "ansible_collections.eventstore.cluster.plugins.modules"


class RunModule(t.Protocol):
    def __call__(
        self, name: str, args: dict[str, t.Any], *, check: bool = False, diff: bool = False
    ) -> dict[str, t.Any]:
        """Run a module."""


@contextlib.contextmanager
def _module_args(args: dict[str, t.Any]) -> t.Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # older ansible-core
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode())
            yield
    else:
        with patch_module_args(args):
            yield


@pytest.fixture
def module_args() -> t.Callable[[dict[str, t.Any]], t.ContextManager[None]]:
    """``with module_args({...}):`` an AnsibleModule that is made here has these arguments."""
    return _module_args


@pytest.fixture
def run_module(tmp_path, monkeypatch) -> RunModule:
    """Run the real ``main()`` of a module of the collection in this process and return the JSON that it prints.

    ``run_module("es_config", {...}, check=True, diff=True)``; what failed has ``failed`` and ``msg``.
    """

    def run(name: str, args: dict[str, t.Any], *, check: bool = False, diff: bool = False) -> dict[str, t.Any]:
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(tmp_path)}
        # Warnings belong to a process, which is one module run everywhere but here.
        ansible_warnings._global_warnings.clear()
        ansible_warnings._global_deprecations.clear()
        output = io.StringIO()
        # Once a test has imported the controller's half, ansible-core 2.19 takes this process for the controller
        # and shows the warnings of modules itself.
        if hasattr(_internal, "is_controller"):
            monkeypatch.setattr(_internal, "is_controller", False)
        with _module_args({**args, **internal}), contextlib.redirect_stdout(output), pytest.raises(SystemExit) as end:
            importlib.import_module(f"{MODULES}.{name}").main()
        result = json.loads(output.getvalue())
        if end.value.code:
            result["failed"] = True
        if "warnings" in result:  # texts before ansible-core 2.19
            warnings = result["warnings"]
            result["warnings"] = [each if isinstance(each, str) else each["event"]["msg"] for each in warnings]
        return result

    return run
