# SPDX-License-Identifier: GPL-3.0-or-later
"""Make machines with systemd, and do to them what happens to machines. To be run by tests/doubles/hosts/box."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
STATE = Path("/run/lab-hosts")
CGROUPS = Path("/sys/fs/cgroup")
DNS_PORT = 53
DNS_PID = STATE / "dns.pid"
# Capabilities over things that this computer has only once, its clock above all.
NOT_OURS = "-sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-mknod,-mac_admin,-mac_override,-sys_pacct"
DATA_SIZE = "512m"  # preflight wants 256 MiB free for a chunk
FAKE_CLOCK = "/etc/systemd/system.conf.d/clock.conf"
ENTER = f"""#!/bin/sh
# Runs a command in the machine as a login would. Its control group is the machine's, so that it freezes with it.
echo 0 >{{cgroup}}/cgroup.procs || exit 255
exec nsenter --target {{pid}} --mount --uts --ipc --net --pid --cgroup -- \\
  setpriv --bounding-set={NOT_OURS} -- \\
  env -i HOME=/root USER=root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  sh -c 'set -a; . /etc/environment; exec "$@"' sh "$@"
"""
# A frame from one machine to another is forwarded by the bridge; one to or from the controller is not.
CUT_RULES = """
table bridge lab {
  set cut { type ifname; }
  chain forward { type filter hook forward priority 0; iifname @cut drop; oifname @cut drop; }
}
"""


class LabError(Exception):
    """What was asked for is not possible; the text says why."""


def run(*argv: str, text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def wait(what: str, ready: t.Callable[[], bool], timeout: float, pause: float = 0.02) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(pause)


class Machine:
    """One machine. Its disks and addresses stay while it is off; its processes, network interfaces and /run do not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = STATE / name
        self.cgroup = CGROUPS / name

    # What it is

    def exists(self) -> bool:
        return self.directory.is_dir()

    def runs(self) -> bool:
        events = self.cgroup / "cgroup.events"
        return events.exists() and "populated 1" in events.read_text()

    def state(self) -> str:
        if not self.runs():
            return "off"
        return "frozen" if "frozen 1" in (self.cgroup / "cgroup.events").read_text() else "on"

    def addresses(self) -> list[ipaddress.IPv4Address]:
        lines = (self.directory / "addresses").read_text().split()
        return [ipaddress.IPv4Address(line) for line in lines]

    def ports(self) -> list[str]:
        """Names of the bridges' ports that the machine's cables end in."""
        return [f"{self.name}-{index}" for index in range(len(self.addresses()))]

    def enter(self, *argv: str) -> subprocess.CompletedProcess[str]:
        argv = (str(self.directory / "enter"), *argv)
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    # Its life

    def create(self, addresses: t.Sequence[ipaddress.IPv4Address]) -> None:
        if self.exists():
            raise LabError(f"{self.name} exists already")
        for part in ("upper/etc/systemd", "upper/var/lib/eventstore", "work", "root", "data"):
            (self.directory / part).mkdir(parents=True)
        (self.directory / "addresses").write_text("".join(f"{address}\n" for address in addresses))
        etc = self.directory / "upper/etc"
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        (etc / "resolv.conf").write_text(f"nameserver {gateway(addresses[0])}\noptions timeout:1 attempts:2\n")
        (etc / "environment").touch()
        run("mount", "-t", "tmpfs", "-o", f"size={DATA_SIZE},mode=755", "data", str(self.directory / "data"))

    def start(self) -> None:
        """Switch on; has_booted says when it is up."""
        if self.runs():
            return
        self._plug_in()
        self.cgroup.mkdir(exist_ok=True)
        (self.directory / "pid").unlink(missing_ok=True)
        with (self.directory / "console").open("wb") as console:
            subprocess.Popen(
                [
                    *("sh", "-c", 'echo 0 >"$0"/cgroup.procs; exec "$@"', str(self.cgroup)),
                    *(
                        "nsenter",
                        f"--net=/run/netns/{self.name}",
                        "--",
                        "unshare",
                        "--mount",
                        "--uts",
                        "--ipc",
                        "--pid",
                    ),
                    *("--cgroup", "--fork", "--propagation", "private", "--"),
                    *("setpriv", f"--bounding-set={NOT_OURS}", "--"),
                    *(str(HERE / "boot"), str(self.directory), os.environ["LAB_HOSTS_IMAGE"]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def has_booted(self) -> bool:
        pid = self.directory / "pid"
        if not pid.exists():
            console = (self.directory / "console").read_text()
            if console:
                raise LabError(f"{self.name} does not boot: {console.strip()}")
            return False
        enter = self.directory / "enter"
        enter.write_text(ENTER.format(cgroup=self.cgroup, pid=pid.read_text().strip()))
        enter.chmod(0o755)
        return self.enter("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def _plug_in(self) -> None:
        run("ip", "netns", "add", self.name)
        for index, address in enumerate(self.addresses()):
            bridge, port, interface = bridge_of(address), self.ports()[index], f"eth{index}"
            if not Path("/sys/class/net", bridge).exists():
                run("ip", "link", "add", bridge, "type", "bridge")
                run("ip", "address", "add", f"{gateway(address)}/24", "dev", bridge)
                run("ip", "link", "set", bridge, "up")
            # The same MAC after each start: the others remember it.
            mac = "02:00:" + ":".join(f"{byte:02x}" for byte in address.packed)
            run(
                "ip", "link", "add", port, "type", "veth", "peer", "name", interface, "address", mac, "netns", self.name
            )
            run("ip", "link", "set", port, "master", bridge, "up")
            run("ip", "-n", self.name, "address", "add", f"{address}/24", "dev", interface)
            run("ip", "-n", self.name, "link", "set", interface, "up")
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "route", "add", "default", "via", gateway(self.addresses()[0]))

    def stop(self) -> None:
        """Shut down in order."""
        if self.runs():
            os.kill(int((self.directory / "pid").read_text()), signal.SIGRTMIN + 4)  # systemd: poweroff.target
            wait(f"{self.name} shuts down", lambda: not self.runs(), 120)
        self._forget()

    def kill(self) -> None:
        """Cut the power: no process has a last word, no peer hears a connection end."""
        for port in self.ports():
            if Path("/sys/class/net", port).exists():
                run("ip", "link", "set", port, "down")
        if self.cgroup.exists():
            (self.cgroup / "cgroup.kill").write_text("1")
            wait(f"{self.name} ends", lambda: not self.runs(), 10)
        self._forget()

    def _forget(self) -> None:
        # The kernel keeps a network with unfinished connections for a while; the cables it need not keep.
        for port in self.ports():
            if Path("/sys/class/net", port).exists():
                run("ip", "link", "delete", port)
        if self.name in run("ip", "netns", "list").split():
            run("ip", "netns", "delete", self.name)
        for group, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(group)

    def destroy(self) -> None:
        self.kill()
        self.heal()
        run("umount", str(self.directory / "data"))
        shutil.rmtree(self.directory)

    # What happens to machines

    def wait_for(self, path: str) -> None:
        """Until the file or directory is there, to half a millisecond."""
        seen = Path(f"/proc/{(self.directory / 'pid').read_text().strip()}/root{path}")
        wait(f"{self.name} has {path}", seen.exists, 120, pause=0.0005)

    def freeze(self, *, frozen: bool) -> None:
        if not self.runs():
            raise LabError(f"{self.name} is off")
        (self.cgroup / "cgroup.freeze").write_text(str(int(frozen)))
        wait(f"{self.name} is {'frozen' if frozen else 'thawed'}", lambda: (self.state() == "frozen") == frozen, 10)

    def cut(self) -> None:
        """Lose what goes between this machine and the others; the controller still reaches it."""
        if not run("nft", "list", "tables", "bridge"):
            run("nft", "-f", "-", text=CUT_RULES)
        run("nft", "add", "element", "bridge", "lab", "cut", "{", ", ".join(f'"{port}"' for port in self.ports()), "}")

    def heal(self) -> None:
        if run("nft", "list", "tables", "bridge"):
            cut = run("nft", "list", "set", "bridge", "lab", "cut")
            ports = [f'"{port}"' for port in self.ports() if f'"{port}"' in cut]
            if ports:
                run("nft", "delete", "element", "bridge", "lab", "cut", "{", ", ".join(ports), "}")

    def fill_disk(self) -> None:
        """Leave no byte on the data disk."""
        with (self.directory / "data/full").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(65536))

    def free_disk(self) -> None:
        (self.directory / "data/full").unlink(missing_ok=True)

    def clock(self, seconds: int) -> None:
        """Make the clock wrong for what starts from now on, services and logins. Namespaces share the real clock."""
        environment = {}
        if seconds:
            library = self.enter("sh", "-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1").stdout.strip()
            environment = {"LD_PRELOAD": library, "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        settings = [f"{name}={value}" for name, value in environment.items()]
        script = (
            f'mkdir -p {Path(FAKE_CLOCK).parent} && printf "[Manager]\\nDefaultEnvironment=%s\\n" "$1" >{FAKE_CLOCK}'
        )
        script += ' && printf "%s" "$2" >/etc/environment && systemctl daemon-reexec'
        done = self.enter("sh", "-ec", script, "sh", " ".join(settings), "".join(f"{each}\n" for each in settings))
        if done.returncode:
            raise LabError(f"{self.name}: {done.stderr.strip()}")


def bridge_of(address: ipaddress.IPv4Address) -> str:
    return f"br-{address.packed[0]}.{address.packed[1]}.{address.packed[2]}"[:15]


def gateway(address: ipaddress.IPv4Address) -> str:
    """The controller's address in the network of a machine's address."""
    return str(ipaddress.IPv4Network(f"{address}/24", strict=False)[1])


def new(text: str) -> tuple[Machine, list[ipaddress.IPv4Address]]:
    name, _, addresses = text.partition("=")
    if not re.fullmatch("[a-z][a-z0-9]{,11}", name):  # with -0 it has to fit into an interface's name
        raise argparse.ArgumentTypeError(f"{name!r} is no name: up to 12 small letters and digits")
    return Machine(name), [ipaddress.IPv4Address(address) for address in addresses.split(",")]


def existing(name: str) -> Machine:
    machine = Machine(name)
    if not machine.exists():
        names = ", ".join(each.name for each in machines()) or "none"
        raise argparse.ArgumentTypeError(f"there is no machine {name!r}; there are: {names}")
    return machine


def machines() -> list[Machine]:
    return [Machine(path.parent.name) for path in sorted(STATE.glob("*/addresses"))]


def stop_dns() -> None:
    if not DNS_PID.exists():
        return
    pid = int(DNS_PID.read_text())
    os.kill(pid, signal.SIGTERM)
    wait("the name server ends", lambda: not Path(f"/proc/{pid}").exists(), 10)
    DNS_PID.unlink()


def serve_dns(listen: str, records: t.Sequence[str]) -> None:
    arguments = [argument for record in records for argument in ("--record", record)]
    log = STATE / "dns.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "lab.dns", "--listen", f"{listen}:{DNS_PORT}", *arguments],
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'collections'}"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    DNS_PID.write_text(str(server.pid))

    def listens() -> bool:
        if server.poll() is not None:
            DNS_PID.unlink()
            raise LabError(f"the name server ended: {log.read_text().strip()}")
        return "listening" in log.read_text()

    wait("the name server listens", listens, 20)


def perform(options: argparse.Namespace) -> None:
    actions: dict[str, t.Callable[[Machine], None]] = {
        "start": Machine.start,
        "stop": Machine.stop,
        "kill": Machine.kill,
        "freeze": lambda machine: machine.freeze(frozen=True),
        "thaw": lambda machine: machine.freeze(frozen=False),
        "cut": Machine.cut,
        "heal": Machine.heal,
        "clock": lambda machine: machine.clock(options.seconds),
        "full-disk": Machine.fill_disk,
        "free-disk": Machine.free_disk,
        "destroy": Machine.destroy,
    }
    if options.command == "list":
        for machine in machines():
            print(machine.name, machine.state(), *machine.addresses())
        return
    if options.command == "dns":
        stop_dns()
        if options.records:
            serve_dns(options.listen, options.records)
        return
    if options.command == "create":
        for machine, addresses in options.machines:
            machine.create(addresses)
        options.machines = [machine for machine, _ in options.machines]
        options.command = "start"
    for machine in options.machines or machines():
        actions[options.command](machine)
    if options.command == "destroy" and not machines():
        stop_dns()
    if options.command == "start":
        for machine in options.machines:
            wait(f"{machine.name} boots", machine.has_booted, 30)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/doubles/hosts/machine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, nargs: str | int = "+") -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=text, description=text)
        subparser.add_argument("machines", type=existing, metavar="NAME", nargs=nargs)
        return subparser

    create = commands.add_parser("create", help="make machines with these addresses, eth0's first, and start them")
    create.add_argument("machines", type=new, metavar="NAME=IP[,IP]", nargs="+")
    command("start", "switch on")
    command("stop", "shut down in order")
    kill = command("kill", "cut the power")
    kill.add_argument("--when", metavar="PATH", help="as soon as this file or directory is there")
    command("freeze", "hang: it takes connections, and nothing in it runs")
    command("thaw", "end of freeze")
    command("cut", "cut off from the other machines, not from the controller")
    command("heal", "end of cut")
    command("clock", "set the clock of what starts from now on", nargs=1).add_argument("seconds", type=int)
    command("full-disk", "fill the data disk, /var/lib/eventstore")
    command("free-disk", "end of full-disk")
    command("destroy", "cut the power and throw the disks away; the last one takes the name server along", nargs="*")
    commands.add_parser("list", help="name, state and addresses of each machine")
    exec_ = command("exec", "run a command in a machine", nargs=1)
    exec_.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD...")
    serve = commands.add_parser(
        "dns", help="serve these names in place of the former ones; with none the server is dead"
    )
    serve.add_argument("--listen", default="192.168.1.1", metavar="IP")
    serve.add_argument("records", nargs="*", metavar="NAME=IP,IP")
    if not STATE.is_dir():
        parser.error("run this with tests/doubles/hosts/box")
    options = parser.parse_args()

    try:
        if options.command == "exec":
            machine = options.machines[0]
            if not machine.runs():
                raise LabError(f"{machine.name} is off")
            os.execv(machine.directory / "enter", ["enter", *options.argv])  # noqa: S606
        if options.command == "kill" and options.when:
            for machine in options.machines:
                machine.wait_for(options.when)
        # One change at a time, whoever asks for it.
        with (STATE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            perform(options)
    except LabError as error:
        print(f"tests/doubles/hosts/machine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
