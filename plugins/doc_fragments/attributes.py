# SPDX-License-Identifier: GPL-3.0-or-later
"""What each attribute means, once for all modules; a module says only how far it supports it."""

from __future__ import annotations


class ModuleDocFragment:
    """``eventstore.cluster.attributes``, and variants ``.facts``, ``.files`` and ``.action`` beside it."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
  diff_mode:
    description: Returns what has changed, or in check mode would change, when run with C(--diff).
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
    description: Puts a file or directory in its place in one step, so that nobody ever sees half of it.
"""

    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin of the same name, so that a part of the work is done on the controller.
"""
