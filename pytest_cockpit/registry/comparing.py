"""A generated document as it is, next to what it would be."""

from __future__ import annotations

from itertools import islice, zip_longest

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records.text import one_line, printable

REMEDY = "write it: pytest --cockpit-registry, then commit it"
_IGNORED = " (git add --force where git ignores it)"

_LINES = 3
_WIDTH = 100


def compare(place: Place, path: str, made: bytes | None) -> Result:
    """Whether a tree has a document as it would be written; None: it would not be."""
    where, content = one_line(printable(path)), place.read(path)
    if content == made:
        said = "as it would be written" if made is not None else "nothing to be written"
        return Result(Verdict.PASS if made is not None else Verdict.SKIP, f"{where}: {said}")
    if made is None:
        return _red(f"{where}: nothing in the tree and its ledger gives it", [], "remove it")
    if content is None:
        return _red(f"{where}: is not tracked", [], f"{REMEDY}{_IGNORED}")
    return _red(f"{where}: is not as it would be written", differing(content, made), REMEDY)


def differing(content: bytes, made: bytes) -> list[str]:
    """The first lines in which a file is not as it would be written."""
    pairs = zip_longest(content.split(b"\n"), made.split(b"\n"))
    rows = ((number, *pair) for number, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
    return [
        line
        for number, ours, theirs in islice(rows, _LINES)
        for line in (
            f"line {number:,}:",
            f"  is       {_line(ours)}",
            f"  would be {_line(theirs)}",
        )
    ]


def _line(content: bytes | None) -> str:
    if content is None:
        return "(not there)"
    text = one_line(content.decode("utf-8", "backslashreplace"))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _red(said: str, lines: list[str], remedy: str) -> Result:
    text = "\n  ".join([said, *lines, remedy])
    return Result(Verdict.FAIL, said, text)
