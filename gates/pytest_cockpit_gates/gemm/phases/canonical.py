"""The canonical gate: on each platform a fresh process launches a kernel and sees it right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report, Verdict
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

_SIZES = (64, 129)
"""One that fits every tile and one that fits none."""
_STRINGS = ("platform_name", "platform_version", "device", "driver")
_KEPT = "devices"


def run(phase: str, context: Context, options: JSON) -> Report:
    """Judge the platforms of the plan; after a rollback, which has none, the fallback alone."""
    if options.get("action") == "apply" and not _applied(options):
        return Report(Verdict.SKIP, "not done: nothing was selected", checked=0)
    settings = Settings.of(context.settings)
    state = State.of(context, options)
    planned = (state.folder / "plan.json").is_file()
    names = state.plan().platforms if planned else (settings.fallback,)
    before = state.kept(_KEPT) or {}
    found: list[Finding] = []
    seen: dict[str, Any] = {}
    right = 0
    for name in names:
        state.say(f"{phase}: {name}")
        try:
            told, wrong = smoke(name, state, settings.timeout_s)
        except WorkerError as error:
            found.append(findings.of_worker(error, name))
            continue
        seen[name] = told
        right += not wrong
        found += [*wrong, *_changed(name, before.get(name), told)]
    if not before:
        state.keep(_KEPT, seen)
    words = "; ".join(
        f"{name}: {told['info']['device']}, driver {told['info']['driver']}"
        for name, told in seen.items()
    )
    summary = f"{right} of {len(names)} platforms launch and verify a kernel"
    return Report.judge(
        f"{summary}: {words}" if words else summary,
        checked=len(names),
        findings=found,
        evidence=[Evidence("platforms", seen)],
    )


def _applied(options: JSON) -> bool:
    return any(name == "apply" and Verdict(it).opens for name, it in options["verdicts"].items())


def smoke(name: str, state: State, timeout_s: float) -> tuple[dict[str, Any], list[Finding]]:
    """What a fresh worker of a platform says of it, and what is wrong with its results.

    Raises
    ------
    WorkerError: it does not begin, or gives no answer.
    """
    with Worker(name, state.folder / "workers", timeout_s=timeout_s) as worker:
        answers = [{**worker.ask("smoke", size=size), "size": size} for size in _SIZES]
        told = {"info": worker.info, "machine": worker.machine, "smoke": answers}
    return told, [_incorrect(name, it) for it in answers if it.get("ok") is not True]


def _incorrect(name: str, answer: Mapping[str, Any]) -> Finding:
    size, error, bound = (answer.get(key) for key in ("size", "max_error", "error_bound"))
    told = "not finite" if error is None else f"{error:.3g}, its bound {bound}"
    return Finding(
        "gemm.correctness",
        f"{name}: the error of a {size} x {size} product is {told}",
        remedy="take another driver, or another variant by --cockpit-gemm-tune",
        evidence={"asked": name, **answer},
    )


def _changed(name: str, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[Finding]:
    """Whether the device is another one than before the campaign."""
    if before is None:
        return []
    return [
        Finding(
            "gemm.wrong-device",
            f"{name}: {key} was {before['info'].get(key)!r} and is {now['info'].get(key)!r}",
            remedy="measure again: a driver has changed while the campaign ran",
        )
        for key in _STRINGS
        if before["info"].get(key) != now["info"].get(key)
    ]
