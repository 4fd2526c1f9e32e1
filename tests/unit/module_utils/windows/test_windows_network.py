# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens where, of netstat and of http.sys, in whatever language and whichever shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eventstore.cluster.plugins.module_utils.endpoint import Endpoint
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import network, processes
from ansible_collections.eventstore.cluster.plugins.module_utils.windows.network import Listener

# In the shapes of public captures: that of Windows Server 2012, and the later one, here with German words.
OLD = """
Snapshot of HTTP service state (Request Queue View):
-----------------------------------------------------

Request queue name: Request queue is unnamed.
    Version: 1.0
    State: Active
    Max requests: 1000
    Number of active processes attached: 1
    Process IDs:
        944
    URL groups:
    URL group ID: FE00000040000001
        State: Active
        Request queue name: Request queue is unnamed.
        Properties:
            Max bandwidth: 4294967295
            Timeouts:
                Idle connection timeout (secs): 120
            Number of registered URLs: 2
            Registered URLs:
                HTTP://+:5985/WSMAN/
                HTTP://192.168.1.11:2113:192.168.1.11/

Request queue name: DefaultAppPool
    Number of active processes attached: 0
    Controller process ID: 3356
    Process IDs:
    Registered URLs:
        HTTP://*:80/
"""
LATER = """
Momentaufnahme (Anforderungswarteschlangenansicht):
---------------------------------------------------

Name der Warteschlange: Unbenannt.
    Version: 2.0
    Abgelehnte Anforderungen: 0
    Anzahl aktiver Prozesse: 2
    Prozesse:
        ID: 815, Image: C:\\EventStore\\EventStore.ClusterNode.exe
        Dienste: es
        ID: 816, Image: <?>
    Registrierte URLs:
        HTTP://192.168.1.11:2112:192.168.1.11/
        https://[FE80::1]:2113/
        HTTP://NODE1:2114/
        HTTP://NODE1:99999/
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_url_belongs_to_the_processes_of_its_queue(newline: str) -> None:
    assert network.read_queues(OLD.replace("\n", newline)) == [
        Listener(Endpoint("0.0.0.0", 5985), 944),
        Listener(Endpoint("192.168.1.11", 2113), 944),
    ]
    later = [(Endpoint("192.168.1.11", 2112), pid) for pid in (815, 816)]
    later += [(Endpoint("0.0.0.0", port), pid) for port in (2113, 2114) for pid in (815, 816)]
    assert network.read_queues(LATER.replace("\n", newline)) == later
    assert network.read_queues("The requested operation requires elevation.") == []


NETSTAT = """
  TCP    0.0.0.0:2112           0.0.0.0:0              ABH\u00d6REN        4
  TCP    0.0.0.0:445            0.0.0.0:0              ABH\u00d6REN        4
  TCP    192.168.1.11:1112      0.0.0.0:0              ABH\u00d6REN        815
  TCP    192.168.1.11:1112      192.168.1.12:50000     HERGESTELLT     815
  TCP    999.168.1.11:1113      0.0.0.0:0              ABH\u00d6REN        815
"""


def test_what_http_sys_tells_counts_instead_of_the_process_of_windows() -> None:
    told = network.read_listeners(NETSTAT, LATER)
    assert [each.pid for each in told if each.endpoint.port == 2112] == [815, 816]
    rest = [each for each in told if each.endpoint.port < 2112]
    assert rest == [Listener(Endpoint("0.0.0.0", 445), 4), Listener(Endpoint("192.168.1.11", 1112), 815)]
    untold = network.read_listeners(NETSTAT, "")
    assert Listener(Endpoint("0.0.0.0", 2112), network.SYSTEM) in untold


@given(st.text(alphabet="\n ID:,0123456789/[]HTtp.:\uff1ax\u0661", max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    network.read_queues(text)
    network.read_listeners(text, text)


def test_a_process_that_listens_on_all_addresses_does_so_on_those_that_it_has() -> None:
    listeners = [
        Listener(Endpoint("0.0.0.0", 2113), 815),
        Listener(Endpoint("192.168.1.11", 1112), 815),
        Listener(Endpoint("192.168.1.11", 1113), 816),
    ]
    assert processes.held_by(815, listeners) == {*(Endpoint("192.168.1.11", 2113), Endpoint("192.168.1.11", 1112))}
    assert processes.held_by(815, listeners[:1]) == {Endpoint("0.0.0.0", 2113)}


def test_the_processes_below_a_service_and_what_they_run() -> None:
    def process(pid: int, parent: int, command: str = "") -> processes.Process:
        return processes.Process(pid, parent, command)

    found = [process(3, 2), process(2, 1), process(9, 8), process(1, 3)]  # a number that came round again
    assert [each.pid for each in processes.below(found, 1)] == [1, 2, 3]
    assert processes.below(found, 0) == []
    for command, program in (
        ('"C:\\Event Store\\EventStore.WindowsManager.exe" -x', "EventStore.WindowsManager.exe"),
        ("c:/es/eventstore.windowsmanager.EXE -x", "eventstore.windowsmanager.EXE"),
        ("EventStore.WindowsManager", "EventStore.WindowsManager"),
    ):
        assert process(1, 0, command).program == program
        assert process(1, 0, command).is_program(processes.MANAGER_PROGRAM)
    for command in ("", '"', "c:\\x\\nssm.exe c:\\EventStore.WindowsManager.exe"):
        assert not process(1, 0, command).is_program(processes.MANAGER_PROGRAM)
