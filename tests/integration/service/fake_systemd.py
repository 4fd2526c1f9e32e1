# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for systemctl and journalctl, for units of one process; it refuses every word that it does not know.

Units are read at daemon-reload and only then, as systemd does with what it knows. Its world is in FAKE_SYSTEMD:
etc/ and lib/ with units, journal, state.json, and log with every call.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

WORLD = Path(os.environ["FAKE_SYSTEMD"])
STATE = WORLD / "state.json"


def refuse(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(1)


def read_state() -> dict:
    return json.loads(STATE.read_text()) if STATE.exists() else {"loaded": {}, "enabled": [], "pids": {}, "stopped": []}


def load(unit: str) -> dict | None:
    paths = [path for path in (WORLD / "etc" / unit, WORLD / "lib" / unit) if path.exists()]
    if not paths:
        return None
    texts = [paths[0].read_text(), *(path.read_text() for path in sorted((WORLD / "etc" / f"{unit}.d").glob("*.conf")))]
    settings: dict[str, list[str]] = {}
    for line in "\n".join(texts).splitlines():
        if not line or line[0] in "#[":
            continue
        name, _equals, value = line.partition("=")
        settings[name] = [*settings.get(name, []), value] if value else []
    return {"fragment": str(paths[0]), "settings": settings, "install": "[Install]" in texts[0]}


def words(text: str) -> list[str]:
    found = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', text):
        word = bare or re.sub(r"\\(.)", r"\1", quoted)
        found.append(word.replace("%%", "%").replace("$$", "$"))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def start(unit: str, loaded: dict) -> int:
    settings = loaded["settings"]
    environment = {"PATH": os.environ["PATH"]}
    for path in settings.get("EnvironmentFile", []):
        for line in Path(path).read_text().splitlines():
            match = re.fullmatch(r'(\w+)="(.*)"', line)
            if match:
                environment[match[1]] = re.sub(r"\\(.)", r"\1", match[2])
    with (WORLD / "journal").open("ab") as journal:
        for command in settings.get("ExecStartPre", []):
            if subprocess.run(words(command), env=environment, stdout=journal, stderr=journal).returncode:
                refuse(f"Job for {unit} failed because the control process exited with error code.")
        argv = words(settings["ExecStart"][-1])
        if len(settings["ExecStart"]) != 1:
            refuse(f"{unit}: Service has more than one ExecStart= setting")
        code = "import json,subprocess,sys; a,e,d=json.load(sys.stdin); "
        code += "print(subprocess.Popen(a,env=e,stdin=-3,stdout=2,stderr=2,cwd=d,start_new_session=True).pid)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps([argv, environment, settings.get("WorkingDirectory", ["/"])[-1]]).encode(),
            stdout=-1,
            stderr=journal,
        )
    return int(done.stdout) if done.returncode == 0 else 0


def properties(unit: str, state: dict) -> dict[str, str]:
    loaded = state["loaded"].get(unit)
    pid = state["pids"].get(unit, 0)
    if pid and alive(pid):
        active = ("deactivating", "stop-sigterm") if unit in state["stopped"] else ("active", "running")
    elif pid and unit not in state["stopped"]:
        active, pid = ("activating", "auto-restart"), 0
    else:
        active, pid = ("inactive", "dead"), 0
    on_disk = load(unit)
    switched = "enabled" if unit in state["enabled"] else "disabled" if on_disk and on_disk["install"] else "static"
    mask = WORLD / "etc" / unit
    masked = mask.is_symlink() and os.readlink(mask) == "/dev/null"
    return {
        "LoadState": "masked" if masked else "loaded" if loaded else "not-found",
        "ActiveState": active[0],
        "SubState": active[1],
        "MainPID": str(pid),
        "FragmentPath": loaded["fragment"] if loaded else "",
        "UnitFileState": "masked" if masked else switched if on_disk else "",
    }


def systemctl(arguments: list[str]) -> None:
    state = read_state()
    verb, options, names = arguments[0], arguments[1:-1], arguments[-1:]
    allowed = {"show": r"--property=[\w,]+", "stop": "--no-block"}.get(verb, "(?!)")
    if verb == "daemon-reload" and len(arguments) == 1:
        units = {path.name for place in ("etc", "lib") for path in (WORLD / place).glob("*.service")}
        state["loaded"] = {unit: load(unit) for unit in units}
    elif (
        verb not in ("show", "enable", "disable", "start", "stop", "reset-failed")
        or not all(re.fullmatch(allowed, option) for option in options)
        or not re.fullmatch(r"[\w.-]+\.service", names[0])
    ):
        refuse(f"Unknown command {arguments}")
    elif verb == "show":
        for name in options[0].partition("=")[2].split(","):
            print(f"{name}={properties(names[0], state)[name]}")
        return
    elif names[0] not in state["loaded"]:
        refuse(f"Failed to {verb} {names[0]}: Unit {names[0]} not found.")
    elif verb == "start":
        state["pids"][names[0]] = start(names[0], state["loaded"][names[0]])
        state["stopped"] = [unit for unit in state["stopped"] if unit != names[0]]
    elif verb == "stop":
        state["stopped"].append(names[0])
        if alive(state["pids"].get(names[0], 0)):
            os.kill(state["pids"][names[0]], signal.SIGTERM)
    elif verb == "enable":
        state["enabled"].append(names[0])
    elif verb == "disable":
        state["enabled"].remove(names[0])
    STATE.write_text(json.dumps(state))


def journalctl(arguments: list[str]) -> None:
    known = r"--unit=[\w.-]+\.service|--quiet|--no-pager|--output=cat|--lines=\d+|--since=@\d+"
    for argument in arguments:
        if not re.fullmatch(known, argument):
            refuse(f"journalctl: unrecognized option '{argument}'")
    print((WORLD / "journal").read_text(), end="")


with (WORLD / "log").open("a") as log:
    log.write(f"{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}\n")
{"systemctl": systemctl, "journalctl": journalctl}[Path(sys.argv[0]).name](sys.argv[1:])
