# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge that modules share."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.eventstore.cluster.plugins.module_utils.config.document import HAS_YAML

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def require_yaml(module: AnsibleModule) -> None:
    """End the module where Python has no PyYAML."""
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))


__all__ = ["require_yaml"]
