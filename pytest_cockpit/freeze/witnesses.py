"""What others say of a freeze: the ledger and history of `HEAD`, its signers, a remote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.freeze import origin, signatures
from pytest_cockpit.freeze.checks import NEVER, Check, Subject, fail, some
from pytest_cockpit.git import GitError
from pytest_cockpit.records import ledger
from pytest_cockpit.seals import push, tag


def of_history(subject: Subject) -> Check:
    """The commit that brought the freeze's row is the one that the tag leads to."""
    repository, name = subject.repository, subject.tagged.name
    paths = origin.places(subject.settings)
    told = _row_of_head(subject, paths)
    if told is not None:
        return told
    if repository.is_shallow():
        cure = "git fetch --unshallow"
        return Check("history", Verdict.UNKNOWN, "history is cut off in this clone", cure)
    found = origin.brought(repository, subject.head, paths, name)
    if found != [subject.commit]:
        came = some([commit[:12] for commit in found]) if found else "no commit of HEAD's history"
        said = f"moved: leads to {subject.commit[:12]}, its row came with {came}"
        return fail("history", said, NEVER)
    return Check("history", Verdict.PASS, f"its row came with {subject.commit[:12]}")


def _row_of_head(subject: Subject, paths: list[str]) -> Check | None:
    """What is wrong with what the ledger of `HEAD` says of the tag; None where nothing is."""
    repository, name = subject.repository, subject.tagged.name
    row = origin.row_at(repository, subject.head, paths, name)
    if row is None:
        words = ("merge-base", "--is-ancestor", subject.commit, subject.head)
        # Of a freeze without digests nobody expects a row: asking for its manifest says so.
        known = subject.row is not None or bool(subject.manifest)
        if known and repository.run(*words, check=False).returncode == 0:
            return fail("history", f"{paths[0]}: HEAD's ledger has no row of the freeze any more")
        return Check(
            "history",
            Verdict.UNKNOWN,
            "HEAD does not stand upon it, and its ledger has no such freeze",
            "verify where the freeze was merged: git switch main",
        )
    if subject.row is not None and origin.content(row) != origin.content(subject.row):
        return fail("history", f"{paths[0]}: the row of the freeze was altered since")
    recorded = _recorded(subject, paths)
    if recorded not in (None, subject.tagged.oid):
        return fail("history", f"moved: the ledger has recorded {str(recorded)[:12]}", NEVER)
    return None


def of_signature(subject: Subject) -> Check:
    """One of the configured signers has signed the tag."""
    signers = signatures.Signers.of(subject.settings.freeze.signers)
    judged = signatures.judge(subject.repository, subject.tagged, signers)
    return Check("signature", judged.verdict, judged.summary, judged.remedy)


def of_remote(subject: Subject, remote: str) -> Check:
    """A remote has the same tag."""
    repository, ref = subject.repository, tag.ref_of(subject.tagged.name)
    try:
        there = push.there(repository, push.Settings(remote=remote, ref=ref))
    except GitError as error:
        return Check("remote", Verdict.UNKNOWN, f"{remote} could not be asked: {error}")
    if there is None:
        return fail("remote", f"{remote} has no such tag", f"git push {remote} {ref}")
    if there != subject.tagged.oid:
        said = f"{remote} has {there[:12]} under this name, here it is {subject.tagged.oid[:12]}"
        return fail("remote", said, NEVER)
    return Check("remote", Verdict.PASS, f"{remote} has the same")


def _recorded(subject: Subject, paths: list[str]) -> str | None:
    """What a row of kind `tag` says that the ref holds."""
    data = next(filter(None, (subject.repository.blob(subject.head, path) for path in paths)), b"")
    known = (row for row in ledger.rows(data) if row["kind"] == "tag")
    found: list[Mapping[str, Any]] = [row for row in known if row.get("tag") == subject.tagged.name]
    return str(found[0].get("object")) if found else None
