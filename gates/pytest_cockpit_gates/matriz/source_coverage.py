"""Measurements of coverage: our own artifact, coverage.py's JSON, and Cobertura's XML."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from xml.parsers import expat

from pytest_cockpit.records.text import count, one_line, parse
from pytest_cockpit_gates.matriz.samples import Binding, Doubt, Sample, Target
from pytest_cockpit_gates.matriz.source_metrics import moment

METRICS = frozenset({"coverage", "line_coverage"})

_OWN = "pytest-cockpit/coverage_ratchet/1"
_ENDED = (0, 1)
"""Exit codes of pytest after which every test was run."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """Statements of a file, and those that no test executes."""

    statements: int
    missing: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """One report; `doubt` is why none of it counts."""

    path: str
    binding: Binding
    files: Mapping[str, Counts]
    doubt: str | None = None

    def about(self, target: Target, metric: str) -> Iterator[Sample | Doubt]:
        """The share of a module's statements that tests execute, in percent."""
        if metric not in METRICS or not target.files.keys() & self.files.keys():
            return
        absent = [path for path in target.files if path not in {*self.files, *target.bare}]
        counts = [self.files[path] for path in target.files if path in self.files]
        statements = sum(one.statements for one in counts)
        if self.doubt is not None:
            yield Doubt(self.doubt, self.path)
        elif absent:
            shown = ", ".join(absent[:_SHOWN])
            yield Doubt(f"has no data for {count(len(absent), 'file')}, such as {shown}", self.path)
        elif not statements:
            yield Doubt("knows of no statement in the module", self.path)
        else:
            executed = statements - sum(one.missing for one in counts)
            share = Fraction(100 * executed, statements)
            yield Sample(share, self.path, self.binding, "percent")


def read(path: str, data: bytes, known: Collection[str]) -> Coverage:
    """The report in `data`, about some of the `known` paths.

    Raises `ValueError` where it is none that can be read.
    """
    if data.lstrip().startswith(b"<"):
        return _cobertura(path, data, known)
    document = parse(data)
    rows = document.get("files") if isinstance(document, dict) else None
    if not isinstance(rows, dict):
        raise ValueError('has no "files": it is no report of coverage')  # noqa: TRY004  # of a file
    if document.get("schema") == _OWN:
        return _own(path, document)
    return _coverage_py(path, document)


def _own(path: str, document: Mapping[str, Any]) -> Coverage:
    rows = document["files"]
    counts = {name: _counts(name, row, "statements", "missing_lines") for name, row in rows.items()}
    digests = {name: str(row.get("sha256")) for name, row in rows.items()}
    tests = document.get("tests")
    exit_code = tests.get("exit") if isinstance(tests, dict) else None
    doubt = None
    if isinstance(exit_code, bool) or exit_code not in _ENDED:
        doubt = f"is of tests that did not come to their end (exit {exit_code})"
    return Coverage(path, Binding(files=digests), counts, doubt)


def _coverage_py(path: str, document: Mapping[str, Any]) -> Coverage:
    counts = {}
    for name, row in document["files"].items():
        summary = row.get("summary") if isinstance(row, dict) else None
        place = name.replace("\\", "/")
        counts[place] = _counts(name, summary, "num_statements", "missing_lines")
    meta = document.get("meta")
    at = moment(meta.get("timestamp")) if isinstance(meta, dict) else None
    return Coverage(path, Binding(at=at), counts)


def _counts(name: str, row: Any, statements: str, missing: str) -> Counts:
    table: Mapping[str, Any] = row if isinstance(row, dict) else {}
    whole, lost = table.get(statements), table.get(missing)
    if type(whole) is int and type(lost) is int and 0 <= lost <= whole:
        return Counts(whole, lost)
    raise ValueError(f"has no counts for {one_line(name)[:80]}")


def _cobertura(path: str, data: bytes, known: Collection[str]) -> Coverage:
    scan = _Cobertura()
    parser = expat.ParserCreate()
    parser.StartElementHandler = scan.start
    parser.EndElementHandler = scan.end
    parser.CharacterDataHandler = scan.text
    # Entities can multiply without end, and no report of coverage has any.
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"is no XML: {one_line(str(error))}") from error
    if not scan.is_report:
        raise ValueError("is no report of coverage in Cobertura's format")
    counts = {}
    for name, lines in scan.files.items():
        place = _placed(name, scan.sources, known)
        counts[place] = Counts(len(lines), sum(not hits for hits in lines.values()))
    return Coverage(path, Binding(at=scan.at), counts)


def _refuse(*_: Any) -> None:
    raise ValueError("declares entities, which no report of coverage needs")


def _placed(name: str, sources: Collection[str], known: Collection[str]) -> str:
    """The repository-relative path of a file whose folder may be one of another machine."""
    name = name.replace("\\", "/")
    spelled = [name]
    for source in sources:
        parts = [part for part in source.replace("\\", "/").split("/") if part not in {"", "."}]
        spelled += ["/".join([*parts[start:], name]) for start in range(len(parts))]
    return max((path for path in spelled if path in known), key=len, default=name)


class _Cobertura:
    def __init__(self) -> None:
        self.is_report = False
        self.at: datetime | None = None
        self.sources: list[str] = []
        self.files: dict[str, dict[int, int]] = {}
        self._lines: dict[int, int] | None = None
        self._source: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "coverage":
            self.is_report = True
            self.at = _epoch(attributes.get("timestamp"))
        elif tag == "source":
            self._source = []
        elif tag == "class":
            self._lines = self.files.setdefault(attributes.get("filename", ""), {})
        elif tag == "line" and self._lines is not None:
            number, hits = _whole(attributes.get("number")), _whole(attributes.get("hits"))
            self._lines[number] = max(hits, self._lines.get(number, 0))

    def text(self, text: str) -> None:
        if self._source is not None:
            self._source.append(text)

    def end(self, tag: str) -> None:
        if tag == "source" and self._source is not None:
            self.sources.append("".join(self._source).strip())
            self._source = None
        elif tag == "class":
            self._lines = None


def _whole(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 18:  # noqa: PLR2004  # 64 bits
        raise ValueError(f"has the count {one_line(str(text))[:40]}")
    return int(text)


def _epoch(text: str | None) -> datetime | None:
    """The time of a stamp in milliseconds or, as some tools write it, seconds."""
    if text is None or not (text.isascii() and text.isdecimal()):
        return None
    number = int(text[:18])
    try:
        return datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
