"""The canonical gate: on each platform a fresh process launches a kernel and sees it right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report, Severity, Verdict
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
    made = smoke_all(phase, names, state, settings.timeout_s)
    if not before:
        state.keep(_KEPT, made.seen)
    words = "; ".join(
        f"{name}: {told['info']['device']}, driver {told['info']['driver']}"
        for name, told in made.seen.items()
    )
    changed = [
        it for name, told in made.seen.items() for it in _changed(name, before.get(name), told)
    ]
    return Report.judge(
        f"{made.words}: {words}" if words else made.words,
        checked=len(names),
        findings=[*made.findings, *changed],
        evidence=[Evidence("platforms", made.seen)],
    )


def _applied(options: JSON) -> bool:
    return any(name == "apply" and Verdict(it).opens for name, it in options["verdicts"].items())


@dataclass(slots=True)
class Smokes:
    """What platforms came to.

    Parameters
    ----------
    asked: how many there are.
    seen: what the workers said that answered, by platform.
    right: platforms whose results are.
    """

    asked: int = 0
    seen: dict[str, Any] = field(default_factory=dict)
    right: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def words(self) -> str:
        """How many are right."""
        return f"{self.right} of {self.asked} platforms launch and verify a kernel"


def smoke_all(what: str, names: Iterable[str], state: State, timeout_s: float) -> Smokes:
    """Every platform, in a fresh worker of its own; `what` is said of each while it lasts."""
    made = Smokes()
    for name in names:
        made.asked += 1
        state.say(f"{what}: {name}")
        try:
            made.seen[name], found = smoke(name, state, timeout_s)
        except WorkerError as error:
            made.findings.append(findings.of_worker(error, name))
            continue
        made.right += not any(it.severity is Severity.ERROR for it in found)
        made.findings += found
    return made


def smoke(name: str, state: State, timeout_s: float) -> tuple[dict[str, Any], list[Finding]]:
    """What a fresh worker of a platform says of it, and what is wrong with it.

    Raises
    ------
    WorkerError: it does not begin, or gives no answer.
    """
    with Worker(name, state.folder / "workers", timeout_s=timeout_s) as worker:
        answers = [{**worker.ask("smoke", size=size), "size": size} for size in _SIZES]
        told = {"info": worker.info, "machine": worker.machine, "smoke": answers}
    wrong = [_incorrect(name, it) for it in answers if it.get("ok") is not True]
    return told, [*wrong, *_compiling(name, answers[0].get("shader_cache"))]


def _incorrect(name: str, answer: Mapping[str, Any]) -> Finding:
    size, error, bound = (answer.get(key) for key in ("size", "max_error", "error_bound"))
    told = "not finite" if error is None else f"{error:.3g}, its bound {bound}"
    return Finding(
        "gemm.correctness",
        f"{name}: the error of a {size} x {size} product is {told}",
        remedy="take another driver, or another variant by --cockpit-gemm-tune",
        evidence={"asked": name, **answer},
    )


def _compiling(name: str, cache: Mapping[str, Any] | None) -> list[Finding]:
    """Whether what would be timed there is a compiler: nothing is known of its kernels then."""
    if cache is None or not cache["problem"]:
        return []
    return [
        Finding(
            "gemm.evidence-missing",
            f"{name}: {cache['problem']}",
            Severity.UNKNOWN,
            remedy=cache["remedy"],
            evidence={"asked": name, **cache},
        )
    ]


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
