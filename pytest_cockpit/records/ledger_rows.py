"""A ledger's row: one line of RFC 8785 JSON, read and written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import schema
from pytest_cockpit.records.ledger_kinds import judge
from pytest_cockpit.records.text import MAX_DEPTH, canonical_line, parse

START = "0" * 64
"""What the first row names as the digest of the row before it."""

_SAFE_DIGITS = 15
_BEYOND_THE_BASIC_PLANE = re.compile(rb"[\xf0-\xf4]")


class LedgerError(CockpitError):
    """A ledger that is broken, or a row that does not fit into one."""


@dataclass(frozen=True, slots=True)
class Break:
    """One place where a chain does not hold.

    `line` counts from 1; `seq` is the number the row bears, or should bear where it bears none.
    """

    seq: int
    line: int
    reason: str


def row_of(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """The row of one whole line, or None and the reason why it is none."""
    row = _plainly(line)
    if row is not None and judge("ledger-row")(row):
        return row, ""
    return _thoroughly(line)


def line_of(row: Mapping[str, Any], seq: int, prev: str) -> bytes:
    """The line of a row at this place of a chain.

    Raises
    ------
    LedgerError: the row is not fit for a ledger.
    """
    own = [key for key in ("seq", "prev") if key in row]
    if own:
        raise LedgerError(f"ledger row: {own[0]}: set by the ledger; leave it out")
    whole = {**row, "seq": seq, "prev": prev}
    errors = schema.problems(whole, "ledger-row")
    if errors:
        raise LedgerError("\n".join(f"ledger row: {error}" for error in errors))
    line = canonical_line(whole)
    read, reason = row_of(line)
    if read is None:
        # Whole numbers that only floats can hold, for one, are written but cannot be read back.
        raise LedgerError(f"ledger row: {reason}; choose other values")
    return line


class _Unsure(Exception):
    """What only the thorough reader can judge."""


def _plainly(line: bytes) -> Any:
    """The value of a line that is certainly canonical; None where only the long way can tell.

    Python's own writer gives what RFC 8785 asks for when there is no float, no integer of more
    than 15 digits, and no key outside the basic plane, whose order would be another one in
    UTF-16. What it gives back byte for byte had each key once and no escape too many.
    """
    try:
        if line.count(b"{") + line.count(b"[") > MAX_DEPTH:
            return None
        if not line.isascii() and _BEYOND_THE_BASIC_PLANE.search(line):
            return None
        text = line.decode()
        row, _ = _DECODER.raw_decode(text)
        same = type(row) is dict and f"{_ENCODER.encode(row)}\n" == text
    except (ValueError, _Unsure, RecursionError):
        return None
    return row if same else None


def _unsure(text: str) -> float:
    raise _Unsure(text)


def _safe(text: str) -> int:
    if len(text) > _SAFE_DIGITS:
        raise _Unsure(text)
    return int(text)


_DECODER = json.JSONDecoder(parse_float=_unsure, parse_constant=_unsure, parse_int=_safe)
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def _thoroughly(line: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        row = parse(line)
        form = canonical_line(row)
    except (ValueError, CockpitError) as error:
        return None, f"not a JSON row ({error})"
    errors = schema.problems(row, "ledger-row")
    if errors:
        return None, f"not a ledger row ({errors[0]})"
    if form != line:
        return None, "not in canonical form"
    return row, ""
