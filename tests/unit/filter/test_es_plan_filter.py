# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter takes what it needs from hostvars, and names host and variable where a template fails."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from jinja2 import StrictUndefined

from ansible_collections.eventstore.cluster.plugins.filter.es_plan import FilterModule

es_plan = FilterModule().filters()["es_plan"]
HOSTS = ["node1", "node2", "node3"]


class Variables(dict):
    """Variables of a host as Ansible gives them: a value is made when it is asked for."""

    def __getitem__(self, name):
        value = super().__getitem__(name)
        if callable(value):
            return value()
        return value


def hostvars(**node2):
    made = {host: Variables(ansible_host=f"192.168.1.1{n}") for n, host in enumerate(HOSTS, 1)}
    made["node2"].update(node2)
    return made


def test_plans_from_hostvars():
    made = es_plan(HOSTS, hostvars())
    assert made["problems"] == []
    assert made["hosts"]["node2"]["int_ip"] == "192.168.1.12"


def test_other_variables_are_not_even_looked_at():
    def explode():
        raise AssertionError

    assert es_plan(HOSTS, hostvars(my_secret=explode, ansible_facts=explode))["problems"] == []


def fail():
    raise KeyError("no such file")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (fail, "no such file"),
        (StrictUndefined(name="nope"), "'nope' is undefined"),
        ("{{ nope }}/data", "{{ nope }}/data"),
        (["{% if nope %}"], "{% if nope %}"),
        ({"Db": StrictUndefined(name="nope")}, "'nope' is undefined"),
    ],
)
def test_a_template_that_fails_is_named(value, said):
    with pytest.raises(AnsibleFilterError) as caught:
        es_plan(HOSTS, hostvars(eventstore_database_options=value))
    assert "node2: eventstore_database_options: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("hosts", "said"),
    [([], "group eventstore"), (["node9"], "'node9'"), ("node1", "list of hosts")],
)
def test_no_such_hosts(hosts, said):
    with pytest.raises(AnsibleFilterError, match=said):
        es_plan(hosts, hostvars())
