"""Is a freeze still what it was? Every check, whatever the others say; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import checks, manifest, signatures, tagged, witnesses
from pytest_cockpit.freeze.checks import Check, Subject
from pytest_cockpit.freeze.manifest import Legacy, Unverifiable
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import one_line
from pytest_cockpit.seals import tag

SCHEMA = "pytest-cockpit/freeze-verification/1"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of all checks of one tag; `commit` is None where it leads to none."""

    name: str
    oid: str | None
    commit: str | None
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """Of all of them."""
        return Verdict.worst(check.verdict for check in self.checks)

    def document(self) -> dict[str, Any]:
        """The answer as data; see `schemas/freeze-verification.json`."""
        return {
            "schema": SCHEMA,
            "tag": self.name,
            "object": self.oid,
            "commit": self.commit,
            "verdict": self.verdict.value,
            "checks": [
                {
                    "name": check.name,
                    "verdict": check.verdict.value,
                    "summary": check.summary,
                    "remedy": check.remedy,
                    "paths": list(check.paths),
                }
                for check in self.checks
            ],
        }

    def lines(self) -> Iterator[str]:
        """The answer in words, red paths one a line."""
        for check in self.checks:
            yield one_line(f"{check.name}: {check.verdict.name}: {check.summary}")
            if len(check.paths) > 1:
                yield from (one_line(f"    {path}") for path in check.paths)
            if check.remedy and check.verdict is not Verdict.PASS:
                yield f"    remedy: {check.remedy}"
        yield f"{self.name}: {self.verdict.name}"


def verify(
    repository: Repository,
    settings: Config,
    name: str,
    *,
    remote: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Verification:
    """Check a freeze against its manifest, the ledger, the history of `HEAD` and its signers.

    Parameters
    ----------
    remote: name of a remote that must have the same tag.

    Raises
    ------
    CockpitError: it cannot be asked: no such name or remote, or signers that are none.
    """
    tag.demand_valid(repository, name)
    signatures.Signers.of(settings.freeze.signers)
    if remote is not None and repository.remote_url(remote) is None:
        raise GitError(f"{printable(remote)}: no such remote; see git remote")
    head = repository.resolve("HEAD")
    found = tagged.find(repository, name)
    if found is None:
        return Verification(name, None, None, (_missing(repository, settings, name, head),))
    if found.commit is None:
        check = Check("tag", Verdict.FAIL, f"leads to a {found.target_kind}, not to a commit")
        return Verification(name, found.oid, None, (check,))
    subject = Subject(repository, settings, found, found.commit, head, say or (lambda _: None))
    looks = _own(subject)
    looks["history"] = partial(witnesses.of_history, subject)
    looks["signature"] = partial(witnesses.of_signature, subject)
    if remote is not None:
        looks["remote"] = partial(witnesses.of_remote, subject, remote)
    results = tuple(_looked(check, look) for check, look in looks.items())
    return Verification(name, found.oid, found.commit, results)


def unpublished(
    repository: Repository, settings: Config, name: str, oid: str, commit: str
) -> Verification:
    """Check a freeze by itself, whose tag is the object `oid`, before anything names that.

    Parameters
    ----------
    commit: what the tag leads to.
    """
    found = tagged.described(repository, name, oid)
    looks = _own(Subject(repository, settings, found, commit, commit))
    results = tuple(_looked(check, look) for check, look in looks.items())
    return Verification(name, oid, commit, results)


def _own(subject: Subject) -> dict[str, Callable[[], Check]]:
    """What tag and commit say of themselves."""
    return {
        "tag": partial(checks.of_tag, subject),
        "manifest": partial(checks.of_manifest, subject),
        "tree": partial(checks.of_tree, subject),
        "ledger": partial(checks.of_ledger, subject),
    }


def legacy_of(
    repository: Repository, settings: Config, name: str, commit: str
) -> tuple[str, Legacy] | None:
    """The file of a commit that names a tag and a commit without digests; None where none does."""
    for kind in manifest.KINDS:
        path = manifest.path_of(settings.registry.output, kind)
        found = manifest.legacy(repository.blob(commit, path) or b"")
        if found is not None and found.tag == name:
            return path, found
    return None


def _missing(repository: Repository, settings: Config, name: str, head: str) -> Check:
    old = legacy_of(repository, settings, name, head)
    if old is None:
        said = tagged.missing(repository, name)
        return Check("tag", Verdict.FAIL, said, "git fetch --tags, if a remote has it")
    path, told = old
    return Check(
        "tag",
        Verdict.UNKNOWN,
        f"no such tag in this clone; {path} names {told.commit[:12]} and holds no digests: "
        "unverified",
        "freeze anew under a new tag",
    )


def _looked(name: str, look: Callable[[], Check]) -> Check:
    """A check's answer; one that cannot be had for want of evidence is unknown."""
    try:
        return look()
    except (Unverifiable, GitError) as error:
        return Check(name, Verdict.UNKNOWN, printable(str(error)))
    except CockpitError as error:
        return Check(name, Verdict.FAIL, printable(str(error)))
