"""The far side of `runner`: run one gate in a process of its own and write down its answer.

Started as a script, so nothing of ours may be imported before `_extend_path` has run.
"""

from __future__ import annotations

import json
import site
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_cockpit.api import Context, Gate, Report

_TRACEBACK_LINES = 40
# Keywords by which a schema says what may be in an object, and demands nothing of an empty one.
_UNDEMANDING = {"$schema", "$defs", "title", "description", "properties", "additionalProperties"}


def main(arguments: Sequence[str]) -> int:
    """Read the request named first, write the response named second; 0 when it was written."""
    request_path, response_path = map(Path, arguments)
    request = json.loads(request_path.read_bytes())
    _extend_path(request["paths"])

    from pytest_cockpit.api import Context
    from pytest_cockpit.records import artifacts

    gate = _load(request["entry"])
    context = Context.from_json(request["context"])
    if request["ask"] == "phase":
        answer = _phase(gate, request["phase"], context, request["options"])
    elif request["ask"] == "prepare":
        answer = _prepare(gate, context, request["options"])
    else:
        answers = {"baseline": _baseline, "cases": _cases, "report": _report}
        answer = answers[request["ask"]](gate, context)
    artifacts.write_bytes(response_path, artifacts.canonical(answer))
    return 0


def judge(gate: Gate, context: Context) -> Report:
    """The gate's report; where it cannot be had, the reason as a report of verdict `ERROR`."""
    return _judged(gate, context, "check", lambda: gate.check(context))


def _judged(gate: Gate, context: Context, what: str, ask: Callable[[], object]) -> Report:
    """What the gate answers; where it does not, the reason as a report of verdict `ERROR`."""
    from pytest_cockpit.api import CockpitError, Evidence, Report, Verdict

    declared = skipped(context.settings)
    if declared is not None:
        return declared
    try:
        errors = settings_errors(gate, context.settings)
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            evidence = (Evidence("settings", {"errors": errors}),)
            return Report(Verdict.ERROR, f"{errors[0]}{more}", evidence=evidence)
        report = ask()
    except CockpitError as error:
        return Report(Verdict.ERROR, f"{gate.name}: {_first_line(error)}")
    except Exception as error:  # noqa: BLE001 - whatever a gate raises is its own failure
        text = "\n".join(traceback.format_exc().splitlines()[-_TRACEBACK_LINES:])
        return Report(
            Verdict.ERROR,
            f"{gate.name}: {type(error).__name__}: {_first_line(error)}",
            evidence=(Evidence("traceback", {"text": text}),),
        )
    if not isinstance(report, Report):
        kind = type(report).__name__
        return Report(Verdict.ERROR, f"{gate.name}: {what} returned {kind}, not an api.Report")
    return report


def skipped(settings: Mapping[str, Any]) -> Report | None:
    """The report of a gate declared not applicable by `skip = "reason"`, or None."""
    from pytest_cockpit.api import Report, Verdict

    reason = settings.get("skip")
    if isinstance(reason, str) and reason.strip():
        return Report(Verdict.SKIP, f"declared not applicable: {reason.strip()}")
    return None


def settings_errors(gate: Gate, settings: Mapping[str, Any]) -> list[str]:
    """All that is wrong with a gate's settings table, each with its key."""
    if not settings and _demands_nothing(gate.settings_schema):
        # Nothing can be wrong with it, and what validates takes longer to load than some gates run.
        return []
    from pytest_cockpit.records.schema import problems_by
    from pytest_cockpit.records.toml import dotted

    if "skip" in settings:
        return [
            f'tool.cockpit.gate.{gate.name}.skip: expected a reason such as "no contracts here"'
        ]
    table = ("tool", "cockpit", "gate", gate.name)
    found = problems_by(dict(settings), gate.settings_schema)
    if found:
        return [f"{dotted((*table, *problem.path))}: {problem.message}" for problem in found]
    if not hasattr(gate, "contradictions"):
        return []
    try:
        return [f"{dotted(table)}.{line}" for line in _texts(gate.contradictions(settings))]
    except Exception as error:  # noqa: BLE001 - a session asks in its own process
        said = f"{type(error).__name__}: {_first_line(error)}"
        return [f"{dotted(table)}: its settings cannot be judged: contradictions: {said}"]


def _texts(given: Sequence[str]) -> Sequence[str]:
    if isinstance(given, str):
        raise TypeError("gives one text, not several")
    return given


def _demands_nothing(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" and schema.keys() - {"type"} <= _UNDEMANDING


def _extend_path(paths: Sequence[str]) -> None:
    """Make the parent's packages importable: after the standard library, before site-packages."""
    sites = {*site.getsitepackages(), site.getusersitepackages()}
    places = [index for index, path in enumerate(sys.path) if path in sites]
    start = min(places, default=len(sys.path))
    sys.path[start:start] = [path for path in paths if path not in sys.path]


def _load(entry: Mapping[str, str]) -> Gate:
    from importlib.metadata import EntryPoint

    gate: Gate = EntryPoint(**entry).load()
    return gate


def _report(gate: Gate, context: Context) -> dict[str, Any]:
    return judge(gate, context).to_json()


def _phase(gate: Any, phase: str, context: Context, options: Mapping[str, Any]) -> dict[str, Any]:
    return _judged(
        gate, context, "conduct", lambda: gate.conduct(phase, context, options)
    ).to_json()


def _prepare(gate: Any, context: Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the gate says of a campaign, or the expected error that kept it from it."""
    from pytest_cockpit.api import CockpitError, Preparation

    try:
        made = gate.prepare(context, options)
    except CockpitError as error:
        return {"error": _first_line(error)}
    if isinstance(made, Preparation):
        return made.to_json()
    return {"error": f"prepare returned {type(made).__name__}, not an api.Preparation"}


def _cases(gate: Any, context: Context) -> dict[str, Any]:
    """The names of the gate's cases as `cases`, or the expected error that kept it from them."""
    from pytest_cockpit.api import CockpitError

    try:
        # Each name is one item of one plan, however often a gate says it.
        return {"cases": list(dict.fromkeys(map(str, gate.cases(context))))}
    except CockpitError as error:
        return {"error": _first_line(error)}


def _baseline(gate: Any, context: Context) -> dict[str, Any]:
    """What the gate measured as `measured`, or the expected error that kept it from it."""
    from pytest_cockpit.api import CockpitError

    errors = settings_errors(gate, context.settings)
    if errors:
        return {"error": "; ".join(errors)}
    try:
        measured = gate.baseline(context)
    except CockpitError as error:
        return {"error": _first_line(error)}
    if measured is None or isinstance(measured, Mapping):
        return {"measured": measured}
    return {"measured": {"entries": measured.entries, "meta": measured.meta}}


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "no message")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
