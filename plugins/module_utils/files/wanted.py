# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""What a task makes of configuration files and of a watchdog file; modules and action plugins share it."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, layers, values, watchdog
from ansible_collections.eventstore.cluster.plugins.module_utils.config.doubts import doubts
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet, option_set
from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import is_secret_option, tells_of_secret
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

Params = t.Mapping[str, t.Any]

DAMAGED = "# Not shown: the file is damaged.\n"


@dataclass(frozen=True)
class Desired:
    """``text`` of the file, ``result`` of the task about it, ``warnings``; ``has_secret``: not for everybody to read.

    ``before`` and ``after`` are the texts without secrets, for a diff.
    """

    path: str
    text: str
    result: dict[str, t.Any]
    before: str
    after: str
    has_secret: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def diff(self) -> dict[str, str]:
        return {"before_header": self.path, "after_header": self.path, "before": self.before, "after": self.after}


Current = t.Callable[[str, t.Callable[[t.Optional[str]], object]], tuple[t.Optional[str], bool]]


def desire_all(params: Params, current: Current) -> list[Desired]:
    """All files of a task of es_config, none of which may be written if this raises.

    ``current(path, check)``: the text that is there, and whether it is damaged and may be replaced.
    """
    found: list[Desired] = []
    for each in each_file(params):
        path = each["path"]
        keyed = option_set(each["kind"], each["version"]).keyed
        before, damaged = current(path, functools.partial(refuse_damaged, where=path, keyed=keyed))
        found.append(desire(each, before, damaged=damaged))
        if each.get("nodes") is not None:
            listed = _watchdog_path(each, found[-1])
            before, damaged = current(listed, functools.partial(refuse_damaged_watchdog, where=listed))
            found.append(desire_watchdog(listed, each["nodes"], before, damaged=damaged))
    paths = [each.path for each in found]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError("two files have this path", where=path, hint="Nothing was written. Give each its own")
    return found


