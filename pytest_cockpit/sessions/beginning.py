"""How a burst begins: anew, where one stopped, or just looking; and its plan file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import burst
from pytest_cockpit.promotion.burst import Options, Progress
from pytest_cockpit.promotion.history import waiting
from pytest_cockpit.promotion.selector import forecast
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.sessions.sealing import bears


def left(repository: Repository, chosen: Config, progress: Progress) -> list[tuple[str, ...]]:
    """The files of each batch that is still to come.

    A burst that is gone on with keeps to what it forecast at its base: what it has rewritten since
    would rank otherwise.
    """
    options, done = progress.options, len(progress.batches)
    sized = partial(forecast, repository, chosen, size=options.batch_size, modules=options.modules)
    whole = sized(base=progress.base, target=options.target, batches=options.max_batches)
    taken = {artifacts.printable(path) for batch in whole[:done] for path in batch}
    if taken == _promoted(repository, chosen, progress):
        return whole[done:]
    target, batches = options.target - progress.files, options.max_batches - done
    return sized(base=progress.head, target=target, batches=batches)


def _promoted(repository: Repository, chosen: Config, progress: Progress) -> set[str]:
    """What the burst's batches have moved so far."""
    ids = {batch.batch_id for batch in progress.batches}
    data = repository.blob(progress.head, chosen.ledger) if ids else None
    rows = [row for row in ledger.rows(data or b"") if row.get("batch_id") in ids]
    return {move["source"] for row in rows for move in row["moves"]}


def progress(
    config: pytest.Config, repository: Repository, chosen: Config, path: Path, base: str
) -> Progress:
    """Where the session begins: anew, where one stopped, or just looking at either."""
    if config.option.cockpit_checkpoint_only:
        stopped = burst.read(path)
        if stopped and stopped.state != "sealed" and repository.ref(stopped.branch):
            return stopped
    elif config.option.cockpit_resume:
        return _resumed(config, repository, chosen, path, base)
    return _fresh(config, repository, chosen, path, base)


def plan(progress: Progress, left: Sequence[Sequence[str]], chosen: Config) -> bytes:
    """The plan file: one canonical line for each row."""
    rows: list[dict[str, Any]] = [{"kind": "burst", **progress.to_json()}]
    for number, sources in enumerate(left, len(progress.batches) + 1):
        named = [artifacts.printable(source) for source in sources]
        rows.append({"kind": "batch", "number": number, "sources": named})
    rows += [
        {"kind": "gate", "gate": name} | ({"skip": skip} if (skip := chosen.skip(name)) else {})
        for name in chosen.gates
    ]
    return b"".join(map(artifacts.canonical_line, [*rows, {"kind": "seal"}]))


def _fresh(
    config: pytest.Config, repository: Repository, chosen: Config, path: Path, base: str
) -> Progress:
    """A burst that has done nothing yet."""
    stopped = burst.read(path)
    if stopped and stopped.checkpoints and stopped.state != "sealed":
        name = stopped.branch.removeprefix("refs/heads/")
        if repository.ref(stopped.branch) is not None:
            raise CockpitError(
                f"{path.relative_to(repository.root)}: a burst stopped after {stopped.files} of "
                f"{stopped.options.target} files; go on with --cockpit-burst --cockpit-resume, or "
                f"give it up: git branch -D {name}"
            )
    option = config.option
    size = option.cockpit_batch_size or chosen.batch.size
    options = Options(
        target=option.cockpit_target or 4 * size,
        batch_size=size,
        max_batches=option.cockpit_max_batches or 8,
        checkpoint_every=option.cockpit_checkpoint_every or 100,
        modules=option.cockpit_modules or chosen.batch.modules,
    )
    named = {"base": base, "settings": chosen.digest(), **dataclasses.asdict(options)}
    digest = artifacts.sha256(artifacts.canonical_line(named))
    burst_id = f"{base[:7]}-{digest[:8]}"
    return Progress(
        burst_id=burst_id,
        base=base,
        branch=_branch(chosen, burst_id),
        settings_sha256=chosen.digest(),
        options=options,
        lane=waiting(repository, base, chosen.lane),
    )


def _resumed(
    config: pytest.Config, repository: Repository, chosen: Config, path: Path, base: str
) -> Progress:
    """The burst that stopped, from the last checkpoint that its branch holds."""
    where = path.relative_to(repository.root)
    progress = burst.read(path)
    if progress is None or progress.state == "sealed":
        raise CockpitError(f"{where}: no burst has stopped; leave out --cockpit-resume")
    _demand_same(config, progress.options)
    if progress.settings_sha256 != chosen.digest():
        raise CockpitError(
            f"{where}: the configuration has changed since the burst began; put it back, or take "
            "what was promoted so far and begin another burst"
        )
    at = repository.ref(progress.branch) or progress.base
    if at != progress.head and progress.checkpoints:
        # Killed between the record and the branch: the branch decides.
        progress = progress.without_last()
    if at != progress.head or base not in (progress.base, progress.head):
        raise CockpitError(
            f"{where}: the burst stands at {progress.head[:12]}, its branch at {at[:12]}, HEAD at "
            f"{base[:12]} instead of {progress.base[:12]}; put HEAD back, or begin another burst"
        )
    _demand_own(repository, chosen, progress, str(where))
    target = config.option.cockpit_target
    if target:
        options = dataclasses.replace(progress.options, target=target)
        progress = dataclasses.replace(progress, options=options)
    return dataclasses.replace(progress, state="running")


def _demand_same(config: pytest.Config, options: Options) -> None:
    """No option is given that would have to be ignored; the target may be another one."""
    for field in dataclasses.fields(options):
        name, kept = f"cockpit_{field.name}", getattr(options, field.name)
        given = getattr(config.option, name)
        if field.name != "target" and given and given != kept:
            began = ",".join(kept) if isinstance(kept, tuple) else kept
            raise CockpitError(
                f"--{name.replace('_', '-')}: a burst that is gone on with keeps to its own, which "
                f"is {began or 'not set'}; leave it out, or begin another burst"
            )


def _demand_own(repository: Repository, chosen: Config, progress: Progress, where: str) -> None:
    """The record and the commits agree: it is a file that anybody could have written."""
    gates = tuple((name, chosen.skip(name)) for name in chosen.gates)
    checked = {point.commit for point in progress.checkpoints}
    parent = progress.base
    for batch in progress.batches:
        raw = repository.run("cat-file", "commit", batch.commit).stdout.decode("utf-8", "replace")
        header, _, message = raw.partition("\n\n")
        parents = [line for line in header.splitlines() if line.startswith("parent ")]
        judged = gates if batch.commit in checked else ()
        own = bears(message, batch.batch_id, batch.plan_sha256, judged)
        if not own or parents != [f"parent {parent}"]:
            raise CockpitError(
                f"{where}: {batch.commit[:12]} is not batch {batch.number} as the burst made and "
                "judged it; remove the file, delete the branch, and begin another burst"
            )
        parent = batch.commit
    if (parent, progress.branch) != (progress.head, _branch(chosen, progress.burst_id)):
        raise CockpitError(
            f"{where}: head or branch is not the burst's own; remove the file, and begin another"
        )


def _branch(chosen: Config, burst_id: str) -> str:
    return f"refs/heads/{chosen.seal.branch_prefix}burst-{burst_id}"
