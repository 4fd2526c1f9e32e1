# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The edge that modules share."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.eventstore.cluster.plugins.module_utils.config import secret
from ansible_collections.eventstore.cluster.plugins.module_utils.config.document import HAS_YAML


class DiscreetModule(AnsibleModule):
    """A module that neither logs nor returns the secrets among its arguments.

    Values that are too common to be masked everywhere, as no_log does, are masked where the arguments are shown.
    """

    def secrets(self) -> set[str]:
        """The values that are masked wherever they turn up."""
        return set()

    def _log_invocation(self) -> None:
        self.no_log_values.update(self.secrets())
        given, self.params = self.params, secret.shown(self.params)
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": secret.shown(self.params)})
        super()._return_formatted(kwargs)


def require_yaml(module: AnsibleModule) -> None:
    """End the module where Python has no PyYAML."""
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))


__all__ = ["DiscreetModule", "require_yaml"]
