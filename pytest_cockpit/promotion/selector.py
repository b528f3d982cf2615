"""Which files the next batch moves: the best-ranked ones, each with all that it needs."""

from __future__ import annotations

import dataclasses
import difflib
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.analysis.scan import compile_error
from pytest_cockpit.api import CockpitError, Move
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import preflight, snapshot
from pytest_cockpit.promotion.closure import Closure
from pytest_cockpit.promotion.ground import above, quoted
from pytest_cockpit.promotion.notes import Notes
from pytest_cockpit.promotion.plan import Plan, PlannedMove, Refusal
from pytest_cockpit.promotion.rank import Score, scores
from pytest_cockpit.promotion.snapshot import Snapshot
from pytest_cockpit.records import baselines


def make_plan(
    repo: Repository,
    config: Config,
    *,
    size: int | None = None,
    modules: Sequence[str] = (),
    base: str = "HEAD",
    only: Sequence[str] = (),
    left: Mapping[str, str] | None = None,
    look: Look | None = None,
) -> Plan:
    """The plan of the next batch, computed from one commit and the configuration.

    Parameters
    ----------
    size: most files to move; the configuration's when None.
    modules: parts of the lane that ranked files are limited to; the configuration's when empty.
        What they need comes along from wherever it lies in the lane.
    base: the revision to plan from.
    only: the files of an earlier plan or forecast; when given, no others move but what they need.
    left: files that stay behind, each with the reason; what needs them stays, too.
    look: what was found out for an earlier plan with the same size, modules and base.

    Raises
    ------
    CockpitError: the history is cut off, or lane, size or modules make no sense here.
    """
    look = look or Look.at(repo, config, size, modules, base)
    starts = [path for path in only if path in look.ranked] if only else look.starts
    stay = {path: Refusal(path, "stays-behind", why) for path, why in (left or {}).items()}
    refused = {**look.refused, **stay}
    closure, picked, sources = _settled(
        repo, look.seen, refused, look.ranked, starts, look.limit, frozenset(only)
    )
    moves = _moves(look.seen, picked, look.ranked, sources)
    return Plan.make(
        base=look.seen.base,
        lane=config.lane,
        size=look.limit,
        modules=look.wanted,
        settings_sha256=config.digest(),
        counts={
            "lane": len(look.seen.waiting),
            "movable": len(look.seen.waiting) - len(closure.refused),
            "moves": len(moves),
            "refusals": len(closure.refused),
            "shims": look.seen.shims,
        },
        moves=moves,
        refusals=tuple(closure.refused.values()),
        gates=[(name, config.skip(name)) for name in config.gates],
    )


def forecast(
    repo: Repository,
    config: Config,
    *,
    size: int | None = None,
    modules: Sequence[str] = (),
    base: str = "HEAD",
    target: int,
    batches: int,
) -> list[tuple[str, ...]]:
    """The files of the next batches, each to be planned on top of the one before.

    Parameters
    ----------
    target: most files in all batches together.
    batches: most batches.

    Other parameters and errors are those of `make_plan`.
    """
    look = Look.at(repo, config, size, modules, base)
    forecasts: list[tuple[str, ...]] = []
    taken: set[str] = set()
    while len(forecasts) < batches and len(taken) < target:
        waiting = tuple(path for path in look.seen.waiting if path not in taken)
        seen = dataclasses.replace(look.seen, waiting=waiting)
        refused = {path: why for path, why in look.refused.items() if path not in taken}
        starts = [path for path in look.starts if path not in taken]
        limit = min(look.limit, target - len(taken))
        _, picked, _ = _settled(repo, seen, refused, look.ranked, starts, limit)
        if not picked:
            break
        forecasts.append(tuple(picked))
        taken.update(picked)
    return forecasts


@dataclass(frozen=True, slots=True)
class Look:
    """What a commit offers to be moved."""

    seen: Snapshot
    wanted: tuple[str, ...]
    starts: list[str]
    ranked: Mapping[str, Score]
    refused: Mapping[str, Refusal]
    limit: int

    @classmethod
    def at(
        cls, repo: Repository, config: Config, size: int | None, modules: Sequence[str], base: str
    ) -> Look:
        """The look at a revision; parameters and errors are those of `make_plan`."""
        limit = config.batch.size if size is None else size
        if limit < 1:
            raise CockpitError(f"batch size {limit}: expected at least 1; set --cockpit-batch-size")
        if repo.is_shallow():
            raise CockpitError(
                "shallow clone: how lately files changed is unknown; run git fetch --unshallow"
            )
        commit = repo.resolve(base)
        seen = snapshot.take(repo, config.lane, commit)
        wanted = tuple(modules) or config.batch.modules
        starts = _starts(seen, wanted)
        ranked = scores(seen, config, repo.last_touched(commit, config.lane.path))
        refused = preflight.refusals(seen, config, _failures(repo, config, seen))
        return cls(seen, wanted, starts, ranked, refused, limit)


