# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that are called: netsh, sc, net, reg, netstat, route, whoami, and the vendor's installer.

Exit codes and shapes of output follow public captures and documents; what none shows is marked as made up.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
import time
import typing as t
from dataclasses import dataclass

import psutil

from tests.doubles.windows import accounts, services, texts
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused

INSTALLER = "eventstore.windowsmanager.exe"


@dataclass
class Done:
    code: int = 0
    stdout: str = ""
    stderr: str = ""


def run(machine: Machine, program: str, arguments: list[str]) -> Done:
    """Run a program with what Windows PowerShell 5.1 really hands over; Refused if there is none of that name."""
    word = program.lower()
    word = word if word.endswith(".exe") else f"{word}.exe"
    base = re.split(r"[\\/]", word)[-1]
    known = PROGRAMS.get(base)
    if base in [each.lower() for each in machine.setting("missing")]:
        raise Refused(texts.NOT_A_PROGRAM[machine.setting("locale")].format(program))
    if base != word:
        if not machine.path(program).is_file():
            raise Refused(texts.NOT_A_PROGRAM[machine.setting("locale")].format(program))
        known = _installer if base == INSTALLER else None
    if known is None:
        raise NotUnderstood(f"the program {program!r}")
    time.sleep(machine.setting("delay_s").get(base, 0))
    received = split(command_line(arguments))
    with machine.lock:
        done = known(machine, program, received)
    machine.note("ran", {"program": program, "arguments": received, "code": done.code})
    if machine.setting("umlauts_lost"):
        done.stdout = done.stdout.encode("cp850", "replace").decode("utf-8", "replace")
        done.stderr = done.stderr.encode("cp850", "replace").decode("utf-8", "replace")
    return done


def command_line(arguments: list[str]) -> str:
    """As Windows PowerShell 5.1 builds it: quotes around white space, and no quote inside is ever escaped."""
    return " ".join(
        f'"{each}"' if re.search(r"\s", each) and not each.startswith('"') else each for each in arguments if each
    )


def split(line: str) -> list[str]:
    """As the C runtime of a program takes its command line apart."""
    words: list[str] = []
    word, begun, quoted, position = "", False, False, 0
    while position < len(line):
        slashes = re.match(r"\\*", line[position:])[0]  # type: ignore[index] # matches always
        after = position + len(slashes)
        if line[after : after + 1] == '"':
            word += "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                word += '"'
            else:
                quoted = not quoted
            begun, position = True, after + 1
            continue
        word, begun, position = word + slashes, begun or bool(slashes), after
        if position < len(line):
            char = line[position]
            if char in " \t" and not quoted:
                words += [word] if begun else []
                word, begun = "", False
            else:
                word, begun = word + char, True
            position += 1
    return [*words, word] if begun else words


# -- netsh -------------------------------------------------------------------------------------------------------------


def _netsh(machine: Machine, _program: str, arguments: list[str]) -> Done:
    words = [each.lower() for each in arguments[:3]]
    if arguments == ["http", "show", "urlacl"]:
        return _show(machine)
    if arguments == ["http", "show", "servicestate", "view=requestq"]:
        return _queues(machine)
    if words[:1] != ["http"] or words[1:] not in (["add", "urlacl"], ["delete", "urlacl"]):
        raise NotUnderstood(f"netsh {' '.join(arguments)}")
    given = {}
    for word in arguments[3:]:
        name, equals, value = word.partition("=")
        if not equals or name.lower() in given:
            raise NotUnderstood(f"netsh {' '.join(arguments)}")
        given[name.lower()] = value
    return _add(machine, given) if words[1] == "add" else _delete(machine, given)


