"""What came of an inquiry in words: for the terminal, and in Markdown for the pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.promotion.isolation.flakes import Flaky
from pytest_cockpit.promotion.isolation.inquiry import Inquiry
from pytest_cockpit.promotion.isolation.outcome import Culprit
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.markdown import code, plain

_SHOWN = 3


def summary(inquiry: Inquiry) -> str:
    """A decided search in one line."""
    found = inquiry.outcome()
    blamed = sum(len(culprit.files) for culprit in found.culprits)
    held = len({path for culprit in found.culprits for path in culprit.held})
    parts = [f"{_count(blamed, 'file')} to blame", f"{_count(len(found.good), 'file')} good"]
    if held:
        parts.insert(1, f"{_count(held, 'file')} held back, needing them")
    return f"{', '.join(parts)}; {_count(len(inquiry.rows) - 1, 'session')} after the red batch"


def lines(inquiry: Inquiry | None, flakes: Sequence[Flaky]) -> Iterator[str]:
    """Culprits with their evidence, and flaky gates."""
    if inquiry is not None:
        for culprit in inquiry.outcome().culprits:
            yield from _evidence(culprit, inquiry)
    for flake in flakes:
        yield f"flaky: {flake.line}"


def _evidence(culprit: Culprit, inquiry: Inquiry) -> Iterator[str]:
    yield f"to blame: {', '.join(map(printable, culprit.files))}"
    yield f"  {_convicted(culprit)}"
    found = inquiry.findings(culprit)
    for row in found[:_SHOWN]:
        where = f"{row['path']}:{row['line']}" if row["line"] else row["path"] or row["gate"]
        yield f"  {printable(where)}: {printable(row['message'])} [{row['rule']}]"
    if len(found) > _SHOWN:
        yield f"  … {len(found) - _SHOWN} more in isolation.json"
    if culprit.held:
        yield f"  held back with it: {_some(culprit.held)}"


def section(inquiry: Inquiry | None, flakes: Sequence[Flaky]) -> str:
    """The same as sections of Markdown; empty where there is nothing to tell."""
    told = [f"### Left behind\n\n{_left_behind(inquiry)}"] if inquiry else []
    if flakes:
        flaky = "".join(f"- {plain(flake.line)}\n" for flake in flakes)
        told.append(f"### Flaky gates\n\nThey blame nobody.\n\n{flaky}")
    return "\n".join(told)


def _left_behind(inquiry: Inquiry) -> str:
    rows = "".join(
        f"| {', '.join(map(code, culprit.files))} | {_failing(culprit, inquiry)} | "
        f"{plain(_convicted(culprit))} | {', '.join(map(code, culprit.held)) or 'nothing'} |\n"
        for culprit in inquiry.outcome().culprits
    )
    head = f"Batch {inquiry.about.batch_id} was red: {plain(summary(inquiry))}.\n"
    table = "| to blame | what fails | seen in | held back |\n|---|---|---|---|\n"
    return f"{head}\n{table}{rows}" if rows else head


def trailers(inquiry: Inquiry | None, flakes: Sequence[Flaky]) -> list[str]:
    """What the commit says of the batch that it is the rest of; `history` reads it back."""
    told: list[str] = []
    if inquiry is not None and (found := inquiry.outcome().culprits):
        told.append(f"Isolated-From: {inquiry.about.batch_id}")
        told += [f"Culprit: {printable(path)}" for culprit in found for path in culprit.files]
    return [*told, *(f"Flaky: {flake.line}" for flake in flakes)]


def verdict(row: Mapping[str, Any]) -> str:
    """What one session of the record came to."""
    red = [gate for gate, verdict in row["gates"].items() if verdict == "fail"]
    if red:
        return f"red: {_some(row['failing']) or ', '.join(red)}"
    if Verdict(row["verdict"]).opens:
        return "green"
    closed = [gate for gate, verdict in row["gates"].items() if not Verdict(verdict).opens]
    said = "; ".join(f"{gate}: {printable(row['said'][gate])}" for gate in closed)
    return f"{row['verdict']}: {said}"


def _convicted(culprit: Culprit) -> str:
    red = f"red in {_numbered(culprit.red_with)}"
    if culprit.green_without:
        red += f", green without it in {_numbered(culprit.green_without)}"
    if culprit.partners:
        red += f"; only together with {_some(culprit.partners)}"
    return red


def _failing(culprit: Culprit, inquiry: Inquiry) -> str:
    found = culprit.failing or [row["failing"] for row in inquiry.findings(culprit)]
    return ", ".join(code(name) for name in found[:_SHOWN])


def _numbered(numbers: Sequence[int]) -> str:
    noun = "session" if len(numbers) == 1 else "sessions"
    return f"{noun} {', '.join(map(str, numbers))}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
