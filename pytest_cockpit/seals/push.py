"""Publish a sealed branch on a remote."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.git import Repository


@dataclass(frozen=True, slots=True)
class Settings:
    """The remote's name, and the full ref to push under its own name."""

    remote: str
    ref: str


def seal(repository: Repository, settings: Settings) -> None:
    """Push without force; a branch that is already there at this commit is done.

    Raises
    ------
    GitError: the remote refused or could not be reached.
    """
    repository.push(settings.remote, f"{settings.ref}:{settings.ref}")
