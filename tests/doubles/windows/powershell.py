# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell, as much as is sent here: the public grammar reads it, and a construct that is not named below raises.

So the stand-in never says yes to a text that it did not understand. Strings with double quotes, Invoke-Expression,
``cmd /c``, variables that are no parameter of a function, redirections and cmdlets without ``-ErrorAction Stop`` are
all not understood.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_powershell

from tests.doubles.windows import cmdlets, programs
from tests.doubles.windows.machine import Machine, NotUnderstood, Refused

LANGUAGE = tree_sitter.Language(tree_sitter_powershell.language())
Node = tree_sitter.Node

# PowerShell takes each of these for a single quote.
QUOTES = "'\u2018\u2019\u201a\u201b"
# Levels of precedence, which say nothing with one child.
LEVELS = {
    f"{level}{kind}_expression"
    for level in ("logical", "bitwise", "comparison", "additive", "multiplicative", "format", "range")
    for kind in ("", "_argument")
} | {"array_literal_expression", "unary_expression", "pipeline", "pipeline_chain", "argument_expression"}


@dataclass
class Ran:
    """What a text gave: objects of the pipeline as text, errors, and what it said with ``exit``, if it did."""

    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    exit_code: int | None = None
    succeeded: bool = True  # $? of the last statement

    @property
    def code(self) -> int:
        """The exit code of powershell.exe."""
        return self.exit_code if self.exit_code is not None else 0 if self.succeeded else 1


