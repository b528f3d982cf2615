"""Single edits of documents that may make a test pass, the likelier ones first. Pure.

What is put somewhere is never made up: it stands in the failure, in the test's parameters or
source, or at the same place of a document of the same kind.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.quarantine import documents
from pytest_cockpit.quarantine.documents import Array, Document, Edit, Scalar, Value

_FAILURE, _PARAMETER, _SOURCE, _MODULE, _SIBLING = range(5)
_ERROR = re.compile(r"^E\s(.*)$", re.MULTILINE)
_QUOTED = re.compile(r"'([^'\n]{1,120})'|\"([^\"\n]{1,120})\"")
_TOKEN = re.compile(r"[\w@*][\w.:*/@+-]*[\w*]|\w")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_LONGEST = 120
_FILES = (".json", ".yaml", ".yml", ".rego", ".py")
_BY_SOURCE, _BY_SHAPE, _BY_NAME, _BY_ORDER = 3, 2, 2, 2
_BY_KIND = {"add": 0, "change": 1, "remove": 4}
_FLIP = 1
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Hints:
    """What values a test speaks of, each with the nearest place where it does, and its words."""

    known: Mapping[tuple[type, Scalar], int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, *, source: str, parameters: Sequence[Any] = (), failure: str = "", module: str = ""
    ) -> Hints:
        """The hints of a test: its source, its parameters, its failure, and its file."""
        said = "\n".join(_ERROR.findall(failure)) or failure
        known: dict[tuple[type, Scalar], int] = {}
        pools: tuple[tuple[int, Iterable[Scalar]], ...] = (
            (_FAILURE, _of_failure(said)),
            (_PARAMETER, (it for it in parameters if documents.plain(it))),
            (_SOURCE, _constants(source)),
            (_MODULE, _constants(module, top=True)),
        )
        for rank, pool in pools:
            for value in pool:
                if _is_usable(value):
                    known.setdefault((type(value), value), rank)
        return cls(known, frozenset(re.findall(r"\w+", f"{source}\n{said}")))


def candidates(
    read: Sequence[Document], hints: Hints, siblings: Sequence[Document] = ()
) -> list[Edit]:
    """Single edits that come into question, in the order in which to try them.

    All of them, but of documents that would have more than `_MOST`.

    Parameters
    ----------
    read: the documents that the test reads, in the order in which it does.
    siblings: other documents of the same kinds; they are compared with and never edited.
    """
    rated: dict[Edit, int] = {}
    for cost, edit in itertools.islice(_rated(read, hints, siblings), _MOST):
        rated[edit] = min(cost, rated.get(edit, cost))
    return sorted(
        rated, key=lambda it: (rated[it], it.path, it.start, it.kind, str(it.before), str(it.after))
    )


def _rated(
    read: Sequence[Document], hints: Hints, siblings: Sequence[Document]
) -> Iterator[tuple[int, Edit]]:
    for order, document in enumerate(read):
        alike = _alike(document, [it for it in (*read, *siblings) if it.path != document.path])
        for cost, edit in _of(document, hints, alike):
            yield cost + (_BY_ORDER if order else 0), edit


@dataclass(frozen=True, slots=True)
class _Alike:
    """What other documents of a kind have, by pointer."""

    values: Mapping[str, frozenset[Scalar]]
    items: Mapping[str, frozenset[Scalar]]


def _alike(document: Document, others: Iterable[Document]) -> _Alike:
    values: dict[str, set[Scalar]] = {}
    items: dict[str, set[Scalar]] = {}
    if not document.path.endswith(".rego"):
        folder, suffix = document.path.rpartition("/")[0], document.path.rpartition(".")[2]
        for other in others:
            if (other.path.rpartition("/")[0], other.path.rpartition(".")[2]) == (folder, suffix):
                for value in other.values:
                    values.setdefault(value.pointer, set()).add(value.value)
                for array in other.arrays:
                    items.setdefault(array.pointer, set()).update(it.value for it in array.items)
    return _Alike(
        {pointer: frozenset(found) for pointer, found in values.items()},
        {pointer: frozenset(found) for pointer, found in items.items()},
    )


def _of(document: Document, hints: Hints, alike: _Alike) -> Iterator[tuple[int, Edit]]:
    for array in document.arrays:
        named = 0 if _is_named(array.pointer, hints) else _BY_NAME
        for cost, edit in _of_array(document, array, hints, alike):
            yield cost + named + _BY_KIND[edit.kind], edit
    for value in document.values:
        named = 0 if _is_named(value.pointer, hints) else _BY_NAME
        for cost, new in _replacements(document, value, hints, alike):
            yield cost + named + _BY_KIND["change"], documents.changing(document, value, new)


def _of_array(
    document: Document, array: Array, hints: Hints, alike: _Alike
) -> Iterator[tuple[int, Edit]]:
    own = {(type(it.value), it.value) for it in array.items}
    for key, rank in _pool(hints, alike.items.get(array.pointer, frozenset())).items():
        if key not in own and _fits(key[1], array):
            cost = _BY_SOURCE * rank + _misfit(key[1], [it.value for it in array.items])
            cost += _BY_SOURCE if key[1] in document.keys else 0
            yield cost, documents.adding(document, array, key[1])
    for index, item in enumerate(array.items):
        edit = documents.removing(document, array, index)
        if edit is not None:
            rank = hints.known.get((type(item.value), item.value), _SIBLING)
            yield _BY_SOURCE * rank, edit


def _replacements(
    document: Document, place: Value, hints: Hints, alike: _Alike
) -> Iterator[tuple[int, Scalar]]:
    value, there = place.value, alike.values.get(place.pointer, frozenset())
    if isinstance(value, bool):
        other = not value
        yield _FLIP + (_BY_SOURCE if other in there else _BY_SOURCE * 2), other
        return
    for (kind, new), rank in _pool(hints, there).items():
        number = isinstance(value, int | float) and kind in (int, float)
        words = isinstance(value, str) and kind is str and new not in document.keys
        if (number or words) and new != value:
            misfit = 0 if number else _misfit(new, [value])
            # Other text is put in the place of some only where it looks like it, or was there.
            if not misfit or rank == _SIBLING:
                yield _BY_SOURCE * rank + misfit, new


def _pool(hints: Hints, there: Iterable[Scalar]) -> dict[tuple[type, Scalar], int]:
    pool = {(type(value), value): _SIBLING for value in there if _is_usable(value)}
    return {**pool, **hints.known}


def _fits(value: Scalar, array: Array) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if not array.items:
        return isinstance(value, str)
    return any(
        isinstance(value, str) is isinstance(it.value, str) and not isinstance(it.value, bool)
        for it in array.items
    )


def _misfit(value: Scalar, others: Sequence[Scalar]) -> int:
    """0 for what looks like one of the others and begins like it, up to 2 * `_BY_SHAPE`."""
    texts = [it for it in others if isinstance(it, str)]
    if not isinstance(value, str) or not texts:
        return 0 if not isinstance(value, str) else 1
    shape = 0 if _shape(value) in map(_shape, texts) else _BY_SHAPE
    head = 0 if any(_head(value) == _head(it) for it in texts) else 1
    return shape + head


def _shape(text: str) -> str:
    return re.sub(r"[0-9]+", "9", re.sub(r"[^\W\d]+", "a", text))


def _head(text: str) -> str:
    return re.split(r"[.:/]", text, maxsplit=1)[0]


def _is_named(pointer: str, hints: Hints) -> bool:
    """Whether the test speaks of the key; a place in Rego has none."""
    keys = [part for part in pointer.split("/") if part and not part.isdecimal()]
    return not pointer.startswith("/") or bool(keys and keys[-1] in hints.words)


def _of_failure(text: str) -> Iterator[Scalar]:
    for one, other in _QUOTED.findall(text):
        yield one or other
    for number in _NUMBER.findall(text):
        yield float(number) if "." in number else int(number[:_LONGEST])
    yield from _TOKEN.findall(text)


def _constants(source: str, *, top: bool = False) -> Iterator[Scalar]:
    """Literals of some code; of a file, those outside functions and classes alone."""
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    parts: Iterable[ast.AST] = [tree]
    if top:
        parts = [statement for statement in tree.body if not isinstance(statement, inner)]
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Constant) and documents.plain(node.value):
                yield node.value  # type: ignore[misc] # `plain` has just said what it is


def _is_usable(value: Scalar) -> bool:
    if isinstance(value, str):
        return (
            0 < len(value) <= _LONGEST
            and value.isprintable()
            and " " not in value
            and not value.endswith(_FILES)
        )
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
