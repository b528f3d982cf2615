"""Reads JSON, YAML and Rego as places for edits. What it cannot read has no places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pytest_cockpit.quarantine.documents import Array, Document, Value, gathered, plain, token
from pytest_cockpit.records import text as jsontext

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_MAX_BYTES = 1 << 20
_REGO = re.compile(
    r"""(?P<skip>[ \t\r\n]+|\#[^\n]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<number>-?(?<![\w.])\d+(?:\.\d+)?(?![\w.]))
    |(?P<name>[^\W\d]\w*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


def read(path: str, data: bytes) -> Document | None:
    """The document, by what its name ends with; None when it is none that can be read."""
    if len(data) > _MAX_BYTES:
        return None
    try:
        text = data.decode("utf-8")
        if path.endswith(".json"):
            jsontext.parse(data)
            return _Json(path, text).document()
        if path.endswith(".rego"):
            return _rego(path, text)
        return _yaml(path, text)
    except (ValueError, RecursionError):
        return None


def _string(text: str, at: int) -> tuple[str, int]:
    """The string that begins at `at`, behind its quote, and where it ends."""
    value, end = _DECODER.raw_decode(text, at - 1)
    return str(value), end


class _Json:
    """Walks text that is known to be JSON, and notes where everything is."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.values: list[Value] = []
        self.arrays: list[Array] = []
        self.keys: set[str] = set()

    def document(self) -> Document:
        self._value(self._skip(0), "")
        return gathered(self.path, self.text, self.values, self.arrays, iter(self.keys))

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def _value(self, at: int, pointer: str) -> int:
        """Note what begins at `at` and return where it ends."""
        sign = self.text[at]
        if sign == "{":
            return self._object(at, pointer)
        if sign == "[":
            return self._array(at, pointer)
        value: Any
        end: int
        if sign == '"':
            value, end = _string(self.text, at + 1)
        elif number := _NUMBER.match(self.text, at):
            value, end = json.loads(number[0]), number.end()
        else:
            word = next(word for word in _WORDS if self.text.startswith(word, at))
            value, end = _WORDS[word], at + len(word)
        self.values.append(Value(pointer, value, at, end))
        return end

    def _object(self, at: int, pointer: str) -> int:
        at = self._skip(at + 1)
        while self.text[at] != "}":
            key, at = _string(self.text, at + 1)
            self.keys.add(key)
            # Over the colon, then over the comma.
            at = self._value(self._skip(self._skip(at) + 1), f"{pointer}/{token(key)}")
            at = self._next(at)
        return at + 1

    def _array(self, start: int, pointer: str) -> int:
        at, index, seen = self._skip(start + 1), 0, len(self.values)
        scalars = True
        while self.text[at] != "]":
            scalars = scalars and self.text[at] not in "[{"
            at = self._next(self._value(at, f"{pointer}/{index}"))
            index += 1
        if scalars:
            self.arrays.append(Array(pointer, tuple(self.values[seen:]), start, at + 1))
        return at + 1

    def _next(self, at: int) -> int:
        at = self._skip(at)
        return self._skip(at + 1) if self.text[at] == "," else at


def _yaml(path: str, text: str) -> Document | None:
    """A YAML file of one document; None for others, and without a library that reads it."""
    try:
        import yaml
    except ImportError:
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return None if root is None else _Yaml(path, text).document(root)


class _Yaml:
    """Walks composed nodes, and notes where everything is."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.values: list[Value] = []
        self.arrays: list[Array] = []
        self.keys: set[str] = set()
        self.seen: set[int] = set()

    def document(self, root: Any) -> Document:
        self._walk(root, "")
        return gathered(self.path, self.text, self.values, self.arrays, iter(self.keys))

    def _walk(self, node: Any, pointer: str) -> None:
        # An alias is the node it stands for: its place is where that is.
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        if node.id == "mapping":
            for key, below in node.value:
                self.keys.add(str(key.value))
                self._walk(below, f"{pointer}/{token(key.value)}")
        elif node.id == "sequence":
            self._sequence(node, pointer)
        else:
            self._scalar(node, pointer)

    def _sequence(self, node: Any, pointer: str) -> None:
        first, count = len(self.values), len(node.value)
        for index, below in enumerate(node.value):
            self._walk(below, f"{pointer}/{index}")
        items = tuple(self.values[first:])
        flat = all(it.id == "scalar" for it in node.value) and len(items) == count
        block = not node.flow_style
        if flat and (items or not block):
            start, end = node.start_mark.index, node.end_mark.index
            self.arrays.append(Array(pointer, items, start, end, block=block))

    def _scalar(self, node: Any, pointer: str) -> None:
        value = _constructed(node)
        # A block of text, an anchor or a tag is more than a scalar's own characters.
        if plain(value) and node.style in (None, '"', "'"):
            start, end = node.start_mark.index, node.end_mark.index
            if start < end:
                self.values.append(Value(pointer, value, start, end, quoted=node.style is not None))


def _constructed(node: Any) -> Any:
    import yaml

    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError):
        return object()
    finally:
        loader.dispose()


def _rego(path: str, text: str) -> Document:
    """Scalars of rules, and the sets and arrays that hold nothing else."""
    tokens = [found for found in _REGO.finditer(text) if found.lastgroup != "skip"]
    values: dict[int, Value] = {}
    for found in tokens:
        value = _rego_value(found)
        if value is not None and not _is_declaration(text, found.start()):
            line = text.count("\n", 0, found.start()) + 1
            values[found.start()] = Value(f"line:{line}", value[0], found.start(), found.end())
    arrays = list(_rego_arrays(text, tokens, values))
    return gathered(path, text, list(values.values()), arrays, iter(()))


def _rego_value(found: re.Match[str]) -> tuple[Any] | None:
    written = found[0]
    if found.lastgroup == "number" or (found.lastgroup == "name" and written in _WORDS):
        return (json.loads(written),)
    if found.lastgroup == "text":
        try:
            return (json.loads(written),)
        except ValueError:
            return None
    return None


def _is_declaration(text: str, at: int) -> bool:
    """Whether the line decides what holds where no rule does, or what is in scope."""
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip()
    return line.startswith(("default ", "import ", "package "))


def _rego_arrays(
    text: str, tokens: list[re.Match[str]], values: dict[int, Value]
) -> Iterator[Array]:
    for index, found in enumerate(tokens):
        closing = {"{": "}", "[": "]"}.get(found[0])
        before = tokens[index - 1] if index else None
        # `name[…]` looks something up.
        touches = before and before.end() == found.start() and before[0][-1] not in "([{,"
        if closing is None or (found[0] == "[" and touches):
            continue
        items = _members(tokens, index + 1, closing, values)
        if items is not None:
            line = text.count("\n", 0, found.start()) + 1
            yield Array(f"line:{line}", tuple(items[0]), found.start(), items[1])


def _members(
    tokens: list[re.Match[str]], at: int, closing: str, values: dict[int, Value]
) -> tuple[list[Value], int] | None:
    """Scalars between commas up to the closing sign, and where that ends; None if it is not so."""
    items: list[Value] = []
    wants = True
    for found in tokens[at:]:
        if found[0] == closing:
            return (items, found.end()) if items else None
        if wants and found.start() in values:
            items.append(values[found.start()])
        elif wants or found[0] != ",":
            return None
        wants = not wants
    return None
