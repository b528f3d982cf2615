"""The ledger's rows: each with its line, and held against the form of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import JSON, Finding
from pytest_cockpit.records import ledger
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.records.text import parse

PROMOTION = "promotion"

_OID = {"title": "git object id", "type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}
_PATH = {"title": "path", "type": "string", "minLength": 1}

_FORMS: dict[str, JSON] = {
    PROMOTION: {
        "type": "object",
        "required": ["batch_id", "base", "plan_sha256", "moves", "shims"],
        "properties": {
            "batch_id": {"title": "batch id", "type": "string", "minLength": 1},
            "base": _OID,
            "plan_sha256": {
                "title": "SHA-256 digest",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
            },
            "moves": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["source", "target", "source_blob", "target_blob"],
                    "properties": {
                        "source": _PATH,
                        "target": _PATH,
                        "source_blob": _OID,
                        "target_blob": _OID,
                    },
                },
            },
            "shims": {"type": "array", "items": _PATH},
        },
    }
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read, and the line it stands on."""

    line: int
    content: dict[str, Any]

    @property
    def kind(self) -> object:
        """What the row records."""
        return self.content.get("kind")


def whole_rows(data: bytes) -> list[Row]:
    """Every line that holds a JSON object; what is wrong with the others `breaks` tells."""
    rows = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            content = parse(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            rows.append(Row(number, content))
    return rows


def breaks(data: bytes, path: str) -> Iterator[Finding]:
    """Findings for every place where the chain does not hold."""
    for found in ledger.verify(data):
        if found.reason == "torn":
            rule, message = "ledger.torn", "the last line is torn"
            remedy = "restore the ledger from git, or move the torn line to a file beside it"
        else:
            form = found.reason.startswith("not a ledger row")
            rule, message = "ledger.row-schema" if form else "ledger.chain", found.reason
            if found.reason.startswith("prev is"):
                message = f"{message}: line {found.line - 1} or this one was changed"
            remedy = "restore the ledger from git; rows are only ever added"
        yield Finding(
            rule,
            f"row {found.seq}: {message}",
            path=path,
            line=found.line,
            remedy=remedy,
            evidence={"seq": found.seq},
        )


def misfits(rows: Iterable[Row], path: str) -> Iterator[Finding]:
    """Findings for rows without the keys of their kind."""
    for row in rows:
        form = _FORMS.get(str(row.kind))
        for problem in problems_by(row.content, form) if form else ():
            yield Finding(
                "ledger.row-schema",
                f"{row.kind} row: {problem}",
                path=path,
                line=row.line,
                remedy="restore the row from git, or promote again",
            )
