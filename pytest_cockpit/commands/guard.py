"""`cockpit guard`: what the gate of this name says, without a session, for hooks and pipelines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError, Context, Report, Verdict

if TYPE_CHECKING:
    from pytest_cockpit.api import Gate
    from pytest_cockpit.config import Config
    from pytest_cockpit.git import Repository

GATE = "guard"
LABELS = "COCKPIT_LABELS"

_MARKER = "promotion_guard"


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "guard", help="let nothing new into the lane", allow_abbrev=False
    )
    against = parser.add_mutually_exclusive_group()
    against.add_argument(
        "--base",
        metavar="REV",
        help="compare the working tree with the merge base with REV (default: what the pipeline "
        "names; outside of one, HEAD)",
    )
    against.add_argument(
        "--staged", action="store_true", help="judge what would be committed: the index"
    )
    parser.add_argument(
        "--label", action="append", default=[], help="a label of the change; repeatable"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "github"),
        help="default: github in a workflow of GitHub, else text",
    )
    parser.set_defaults(run=_guard)


def _guard(arguments: argparse.Namespace) -> int:
    from pytest_cockpit import child, config
    from pytest_cockpit.git import Repository

    repository = Repository.discover(Path.cwd())
    chosen = config.load(repository.root)
    base, tree = _compared(repository, arguments)
    context = Context(
        root=repository.root,
        # The gate writes nothing.
        scratch=repository.common_dir / "cockpit",
        settings=chosen.gate.get(GATE, {}),
        lane=chosen.lane,
        records=chosen.records,
        ledger=chosen.ledger,
        base=base,
        commit=tree,
    )
    report = child.judge(_gate(), context)
    if report.verdict is Verdict.FAIL:
        report = _waived(report, repository, chosen, context, _labels(arguments))
    print(_rendered(report, arguments.format or _usual(os.environ)), end="")
    return 0 if report.verdict.opens or report.verdict is Verdict.SKIP else 1


def _gate() -> Gate:
    """The gate of this distribution; what others have installed is not looked through."""
    from importlib.metadata import PackageNotFoundError, distribution

    from pytest_cockpit import discovery

    try:
        entries = distribution("pytest-cockpit").entry_points
        [entry] = entries.select(group=discovery.GROUP, name=_MARKER)
    except (PackageNotFoundError, ValueError) as error:
        missing = "pytest-cockpit: not installed whole; pip install pytest-cockpit"
        raise CockpitError(missing) from error
    gate: Gate = entry.load()
    return gate


def _compared(repository: Repository, arguments: argparse.Namespace) -> tuple[str, str | None]:
    """The base, and the tree to judge; None for the working tree."""
    from pytest_cockpit.commands import guard_base

    if arguments.staged:
        return guard_base.head(repository), guard_base.index(repository, os.environ)
    if arguments.base:
        return repository.merge_base(arguments.base), None
    return guard_base.usual(repository, os.environ), None


def _labels(arguments: argparse.Namespace) -> frozenset[str]:
    named = [*arguments.label, *os.environ.get(LABELS, "").split(",")]
    return frozenset(label.strip() for label in named if label.strip())


def _waived(
    report: Report, repository: Repository, chosen: Config, context: Context, labels: frozenset[str]
) -> Report:
    """The report with what is waived as warnings; rows count that are part of the change."""
    from pytest_cockpit.records import waiver_ledger, waiving
    from pytest_cockpit.records.waivers import Situation

    root, ledger = repository.root, context.ledger
    if context.commit is not None:
        own = repository.blob(context.commit, ledger) or b""
    else:
        own = waiver_ledger.content(root, ledger)
    book, today = waiver_ledger.standing(root, ledger, context.base, own)
    clock = datetime.now(UTC).date()
    situation = Situation(today, labels, os.environ, chosen.waivers.max_days, clock)
    return waiving.apply(report, GATE, book, situation)


def _usual(environ: Mapping[str, str]) -> str:
    return "github" if environ.get("GITHUB_ACTIONS") == "true" else "text"


def _rendered(report: Report, form: str) -> str:
    from pytest_cockpit import rendering

    if form == "json":
        from pytest_cockpit.records.text import canonical

        data = {"schema": "pytest-cockpit/gate-report/1", "gate": GATE, **report.to_json()}
        return canonical(data).decode()
    if form == "github":
        from pytest_cockpit import workflow_commands

        headline = f"{GATE}: {report.verdict.name}: {workflow_commands.inert(report.summary)}"
        told = workflow_commands.commands({GATE: report}, rest="--format text tells them")
        return "".join(f"{line}\n" for line in (*told, headline))
    # There is no artifact to look the rest up in.
    return f"{rendering.report_text(GATE, report, limit=len(report.findings))}\n"
