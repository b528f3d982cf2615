"""CSV that git tracks and that people open in spreadsheets: equal rows are equal bytes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from pytest_cockpit.records.text import one_line

# What makes a spreadsheet take a cell for a formula, at its start or behind what may separate
# cells elsewhere; and the apostrophe itself, so that what was put in front can be told.
_FORMULA = re.compile("(^|[,;|])(?=\\s*[=+\\-@'\uff1d\uff0b\uff0d\uff20])")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of text below a header; cells of anybody's words go through `cell` first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def cell(words: str) -> str:
    """Text as a cell that is one line and no formula: an apostrophe stands before what would be."""
    return _FORMULA.sub(r"\1'", one_line(words))
