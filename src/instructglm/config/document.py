"""A YAML file as plain values, with the line on which each key stands.

Scalars follow YAML 1.2's core schema, in which `1e-4` is a number and `yes`,
`no`, `on` and `off` are words; keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from instructglm.core.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The way to a value: keys and list positions, from the root."""

_NULL, _BOOL, _INT, _FLOAT, _STR = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str"))

CORE_SCHEMA = (
    (_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    (_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    (_INT, re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    (
        _FLOAT,
        re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
        list("-+0123456789."),
    ),
)  # fmt: skip
"""Tag, pattern and possible first characters of every plain scalar that is not text."""

_OTHER_LINE_ENDS = {"\r", "\x85", "\u2028", "\u2029"}

_NEXT_MOVE = {
    "found character '\\t' that cannot start any token": "Indent with spaces; YAML does not allow tabs there.",
    "mapping values are not allowed here": "Put text that holds `: ` in quotes, and check the indentation.",
}


class _Reader(yaml.SafeLoader):
    """Reads plain scalars by the core schema alone."""


_Reader.yaml_implicit_resolvers = {}  # none of YAML 1.1's
for _tag, _pattern, _first in CORE_SCHEMA:
    _Reader.add_implicit_resolver(_tag, _pattern, _first)


@dataclass(frozen=True)
class Fault:
    """One thing to mend: who set it, which key, and what is wrong."""

    origin: str
    path: KeyPath
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, dotted(self.path), self.problem) if part)


@dataclass(frozen=True)
class Document:
    """A file's value, where each part of it was written, and what is wrong with it so far."""

    value: Any
    origins: dict[KeyPath, str]
    """Path -> `file.yaml:12`, or whatever set that value."""
    faults: list[Fault] = field(default_factory=list)

    def origin(self, path: KeyPath) -> str:
        """Where the nearest enclosing value of `path` was written."""
        while path not in self.origins and path:
            path = path[:-1]
        return self.origins.get(path, "")


def parse(text: str, name: str) -> Document:
    """The plain values in `text`; `name` is how messages call the file.

    Raises:
        ConfigError: this is not YAML; with line and column.
    """
    document = Document(None, {(): f"{name}:1"})
    try:
        node = _Reader(text).get_single_node()
        return replace(document, value=_Walk(document, name).value(node, ())) if node else document
    except RecursionError as error:
        raise ConfigError(f"{name}: lists or mappings are nested too deeply to be an experiment") from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, name) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{name}:{line}: a control character (U+{ord(text[error.position]):04X}) stands here"
        ) from error


def _syntax_error(error: yaml.MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    problem = error.problem or "cannot be read"
    return ConfigError(f"{where}: not YAML: {problem}", hint=_NEXT_MOVE.get(problem, ""))


class _Walk:
    """Turns YAML's nodes into values and notes lines, repeated keys and endless aliases on the way."""

    def __init__(self, document: Document, name: str) -> None:
        self._document = document
        self._name = name
        self._open: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The plain value of `node`, which stands at `path`."""
        self._document.origins.setdefault(path, self._where(node))
        if any(node is outer for outer in self._open):
            raise ConfigError(f"{self._where(node)}: an alias refers to the value it stands in")
        self._open.append(node)
        try:
            return self._inside(node, path)
        finally:
            self._open.pop()

    def _inside(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{self._where(key)}: a key must be one word, not a list or a mapping")
            here = (*path, key.value)
            if key.value in values:
                first = self._document.origins[here].rpartition(":")[2]
                problem = f"this key stands twice (first at line {first}); keep one"
                self._document.faults.append(Fault(self._where(key), here, problem))
                continue
            self._document.origins[here] = self._where(key)
            values[key.value] = self.value(item, here)
        return values

    def _where(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return text.lower() == "true"
    if node.tag == _INT:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if node.tag == _FLOAT:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def dotted(path: KeyPath) -> str:
    """The path as one reads it: `data.sources[0].path`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def dump(value: Mapping[str, Any]) -> str:
    """YAML that `parse` reads back equal, and so do readers of YAML 1.1."""
    text: str = yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Writer(yaml.SafeDumper):
    """Quotes whatever either YAML 1.1 or 1.2 would take for something other than text."""


def _text_node(writer: _Writer, text: str) -> yaml.ScalarNode:
    # Only double quotes keep these characters, which YAML 1.1 takes for ends of lines.
    style = '"' if _OTHER_LINE_ENDS.intersection(text) else None
    return writer.represent_scalar(_STR, text, style=style)


_Writer.add_representer(str, _text_node)


for _tag, _pattern, _first in CORE_SCHEMA:
    _Writer.add_implicit_resolver(_tag, _pattern, _first)
