"""What an observed run of tests said: its rows read back. Nothing of them is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TEXT: Mapping[str, type] = {"id": str}
_FORM: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "test": {
        **_TEXT,
        "path": str,
        "line": (int, type(None)),
        "arguments": list,
        "keywords": dict,
        "parameters": list,
        "source": str,
    },
    "lost": {**_TEXT, "message": str},
    "start": _TEXT,
    "report": {
        **_TEXT,
        "when": str,
        "outcome": str,
        "expected": bool,
        "message": str,
        "text": str,
    },
    "open": {"path": str},
    "collected": {"total": int},
    "finish": {"exit": int},
}
_ENDS = ("passed", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Marked:
    """A test with the marker, as it was collected."""

    id: str
    path: str
    line: int | None
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Any, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test came to: `passed`, `failed`, `skipped`, or `unfinished` where it began only."""

    word: str
    message: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed run.

    Parameters
    ----------
    marked: the tests with the marker among what was collected.
    outcomes: what each test that was begun came to, by node id.
    lost: why a file or class could not be collected, by node id.
    opened: paths of documents that were read, in the order of their first opening.
    collected: how many tests there are; None when the collection did not come to its end.
    exit: pytest's exit code; None when it did not come to its end.
    """

    marked: tuple[Marked, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    opened: tuple[str, ...] = ()
    collected: int | None = None
    exit: int | None = None


def parse(data: bytes) -> Observation:
    """The observation in rows; a torn or foreign row is passed over."""
    marked: dict[str, Marked] = {}
    outcomes: dict[str, Outcome] = {}
    lost: dict[str, str] = {}
    opened: dict[str, None] = {}
    single: dict[str, int] = {}
    for kind, row in _rows(data):
        match kind:
            case "test":
                marked[row["id"]] = _marked(row)
            case "lost":
                lost[row["id"]] = row["message"]
            case "start":
                outcomes[row["id"]] = Outcome("unfinished")
            case "report":
                outcomes[row["id"]] = _worse(outcomes.get(row["id"]), row)
            case "open":
                opened[row["path"]] = None
            case _:
                single[kind] = next(iter(row.values()))
    return Observation(
        tuple(marked.values()),
        outcomes,
        lost,
        tuple(opened),
        single.get("collected"),
        single.get("finish"),
    )


def _rows(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in data.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        kind = row.pop("row", None) if isinstance(row, dict) else None
        form = _FORM.get(kind) if isinstance(kind, str) else None
        if (
            form is not None
            and row.keys() == form.keys()
            and all(isinstance(row[key], kinds) for key, kinds in form.items())
        ):
            yield str(kind), row


def _marked(row: Mapping[str, Any]) -> Marked:
    return Marked(
        row["id"],
        row["path"],
        row["line"],
        tuple(row["arguments"]),
        row["keywords"],
        tuple(row["parameters"]),
        row["source"],
    )


def _worse(known: Outcome | None, row: Mapping[str, Any]) -> Outcome:
    """A test fails in whichever of its phases fails; a failure that its xfail expects is one."""
    word = "failed" if row["expected"] and row["outcome"] == "skipped" else row["outcome"]
    if word not in _ENDS:
        # Such as that it is to be run again.
        word = "unfinished"
    if known is not None and known.word == "failed":
        return known
    if word == "passed" and known is not None and known.word == "skipped":
        return known
    return Outcome(word, row["message"], row["text"])
