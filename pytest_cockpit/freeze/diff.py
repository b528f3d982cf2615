"""Two freezes side by side: what each counts of its own tree, and which files differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_cockpit import rendering
from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import manifest, origin, tagged
from pytest_cockpit.freeze.verify import legacy_of
from pytest_cockpit.git import Repository
from pytest_cockpit.records import ledger
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import count, one_line, parse
from pytest_cockpit.registry import contents
from pytest_cockpit.seals import tag

SCHEMA = "pytest-cockpit/freeze-diff/1"

Number = int | float
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Metric:
    """One number before and after; None where it is not known."""

    name: str
    before: Number | None
    after: Number | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: the commit, what freezes it, and whether that could be verified."""

    name: str
    commit: str
    manifest: str | None
    verifiable: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two freezes."""

    before: Side
    after: Side
    metrics: tuple[Metric, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The difference as data; see `schemas/freeze-diff.json`."""
        sides = {"before": self.before, "after": self.after}
        return {
            "schema": SCHEMA,
            **{key: _side(side) for key, side in sides.items()},
            "metrics": [
                {
                    "name": metric.name,
                    "before": metric.before,
                    "after": metric.after,
                    "unit": metric.unit,
                }
                for metric in self.metrics
            ],
            "files": {
                "added": list(self.added),
                "changed": list(self.changed),
                "removed": list(self.removed),
            },
        }

    def lines(self) -> Iterator[str]:
        """The difference in words: the table, then the files."""
        for side in (self.before, self.after):
            note = "" if side.verifiable else f" (unverified: {side.manifest or 'no manifest'})"
            yield f"{side.name}: {side.commit[:12]}{note}"
        yield ""
        rows = [("metric", self.before.name, self.after.name, "change")]
        rows += [_row(metric) for metric in self.metrics]
        yield from rendering.table(rows)
        for what in ("added", "changed", "removed"):
            names = getattr(self, what)
            if names:
                yield ""
                yield f"{count(len(names), 'file')} {what}"
                yield from (one_line(f"  {name}") for name in names[:_LISTED])
            if len(names) > _LISTED:
                yield f"  … {len(names) - _LISTED:,} more; --json lists all"


def compare(repository: Repository, settings: Config, before: str, after: str) -> Difference:
    """What lies between the freezes of two tags.

    Raises
    ------
    CockpitError: one of them is no tag of this clone, and no file of `HEAD` says what it froze.
    """
    sides = [_found(repository, settings, name) for name in (before, after)]
    figures = [_Figures(repository, settings, side.commit, side.manifest) for side in sides]
    changes = repository.changes(sides[0].commit, sides[1].commit)
    sorts: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for path, (old, new) in changes.items():
        sort = "added" if old is None else "removed" if new is None else "changed"
        sorts[sort].append(printable(path))
    return Difference(
        sides[0],
        sides[1],
        tuple(_metrics(*(figure.known() for figure in figures))),
        **{sort: tuple(sorted(paths)) for sort, paths in sorts.items()},
    )


