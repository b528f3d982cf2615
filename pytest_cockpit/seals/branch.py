"""Seal a commit as a new branch."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.git import GitError, Repository


@dataclass(frozen=True, slots=True)
class Settings:
    """The full ref to create, and the commit it shall name."""

    ref: str
    commit: str


def seal(repo: Repository, settings: Settings) -> None:
    """Create the branch; the same branch at the same commit is done already.

    Raises
    ------
    GitError: the branch names another commit, which is never changed, or cannot be created.
    """
    there = repo.ref(settings.ref)
    if there == settings.commit:
        return
    name = settings.ref.removeprefix("refs/heads/")
    if there is not None:
        raise GitError(
            f"{name}: exists at {there[:12]} and is never moved; rename or delete it "
            f"(git branch -D {name}) and run again"
        )
    try:
        repo.update_ref(settings.ref, settings.commit, "0" * len(settings.commit), "cockpit: seal")
    except GitError as error:
        raise GitError(
            f"{name}: cannot be created ({error}); set tool.cockpit.seal.branch_prefix to a name "
            "that no branch has"
        ) from error
