"""The ledger as the base commit has it, which must be where the tree's begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Finding, Severity
from pytest_cockpit.records.text import one_line, parse, sha256

RULE = "ledger.rewritten"

_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Git could not say what the base commit holds."""

    reason: str


def at_base(root: Path, base: str, path: str) -> bytes | Unreadable | None:
    """The ledger's bytes at commit `base`, or None when it has none."""
    try:
        listed = _git(root, "ls-tree", "-z", "--end-of-options", base, "--", path)
        if isinstance(listed, Unreadable):
            return listed
        entry = listed.partition(b"\t")[0].split()
        if len(entry) != 3 or entry[1] != b"blob":  # noqa: PLR2004 - mode, kind and id
            return None
        return _git(root, "cat-file", "blob", entry[2].decode("ascii"))
    except CockpitError as error:
        return Unreadable(one_line(str(error)))


def growth(
    data: bytes, base: bytes | Unreadable | None, path: str, commit: str
) -> Iterator[Finding]:
    """Findings where `data` is not the base commit's ledger with rows added to it."""
    if isinstance(base, Unreadable):
        yield Finding(
            RULE,
            f"cannot be compared with commit {commit[:12]}: {base.reason}",
            severity=Severity.UNKNOWN,
            path=path,
            remedy="judge in a clone that has this commit",
        )
        return
    if base is None or data.startswith(base) or _tail_moved_aside(data, base):
        return
    line = _first_difference(data, base)
    yield Finding(
        RULE,
        f"differs from commit {commit[:12]}, whose rows it must begin with",
        path=path,
        line=line,
        remedy=f"take the rows back: git checkout {commit[:12]} -- {path}, then promote again",
        evidence={"base_sha256": sha256(base), "sha256": sha256(data)},
    )


def _git(root: Path, *arguments: str) -> bytes | Unreadable:
    environment = process.environment(extra={"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"})
    done = process.run([*_GIT, *arguments], cwd=root, env=environment, timeout=_SECONDS)
    if done.returncode == 0:
        return done.stdout
    told = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
    return Unreadable(one_line(told[-1]) if told else f"git {arguments[0]} failed")


def _tail_moved_aside(data: bytes, base: bytes) -> bool:
    """Whether the only thing gone is a torn last line, and the next row accounts for it."""
    end = base.rfind(b"\n") + 1
    torn = base[end:]
    if not torn or not data.startswith(base[:end]):
        return False
    try:
        row = parse(data[end:].partition(b"\n")[0])
    except ValueError:
        return False
    return (
        isinstance(row, dict)
        and row.get("kind") == "torn-tail"
        and row.get("sha256") == sha256(torn)
        and row.get("length") == len(torn)
    )


def _first_difference(data: bytes, base: bytes) -> int:
    lines = zip(data.split(b"\n"), base.split(b"\n"), strict=False)
    same = next((n for n, (ours, theirs) in enumerate(lines) if ours != theirs), None)
    return (min(data.count(b"\n"), base.count(b"\n")) if same is None else same) + 1
