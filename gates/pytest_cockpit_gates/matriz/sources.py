"""The files of measurements that a repository names, read, and bound to what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pytest_cockpit.api import JSON, Finding, Severity
from pytest_cockpit.records.text import one_line, sha256
from pytest_cockpit_gates.matriz import (
    files,
    source_benchmarks,
    source_coverage,
    source_metrics,
)
from pytest_cockpit_gates.matriz.samples import Binding, Source
from pytest_cockpit_gates.matriz.source_benchmarks import Benchmarks
from pytest_cockpit_gates.matriz.source_coverage import Coverage
from pytest_cockpit_gates.matriz.source_metrics import Metrics

INVALID = "matriz.evidence-invalid"

_PATTERNS = {"type": "array", "minItems": 1, "items": files.PATH}
KINDS = ("metrics", "coverage", "benchmarks")
EXCLUDED = ("**/tests/**", "**/test_*.py", "**/*_test.py", "**/conftest.py")

SCHEMA: JSON = {
    "type": "object",
    "properties": {
        **dict.fromkeys(KINDS, _PATTERNS),
        "judged": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        "exclude": {"type": "array", "items": files.PATH},
        "max_age_days": {"type": "number", "exclusiveMinimum": 0, "maximum": 36500},
        "statistic": {"enum": list(source_benchmarks.STATISTICS)},
        "rounds": {"type": "integer", "minimum": 1},
    },
    "anyOf": [{"required": [kind]} for kind in KINDS],
    "additionalProperties": False,
}
"""The JSON Schema of the setting `evidence`."""


_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Sources:
    """What could be read, what could not, and the digests of all that was."""

    read: tuple[Source, ...]
    findings: tuple[Finding, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    data: bytes


def load(root: Path, settings: Mapping[str, Any], paths: Sequence[str]) -> Sources:
    """Read all that the setting `evidence` names."""
    findings: list[Finding] = []
    found: dict[str, list[_File]] = {}
    for kind in KINDS:
        found[kind] = []
        for item in _files(root, settings.get(kind, ()), paths):
            if isinstance(item, Finding):
                findings.append(item)
            else:
                found[kind].append(item)
    known = frozenset(paths)
    statistic = settings.get("statistic", "median")
    rounds = settings.get("rounds", 5)
    metrics = list(_each(found["metrics"], source_metrics.read, findings))
    coverage = _each(
        found["coverage"], lambda path, data: source_coverage.read(path, data, known), findings
    )
    benchmarks = _each(
        found["benchmarks"],
        lambda path, data: source_benchmarks.read(path, data, statistic, rounds),
        findings,
    )
    digests = {item.path: sha256(item.data) for items in found.values() for item in items}
    reports: list[Coverage | Benchmarks] = [*coverage, *benchmarks]
    vouched = [_vouched(source, digests, metrics) for source in reports]
    return Sources((*metrics, *vouched), tuple(findings), digests)


def _files(root: Path, patterns: Iterable[str], paths: Iterable[str]) -> Iterator[_File | Finding]:
    top = root.resolve()
    for pattern in patterns:
        wanted = files.matcher([pattern])
        matching = sorted(path for path in paths if wanted.fullmatch(path))
        if not matching:
            yield _finding(pattern, "no file matches: nothing was measured", "write it, or change")
        for path in matching:
            try:
                file = (root / path).resolve(strict=True)
                if not file.is_relative_to(top):
                    yield _finding(
                        path, "is a link out of the repository", "keep it here, or change"
                    )
                else:
                    yield _File(path, file.read_bytes())
            except OSError as error:
                reason = error.strerror or type(error).__name__
                yield _finding(path, f"cannot be read: {reason}", "write it again, or change")


def _each(
    found: Iterable[_File], read: Callable[[str, bytes], _Made], findings: list[Finding]
) -> Iterator[_Made]:
    for item in found:
        try:
            yield read(item.path, item.data)
        except ValueError as error:
            findings.append(
                _finding(item.path, one_line(str(error))[:200], "write it again, or change")
            )


def _vouched(
    source: Coverage | Benchmarks, digests: Mapping[str, str], metrics: Iterable[Metrics]
) -> Source:
    """The report, bound by a file of metrics that gives its digest, where one does."""
    if source.binding.files:
        return source
    digest = digests[source.path]
    binding = next((it.binding for it in metrics if it.reports.get(source.path) == digest), None)
    if binding is None:
        return source
    at = binding.at or source.binding.at
    return replace(source, binding=Binding(binding.commit, binding.files, at))


def _finding(path: str, message: str, remedy: str) -> Finding:
    return Finding(
        INVALID,
        message,
        severity=Severity.UNKNOWN,
        path=path,
        remedy=f"{remedy} tool.cockpit.gate.matriz.evidence",
    )
