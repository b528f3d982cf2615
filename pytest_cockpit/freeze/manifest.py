"""The manifest of a freeze: what is frozen, without the id of the commit that it is itself in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.freeze.folding import Folded
from pytest_cockpit.records import artifacts, schema
from pytest_cockpit.records.text import canonical, parse

SCHEMA = "pytest-cockpit/freeze/1"
KINDS = ("baseline", "production")
ROW = "freeze"
"""Kind of a freeze's row in the ledger."""

_SHOWN = 3


class Unverifiable(CockpitError):
    """A freeze without digests: a file that names a tag and a commit, and no more."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a freeze file without digests says."""

    tag: str
    commit: str


def path_of(output: str, kind: str) -> str:
    """Where the manifest of a freeze of this kind lies."""
    return PurePosixPath(output, f"{kind.upper()}_FREEZE.json").as_posix()


def document(
    *,
    tag: str,
    kind: str,
    base: Mapping[str, str],
    folded: Folded,
    excluded: Sequence[str],
    ledger: Mapping[str, Any],
    checks: Sequence[tuple[str, str]] | None,
    gates: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The manifest.

    Parameters
    ----------
    base: `commit`, `tree` and `object_format`.
    checks: name and verdict of each check of the checkpoint; None where none was looked at.
    """
    looked = None if checks is None else [_verdict(*pair) for pair in checks]
    return {
        "schema": SCHEMA,
        "tag": tag,
        "freeze": kind,
        "base": dict(base),
        "digest": folded.digest,
        "folders": dict(folded.folders),
        "files": folded.files,
        "symlinks": folded.symlinks,
        "submodules": folded.submodules,
        "excluded": sorted(excluded),
        "ledger": dict(ledger),
        "checks": looked,
        "gates": [_verdict(*pair) for pair in gates],
    }


def dump(content: Mapping[str, Any]) -> bytes:
    """The bytes of a manifest.

    Raises
    ------
    CockpitError: it is not as the schema says, such as with a path that is no text.
    """
    problems = schema.problems(content, "freeze")
    if problems:
        raise CockpitError(f"the manifest of {content['tag']} cannot be written: {problems[0]}")
    return canonical(content)


def read(data: bytes, where: str) -> dict[str, Any]:
    """The manifest in a file.

    Raises
    ------
    Unverifiable: it is of a freeze without digests.
    CockpitError: it is no manifest.
    """
    try:
        found = parse(data)
    except ValueError as error:
        raise CockpitError(f"{where}: not JSON ({error}); restore it from git") from error
    old = _legacy(found)
    if old is not None:
        raise Unverifiable(
            f"{where}: names {old.commit[:12]} and holds no digests: nothing can be verified by it"
        )
    problems = schema.problems(found, "freeze")
    if problems:
        told = "; ".join(str(problem) for problem in problems[:_SHOWN])
        raise CockpitError(f"{where}: no manifest of a freeze ({told}); restore it from git")
    manifest: dict[str, Any] = found
    return manifest


def legacy(data: bytes) -> Legacy | None:
    """What a freeze file without digests says; None of all else."""
    try:
        return _legacy(parse(data))
    except ValueError:
        return None


def _legacy(found: Any) -> Legacy | None:
    if not isinstance(found, dict) or "schema" in found:
        return None
    tag, commit = found.get("tag"), found.get("commit")
    if not (isinstance(tag, str) and isinstance(commit, str) and _is_id(commit)):
        return None
    return Legacy(artifacts.printable(tag), commit)


def _is_id(text: str) -> bool:
    return len(text) in (40, 64) and not set(text) - set("0123456789abcdef")


def _verdict(name: str, verdict: str) -> dict[str, str]:
    return {"name": name, "verdict": verdict}