def _show(machine: Machine) -> Done:
    locale = machine.setting("locale")
    url_label, user, listen, delegate = texts.SHOW[locale]
    head = texts.SHOW_HEAD[locale]
    lines = ["", f"{head} ", f"{'-' * len(head)} ", ""]
    for url, sddl in machine.read("urlacl").items():
        lines.append(f"    {url_label} {url} ")
        for entry in accounts.entries(sddl) or []:
            everything = entry.rights & accounts.GENERIC_ALL
            lines += [
                f"        {user} {accounts.name_of(entry.sid, machine.setting('accounts'), locale)}",
                f"            {listen} {_yes(everything or entry.rights & accounts.GENERIC_EXECUTE)}",
                f"            {delegate} {_yes(everything or entry.rights & accounts.GENERIC_WRITE)}",
            ]
        lines += [f"            SDDL: {sddl} ", ""]
    return Done(0, "\r\n".join([*lines, ""]))


def _yes(bits: int) -> str:
    return "Yes" if bits else "No"


def _add(machine: Machine, given: dict[str, str]) -> Done:
    locale = machine.setting("locale")
    if set(given) != {"url", "sddl"}:
        raise NotUnderstood(f"netsh http add urlacl with {sorted(given)}")
    if not machine.setting("elevated"):
        return Done(1, f"\r\n{texts.ELEVATE[locale]}\r\n\r\n")
    url, sddl = given["url"], given["sddl"]
    stored = machine.read("urlacl")
    refused = machine.setting("refuse_add")
    code = 0
    if not _is_prefix(url) or accounts.entries(sddl) is None:
        code = 87
    elif refused and refused in sddl:
        code = 5
    elif url.lower() in [each.lower() for each in stored]:
        code = 183
    if code:
        return Done(1, f"\r\n{texts.ADD_FAILED[locale].format(code)}\r\n\r\n")
    machine.write("urlacl", {**stored, url: accounts.shown(sddl)})
    return Done(0, f"\r\n{texts.ADDED[locale]}\r\n\r\n")


def _delete(machine: Machine, given: dict[str, str]) -> Done:
    locale = machine.setting("locale")
    if set(given) != {"url"}:
        raise NotUnderstood(f"netsh http delete urlacl with {sorted(given)}")
    if not machine.setting("elevated"):
        return Done(1, f"\r\n{texts.ELEVATE[locale]}\r\n\r\n")
    stored = machine.read("urlacl")
    code = 87 if not _is_prefix(given["url"]) else 0 if given["url"] in stored else 2
    if code:
        return Done(1, f"\r\n{texts.DELETE_FAILED[locale].format(code)}\r\n\r\n")
    del stored[given["url"]]
    machine.write("urlacl", stored)
    return Done(0, f"\r\n{texts.DELETED[locale]}\r\n\r\n")


def _is_prefix(url: str) -> bool:
    match = re.fullmatch(r"https?://([^/:\s]+|\[[0-9a-fA-F:]+\]):([1-9][0-9]{0,4})(/[^?#\s]*)?/", url)
    return bool(match) and int(match[2]) <= 65535  # type: ignore[index]


# -- services ----------------------------------------------------------------------------------------------------------


def _sc(machine: Machine, _program: str, arguments: list[str]) -> Done:
    verb, name, *more = arguments if len(arguments) > 1 else ("", "")
    if verb not in ("query", "config") or bool(more) != (verb == "config"):
        raise NotUnderstood(f"sc.exe {' '.join(arguments)}")
    found = services.find(machine, name)
    if not found:
        call = "OpenService" if verb == "config" else "EnumQueryServicesStatus:OpenService"
        text = texts.NO_SERVICE[machine.setting("locale")]
        return Done(services.NOT_INSTALLED, f"[SC] {call} FAILED {services.NOT_INSTALLED}:\r\n\r\n{text}\r\n\r\n")
    if verb == "config":
        return _config(machine, found[0], more)
    return Done(0, "\r\n".join(_query(machine, *found)) + "\r\n")


MODES = {
    "delayed-auto": (services.AUTOMATIC, True),
    "auto": (services.AUTOMATIC, False),
    "demand": (services.MANUAL, False),
    "disabled": (services.OFF, False),
}


