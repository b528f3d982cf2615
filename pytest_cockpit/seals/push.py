"""Publish a sealed branch on a remote."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.git import GitError, Repository


@dataclass(frozen=True, slots=True)
class Settings:
    """The remote's name, and the full ref to push under its own name."""

    remote: str
    ref: str


def seal(repo: Repository, settings: Settings) -> None:
    """Push without force; a branch that is already there at this commit is done.

    Raises
    ------
    GitError: there is no such remote, it refused, or it could not be reached.
    """
    if repo.remote_url(settings.remote) is None:
        raise GitError(
            f"{settings.remote}: no such remote; `git remote add {settings.remote} URL`, or set "
            "tool.cockpit.seal.remote"
        )
    repo.push(settings.remote, f"{settings.ref}:{settings.ref}")