class Exit(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def parse(text: str) -> Node:
    """The tree of a text; NotUnderstood if the grammar does not take it."""
    try:
        root = tree_sitter.Parser(LANGUAGE).parse(text.encode("utf-8")).root_node
    except UnicodeEncodeError:
        raise NotUnderstood(f"half a surrogate pair: {text!r}") from None
    if root.has_error:
        raise NotUnderstood(f"this is not PowerShell: {text!r}")
    return root


def run(machine: Machine, text: str) -> Ran:
    ran = Ran()
    if machine.setting("noise"):
        ran.output.append(machine.setting("noise"))
    run_ = _Run(machine, ran)
    try:
        run_.block(parse(text))
    except Exit as exited:
        ran.exit_code = exited.code
    return ran


def verbatim(token: str) -> str:
    """The value of a literal in single quotes, as PowerShell's own reader takes it."""
    value: list[str] = []
    position = 1
    while position < len(token):
        if token[position] in QUOTES:
            position += 1
            if position == len(token):
                return "".join(value)
            if token[position] not in QUOTES:
                break
        value.append(token[position])
        position += 1
    raise NotUnderstood(f"a literal that ends before its end: {token!r}")


class _Run:
    def __init__(self, machine: Machine, ran: Ran) -> None:
        self.machine = machine
        self.ran = ran
        self.last_exit_code: int | None = None
        self.error: Refused | None = None  # $_ in a catch
        self.functions: dict[str, tuple[list[str], Node]] = {}
        self.variables: dict[str, t.Any] = {}

    # -- statements ----------------------------------------------------------------------------------------------------

    def block(self, node: Node, *, caught: bool = False) -> None:
        for child in node.named_children:
            if child.type in ("statement_list", "statement_block"):
                self.block(child, caught=caught)
            elif child.type != "empty_statement":
                self.statement(child, caught=caught)

    def statement(self, node: Node, *, caught: bool) -> None:
        try:
            handler = getattr(self, f"do_{node.type}", None)
            if handler is None:
                raise NotUnderstood(_about(node))
            self.ran.succeeded = True
            handler(node, caught)
        except Refused as error:
            self.ran.succeeded = False
            if caught:
                raise
            self.ran.errors.append(str(error))

    def do_pipeline(self, node: Node, _caught: bool) -> None:
        (inner,) = node.named_children
        if inner.type == "pipeline_chain" and len(inner.named_children) > 1:
            self.put(self.of_pipeline_chain(inner))
            return
        if inner.type == "assignment_expression":
            self.assign(inner)
            return
        while inner.type in LEVELS and inner.child_count == 1:
            inner = inner.children[0]
        value = self.command(inner) if inner.type == "command" else self.value(node)
        if isinstance(value, _Call):
            self.invoke(value)
        else:
            self.put(value)

    def put(self, value: t.Any) -> None:
        if value is not None:
            self.ran.output.extend(_text(each) for each in (value if isinstance(value, list) else [value]))

    def assign(self, node: Node) -> None:
        target, operator, value = node.named_children
        name = _text_of(target).lower()
        if _text_of(operator) != "=" or name not in ("$null", "$global:lastexitcode"):
            raise NotUnderstood(_about(node))
        result = self.value(value)
        if name == "$global:lastexitcode":
            self.last_exit_code = int(result)

    def do_if_statement(self, node: Node, caught: bool) -> None:
        branches = []
        for child in node.named_children:
            branches.extend(child.named_children if child.type == "elseif_clauses" else [child])
        condition, block, *others = branches
        if self.condition(condition):
            return self.block(block, caught=caught)
        for other in others:
            if other.type == "else_clause":
                (block,) = other.named_children
                return self.block(block, caught=caught)
            if other.type != "elseif_clause":
                raise NotUnderstood(_about(other))
            condition, block = other.named_children
            if self.condition(condition):
                return self.block(block, caught=caught)
        return None

    def condition(self, node: Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise NotUnderstood(f"a condition that is not true or false: {_text_of(node)}")
        return value

    def do_try_statement(self, node: Node, caught: bool) -> None:
        tried, clauses = node.named_children
        (clause,) = clauses.named_children
        if clauses.type != "catch_clauses" or len(clause.named_children) != 1:
            raise NotUnderstood(_about(node))
        try:
            self.block(tried, caught=True)
        except Refused as error:
            outer, self.error = self.error, error
            try:
                self.block(clause, caught=caught)
            finally:
                self.error = outer

    def do_flow_control_statement(self, node: Node, _caught: bool) -> None:
        if node.children[0].type != "exit" or len(node.named_children) > 1:
            raise NotUnderstood(_about(node))
        value = self.value(node.named_children[0]) if node.named_children else 0
        raise Exit(int(value or 0))

    def do_function_statement(self, node: Node, _caught: bool) -> None:
        name, *rest = node.named_children
        if [each.type for each in rest] != ["function_parameter_declaration", "script_block"]:
            raise NotUnderstood(_about(node))
        (listed,) = rest[0].named_children
        parameters = [_text_of(each).lower() for each in listed.named_children]
        if not all(re.fullmatch(r"\$[a-z]+", each) for each in parameters):
            raise NotUnderstood(_about(node))
        self.functions[_text_of(name).lower()] = (parameters, rest[1])

    def invoke(self, call: _Call) -> None:
        """Run a block in its own scope; what it gives goes to the pipeline at once, also before an error."""
        outer, self.variables = self.variables, {**self.variables, **call.variables}
        try:
            for child in call.block.named_children:
                self.block(child, caught=True)
        finally:
            self.variables = outer

    def captured(self, call: _Call) -> list[str]:
        outer, self.ran.output = self.ran.output, []
        try:
            self.invoke(call)
            return self.ran.output
        finally:
            self.ran.output = outer

    # -- expressions ---------------------------------------------------------------------------------------------------

    def value(self, node: Node) -> t.Any:
        while node.type in LEVELS and node.child_count == 1:
            node = node.children[0]
        kind = re.sub("_argument_expression$", "_expression", node.type)
        handler = getattr(self, f"of_{kind}", None)
        if handler is None:
            raise NotUnderstood(_about(node))
        return handler(node)

    def of_pipeline_chain(self, node: Node) -> list[str]:
        """Objects, each given to the block of ForEach-Object as ``$_``."""
        first, second = node.named_children
        name, elements = second.named_children if second.child_count == 2 else (second, second)
        blocks = [each for each in elements.named_children if each.type != "command_argument_sep"]
        if _text_of(name).lower() != "foreach-object" or len(blocks) != 1:
            raise NotUnderstood(_about(node))
        block, given = self.value(blocks[0]), self.value(first)
        found = given if isinstance(given, list) else [given]
        if not isinstance(block, tree_sitter.Node) or not all(isinstance(each, dict) for each in found):
            raise NotUnderstood(_about(node))
        return [line for each in found for line in self.captured(_Call(block, {"$_": each}))]

    def of_string_literal(self, node: Node) -> str:
        (inner,) = node.named_children
        if inner.type != "verbatim_string_characters":
            raise NotUnderstood(f"a string that PowerShell would change: {_text_of(node)}")
        return verbatim(_text_of(inner))

    def of_integer_literal(self, node: Node) -> int:
        return int(_text_of(node))

    def of_variable(self, node: Node) -> t.Any:
        name = _text_of(node).lower()
        if name in ("$global:lastexitcode", "$lastexitcode"):
            return self.last_exit_code
        if name == "$_" and name in self.variables:
            return self.variables[name]
        if name == "$_" and self.error is not None:
            # What a .NET method throws is inside of PowerShell's own exception; the innermost has number and words.
            inner = {"message": str(self.error), "hresult": self.error.hresult}
            return {"exception": {"message": f"Exception: {self.error}", "getbaseexception": lambda: inner}}
        if name in self.variables:
            return self.variables[name]
        raise NotUnderstood(_about(node))

    def of_script_block_expression(self, node: Node) -> Node:
        (block,) = node.named_children
        return block

    def of_expression_with_unary_operator(self, node: Node) -> str:
        """A character by its number, and nothing else."""
        (cast,) = node.named_children
        kind, operand = cast.named_children
        if cast.type != "cast_expression" or _text_of(kind) != "[char]":
            raise NotUnderstood(_about(node))
        return chr(int(_text_of(operand)))

    def of_element_access(self, node: Node) -> t.Any:
        target, index = node.named_children
        value = self.value(target)
        if not isinstance(value, list) or not re.fullmatch("[0-9]+", _text_of(index)):
            raise NotUnderstood(_about(node))
        return value[int(_text_of(index))]

    def of_type_literal(self, node: Node) -> cmdlets.Type:
        return cmdlets.Type(re.sub(r"\s", "", _text_of(node)).strip("[]").lower())

    def of_parenthesized_expression(self, node: Node) -> t.Any:
        (inner,) = node.named_children
        return self.value(inner)

    def of_additive_expression(self, node: Node) -> str:
        left, operator, right = node.children
        first = self.value(left)
        if _text_of(operator) != "+" or not isinstance(first, str):
            raise NotUnderstood(_about(node))
        return first + _text(self.value(right))

    def of_comparison_expression(self, node: Node) -> str:
        left, operator, right = node.children
        if _text_of(operator).lower() != "-join":
            raise NotUnderstood(_about(node))
        parts = self.value(left)
        return str(self.value(right)).join(_text(each) for each in (parts if isinstance(parts, list) else [parts]))

    def of_member_access(self, node: Node) -> t.Any:
        target, separator, name = node.children
        value, word = self.value(target), _text_of(name).lower()
        if _text_of(separator) == "::" and isinstance(value, cmdlets.Type):
            return self.call(cmdlets.static, value.name, word)
        if _text_of(separator) == "." and value is None:
            return None  # PowerShell's answer without StrictMode
        if _text_of(separator) == "." and isinstance(value, list) and all(word in each for each in value):
            return [each[word] for each in value]
        if _text_of(separator) != "." or not isinstance(value, dict) or word not in value:
            raise NotUnderstood(_about(node))
        return value[word]

    def of_invokation_expression(self, node: Node) -> t.Any:
        target, separator, name, arguments = node.children
        value, word = self.value(target), _text_of(name).lower()
        given = [self.value(each) for each in _listed(arguments)]
        if _text_of(separator) == "::" and isinstance(value, cmdlets.Type):
            return self.call(cmdlets.static, value.name, word, *given)
        if _text_of(separator) != "." or not isinstance(value, dict) or not callable(value.get(word)):
            raise NotUnderstood(_about(node))
        return value[word](*given)

    def call(self, function: t.Callable[..., t.Any], *given: t.Any) -> t.Any:
        with self.machine.lock:
            return function(self.machine, *given)

    # -- commands ------------------------------------------------------------------------------------------------------

    def of_command(self, node: Node) -> t.Any:
        value = self.command(node)
        return self.captured(value) if isinstance(value, _Call) else value

    def command(self, node: Node) -> t.Any:
        """What a command gives; a call of a function or a block is not made yet."""
        operator, words = "", []
        name: t.Any = ""
        for child in node.named_children:
            if child.type == "command_invokation_operator":
                operator = _text_of(child)
            elif child.type == "command_name":
                name = _text_of(child)
            elif child.type == "command_name_expr":
                (inner,) = child.named_children
                name = self.variables.get(_text_of(inner).lower()) or self.value(inner)
            elif child.type == "command_elements":
                words = self.words(child)
            else:
                raise NotUnderstood(_about(node))
        if operator not in ("", "&"):
            raise NotUnderstood(_about(node))
        if isinstance(name, tree_sitter.Node) and operator and not words:
            return _Call(name, {})
        if not isinstance(name, str):
            raise NotUnderstood(_about(node))
        if not operator and name.lower() in self.functions:
            parameters, block = self.functions[name.lower()]
            if len(words) != len(parameters) or any(isinstance(word, _Parameter) for word in words):
                raise NotUnderstood(_about(node))
            return _Call(block, dict(zip(parameters, words)))
        if not operator and name.lower() in cmdlets.KNOWN:
            return self.cmdlet(name.lower(), words)
        if any(isinstance(word, _Parameter) for word in words):
            words = [word.text if isinstance(word, _Parameter) else word for word in words]
        return self.program(name, [str(word) for word in words])

    def words(self, node: Node) -> list[t.Any]:
        found: list[t.Any] = []
        for child in node.named_children:
            if child.type == "command_argument_sep":
                continue
            if child.type == "command_parameter":
                found.append(_Parameter(_text_of(child)))
            elif child.type == "generic_token" and re.fullmatch(r"[A-Za-z0-9_./:\\=+-]+", _text_of(child)):
                found.append(_text_of(child))
            elif child.type == "argument_list":
                found.append([self.value(each) for each in _listed(child)])
            else:
                found.append(self.value(child))
        return found

    def cmdlet(self, name: str, words: list[t.Any]) -> t.Any:
        if name == "new-object":
            if len(words) != 2 or not isinstance(words[1], list):
                raise NotUnderstood(f"New-Object {words}")
            return self.call(cmdlets.new, str(words[0]).lower(), *words[1])
        given: dict[str, t.Any] = {}
        position = 0
        while position < len(words):
            word = words[position]
            if not isinstance(word, _Parameter):
                raise NotUnderstood(f"{name} with {word!r}, which no parameter takes")
            parameter = word.text.lstrip("-").lower()
            takes = position + 1 < len(words) and not isinstance(words[position + 1], _Parameter)
            given[parameter] = words[position + 1] if takes else True
            position += 2 if takes else 1
        if given.pop("erroraction", None) != "Stop":
            raise NotUnderstood(f"{name} without -ErrorAction Stop, whose errors would be overlooked")
        return self.call(cmdlets.KNOWN[name], given)

    def program(self, name: str, arguments: list[str]) -> list[str]:
        done = programs.run(self.machine, name, arguments)
        self.last_exit_code = done.code
        self.ran.errors.extend(done.stderr.splitlines())
        self.ran.succeeded = done.code == 0
        return done.stdout.splitlines()


@dataclass(frozen=True)
class _Call:
    """A block, and the values of its parameters."""

    block: Node
    variables: dict[str, t.Any]


@dataclass(frozen=True)
class _Parameter:
    text: str


def _listed(node: Node) -> list[Node]:
    """The arguments between parentheses."""
    return [each for child in node.named_children for each in child.named_children]


def _text_of(node: Node) -> str:
    return (node.text or b"").decode("utf-8")


def _text(value: t.Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise NotUnderstood(f"the text of {value!r}")
    return str(value)


def _about(node: Node) -> str:
    return f"{node.type}: {_text_of(node)}"


__all__ = ["Ran", "parse", "run", "verbatim"]
