"""One quarantined test run for real in the private tree, and the search for what it lacks."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.quarantine import child, marks, reading
from pytest_cockpit.quarantine.candidates import Hints, candidates
from pytest_cockpit.quarantine.child import Run, Setting
from pytest_cockpit.quarantine.documents import Document, Edit, Overlap, applied
from pytest_cockpit.quarantine.observed import Marked, Outcome
from pytest_cockpit.quarantine.search import Edits, Found, Spent, Trials, search

_READ = _SIBLINGS = 100
_NOT_DOCUMENTS = (".git/",)
_OF_TESTS = re.compile(
    r"tests?|test[_-].*|.*[_.-]tests?|testing|testdata|fixtures|golden|(__)?snapshots(__)?",
    re.IGNORECASE,
)
_PROGRESS_S = 5.0
OUT_OF_TIME = "not searched: out of time"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the sweep may do for each test, and how long for all of them."""

    run_s: float = 60.0
    search_s: float = 300.0
    search_runs: int = 60
    sweep_s: float = 3600.0
    max_days: int = marks.MAX_DAYS

    @classmethod
    def of(cls, settings: Config) -> Bounds:
        """The bounds in the settings of the gate."""
        table = settings.gate.get("quarantine", {})
        return cls(**{name: table[name] for name in cls.__slots__ if name in table})


@dataclass(slots=True)
class Swept:
    """What a test came to, and what was found about it.

    Parameters
    ----------
    why: in words, why it did not come to its end, where it did not.
    documents: what it reads.
    found: None where nothing was searched for.
    candidates: how many single edits came into question.
    others: outcomes of the other tests of its file with the difference, by word.
    """

    outcome: Outcome
    why: str
    documents: tuple[str, ...] = ()
    found: Found | None = None
    candidates: int = 0
    runs: int = 0
    wall_s: float = 0.0
    diff: str = ""
    others: dict[str, int] = field(default_factory=dict)


class Sweep:
    """Runs tests in the private tree of one commit, which is put right before every run.

    Its time begins when it is made.

    Parameters
    ----------
    scratch: an existing private folder.
    say: tells a line of progress.
    """

    def __init__(
        self,
        repository: Repository,
        settings: Config,
        commit: str,
        scratch: Path,
        say: Callable[[str], None],
    ) -> None:
        self.commit = commit
        self.bounds = Bounds.of(settings)
        self.ends = time.monotonic() + self.bounds.sweep_s
        self._repository = repository
        self._tree = StagedTree(repository)
        self._artifacts = (f"{settings.artifacts}/", f"{settings.records}/", *_NOT_DOCUMENTS)
        self._say = say
        table = settings.gate.get("quarantine", {})
        self._paths = tuple(table.get("paths", ()))
        self._timeout = float(table.get("timeout_s", 600))
        self._setting = Setting(
            sys.executable,
            scratch,
            folders=tuple(table.get("pythonpath", settings.lane.source_roots)),
            keep=settings.pass_environment,
        )
        self._whole: dict[str, dict[str, str]] = {}

    def collect(self) -> Run:
        """Every test with the marker, collected and not run."""
        with self._tree.at(self.commit) as root:
            setting = replace(self._setting, arguments=self._paths)
            return child.observe(root, setting, runs=False, timeout=self._timeout)

    def text(self, path: str) -> str:
        """A file of the commit; "" where it is none."""
        return (self._repository.blob(self.commit, path) or b"").decode("utf-8", "replace")

    def run(self, test: Marked) -> Swept:
        """Run it, and search for what would make it pass when it fails; neither without time."""
        if time.monotonic() >= self.ends:
            return Swept(Outcome("not run"), OUT_OF_TIME)
        run = self._run(test.path, [test.id], (), opened=True)
        outcome = run.seen.outcomes.get(test.id, Outcome("not run"))
        why = f"it could not be run: {run.why}"
        swept = Swept(outcome, why, tuple(self._documents_of(run)))
        if outcome.word == "failed":
            self._search(test, swept)
        return swept

    def _documents_of(self, run: Run) -> list[str]:
        """What the test has read; it tells so itself, and is not believed that it lies below.

        What belongs to tests is left out: to edit what is expected would mend no policy.
        """
        return [
            path
            for path in run.seen.opened
            if not path.startswith((*self._artifacts, "/"))
            and ".." not in path.split("/")
            and not is_of_tests(path)
        ]

    def _search(self, test: Marked, swept: Swept) -> None:
        started = time.monotonic()
        read, siblings = self._read(swept.documents[:_READ])
        hints = Hints.of(
            source=test.source,
            parameters=test.parameters,
            failure=swept.outcome.text,
            module=self.text(test.path),
        )
        edits = candidates(read, hints, siblings)
        swept.candidates = len(edits)
        trying = _Trying(self, test, read, swept, started)
        found = search(edits, Trials(trying.passes, trying.harms, self.bounds.search_runs))
        if not read:
            found.ended = "no documents"
        swept.found, swept.wall_s = found, time.monotonic() - started
        swept.diff = _diff(read, found.edits)

    def _read(self, paths: Sequence[str]) -> tuple[list[Document], list[Document]]:
        """The documents, and others like them in the same folders."""
        with self._tree.at(self.commit) as root:
            near = {
                sibling.relative_to(root).as_posix(): None
                for path in paths
                for sibling in sorted((root / path).parent.glob(f"*{Path(path).suffix}"))
            }
            others = [path for path in near if path not in paths][:_SIBLINGS]
            return _documents(root, paths), _documents(root, others)

    def knows(self, path: str) -> bool:
        """Whether all tests of this file have been run as they are."""
        return path in self._whole

    def outcomes(self, path: str, edits: Sequence[tuple[str, str]]) -> dict[str, str]:
        """What every test of a file comes to, by node id, with these documents changed."""
        if not edits and path in self._whole:
            return self._whole[path]
        run = self._run(path, None, edits, opened=False)
        words = {node_id: outcome.word for node_id, outcome in run.seen.outcomes.items()}
        if not edits:
            self._whole[path] = words
        return words

    def passes(self, test: Marked, edits: Sequence[tuple[str, str]]) -> bool:
        """Whether the test passes with these documents changed."""
        run = self._run(test.path, [test.id], edits, opened=False)
        return run.seen.outcomes.get(test.id, Outcome("not run")).word == "passed"

    def progress(self, line: str) -> None:
        """Say how far the search is."""
        self._say(line)

    def _run(
        self,
        path: str,
        select: Sequence[str] | None,
        edits: Sequence[tuple[str, str]],
        *,
        opened: bool,
    ) -> Run:
        with self._tree.at(self.commit) as root:
            for name, text in edits:
                # A regular file, as `_documents` has seen: no link leads out of the tree.
                (root / name).write_bytes(text.encode())
            return child.observe(
                root,
                self._setting,
                paths=[path],
                select=select,
                everything=select is None,
                opened=opened,
                # The rest of the file may take longer than the one test.
                timeout=self._timeout if select is None else self.bounds.run_s,
            )


