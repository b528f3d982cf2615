"""The phase `evaluate`: archived artifacts, judged strictly or as they once were."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import (
    JSON,
    Case,
    CockpitError,
    Context,
    Evidence,
    Finding,
    Report,
    Severity,
    Verdict,
)
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit_gates.gemm.compat import ours
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, inheritance, policies
from pytest_cockpit_gates.gemm.strict.artifacts import parse
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies

_LARGEST = 64 * 2**20
_COMPAT = "this is the decision as it was once made; it says nothing of what is sound"


@dataclass(slots=True)
class Judged:
    """What came out so far."""

    words: list[str] = field(default_factory=list)
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)


def run(phase: str, context: Context, options: JSON) -> Report:
    """Judge every artifact that is named; one that cannot be read fails, and the next is judged.

    Raises
    ------
    CockpitError: a policy or the baseline cannot be read.
    """
    settings = Settings.of(context.settings)
    compat = options.get("evaluate_mode") == "compat"
    judged = Judged()
    judge = _compat(context, options, settings) if compat else _strict(context, options, settings)
    for path in dict.fromkeys(options["artifacts"]):
        where = printable(path)
        try:
            judge(judged, where, load(context.root, path))
        except CockpitError as error:
            wrong = one_line(str(error)).removeprefix(f"{where}: ")
            judged.words.append(f"{where}: unreadable")
            judged.findings.append(Finding("gemm.artifact", wrong, path=where))
            judged.cases.append(Case(f"{where}::readable", Verdict.FAIL, wrong))
    state = State.of(context, options)
    for number, (name, document) in enumerate(judged.documents.items(), 1):
        stem = (
            f"{number:02}_{PurePosixPath(name).stem}" if len(judged.documents) > 1 else "evaluation"
        )
        artifacts.write(state.artifact_path(f"{stem}.json"), {"artifact": name, **document})
    return Report.judge(
        "; ".join(judged.words),
        checked=judged.checked,
        findings=judged.findings,
        evidence=[Evidence(name, document) for name, document in judged.documents.items()],
        cases=judged.cases,
    )


def load(root: Path, path: str) -> Any:
    """The document at a path of the tree, NaN and infinities included.

    Raises
    ------
    CockpitError: as `content` and `parsed`.
    """
    return parsed(path, content(root, path))


def parsed(path: str, data: bytes) -> Any:
    """The value of a document.

    Raises
    ------
    CockpitError: it is no JSON.
    """
    try:
        return parse(data)
    except ValueError as error:
        raise CockpitError(
            f"{printable(path)}: not JSON ({error}); name the artifact of a run"
        ) from error


def content(root: Path, path: str) -> bytes:
    """The bytes of a file of the tree.

    Raises
    ------
    CockpitError: it cannot be read, or lies outside the tree.
    """
    where = printable(path)
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):
            raise CockpitError(f"{where}: outside the repository; name a path below its root")
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error
    except (ValueError, RuntimeError) as error:
        raise CockpitError(f"{where}: no path of a file; name one") from error
    if len(data) > _LARGEST:
        raise CockpitError(f"{where}: larger than any artifact; name another file")
    return data


def given(options: JSON, settings: Settings) -> dict[str, str]:
    """Paths by the command line over the settings."""
    names = ("policy", "t3_policy", "t5_policy", "baseline")
    return {name: options.get(name) or getattr(settings, name) for name in names}


def _strict(context: Context, options: JSON, settings: Settings) -> Any:
    paths = given(options, settings)
    read: Policies = policies.read(
        context.root, weekly=paths["policy"], t3=paths["t3_policy"], t5=paths["t5_policy"]
    )
    baseline = load(context.root, paths["baseline"]) if paths["baseline"] else None
    demands = Demands(
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=options.get("min_ratio") or settings.min_ratio,
        required_sizes=tuple(options.get("required_sizes") or ()),
        place=options.get("place") or "local",
    )

    def judge(judged: Judged, path: str, document: Any) -> None:
        found = evaluate(document, read, baseline=baseline, demands=demands)
        judged.words.append(f"{path}: {documents.summary(found)}")
        judged.checked += len(found.checks)
        judged.findings += documents.findings(found, path)
        judged.cases += documents.cases(found, f"{path}::")
        judged.documents[path] = documents.to_json(found)

    return judge


def _compat(context: Context, options: JSON, settings: Settings) -> Any:
    paths = given(options, settings)
    policy = inheritance.load(context.root, paths["policy"]) if paths["policy"] else None
    baseline = load(context.root, paths["baseline"]) if paths["baseline"] else None
    sizes = options.get("required_sizes")

    def judge(judged: Judged, path: str, document: Any) -> None:
        try:
            made = ours.decisions(
                document,
                policy,
                baseline,
                min_ratio=options.get("min_ratio") or settings.min_ratio,
                required_sizes=sizes,
            )
        except CockpitError as error:
            raise CockpitError(f"{path}: {error}") from error
        for name, found in made.items():
            judged.words.append(f"{path}: {name}: {found.decision}")
            judged.checked += len(found.checks)
            judged.findings.append(Finding("gemm.artifact", _COMPAT, Severity.INFO, path=path))
            judged.findings += [
                Finding("gemm.artifact", f"{name}: {check} did not hold", path=path)
                for check in found.failed
            ]
            judged.cases += [
                Case(
                    f"{path}::{name}::{check.name}", Verdict.PASS if check.passed else Verdict.FAIL
                )
                for check in found.checks
            ]
        judged.documents[path] = {
            name: {
                "decision": found.decision,
                "failed_checks": found.failed,
                "checks": {check.name: check.passed for check in found.checks},
                "observed": dict(found.observed),
            }
            for name, found in made.items()
        }

    return judge
