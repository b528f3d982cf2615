"""The gate that a week's decision requires: what it said last here, and whether that counts.

Its record is the report that a session with `-m gemm_slo` has kept, vouched for by that session's
row in the ledger of sessions. A campaign has that gate among its phases.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_cockpit.api import JSON, CockpitError, Verdict
from pytest_cockpit.records import ledger
from pytest_cockpit.records.text import canonical, one_line, parse, sha256
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.settings import Settings

COMMAND = "pytest -m gemm_slo"
ASKED = "asked"
"""Name of the evidence that says what a report of the gate is of."""
PHASES: Mapping[str, Sequence[str]] = {"replay": ("pre-gate", "post-gate"), "split": ("pre-gate",)}
"""The phases of each campaign that are the canonical gate."""

_REPORT, _SESSIONS, _MODE = "gates/gemm.json", "sessions.ndjson", "gates"
_FILES = ("policy", "t3_policy", "t5_policy", "sla", "escalation", "baseline")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Required:
    """A gate that has to be green for a promotion.

    Parameters
    ----------
    gate: the command, or the phase of a campaign.
    verdict: unknown where nobody has judged, or where what was judged does not count.
    why: what it said, or why that does not count.
    at: when it began, ISO 8601 in UTC; None where nobody knows.
    evidence: path and digest of its report; None where there is none.
    """

    gate: str
    verdict: Verdict
    why: str = ""
    at: str | None = None
    evidence: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        """In one line."""
        return f"{self.gate} is {self.verdict}" + (f": {self.why}" if self.why else "")

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        path, digest = self.evidence or (None, None)
        return {
            "gate": self.gate,
            "verdict": self.verdict.value,
            "why": self.why,
            "at": self.at,
            "evidence": {"path": path, "sha256": digest} if path else None,
        }


def of_phases(track: str, phases: Mapping[str, str]) -> tuple[Required, ...]:
    """The gates of a campaign, by the verdicts of its phases; unknown where one was not done."""
    return tuple(Required(name, Verdict(phases.get(name, "unknown"))) for name in PHASES[track])


def asked(root: Path, settings: JSON, at: str) -> dict[str, str]:
    """What a report of the gate is of.

    Parameters
    ----------
    settings: of the gate, as a context has them.
    at: when it began, ISO 8601 in UTC.
    """
    return {"at": at, "sha256": digest(root, settings)}


def digest(root: Path, settings: JSON) -> str:
    """The digest of settings and of the files that they name."""
    made, files = Settings.of(settings), {}
    for name in _FILES:
        # What cannot be read has no digest, and is told by who needs it.
        with contextlib.suppress(CockpitError, OSError):
            path = getattr(made, name)
            if path:
                files[name] = sha256(documents.inside(root, path).read_bytes())
    return sha256(canonical({"settings": dict(settings), "files": files}))


def last(root: Path, folder: str, since: Iterable[str], wanted: str) -> Required:
    """What the gate said last in this checkout; unknown where that does not count.

    Parameters
    ----------
    folder: repository-relative folder of what sessions keep.
    since: when campaigns ended, ISO 8601 in UTC; what the gate said before the last of them does
        not count.
    wanted: digest of the settings and files that it has to be of.
    """
    where = f"{folder}/{_REPORT}"
    try:
        return _said(root, folder, where, since, wanted)
    except (CockpitError, OSError) as error:
        why = str(error)
    except (ValueError, KeyError, TypeError, StopIteration):
        why = f"{where} does not say what it is of"
    return Required(COMMAND, Verdict.UNKNOWN, one_line(why)[:_LONGEST])


def _said(root: Path, folder: str, where: str, since: Iterable[str], wanted: str) -> Required:
    """What the report says; raises `CockpitError` where it does not count, or as it is broken."""
    path = documents.inside(root, where)
    if not path.is_file():
        raise CockpitError(f"it was not run here: there is no {where}")
    content = path.read_bytes()
    found = where, sha256(content)
    if not _vouched(root, f"{folder}/{_SESSIONS}", *found):
        raise CockpitError(f"no session vouches for {where}; run it again without -n")
    report = parse(content)
    told = next(it["data"] for it in report["evidence"] if it["name"] == ASKED)
    if told["sha256"] != wanted:
        raise CockpitError("it was judged by other settings or files than those of now")
    at, ends = told["at"], [_moment(it) for it in since if it]
    if ends and _moment(at) < max(ends):
        raise CockpitError(f"it was last run at {at}, before all was measured")
    summary = one_line(str(report["summary"]))[:_LONGEST]
    return Required(COMMAND, Verdict(report["verdict"]), summary, at, found)


def _vouched(root: Path, path: str, where: str, sha: str) -> bool:
    """Whether a session of gates has kept this very report; raises `CockpitError`, `OSError`."""
    book = documents.inside(root, path)
    if not book.is_file():
        raise CockpitError(f"no session vouches for {where}: there is no {path}; run it again")
    rows = ledger.rows(book.read_bytes())
    kept = {"path": where, "sha256": sha}
    return any(row.get("mode") == _MODE and kept in row.get("artifacts", ()) for row in rows)


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)