class _Trying:
    """Tries differences on one test, as often and as long as the bounds allow."""

    def __init__(
        self, sweep: Sweep, test: Marked, read: Sequence[Document], swept: Swept, started: float
    ) -> None:
        self._sweep = sweep
        self._test = test
        self._read = {document.path: document for document in read}
        self._swept = swept
        self._started = self._said = started

    def passes(self, edits: Edits) -> bool:
        changed = self._changed(edits)
        if changed is None:
            return False
        self._spend()
        return self._sweep.passes(self._test, changed)

    def harms(self, edits: Edits) -> list[str]:
        """Tests of the file that were green and no longer are."""
        if not self._sweep.knows(self._test.path):
            self._spend()
        before = self._sweep.outcomes(self._test.path, ())
        self._spend()
        after = self._sweep.outcomes(self._test.path, self._changed(edits) or ())
        if after.get(self._test.id) != "passed":
            return [f"{self._test.id} passes alone and not with the rest of its file"]
        if before.get(self._test.id) == "passed":
            # By chance, or thanks to another test: then it is not the edit that matters.
            return [f"{self._test.id} passes without it too, with the rest of its file"]
        self._swept.others = dict(
            Counter(word for node_id, word in after.items() if node_id != self._test.id)
        )
        return [
            f"{node_id} passed and is {after.get(node_id, 'not run')} with it"
            for node_id, word in before.items()
            if word == "passed" and after.get(node_id) != "passed"
        ]

    def _changed(self, edits: Edits) -> list[tuple[str, str]] | None:
        """Documents and what they become; None for edits that leave no document."""
        changed = []
        for path in dict.fromkeys(edit.path for edit in edits):
            own = [edit for edit in edits if edit.path == path]
            try:
                text = applied(self._read[path].text, own)
            except Overlap:
                return None
            if reading.read(path, text.encode()) is None:
                return None
            changed.append((path, text))
        return changed

    def _spend(self) -> None:
        bounds, now = self._sweep.bounds, time.monotonic()
        if self._swept.runs >= bounds.search_runs:
            raise Spent("runs")
        if now - self._started >= bounds.search_s or now >= self._sweep.ends:
            raise Spent("time")
        self._swept.runs += 1
        if now - self._said >= _PROGRESS_S:
            self._said = now
            self._sweep.progress(
                f"{self._test.id}: run {self._swept.runs} of at most {bounds.search_runs}, "
                f"{self._swept.candidates} single edits in question"
            )


def is_of_tests(path: str) -> bool:
    """Whether a document is a test's own by its name, or by that of a folder that it is in."""
    place = PurePosixPath(path)
    return any(map(_OF_TESTS.fullmatch, (*place.parent.parts, place.stem)))


def _content(root: Path, path: str) -> bytes:
    """A regular file below the root; b"" for anything else."""
    place = root / path
    try:
        inside = place.resolve(strict=True) == root.resolve() / path
        return place.read_bytes() if inside and place.is_file() else b""
    except OSError:
        return b""


def _documents(root: Path, paths: Sequence[str]) -> list[Document]:
    found = (reading.read(path, _content(root, path)) for path in paths)
    return [document for document in found if document is not None]


def _diff(read: Sequence[Document], edits: Sequence[Edit]) -> str:
    """A patch, as `git apply` takes it; without files that it has no words for."""
    parts = []
    for document in read:
        own = [edit for edit in edits if edit.path == document.path]
        text = document.text
        parts.append(diffs.between(document.path, text.encode(), applied(text, own).encode()))
    return "".join(filter(None, parts))
