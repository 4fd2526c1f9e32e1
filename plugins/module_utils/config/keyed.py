# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The layers of servers from 21.6 on: defaults < YAML < JSON < environment < command line; from 26.0 on JSON < YAML.

Measured on 23.10.6, 24.10.4 and 26.1.0. In the environment each variable with the prefix is an option, also an empty
one. Up to 23.10 all names are options; from 24.6 on a name can be in a section, of which the server checks nothing.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import document, later, start, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.layers import DEFAULT, YAML, Effective, Setting
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

if t.TYPE_CHECKING:
    from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import Option, OptionSet

JSON, ENVIRONMENT, COMMAND_LINE = "Json", "Environment Variables", "Command Line"
# What a server of the new name says of layers with the old one.
OLD_JSON, OLD_ENVIRONMENT, OLD_COMMAND_LINE = (
    f"Event Store {name}" for name in ("Json File", ENVIRONMENT, COMMAND_LINE)
)
_ROOTS = {"EVENTSTORE_": "EventStore", "KURRENTDB_": "KurrentDB"}


@dataclass(frozen=True)
class _Given:
    """One option in one layer; ``name`` as it stands there, ``text`` as the server sees it, ``raw`` as it shows it."""

    option: Option
    text: str
    source: str
    where: str
    raw: str


class _Unknown(t.NamedTuple):
    """A name that no option has, where it stands, and what it was probably meant to be."""

    name: str
    where: str
    meant: str


class _Found:
    """What the layers hold, collected from the weakest to the strongest."""

    def __init__(self, options: OptionSet) -> None:
        self.options = options
        self.sections = options.traits.reader == families.SECTIONS
        self.given: list[_Given] = []
        self.unknown: list[_Unknown] = []
        self.ignored: list[str] = []

    def add(self, option: Option, text: str, source: str, where: str, raw: str | None = None) -> None:
        self.given.append(_Given(option, text, source, where, text if raw is None else raw))

    def add_unknown(self, name: str, where: str) -> None:
        self.unknown.append(_Unknown(name, where, later.meant(self.options, name)))

    def add_section(self, name: str, where: str) -> None:
        """A key with keys below it. Of a wrong one the server says nothing."""
        problem = self.options.section_problem(name)
        if problem:
            self.ignored.append(f"{where}: the server passes over it and what is below it: {problem}")


def effective(
    options: OptionSet,
    *,
    file: str | None = None,
    file_name: str = "",
    environment: t.Mapping[str, str] | None = None,
    arguments: t.Sequence[str] = (),
    json_files: t.Mapping[str, str] | None = None,
) -> Effective:
    """What a node started with these layers works with; ``start.Refused`` where it does not start.

    ``json_files``: path -> text of the files in ``config/`` beside the program and in /etc, in the order of reading.
    """
    found = _Found(options)
    words = list(_words(options, arguments))
    if options.traits.yaml_above_json:
        _json(found, json_files or {})
    _file(found, file, file_name)
    if not options.traits.yaml_above_json:
        _json(found, json_files or {})
    _environment(found, environment or {})
    _command_line(found, words)
    result = Effective(options, _settings(found), found.ignored)
    if not result.value("Help") and not result.value("Version"):
        if found.unknown and not result.value("AllowUnknownOptions"):
            raise _refused(options, found.unknown)
        start.check(result)
    return result


def _refused(options: OptionSet, unknown: t.Sequence[_Unknown]) -> start.Refused:
    first, *others = unknown
    told = [f"not an option of a database node {options.version}{f'; {first.meant}' if first.meant else ''}"]
    told += [f"nor is {each.where}{f'; {each.meant}' if each.meant else ''}" for each in others]
    hint = "Correct or remove it, or set AllowUnknownOptions"
    return start.refused(options, "; ".join(told), where=first.where, hint=hint, option=first.name)


