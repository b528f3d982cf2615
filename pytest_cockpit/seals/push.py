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


def there(repo: Repository, settings: Settings) -> str | None:
    """The commit that the remote has under this name; None where it has none.

    Raises
    ------
    GitError: it could not be asked.
    """
    url = repo.run("remote", "get-url", "--push", "--", settings.remote).stdout.decode(
        "utf-8", "surrogateescape"
    )
    listed = repo.run("ls-remote", "--", url.removesuffix("\n"), settings.ref, tied=True)
    for row in listed.stdout.decode("utf-8", "surrogateescape").splitlines():
        commit, _, name = row.partition("\t")
        if name == settings.ref:
            return commit
    return None
