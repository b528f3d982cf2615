"""Sections of reports and minutes in Markdown; everything in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit_gates.gemm.closing.account import Account, Phase
from pytest_cockpit_gates.gemm.closing.selection import Selection
from pytest_cockpit_gates.gemm.closing.tables import table, tables
from pytest_cockpit_gates.gemm.strict import names

NONE = "-"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are escaped already; nothing but a word where there is no row."""
    made = [f"| {' | '.join(row)} |" for row in rows]
    if not made:
        return ["None.", ""]
    return [f"| {' | '.join(header)} |", "|" + " --- |" * len(header), *made, ""]


def scope(account: Account) -> list[str]:
    """What was measured, where, by which policies."""
    meta = account.metadata
    given, machine = table(meta.get("parameters")), table(meta.get("machine"))
    rows = [("commit", _commit(meta))] if meta.get("base") else []
    rows += [(key, _words(given.get(key))) for key in sorted(given)]
    rows += [(f"machine: {key}", _words(machine.get(key))) for key in sorted(machine)]
    rows += [
        (f"machine: load of 1, 5 and 15 minutes at the {key}", _words(it))
        for key, it in _load(meta)
    ]
    rows += [
        (f"{key}", f"{_words(used.get('id'))}, {_words(used.get('sha256'))}")
        for key in ("policy", "t3_policy", "t5_policy", "baseline")
        if (used := table(meta.get(key)))
    ]
    for name, info in sorted(table(meta.get("platforms")).items()):
        told = table(info)
        seen = [told.get(key) for key in ("platform_name", "platform_version", "device", "driver")]
        rows.append((f"platform {name}", ", ".join(_words(it) for it in seen if it)))
    rows += [
        (f"software: {key}", _words(it)) for key, it in sorted(table(meta.get("software")).items())
    ]
    return grid(("what", "is"), [(plain(key), plain(value)) for key, value in rows])


def _commit(meta: Mapping[str, Any]) -> str:
    """What was measured, and whether it was more than what is committed."""
    changed = meta.get("dirty")
    if not changed:
        return _words(meta.get("base"))
    return f"{_words(meta.get('base'))}; {_words(changed)} files were not as it has them"


def checklist(accounts: Sequence[Account]) -> list[str]:
    """Each campaign's phases in their order: verdict, begin and end, and which attempt it was."""
    rows = [
        (
            plain(account.track),
            plain(phase.name),
            code(phase.verdict),
            plain(phase.begun or NONE),
            plain(phase.ended or NONE),
            plain(phase.seconds or NONE),
            str(account.attempt or NONE),
        )
        for account in accounts
        for phase in account.done or (Phase("(none)", "unknown"),)
    ]
    return grid(("track", "phase", "verdict", "begun", "ended", "s", "attempt"), rows)


def gates(document: Mapping[str, Any]) -> list[str]:
    """The gates that a decision requires, and what they said."""
    rows = [
        (
            code(it["gate"]),
            code(it["verdict"]),
            plain(it["at"] or NONE),
            plain(it["why"] or NONE),
            code(it["evidence"]["path"]) if it["evidence"] else NONE,
            code(it["evidence"]["sha256"]) if it["evidence"] else NONE,
        )
        for it in document["required_gates"]
    ]
    return grid(("gate", "verdict", "begun", "what it says", "report", "SHA-256"), rows)


def checks(account: Account) -> list[str]:
    """All checks with their verdicts, the red ones first."""
    ranked = sorted(account.checks, key=lambda it: it.get("verdict") in ("pass", "warn"))
    rows = [
        (
            code(names.shown(str(check.get("name")), str(check.get("key") or ""))),
            code(str(check["key"])) if check.get("key") else "",
            code(str(check.get("verdict"))),
            plain(str(check.get("message", ""))),
            # What is green needs none, whatever an older evaluation says.
            plain("" if check.get("verdict") == "pass" else str(check.get("remedy", ""))),
        )
        for check in ranked
    ]
    return grid(("check", "of", "verdict", "what it says", "remedy"), rows)


