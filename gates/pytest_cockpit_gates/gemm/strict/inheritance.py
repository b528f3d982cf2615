"""A policy file together with what it inherits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import one_line, parse, sha256
from pytest_cockpit_gates.gemm.strict import numerals

_LONGEST = 16
_LARGEST = 4 * 2**20
_OWN = ("policy_id", "status", "inherits_from", "recalibration")
"""Keys that say which file it is, and so are nobody's to inherit."""


@dataclass(frozen=True, slots=True)
class Document:
    """A policy as it holds.

    Parameters
    ----------
    path: repository-relative.
    sha256: of the bytes of all its files, its own first.
    merged: its own keys over those it inherits, object by object.
    chain: its files, its own first, each with what stands in it.
    """

    path: str
    sha256: str
    merged: JSON
    chain: tuple[tuple[str, JSON], ...]

    @property
    def id(self) -> str:
        """What it calls itself; its path where it has no name."""
        name = self.merged.get("policy_id")
        return name if isinstance(name, str) and name else self.path


def resolve(root: Path, path: str) -> Document:
    """The policy at `path` below `root`, over all that it inherits.

    What `inherits_from` names is looked for below the root, below the policy's own folder and, by
    its file name alone, beside the policy: archived policies name files of another tree.

    Raises
    ------
    CockpitError: a file is missing, outside the root or no JSON object, or leads back to one before
        it; the text names it.
    """
    at: str | None = _named(root, path)
    chain: list[tuple[str, JSON]] = []
    digests: list[str] = []
    while at is not None:
        if at in [name for name, _ in chain]:
            raise CockpitError(
                f"{one_line(chain[-1][0])}: inherits_from: {one_line(at)} leads back here;"
                " remove the key from one of them"
            )
        if len(chain) >= _LONGEST:
            raise CockpitError(
                f"{one_line(path)}: inherits_from: more than {_LONGEST} policies in a row;"
                " merge some of them"
            )
        document, digest = _load(root, at)
        chain.append((at, document))
        digests.append(digest)
        at = _parent(root, at, document)
    merged: dict[str, Any] = {}
    for name, document in reversed(chain):
        own = name == chain[0][0]
        merged = _over(
            merged, {key: item for key, item in document.items() if own or key not in _OWN}
        )
    digest = digests[0] if len(digests) == 1 else sha256("".join(digests).encode())
    return Document(chain[0][0], digest, merged, tuple(chain))


def load(root: Path, path: str) -> JSON:
    """What stands in the policy at `path` itself.

    Raises
    ------
    CockpitError: as `resolve`, but for what it inherits.
    """
    return _load(root, _named(root, path))[0]


def _named(root: Path, path: str) -> str:
    found = _inside(root, path)
    if found is None:
        raise CockpitError(f"{one_line(path)}: no file below the repository's root; name one")
    return found


def _load(root: Path, path: str) -> tuple[JSON, str]:
    try:
        with (root / path).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error
    if len(content) > _LARGEST:
        raise CockpitError(f"{one_line(path)}: larger than any policy; name another file")
    try:
        document = parse(content)
    except ValueError as error:
        where = one_line(path)
        told = numerals.faults(content.decode("utf-8", "replace")) or [f"not JSON ({error})"]
        raise CockpitError("\n".join(f"{where}: {each}; correct it" for each in told)) from error
    if not isinstance(document, Mapping):
        raise CockpitError(f"{one_line(path)}: expected an object; correct it")
    return document, sha256(content)


def _parent(root: Path, path: str, document: JSON) -> str | None:
    named = document.get("inherits_from")
    if named is None:
        return None
    where = f"{one_line(path)}: inherits_from"
    if not isinstance(named, str) or not named:
        raise CockpitError(f"{where}: expected the path of a policy; correct or remove it")
    folder = PurePosixPath(path).parent
    for candidate in (named, str(folder / named), str(folder / PurePosixPath(named).name)):
        found = _inside(root, candidate)
        if found is not None:
            return found
    beside = one_line(str(folder / PurePosixPath(named).name))[:200]
    raise CockpitError(
        f"{where}: {one_line(named)[:200]} is missing; copy it to {beside}, beside the policy;"
        " where it is lost, judge by a copy of the policy that has its keys and not this one, so"
        " that the archived file stays what it was"
    )


def _inside(root: Path, path: str) -> str | None:
    """The path of a file below the root, without detours; None where there is none."""
    try:
        below = (root / path).resolve()
        if PurePosixPath(path).is_absolute() or not below.is_relative_to(root.resolve()):
            return None
        return below.relative_to(root.resolve()).as_posix() if below.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _over(below: JSON, above: JSON) -> dict[str, Any]:
    """What stands above, and below it what it does not say."""
    merged = dict(below)
    for key, item in above.items():
        old = merged.get(key)
        both = isinstance(item, Mapping) and isinstance(old, Mapping)
        merged[key] = _over(old, item) if both and old is not None else item
    return merged
