# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter es_plan: the variables of an inventory to the plan of a cluster."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.release import __version__ as ANSIBLE_VERSION
from ansible.utils.display import Display
from jinja2 import Undefined

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import TopologyError
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.group import confirmation_warning
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.plan import plan
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.types import Plan
from ansible_collections.eventstore.cluster.plugins.module_utils.plan.variables import ANSIBLE_VARIABLES, PREFIX
from ansible_collections.eventstore.cluster.plugins.plugin_utils.vaulted import decrypted, is_vaulted

# Before, a template with something undefined stays as it is; from then on braces that are left are text.
UNDEFINED_STAY = tuple(int(part) for part in ANSIBLE_VERSION.split(".")[:2]) < (2, 19)

DOCUMENTATION = r"""
name: es_plan
author: The eventstore.cluster founders (@eventstore-cluster)
version_added: 1.0.0
short_description: Plan an Event Store cluster from the inventory
description:
  - Turns the C(eventstore_*) variables of all machines of a cluster into one plan, with the options, seeds, files,
    directories and ports of every database node and manager, and says what is wrong with it.
  - The variables are documented with role P(eventstore.cluster.preflight#role).
positional: _input, hostvars
options:
  _input:
    description: Names of the machines, as in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all machines, which is C(hostvars).
    type: dict
    required: true
  version:
    description: Another version than V(eventstore_version) of the inventory, such as the one that runs still.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what is wrong with the inventory, without connecting to any machine
  ansible.builtin.debug:
    msg: "{{ (groups['eventstore'] | eventstore.cluster.es_plan(hostvars)).problems }}"
"""

RETURN = r"""
_value:
  description:
    - The plan, with C(version), C(cluster_name), C(mode), C(cluster_size), C(quorum_size),
      C(provider), C(dns), C(endpoints), C(hosts) and C(problems).
    - Each of C(problems) has a C(code), a C(text), a C(hint) that says what to do, and C(where), the host or server.
      With any of them the plan is not to be used; where a variable cannot be read, C(hosts) and C(endpoints) are empty.
  type: dict
"""


def es_plan(hosts: list[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], version: str = "") -> Plan:
    """Plan the cluster of these hosts; AnsibleFilterError if there is no plan to make."""
    if not isinstance(hosts, (list, tuple)):
        raise AnsibleFilterError(
            "es_plan wants a list of hosts, such as groups['eventstore'] | eventstore.cluster.es_plan(hostvars)"
        )
    try:
        other = {f"{PREFIX}version": str(version)} if version else {}
        made = plan({str(host): {**_variables(host, hostvars), **other} for host in hosts})
    except TopologyError as error:
        raise AnsibleFilterError(f"es_plan: {error}") from None
    warning = confirmation_warning(made["cluster_name"], hostvars[hosts[0]])
    if warning:
        Display().warning(warning)
    return made


def _variables(host: str, hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    if host not in hostvars:
        raise TopologyError(f"there is no host {host!r} in the inventory", hint="Write names of the inventory")
    variables = hostvars[host]
    wanted = [name for name in variables if name.startswith(PREFIX) or name in ANSIBLE_VARIABLES]
    return {str(name): _value(host, name, variables) for name in wanted}


def _value(host: str, name: str, variables: t.Mapping[str, t.Any]) -> t.Any:
    try:
        return _plain(variables[name])
    except Exception as error:  # a template can raise anything, and the operator has to know which one did
        problem, where = str(error.__cause__ or error), f"{host}: {name}"
        raise TopologyError(problem, where=where, hint="Correct it in the inventory") from None


def _plain(value: t.Any) -> t.Any:
    """The value with all its templates resolved, as plain text also where it was vaulted or !unsafe."""
    if is_vaulted(value):
        return decrypted(value)
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    is_template = UNDEFINED_STAY and isinstance(value, str) and not getattr(value, "__UNSAFE__", False)
    template = re.search("{{.*?}}|{%.*?%}", value, re.DOTALL) if is_template else None
    if template:
        raise AnsibleFilterError(f"the template {template[0]} cannot be resolved")
    if isinstance(value, Undefined):
        str(value)  # raises what is undefined, and why
    return value


class FilterModule:
    """The collection's filter es_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"es_plan": es_plan}
