"""What the engine asks of a forge; GitHub and GitLab answer the same few questions.

A forge is only told of what git already has: nothing that it says opens a gate, and a session that
could not reach it has sealed all the same.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from pytest_cockpit.api import CockpitError


class ForgeError(CockpitError):
    """The forge refused, or could not be reached; the text names what was asked and the remedy."""


class State(enum.StrEnum):
    """What is shown at a commit."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Level(enum.StrEnum):
    """How an annotation bears on the verdict."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Request:
    """A pull request to be opened, or to be brought up to date: `head` goes into `base`.

    Parameters
    ----------
    head, base: names of branches, without `refs/heads/`.
    body: Markdown; shortened to what the forge takes, with a line that says so.
    commit: what `head` was pushed at, where it is known: one that was merged at this very commit
        is given back as it is, and no other is opened.
    rest: where the whole body can be read when it had to be shortened.
    """

    head: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    draft: bool = True
    commit: str = ""
    rest: str = "the artifacts of the session"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as the forge has it; `commit` is the head that it shows.

    `merged` is whether there was nothing left to do, because it was merged before.
    """

    number: int
    url: str
    head: str
    base: str
    commit: str
    draft: bool
    labels: tuple[str, ...] = ()
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Annotation:
    """A line of a file with something said about it."""

    path: str
    line: int
    level: Level
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict at a commit: a check run where the token may make one, else a commit status.

    Without a summary nothing is said but the state, and what was said of the same one stays.
    """

    name: str
    state: State
    summary: str
    text: str = ""
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the forge demands before something is merged into a branch.

    Parameters
    ----------
    checks: names of checks that must be green; a policy without one lets anything through.
    reviews: approvals that are needed.
    up_to_date: whether the checks must have run on the newest base (or in a merge queue).
    pushes: whether somebody may push to the branch without a pull request.
    force_pushes: whether the branch's history may be rewritten.
    """

    checks: tuple[str, ...]
    reviews: int
    up_to_date: bool
    pushes: bool
    force_pushes: bool


class Forge(Protocol):
    """A forge's answers for one repository. Every method raises `ForgeError`.

    A method that asks about rights gives None when the token may not see the answer: that is
    unknown, and neither yes nor no.
    """

    name: str
    """How to call it, to people: `github.com/owner/name`."""

    def publish(self, request: Request) -> PullRequest:
        """The open pull request of `request.head`, opened now or brought up to date.

        Safe to repeat, also after an answer that was lost: there is never a second one.
        """

    def comment(
        self, number: int, key: str, text: str, *, issue: bool = False, anew: bool = True
    ) -> str:
        """Make `text` the one comment with this hidden key on a pull request or issue; its URL.

        `issue` tells the two apart where the forge numbers them apart, as GitLab does. Without
        `anew` an earlier one is brought up to date, and where there is none the URL is empty.
        """

    def show(self, commit: str, check: Check) -> None:
        """Show a verdict at a commit, in the place of an earlier one of the same name."""

    def labels_of(self, number: int) -> tuple[str, ...]:
        """The labels of a pull request."""

    def labels(self) -> frozenset[str]:
        """The labels that the repository knows."""

    def may_push(self) -> bool | None:
        """Whether the token may push branches."""

    def policy(self, branch: str) -> Policy | None:
        """What must hold before something is merged into `branch`."""
