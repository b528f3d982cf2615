"""The ledger's rows: each held against the form of its kind, and what the later rules need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records.ledger_kinds import (
    CONTENT,
    EPOCH,
    FREEZE,
    KINDS,
    MERGED,
    PROMOTION,
    ROLLBACK,
    TAG,
    fits,
    misfits,
)
from pytest_cockpit.records.ledger_merge import count
from pytest_cockpit.records.ledger_rows import Break
from pytest_cockpit.records.ledger_scan import Seen

_SHOWN = 100
# What makes two rows about a tag the same one, where two ledgers were merged.
_TOLD = {TAG: ("tag", "object", "commit"), FREEZE: ("tag", "base", "manifest_sha256")}
_LONG_AGO = -1e11


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read, and the line it stands on."""

    line: int
    content: dict[str, Any]

    @property
    def kind(self) -> object:
        """What the row records."""
        return self.content.get("kind")


@dataclass(slots=True)
class Facts:
    """What rules over several rows need of those read so far; JSON-able, so that it keeps.

    Parameters
    ----------
    kinds: rows of each kind.
    latest: the latest `at`, in seconds.
    contents: by path, `sha256`, `blob` and line of the newest row about it.
    epochs, tags: the rows of these kinds with their lines; freezes are among the tags.
    batches: by batch, the line of its row; of one that was rolled back minus the line that says so.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    latest: float = 0.0
    contents: dict[str, tuple[str | None, str | None, int]] = field(default_factory=dict)
    epochs: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    tags: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    batches: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {
            "kinds": dict(self.kinds),
            "latest": self.latest,
            "contents": {path: list(facts) for path, facts in self.contents.items()},
            "epochs": [list(pair) for pair in self.epochs],
            "tags": [list(pair) for pair in self.tags],
            "batches": self.batches,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """What `to_json` gave."""
        return cls(
            Counter(data["kinds"]),
            float(data["latest"]),
            {path: (sha, blob, line) for path, (sha, blob, line) in data["contents"].items()},
            [(line, row) for line, row in data["epochs"]],
            [(line, row) for line, row in data["tags"]],
            {str(batch): int(line) for batch, line in data["batches"].items()},
        )


class Reader:
    """Takes every line of a ledger, in order; `findings` is what is wrong with them.

    `merges` are the lines on which another ledger begins that was merged into this one. Its rows
    are about what it was, not about what stands above them.

    Parameters
    ----------
    path: the ledger's, for findings.
    facts: of the rows before.
    skew: by how many seconds a row may be older than one before it.
    batch: id of the running batch, whose rows are kept in `own`.
    """

    def __init__(self, path: str, facts: Facts, skew: float, batch: str | None = None) -> None:
        self.facts = facts
        self.findings: list[Finding] = []
        self.hidden = 0
        self.own: list[Row] = []
        self.merges: list[int] = []
        # Of each ledger that is being merged: how many of its rows are to come, and the latest time
        # of those above it.
        self._sides: list[tuple[int, float]] = []
        self._path = path
        self._skew = skew
        self._batch = batch

    def take(self, seen: Seen) -> None:
        """Judge one line."""
        if seen.fault is not None:
            self._add(broken(seen.fault, self._path))
        row = seen.row
        if row is None:
            return
        self._sides = [(left - 1, latest) for left, latest in self._sides]
        kind = row["kind"]
        self.facts.kinds[kind] += 1
        if "at" in row:
            self._time(row["at"], seen.line)
        if kind in KINDS:
            if fits(row):
                self._keep(kind, Row(seen.line, row))
            else:
                self._misfit(Row(seen.line, row))
        while self._sides and self._sides[-1][0] <= 0:
            self.facts.latest = max(self.facts.latest, self._sides.pop()[1])

    def _keep(self, kind: str, row: Row) -> None:
        if kind == PROMOTION:
            self._promotion(row)
        elif kind == ROLLBACK:
            self._rollback(row)
        elif kind == CONTENT:
            self._content(row)
        elif kind == EPOCH:
            self.facts.epochs.append((row.line, row.content))
        elif kind in _TOLD:
            self._tag(row)
        elif kind == MERGED:
            self._merged(row)

    def _merged(self, row: Row) -> None:
        if not self._sides:
            self.merges.append(row.line)
        self._sides.append((count(row.content), self.facts.latest))
        self.facts.latest = 0.0

    def _tag(self, row: Row) -> None:
        told = _TOLD[row.content["kind"]]
        alike = any(
            all(row.content[key] == one.get(key) for key in told) for _, one in self.facts.tags
        )
        if not (self._sides and alike):
            self.facts.tags.append((row.line, row.content))

    def _promotion(self, row: Row) -> None:
        batch = row.content["batch_id"]
        if batch == self._batch:
            self.own.append(row)
        self.facts.batches.setdefault(batch, row.line)

    def _rollback(self, row: Row) -> None:
        if row.content["batch_id"] == self._batch:
            self.own.append(row)
        batch = row.content["rolls_back"]
        line = self.facts.batches.get(batch, 0)
        if line > 0:
            self.facts.batches[batch] = -row.line
            return
        if line and self._sides:
            # Both sides of a merge have undone it, each once.
            return
        state = f"was rolled back before, on line {-line}" if line else "has no row above it"
        self._add(
            Finding(
                "ledger.rollback",
                f"undoes batch {batch}, which {state}",
                path=self._path,
                line=row.line,
                remedy="take the row back with git; a batch is undone once, by"
                " pytest --cockpit-rollback",
                evidence={"rolls_back": batch},
            )
        )

    def _misfit(self, row: Row) -> None:
        if row.kind in (PROMOTION, ROLLBACK) and row.content.get("batch_id") == self._batch:
            self.own.append(row)
        for problem in misfits(row.content):
            self._add(
                Finding(
                    "ledger.row-schema",
                    f"{row.kind} row: {problem}",
                    path=self._path,
                    line=row.line,
                    remedy="restore the row from git, or run again what wrote it",
                )
            )

    def _content(self, row: Row) -> None:
        path, previous = row.content["path"], row.content["previous"]
        known = self.facts.contents.get(path)
        if known is not None and known[0] != previous and not self._sides:
            self._add(
                Finding(
                    "ledger.unbound-change",
                    f"{path} was {previous or 'not there'} before this row,"
                    f" but line {known[2]} says {known[0] or 'it was deleted'}",
                    path=self._path,
                    line=row.line,
                    remedy="restore the ledger from git and record the file again:"
                    f" cockpit ledger record {path}",
                )
            )
        self.facts.contents[path] = (row.content["sha256"], row.content["blob"], row.line)

    def _time(self, at: str, line: int) -> None:
        when = _seconds(at)
        if when < self.facts.latest - self._skew:
            back = self.facts.latest - when
            self._add(
                Finding(
                    "ledger.time-regression",
                    f"is of {at}, {back:.0f} s before a row above it",
                    path=self._path,
                    line=line,
                    remedy="set the clock of the machine that wrote it, take the row back with git"
                    " and write it again",
                    evidence={"at": at, "latest": _shown(self.facts.latest), "skew_s": self._skew},
                )
            )
        self.facts.latest = max(self.facts.latest, when)

    def _add(self, finding: Finding) -> None:
        if len(self.findings) < _SHOWN:
            self.findings.append(finding)
        else:
            self.hidden += 1


def broken(found: Break, path: str) -> Finding:
    """The finding that a break of the chain is."""
    if found.reason == "torn":
        rule, message = "ledger.torn", "the last line is torn"
        remedy = "restore the ledger from git, or move the torn line to a file beside it"
    else:
        form = found.reason.startswith("not a ledger row")
        rule, message = "ledger.row-schema" if form else "ledger.chain", found.reason
        if found.reason.startswith("prev is"):
            message = f"{message}: line {found.line - 1} or this one was changed"
        remedy = "restore the ledger from git; rows are only ever added"
    return Finding(
        rule,
        f"row {found.seq}: {message}",
        path=path,
        line=found.line,
        remedy=remedy,
        evidence={"seq": found.seq},
    )


def hidden(reader: Reader) -> Iterator[Finding]:
    """A finding that tells how many were left out."""
    if reader.hidden:
        last = reader.findings[-1]
        yield Finding(
            last.rule,
            f"{reader.hidden} more findings about lines",
            path=last.path,
            remedy=last.remedy,
        )


def _seconds(at: str) -> float:
    """Seconds since 1970 of a time that the schema accepts, which knows leap seconds and year 0."""
    for text in (at, f"{at[:17]}59{at[19:]}"):
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            continue
    return _LONG_AGO


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