def config_file(options: OptionSet, arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> str | None:
    """The file that the command line chooses, or the environment."""
    found = _Found(options)
    _environment(found, environment)
    _command_line(found, list(_words(options, arguments)))
    chosen = [each.text for each in found.given if each.option.name == "Config"]
    return chosen[-1] if chosen else None


def _settings(found: _Found) -> dict[str, Setting]:
    groups: dict[str, list[_Given]] = {}
    for each in found.given:
        groups.setdefault(each.option.name, []).append(each)
    settings = {}
    for option in found.options:
        given = groups.get(option.name)
        if given is None:
            raw = "" if option.default in (None, ()) else str(option.default)
            settings[option.name] = Setting(option, t.cast("values.Value", option.default), raw, DEFAULT)
            continue
        *hidden, winner = given
        hides = tuple((each.source, each.raw) for each in reversed(hidden))
        settings[option.name] = Setting(option, _convert(found, winner), winner.raw, winner.source, hides)
    for option in found.options:
        _hand_over(settings, option)
    return settings


def _hand_over(settings: dict[str, Setting], option: Option) -> None:
    """An old name counts while the new one has its default, whatever the layers (measured on 23.10.6 and 24.10.4)."""
    old, new = settings[option.name], settings.get(option.renamed)
    if new and new.option.type == option.type and old.value != option.default and new.value == new.option.default:
        settings[option.renamed] = Setting(new.option, old.value, old.raw, old.source, new.hides)


def _convert(found: _Found, given: _Given) -> values.Value:
    text = given.text
    if given.option.type in ("int", "int64") and given.source == YAML and not found.sections:
        text = text.replace("_", "")  # the YAML reader of 21.10 to 23.10
    try:
        return values.parse(given.option, text, found.options.traits)
    except ValueError as error:
        hint = values.EXPECTED[given.option.type]
        raise start.refused(found.options, str(error), where=given.where, hint=hint, option=given.option.name) from None


# -- YAML and JSON -------------------------------------------------------------------------------------------------


def _file(found: _Found, text: str | None, file_name: str) -> None:
    if text is None:
        return
    options, where = found.options, file_name or "the configuration file"
    try:
        read = document.read(text.removeprefix("\ufeff"), where=where, keyed=True)
    except ConfigError as error:
        raise start.unreadable(options, error) from None
    found.ignored += read.ignored
    for name, line, _end in read.sections:
        found.add_section(name, f"{where}, line {line}, {name}")
    for item in read.items:
        place = f"{where}, line {item.line}, {item.key}"
        option = _exact(options, item.key)
        if option and option.name == "Config":
            found.ignored.append(f"{place}: not followed; --config or the environment chooses the file")
        elif option:
            joined = (", " if found.sections else ",").join(item.raw) if isinstance(item.raw, tuple) else item.raw
            found.add(option, joined, YAML, place)
        else:
            _unread(found, item.key, place, is_list=isinstance(item.raw, tuple))


def _exact(options: OptionSet, name: str) -> Option | None:
    """A key of a file is the option's name in any case, and nothing else."""
    option = options.find(name)
    return option if option and option.name.lower() == name.lower() else None


def _unread(found: _Found, name: str, place: str, *, is_list: bool) -> None:
    """A key of a file that is no option's name: from 24.6 on some of them do nothing, without a word."""
    option = found.options.find(re.sub("[-_]", "", name.rpartition(":")[2]))
    if found.sections and (":" in name or option):
        meant = f"; write {option.name}" if option else ""
        found.ignored.append(f"{place}: the server accepts this spelling and does nothing with it{meant}")
    elif found.sections and is_list:
        found.add_section(name, place)
    else:
        found.add_unknown(name, place)


def _json(found: _Found, files: t.Mapping[str, str]) -> None:
    if not found.sections:
        return
    read = [(path, _object(found.options, path, text)) for path, text in files.items()]
    for prefix in reversed(found.options.traits.prefixes):
        root = _ROOTS[prefix]
        is_old = prefix != found.options.traits.prefixes[0]
        for path, content in read:
            inside = {key.lower(): value for key, value in content.items()}.get(root.lower())
            # Only the new name's reader takes names without a root, and takes them for the old name's.
            rootless = {
                key: value for key, value in content.items() if key.lower() not in map(str.lower, _ROOTS.values())
            }
            for name, value in {**(rootless if is_old else {}), **(inside if isinstance(inside, dict) else {})}.items():
                _json_value(found, name, value, OLD_JSON if is_old else JSON, f"{path}, {name}")


def _object(options: OptionSet, path: str, text: str) -> dict[str, t.Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise start.unreadable(options, ConfigError(f"not valid JSON: {error}", where=path)) from None
    return content if isinstance(content, dict) else {}


def _json_value(found: _Found, name: str, value: object, source: str, where: str) -> None:
    option = _exact(found.options, name)
    if isinstance(value, dict):
        found.add_section(name, where)
    elif option:
        text = ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        found.add(option, text, source, where)
    else:
        _unread(found, name, where, is_list=isinstance(value, list))


# -- environment ---------------------------------------------------------------------------------------------------


def _environment(found: _Found, environment: t.Mapping[str, str]) -> None:
    prefixes = found.options.traits.prefixes
    for prefix in reversed(prefixes):
        source = ENVIRONMENT if prefix == prefixes[0] else OLD_ENVIRONMENT
        for variable, text in environment.items():
            if variable.upper().startswith(prefix):
                _variable(found, prefix, variable, text, source)


def _variable(found: _Found, prefix: str, variable: str, text: str, source: str) -> None:
    where = f"environment variable {variable}"
    if not found.sections and not variable.startswith(prefix):
        found.ignored.append(f"{where}: not read; the server wants the prefix {prefix} in capital letters")
        return
    name = variable[len(prefix) :].lstrip("_")
    option = found.options.find(name.replace("_", ""))
    if found.sections and "__" in name:
        found.add_section(name.partition("__")[0].replace("_", ""), where)
    elif option:
        found.add(option, text, source, where)
    else:
        found.add_unknown(_pascal(name), where)


def _pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in name.split("_"))


# -- command line --------------------------------------------------------------------------------------------------


def _words(options: OptionSet, arguments: t.Sequence[str]) -> t.Iterator[tuple[str, str | None]]:
    """Name and value of each option; None as the value of a word that the server passes over."""
    if "" in arguments:
        raise start.unreadable(options, ConfigError("an empty argument; the server crashes", where="command line"))
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        is_named = word.startswith(("-", "/"))
        name = name.lstrip("-") if name.startswith("-") else name.removeprefix("/")
        if equals:
            yield name, value
        elif not is_named:
            yield word, None
        elif name[-1:] in ("+", "-") and name[:-1]:
            yield name[:-1], "true" if name[-1] == "+" else "false"
        elif not words or words[0].startswith("-"):
            yield name, "true"
        else:
            yield name, words.pop(0)


def _command_line(found: _Found, words: t.Iterable[tuple[str, str | None]]) -> None:
    roots = [_ROOTS[prefix].lower() for prefix in found.options.traits.prefixes]
    found_before = len(found.given)
    for name, value in words:
        where = f"command line, {name}"
        root, colon, inner = name.partition(":")
        if value is None:
            found.ignored.append(f"command line: {name!r} has no dash before it and is no value of an option")
        elif found.sections and colon and root.lower() not in roots:
            found.add_section(root, where)
        else:
            bare = inner if found.sections and colon else name
            source = OLD_COMMAND_LINE if found.sections and colon and root.lower() != roots[0] else COMMAND_LINE
            option = found.options.find(re.sub("[-_]", "", bare))
            if option:
                found.add(option, value, source, where)
            else:
                found.add_unknown(bare, where)
    # With the old root they are weaker, wherever they stand.
    found.given[found_before:] = sorted(found.given[found_before:], key=lambda each: each.source != OLD_COMMAND_LINE)


__all__ = [
    "COMMAND_LINE",
    "ENVIRONMENT",
    "JSON",
    "OLD_COMMAND_LINE",
    "OLD_ENVIRONMENT",
    "OLD_JSON",
    "config_file",
    "effective",
]
