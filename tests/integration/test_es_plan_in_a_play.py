# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter with the real hostvars of the installed ansible-core: templates, nothing undefined, no connection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAY = """
- hosts: localhost
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.copy:
        dest: "{{ plan_file }}"
        content: "{{ groups['eventstore'] | eventstore.cluster.es_plan(hostvars) | to_json }}"
"""


@pytest.fixture
def plan_of(tmp_path):
    def run(variables):
        inventory = {
            "eventstore": {
                "vars": {"ansible_connection": "ssh", "base": "/srv/es", **variables},
                "hosts": {f"node{n}": {"ansible_host": f"192.168.1.1{n}"} for n in (1, 2, 3)},
            }
        }
        (tmp_path / "play.yml").write_text(PLAY)
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        command = [sys.executable, "-m", "ansible.cli.playbook", "-i", tmp_path / "hosts.json", tmp_path / "play.yml"]
        extra = json.dumps({"plan_file": str(tmp_path / "plan"), "ansible_python_interpreter": sys.executable})
        done = subprocess.run(
            [*command, "-e", extra], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )
        return done, json.loads((tmp_path / "plan").read_text()) if done.returncode == 0 else None

    return run


def test_templates_are_resolved(plan_of):
    done, made = plan_of(
        {
            "eventstore_data_dir": "{{ base }}/{{ inventory_hostname }}",
            "eventstore_int_http_port": "{{ 2000 + 113 }}",
            "eventstore_ext_http_port": "{{ 2000 + 114 }}",
            "eventstore_database_options": {"StatsPeriodSec": "{{ 10 * 6 }}"},
        }
    )
    assert made is not None, done.stdout + done.stderr
    assert made["problems"] == []
    options = made["hosts"]["node2"]["nodes"][0]["options"]
    assert (options["Db"], options["IntHttpPort"], options["StatsPeriodSec"]) == ("/srv/es/node2", 2113, 60)


def test_an_undefined_variable_is_named(plan_of):
    done, _made = plan_of({"eventstore_database_options": {"Db": "{{ nowhere }}/data"}})
    assert done.returncode != 0
    assert "node1: eventstore_database_options" in done.stdout + done.stderr
    assert "nowhere" in done.stdout + done.stderr


SECRET = "pw {{ and }} $more"  # noqa: S105


@pytest.fixture
def vaulted(tmp_path):
    """A text as ansible-vault writes it into YAML."""
    (tmp_path / "password").write_text("of the vault\n")

    def encrypt(text):
        command = [sys.executable, "-m", "ansible.cli.vault", "encrypt_string", text]
        done = subprocess.run(
            [*command, "--vault-password-file", tmp_path / "password"], capture_output=True, text=True, check=True
        )
        return done.stdout.replace("\n", "\n" + 8 * " ").rstrip() + "\n"

    return encrypt


@pytest.mark.parametrize("version", ["5.0.11", "5.x"])
def test_inline_vaulted_values_are_texts(tmp_path, vaulted, version):
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "hosts.yml").write_text(
        "eventstore:\n  vars:\n    ansible_connection: ssh\n"
        f"    eventstore_version: {vaulted(version)}"
        f"    eventstore_int_http_port: {vaulted('3112')}"
        f"    eventstore_environment:\n      TOKEN: {vaulted(SECRET)}"
        f"    eventstore_database_options:\n      CertificatePassword: {vaulted(SECRET)}"
        "  hosts:\n" + "".join(f"    node{n}: {{eventstore_int_ip: 192.168.1.1{n}}}\n" for n in (1, 2, 3))
    )
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", tmp_path / "hosts.yml", tmp_path / "play.yml"]
    extra = json.dumps({"plan_file": str(tmp_path / "plan"), "ansible_python_interpreter": sys.executable})
    done = subprocess.run(
        [*command, "-e", extra, "--vault-password-file", tmp_path / "password"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((tmp_path / "plan").read_text())
    if version == "5.x":
        assert "eventstore_version is '5.x', not a version" in made["problems"][0]["text"]
        assert SECRET not in json.dumps(made["problems"])
        return
    assert made["problems"] == []
    node = made["hosts"]["node2"]["nodes"][0]
    assert (made["version"], node["options"]["IntHttpPort"]) == (version, 3112)
    assert (node["environment"]["TOKEN"], node["options"]["CertificatePassword"]) == (SECRET, SECRET)
