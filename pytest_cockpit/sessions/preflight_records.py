"""What a first promotion needs of the repository's own records: baselines, ledger, artifacts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion import readings
from pytest_cockpit.records import artifacts, baselines, checkpoint, ledger, ledger_keys
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit.records.ledger_scan import Chain, lines_of, walk
from pytest_cockpit.records.merkle import EMPTY, Frontier
from pytest_cockpit.records.signed_note import NoteError
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.examining import (
    Check,
    Scene,
    failed,
    named,
    passed,
    skipped,
    unknown,
    warned,
)

_MEASURE = "pytest --cockpit-init measures it; look at the file and commit it"


class Records:
    """Checks of what git and the artifacts folder keep; `numbers` are what they found."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.settings = scene.settings
        self.numbers: dict[str, Any] = {"baselines": {}}

    def checks(self) -> Iterator[Check]:
        """All of them."""
        yield Check("baselines/lane", self._lane)
        loaded = discovery.gates().loaded
        for name in self.settings.gates:
            if name in loaded and hasattr(loaded[name].gate, "baseline"):
                yield Check(f"baselines/{name}", partial(self._baseline, name))
        yield Check("ledger/chain", self._chain)
        yield Check("ledger/checkpoint", self._checkpoint)
        yield Check("artifacts/inventory", self._inventory)

    def _lane(self) -> Outcome:
        lane, ground = self.settings.lane.path, self.scene.ground
        if not self.scene.repository.entries(self.scene.head, lane):
            return failed(
                f"{lane}/: no such folder in {self.scene.head[:12]}",
                "set lane.path to the folder that files wait in",
            )
        self.numbers["lane"] = {"waiting": ground.waiting}
        if self.scene.repository.is_shallow():
            return unknown(
                f"{words.count(ground.waiting, 'file')} of {lane}/ wait; how many there were at "
                "most cannot be told",
                "git fetch --unshallow",
            )
        self.numbers["lane"]["largest"] = ground.largest
        return passed(
            f"{words.count(ground.waiting, 'file')} of {lane}/ wait, {ground.largest:,} at most"
        )

    def _baseline(self, gate: str) -> Outcome:
        reason = self.settings.skip(gate)
        if reason is not None:
            return skipped(f"declared not applicable: {reason}")
        where = baselines.path_of(self.settings.records, gate)
        data = self.scene.blob(where)
        if data is None:
            return failed(f"{where}: is not in {self.scene.head[:12]}", _MEASURE)
        try:
            baseline = baselines.parse(data, where)
        except CockpitError as error:
            return failed(str(error), "restore it from git, or delete it and measure it anew")
        numbers = {"sha256": artifacts.sha256(data), "entries": len(baseline.entries)}
        numbers |= _counted(baseline)
        self.numbers["baselines"][gate] = numbers
        there = {
            artifacts.printable(entry.path)
            for entry in self.scene.repository.entries(self.scene.head)
        }
        gone = sorted(path for path in baseline.entries if path not in there)
        counts = {key: value for key, value in numbers.items() if key != "sha256"}
        said = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts.items())
        if gone:
            return warned(
                f"{where}: bounds {words.count(len(gone), 'file')} that are gone: {named(gone)}",
                "pytest --cockpit-ratchet=tighten",
            )
        return passed(f"{where}: {said}")

    def _chain(self) -> Outcome:
        where = self.settings.ledger
        data = self.scene.blob(where)
        if data is None:
            return failed(
                f"{where}: is not in {self.scene.head[:12]}",
                "pytest --cockpit-init opens it; commit it",
            )
        breaks = ledger.verify(data)
        if breaks:
            first = breaks[0]
            return failed(f"{where}: line {first.line}: {first.reason}", "restore it from git")
        rows = data.count(b"\n")
        self.numbers["ledger"] = {"rows": rows, "head": ledger.head(data)}
        return passed(f"{where}: {words.count(rows, 'row')}, the chain is whole")

    def _checkpoint(self) -> Outcome:
        where = checkpoint.path_of(self.settings.ledger)
        data = self.scene.blob(where)
        if data is None:
            return skipped(f"{where}: none is kept; cockpit ledger checkpoint writes one")
        held = self.scene.blob(self.settings.ledger) or b""
        try:
            note, point = checkpoint.read(data)
            keys = self.settings.gate.get("ledger", {}).get("keys", ())
            verifiers = [ledger_keys.verifier(text) for text in keys]
            signed = not verifiers or bool(note.signed_by(verifiers))
        except (CockpitError, NoteError) as error:
            return failed(f"{where}: {error}", "restore it from git")
        if not signed:
            return failed(f"{where}: no configured key has signed it", "cockpit ledger checkpoint")
        if not _began(held, point):
            return failed(
                f"{where}: the ledger's first {point.size} rows are not those it was written for",
                "restore both from git",
            )
        by = "signed by a configured key" if verifiers else "unsigned"
        return passed(f"{where}: {words.count(point.size, 'row')}, {by}")

    def _inventory(self) -> Outcome:
        folder = self.scene.repository.root / self.settings.artifacts
        if folder.is_symlink():
            return failed(f"{self.settings.artifacts}: a link", "put a folder there")
        found = [
            path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()
        ]
        rows = [
            {
                "path": artifacts.printable(
                    path.relative_to(self.scene.repository.root).as_posix()
                ),
                "bytes": path.stat().st_size,
                "sha256": artifacts.sha256(path.read_bytes()),
            }
            for path in found
        ]
        self.numbers["artifacts"] = rows
        total = sum(path.stat().st_size for path in found)
        return passed(f"{words.count(len(rows), 'file')}, {total:,} bytes")


def _counted(baseline: Baseline) -> dict[str, Any]:
    """What a baseline of one of the known kinds counts."""
    if baseline.gate == "coverage":
        tolerated = {"failing_tests": len(baselines.failing_tests(baseline))}
        try:
            statements, missing = readings.coverage_of_baseline(baseline.entries)
        except CockpitError:
            return tolerated
        return {"statements": statements, "missing_lines": missing, **tolerated}
    if baseline.gate == "imports":
        return {"failures": len(baselines.failures(baseline))}
    if baseline.gate == "quarantine":
        held = [entry.get("tests") for entry in baseline.entries.values()]
        return {"quarantined": sum(len(tests) for tests in held if isinstance(tests, dict))}
    return {}


def _began(held: bytes, point: checkpoint.Checkpoint) -> bool:
    """Whether the ledger begins with the rows that a checkpoint was written for."""
    tree = Frontier()
    if point.size == 0:
        return point.root == EMPTY
    for _ in walk(lines_of(io.BytesIO(held)), Chain(tree=tree)):
        if tree.size == point.size:
            return tree.root() == point.root
    return False
