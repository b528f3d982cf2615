"""What a campaign is about to do, and all that is wrong with what it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pytest_cockpit.api import JSON, CockpitError, Context, Preparation
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit_gates.gemm.closing import contradictions, escalation, inputs, sla, week
from pytest_cockpit_gates.gemm.closing.documents import output_folder, prefix
from pytest_cockpit_gates.gemm.phases import (
    baselines,
    closing,
    deciding,
    planning,
    reading,
    recalibration,
    rollback,
)
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, SPLIT, Plan
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import inheritance, policies
from pytest_cockpit_gates.gemm.strict.policies import Policies

_T = TypeVar("_T")
_LEFT = (
    "rows.ndjson",
    "run.json",
    "evaluation.json",
    "report.md",
    "decision.json",
    "gflops.svg",
    "ratio.svg",
    "overhead.svg",
    "roofline.svg",
)
"""What a replay or a split leaves; names after the prefix."""
_POLICIES = {"policy": "weekly", "t3_policy": "t3", "t5_policy": "t5"}


def prepare(context: Context, options: JSON) -> Preparation:
    """Read all that the session of these options will read, and measure nothing."""
    asked = _Asked(context, options, Settings.of(context.settings))
    asked.read("output_prefix", partial(prefix, options), named=False)
    mode = options["mode"]
    if mode in (REPLAY, SPLIT):
        return _campaign(asked, mode)
    if mode == "gemm-tune":
        return _tune(asked)
    if mode in ("evaluate", "recalibrate"):
        return _archived(asked, mode)
    if mode == "gemm-close":
        return _close(asked)
    if mode == "gemm-rollback":
        action = str(options["action"])
        demanded = partial(rollback.demand, context.root, action, asked.settings)
        asked.read("", demanded, named=False)
    return Preparation(problems=tuple(asked.problems))


@dataclass(slots=True)
class _Asked:
    """What was asked for, and what is wrong with it so far."""

    context: Context
    options: JSON
    settings: Settings
    problems: list[str] = field(default_factory=list)

    def path(self, key: str) -> str:
        """The path by the command line over that of the settings."""
        return str(self.options.get(key) or getattr(self.settings, key))

    def read(self, key: str, how: Callable[[], _T], *, named: bool = True) -> _T | None:
        """What is read; None, and a problem under the name of option or setting."""
        try:
            return how()
        except CockpitError as error:
            for said in map(one_line, str(error).split("\n")):
                self.problems.append(f"{self._asker(key)}: {said}" if named else said)
            return None

    def policies(self) -> dict[str, Policies]:
        """The policies that can be read, by the key that names them."""
        found = {}
        for key, kind in _POLICIES.items():
            path = self.path(key)
            read = partial(policies.read, self.context.root, **{kind: path})
            made = self.read(key, read) if path else None
            if made is not None:
                found[key] = made
        return found

    def _asker(self, key: str) -> str:
        if self.options.get(key):
            flags = {"evaluate": "--cockpit-evaluate", "recalibrate": "--cockpit-recalibrate"}
            flag = f"--cockpit-gemm-{key.replace('_', '-')}"
            return flags[self.options["mode"]] if key == "artifacts" else flag
        if (self.context.root / "cockpit.toml").is_file():
            return f"cockpit.toml: gate.gemm.{key}"
        return f"pyproject.toml: tool.cockpit.gate.gemm.{key}"


def _campaign(asked: _Asked, mode: str) -> Preparation:
    plan = asked.read("", partial(Plan.of, mode, asked.options, asked.settings), named=False)
    read = asked.policies()
    root = asked.context.root
    path = asked.path("baseline")
    baseline = asked.read("baseline", partial(baselines.read, root, path)) if path else None
    terms = _terms(asked)
    weekly = read.get("policy")
    if plan is not None and weekly is not None:
        asked.read("policy", partial(planning.demand_rows, plan, weekly))
    asked.read("output_prefix", partial(_demand_apart, root, asked.options, mode), named=False)
    if asked.problems or plan is None:
        return Preparation(problems=tuple(asked.problems))
    digests = {key: _sha256(it.source(_POLICIES[key])) for key, it in read.items()}
    begin = prefix(asked.options)
    used = {asked.path(key) for key in (*_POLICIES, "baseline", "sla", "escalation")}
    folder = output_folder(asked.options)
    together = _together(read)
    return Preparation(
        lines=(
            *_lines(plan),
            *planning.unmeasured(plan, together),
            *deciding.undecided(plan, together),
            *terms,
            *_changed(asked),
        ),
        subject={
            **digests,
            "baseline": baseline.sha256 if baseline else None,
            "sizes": sorted(plan.sizes),
            "kernels": sorted(plan.kernels),
            "platforms": sorted(plan.platforms),
            "pair": [plan.candidate, plan.fallback],
        },
        replaces=tuple(
            f"{begin}_{what}" for what in _LEFT if f"{folder}/{begin}_{what}" not in used
        ),
    )


def _demand_apart(root: Path, options: JSON, mode: str) -> None:
    """Refuse to put the files of the other campaign aside: the close of the week takes both.

    Raises
    ------
    CockpitError: what lies there is of another mode.
    """
    try:
        path = f"{output_folder(options)}/{prefix(options)}_run.json"
        found = reading.load(root, path)
    except CockpitError:
        # Nothing, or nothing that the close could take.
        return
    kind = found.get("kind") if isinstance(found, Mapping) else None
    if kind in (REPLAY, SPLIT) and kind != mode:
        raise CockpitError(
            f"--cockpit-gemm-output-prefix: {path} is of a {kind}, and the close takes both; "
            "name another prefix, or another --cockpit-gemm-output-dir"
        )


def _sha256(source: Mapping[str, str] | None) -> str | None:
    return source["sha256"] if source else None


def _terms(asked: _Asked) -> list[str]:
    """SLA and escalation; which triggers of the SLA are about what is not compared."""
    root, settings = asked.context.root, asked.settings
    agreed = asked.read("sla", partial(sla.load, root, asked.path("sla")))
    if agreed is None:
        return []
    asked.read("escalation", partial(escalation.load, root, settings.escalation, agreed))
    others = contradictions.other_pairs(agreed, (settings.candidate, settings.fallback))
    return [f"{it.path}: {it.pointer}: {it.message}; {it.remedy}" for it in others]


def _changed(asked: _Asked) -> list[str]:
    """That what is judged by is on this machine alone."""
    named = inputs.of(asked.context.root, asked.settings, asked.options)
    changed = inputs.uncommitted(asked.context, named)
    return [f"{', '.join(changed)}: not as committed; commit it first"] if changed else []


def _close(asked: _Asked) -> Preparation:
    asked.policies()
    terms = _terms(asked)
    this = asked.read("", partial(week.chosen, asked.options, datetime.now(UTC)), named=False)
    if asked.problems or this is None:
        return Preparation(problems=tuple(asked.problems))
    files = closing.names(prefix(asked.options), this)
    return Preparation(lines=(f"the week {this}", *terms, *_changed(asked)), replaces=files)


def _tune(asked: _Asked) -> Preparation:
    plan = asked.read("", partial(Plan.of, REPLAY, asked.options, asked.settings), named=False)
    if asked.problems or plan is None:
        return Preparation(problems=tuple(asked.problems))
    sizes, platforms = (", ".join(map(str, it)) for it in (plan.sizes, plan.platforms))
    return Preparation(lines=(f"the variants of {platforms} at {sizes}",))


def _archived(asked: _Asked, mode: str) -> Preparation:
    root = asked.context.root
    path = asked.path("policy")
    if mode == "evaluate" and asked.options.get("evaluate_mode") != "compat":
        asked.policies()
    elif mode == "evaluate" and path:
        # As it was once made: what it inherits from may be gone.
        asked.read("policy", partial(inheritance.load, root, path))
    elif path:
        asked.read("policy", partial(policies.read, root, weekly=path))
    baseline = asked.path("baseline") if mode == "evaluate" else ""
    if baseline:
        asked.read("baseline", partial(reading.load, root, baseline))
    named = list(dict.fromkeys(asked.options["artifacts"]))
    look = _sound if mode == "recalibrate" else _content
    for artifact in named:
        asked.read("artifacts", partial(look, root, artifact))
    if asked.problems:
        return Preparation(problems=tuple(asked.problems))
    by = f" by {path}" if path else ", and no policy is named"
    return Preparation(lines=(f"{', '.join(named)}{by}",))


def _content(root: Path, path: str) -> bytes:
    """The bytes of an artifact; whether they are one is for the evaluation to judge."""
    if not (root / path).is_file():
        raise CockpitError(f"{printable(path)}: no such file; name the artifact of a run")
    return reading.content(root, path)


def _sound(root: Path, path: str) -> None:
    """Refuse what no policy can be made from."""
    recalibration.sound(path, reading.parsed(path, _content(root, path)))


def _together(read: Mapping[str, Policies]) -> Policies:
    """Policies that were read one by one."""
    none = Policies()
    return Policies(
        weekly=read.get("policy", none).weekly,
        t3=read.get("t3_policy", none).t3,
        t5=read.get("t5_policy", none).t5,
    )


def _lines(plan: Plan) -> list[str]:
    """What will be measured."""
    sources: dict[str, Any] = {
        "policy": plan.policy,
        "policy of the selector": plan.t3_policy,
        "policy of the guard": plan.t5_policy,
        "baseline": plan.baseline,
    }
    named = [f"{what} {path}" for what, path in sources.items() if path]
    said = [planning.words(plan), planning.products(plan)]
    said.append(f"judged by {', '.join(named)}" if named else "judged by no policy")
    return said
