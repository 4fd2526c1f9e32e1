# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_watchdog."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction


class ActionModule(HostAction):
    """Runs the module es_watchdog where it can run."""