def severity(account: Account) -> list[str]:
    """The severity, its deadline and action, and those of each incident."""
    told = account.severity
    if told is None:
        return ["Nothing was evaluated.", ""]
    level, by, action, text = (
        str(told.get(key)) for key in ("severity", "respond_by", "action", "action_text")
    )
    out = [
        f"{code(level)}: respond by {plain(by)}; {code(action)}: {plain(text)}.",
        "",
        f"Evaluated {plain(str(told.get('evaluated_at')))} by {_sla(told)}.",
        "",
    ]
    referred = table(table(told.get("sla")).get("rollback")) if told.get("rollback") else {}
    if referred:
        words = ", ".join(f"{plain(key)} {code(str(it))}" for key, it in sorted(referred.items()))
        out += [f"Of a rollback the SLA names {words}; nothing of that was run.", ""]
    rows = [
        (
            code(names.shown(str(it.get("check")), str(it.get("key") or ""))),
            code(str(it["key"])) if it.get("key") else "",
            code(str(it.get("verdict"))),
            code(str(it.get("severity"))),
            plain(str(it.get("respond_by"))),
            code(str(it.get("action"))),
            code(str(it.get("cause"))),
        )
        for it in tables(told.get("incidents"))
    ]
    header = ("incident", "of", "verdict", "severity", "respond by", "action", "because of")
    out += grid(header, rows)
    out += ["Of the SLA itself:", ""] if told.get("problems") else []
    out += [f"- {plain(str(it))}" for it in told.get("problems") or ()]
    return [*out, ""] if told.get("problems") else out


def rollback(selected: Selection | None, owed: str) -> list[str]:
    """Which platform is selected, since when and why, and whether a rerun is owed."""
    if selected is None:
        out = ["No rollback was made."]
    else:
        chosen, before = code(selected.selected.platform), code(selected.previous.platform)
        told = f"{plain(selected.kind)}: {plain(selected.reason)}"
        out = [f"{chosen} is selected since {plain(selected.at)} instead of {before}, {told}."]
        device = selected.selected.device
        if device:
            out += ["", f"It was seen as {plain(', '.join(it for it in device.values() if it))}."]
    return [*out, "", f"{plain(owed[:1].upper() + owed[1:])}." if owed else "No rerun is owed.", ""]


def decisions(document: Mapping[str, Any]) -> list[str]:
    """The decision of each track and of the block."""
    rows = [
        (plain(it["track"]), code(it["decision"]), plain(it["rationale"]))
        for it in document["tracks"]
    ]
    told = f"**{plain(document['block_decision'])}**: {plain(document['block_rationale'])}."
    return [told, "", *grid(("track", "decision", "because"), rows)]


def evidence(accounts: Sequence[Account]) -> list[str]:
    """Every file that the decision was made from, with its digest."""
    rows = [
        (plain(account.track), code(path), code(digest) if digest else "missing")
        for account in accounts
        for path, digest in account.evidence
    ]
    return grid(("track", "file", "SHA-256"), rows)


def escalation(told: Iterable[Mapping[str, Any]], *, matrix: bool) -> list[str]:
    """Who is to be told, by when."""
    if not matrix:
        return ["No escalation matrix is configured: set `gate.gemm.escalation`.", ""]
    rows = [
        (
            plain(str(it.get("by"))),
            code(str(it.get("severity"))),
            plain(str(it.get("role"))),
            plain(str(it.get("contact"))),
            plain(str(it.get("channel"))),
            plain(", ".join(str(one) for one in it.get("about") or ())),
        )
        for it in told
    ]
    return grid(("by", "severity", "role", "contact", "channel", "about"), rows)


def _sla(told: Mapping[str, Any]) -> str:
    sla = table(told.get("sla"))
    return f"{code(str(sla.get('id')))} ({code(str(sla.get('path')))})"


def _load(meta: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Load averages over 1, 5 and 15 minutes, where they were recorded."""
    told = table(meta.get("load"))
    return [(key, it) for key in ("begin", "end") if (it := told.get(key))]


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_words, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_words(it)}" for key, it in sorted(value.items()))
    return NONE if value is None else str(value)
