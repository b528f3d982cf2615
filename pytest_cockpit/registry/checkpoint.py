"""The eight checks of a checkpoint: generated documents, ledger, trends, schemas; read-only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from typing import Any

from pytest_cockpit import rendering
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import count, one_line, parse
from pytest_cockpit.registry import contents, documents, ledger_check, modules
from pytest_cockpit.registry.health.examine import examine
from pytest_cockpit.registry.health.ground import Ground

Check = Callable[[], Result]
Judge = Callable[[Place], Report]
"""Says what the gate `ledger` says of a place."""

_WRITE = "write it: pytest --cockpit-registry, then commit it"
_SHOWN = 5
_WORDS = {
    Verdict.FAIL: "failed",
    Verdict.ERROR: "could not run",
    Verdict.UNKNOWN: "unknown",
    Verdict.WARN: "warned",
    Verdict.PASS: "passed",
    Verdict.SKIP: "skipped",
}
_WIDTH = 100


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
        ("registry", partial(found.current, [registry])),
        ("meta-registry", partial(found.meta_current, meta)),
        ("documentation-map", partial(found.current, pages)),
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

    @property
    def made(self) -> Mapping[str, bytes]:
        if isinstance(self._outcome, CockpitError):
            raise self._outcome
        return self._outcome

    @cached_property
    def _outcome(self) -> Mapping[str, bytes] | CockpitError:
        """What is generated, or why nothing can be: worked out once for all checks."""
        try:
            return documents.generate(self.place)
        except CockpitError as error:
            return error

    def current(self, paths: Sequence[str]) -> Result:
        """Whether files are as they would be written now."""
        faults = {path: fault for path in paths if (fault := self._fault(path))}
        if faults:
            said = "; ".join(f"{path}: {fault}" for path, fault in faults.items())
            return _red(said, _WRITE)
        told = " and ".join(path for path in paths if path in self.made)
        return Result(Verdict.PASS, f"{told}: as the tree and its ledger give it")

    def trend(self, paths: Sequence[str], about: str) -> Result:
        """The same of what is made where the ledger has rows about something."""
        own = [path for path in paths if path in self.made or self.place.read(path) is not None]
        if not own:
            return Result(Verdict.SKIP, f"the ledger has no row about {about}")
        return self.current(own)

    def meta_current(self, path: str) -> Result:
        """The same of the one document that history may bear on."""
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
            return _red(f"{path}: {self._untracked(path)}", _WRITE)
        try:
            document = parse(content)
        except ValueError as error:
            return _red(f"{path}: not JSON ({error})", _WRITE)
        faults = artifacts.validate(document, schema)
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            lines = [f"  {one_line(fault)}" for fault in faults[:_SHOWN]]
            said = f"{path}: {one_line(faults[0])}{more}"
            return Result(Verdict.FAIL, said, "\n".join([said, *lines, f"  {_WRITE}"]))
        return Result(Verdict.PASS, f"{path}: {told(document)}")

    def _fault(self, path: str) -> str:
        """Why a file is not as it would be written; empty where it is."""
        content, made = self.place.read(path), self.made.get(path)
        if content == made:
            return ""
        if content is None:
            return self._untracked(path)
        if made is None:
            return "is there, and nothing in the tree and its ledger gives it"
        return _difference(content, made)

    def _untracked(self, path: str) -> str:
        there = (self.place.repository.root / path).is_file()
        hint = ", though it is there; git add it, with -f where git ignores it" if there else ""
        return f"is no tracked file{hint}"

    def _absent(self) -> list[str]:
        """Commits that health would have been told by, and nobody has here."""
        ground = Ground(self.place, modules.discover(self.place))
        for module in ground.modules:
            examine(ground, module)
        return ground.changes.absent


def _ledger(place: Place, judge: Judge) -> Result:
    report = judge(place)
    return Result(report.verdict, one_line(report.summary), rendering.report_text("ledger", report))


def _difference(content: bytes, made: bytes) -> str:
    """The first line in which a file is not as it would be written."""
    pairs = zip_longest(content.split(b"\n"), made.split(b"\n"))
    for number, (ours, theirs) in enumerate(pairs, 1):
        if ours != theirs:
            return f"line {number} is {_line(ours)}, would be {_line(theirs)}"
    return ""


def _line(content: bytes | None) -> str:
    if content is None:
        return "missing"
    text = one_line(content.decode("utf-8", "backslashreplace").strip())
    return repr(text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…")


def _red(said: str, remedy: str) -> Result:
    return Result(Verdict.FAIL, said, f"{said}\n  {remedy}")


def _modules(document: Any) -> str:
    return count(document["module_count"], "module")


def _healthy(document: Any) -> str:
    health = document["summary"]["health"]
    said = count(document["summary"]["modules"], "module")
    if health["mean"] is None:
        return f"{said}, health of none is known"
    rest = f", {health['unknown']:,} unknown" if health["unknown"] else ""
    return f"{said}, mean health {health['mean']}/100 over {health['over']:,}{rest}"