class _Figures:
    """What a frozen commit counts: by the documents in it, never by computing them anew."""

    def __init__(
        self, repository: Repository, settings: Config, commit: str, place: str | None
    ) -> None:
        self._repository, self._settings, self._commit = repository, settings, commit
        self._place = place

    def known(self) -> dict[str, Number | None]:
        """Every number by its name; None where the documents do not tell."""
        looks: Mapping[str, Callable[[], Number | None]] = {
            "modules": lambda: _number(self._registry, "module_count"),
            "modules with coverage": self._covered,
            "coverage ledger entries": self._entered,
            "mean health": self._health,
            "documentation files": lambda: self._listed("docs"),
            "test files": lambda: self._listed("tests"),
            "checks passing": lambda: self._checks("pass"),
            "checks skipped": lambda: self._checks("skip"),
            "checks": self._checks,
            "files": lambda: len(self._repository.entries(self._commit)),
        }
        return {name: look() for name, look in looks.items()}

    @cached_property
    def _registry(self) -> Any:
        return self._document(contents.MODULE_REGISTRY)

    @cached_property
    def _meta(self) -> Any:
        return self._document(contents.META_REGISTRY)

    def _covered(self) -> Number | None:
        known = _number(self._meta, "summary", "inputs", "coverage", "known")
        # What a published registry calls it.
        return known if known is not None else _number(self._meta, "summary", "with_coverage")

    def _health(self) -> Number | None:
        known = _number(self._meta, "summary", "health", "mean")
        return known if known is not None else _number(self._meta, "summary", "avg_health_score")

    def _listed(self, key: str) -> Number | None:
        rows = _at(self._registry, "modules")
        lists = [_at(row, key) for row in rows] if isinstance(rows, list) else [None]
        counts = [len(found) for found in lists if isinstance(found, list)]
        return sum(counts) if len(counts) == len(lists) else None

    def _entered(self) -> Number | None:
        for path in origin.places(self._settings):
            data = self._repository.blob(self._commit, path)
            if data is not None:
                try:
                    kinds = Counter(row["kind"] for row in ledger.rows(data))
                except CockpitError:
                    return None
                return kinds["coverage"]
        return None

    def _checks(self, verdict: str | None = None) -> Number | None:
        if self._place is None:
            return None
        data = self._repository.blob(self._commit, self._place) or b""
        try:
            found = manifest.read(data, self._place)["checks"]
        except CockpitError:
            return None
        if found is None:
            return None
        return sum(verdict in (None, check["verdict"]) for check in found)

    def _document(self, name: str) -> Any:
        path = f"{self._settings.registry.output}/{name}"
        try:
            return parse(self._repository.blob(self._commit, path) or b"")
        except ValueError:
            return None


_UNITS = {"mean health": "/100"}


def _metrics(
    before: Mapping[str, Number | None], after: Mapping[str, Number | None]
) -> Iterator[Metric]:
    for name in before:
        yield Metric(name, before[name], after[name], _UNITS.get(name, ""))


def _found(repository: Repository, settings: Config, name: str) -> Side:
    """What a tag freezes; where there is no such tag, what a file of `HEAD` says that it froze."""
    tag.demand_valid(repository, name)
    found = tagged.find(repository, name)
    if found is not None and found.commit is not None:
        output = settings.registry.output
        places = (manifest.path_of(output, kind) for kind in manifest.KINDS)
        own = next((path for path in places if _is_of(repository, found.commit, path, name)), None)
        if own is not None:
            return Side(name, found.commit, own, verifiable=True)
        old = legacy_of(repository, settings, name, found.commit)
        return Side(name, found.commit, old[0] if old else None, verifiable=False)
    old = legacy_of(repository, settings, name, repository.resolve("HEAD"))
    if old is None:
        said = tagged.missing(repository, name)
        raise CockpitError(f"{name}: {said}{'' if said.endswith('?') else '; git fetch --tags'}")
    path, told = old
    return Side(name, repository.resolve(told.commit), path, verifiable=False)


def _is_of(repository: Repository, commit: str, place: str, name: str) -> bool:
    """Whether a commit has the manifest of a tag at a place."""
    data = repository.blob(commit, place)
    try:
        return data is not None and manifest.read(data, place)["tag"] == name
    except CockpitError:
        return False


def _side(side: Side) -> dict[str, Any]:
    return {
        "tag": side.name,
        "commit": side.commit,
        "manifest": side.manifest,
        "verifiable": side.verifiable,
    }


def _row(metric: Metric) -> tuple[str, str, str, str]:
    before, after = (_told(value, metric.unit) for value in (metric.before, metric.after))
    return metric.name, before, after, _change(metric)


def _told(value: Number | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:,}{unit}"


def _change(metric: Metric) -> str:
    if metric.before is None or metric.after is None:
        return "unknown"
    step = round(metric.after - metric.before, 1)
    if not step:
        return "="
    share = f" ({step / metric.before:+.1%})" if metric.before else ""
    return f"{step:+,}{share}"


def _number(document: Any, *keys: str) -> Number | None:
    found = _at(document, *keys)
    fit = isinstance(found, int | float) and not isinstance(found, bool)
    return found if fit else None


def _at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
