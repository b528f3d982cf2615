"""A freeze's tag: its object is made and its signature judged before anything names it."""

from __future__ import annotations

from pytest_cockpit.api import Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import signatures
from pytest_cockpit.freeze.tagged import described
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.seals import tag


def made(repository: Repository, settings: Config, name: str, commit: str, message: str) -> str:
    """The id of the annotated tag's object; no ref names it yet.

    It is signed where git is configured so, and where the configuration names signers.

    Raises
    ------
    CockpitError: it cannot be made or signed, or none of the signers has signed it.
    """
    signers = signatures.Signers.of(settings.freeze.signers)
    asked = tag.Settings(name, commit, message, sign=bool(signers))
    oid = tag.made(repository, asked)
    judged = signatures.judge(repository, described(repository, name, oid), signers)
    if not judged.verdict.opens and judged.verdict is not Verdict.SKIP:
        raise GitError(
            f"{name}: {judged.summary}; set git's user.signingKey and gpg.format to a key of "
            "tool.cockpit.freeze.signers (nothing was published)"
        )
    return oid
