# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""The four layers: defaults < configuration file < environment < command line, decided as the server decides."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils import families
from ansible_collections.eventstore.cluster.plugins.module_utils.config import addresses, document, later, values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import Option, OptionSet
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

DEFAULT = "<DEFAULT>"
CONFIG_FILE = "Config File"
YAML = "Yaml"  # the same, from 21.6 on
FILES = (CONFIG_FILE, YAML)
ENVIRONMENT = "Environment Variable"
COMMAND_LINE = "Command Line"

PREFIX = "EVENTSTORE_"
_REFERENCE = re.compile(r"\$\{env:(\w+)\}")


@dataclass(frozen=True)
class Setting:
    """The winner of one option. ``raw`` is the text as the server's dump shows it, ``hides`` what weaker layers say."""

    option: Option
    value: values.Value
    raw: str
    source: str
    hides: tuple[tuple[str, str], ...] = ()


class Effective(t.Mapping[str, Setting]):
    """Option name -> Setting, in the order of the dump; ``ignored``: what the server skips or misreads in silence."""

    def __init__(self, options: OptionSet, settings: t.Mapping[str, Setting], ignored: t.Iterable[str]) -> None:
        self.options = options
        self._settings = dict(settings)
        self.ignored = tuple(ignored)

    def __getitem__(self, name: str) -> Setting:
        return self._settings[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def value(self, name: str) -> t.Any:
        return self._settings[name].value

    @property
    def by_name(self) -> dict[str, t.Any]:
        """All values, as ``addresses`` takes them."""
        return {name: setting.value for name, setting in self.items()}


@dataclass(frozen=True)
class _Given:
    """One option in one layer. ``text``: what is converted; None stands for a switch without a value."""

    name: str
    text: str | None
    raw: str
    source: str
    where: str


def effective(
    options: OptionSet,
    *,
    file: str | None = None,
    file_name: str = "",
    environment: t.Mapping[str, str] | None = None,
    arguments: t.Sequence[str] = (),
) -> Effective:
    """What a node started with these layers works with. ``file`` is the text of its configuration file.

    ConfigError where the server refuses or crashes, with place and a way out.
    """
    if options.keyed:
        from ansible_collections.eventstore.cluster.plugins.module_utils.config import keyed

        return keyed.effective(options, file=file, file_name=file_name, environment=environment, arguments=arguments)
    environment = environment or {}
    given, ignored = _command_line(options, arguments)
    from_environment, more = _environment(options, environment)
    given += from_environment
    ignored += more
    if file is not None:
        from_file, more = _file(options, file, file_name, chosen=config_file(options, arguments) is not None)
        given += from_file
        ignored += more
    for each in given:
        if options.find(each.name) is None:
            raise _unknown(options, each)
    settings: dict[str, Setting] = {}
    for option, group in _by_option(options, given):
        winner = min(group, key=lambda each: _STRENGTH.index(each.source))
        hidden = sorted((each for each in group if each is not winner), key=lambda each: _STRENGTH.index(each.source))
        ignored += [
            f"{each.where}: ignored, {winner.where} gives {option.name} first"
            for each in hidden
            if each.source == winner.source
        ]
        if option.type == "bool" and winner.text is not None and winner.text.lower() not in _BOOLEANS:
            ignored.append(f"{winner.where}: {winner.text!r} is true to the server; only false and 0 are false to it")
        hides = tuple((each.source, each.raw) for each in hidden)
        settings[option.name] = Setting(option, _convert(options, option, winner), winner.raw, winner.source, hides)
    for option in options:
        if option.name not in settings:
            settings[option.name] = Setting(option, t.cast("values.Value", option.default), _default(option), DEFAULT)
    result = Effective(options, settings, ignored)
    if not options.traits.managers:
        from ansible_collections.eventstore.cluster.plugins.module_utils.config import start

        start.check(result)
    elif options.kind == "database":
        _refuse_start(options, result)
    return result


_BOOLEANS = ("true", "false", "1", "0")
_STRENGTH = (COMMAND_LINE, ENVIRONMENT, CONFIG_FILE)


def _by_option(options: OptionSet, given: t.Iterable[_Given]) -> t.Iterable[tuple[Option, list[_Given]]]:
    groups: dict[str, tuple[Option, list[_Given]]] = {}
    for each in given:
        option = t.cast("Option", options.find(each.name))
        groups.setdefault(option.name, (option, []))[1].append(each)
    return groups.values()


def _unknown(options: OptionSet, each: _Given) -> ConfigError:
    name, equals, _value = each.name.partition("=")
    if equals:
        hint = f"Write --{name} VALUE; = is not read behind one dash, nor where the value ends in + or -"
    else:
        meant = later.meant(options, name)
        hint = f"{meant[0].upper()}{meant[1:]}" if meant else "Remove it"
    return ConfigError(f"not an option of a {options.kind} node {options.version}", where=each.where, hint=hint)


def _convert(options: OptionSet, option: Option, given: _Given) -> values.Value:
    if given.text is None and option.type != "bool":
        raise ConfigError(
            f"{option.name} has no value; the server reads {given.raw} and cannot convert it",
            where=given.where,
            hint=f"Write {option.flag} VALUE, or leave it out",
        )
    if given.text is None:
        return given.raw == "True"
    try:
        value = values.parse(option, given.text, options.traits)
    except ValueError as error:
        raise ConfigError(str(error), where=given.where, hint=values.EXPECTED[option.type]) from None
    if "Port" in option.name and isinstance(value, int) and not 0 <= value <= 65535:
        raise ConfigError(
            f"{value} is not a port; the server crashes", where=given.where, hint="Write a number from 1 to 65535"
        )
    return value


def _default(option: Option) -> str:
    return "" if option.default in (None, ()) else str(option.default)


# -- command line --------------------------------------------------------------------------------------------------


def config_file(
    options: OptionSet, arguments: t.Sequence[str], environment: t.Mapping[str, str] | None = None
) -> str | None:
    """The file that ``--config`` on the command line chooses; from 21.6 on a variable of the environment can too."""
    if options.keyed:
        from ansible_collections.eventstore.cluster.plugins.module_utils.config import keyed

        return keyed.config_file(options, arguments, environment or {})
    for name, value, _stray in _switches(options, arguments):
        # The server looks the word up before it removes dashes: --con-fig sets the option and chooses no file.
        if name.lower() == "config" and value not in (None, "", "+", "-"):
            return value
    return None


def _command_line(options: OptionSet, arguments: t.Sequence[str]) -> tuple[list[_Given], list[str]]:
    given: list[_Given] = []
    ignored: list[str] = []
    for name, value, strays in _switches(options, arguments):
        option = options.find(name)
        if value is not None:
            given.append(_switch(name, value))
        if strays:
            after = f" after {option.flag}" if option else ""
            shown = "a word" if option and option.secret else " ".join(repr(word) for word in strays)
            ignored.append(f"command line: {shown}{after} has no dash before it and is no value of an option")
    names = [each.name.lower() for each in given]
    for each in given:
        if names.count(each.name.lower()) > 1:
            raise ConfigError("stands there twice; the server crashes", where=each.where, hint="Write it once")
    return given, ignored


def _switch(name: str, value: str) -> _Given:
    where = f"command line, --{name.partition('=')[0]}"  # with one dash and =, the value is a part of the name
    if value in ("", "+", "-"):
        return _Given(name, None, str(value != "-"), COMMAND_LINE, where)
    return _Given(name, value, value, COMMAND_LINE, where)


def _switches(options: OptionSet, arguments: t.Sequence[str]) -> list[tuple[str, str | None, list[str]]]:
    """Name, value and the stray words behind it; words before the first option stand behind an empty name and None.

    Source: CommandLine.cs; 3.4.0 was measured to do the same.
    """
    found: list[tuple[str, str | None, list[str]]] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            if not found:
                found.append(("", None, []))
            found[-1][2].append(word)
            continue
        if not word.strip("-+"):
            raise ConfigError(f"{word!r} names no option; the server crashes", where="command line", hint="Remove it")
        if word.startswith("--") and word[-1] in "+-":
            name, value = word[2:-1], word[-1]
        elif word.startswith("--") and "=" in word:
            name, _equals, value = word[2:].partition("=")
        else:
            name, value = word, ""
            option = options.find(name)
            if words and option and option.type == "bool" and words[0].lower() not in ("true", "false", "0", "1"):
                value = "true"
            elif words:
                value = words.pop(0)
        found.append((name.lstrip("-"), value, []))
    return found


# -- environment ---------------------------------------------------------------------------------------------------


def _environment(options: OptionSet, environment: t.Mapping[str, str]) -> tuple[list[_Given], list[str]]:
    given: list[_Given] = []
    ignored: list[str] = []
    names = {option.environment_name: option for option in options}
    for variable, option in names.items():
        text = environment.get(variable)
        where = f"environment variable {variable}"
        if text == "":
            ignored.append(f"{where}: empty, which counts as not set")
        if not text:
            continue
        if option.name == "Config":
            ignored.append(f"{where}: its file is not read; only --config on the command line chooses a file")
        named = reference(options.version, text)
        if named:
            text = environment.get(named, "")
            if not text:
                raise ConfigError(
                    f"{named} is not set; {option.name} would silently get the server's own default",
                    where=where,
                    hint=f"Set {named}",
                )
        given.append(_Given(option.name, text, text, ENVIRONMENT, where))
    ignored += [
        f"environment variable {variable}: not known to the server{_meant(options, variable)}"
        for variable in environment
        if variable.upper().startswith(PREFIX) and variable not in names
    ]
    return given, ignored


def reference(version: str, text: str) -> str:
    """The other variable whose value a server takes in place of ``text``; empty if it takes the text."""
    match = _REFERENCE.fullmatch(text) if families.traits(version).references else None
    return match[1] if match else ""


def _meant(options: OptionSet, variable: str) -> str:
    meant = later.meant(options, variable[len(PREFIX) :], lambda option: option.environment_name)
    return f"; {meant}" if meant else ""


# -- file ----------------------------------------------------------------------------------------------------------


def _file(options: OptionSet, text: str, file_name: str, *, chosen: bool) -> tuple[list[_Given], list[str]]:
    where = file_name or "the configuration file"
    found = document.read(text, where=where)
    given: list[_Given] = []
    ignored = list(found.ignored)
    if file_name and not chosen and options.find("Config"):
        given.append(_Given("Config", file_name, file_name, CONFIG_FILE, where))
    for item in found.items:
        place = f"{where}, line {item.line}, {item.key}"
        if item.key.replace("-", "").lower() == "config":
            ignored.append(f"{place}: not followed; only --config on the command line chooses a file")
            if file_name:
                continue
        raw = item.raw if isinstance(item.raw, str) else f"[ {', '.join(item.raw)} ]" if item.raw else ""
        given.append(_Given(item.key, document.joined(item.raw), raw, CONFIG_FILE, place))
    return given, ignored


# -- what the server checks when it starts -------------------------------------------------------------------------


def _refuse_start(options: OptionSet, result: Effective) -> None:
    for name, problem, hint in _start_problems(options, result.value, result.by_name):
        raise ConfigError(problem, where=f"{name} ({result[name].source})", hint=hint)


def _start_problems(
    options: OptionSet, value: t.Callable[[str], t.Any], every: addresses.Options
) -> t.Iterable[tuple[str, str, str]]:
    """What the server reads and then refuses or crashes on. Measured, or in Program.cs and VNodeBuilder.cs."""
    if not value("Db"):
        yield "Db", "is empty; the server crashes", "Write the directory of the data"
    for name in ("Db", "Log"):
        if value(name).startswith("~") and not value("Force"):
            yield name, "begins with ~, which the server refuses", "Write the whole path"
    if value("DiscoverViaDns") and not value("ClusterDns").strip():
        yield "ClusterDns", "is empty while DiscoverViaDns is true", "Write the DNS name of the cluster"
    alone = value("ClusterSize") > 1 and not value("DiscoverViaDns") and not value("GossipSeed")
    if alone and not families.traits(options.version).starts_alone:
        yield "GossipSeed", "is empty while DiscoverViaDns is false", "Write the addresses of the other nodes"
    internal_tls = value("UseInternalSsl") and value("IntSecureTcpPort")
    if value("UseInternalSsl") and not (internal_tls and value("SslTargetHost") not in ("", "n/a")):
        yield "UseInternalSsl", "is true without SslTargetHost or without IntSecureTcpPort", "Set both"
    for side in addresses.SIDES:
        name, refused = f"{side}HttpPrefixes", addresses.refused_prefixes(every, side)
        if refused:  # HttpListener throws
            told = "; ".join(f"{text!r}: {why}" for text, why in refused.items())
            yield name, f"has what the server crashes on: {told}", "Write prefixes such as http://*:2113/"
    tls_only = options.find("DisableInsecureTCP") and value("DisableInsecureTCP")
    if tls_only and not (internal_tls and value("ExtSecureTcpPort")):
        problem = "is true without UseInternalSsl, IntSecureTcpPort or ExtSecureTcpPort"
        yield "DisableInsecureTCP", problem, "Set all three"


__all__ = [
    "COMMAND_LINE",
    "CONFIG_FILE",
    "DEFAULT",
    "ENVIRONMENT",
    "FILES",
    "YAML",
    "Effective",
    "Setting",
    "config_file",
    "effective",
    "reference",
]
