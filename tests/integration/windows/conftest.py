# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what stands in for Windows is not installed, as on other releases of Ansible, these tests are skipped."""

from __future__ import annotations

import pytest

for name in ("psrpcore", "pypsrp", "spnego", "tree_sitter_powershell", "winrm"):
    pytest.importorskip(name)
