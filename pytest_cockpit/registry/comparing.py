"""A generated document as it is, next to what it would be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records.text import one_line, printable

REMEDY = "write it: pytest --cockpit-registry, then commit it"

_LINES = 3
_WIDTH = 100


def compare(place: Place, path: str, made: bytes | None) -> Result:
    """Whether a tree has a document as it would be written; None: it would not be."""
    where, content = one_line(printable(path)), place.read(path)
    if content == made:
        said = "as it would be written" if made is not None else "nothing to be written"
        return Result(Verdict.PASS if made is not None else Verdict.SKIP, f"{where}: {said}")
    if made is None:
        return _red(f"{where}: nothing in the tree and its ledger gives it", "remove it")
    if content is None:
        return _red(f"{where}: {untracked(place, path)}", REMEDY)
    number, ours, theirs = next(_pairs(content, made))
    text = [f"{where}: is not as it would be written", *differing(content, made), REMEDY]
    return Result(
        Verdict.FAIL,
        f"{where}: line {number:,} is {_line(ours)!r}, would be {_line(theirs)!r}",
        "\n  ".join(text),
    )


def untracked(place: Place, path: str) -> str:
    """What is said of a document that the tree does not have."""
    there = (place.repository.root / path).is_file()
    hint = ", though it is there; git add it, with -f where git ignores it" if there else ""
    return f"is no tracked file{hint}"


def differing(content: bytes, made: bytes) -> list[str]:
    """The first lines in which a file is not as it would be written."""
    return [
        line
        for number, ours, theirs in islice(_pairs(content, made), _LINES)
        for line in (
            f"line {number:,}:",
            f"  is       {_line(ours)}",
            f"  would be {_line(theirs)}",
        )
    ]


def _pairs(content: bytes, made: bytes) -> Iterator[tuple[int, bytes | None, bytes | None]]:
    """The lines that differ, with their number; None where one side has ended."""
    pairs = zip_longest(content.split(b"\n"), made.split(b"\n"))
    for number, (ours, theirs) in enumerate(pairs, start=1):
        if ours != theirs:
            yield number, ours, theirs


def _line(content: bytes | None) -> str:
    if content is None:
        return "(not there)"
    text = one_line(content.decode("utf-8", "backslashreplace"))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _red(said: str, remedy: str) -> Result:
    return Result(Verdict.FAIL, said, f"{said}\n  {remedy}")
