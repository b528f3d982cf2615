"""The tree that lane files are judged against, and one file as the rules see it."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_cockpit.analysis.scan import Facts
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry
from pytest_cockpit.promotion.globs import matcher
from pytest_cockpit.promotion.snapshot import Snapshot
from pytest_cockpit.records.text import one_line, printable


class Ground:
    """The tree that files are judged against."""

    def __init__(self, snapshot: Snapshot, config: Config, failures: Mapping[str, Any]) -> None:
        self.snapshot = snapshot
        self.layout = snapshot.layout
        self.entries = snapshot.entries
        self.failures = failures
        self.excluded = matcher(config.lane.exclude, config.lane.path)

    @cached_property
    def folders(self) -> dict[str, bool]:
        """All folders of the tree, each with whether a Python file lies below it."""
        found: dict[str, bool] = {}
        for path in self.entries:
            python = path.endswith(".py")
            for folder in above(path):
                if found.get(folder, -1) >= python:
                    break
                found[folder] = python
        return found

    @cached_property
    def spellings(self) -> dict[str, set[str]]:
        """Paths and folders outside the lane by what a careless file system makes of them."""
        found: dict[str, set[str]] = defaultdict(set)
        for path in (*self.entries, *self.folders):
            if not self.layout.is_lane(path):
                found[folded(path)].add(path)
        return found


@dataclass(frozen=True)
class File:
    """One lane file before the ground."""

    path: str
    ground: Ground = field(repr=False)

    @property
    def entry(self) -> Entry:
        """Its entry in the tree."""
        return self.ground.entries[self.path]

    @property
    def facts(self) -> Facts | None:
        """What is known of its content."""
        return self.ground.snapshot.facts.get(self.path)

    @cached_property
    def target(self) -> str:
        """Where it would go."""
        return self.ground.layout.target_of(self.path)

    @cached_property
    def parts(self) -> list[str]:
        """The parts of its name as a module, below the lane."""
        below = self.path[len(self.ground.layout.lane.path) + 1 :].removesuffix(".py")
        return below.split("/")


def above(path: str) -> Iterator[str]:
    """The folders above a path, nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def folded(path: str) -> str:
    """What a file system that ignores case and Unicode form makes of a path."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def quoted(name: str) -> str:
    """A path or a dotted name as messages have it: whole, and on one line."""
    return one_line(json.dumps(printable(name), ensure_ascii=False))
