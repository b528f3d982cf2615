"""What rows of the ledger say of coverage; a row of another shape says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.records.ledger_kinds import COVERAGE

_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Coverage:
    """One module's coverage by its own tests.

    Parameters
    ----------
    at: when, as the row has it.
    commit: what was measured.
    state: how the run ended.
    statements, missing: None where nothing could be counted.
    tests: how many had each outcome.
    digest: of the data that this was counted from.
    content: of the module's files that were measured; empty where the row does not say.
    """

    seq: int
    at: str
    module: str
    commit: str
    state: str
    statements: int | None
    missing: int | None
    tests: Mapping[str, int]
    digest: str
    content: str

    @property
    def percent(self) -> float | None:
        """The share of its statements that ran."""
        return percent(self.statements, self.missing)


def percent(statements: int | None, missing: int | None) -> float | None:
    """The share that ran, to two decimals; None where nothing was measured or there is nothing.

    Only all of it is 100 and only none of it 0, however close the rest comes.
    """
    if not statements or missing is None:
        return None
    found = round(100 * (statements - missing) / statements, 2)
    return found if missing in (0, statements) else min(max(found, _LEAST), 100 - _LEAST)


def coverage(rows: Iterable[Mapping[str, Any]]) -> Iterator[Coverage]:
    """Every measured coverage, in the ledger's order."""
    for row in rows:
        if row.get("kind") != COVERAGE or not _texts(row, "module", "commit", "state"):
            continue
        statements, missing = _whole(row.get("statements")), _whole(row.get("missing"))
        if statements is None or missing is None or missing > statements:
            statements = missing = None
        yield Coverage(
            _seq(row),
            _text(row, "at"),
            row["module"],
            row["commit"],
            row["state"],
            statements,
            missing,
            _counts(row.get("tests")),
            _text(row, "data_sha256"),
            _text(row, "content_sha256"),
        )


def newest(found: Iterable[Coverage]) -> dict[str, Coverage]:
    """By module, the row that counts."""
    return {each.module: each for each in found}


def _texts(row: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(row.get(key), str) and row[key] for key in keys)


def _text(row: Mapping[str, Any], key: str) -> str:
    found = row.get(key)
    return found if isinstance(found, str) else ""


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _seq(row: Mapping[str, Any]) -> int:
    return _whole(row.get("seq")) or 0


def _counts(value: Any) -> dict[str, int]:
    table = value if isinstance(value, Mapping) else {}
    counts = {str(key): _whole(count) for key, count in table.items()}
    return {key: count for key, count in counts.items() if count is not None}