def _config(machine: Machine, name: str, words: list[str]) -> Done:
    if len(words) != 2 or words[0] != "start=" or words[1] not in MODES:
        raise NotUnderstood(f"sc.exe config {name} {' '.join(words)}")
    if not machine.setting("elevated"):
        return Done(services.ACCESS_DENIED, f"[SC] OpenService FAILED {services.ACCESS_DENIED}:\r\n\r\n")
    stored = machine.read("services")
    stored[name]["start"], stored[name]["delayed"] = MODES[words[1]]
    machine.write("services", stored)
    return Done(0, "[SC] ChangeServiceConfig SUCCESS\r\n")


def _query(machine: Machine, name: str, service: services.Service) -> list[str]:
    name_label, state_label = texts.STATE[machine.setting("locale")]
    state = services.state(service)
    accepts = "(STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)"
    return [
        "",
        f"{name_label}: {name} ",
        "        TYPE               : 10  WIN32_OWN_PROCESS  ",
        f"        {state_label:<19}: {state}  {services.CONSTANTS[state]} ",
        *([f"                                {accepts}"] if state == services.RUNNING else []),
        f"        WIN32_EXIT_CODE    : {service['exit_code']}  (0x{service['exit_code']:x})",
        "        SERVICE_EXIT_CODE  : 0  (0x0)",
        "        CHECKPOINT         : 0x0",
        "        WAIT_HINT          : 0x0",
    ]


def _net(machine: Machine, _program: str, arguments: list[str]) -> Done:
    verb, name = (arguments[0].lower(), arguments[1]) if len(arguments) == 2 else ("", "")
    act = {"start": services.start, "stop": services.stop}.get(verb)
    if act is None:
        raise NotUnderstood(f"net {' '.join(arguments)}")
    locale = machine.setting("locale")
    code = act(machine, name) if machine.setting("elevated") else services.ACCESS_DENIED
    if code:
        return Done(2, "", f"{texts.SYSTEM_ERROR[locale].format(code)}\r\n\r\nNET HELPMSG {code}\r\n")
    return Done(0, (texts.STARTED if verb == "start" else texts.STOPPED)[locale].format(name) + "\r\n\r\n")


KEY = r"hklm\system\currentcontrolset\services" + "\\"


def _reg(machine: Machine, _program: str, arguments: list[str]) -> Done:
    if len(arguments) != 2 or arguments[0].lower() != "query" or not arguments[1].lower().startswith(KEY):
        raise NotUnderstood(f"reg {' '.join(arguments)}")
    found = services.find(machine, arguments[1][len(KEY) :])
    if not found:
        return Done(1, "", f"{texts.NO_KEY[machine.setting('locale')]}\r\n")
    name, service = found
    values = [
        ("Type", "REG_DWORD", "0x10"),
        ("Start", "REG_DWORD", f"0x{service['start']:x}"),
        ("ErrorControl", "REG_DWORD", "0x1"),
        ("ImagePath", "REG_EXPAND_SZ", service["image"]),
        ("DisplayName", "REG_SZ", name),
        ("ObjectName", "REG_SZ", service["account"]),
        ("Description", "REG_SZ", service["description"]),
        *([("DelayedAutostart", "REG_DWORD", "0x1")] if service["delayed"] else []),
        *([("FailureActions", "REG_BINARY", _failure_actions(service))] if service["failure_actions"] else []),
        *([("FailureActionsOnNonCrashFailures", "REG_DWORD", "0x1")] if service["failure_on_non_crash"] else []),
        *([("DeleteFlag", "REG_DWORD", "0x1")] if service.get("marked_until") is not None else []),
    ]
    lines = ["", rf"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\{name}"]
    lines += [f"    {key}    {kind}    {value}" for key, kind, value in values]
    return Done(0, "\r\n".join([*lines, "", ""]))


