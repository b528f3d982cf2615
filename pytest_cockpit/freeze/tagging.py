"""A freeze's tag: its object is made and its signature judged before anything names it."""

from __future__ import annotations

from pytest_cockpit.api import Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import signatures
from pytest_cockpit.freeze.tagged import Tagged, described, trailers
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.seals import tag


def made(repository: Repository, settings: Config, name: str, commit: str, message: str) -> str:
    """The id of the annotated tag's object; no ref names it yet.

    It is signed where git is configured so, and where the configuration names signers.

    Raises
    ------
    CockpitError: it cannot be made or signed, or none of the signers has signed it.
    """
    asked = tag.Settings(name, commit, message, sign=bool(settings.freeze.signers))
    oid = tag.made(repository, asked)
    _demand_signed(repository, settings, described(repository, name, oid))
    return oid


def there(
    repository: Repository, settings: Config, name: str, commit: str, message: str
) -> str | None:
    """The id of the tag's object if it has been made and published before; None where it has not.

    Raises
    ------
    CockpitError: it is not as `made` makes it.
    """
    oid = repository.ref(tag.ref_of(name))
    if oid is None:
        return None
    found = described(repository, name, oid)
    told = found.kind, found.called, found.target, found.trailers
    if told != ("tag", name, commit, trailers(message)):
        raise GitError(
            f"{name}: exists, and is not the tag of this freeze; look at it, and delete it if it "
            f"was not pushed: git tag -d {name}"
        )
    _demand_signed(repository, settings, found)
    return oid


def _demand_signed(repository: Repository, settings: Config, found: Tagged) -> None:
    signers = signatures.Signers.of(settings.freeze.signers)
    judged = signatures.judge(repository, found, signers)
    if not judged.verdict.opens and judged.verdict is not Verdict.SKIP:
        raise GitError(
            f"{found.name}: {judged.summary}; set git's user.signingKey and gpg.format to a key of "
            "tool.cockpit.freeze.signers (nothing was published)"
        )
