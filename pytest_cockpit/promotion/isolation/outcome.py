"""What a search asked, what it was told, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Verdict

GIVEN = "given"
"""The red session that the search started from."""
SEARCH = "search"
"""Asked by the nested plan."""
SUSPECT = "suspect"
"""A unit that clues make more likely guilty than not, by itself on top of the good ones."""
CONFIRM = "confirm"
"""A suspect once more, alone with what it needs."""
REPEAT = "repeat"
"""A tree once more, because a verdict on it has to be confirmed or was contradicted."""
PARTNER = "partner"
"""Which good files a suspect fails together with."""
BASE = "base"
"""Production as it is, before anything is blamed that was red on it."""

WHY: Mapping[str, str] = {
    GIVEN: "the whole batch",
    SEARCH: "narrowing it down",
    SUSPECT: "pointed at by what failed",
    CONFIRM: "once more, with nothing but what it needs",
    REPEAT: "once more, to be sure",
    PARTNER: "which files it fails together with",
    BASE: "the base as it is",
}
"""The purposes in words."""

BASE_RED = "production is red without any file of the batch; repair that first"
"""Why a search stops that has found the base itself to blame."""


@dataclass(frozen=True, slots=True)
class Session:
    """One tested subset, by unit numbers, with the answer.

    `weights` are the clues of a red verdict by file, None when none were looked for; `failing`
    names what failed (findings, test ids) in whatever words the session has for it.
    """

    units: frozenset[int]
    why: str
    verdict: Verdict
    weights: Mapping[str, float] | None = None
    failing: tuple[str, ...] = ()

    @property
    def green(self) -> bool | None:
        """Green or red; None for a verdict that is neither."""
        if self.verdict.opens:
            return True
        return False if self.verdict is Verdict.FAIL else None


@dataclass(frozen=True, slots=True)
class Culprit:
    """One unit that stays behind, with the evidence. Sessions are numbered from 1.

    Parameters
    ----------
    files: what is to blame.
    partners: good files that it fails together with, where it is not red alone. They are
        promoted: nothing is wrong with them without it.
    red_with: sessions whose trees differed from good ones by these files alone, and were red.
    green_without: sessions that judged the same without them, and were green.
    failing: what failed in every one of the red sessions.
    held: files that need it, and so could not be judged. Nobody blames them.
    """

    files: tuple[str, ...]
    partners: tuple[str, ...]
    red_with: tuple[int, ...]
    green_without: tuple[int, ...]
    failing: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flake:
    """One tree that was judged more than once, with different answers.

    `failing` is what failed in its red sessions.
    """

    files: tuple[str, ...]
    red: tuple[int, ...]
    green: tuple[int, ...]
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known so far.

    Parameters
    ----------
    good: files to promote, each after those it needs.
    proven_by: the session that saw all of `good` green in one tree; None when `good` is empty.
    culprits: files that stay behind, with the evidence.
    flakes: trees that got different verdicts.
    open: files of which nothing is known, because the search has not ended or was stopped.
    sessions: how many sessions were asked for which purpose.
    stopped: why the search ended early; None when it did not.
    """

    good: tuple[str, ...]
    proven_by: int | None
    culprits: tuple[Culprit, ...]
    flakes: tuple[Flake, ...]
    open: tuple[str, ...]
    sessions: Mapping[str, int]
    stopped: str | None

    @property
    def complete(self) -> bool:
        """Whether every file is known to be good, to blame, or held back."""
        return not self.open and self.stopped is None

    @property
    def base_is_red(self) -> bool:
        """Whether the base itself is to blame, and so no file."""
        return self.stopped == BASE_RED

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return dataclasses.asdict(self) | {"complete": self.complete}
