"""The phase `recalibrate`: a weekly policy is proposed from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import (
    JSON,
    CockpitError,
    Context,
    Evidence,
    Finding,
    Report,
    Severity,
)
from pytest_cockpit.records import artifacts as files
from pytest_cockpit.records.text import one_line, sha256
from pytest_cockpit_gates.gemm.phases.archived import given
from pytest_cockpit_gates.gemm.phases.reading import content, parsed, within
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import artifacts, calibration, inheritance, policies
from pytest_cockpit_gates.gemm.strict.calibration import Proposal
from pytest_cockpit_gates.gemm.strict.evaluate import unsound
from pytest_cockpit_gates.gemm.strict.model import Artifact
from pytest_cockpit_gates.gemm.strict.subject import some


def run(phase: str, context: Context, options: JSON) -> Report:
    """Propose a policy as an artifact; nothing else is written.

    Raises
    ------
    CockpitError: the policy to begin with cannot be read, or an artifact is no evidence.
    """
    settings = Settings.of(context.settings)
    path = given(options, settings)["policy"]
    paths = dict.fromkeys(within(context.root, artifact) for artifact in options["artifacts"])
    named = {one_line(artifact): content(context.root, artifact) for artifact in paths}
    read = {path: sound(path, parsed(path, data)) for path, data in named.items()}
    _same_machine(read)
    if path:
        policies.read(context.root, weekly=path)
    old = inheritance.resolve(context.root, path).merged if path else {}
    platform = _platform(old, list(read.values()), settings)
    made = calibration.propose(list(read.values()), platform, old.get("weekly_slo"))
    proposal = _document(old, platform, made, named)
    state = State.of(context, options)
    wrong = policies.problems(proposal)
    if wrong or not made.slo["per_kernel_size"]:
        why = some([*(wrong or made.kept)]) or f"no row was measured on {platform}"
        raise CockpitError(f"{some([*named])}: nothing can be proposed: {why}")
    files.write(state.artifact_path("policy.json"), proposal)
    return Report.judge(
        f"{len(made.slo['per_kernel_size'])} rows for {platform}: {made.tightened} bounds tightened"
        f" or new, {len(made.loosened)} loosened, {len(made.kept)} kept",
        checked=len(made.slo["per_kernel_size"]),
        findings=[*_narrowed(path, old, platform), *_findings(made)],
        evidence=[Evidence("policy", proposal)],
    )


def sound(path: str, document: Any) -> Artifact:
    """The artifact of a document.

    Raises
    ------
    CockpitError: it is none, or no evidence for a bound; the text names the path.
    """
    read, problems = artifacts.read(document)
    if read is None:
        why = some(problems)
        raise CockpitError(f"{path}: no evidence for a bound: {why}; leave it out")
    for why in unsound(read).values():
        raise CockpitError(f"{path}: no evidence for a bound: {why}; leave it out")
    return read


def _same_machine(read: Mapping[str, Artifact]) -> None:
    first, *others = read.items()
    for path, artifact in others:
        if artifact.fingerprint != first[1].fingerprint:
            raise CockpitError(
                f"{path}: of another machine than {first[0]}; calibrate from artifacts of one"
            )


def _platform(old: JSON, read: Sequence[Artifact], settings: Settings) -> str:
    """The platform of the policy; otherwise the only one measured, or the candidate."""
    scope = old.get("scope")
    named = scope.get("platform") if isinstance(scope, Mapping) else None
    if isinstance(named, str):
        return named.lower()
    measured = {run.platform for artifact in read for run in artifact.good}
    return measured.pop() if len(measured) == 1 else settings.candidate


def _narrowed(path: str, old: JSON, platform: str) -> list[Finding]:
    """A warning where rows were of every platform, and those proposed are of one."""
    scope = old.get("scope")
    if not path or (isinstance(scope, Mapping) and "platform" in scope):
        return []
    return [
        Finding(
            "gemm.policy",
            f"narrowed: the rows of the policy judge every platform, those proposed {platform}"
            " alone; runs on another one would be judged by no row",
            Severity.WARNING,
            path=one_line(path),
            remedy="propose a policy for each platform, and go on judging the others by the old"
            " one; name the platform of each in scope.platform",
        )
    ]


def _document(
    old: JSON, platform: str, made: Proposal, named: Mapping[str, bytes]
) -> dict[str, Any]:
    today = datetime.now(UTC)
    rows = [name.partition(":") for name in made.slo["per_kernel_size"]]
    return {
        "policy_id": f"gemm-weekly-{platform}-{today:%Y-%m-%d}",
        "status": "proposed",
        "scope": {
            **(
                {"campaign": old["scope"]["campaign"]} if "campaign" in old.get("scope", {}) else {}
            ),
            "sizes": sorted({int(size) for _, _, size in rows}),
            "kernels": sorted({kernel for kernel, _, _ in rows}),
            "platform": platform,
        },
        "weekly_slo": made.slo,
        **{key: old[key] for key in ("baseline", "rollback_defaults") if key in old},
        "recalibration": {
            "applied_at": today.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "method": "conservative_headroom_tightening",
            "tighten_headroom_fraction": calibration.FRACTION,
            "level": calibration.LEVEL,
            "loosened": list(made.loosened),
            "artifacts": [{"path": path, "sha256": sha256(data)} for path, data in named.items()],
        },
    }


def _findings(made: Proposal) -> list[Finding]:
    found = [
        Finding(
            "gemm.policy",
            f"loosened: {text}",
            Severity.WARNING,
            remedy="find what became slower before this is accepted",
        )
        for text in made.loosened
    ]
    found += [Finding("gemm.policy", text, Severity.UNKNOWN) for text in made.kept]
    return found + [Finding("gemm.policy", text, Severity.INFO) for text in made.notes]
