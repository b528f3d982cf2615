"""A freeze as a phase: the manifest of a commit, and the ledger's row of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.freeze import folding, manifest
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.promotion import recording
from pytest_cockpit.records import ledger
from pytest_cockpit.records.text import count, sha256

_UNKNOWN = "0" * 64


def run(
    place: Place,
    *,
    kind: str,
    tag: str,
    checks: Sequence[tuple[str, str]] | None = None,
    gates: Sequence[tuple[str, str]] = (),
) -> Result:
    """Freeze `place.commit` as it is.

    The commit made of these changes on top of it is the one to be tagged, with `message` as the
    tag's text.

    Parameters
    ----------
    kind: `baseline` or `production`.
    tag: a name that `seals.tag.demand_free` has let pass.
    checks: name and verdict of each check of the checkpoint; None where none was looked at.
    gates: name and verdict of each gate that judged the commit.

    Raises
    ------
    CockpitError: the ledger is broken or has a freeze of this tag; or files are not in this clone.
    """
    repository, settings = place.repository, place.settings
    tree = repository.tree(place.commit)
    if place.tree not in (place.commit, tree):
        raise CockpitError(f"{tag}: only a commit is frozen, not edited files; commit them first")
    for number, row in enumerate(place.rows, 1):
        if row["kind"] == manifest.ROW and row.get("tag") == tag:
            raise CockpitError(
                f"{settings.ledger}: line {number} records a freeze {tag}; a tag is never made "
                "twice: release by a new tag"
            )
    path = manifest.path_of(settings.registry.output, kind)
    row = {
        "kind": manifest.ROW,
        "at": place.at(),
        "tag": tag,
        "freeze": kind,
        "base": place.commit,
        "manifest": path,
    }
    excluded = _written(place, path, {**row, "manifest_sha256": _UNKNOWN})
    leaves = folding.leaves(repository, place.entries.values(), excluded, say=place.say)
    folded = folding.fold(leaves)
    content = manifest.document(
        tag=tag,
        kind=kind,
        base={
            "commit": place.commit,
            "tree": tree,
            "object_format": repository.object_format(),
        },
        folded=folded,
        excluded=sorted(excluded),
        ledger=_ledger(place),
        checks=checks,
        gates=gates,
    )
    data = manifest.dump(content)
    return Result(
        Verdict.PASS,
        f"{count(folded.files, 'file')}, {count(folded.symlinks, 'link')} and "
        f"{count(folded.submodules, 'submodule')} of {place.commit[:12]}: {folded.digest[:12]}",
        changes=Changes({path: data}, ({**row, "manifest_sha256": sha256(data)},)),
        facts={
            "tag": tag,
            "freeze": kind,
            "base": place.commit,
            "manifest": path,
            "manifest_sha256": sha256(data),
            "digest": folded.digest,
            "files": folded.files,
            "symlinks": folded.symlinks,
            "submodules": folded.submodules,
        },
    )


def message(facts: Mapping[str, Any]) -> str:
    """The text of the commit and of the tag of a freeze, from the facts of its result."""
    return (
        f"Freeze {facts['tag']}\n\n"
        f"Freeze: {facts['freeze']}\n"
        f"Freeze-Base: {facts['base']}\n"
        f"Manifest: {facts['manifest']}\n"
        f"Manifest-Sha256: {facts['manifest_sha256']}\n"
        f"Tree-Sha256: {facts['digest']}\n"
    )


def _written(place: Place, path: str, row: Mapping[str, Any]) -> set[str]:
    """What the commit writes: the manifest, the ledger, and its checkpoint if that goes on."""
    writes = recording.entered(place.settings, lambda name: place.read(name) or b"", [row])
    return {path, *(write.path for write in writes)}


def _ledger(place: Place) -> dict[str, Any]:
    data = place.read(place.settings.ledger) or b""
    return {
        "path": place.settings.ledger,
        "rows": len(place.rows),
        "size": len(data),
        "sha256": sha256(data),
        "head": ledger.head(data),
    }
