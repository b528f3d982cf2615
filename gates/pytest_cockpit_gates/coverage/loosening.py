"""Whether the tree's baseline allows what the base commit's did not. Pure: values in, findings out.

The tree's baseline must be its own join with the base commit's, once the latter has followed the
files to their new paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.joining import failing_tests
from pytest_cockpit_gates.coverage.model import Bound

_COUNTED = {
    "missing_lines": "statements that no test executes",
    "missing_branches": "branches that no test takes",
    "excluded": "statements and branches that are excluded",
}
_REMEDY = "take the bound back from the base commit, or waive this rule for the file, with a reason"


@dataclass(frozen=True, slots=True)
class Compared:
    """Two baselines and what connects them.

    Parameters
    ----------
    where: path of the baseline, for pointers and messages.
    base, now: the base commit's and the tree's.
    sources: the old path of each file that was moved or renamed, by its new one; printable.
    present: printable paths of the tree's Python files.
    statements: how many statements each measured file has; printable paths.
    new_file_ratio: the share of a file without a bound that may be missing.
    """

    where: str
    base: Baseline
    now: Baseline
    sources: Mapping[str, str]
    present: Collection[str]
    statements: Mapping[str, int]
    new_file_ratio: float

    def findings(self) -> Iterator[Finding]:
        """What was loosened, one finding for each file."""
        if (self.base.entries, self.base.meta) == (self.now.entries, self.now.meta):
            return
        followed = self._followed()
        for path in sorted({*followed, *self.now.entries}):
            found = self._of_entry(path, followed.get(path), self.now.entries.get(path))
            if found is not None:
                yield found
        yield from self._of_tests()
        yield from self._of_patterns()

    def _followed(self) -> dict[str, Any]:
        """The base commit's entries under the paths that their files have now."""
        targets = {source: target for target, source in self.sources.items()}
        followed = {}
        for path, entry in self.base.entries.items():
            target = targets.get(path, path)
            # Until a baseline is renamed with its files, a bound is found under the old path.
            if target not in self.now.entries and path in self.now.entries:
                target = path
            followed[target] = entry
        return followed

    def _of_entry(self, path: str, was: Any, now: Any) -> Finding | None:
        if now is None:
            if path not in self.present:
                return None
            return self._finding(path, "its bound was removed from the baseline", {"bound": None})
        bound = Bound.of(now, f"{self.where}: {path}")
        if was is None:
            return self._of_new(path, bound)
        wider = _wider(Bound.of(was, f"{self.where} at the base commit: {path}"), bound)
        if not wider:
            return None
        told = ", ".join(f"{_COUNTED[name]}: {a} to {b}" for name, (a, b) in wider.items())
        return self._finding(path, f"its bound was loosened; {told}", {"loosened": wider})

    def _of_new(self, path: str, bound: Bound) -> Finding | None:
        """A bound for a file that had none allows what the rule for new files allows."""
        if bound.excluded is None:
            # Nothing would keep the file from excluding all it has.
            told = "a bound that does not say how much is excluded was added to the baseline"
            return self._finding(path, told, {"excluded": None})
        excluded = bound.excluded
        # What the bound says of the file's size is as much written by hand as the rest of it.
        statements = self.statements.get(path, bound.statements)
        limit = allowed(statements + excluded, self.new_file_ratio)
        if bound.missing_lines + excluded <= limit:
            return None
        return self._finding(
            path,
            f"a bound of {bound.missing_lines + excluded} missing or excluded statements was added "
            f"to the baseline, {limit} are allowed in a new file",
            {"missing_lines": bound.missing_lines, "excluded": excluded, "statements": statements},
        )

    def _of_tests(self) -> Iterator[Finding]:
        known = failing_tests(self.base.meta, f"{self.where} at the base commit")
        known |= frozenset(followed_tests(known, self.sources))
        added = failing_tests(self.now.meta, self.where) - known
        by_file = defaultdict(list)
        for test in sorted(added):
            path = test.partition("::")[0]
            # No test of a file that could not be collected was known to pass.
            if path not in known:
                by_file[path].append(test)
        for path, tests in by_file.items():
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            yield Finding(
                rules.LOOSENED,
                f"added to the tests that are known to fail: {tests[0]}{more}",
                path=path or None,
                remedy="mend the test, or waive this rule for its file, with a reason",
                evidence={
                    "document": self.where,
                    "pointer": "/meta/failing_tests",
                    "added": tests,
                },
            )

    def _of_patterns(self) -> Iterator[Finding]:
        if "patterns" not in self.base.meta:
            return
        added = sorted({*self.now.meta.get("patterns", ())} - {*self.base.meta["patterns"]})
        if added or "patterns" not in self.now.meta:
            yield Finding(
                rules.LOOSENED,
                f"patterns of what does not count were added: {', '.join(added)}"
                if added
                else "it no longer says which patterns keep lines from being counted",
                path=self.where,
                pointer="/meta/patterns",
                remedy="take the patterns back, or waive this rule for the baseline, with a reason",
                evidence={"added": added},
            )

    def _finding(self, path: str, message: str, evidence: Mapping[str, Any]) -> Finding:
        token = path.replace("~", "~0").replace("/", "~1")
        return Finding(
            rules.LOOSENED,
            message,
            path=path,
            remedy=_REMEDY,
            evidence={**evidence, "document": self.where, "pointer": f"/entries/{token}"},
        )


def allowed(statements: int, ratio: float) -> int:
    """How many of a new file's statements may be missing."""
    # 0.29 * 100 is 28.999… to a computer, and 29 to whoever wrote 0.29.
    return int(ratio * statements + 1e-9)


def followed_tests(tests: Iterable[str], sources: Mapping[str, str]) -> Iterator[str]:
    """Node ids under the new paths of their files, where those were moved or renamed."""
    targets = {source: target for target, source in sources.items()}
    for test in tests:
        path, mark, rest = test.partition("::")
        if path in targets:
            yield f"{targets[path]}{mark}{rest}"


def _wider(was: Bound, now: Bound) -> dict[str, list[int | None]]:
    """The counts of which more are allowed now, with the old and the new number."""
    wider: dict[str, list[int | None]] = {}
    for name in _COUNTED:
        old, new = getattr(was, name), getattr(now, name)
        if old is not None and (new is None or new > old):
            wider[name] = [old, new]
    return wider
