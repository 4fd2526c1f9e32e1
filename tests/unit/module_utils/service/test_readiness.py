# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a service is to listen, by its options."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import effective
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError
from ansible_collections.eventstore.cluster.plugins.module_utils.service import readiness

LISTENERS = [
    pytest.param("database", "3.4.0", "", ["ExtTcpPort 1113", "ExtHttpPort 2113"], id="a single node"),
    pytest.param(
        "database",
        "3.4.0",
        "ClusterSize: 3",
        ["IntTcpPort 1112", "IntHttpPort 2112", "ExtTcpPort 1113", "ExtHttpPort 2113"],
        id="of a cluster",
    ),
    pytest.param(
        "database",
        "5.0.11",
        "ClusterSize: 3\nUseInternalSsl: true\nSslTargetHost: x\nIntSecureTcpPort: 1114\nExtSecureTcpPort: 1115\n"
        "DisableInsecureTCP: true",
        ["IntHttpPort 2112", "ExtHttpPort 2113", "IntSecureTcpPort 1114", "ExtSecureTcpPort 1115"],
        id="TLS only",
    ),
    pytest.param("manager", "3.4.0", "IntHttpPort: 1", ["IntHttpPort 1", "ExtHttpPort 30778"], id="manager"),
]


@pytest.mark.parametrize(("kind", "version", "text", "expected"), LISTENERS)
def test_listeners(kind, version, text, expected):
    file = f"IntIp: 127.0.61.203\nExtIp: 127.0.61.204\n{text}\n"
    found = readiness.listeners(effective(option_set(kind, version), file=file))
    assert [f"{each.port_option} {each.endpoint.port}" for each in found] == expected
    for each in found:
        assert each.endpoint.host == ("127.0.61.203" if each.port_option.startswith("Int") else "127.0.61.204")
        assert each.ip_option == each.port_option[:3] + "Ip"
    assert readiness.http_endpoint(found).port == (2113 if kind == "database" else 30778)


def wanted(text: str) -> list[readiness.Listener]:
    return readiness.listeners(effective(option_set("manager", "3.4.0"), file=text))


def obstacles(text: str, own=()) -> list[str]:
    return readiness.obstacles(wanted(text), name="es-x", config="/etc/m.yaml", own=own)


def test_a_port_of_its_own_processes_is_no_obstacle_and_a_closed_connection_neither():
    with socket.create_server(("127.0.61.205", 0)) as server:
        port = server.getsockname()[1]
        text = f"IntIp: 127.0.61.205\nExtIp: 127.0.61.205\nExtHttpPort: {port}\n"
        client = socket.create_connection(server.getsockname())
        accepted, _peer = server.accept()
        accepted.close()  # the side that closes first keeps the address for a minute
        client.close()
        assert obstacles(text, own={os.getpid()}) == []
        (problem,) = obstacles(text)
        assert problem.startswith(f"127.0.61.205:{port} is held by pid {os.getpid()} (")
        assert problem.endswith("not by es-x; change ExtHttpPort in /etc/m.yaml, or stop the process")
    assert obstacles(text) == []


def test_an_address_of_another_machine_is_told_once():
    problems = obstacles("IntIp: 203.0.113.7\nExtIp: 203.0.113.7\n")
    assert len(problems) == 1
    assert problems[0].startswith("203.0.113.7 (IntIp) is not an address of this machine")


def test_two_ports_that_are_one():
    assert obstacles("IntIp: 127.0.61.206\nExtIp: 127.0.61.206\nIntHttpPort: 30778\n") == [
        "IntHttpPort and ExtHttpPort are both 127.0.61.206:30778; set another port for one of them in /etc/m.yaml"
    ]


def test_no_http_port():
    with pytest.raises(ConfigError, match="ExtHttpPort is 0"):
        readiness.http_endpoint(wanted("ExtHttpPort: 0"))
