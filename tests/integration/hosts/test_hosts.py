# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines do what is done to them, and nothing of them is left, whatever ends the box."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
BOX, MACHINE = str(ROOT / "tests/doubles/hosts/box"), str(ROOT / "tests/doubles/hosts/machine")
SLOW_S = 60.0

probe = subprocess.run([BOX, "true"], capture_output=True, text=True, check=False)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(probe.returncode == 77, reason=probe.stderr.strip())]


def until(what: str, ready: t.Callable[[], bool], timeout_s: float = SLOW_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def groups_of(box: int) -> list[Path]:
    """The control groups of a box, found without its help."""
    events = Path("/sys/fs/cgroup").rglob("cgroup.events")
    return [path.parent for path in events if f"/lab-hosts.{box}." in str(path)]


def processes_of(box: int) -> set[psutil.Process]:
    ids = {int(line) for group in groups_of(box) for line in (group / "cgroup.procs").read_text().split()}
    return {psutil.Process(pid) for pid in ids}


def mounts() -> set[str]:
    """What is mounted where, on the computer itself."""
    return {" ".join(line.split()[3:5]) for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def interfaces() -> set[str]:
    return set(psutil.net_if_addrs())


def hear_signals() -> None:
    """Whoever runs the tests with nohup or in the background of a script has these ignored, and the box would too."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class Box:
    """A box in which a shell waits for commands."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [BOX, "bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=hear_signals
        )

    def __call__(self, command: str) -> str:
        """The command's output; its exit status must be 0."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"( {command}\n) </dev/null 2>&1; status=$?; echo; echo done $status\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith("done "):
                output = "".join(lines).strip()
                assert line == "done 0\n", f"{command}: {line} {output}"
                return output
            lines.append(line)
        raise AssertionError(f"the box has ended: {''.join(lines)}")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        until("the box is gone", lambda: not groups_of(self.process.pid))


@pytest.fixture(scope="module")
def box() -> t.Iterator[Box]:
    box = Box()
    try:
        box(f"{MACHINE} create one=192.168.1.11 two=192.168.1.12 three=192.168.1.13,192.168.2.13")
        yield box
    finally:
        box.end()


def reaches(box: Box, source: str, target: str) -> bool:
    return "1 received" in box(f"{MACHINE} exec {source} ping -c 1 -W 1 {target} || true")


@pytest.mark.parametrize("ending", ["exit", signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL, "inside"])
def test_nothing_is_left(ending: str | signal.Signals) -> None:
    before = (mounts(), interfaces(), set(os.listdir("/run")))
    box = Box()
    try:
        box(f"{MACHINE} create one=192.168.1.11")
        box(f"{MACHINE} dns cluster1.eventstore.local=192.168.1.11")
        box(f"{MACHINE} cut one")
        processes = processes_of(box.process.pid)
        assert "systemd" in {process.name() for process in processes}
        assert len(groups_of(box.process.pid)) > 3
        assert not Path(box("mktemp")).exists()
        assert not Path(box("echo $HOME")).exists()
        if ending == "exit":
            assert box.process.stdin
            box.process.stdin.write("exit\n")
            box.process.stdin.flush()
        elif ending == "inside":
            # The box's first process, not a machine's.
            min(processes, key=psutil.Process.create_time).kill()
        else:
            box.process.send_signal(ending)
        box.process.wait(SLOW_S)
        assert ending == signal.SIGKILL or not groups_of(box.process.pid), "it ended before all was swept"
        until("the keeper has swept", lambda: not groups_of(box.process.pid), 10)
    finally:
        box.end()
    until("the last process is buried", lambda: not any(process.is_running() for process in processes), 10)
    assert (mounts(), interfaces(), set(os.listdir("/run"))) == before


def test_the_status_is_the_command_s() -> None:
    assert subprocess.run([BOX, "sh", "-c", "exit 7"], check=False).returncode == 7


def test_without_root_one_line_and_77(tmp_path: Path) -> None:
    copy = tmp_path / "tests/doubles/hosts/box"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(Path(BOX).read_bytes())
    copy.chmod(0o755)
    for directory in copy.parents:
        if directory.owner() == tmp_path.owner() and directory.is_relative_to(tempfile.gettempdir()):
            directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run([str(copy), "true"], user=65534, capture_output=True, text=True, check=False)
    assert done.returncode == 77
    assert done.stderr.count("\n") == 1
    assert "not root" in done.stderr


def test_without_the_file_system_one_line_and_77(tmp_path: Path) -> None:
    hosts = tmp_path / "tests/doubles/hosts"
    hosts.mkdir(parents=True)
    for name in ("box", "image"):
        (hosts / name).write_bytes((ROOT / "tests/doubles/hosts" / name).read_bytes())
        (hosts / name).chmod(0o755)
    done = subprocess.run([str(hosts / "box"), "true"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (77, 1)
    assert "tests/doubles/hosts/install" in done.stderr


def test_outside_a_box_the_machine_program_refuses() -> None:
    done = subprocess.run([MACHINE, "list"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "tests/doubles/hosts/box" in done.stderr


def test_systemd_runs_and_nothing_failed(box: Box) -> None:
    assert box(f"{MACHINE} exec one systemctl is-system-running") == "running"
    assert box(f"{MACHINE} exec one cat /proc/1/comm") == "systemd"


def test_the_controller_s_network_leads_nowhere(box: Box) -> None:
    assert box("ip route show default") == ""
    routes = {line.split()[0] for line in box("ip route").splitlines()}
    assert routes == {"192.168.1.0/24", "192.168.2.0/24"}


def test_two_interfaces(box: Box) -> None:
    addresses = box(f"{MACHINE} exec three ip -brief address")
    assert "192.168.1.13/24" in addresses
    assert "192.168.2.13/24" in addresses


def test_power_cut_is_silent_and_disks_stay(box: Box) -> None:
    boot = box(f"{MACHINE} exec two cat /proc/sys/kernel/random/boot_id /etc/machine-id")
    box(f"{MACHINE} exec two sh -c 'echo kept >/root/kept; echo data >/var/lib/eventstore/kept; echo lost >/run/lost'")
    box(f"{MACHINE} kill two")
    assert "two off" in box(f"{MACHINE} list")
    assert not reaches(box, "one", "192.168.1.12")
    box(f"{MACHINE} start two")
    assert box(f"{MACHINE} exec two cat /root/kept /var/lib/eventstore/kept") == "kept\ndata"
    box(f"{MACHINE} exec two test ! -e /run/lost")
    assert reaches(box, "one", "192.168.1.12")
    assert box(f"{MACHINE} exec two cat /etc/machine-id") in boot


def test_stop_shuts_down_in_order(box: Box) -> None:
    unit = "[Service]\\nExecStart=/bin/sleep infinity\\nExecStop=/bin/touch /root/stopped\\n"
    box(f"{MACHINE} exec two sh -c 'printf \"{unit}\" >/etc/systemd/system/last.service && systemctl start last'")
    box(f"{MACHINE} stop two")
    box(f"{MACHINE} start two")
    box(f"{MACHINE} exec two test -e /root/stopped")


def test_freeze(box: Box) -> None:
    box(f"{MACHINE} freeze two")
    assert "two frozen" in box(f"{MACHINE} list")
    assert "124" in box(f"timeout -s KILL 1 {MACHINE} exec two true; echo $((  $? == 137 ? 124 : $? ))")
    box(f"{MACHINE} thaw two")
    box(f"{MACHINE} exec two true")


def test_cut_leaves_the_controller_and_heal_mends(box: Box) -> None:
    box(f"{MACHINE} dns cluster1.eventstore.local=192.168.1.11")
    box(f"{MACHINE} cut three")
    assert not reaches(box, "three", "192.168.1.11")
    assert not reaches(box, "two", "192.168.1.13")
    assert reaches(box, "two", "192.168.1.11")
    assert box(f"{MACHINE} exec three dig +short cluster1.eventstore.local") == "192.168.1.11"
    box(f"{MACHINE} heal three")
    until("a machine is found again that did not answer ARP", lambda: reaches(box, "three", "192.168.1.11"))


def test_dns_dies_and_comes_back(box: Box) -> None:
    ask = f"{MACHINE} exec one dig +tries=1 +time=1 +short cluster1.eventstore.local"
    box(f"{MACHINE} dns cluster1.eventstore.local=192.168.1.11,192.168.1.12")
    assert sorted(box(ask).split()) == ["192.168.1.11", "192.168.1.12"]
    box(f"{MACHINE} dns")
    assert "no servers could be reached" in box(f"{ask} || true")
    box(f"{MACHINE} dns cluster1.eventstore.local=192.168.1.13")
    assert box(ask) == "192.168.1.13"


def test_the_data_disk_is_full_and_only_that(box: Box) -> None:
    box(f"{MACHINE} full-disk one")
    box(f"{MACHINE} exec one sh -c '! echo x 2>/dev/null >/var/lib/eventstore/more; echo x >/root/more'")
    box(f"{MACHINE} free-disk one")
    box(f"{MACHINE} exec one sh -c 'echo x >/var/lib/eventstore/more'")


def test_one_clock_is_wrong_and_the_computer_s_is_not(box: Box) -> None:
    def offset(command: str) -> float:
        return float(box(f"{MACHINE} exec {command}").split()[-1]) - time.time()

    write = "systemd-run --quiet --collect --wait --property=StandardOutput=truncate:/run/now date +%s"
    box(f"{MACHINE} clock one 300")
    assert offset("one date +%s") == pytest.approx(300, abs=5)
    box(f"{MACHINE} exec one env -u LD_PRELOAD {write}")
    assert offset("one cat /run/now") == pytest.approx(300, abs=5)
    assert offset("two date +%s") == pytest.approx(0, abs=5)
    box(f"{MACHINE} clock one 0")
    assert offset("one date +%s") == pytest.approx(0, abs=5)


@pytest.mark.parametrize("process", ["1", "self"])
def test_a_machine_may_not_set_the_computer_s_clock_load_modules_or_make_devices(box: Box, process: str) -> None:
    bounds = int(box(f"{MACHINE} exec one sed -n 's/^CapBnd:\t//p' /proc/{process}/status"), 16)
    sys_module, sys_time, mknod, sys_admin = 16, 25, 27, 21  # linux/capability.h
    assert [bounds >> bit & 1 for bit in (sys_module, sys_time, mknod)] == [0, 0, 0]
    assert bounds >> sys_admin & 1, "hardened units need it"


@pytest.mark.parametrize(
    "path", ["/proc/sys/kernel/panic", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/power"]
)
def test_what_the_computer_s_programs_share_is_read_only(box: Box, path: str) -> None:
    box(f"{MACHINE} exec one sh -c '! test -e {path} || ! test -w {path}'")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("exec four true", "no machine 'four'; there are: one, three, two"),
        ("create Four=192.168.1.14", "'Four' is no name"),
        ("create four=192.168.1.300", "192.168.1.300"),
        ("create one=192.168.1.14", "one exists already"),
    ],
)
def test_refusals(box: Box, command: str, text: str) -> None:
    assert text in box(f"! {MACHINE} {command}")
