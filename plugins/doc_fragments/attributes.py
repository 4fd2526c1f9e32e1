# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptions of the attributes of all modules; each module states how far it supports them."""

from __future__ import annotations


class ModuleDocFragment:
    """``eventstore.cluster.attributes``, and the variants ``.facts``, ``.files`` and ``.action``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Supports C(check_mode) and returns the changed status without a change of the target.
  diff_mode:
    description: With C(--diff), returns the changes, or in check mode the changes that would be made.
  platform:
    description: Operating systems of the target.
"""

    FACTS = r"""
options: {}
attributes:
  facts:
    description: Returns C(ansible_facts), which later tasks of the host can use.
"""

    FILES = r"""
options: {}
attributes:
  safe_file_operations:
    description: Replaces a file or directory in one step, so that no process reads an incomplete one.
"""

    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin of the same name, which does part of the work on the controller.
"""
