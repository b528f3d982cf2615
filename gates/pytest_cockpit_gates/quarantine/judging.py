"""What is wrong with the tests in quarantine. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.quarantine.marks import Mark
from pytest_cockpit.quarantine.observed import Outcome
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit_gates.quarantine import rules
from pytest_cockpit_gates.quarantine.ratchet import Place, beyond

_BEGUN = "unfinished"
_UNRUN = {
    None: "it was not run",
    _BEGUN: "it did not come to its end",
    "skipped": "it was skipped",
}


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A test in quarantine.

    Parameters
    ----------
    id: its node id.
    path, line: where it is.
    issue: what its marker says of that, whatever it is.
    mark: None where the marker is not as it should be.
    complaints: what is wrong with the marker.
    outcome: what it came to; None when it was not begun.
    """

    id: str
    path: str
    line: int | None
    issue: object
    mark: Mark | None
    complaints: tuple[str, ...] = ()
    outcome: Outcome | None = None

    @property
    def place(self) -> Place:
        """As the baseline has it."""
        return Place.of(self.id, self.issue if isinstance(self.issue, str) else "")


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was observed of a tree.

    Parameters
    ----------
    tests: those in quarantine.
    lost: why a file, class or folder could not be collected, by node id.
    naming: the files that name the marker.
    files: the Python files of the tree.
    ended: how the run ended, where it did not come to its end; "" otherwise.
    """

    tests: tuple[Quarantined, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    naming: Collection[str] = ()
    files: Collection[str] = ()
    ended: str = ""


def findings(seen: Seen, permitted: Collection[Place], today: date) -> Iterator[Finding]:
    """What is wrong with what was seen, by a baseline that permits these tests."""
    # Nothing follows a file here: `loosened` lets an entry be moved along with it.
    new = beyond([test.place for test in seen.tests], permitted, {it.path for it in permitted})
    for test in seen.tests:
        yield from _of_marker(test, today)
        yield from _of_outcome(test, seen.ended)
        if test.place in new:
            yield _found(
                rules.NEW,
                test,
                "in quarantine, and not in the baseline",
                _way_out(test.place, permitted, seen.files),
            )
    yield from lost(seen)


def loosened(
    base: Iterable[Place], now: Iterable[Place], files: Collection[str], where: str
) -> Iterator[Finding]:
    """What the baseline permits now and did not permit at the base commit."""
    for place in sorted(beyond(now, base, files)):
        yield Finding(
            rules.LOOSENED,
            f"it permits {place.id}, which it did not at the base commit",
            path=where,
            pointer=f"/entries/{_token(place.path)}/tests/{_token(place.name)}",
            remedy="take the entry out, or waive this rule for the baseline, with a reason",
            evidence={"test": place.id, "issue": place.issue},
        )


def slack(
    seen: Seen, permitted: Iterable[Place], where: str, severity: Severity
) -> Iterator[Finding]:
    """What the baseline permits and no test needs; nothing where not all was collected."""
    if seen.ended or any(_concerns(node_id, seen.naming) for node_id in seen.lost):
        return
    held = {(test.place.path, test.place.name) for test in seen.tests}
    for place in sorted(permitted):
        if (place.path, place.name) not in held:
            yield Finding(
                rules.SLACK,
                f"{place.id} is no longer in quarantine",
                severity,
                path=where,
                pointer=f"/entries/{_token(place.path)}/tests/{_token(place.name)}",
                remedy="tighten with: pytest --cockpit-ratchet=tighten",
                evidence={"test": place.id, "issue": place.issue},
            )


def word(test: Quarantined) -> str:
    """What a test came to, as one word for a table."""
    return test.outcome.word if test.outcome else "not run"


def _way_out(new: Place, permitted: Collection[Place], files: Collection[str]) -> str:
    for place in sorted(permitted):
        if (place.name, place.issue) == (new.name, new.issue) and place.path not in files:
            return f"move its entry in the baseline from {place.path} to {new.path}"
    return "mend the test, or waive this rule for its file, with a reason"


def _of_marker(test: Quarantined, today: date) -> Iterator[Finding]:
    if test.complaints:
        yield _found(
            rules.MALFORMED,
            test,
            "; ".join(test.complaints),
            'write authz_quarantine(issue="#123", owner="@team", expires="2026-12-31")',
        )
    if test.mark is not None and test.mark.expired(today):
        days = (today - test.mark.expires).days
        yield _found(
            rules.EXPIRED,
            test,
            f"quarantine expired on {test.mark.expires}, {days} day{'s' * (days != 1)} ago",
            "fix it, or renew with a reason",
        )


def _of_outcome(test: Quarantined, ended: str) -> Iterator[Finding]:
    outcome = test.outcome.word if test.outcome else None
    if outcome == "passed":
        yield _found(rules.PASSES, test, "it passes", "remove its marker")
    elif outcome in _UNRUN:
        why = f": {ended}" if ended and outcome != "skipped" else ""
        yield _found(
            rules.NOT_RUN,
            test,
            f"{_UNRUN[outcome]}{why}",
            "let it run to its end, or delete it",
            Severity.UNKNOWN,
        )


def lost(seen: Seen) -> Iterator[Finding]:
    """What could not be collected, so that tests in quarantine may be missing."""
    told = False
    for node_id, message in sorted(seen.lost.items()):
        if _concerns(node_id, seen.naming):
            told = True
            path = node_id.partition("::")[0]
            yield Finding(
                rules.LOST,
                f"could not be collected: {one_line(message)}",
                Severity.UNKNOWN,
                path=printable(path) or None,
                remedy="mend it: its quarantined tests cannot be counted",
                evidence={"id": printable(node_id)},
            )
    # What is known better is not told twice.
    if seen.ended and not seen.tests and not told:
        yield Finding(
            rules.LOST,
            f"the collection did not come to its end: {one_line(seen.ended)}",
            Severity.UNKNOWN,
            remedy="see what `pytest --collect-only` says",
            evidence={"naming": sorted(map(printable, seen.naming))},
        )


def _concerns(node_id: str, naming: Collection[str]) -> bool:
    """Whether one of the files that name the marker is this one, or below this folder."""
    path = node_id.partition("::")[0].rstrip("/")
    everything = path in {"", "."}
    return everything or any(name == path or name.startswith(f"{path}/") for name in naming)


def _found(
    rule: str, test: Quarantined, message: str, remedy: str, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        rule,
        one_line(f"{printable(test.id)}: {message}"),
        severity,
        path=printable(test.path),
        line=test.line,
        remedy=remedy,
        evidence={
            "test": printable(test.id),
            "issue": test.place.issue,
            "outcome": word(test),
        },
    )


def _token(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")
