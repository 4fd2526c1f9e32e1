# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of es_urlacl, which does all of its work: netsh on the host, everything else here."""

from __future__ import annotations

import typing as t

from ansible_collections.eventstore.cluster.plugins.module_utils.errors import HostError
from ansible_collections.eventstore.cluster.plugins.module_utils.windows import script, urlacl
from ansible_collections.eventstore.cluster.plugins.modules.es_urlacl import ARGUMENTS, RULES
from ansible_collections.eventstore.cluster.plugins.plugin_utils.action import HostAction

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.plugin_utils.windows.host import Host


class ActionModule(HostAction):
    """Brings the reservations to their state and proves it; on POSIX the module says that there are none."""

    def on_windows(self, host: Host, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        del task_vars
        params = self.windows_params(ARGUMENTS, **RULES)
        given = params["urls"] if params["url"] is None else [params["url"]]
        wanted = list({url.key: url for url in (urlacl.parse_url(text) for text in given)}.values())
        sddl = None if params["state"] == "absent" else _sddl(host, params)
        existing = _read(host)
        steps = urlacl.plan(wanted, sddl, existing)
        if steps:
            _take(host, steps)
        conflicts = urlacl.conflicts(wanted, sddl, existing)
        result: dict[str, t.Any] = {
            "changed": bool(steps),
            "urls": [str(url) for url in wanted],
            "sddl": sddl or "",
            "conflicts": [{"url": each.spelling, "sddl": each.sddl, "reason": each.reason} for each in conflicts],
            "diff": {
                "before": "".join(f"{step.stored} {step.before}\n" for step in steps if step.before),
                "after": "".join(f"{step.url} {step.after}\n" for step in steps if step.after),
            },
        }
        if conflicts and sddl is not None:
            result["warnings"] = [
                f"{each.spelling} is reserved as well ({each.reason}): {each.sddl}. If nothing needs it, remove it: "
                f"es_urlacl with url: {each.spelling} and state: absent"
                for each in conflicts
            ]
        return result


def _sddl(host: Host, params: dict[str, t.Any]) -> str:
    if params["sddl"] is not None:
        return urlacl.check_sddl(params["sddl"])
    user = params["user"]
    sid = urlacl.known_sid(user) or host.ask(script.sid_of(user), expected="SID", where=f"user {user}")
    return urlacl.to_sddl(sid, listen=params["listen"], delegate=params["delegate"])


def _read(host: Host) -> list[urlacl.Reservation]:
    command = urlacl.show_command()
    ran = host.run(*command)
    if ran.code:
        raise HostError(
            f"exited with {ran.code} and printed {ran.output!r}",
            where=f"{host.name}, {' '.join(command)}",
            hint="Connect as an administrator",
        )
    return urlacl.parse_show(ran.output)


def _take(host: Host, steps: list[urlacl.Step]) -> None:
    """Change the prefixes, read them back, and put the old reservation of each back that has not the new one."""
    commands = [command for step in steps for command in step.commands]
    rans = host.change_all(commands, then=[script.run(*urlacl.show_command())])
    if host.check_mode:
        return
    existing = _read(host)
    failed = [step for step in steps if urlacl.plan([step.url], step.after or None, existing)]
    if not failed:
        return
    printed = "; ".join(f"exit code {ran.code}: {ran.output}" for ran in rans if ran.code)
    left = " ".join(f"{step.url}: {_put_back(host, step)}." for step in failed)
    raise HostError(
        f"the reservation is wrong after netsh exited ({printed or 'with 0'}). {left}",
        where=f"{host.name}, {', '.join(str(step.url) for step in failed)}",
        hint="Connect as an administrator, with an elevated session",
    )


def _put_back(host: Host, step: urlacl.Step) -> str:
    """Make the prefix what it was; what has become of it, in words."""
    if step.before in ("", urlacl.UNKNOWN):
        return f"Check it: {' '.join(urlacl.show_command())}"
    old = urlacl.parse_url(step.stored, where="url")
    for undo in urlacl.plan([old], step.before, _read(host)):
        for command in undo.commands:
            host.change(*command)
    if urlacl.plan([old], step.before, _read(host)):
        return f"The old one is lost. Restore it: {' '.join(urlacl.add_command(step.stored, step.before))}"
    return "It is unchanged"


__all__ = ["ActionModule"]
