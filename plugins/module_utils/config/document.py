# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change in any release.
"""A configuration file: read as the server reads it, written so that the server reads what was asked for."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.eventstore.cluster.plugins.module_utils.config import values
from ansible_collections.eventstore.cluster.plugins.module_utils.config.options import OptionSet
from ansible_collections.eventstore.cluster.plugins.module_utils.config.secret import tells_of_secret
from ansible_collections.eventstore.cluster.plugins.module_utils.errors import ConfigError

try:
    import yaml
except ImportError:  # argspec.require_yaml tells the user
    HAS_YAML = False
else:
    HAS_YAML = True

MASK = "********"
_NOT_SHOWN = "# Not shown, as a secret is in it that cannot be told from the rest.\n"

# Where the server takes a TAB for a blank and PyYAML does not: before a comment, behind a key, at the end of a line.
_TABS = re.compile(
    r"""
      ^[\w-]+:[ \t]+[^\s'"\[{|>&*!\#][^\#\n]*?\t[ \t]*(?=\#)
    | ^[\w-]+:[ \t]*\t
    | (?<![ \t])[ \t]*\t[ \t]*$
    """,
    re.MULTILINE | re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z0-9/\\._](?:[A-Za-z0-9/\\._,@+=%()$-]|:(?=[^ ])|(?<=[^ ]) (?=[^ ]))*")


MAX_BRACKETS = 200


@dataclass(frozen=True)
class Item:
    """``raw``: a text, or a tuple of texts for a list. ``line`` to ``last_line`` count from 1."""

    key: str
    raw: str | tuple[str, ...]
    line: int
    last_line: int
    end_column: int


@dataclass(frozen=True)
class Document:
    """``items`` in the order of the file, two spellings of one option included; ``ignored``: what the server skips.

    ``sections``: names of keys with settings below them, their first and last lines.
    """

    where: str
    items: tuple[Item, ...]
    ignored: tuple[str, ...]
    sections: tuple[tuple[str, int, int], ...] = ()


def read(text: str, *, where: str, keyed: bool = False) -> Document:
    """Read ``text`` as the server does; ConfigError where the server refuses or crashes.

    ``keyed``: as servers from 21.6 on do. An empty file, entries with a colon in a list and a value of nothing are fine
    then, and the same key in another case is not.
    """
    roots = _compose(text, where)
    if not roots and keyed:
        return Document(where, (), ())
    if not roots:
        raise ConfigError("the file holds nothing but comments, with which the server crashes", where=where)
    root = roots[0]
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            "expected lines of the form 'Option: value'; the server crashes on a list, a single value or nothing",
            where=f"{where}, line {root.start_mark.line + 1}",
        )
    for each in roots[:1] if keyed else roots:
        _refuse_unread(each, where, keyed=keyed)
    items = []
    ignored = []
    sections = []
    for key, value in root.value:
        line = key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode) or (keyed and _has_mappings(value)):
            end = value.end_mark
            sections.append((str(key.value), line, max(end.line if end.column == 0 else end.line + 1, line)))
            continue
        last = value.value[-1] if isinstance(value, yaml.SequenceNode) and value.value else value
        end = (value if isinstance(value, yaml.SequenceNode) and value.flow_style else last).end_mark
        # A block scalar ends where the next line begins.
        last_line = end.line if end.column == 0 and end.line >= line else end.line + 1
        items.append(Item(key.value, _raw(key, value, where, keyed=keyed), line, last_line, end.column))
    if not keyed:
        ignored = [
            f"{where}, line {line}: {name} has nested settings, which the server skips" for name, line, _end in sections
        ]
    if len(roots) > 1:
        line = roots[1].start_mark.line + 1
        ignored.append(f"{where}, line {line}: a second document begins, and the server reads only the first")
    return Document(where, tuple(items), tuple(ignored), tuple(sections))


def _has_mappings(node: t.Any) -> bool:
    return isinstance(node, yaml.SequenceNode) and any(not isinstance(each, yaml.ScalarNode) for each in node.value)


def is_blank(text: str) -> bool:
    """Whether ``text`` is empty, or only comments and document marks."""
    return all(line.strip() in ("", "---", "...") or line.lstrip().startswith("#") for line in text.splitlines())


def _compose(text: str, where: str) -> list[t.Any]:
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise ConfigError(
            f"not valid YAML: more than {MAX_BRACKETS} brackets", where=where
        )  # PyYAML takes their square in time
    text = _TABS.sub(lambda match: match[0].replace("\t", " "), text)
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        raise ConfigError(f"not valid YAML: {error.problem or error.context}", where=place) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError("a character that YAML does not allow", where=f"{where}, line {line}") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"not valid YAML: {type(error).__name__}", where=where) from None


def _refuse_unread(root: t.Any, where: str, *, keyed: bool) -> None:
    """Refuse what PyYAML accepts and the server's YamlDotNet does not, or what has no form as text."""
    seen: set[int] = set()
    nodes = [(root, False)]
    while nodes:
        node, in_flow = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        place = f"{where}, line {node.start_mark.line + 1}"
        if isinstance(node, yaml.ScalarNode):
            if in_flow and not keyed and node.style is None and re.search("[:?]", node.value):
                raise ConfigError(
                    "an entry with ':' or '?' in a list in brackets has no quotes; the server finds an unexpected ':'",
                    where=place,
                    hint="Write ['192.168.1.11:30777']",
                )
            if re.search("[\ud800-\udfff]", node.value):
                raise ConfigError("an escape stands for half a character", where=place)
            continue
        flow = in_flow or bool(node.flow_style)
        if isinstance(node, yaml.SequenceNode):
            nodes.extend((child, flow) for child in node.value)
            continue
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key is not a plain name", where=f"{where}, line {line}")
            name = key.value.lower() if keyed else key.value
            if name in first_lines:
                raise ConfigError(
                    f"{key.value} stands here a second time; the server refuses a duplicate key",
                    where=f"{where}, line {line}",
                    hint=f"The first one is in line {first_lines[name]}: remove one of them",
                )
            first_lines[name] = line
            nodes += [(key, flow), (value, flow)]


def _raw(key: t.Any, value: t.Any, where: str, *, keyed: bool) -> str | tuple[str, ...]:
    if isinstance(value, yaml.ScalarNode):
        return "" if keyed and value.tag == "tag:yaml.org,2002:null" else str(value.value)
    for entry in value.value:
        if not isinstance(entry, yaml.ScalarNode):
            raise ConfigError(
                f"{key.value} has a list or a mapping within its list; the server takes only plain values there",
                # An alias has the place of what it stands for, which is above.
                where=f"{where}, line {max(key.start_mark.line, entry.start_mark.line) + 1}",
            )
    return tuple(str(entry.value) for entry in value.value)


# -- writing -------------------------------------------------------------------------------------------------------


def render(options: OptionSet, wanted: t.Mapping[str, object], *, header: str = "") -> str:
    """The text of a file with ``wanted`` in the given order. ConfigError lists every value the server would misread."""
    return to_text(values.check(options, wanted).values, header=header)


def to_text(checked: t.Mapping[str, values.Value], *, header: str = "") -> str:
    """The text of a file with values that ``values.check`` returned; ``header`` is a comment above them."""
    comments = [f"# {line}".rstrip() for line in header.splitlines()]
    return "\n".join([*comments, "---", *(_line(name, value) for name, value in checked.items())]) + "\n"


def edit(text: str, checked: t.Mapping[str, values.Value], *, options: OptionSet, where: str) -> str:
    """``text`` with ``checked`` in place of, or after, what it sets; all other lines stay as they are.

    A line whose value already reads as wanted is left alone; a byte order mark goes. ConfigError where lines cannot be
    changed one by one.
    """
    text = text.removeprefix("\ufeff")
    document = Document(where, (), ()) if is_blank(text) else read(text, where=where, keyed=options.keyed)
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if "\r\n" in text else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    first: dict[str, Item] = {}
    for item in document.items:
        first.setdefault(_name(options, item.key), item)
    end = max((item.last_line for item in document.items), default=len(lines))
    added = [_line(name, value) + newline for name, value in checked.items() if name not in first]
    lines[end:end] = added
    for name, item in sorted(first.items(), key=lambda pair: -pair[1].line):
        if name in checked and not _reads_as(options, name, item, checked[name]):
            rest = lines[item.last_line - 1][item.end_column :] if item.line == item.last_line else newline
            lines[item.line - 1 : item.last_line] = [_line(name, checked[name]) + rest]
    edited = "".join(lines)
    _verify_edit(document, edited, checked, options)
    return edited


def _verify_edit(document: Document, edited: str, checked: t.Mapping[str, values.Value], options: OptionSet) -> None:
    kept = [(item.key, item.raw) for item in document.items if _name(options, item.key) not in checked]
    try:
        found = read(edited, where=document.where, keyed=options.keyed)
        same = [name for name, *_lines in document.sections] == [name for name, *_lines in found.sections]
        if same and kept == [(item.key, item.raw) for item in found.items if _name(options, item.key) not in checked]:
            first: dict[str, Item] = {}
            for item in found.items:
                first.setdefault(_name(options, item.key), item)
            if all(_reads_as(options, name, first[name], value) for name, value in checked.items()):
                return
    except (ConfigError, KeyError):
        pass
    raise ConfigError(
        "the file is written in a way in which single options cannot be changed safely",
        where=document.where,
        hint="Write one option a line, or let the whole file be replaced (exclusive: true)",
    )


def _name(options: OptionSet, key: str) -> str:
    option = options.find(key)
    return option.name if option else key


def _reads_as(options: OptionSet, name: str, item: Item, value: values.Value) -> bool:
    option = options.find(name)
    if option is None:
        return item.raw == value
    try:
        return values.parse(option, joined(item.raw), options.traits) == value
    except ValueError:
        return False


def joined(raw: str | tuple[str, ...]) -> str:
    """A list as the server sees it when it reads the value: joined by commas."""
    return raw if isinstance(raw, str) else ",".join(raw)


def _line(name: str, value: values.Value) -> str:
    return f"{name}: {_scalar_or_list(value)}"


def _scalar_or_list(value: values.Value) -> str:
    if isinstance(value, dict):  # a section: a mapping in one line, which is YAML too
        return json.dumps(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(str(item)) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def mask(options: OptionSet, text: str) -> str:
    """``text`` with the values of secret options hidden; none of it where a secret cannot be told from the rest."""
    secrets = {option.name.lower() for option in options if option.secret}
    try:
        found = Document("", (), ()) if is_blank(text) else read(text, where="", keyed=options.keyed)
    except ConfigError:
        return _NOT_SHOWN if _mentions(secrets, text) else text
    lines = text.splitlines(keepends=True)
    for name, first, last in found.sections:
        # What is below a key is the plugins': a password, a token or a key has one of these words in its name.
        if any(tells_of_secret(line) for line in lines[first - 1 : last]):
            lines[first - 1 : last] = [f"{name}: {MASK}\n", *[""] * (last - first)]
    for item in reversed(found.items):
        if item.key.replace("-", "").lower() in secrets:
            lines[item.line - 1 : item.last_line] = [f"{item.key}: {MASK}\n"]
    for number, line in enumerate(lines):
        if not line.endswith(f": {MASK}\n") and _mentions(secrets, line):
            if not line.lstrip().startswith("#"):
                return _NOT_SHOWN
            lines[number] = f"# {MASK}\n"
    return "".join(lines)


def _mentions(secrets: t.Iterable[str], text: str) -> bool:
    flat = text.replace("-", "").lower()
    return any(secret in flat for secret in secrets)


__all__ = ["HAS_YAML", "MASK", "Document", "Item", "edit", "is_blank", "joined", "mask", "read", "render", "to_text"]
