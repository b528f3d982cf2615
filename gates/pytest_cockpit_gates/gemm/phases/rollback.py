"""Phases of a rollback: plan, apply, verify, undo."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_cockpit.api import (
    JSON,
    CockpitError,
    Context,
    Evidence,
    Finding,
    Report,
)
from pytest_cockpit.records import artifacts, limits
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing import (
    debts,
    documents,
    selection,
    verifying,
)
from pytest_cockpit_gates.gemm.closing.selection import Choice, Selection
from pytest_cockpit_gates.gemm.closing.severity import stamp
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import names
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import WorkerError

_PLANNED = "rollback.json"
_LONGEST = 500
_COMMAND = "pytest --cockpit-gemm-rollback"


def run(phase: str, context: Context, options: JSON) -> Report:
    """Do one of the phases.

    Raises
    ------
    CockpitError: there is nothing to do or to undo, or a file cannot be read.
    """
    steps = {"plan": _plan, "apply": _apply, "verify": _verify, "undo": _undo}
    return steps[phase](context, options)


def demand(root: Path, action: str, settings: Settings) -> None:
    """Refuse an action for which there is nothing to do.

    Raises
    ------
    CockpitError: nothing is selected that could be verified or undone, or the fallback is selected
        already.
    """
    now = selection.read(root)
    if action == "verify":
        _selected(now)
    elif action == "undo":
        _in_force(now)
    elif action == "apply":
        _demand_other(now, settings)


def _selected(now: Selection | None) -> Selection:
    if now is None:
        raise CockpitError(f"{selection.PATH}: missing; select with {_COMMAND}=apply")
    return now


def _in_force(now: Selection | None) -> Selection:
    if now is None or now.kind != selection.ROLLBACK:
        raise CockpitError(
            f"{selection.PATH}: no rollback is in force; there is nothing to undo: "
            f"{_COMMAND}=plan says what one would do"
        )
    return now


def _demand_other(now: Selection | None, settings: Settings) -> None:
    if _current(now, settings) == settings.fallback:
        raise CockpitError(
            f"{selection.PATH}: {_same(now, settings)}; there is nothing to roll back: "
            f"{_COMMAND}=verify tries it, {_COMMAND}=undo goes back"
        )


def _current(now: Selection | None, settings: Settings) -> str:
    return now.selected.platform if now else settings.candidate


def _same(now: Selection | None, settings: Settings) -> str:
    return f"{_current(now, settings)} is selected already{_since(now)}"


def _plan(context: Context, options: JSON) -> Report:
    """What would be done, and whether the fallback has a device; changes nothing."""
    settings = Settings.of(context.settings)
    now = selection.read(context.root)
    current = _current(now, settings)
    if options["action"] == "apply":
        _demand_other(now, settings)
    elif current == settings.fallback:
        return Report.judge(f"nothing to do: {_same(now, settings)}", checked=1)
    wanted = selection.choice(settings.fallback, context.scratch)
    try:
        told = verifying.seen(wanted, context.scratch, settings.timeout_s)
    except WorkerError as error:
        found = verifying.failure(error, settings.fallback)
        summary = f"{settings.fallback} cannot be gone back to: {error.message}"
        return Report.judge(summary, checked=1, findings=[found])
    wrong = verifying.compared(wanted, told)
    if wrong:
        summary = f"{settings.fallback} cannot be gone back to: {wrong[0].message}"
        return Report.judge(summary, checked=1, findings=wrong)
    wanted = selection.choice(settings.fallback, context.scratch, told["info"])
    previous = now.selected if now else selection.choice(current, context.scratch)
    previous = verifying.known(previous, context.scratch, settings.timeout_s)
    made = Selection(
        selection.ROLLBACK,
        wanted,
        previous,
        _reason(debts.rows(context.root, context.records)),
        stamp(datetime.now(UTC)),
        str(options["session_id"]),
        context.base,
    )
    if options["action"] == "apply":
        state = context.scratch / "state"
        artifacts.write(state / _PLANNED, made.to_json())
    verb = "goes" if options["action"] == "apply" else "would go"
    summary = f"{verb} from {current} back to {settings.fallback} ({_named(wanted)}): {made.reason}"
    if options["action"] == "plan":
        summary = f"{summary}; {_would(wanted, documents.prefix(options))}"
    return Report.judge(
        summary,
        checked=1,
        evidence=[Evidence("rollback", {"file": selection.PATH, **made.to_json()})],
    )


def _apply(context: Context, options: JSON) -> Report:
    """Select the fallback platform: the file, and variables for shells to source."""
    planned = artifacts.read(context.scratch / "state" / _PLANNED)
    documents.demand(planned, selection.SCHEMA, "the plan of the rollback")
    _leave(context, options, planned)
    chosen, before = planned["selected"]["platform"], planned["previous"]["platform"]
    return Report.judge(
        f"{chosen} is selected instead of {before}; a rerun is owed",
        checked=1,
        evidence=[_record("apply", planned)],
    )


def _undo(context: Context, options: JSON) -> Report:
    """Select again what was selected before the rollback."""
    now = _in_force(selection.read(context.root))
    why = platforms.missing(now.previous.platform)
    if why is not None:
        raise CockpitError(why)
    back = verifying.known(now.previous, context.scratch, Settings.of(context.settings).timeout_s)
    made = Selection(
        selection.UNDO,
        back,
        now.selected,
        f"the rollback of {now.at} was undone",
        stamp(datetime.now(UTC)),
        str(options["session_id"]),
        context.base,
    ).to_json()
    _leave(context, options, made)
    return Report.judge(
        f"{back.platform} is selected again instead of {now.selected.platform}",
        checked=1,
        evidence=[_record("undo", made, undone=now.session_id)],
    )


def _verify(context: Context, options: JSON) -> Report:
    """Whether a fresh process with this selection really is on the selected platform."""
    settings = Settings.of(context.settings)
    made = _selected(selection.read(context.root))
    chosen = made.selected
    found: list[Finding] = []
    if made.kind == selection.ROLLBACK and chosen.platform != settings.fallback:
        found.append(
            verifying.wrong(
                f"selects {chosen.platform}; the fallback is {settings.fallback}", "platform"
            )
        )
    found += [
        verifying.wrong(
            f"{name} is not set; {chosen.platform} has no device without", "environment"
        )
        for name in chosen.lacks
    ]
    try:
        told = verifying.seen(chosen, context.scratch, settings.timeout_s)
    except WorkerError as error:
        found.append(verifying.failure(error, chosen.platform, selected=True))
        return Report.judge(
            f"{chosen.platform} is selected and does not work: {error.message}",
            checked=1,
            findings=found,
        )
    found += verifying.compared(chosen, told)
    seen = selection.strings(told["info"])
    return Report.judge(
        f"a fresh process is on {seen['platform_name']}, {seen['device']}"
        + ("" if not found else f"; {found[0].message}"),
        checked=1,
        findings=found,
        evidence=[Evidence("verified", {"seen": seen, "smoke": told["smoke"]})],
    )


def _since(now: Selection | None) -> str:
    return f", since {now.at} by session {now.session_id}" if now else " by gate.gemm.candidate"


def _would(wanted: Choice, prefix: str) -> str:
    """What would be written, and the commands that do it and take it back."""
    variables = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in sorted(wanted.environment.items())
    )
    return (
        f"{_COMMAND}=apply would write {selection.PATH} and {prefix}_platform.env with "
        f"{variables}, look what a process with these is on, and run the canonical gate; "
        f"a rerun would be owed; {_COMMAND}=undo takes it back"
    )


def _leave(context: Context, options: JSON, made: Mapping[str, Any]) -> None:
    """Leave the file for the work tree, and its variables among the session's artifacts."""
    documents.demand(made, selection.SCHEMA, selection.PATH)
    artifacts.write(context.scratch / "tree" / selection.PATH, made)
    place = context.scratch / "artifacts" / f"{documents.prefix(options)}_platform.env"
    artifacts.write_bytes(place, Selection.of(made).exports().encode())


def _reason(among: list[dict[str, Any]]) -> str:
    """Why: what the last replay or split came to."""
    row = debts.last(among)
    if row is None:
        return "asked for; no campaign is on record"
    told = row.get("record") or {}
    severity = told.get("severity")
    words = f"the {row['mode']} of {row['at']} is {row.get('verdict')}"
    if isinstance(severity, str) and severity:
        words += f", severity {severity}"
    red = [
        names.shown(str(it.get("check")), str(it.get("key") or ""))
        for it in told.get("red", ())
        if isinstance(it, Mapping)
    ]
    words += f": {', '.join(dict.fromkeys(red))}" if red else ""
    return limits.short(one_line(words), _LONGEST)


def _record(action: str, made: Mapping[str, Any], **more: str) -> Evidence:
    """What the ledger keeps of it."""
    return Evidence(
        "record",
        {
            "action": action,
            "selected": made["selected"]["platform"],
            "previous": made["previous"]["platform"],
            "reason": made["reason"],
            **more,
        },
    )


def _named(chosen: Choice) -> str:
    device = chosen.device or {}
    return f"{device.get('platform_name', '')}, {device.get('device', '')}"
