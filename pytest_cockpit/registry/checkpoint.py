"""The eight checks of a checkpoint: generated documents, ledger, trends, schemas; read-only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pytest_cockpit import rendering
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import count, one_line, parse
from pytest_cockpit.registry import comparing, contents, ledger_check, modules, unreadable
from pytest_cockpit.registry.documents import Documents
from pytest_cockpit.registry.health.examine import examine
from pytest_cockpit.registry.health.ground import Ground

Check = Callable[[], Result]
Judge = Callable[[Place], Report]
"""Says what the gate `ledger` says of a place."""

_SHOWN = 5
_WORDS = {
    Verdict.FAIL: "failed",
    Verdict.ERROR: "could not run",
    Verdict.UNKNOWN: "unknown",
    Verdict.WARN: "warned",
    Verdict.PASS: "passed",
    Verdict.SKIP: "skipped",
}


def checks(place: Place, *, judge: Judge = ledger_check.report) -> Sequence[tuple[str, Check]]:
    """The eight checks of a tree by name, in their order; none writes anything.

    Parameters
    ----------
    judge: asks the gate `ledger`, as a session with gates of its own does.
    """
    found = _Found(place)
    paths = {path.rpartition("/")[2]: path for path in contents.generated(place.settings.registry)}
    registry, meta = paths[contents.MODULE_REGISTRY], paths[contents.META_REGISTRY]
    pages = [paths[contents.DOCUMENTATION_MAP], paths[contents.MODULE_INDEX]]
    coverage = [paths[contents.COVERAGE_TREND], paths[contents.UNVERIFIED_TREND]]
    steps: Sequence[tuple[str, Check]] = (
        ("registry", partial(found.of_manifests, [registry])),
        ("meta-registry", partial(found.meta_current, meta)),
        ("documentation-map", partial(found.of_manifests, pages)),
        ("ledger", partial(_ledger, place, judge)),
        ("coverage-trend", partial(found.trend, coverage, "coverage")),
        ("benchmark-trend", partial(found.trend, [paths[contents.BENCH_TREND]], "a benchmark")),
        ("registry-schema", partial(found.valid, registry, "module_registry", _modules)),
        ("meta-registry-schema", partial(found.valid, meta, "meta_registry", _healthy)),
    )
    return [(name, partial(_asked, check)) for name, check in steps]


def totals(verdicts: Iterable[Verdict]) -> str:
    """How many checks came out how, such as `7 passed, 1 skipped`; none is left out."""
    counts = Counter(verdicts)
    told = [f"{counts[verdict]} {word}" for verdict, word in _WORDS.items() if counts[verdict]]
    return ", ".join(told) or "no check ran"


def _asked(check: Check) -> Result:
    """The check's answer; what cannot be found out is unknown."""
    try:
        return check()
    except CockpitError as error:
        said = one_line(str(error).partition("\n")[0])
        return Result(Verdict.UNKNOWN, f"cannot be told: {said}", str(error))


@dataclass(frozen=True)
class _Found:
    """What a tree has, next to what it should have."""

    place: Place

    @cached_property
    def made(self) -> Documents:
        """What there should be; each document is made once for all checks."""
        return Documents(self.place)

    def current(self, paths: Sequence[str]) -> Result:
        """Whether files are as they would be written now."""
        found = [comparing.compare(self.place, path, self.made.get(path)) for path in paths]
        red = [result for result in found if result.verdict is Verdict.FAIL]
        if red:
            said = "; ".join(result.summary for result in red)
            return Result(Verdict.FAIL, said, "\n".join(result.text for result in red))
        return Result(Verdict.PASS, f"{' and '.join(paths)}: as the tree and its ledger give it")

    def of_manifests(self, paths: Sequence[str]) -> Result:
        """The same of what repeats manifests: one that cannot be read would be repeated as none."""
        return unreadable.told(self.made.survey.modules) or self.current(paths)

    def trend(self, paths: Sequence[str], about: str) -> Result:
        """The same of what is made where the ledger has rows about something."""
        own = [
            path
            for path in paths
            if self.made.get(path) is not None or self.place.read(path) is not None
        ]
        if not own:
            return Result(Verdict.SKIP, f"the ledger has no row about {about}")
        return self.current(own)

    def meta_current(self, path: str) -> Result:
        """The same of the one document that history may bear on."""
        broken = unreadable.told(self.made.survey.modules)
        if broken:
            return broken
        result = self.current([path])
        absent = self._absent() if result.verdict is Verdict.FAIL else []
        if not absent or self.place.read(path) is None:
            return result
        said = f"{path}: differs, and {count(len(absent), 'commit')} that measurements are of"
        return Result(
            Verdict.UNKNOWN,
            f"{said} cannot be had, such as {absent[0][:12]}",
            f"{result.summary}\n  fetch the whole history: git fetch --unshallow",
        )

    def valid(self, path: str, schema: str, told: Callable[[Any], str]) -> Result:
        """Whether a document answers to its schema."""
        content = self.place.read(path)
        if content is None:
            return _red(f"{path}: {comparing.untracked(self.place, path)}")
        try:
            document = parse(content)
        except ValueError as error:
            return _red(f"{path}: not JSON ({error})")
        faults = artifacts.validate(document, schema)
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            lines = [f"  {one_line(fault)}" for fault in faults[:_SHOWN]]
            said = f"{path}: {one_line(faults[0])}{more}"
            return Result(Verdict.FAIL, said, "\n".join([said, *lines, f"  {comparing.REMEDY}"]))
        return Result(Verdict.PASS, f"{path}: {told(document)}")

    def _absent(self) -> list[str]:
        """Commits that health would have been told by, and nobody has here."""
        ground = Ground(self.place, modules.discover(self.place))
        for module in ground.modules:
            examine(ground, module)
        return ground.changes.absent


def _ledger(place: Place, judge: Judge) -> Result:
    report = judge(place)
    return Result(report.verdict, one_line(report.summary), rendering.report_text("ledger", report))


def _red(said: str) -> Result:
    return Result(Verdict.FAIL, said, f"{said}\n  {comparing.REMEDY}")


def _modules(document: Any) -> str:
    return count(document["module_count"], "module")


def _healthy(document: Any) -> str:
    health = document["summary"]["health"]
    said = count(document["summary"]["modules"], "module")
    if health["mean"] is None:
        return f"{said}, health of none is known"
    rest = f", {health['unknown']:,} unknown" if health["unknown"] else ""
    return f"{said}, mean health {health['mean']}/100 over {health['over']:,}{rest}"
