"""Baselines: tracked ratchet files, one per gate, that may only tighten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError, Move
from pytest_cockpit.records import artifacts, schema, text

SCHEMA = "pytest-cockpit/baseline/1"

_GATE = re.compile(r"[a-z][a-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The bounds a gate holds its files to, keyed by printable repository-relative path."""

    gate: str
    entries: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


def path_of(records: str, gate: str) -> str:
    """Repository-relative path of a gate's baseline."""
    if not _GATE.match(gate):
        raise CockpitError(f"baseline of {schema.shown(gate)}: a gate's name is [a-z][a-z0-9_-]*")
    return f"{records}/baselines/{gate}.json"


def load(root: Path, records: str, gate: str) -> Baseline | None:
    """The gate's baseline in the tree `root`, or None when there is none.

    Raises
    ------
    CockpitError: the file is there, but cannot be read or is no baseline of this gate.
    """
    where = path_of(records, gate)
    try:
        data = (root / where).read_bytes()
    except FileNotFoundError as error:
        if (root / where).is_symlink():
            raise CockpitError(f"{where}: a link to nothing; restore it from git") from error
        return None
    except OSError as error:
        raise artifacts.os_error(Path(where), "cannot read", error) from error
    found = parse(data, where)
    if found.gate != gate:
        raise CockpitError(
            f"{where}: /gate: expected {schema.shown(gate)}, got {schema.shown(found.gate)}"
        )
    return found


def parse(data: bytes, where: str) -> Baseline:
    """The baseline in `data`; `where` names it in errors."""
    try:
        document = text.parse(data)
    except ValueError as error:
        raise CockpitError(f"{where}: not JSON ({error}); restore it from git") from error
    errors = schema.problems(document, "baseline")
    if errors:
        raise CockpitError("\n".join(f"{where}: {error}" for error in errors))
    return Baseline(document["gate"], document["entries"], document["meta"])


def dump(baseline: Baseline) -> bytes:
    """The baseline as it stands in its file; equal content gives equal bytes."""
    return text.canonical(
        {
            "schema": SCHEMA,
            "gate": baseline.gate,
            "entries": baseline.entries,
            "meta": baseline.meta,
        }
    )


def renamed(baseline: Baseline, moves: Iterable[Move]) -> Baseline:
    """The baseline after `moves`: a bound follows its file to the new path.

    A bound found at a target path is of a file that is no longer there, and gives way.
    """
    names = {text.printable(move.source): text.printable(move.target) for move in moves}
    stay = {key: value for key, value in baseline.entries.items() if key not in names}
    moved = {names[key]: value for key, value in baseline.entries.items() if key in names}
    return replace(baseline, entries={**stay, **moved})


def failing_tests(coverage: Baseline) -> list[str]:
    """Tests that the baseline of coverage tolerates although they fail."""
    found = coverage.meta.get("failing_tests", ())
    return [test for test in found if isinstance(test, str)] if isinstance(found, list) else []


def failures(imports: Baseline) -> dict[str, Any]:
    """The entries of files that the baseline of imports knows not to import.

    Its other entries permit something to files that do import.
    """
    return {path: entry for path, entry in imports.entries.items() if "class" in entry}
