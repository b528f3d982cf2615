"""Smokes run, and all that follows from what they emitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_cockpit.api import Case, Context, Finding, Severity, Verdict
from pytest_cockpit_gates.matriz.telemetry import conventions, emitted, running, tracecontext
from pytest_cockpit_gates.matriz.telemetry.conventions import Held
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, finding
from pytest_cockpit_gates.matriz.telemetry.naming import short
from pytest_cockpit_gates.matriz.telemetry.recording import Metric, Recording, Span
from pytest_cockpit_gates.matriz.telemetry.rules import EVIDENCE, IDS, REFUSED, SMOKE
from pytest_cockpit_gates.matriz.telemetry.running import Outcome
from pytest_cockpit_gates.matriz.telemetry.settings import Settings
from pytest_cockpit_gates.matriz.telemetry.smokes import Plan, Smoke

_SDK = "install opentelemetry-sdk for the interpreter that runs this repository's tests"
_VERDICTS = {
    Severity.ERROR: Verdict.FAIL,
    Severity.UNKNOWN: Verdict.UNKNOWN,
    Severity.WARNING: Verdict.WARN,
    Severity.INFO: Verdict.PASS,
}


@dataclass(slots=True)
class Smoked:
    """What came of all smokes; `rows` are the artifact's."""

    findings: list[Finding] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


def smoke_all(plan: Plan, context: Context, settings: Settings, held: Mapping[str, Held]) -> Smoked:
    """Start every smoke once, and hold what it emits against each of its contracts."""
    smoked = Smoked()
    for smoke, blocks in plan.smokes.items():
        outcome = running.run(smoke, context, settings.timeout_s)
        shared = [*_of_smoke(blocks, smoke, outcome, settings)]
        for block in blocks:
            own = [*shared, *_of_block(block, outcome, held.get(block.contract.path))]
            smoked.findings += _told(block, own, is_first=block is blocks[0])
            smoked.cases.append(_case(block, smoke, own))
        smoked.rows.append(_row(smoke, blocks, outcome))
    return smoked


def case_name(block: Declared) -> str:
    """The name of a contract's case."""
    return f"telemetry:{block.contract.path}"


def _told(block: Declared, findings: Iterable[Finding], *, is_first: bool) -> Iterator[Finding]:
    """The findings of a case, which name it.

    What concerns all contracts of a smoke is said once, of the first, but for errors: a case that
    failed has all its reasons among the findings.
    """
    for one in findings:
        if is_first or one.path == block.contract.path or one.severity is Severity.ERROR:
            evidence = {**one.evidence, "case": case_name(block)}
            yield replace(one, path=block.contract.path, evidence=evidence)


def _of_smoke(
    blocks: Sequence[Declared], smoke: Smoke, outcome: Outcome, settings: Settings
) -> Iterator[Finding]:
    """What concerns all contracts of a smoke, as said of the first."""
    first, seen = blocks[0], outcome.recording
    if outcome.fault is not None:
        yield finding(
            first.contract,
            SMOKE,
            f"smoke {short(' '.join(smoke.command))} {outcome.fault}",
            remedy="let it end by itself and with code 0",
            evidence={"command": smoke.command, "code": outcome.code, "last_lines": outcome.tail},
        )
    yield from _unseen(first, outcome)
    if seen is None:
        return
    yield from emitted.undeclared(blocks, seen, settings.undeclared)
    yield from emitted.health(first, seen)
    yield from _said(first, seen)
    # With some spans gone, who is whose parent cannot be told.
    for name, fault in () if seen.lost else tracecontext.faults(seen.spans):
        yield finding(
            first.contract,
            IDS,
            f"span {short(name)} {fault}",
            remedy="leave ids to the SDK, and contexts to its propagators",
        )


def _of_block(block: Declared, outcome: Outcome, held: Held | None) -> Iterator[Finding]:
    """What concerns one contract."""
    seen = outcome.recording
    if seen is None:
        return
    # Of what a smoke that broke off did not reach, or what could not be seen, nothing is said.
    whole = outcome.fault is None and not (seen.foreign or seen.lost)
    yield from emitted.judge(block, seen, whole=whole)
    if held is not None:
        yield from _by_conventions(held, seen)


def _by_conventions(held: Held, seen: Recording) -> Iterator[Finding]:
    """Emitted names beyond the declared ones, which have been judged already."""
    block = held.declared
    told = {name for item in (*block.spans, *block.metrics) for name in item.attributes}
    emitters: list[Span | Metric] = [*seen.spans, *seen.metrics]
    for emitter in emitters:
        for name in (name for name in emitter.attributes if name not in told):
            told.add(name)
            by = f"{short(emitter.name)} emits"
            yield from held.name("attribute", name, ("telemetry",), by)
    named = {item.name for item in block.metrics}
    for name in {metric.name: None for metric in seen.metrics if metric.name not in named}:
        yield from held.name("metric", name, ("telemetry", "metrics"), "the smoke emits")
    for scope, url in {(one.scope, one.schema_url): None for one in emitters}:
        yield from conventions.other_version(held, scope, url)


def _unseen(block: Declared, outcome: Outcome) -> Iterator[Finding]:
    """Whatever keeps what is emitted from being seen."""
    for reason, remedy in _reasons(outcome):
        yield finding(
            block.contract,
            EVIDENCE,
            f"what is emitted is not known: {reason}",
            severity=Severity.UNKNOWN,
            remedy=remedy,
            evidence={"last_lines": outcome.tail},
        )


def _reasons(outcome: Outcome) -> Iterator[tuple[str, str]]:
    if not outcome.sdk:
        yield f"the interpreter lacks the SDK ({outcome.unseen})", _SDK
    elif outcome.unseen is not None:
        yield outcome.unseen, "let the smoke end by itself, without os._exit or a signal"
    seen = outcome.recording
    if seen is None:
        return
    for name in seen.foreign:
        yield f"{name} is in place, which keeps nothing", "let it be a provider of the SDK"
    if seen.lost:
        yield f"{seen.lost} more spans or metrics came than are kept", "let the smoke do less"


def _said(block: Declared, seen: Recording) -> Iterator[Finding]:
    for message in seen.said:
        yield finding(
            block.contract,
            REFUSED,
            f"OpenTelemetry says: {short(message)}",
            severity=Severity.WARNING,
            remedy="hand in what the API takes; what it refuses is lost",
            evidence={"message": message},
        )


def _case(block: Declared, smoke: Smoke, findings: Sequence[Finding]) -> Case:
    verdict = Verdict.worst([Verdict.PASS, *(_VERDICTS[item.severity] for item in findings)])
    lines = [f"{item.severity}: {item.message}" for item in findings]
    return Case(case_name(block), verdict, "\n".join([" ".join(smoke.command), *lines]))


def _row(smoke: Smoke, blocks: Iterable[Declared], outcome: Outcome) -> dict[str, Any]:
    return {
        "contracts": [block.contract.path for block in blocks],
        "command": smoke.command,
        "code": outcome.code,
        "recording": None if outcome.recording is None else outcome.recording.raw,
    }
