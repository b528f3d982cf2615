"""Actions, and what they are computed from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import Finding, Lane
from pytest_cockpit.promotion.remedies import walks

READY, COMMAND, LINE, CODE, TESTS, THOUGHT = 0.5, 1.0, 2.0, 4.0, 5.0, 6.0
"""Effort: a diff to apply, a command to run, one line to write, code to change, tests to write,
and a finding of which nothing but its remedy is known."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding with its id, which leads to it: `imports#3` is `/findings/3` of its artifact."""

    id: str
    gate: str
    finding: Finding

    def told(self, key: str) -> str:
        """A text of the evidence, or nothing: evidence is a gate's to shape."""
        value = self.finding.evidence.get(key)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Parameters
    ----------
    action: what sort of thing, one of the schema's words.
    file, line: where, in the tree that a person edits.
    detail: what, in one line.
    command: what to type, where typing is enough.
    diff: a patch for `git apply`, only where its content is certain.
    effort: how much it takes, in the figures above.
    because: ids of the findings that it answers.
    computed: false where the detail is the finding's own remedy.
    """

    action: str
    detail: str
    effort: float
    file: str | None = None
    line: int | None = None
    command: str | None = None
    diff: str | None = None
    because: tuple[str, ...] = ()
    computed: bool = True

    @property
    def key(self) -> tuple[str, str | None, str]:
        """Actions with the same key are one action: all that a test has to do in a file is."""
        return self.action, self.file, "" if self.action == "cover" else self.detail


def _nothing() -> Mapping[str, tuple[str, ...]]:
    return {}


@dataclass(frozen=True)
class Facts:
    """What is known of the tree that a person would edit: HEAD's of a batch, else the work tree.

    Parameters
    ----------
    read: the content of a regular file of it, None where there is none.
    paths: all its paths.
    sources: the path that each moved file still has in it.
    changed: its paths that the session was about: the batch's, or what differs from the base.
    refused: files of the lane that cannot move, and why.
    records: folder of baselines and ledgers.
    ask_graph: the imports of its files, asked for when they are first needed.
    failing: test files that fail since this change, each with what its first failure says.
    """

    lane: Lane = field(default_factory=Lane)
    read: Callable[[str], bytes | None] = lambda _: None
    paths: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    records: str = ".cockpit"
    ask_graph: Callable[[], Mapping[str, tuple[str, ...]]] = _nothing
    failing: Mapping[str, Seen] = field(default_factory=dict)

    @cached_property
    def layout(self) -> Layout:
        """The lane's paths and names."""
        return Layout(self.lane)

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Path by dotted name."""
        named = ((self.layout.module_of(path), path) for path in sorted(self.paths))
        return {module: path for module, path in named if module}

    @cached_property
    def waiting(self) -> Mapping[str, str]:
        """The lane's files, by the dotted name that each has and by the one it will have."""
        found = {}
        for module, path in self.modules.items():
            if self.layout.is_lane(path):
                found[module] = path
                later = self.layout.module_of(self.layout.target_of(path))
                if later and later not in self.modules:
                    found[later] = path
        return found

    @cached_property
    def graph(self) -> Mapping[str, tuple[str, ...]]:
        """What each file imports."""
        return self.ask_graph()

    @cached_property
    def importers(self) -> Mapping[str, tuple[str, ...]]:
        """What imports each file."""
        found: dict[str, list[str]] = defaultdict(list)
        for importer, needs in self.graph.items():
            for needed in needs:
                found[needed].append(importer)
        return {path: tuple(each) for path, each in found.items()}

    @cached_property
    def tests(self) -> Mapping[str, str]:
        """Test files by path, each with its name."""
        named = ((path, path.rpartition("/")[2]) for path in sorted(self.paths | {*self.graph}))
        return {path: name for path, name in named if walks.is_test(name)}

    @cached_property
    def stopped(self) -> Mapping[str, Seen]:
        """The failure of a test file that would have executed a file, by its imports."""
        found: dict[str, Seen] = {}
        for test, failed in sorted(self.failing.items()):
            for path in walks.reach(test, self.graph):
                found.setdefault(path, failed)
        return found

    def here(self, path: str | None) -> str | None:
        """Where a file of the judged tree is to be edited."""
        return None if path is None else self.sources.get(path, path)

    def files_of(self, module: str) -> tuple[str, ...]:
        """The paths that a dotted name may have here, a package's after a module's."""
        stem = module.replace(".", "/")
        places = []
        for root in self.layout.lane.source_roots:
            prefix = "" if root in {"", "."} else f"{root.strip('/')}/"
            places += [f"{prefix}{stem}.py", f"{prefix}{stem}/__init__.py"]
        return tuple(places)


Remedy = Callable[[Seen, Facts], "Action | None"]
"""The action for a finding, or None where the facts do not say."""
