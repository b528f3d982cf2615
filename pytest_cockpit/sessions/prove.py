"""`--cockpit-prove`: every installed gate is seen failing by each of its rules."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pytest

from pytest_cockpit import discovery, rendering, testing
from pytest_cockpit.api import CockpitError, Gate, Proof, Verdict
from pytest_cockpit.config import load
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.settings import artifacts_folder
from pytest_cockpit.sessions.takeover import take_over

PLAN = "prove.plan.jsonl"


def conduct(config: pytest.Config) -> Conductor:
    """Plan one step for each proof, and one for each gate's list of rules."""
    try:
        root = Repository.discover(config.invocation_params.dir).root
    except GitError:
        root = config.rootpath
    folder = artifacts_folder(root, load(root))
    header = take_over(config, folder / PLAN)
    steps = _steps()
    conductor = Conductor(
        config,
        mode="prove",
        root=root,
        folder=folder,
        steps=Steps(folder / PLAN, steps),
        halts=False,
    )
    conductor.write_plan()
    conductor.header = [*header, f"cockpit: {len(steps)} proofs of the installed gates"]
    return conductor


def _steps() -> list[Step]:
    installed = discovery.gates()
    steps = [
        Step(f"{broken.marker}/load", "proof", partial(_fail, broken.error))
        for broken in installed.broken
    ]
    for name, entry in sorted(installed.loaded.items()):
        markers = ("gate", entry.marker)
        steps.append(Step(f"{name}/rules", "proof", partial(_rules, entry.gate), markers))
        try:
            proofs = list(entry.gate.proofs())
        except Exception as error:  # noqa: BLE001 - a third party must not take the others along
            steps.append(Step(f"{name}/proofs", "proof", partial(_fail, repr(error)), markers))
            continue
        steps += [
            Step(f"{name}/{proof.name}", "proof", partial(_prove, name, entry.gate, proof), markers)
            for proof in proofs
        ]
    if not steps:
        raise CockpitError("no gate is installed: entry-point group pytest_cockpit.gates is empty")
    return steps


def _fail(error: str) -> Outcome:
    return Outcome(Verdict.ERROR, error, error)


def _rules(gate: Gate) -> Outcome:
    problems = testing.check_proofs(gate)
    text = "\n".join(problems)
    return Outcome(
        Verdict.FAIL if problems else Verdict.PASS,
        f"{len(problems)} gaps" if problems else f"{len(gate.rules)} rules, each with a proof",
        text,
    )


def _prove(name: str, gate: Gate, proof: Proof) -> Outcome:
    lacking = testing.lacking(proof)
    if lacking:
        return Outcome(Verdict.SKIP, f"not installed: {', '.join(lacking)}")
    with tempfile.TemporaryDirectory(prefix="cockpit-proof-") as folder:
        report = testing.prove(gate, proof, Path(folder))
    problems = testing.shortcomings(gate, proof, report)
    if not problems:
        return Outcome(Verdict.PASS, f"{proof.expect}, as it must be")
    text = "\n".join([*problems, rendering.report_text(name, report)])
    return Outcome(Verdict.FAIL, problems[0], text)
