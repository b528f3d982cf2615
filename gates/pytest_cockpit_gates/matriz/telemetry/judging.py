"""All that is said of telemetry: of what is declared, and of what smokes emit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.telemetry import conventions, naming, semconv, smokes
from pytest_cockpit_gates.matriz.telemetry.conventions import Held
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, read
from pytest_cockpit_gates.matriz.telemetry.semconv import Conventions
from pytest_cockpit_gates.matriz.telemetry.settings import Settings

_LOCATED = 500
"""So many findings are told with their line; looking one up means reading the contract again."""


def judge(context: Context, contracts: Contracts) -> Part:
    """Every telemetry block, and every smoke that is declared."""
    settings = Settings.of(context.settings)
    blocks = _blocks(contracts, settings)
    plan = smokes.plan(blocks, settings, context.root)
    if not blocks:
        return Part(checked=0, findings=plan.findings)
    known = semconv.installed() if any(block.version for block in blocks) else None
    held, unheld = _held(blocks, known, settings)
    findings = [
        *(fault for block in blocks for fault in (*block.faults, *naming.judge(block))),
        *unheld,
        *chain.from_iterable(map(conventions.judge, held.values())),
        *plan.findings,
    ]
    told: tuple[Any, ...] = ()
    if plan.smokes:
        from pytest_cockpit_gates.matriz.telemetry import smoking

        smoked = smoking.smoke_all(plan, context, settings, held)
        findings += smoked.findings
        told = tuple(smoked.cases)
        _write(context, smoked.rows, known)
    return Part(
        checked=len(blocks),
        findings=tuple(_located(findings, contracts)),
        cases=told,
        evidence=(Evidence("telemetry", _evidence(blocks, known, plan, len(held))),),
        summary=_summary(blocks, plan),
    )


def cases(context: Context, contracts: Contracts) -> Iterator[str]:
    """Contracts whose smoke will be started."""
    from pytest_cockpit_gates.matriz.telemetry.smoking import case_name

    settings = Settings.of(context.settings)
    plan = smokes.plan(_blocks(contracts, settings), settings, context.root)
    for blocks in plan.smokes.values():
        yield from map(case_name, blocks)


def _blocks(contracts: Iterable[Contract], settings: Settings) -> list[Declared]:
    return [block for block in map(read, contracts) if smokes.concerns(block, settings)]


def _held(
    blocks: Iterable[Declared], known: Conventions | None, settings: Settings
) -> tuple[Mapping[str, Held], list[Finding]]:
    """By the path of a contract, what it can be held against; why others cannot."""
    versioned = [block for block in blocks if block.version is not None]
    if known is None:
        return {}, [conventions.missing(versioned[0], len(versioned) - 1)] if versioned else []
    answers = {
        block.contract.path: conventions.hold(block, known, settings.deprecated)
        for block in versioned
    }
    return (
        {path: answer for path, answer in answers.items() if isinstance(answer, Held)},
        [answer for answer in answers.values() if isinstance(answer, Finding)],
    )


def _write(context: Context, rows: list[dict[str, Any]], known: Conventions | None) -> None:
    from pytest_cockpit.records import artifacts
    from pytest_cockpit_gates.matriz.telemetry.recording import SCHEMA, document

    path = context.scratch / "artifacts" / f"{SCHEMA}.json"
    artifacts.write(path, document(rows, _shown(known)), SCHEMA)


def _shown(known: Conventions | None) -> dict[str, str] | None:
    if known is None:
        return None
    return {"package": known.package, "version": semconv.shown(known.version)}


def _summary(blocks: Sequence[Declared], plan: smokes.Plan) -> str:
    count = sum(map(len, plan.smokes.values()))
    return f"telemetry of {len(blocks)} declared, of {count or 'none'} smoked"


def _evidence(
    blocks: Sequence[Declared], known: Conventions | None, plan: smokes.Plan, held: int
) -> dict[str, Any]:
    return {
        "contracts": len(blocks),
        "held_against_conventions": held,
        "conventions": _shown(known),
        "smokes": [smoke.command for smoke in plan.smokes],
        "without_smoke": plan.unsmoked,
    }


def _located(findings: Iterable[Finding], contracts: Iterable[Contract]) -> Iterator[Finding]:
    """The findings with their lines, each contract read once for all of its own."""
    by_path = {contract.path: contract for contract in contracts}
    places: dict[str, Any] = {}
    for number, item in enumerate(findings):
        if item.path is None or item.pointer is None or number >= _LOCATED:
            yield item
            continue
        if item.path not in places:
            places[item.path] = by_path[item.path].positions()
        yield replace(item, line=places[item.path].line(item.pointer))
