"""`cockpit shard merge`: what the parts of a sweep or of the gates come to, as on one machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError, Verdict

if TYPE_CHECKING:
    from pytest_cockpit.phases import Place, Result
    from pytest_cockpit.sharding.merging import Whole
    from pytest_cockpit.sharding.plan import Plan


def register(subparsers: Any) -> None:
    """Add the command."""
    shard = subparsers.add_parser("shard", help="the parts of sweeps and gates", allow_abbrev=False)
    actions = shard.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "join the parts of a sweep or of the gates; the result is that of one machine"
    merge = actions.add_parser("merge", help=text, description=text, allow_abbrev=False)
    merge.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a shard, or a folder of them"
    )
    merge.add_argument(
        "--durations", action="store_true", help="write down how long everything took"
    )
    merge.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting that the parts were given with --cockpit-set; repeatable",
    )
    merge.set_defaults(run=_merge)


def _merge(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.sharding import merging, reading
    from pytest_cockpit.sharding.plan import Kind

    whole = merging.together(map(reading.read, reading.files(arguments.files)))
    place = _place(whole.plan, arguments.set)
    _demand_of(place, whole.plan)
    code = _sweep(place, whole) if whole.plan.kind is Kind.SWEEP else _gates(place, whole)
    if whole.missing:
        for path in reading.passed_over(arguments.files):
            _tell(f"{path}: passed over, its name is not its digest; name it as it was written")
    if arguments.durations and not whole.missing:
        _remember(place, whole)
    return code


def _place(plan: Plan, overrides: list[str]) -> Place:
    """The tree that the shards are of."""
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.phases import Place, clock

    repository = Repository.discover(Path.cwd())
    settings = config.load(repository.root, overrides)
    return Place(repository, settings, plan.commit, plan.commit, clock(), say=print)


def _demand_of(place: Place, plan: Plan) -> None:
    """Demand that the shards are of what is checked out, and that nothing is left out of them."""
    from pytest_cockpit.sharding import gating, sweeping
    from pytest_cockpit.sharding.plan import Kind

    head = place.repository.resolve("HEAD")
    if head != plan.commit:
        raise CockpitError(
            f"the shards are of {plan.commit[:12]}, and {head[:12]} is checked out; "
            f"git switch --detach {plan.commit[:12]}"
        )
    if place.settings.digest() != plan.settings_sha256:
        raise CockpitError(
            "the configuration is not that of the shards; check out the same tree, and name with "
            "--set what --cockpit-set replaced"
        )
    if plan.kind is Kind.SWEEP:
        expected = sweeping.plan(place, plan.of)
    else:
        tree = place.repository.tracked()
        if tree != plan.tree:
            raise CockpitError(
                f"the shards are of tree {plan.tree[:12]}, and the tracked files here are "
                f"{tree[:12]}; check out the same, with the same changes"
            )
        known = set(plan.weights) <= set(place.settings.gates)
        gates = plan.weights if known else place.settings.gates
        expected = gating.plan(
            place.repository, place.settings, gates, plan.of, select=plan.select, base=plan.base
        )
    if expected != plan:
        raise CockpitError("the shards' plan is not that of this commit; do all parts again")


def _sweep(place: Place, whole: Whole) -> int:
    from pytest_cockpit.sessions import changing
    from pytest_cockpit.sessions.lock import SessionLock
    from pytest_cockpit.sweep import phase, settling

    if whole.missing:
        _tell_lost(whole)
        _tell("nothing was changed")
        return 1
    lock = SessionLock(place.repository.common_dir)
    lock.acquire("shard merge")
    try:
        for line in changing.finish(place.repository):
            _tell(line)
        measured = whole.measured()
        result = phase.settle(place, measured)
        _write(place, result)
    finally:
        lock.release()
    for line in settling.table(place, measured):
        _tell(line)
    _tell(f"sweep: {result.verdict}: {result.summary}")
    if not _well(result.verdict):
        _tell(result.text)
    return 0 if _well(result.verdict) else 1


def _gates(place: Place, whole: Whole) -> int:
    from pytest_cockpit.records import artifacts

    folder = place.repository.root / place.settings.artifacts
    for name, report in whole.reports().items():
        data = {"schema": "pytest-cockpit/gate-report/1", "gate": name, **report.to_json()}
        artifacts.write(folder / "gates" / f"{name}.json", data, "gate-report")
    combined = whole.combined(place.settings.gates)
    artifacts.write(folder / "gates.json", combined, "shard-gates")
    for row in combined["gates"]:
        _tell(f"gate:{row['gate']}: {row['verdict']}: {row['summary']}")
    if combined["left_out"]:
        _tell(f"in no part: {', '.join(combined['left_out'])} (-m {whole.plan.select!r})")
    _tell_lost(whole)
    verdict = whole.verdict()
    _tell(f"gates: {verdict}; {place.settings.artifacts}/gates.json")
    return 0 if _well(verdict) else 1


def _well(verdict: Verdict) -> bool:
    """Whether a session that came to this is green."""
    return verdict.opens or verdict is Verdict.SKIP


def _tell_lost(whole: Whole) -> None:
    for line in whole.lost:
        _tell(line)


def _tell(text: str) -> None:
    """Print lines that shards may have written: nothing in them is a command to a runner."""
    from pytest_cockpit import workflow_commands

    for line in text.splitlines():
        # What begins with two colons would be one.
        begun = "cockpit: " if line.lstrip().startswith("::") else ""
        print(begun + workflow_commands.inert(line))


def _write(place: Place, result: Result) -> None:
    """Keep the figures of every module that has some, as the session of one machine does."""
    from pytest_cockpit.records import artifacts
    from pytest_cockpit.sessions import changing

    folder = place.repository.root / place.settings.artifacts
    for name, (document, schema) in result.artifacts.items():
        artifacts.write(folder / name, document, schema)
    changing.apply(place, result.changes)


def _remember(place: Place, whole: Whole) -> None:
    from pytest_cockpit.records import artifacts, ledger_content
    from pytest_cockpit.sharding import durations

    where = durations.path_of(place.settings)
    if ledger_content.linked(place.repository.root, where):
        raise CockpitError(f"{where}: lies behind a symbolic link, which may lead anywhere")
    old = durations.read(ledger_content.of(place.repository.root, where), where)
    document = durations.renewed(old, whole.plan, whole.seconds)
    artifacts.write(place.repository.root / where, document, durations.SCHEMA)
    _tell(f"{where}: written; commit it")
