# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of Windows: constants and numbers count, labels and messages do not."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import services
from ansible_collections.eventstore.cluster.plugins.module_utils.windows.script import Ran

ENGLISH = """
SERVICE_NAME: es-cluster1
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 812
        FLAGS              :
"""
ITALIAN = ENGLISH.replace("SERVICE_NAME", "NOME_SERVIZIO").replace("STATE ", "STATO ").replace("TYPE ", "TIPO ")


@pytest.mark.parametrize("shown", [ENGLISH, ITALIAN], ids=["en", "it"])
@pytest.mark.parametrize(("number", "state"), services.STATES.items())
def test_the_state_is_read_in_every_language(shown, number, state):
    output = shown.replace("4  RUNNING", f"{number}  {state}")
    assert services.read_state(Ran(0, output), name="es") == state


def test_a_service_that_is_not_there():
    assert services.read_state(Ran(1060, "[SC] EnumQueryServicesStatus:OpenService FAILED 1060"), name="es") is None


@pytest.mark.parametrize(
    "ran",
    [
        Ran(5, "Access is denied."),
        Ran(1, ENGLISH),
        Ran(0, ""),
        Ran(0, ENGLISH.replace("4  RUNNING", "4  STOPPED")),
        Ran(0, ENGLISH + ENGLISH),
        Ran(9009, ""),
    ],
)
def test_a_state_that_cannot_be_told_is_no_state(ran):
    with pytest.raises(HostError, match=f"sc.exe exited with {ran.code}"):
        services.read_state(ran, name="es")


ACTIONS = struct.pack("<5I", 86400, 0, 0, 3, 20) + struct.pack("<6I", 1, 5000, 1, 5000, 0, 0)
REGISTRY = f"""
HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\es-cluster1
    Type    REG_DWORD    0x10
    Start    REG_DWORD    0x2
    DelayedAutostart    REG_DWORD    0x1
    ImagePath    REG_EXPAND_SZ    "C:\\EventStore\\3.4.0\\EventStore.WindowsManager.exe" -x y
    ObjectName    REG_SZ    NT AUTHORITY\\LocalService
    Description    REG_SZ
    FailureActions    REG_BINARY    {ACTIONS.hex().upper()}

"""


def test_settings_are_read_from_names_that_are_never_translated():
    settings = services.read_settings(Ran(0, REGISTRY))
    assert settings == services.Settings(
        program='"C:\\EventStore\\3.4.0\\EventStore.WindowsManager.exe" -x y',
        account="NT AUTHORITY\\LocalService",
        start_mode="delayed",
        recovery=("restart after 5000 ms", "restart after 5000 ms", "none after 0 ms"),
    )
    assert services.read_settings(Ran(1, "ERROR: not found")) == services.Settings()


@pytest.mark.parametrize(("values", "mode"), [("0x2", "auto"), ("0x3", "manual"), ("0x4", "disabled"), ("x", "")])
def test_start_modes(values, mode):
    text = f"    Start    REG_DWORD    {values}\n"
    assert services.read_settings(Ran(0, text)).start_mode == mode


def test_a_service_that_waits_for_its_deletion():
    assert services.read_settings(Ran(0, "    DeleteFlag    REG_DWORD    0x1")).is_deleted
    assert not services.read_settings(Ran(0, "    DeleteFlag    REG_DWORD    0x0")).is_deleted


@pytest.mark.parametrize("damaged", ["", "zz", "8051", ACTIONS[:23].hex(), struct.pack("<5I", 0, 0, 0, 0, 0).hex()])
def test_recovery_that_is_not_set_or_damaged_is_none(damaged):
    assert services.read_settings(Ran(0, f"    FailureActions    REG_BINARY    {damaged}")).recovery == ()


def test_what_windows_would_not_restart_is_told_with_what_to_type():
    (never,) = services.recovery_problems("es", services.Settings())
    assert "sc.exe failure es reset= 86400 actions= restart/5000" in never
    (crash_only,) = services.recovery_problems("es", services.Settings(recovery=("restart after 5000 ms",)))
    assert "sc.exe failureflag es 1" in crash_only
    assert "exit code 0" in crash_only
    assert services.recovery_problems("es", services.Settings(recovery=("restart after 1 ms",), on_error=True)) == []


def test_the_page_s_commands():
    program = r"c:\EventStore\3.4.0\EventStore.WindowsManager.exe"
    config = r"c:\EventStore-Config\manager.yaml"
    assert services.install(program, "es-cluster1", config) == [
        program, "install", "-InstanceName", "es-cluster1", "-ManagerConfig", config,
    ]  # fmt: skip
    assert services.uninstall(program, "es-cluster1") == [program, "uninstall", "-InstanceName", "es-cluster1"]
    assert services.start("es-cluster1") == ["net.exe", "start", "es-cluster1"]
    assert services.stop("es-cluster1") == ["net.exe", "stop", "es-cluster1"]


def test_an_installer_that_did_nothing_is_explained():
    error = str(services.not_installed("es", "x install", Ran(0, "Cannot start service from the command line")))
    for part in ("exited with 0", "Cannot start service", "KurrentDB issue 905", "logged-on", "x install"):
        assert part in error
