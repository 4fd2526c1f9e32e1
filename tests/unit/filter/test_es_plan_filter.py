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
    assert made["hosts"]["node2"]["nodes"][0]["options"]["IntIp"] == "192.168.1.12"


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
        ("{{ nope }}/data", "the template {{ nope }} cannot be resolved"),
        (["{% if nope %}"], "{% if nope %}"),
        ({"Db": StrictUndefined(name="nope")}, "'nope' is undefined"),
    ],
)
def test_a_template_that_fails_is_named(value, said, monkeypatch):
    monkeypatch.setitem(FilterModule.filters.__globals__, "UNDEFINED_STAY", True)  # as up to ansible-core 2.18
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


class Vaulted:
    """As an inline !vault value comes up to ansible-core 2.18."""

    __ENCRYPTED__ = True

    def __init__(self, text):
        self.text = text

    def __str__(self):
        if not self.text:
            raise ValueError("no vault secrets found")
        return self.text


def test_vaulted_values_are_texts_whatever_is_in_them(monkeypatch):
    monkeypatch.setitem(FilterModule.filters.__globals__, "UNDEFINED_STAY", True)
    options = {"CertificatePassword": Vaulted("{{ pw }}"), "ExtHttpPrefixes": [Vaulted("http://a:2113/")]}
    made = es_plan(HOSTS, hostvars(eventstore_database_options=options, eventstore_ext_tcp_port=Vaulted("3113")))
    assert made["problems"] == []
    planned = made["hosts"]["node2"]["nodes"][0]["options"]
    assert (planned["CertificatePassword"], planned["ExtHttpPrefixes"]) == ("{{ pw }}", ["http://a:2113/"])
    assert planned["ExtTcpPort"] == 3113


def test_where_the_vault_stays_closed_the_variable_is_named():
    with pytest.raises(AnsibleFilterError, match="node2: eventstore_data_dir: no vault secrets found"):
        es_plan(HOSTS, hostvars(eventstore_data_dir=Vaulted("")))