def _starts(seen: Snapshot, modules: Sequence[str]) -> list[str]:
    """The waiting files that may be picked by rank."""
    if not modules:
        return list(seen.waiting)
    lane = seen.layout.lane.path
    wanted = [f"{lane}/{module.replace('.', '/').strip('/')}" for module in modules]
    _demand_modules(seen, modules, wanted)
    return [
        path
        for path in seen.waiting
        if any(path == f"{module}.py" or path.startswith(f"{module}/") for module in wanted)
    ]


def _demand_modules(seen: Snapshot, modules: Sequence[str], wanted: Sequence[str]) -> None:
    known = {path.removesuffix(".py") for path in seen.entries}
    for path in seen.entries:
        known.update(above(path))
    for module, place in zip(modules, wanted, strict=True):
        # What was promoted as a whole may be gone from the lane; a daily job goes on.
        if place in known or seen.layout.target_of(place) in known:
            continue
        lane = f"{seen.layout.lane.path}/"
        names = sorted({path[len(lane) :] for path in known if path.startswith(lane)})
        close = difflib.get_close_matches(module, names, n=1)
        meant = (
            f"; did you mean {quoted(close[0])}?" if close else "; name a folder or module of it"
        )
        raise CockpitError(f"modules: nothing in {lane} is called {quoted(module)}{meant}")


def _failures(repo: Repository, config: Config, seen: Snapshot) -> Mapping[str, object]:
    """Files that the baseline of imports knows not to import."""
    where = baselines.path_of(config.records, "imports")
    if where not in seen.entries:
        return {}
    data = repo.blob(seen.base, where)
    return {} if data is None else baselines.failures(baselines.parse(data, where))


@dataclass(slots=True)
class _Picked:
    """Files that move, each with the reason, in the order they were added."""

    closure: Closure
    layout: Layout
    limit: int
    only: frozenset[str] = frozenset()
    because: dict[str, str] = field(default_factory=dict)

    def add(self, start: str) -> None:
        """Add a ranked file and all that comes with it, if there is room."""
        if start in self.because:
            return
        reach = self.closure.reach(start, self.because, self.limit - len(self.because))
        if reach is None:
            return
        reasons = {path: self._reason(path, parent) for path, parent in reach.items()}
        self._add_markers(reasons)
        for path in self.closure.order(reasons):
            self.because[path] = reasons[path]

    def _reason(self, path: str, parent: str) -> str:
        if not parent:
            return "rank"
        group = self.closure.group
        return f"{'cycle with' if group[path] == group[parent] else 'needed by'} {parent}"

    def _add_markers(self, reasons: dict[str, str]) -> None:
        """Add the `__init__.py` files of the packages, and what they need, while there is room."""
        pending = list(reasons)
        while pending:
            path = pending.pop()
            for marker in self._markers(path):
                if marker in reasons or marker in self.because or marker in self.closure.refused:
                    continue
                room = self.limit - len(self.because) - len(reasons)
                reach = self.closure.reach(marker, ChainMap(self.because, reasons), room)
                for needed, parent in (reach or {}).items():
                    word = self._reason(needed, parent) if parent else f"package of {path}"
                    reasons[needed] = word
                pending.extend(reach or ())

    def _markers(self, path: str) -> Iterator[str]:
        for folder in filter(self.layout.is_lane, above(path)):
            marker = f"{folder}/{INIT}"
            if marker in self.closure.needs and (not self.only or marker in self.only):
                yield marker


def _settled(
    repo: Repository,
    seen: Snapshot,
    refused: Mapping[str, Refusal],
    ranked: Mapping[str, Score],
    starts: Sequence[str],
    limit: int,
    only: frozenset[str] = frozenset(),
) -> tuple[Closure, dict[str, str], dict[str, bytes]]:
    """Pick until all that is picked compiles; the scan lets some mistakes through."""
    refused = dict(refused)
    sources: dict[str, bytes] = {}
    order = sorted(starts, key=lambda path: (-ranked[path].total, path))
    while True:
        closure = Closure(seen, refused, limit)
        picked = _Picked(closure, seen.layout, limit, only)
        for path in order:
            if len(picked.because) == limit:
                break
            if path not in closure.refused:
                picked.add(path)
        new = [path for path in picked.because if path not in sources]
        blobs = repo.blobs(seen.entries[path].oid for path in new)
        broken = False
        for path, (_, source) in zip(new, blobs, strict=True):
            sources[path] = source or b""
            error = compile_error(sources[path])
            if error is not None:
                refused[path] = Refusal(path, "syntax-error", preflight.syntax_message(*error))
                broken = True
        if not broken:
            return closure, picked.because, sources


def _moves(
    seen: Snapshot,
    picked: Mapping[str, str],
    ranked: Mapping[str, Score],
    sources: Mapping[str, bytes],
) -> list[PlannedMove]:
    notes, layout = Notes(seen), seen.layout
    moves = []
    for path, because in picked.items():
        entry, target = seen.entries[path], layout.target_of(path)
        moves.append(
            PlannedMove(
                move=Move(path, target, entry.oid, entry.mode),
                old_module=layout.module_of(path) or "",
                new_module=layout.module_of(target) or "",
                score=ranked[path].total,
                reasons=ranked[path].reasons,
                because=because,
                notes=notes.of(path, sources[path], picked),
            )
        )
    return moves