def _failure_actions(service: services.Service) -> str:
    """SERVICE_FAILURE_ACTIONS as the registry keeps it; the pairs are a kind (1 is restart) and milliseconds."""
    pairs = [number for pair in service["failure_actions"] for number in pair]
    return struct.pack(f"<{5 + len(pairs)}I", 86400, 0, 0, len(pairs) // 2, 20, *pairs).hex().upper()


def _installer(machine: Machine, program: str, arguments: list[str]) -> Done:
    """The vendor's; its words and its exit codes are made up, and no one may rely on them."""
    if arguments[:1] not in (["install"], ["uninstall"]) or len(arguments) % 2 == 0:
        raise NotUnderstood(f"EventStore.WindowsManager.exe {' '.join(arguments)}")
    given = dict(zip(arguments[1::2], arguments[2::2]))
    wanted = {"-InstanceName", "-ManagerConfig"} if arguments[0] == "install" else {"-InstanceName"}
    if set(given) != wanted:
        raise NotUnderstood(f"EventStore.WindowsManager.exe {' '.join(arguments)}")
    if not machine.setting("logged_in"):
        return Done(0, "Cannot start service from the command line or a debugger.\r\n")
    name = given["-InstanceName"]
    if arguments[0] == "uninstall":
        code = services.uninstall(machine, name) if machine.setting("elevated") else services.ACCESS_DENIED
        return Done(1 if code else 0, f"uninstall: {code}\r\n")
    config = given["-ManagerConfig"]
    image = f'"{program}" -InstanceName {name} -ManagerConfig "{config}"'
    code = services.ACCESS_DENIED
    if machine.setting("elevated"):
        code = services.install(machine, name, image, f"Event Store Manager ({name})", config)
    return Done(1 if code else 0, f"install: {code}\r\n")


# -- what the machine is -----------------------------------------------------------------------------------------------


def _netstat(machine: Machine, _program: str, arguments: list[str]) -> Done:
    """Ports of HTTP are those of http.sys: on all addresses, and of process 4, which is Windows itself."""
    if arguments != ["-ano", "-p", "TCP"]:
        raise NotUnderstood(f"netstat {' '.join(arguments)}")
    locale = machine.setting("locale")
    own = {*machine.setting("addresses"), "0.0.0.0", "::"}
    http = {port for _pid, urls in _registered(machine) for port in _ports(urls)}
    rows = [(f"0.0.0.0:{port}", "0.0.0.0:0", texts.LISTENING[locale], 4) for port in sorted(http)]
    for each in psutil.net_connections("tcp4"):
        if not each.laddr or each.laddr.ip not in own:
            continue
        local = f"{each.laddr.ip}:{each.laddr.port}"
        if each.status == psutil.CONN_LISTEN and each.laddr.port not in http:
            rows.append((local, "0.0.0.0:0", texts.LISTENING[locale], each.pid or 4))
        elif each.status == psutil.CONN_ESTABLISHED and each.raddr:
            pid = 4 if each.laddr.port in http else each.pid or 4
            rows.append((local, f"{each.raddr.ip}:{each.raddr.port}", texts.ESTABLISHED[locale], pid))
    for process in machine.setting("foreign"):
        rows += [(local, "0.0.0.0:0", texts.LISTENING[locale], process["pid"]) for local in process.get("sockets", [])]
    lines = ["", "Active Connections", "", "  Proto  Local Address          Foreign Address        State           PID"]
    lines += [f"  TCP    {local:<22} {other:<22} {state:<15} {pid}" for local, other, state, pid in rows]
    return Done(0, "\r\n".join([*lines, ""]))


def _registered(machine: Machine) -> list[tuple[int, list[str]]]:
    """The URLs that http.sys listens on, and for which process, in the shape in which it shows them."""
    found = []
    stored = machine.read("services")
    managers = [(each.pid, stored[name]["config"], True) for name, each in services.running(machine)]
    nodes = [(each.pid, config, False) for _name, each, config in services.nodes(machine)]
    for pid, config, is_manager in [*managers, *nodes]:
        urls = services.urls_of(machine, config, is_manager=is_manager)
        shown = [re.sub(r"http://([0-9.]+):(\d+)/", r"HTTP://\1:\2:\1/", url) for url in urls if _answers(url)]
        found += [(pid, shown)] if shown else []
    return found + [(each["pid"], each["urls"]) for each in machine.setting("foreign") if each.get("urls")]


def _answers(url: str) -> bool:
    """Whether something listens there: a node that starts has not registered its URLs yet."""
    host, port = re.fullmatch(r"http://([0-9.]+):(\d+)/", url).groups()  # type: ignore[union-attr] # made so
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((host, int(port))) == 0


def _ports(urls: list[str]) -> list[int]:
    return [int(re.match(r"(?i)https?://(?:\[[^\]]*\]|[^/:]+):(\d+)", url)[1]) for url in urls]  # type: ignore[index]


def _queues(machine: Machine) -> Done:
    """The queues of http.sys, in both shapes of public captures: before Windows 10, numbers stand alone."""
    locale = machine.setting("locale")
    if not machine.setting("elevated"):
        return Done(1, f"\r\n{texts.ELEVATE[locale]}\r\n\r\n")
    head, queue, count, processes_, urls_ = texts.QUEUES[locale]
    lines = ["", f"{head}:", "-" * (len(head) + 1), ""]
    for pid, urls in _registered(machine):
        lines += [f"{queue}", "    Version: 2.0", f"    {count}: 1", f"    {processes_}:"]
        lines += [f"        ID: {pid}, image: <?>"] if machine.setting("locale") != "it" else [f"        {pid}"]
        lines += [f"    {urls_}:", *(f"        {url}" for url in urls), ""]
    return Done(0, "\r\n".join([*lines, ""]))


def _route(machine: Machine, _program: str, arguments: list[str]) -> Done:
    if arguments != ["print", "-4"]:
        raise NotUnderstood(f"route {' '.join(arguments)}")
    ruler = "=" * 75
    rows = [("127.0.0.0", "255.0.0.0", "On-link", "127.0.0.1", 331)]
    for address in machine.setting("addresses"):
        network = ipaddress.ip_interface(f"{address}/24").network
        rows.append((str(network.network_address), "255.255.255.0", "On-link", address, 281))
        rows.append((address, "255.255.255.255", "On-link", address, 281))
    lines = [
        *(ruler, "Interface List", "  1...........................Software Loopback Interface 1", ruler, ""),
        *("IPv4 Route Table", ruler, "Active Routes:"),
        "Network Destination        Netmask          Gateway       Interface  Metric",
        *(f"{to:>17} {mask:>16} {gateway:>16} {own:>16} {metric:>6}" for to, mask, gateway, own, metric in rows),
        *(ruler, "Persistent Routes:", "  None"),
    ]
    return Done(0, "\r\n".join([*lines, ""]))


def _whoami(machine: Machine, _program: str, arguments: list[str]) -> Done:
    if not arguments:
        return Done(0, f"{machine.setting('name').lower()}\\{machine.setting('user')}\r\n")
    if arguments != ["/groups", "/fo", "csv", "/nh"]:
        raise NotUnderstood(f"whoami {' '.join(arguments)}")
    high = machine.setting("elevated")
    label = ("High", "S-1-16-12288") if high else ("Medium", "S-1-16-8192")
    use = "Mandatory group, Enabled by default, Enabled group"
    rows = [
        ("Everyone", "Well-known group", "S-1-1-0", use),
        ("BUILTIN\\Administrators", "Alias", "S-1-5-32-544", use if high else "Group used for deny only"),
        (f"Mandatory Label\\{label[0]} Mandatory Level", "Label", label[1], ""),
    ]
    return Done(0, "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows))


PROGRAMS: dict[str, t.Callable[[Machine, str, list[str]], Done]] = {
    "netsh.exe": _netsh,
    "sc.exe": _sc,
    "net.exe": _net,
    "reg.exe": _reg,
    "netstat.exe": _netstat,
    "route.exe": _route,
    "whoami.exe": _whoami,
}

__all__ = ["Done", "command_line", "run", "split"]
