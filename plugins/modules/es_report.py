#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin es_report, which does all of the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: es_report
short_description: Show a cluster in the terminal, and write it as a page
version_added: 2.0.0
author:
  - The eventstore.cluster founders (@eventstore-cluster)
description:
  - Shows one line for each database node with its machine's manager, the problems and what to do, in colour where
    Ansible uses colours.
  - With O(path) it writes the same as one HTML file that needs no other file and no script. The page also shows who
    follows whom, how far nodes are behind, and the timeline of the restarts of this play.
  - Reads the plan from the variable C(preflight_plan), and what the roles have registered from the hosts of the play.
options:
  gossip:
    description: The fact C(es_gossip) of M(eventstore.cluster.es_gossip_facts).
    type: dict
    required: true
  outcome:
    description: Lines that say what the play has done, as P(eventstore.cluster.es_outcome#filter) gives them.
    type: list
    elements: str
    default: []
  path:
    description: HTML file to write on the controller, also in check mode. If unset, no page is written.
    type: str
extends_documentation_fragment:
  - eventstore.cluster.attributes
  - eventstore.cluster.attributes.action
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: posix
seealso:
  - module: eventstore.cluster.es_gossip_facts
"""

EXAMPLES = r"""
- name: Show the cluster
  eventstore.cluster.es_report:
    gossip: "{{ ansible_facts.es_gossip }}"
    path: cluster.html
  run_once: true
"""

RETURN = r"""
lines:
  description: The lines that were shown.
  returned: success
  type: list
  elements: str
  sample: ["orders has quorum, 3 of 3 nodes in sync, 2 needed, can lose 1"]
"""