def merged(params: Params, results: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The result of a task of es_config, from that of each file."""
    if params.get("files") is None:
        return results[0]
    return {
        "changed": any(each["changed"] for each in results),
        "files": [{name: value for name, value in each.items() if name != "diff"} for each in results],
        "diff": [difference for each in results for difference in each.get("diff", ())],
    }


def each_file(params: Params) -> list[dict[str, t.Any]]:
    """The options of the task for each of its files."""
    files = params.get("files")
    return [dict(params)] if files is None else [{**params, **each} for each in files]


def _watchdog_path(params: Params, file: Desired) -> str:
    path = file.result["effective"].get("WatchdogConfig", {}).get("value")
    if not path:
        raise ConfigError(
            "nodes are given, but no WatchdogConfig that names the file to list them in",
            where=params["path"],
            hint="Give the option WatchdogConfig to a manager; a database node has none",
        )
    return str(path)


def desire_watchdog(
    path: str, nodes: t.Iterable[t.Sequence[object]], before: str | None, *, damaged: bool = False
) -> Desired:
    """The watchdog file for ``nodes``; WatchdogError for what it cannot express."""
    text = watchdog.wanted(nodes)
    listed = [list(entry.arguments) for entry in watchdog.parse(text)]
    return Desired(
        path=path,
        text=text,
        result={"changed": text != before, "path": path, "nodes": listed},
        before=DAMAGED if damaged else before or "",
        after=text,
    )


def desire(params: Params, before: str | None, *, damaged: bool = False) -> Desired:
    """The file as the task wants it, from the text that is there; ConfigError for what a server would misread.

    ``damaged``: there is a file, and it may be replaced without having been understood.
    """
    path = params["path"]
    options = option_set(params["kind"], params["version"])
    checked, warnings = _checked(params, options)
    if params["unknown_options"] != "error":
        kept = () if before is None or document.is_blank(before) else _read(options, before, path)
        options = options.extended(
            name for name in [*checked.unknown, *(item.key for item in kept)] if not options.find(name)
        )
    text = _new_text(params, options, before, checked.values)
    effective = _effective(params, options, text)
    warnings += [*(f"{path}: {text}" for text in doubts(effective)), *effective.ignored]
    result: dict[str, t.Any] = {
        "changed": text != before,
        "path": path,
        "effective": {
            name: {"value": _shown(setting, values.plain(setting.value)), "source": setting.source}
            for name, setting in effective.items()
        },
        "shadowed": _shadowed(effective),
        "ignored": list(effective.ignored),
    }
    return Desired(
        path=path,
        text=text,
        result=result,
        has_secret=_has_secret(effective, checked.values),
        before=DAMAGED if damaged else document.mask(options, before or ""),
        after=document.mask(options, text),
        warnings=warnings,
    )


def refuse_damaged(text: str | None, *, where: str, keyed: bool = False) -> None:
    """ConfigError if the server could not read the file; ``keyed`` as in ``document.read``."""
    if text is not None and not document.is_blank(text):
        document.read(text, where=where, keyed=keyed)


def refuse_damaged_watchdog(text: str | None, *, where: str) -> None:
    """WatchdogError if a line cannot be understood for certain."""
    watchdog.parse(text or "", where=where)


def secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    """The values of secret options in ``params``, misspelt ones too, as those are shown when they are refused."""
    found = {
        text
        for each in each_file(params)
        for name, value in _flat(each["options"])
        if is_secret_option(str(name))
        for text in _texts(value)
    }
    prefix = layers.PREFIX
    found.update(
        str(value)
        for name, value in params["environment"].items()
        if tells_of_secret(name)
        or (name.upper().startswith(prefix) and is_secret_option(name[len(prefix) :].replace("_", "")))
    )
    inside = False
    for word in params["arguments"]:
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and is_secret_option(name):
            found.add(value)
            inside = not equals
        elif inside:
            found.add(word)
    return found - {""}


def _flat(options: t.Mapping[t.Any, t.Any]) -> t.Iterator[tuple[t.Any, t.Any]]:
    """Options, and what is below sections, by their names."""
    for name, value in options.items():
        yield name, value
        if isinstance(value, dict):
            yield from _flat(value)


def _texts(value: object) -> t.Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    else:
        yield str(value)


def _new_text(params: Params, options: OptionSet, before: str | None, wanted: dict[str, values.Value]) -> str:
    whole = params["exclusive"] or before is None
    if not wanted and not options.keyed and (whole or document.is_blank(before or "")):
        raise ConfigError(
            "the file would hold no option, and the server crashes on an empty file or one of comments only",
            where=params["path"],
            hint="Give at least one option, such as Db",
        )
    if whole or before is None:
        return document.to_text(wanted, header=params["header"])
    return document.edit(before, wanted, options=options, where=params["path"])


def _checked(params: Params, options: OptionSet) -> tuple[values.Checked, list[str]]:
    strict = params["unknown_options"] == "error"
    checked = values.check(options, params["options"], refuse_unknown=strict)
    told = checked.unknown.values() if params["unknown_options"] == "warn" else ()
    return checked, [f"Written all the same: {why}" for why in told]


def _effective(params: Params, options: OptionSet, text: str) -> layers.Effective:
    environment = {name: str(value) for name, value in params["environment"].items()}
    chosen = layers.config_file(options, params["arguments"], environment)
    if chosen is not None and chosen != params["path"]:
        is_argument = layers.config_file(options, params["arguments"]) is not None
        by, where = ("--config", "arguments") if is_argument else ("a variable", "environment")
        raise ConfigError(
            f"{by} chooses {chosen}, not the file that is written, {params['path']}",
            where=where,
            hint="Use the same path in both",
        )
    return layers.effective(
        options,
        file=text,
        file_name=params["path"],
        environment=environment,
        arguments=params["arguments"],
    )


def _shown(setting: layers.Setting, value: object) -> object:
    return document.MASK if setting.option.secret and value else value


def _shadowed(effective: layers.Effective) -> dict[str, dict[str, object]]:
    shadowed = {}
    for name, setting in effective.items():
        in_file = [raw for source, raw in setting.hides if source in layers.FILES]
        if in_file and setting.source not in layers.FILES and name != "Config":
            shadowed[name] = {
                "in_file": _shown(setting, in_file[0]),
                "value": _shown(setting, values.plain(setting.value)),
                "source": setting.source,
            }
    return shadowed


def _read(options: OptionSet, text: str, path: str) -> tuple[document.Item, ...]:
    return document.read(text, where=path, keyed=options.keyed).items


def _has_secret(effective: layers.Effective, wanted: t.Mapping[str, object]) -> bool:
    in_sections = any(tells_of_secret(str(wanted[name])) for name in wanted if isinstance(wanted[name], dict))
    in_file = (each for each in effective.values() if _sources(each) & set(layers.FILES))
    return in_sections or any(each.option.secret for each in in_file)


def _sources(setting: layers.Setting) -> set[str]:
    return {setting.source, *(source for source, _raw in setting.hides)}


__all__ = [
    "Desired",
    "desire",
    "desire_all",
    "desire_watchdog",
    "merged",
    "refuse_damaged",
    "refuse_damaged_watchdog",
    "secrets",
]
