# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_urlacl."""

from __future__ import annotations

from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction


class ActionModule(HostAction):
    """Runs the module es_urlacl where it can run."""
