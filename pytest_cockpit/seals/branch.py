"""Seal a commit as a new branch."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.git import GitError, Repository


@dataclass(frozen=True, slots=True)
class Settings:
    """The full ref to create, and the commit it shall name."""

    ref: str
    commit: str


def seal(repository: Repository, settings: Settings) -> None:
    """Create the branch; the same branch at the same commit is done already.

    Raises
    ------
    GitError: the branch exists and names another commit; it is never moved.
    """
    there = repository.ref(settings.ref)
    if there == settings.commit:
        return
    if there is not None:
        name = settings.ref.removeprefix("refs/heads/")
        raise GitError(
            f"{name}: exists at {there[:12]}; delete it (git branch -D {name}) or keep it"
        )
    repository.update_ref(settings.ref, settings.commit, "0" * len(settings.commit))
