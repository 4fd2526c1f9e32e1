# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in manager as one file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: es_manager
short_description: Build the built-in manager and return its path
version_added: 1.0.0
description:
  - Packs the manager of this collection into one executable file on the controller.
  - The same version of the collection always gives the same bytes, so a second copy of the file changes nothing.
  - The file needs Python 3.9 or newer and PyYAML on the machine that runs it.
author:
  - The eventstore.cluster founders (@eventstore-cluster)
options: {}
"""

EXAMPLES = r"""
- name: Install the manager next to the software
  eventstore.cluster.es_distribution:
    home: /opt/eventstore/3.4.0
    programs:
      - src: "{{ lookup('eventstore.cluster.es_manager') }}"
        dest: /opt/eventstore/es-manager.pyz
"""

RETURN = r"""
_raw:
  description: Path of the file on the controller.
  type: list
  elements: path
  sample: [/tmp/ansible-local-2042/es-manager.pyz]
"""

import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.lookup import LookupBase

from ansible_collections.eventstore.cluster.plugins.plugin_utils.zipapp import build

PACKAGE = Path(__file__).resolve().parents[2] / "roles" / "manager" / "files" / "es_manager"


class LookupModule(LookupBase):
    """Builds the file again in each run of Ansible, whose temporary directory goes with it."""

    def run(self, *_terms: t.Any, **_options: t.Any) -> list[str]:
        directory = constants.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined] # set from the configuration at import
        target = Path(directory) / "es-manager.pyz"
        build(target, package=PACKAGE, main="es_manager.__main__:main")
        return [str(target)]


__all__ = ["LookupModule"]
