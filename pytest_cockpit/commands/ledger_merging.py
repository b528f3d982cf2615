"""`cockpit ledger merge`: make one ledger of the two that a merge under way brought together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from pytest_cockpit.api import CockpitError
from pytest_cockpit.commands.ledger_desk import Desk, at_hand

if TYPE_CHECKING:
    from pytest_cockpit.records.checkpoint import Checkpoint

_PUBLISHED = ("refs/remotes/origin/main", "refs/remotes/origin/master")


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the merge: the ledger of its commit, and the checkpoint beside it."""

    commit: str
    ledger: bytes
    note: bytes

    @property
    def point(self) -> Checkpoint | None:
        """The checkpoint, where it is one of this ledger."""
        from pytest_cockpit.records import checkpoint
        from pytest_cockpit.records.signed_note import NoteError

        try:
            point = checkpoint.read(self.note)[1]
            checkpoint.demand_of(point, self.ledger)
        except NoteError:
            return None
        return point


def merge(_: argparse.Namespace) -> int:
    """Chain the rows of one side behind those of the other, and tell git."""
    from pytest_cockpit.records import artifacts, ledger, ledger_merge

    desk = at_hand()
    ours, theirs = _sides(desk)
    for side in (ours, theirs):
        try:
            ledger.rows(side.ledger)
        except ledger.LedgerError as error:
            raise CockpitError(f"{desk.name} of {side.commit[:12]}: {error}") from None
    first, second = _ordered(desk, ours, theirs)
    data = ledger_merge.merged(first.ledger, second.ledger)
    common = ledger_merge.shared(first.ledger, second.ledger)
    artifacts.write_bytes(desk.path, data)
    changed = [desk.name]
    added = _count(second) - common
    print(
        f"{desk.name}: {added} row{'' if added == 1 else 's'} of {second.commit[:12]} behind the "
        f"{_count(first)} of {first.commit[:12]}"
    )
    if ours.note or theirs.note:
        changed += _vouch(desk, (first, second), data)
    for path in changed:
        desk.git.run("add", "--force", "--", path)
    print(f"git has {' and '.join(changed)}; judge with: cockpit ledger verify, and commit")
    return 0


def _sides(desk: Desk) -> tuple[_Side, _Side]:
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.ledger_git import Git

    git, _ = Git.around(desk.root)
    merging = git.merging()
    if len(merging) != 1:
        what = "two sides at a time" if merging else "no merge is under way"
        raise CockpitError(
            f"{what}; git merge BRANCH first, not rebase, which would leave no second side"
        )
    found = []
    for commit in (git.commit("HEAD"), merging[0]):
        data = desk.repository.blob(commit, desk.name)
        if not data:
            raise CockpitError(f"{commit[:12]}: has no {desk.name}; take the other side's")
        note = desk.repository.blob(commit, checkpoint.path_of(desk.name)) or b""
        found.append(_Side(commit, data, note))
    ours, theirs = found
    return ours, theirs


def _ordered(desk: Desk, ours: _Side, theirs: _Side) -> tuple[_Side, _Side]:
    """The side whose rows stay where they are, and the other; alike whoever merges.

    What others have seen or what a checkpoint vouches for must stay. Where neither tells them apart
    the digests of their last rows do.
    """
    from pytest_cockpit.records import ledger, ledger_merge

    common = ledger_merge.shared(ours.ledger, theirs.ledger)
    seen = [
        desk.repository.blob(ref, desk.name) or b""
        for ref in desk.settings.get("published", _PUBLISHED)
        if desk.repository.ref(ref)
    ]

    def rank(side: _Side) -> tuple[int, int, str]:
        shown = max((ledger_merge.shared(side.ledger, one) for one in seen), default=0)
        point = side.point
        vouched = point.size if point else 0
        return -max(shown - common, 0), -max(vouched - common, 0), ledger.head(side.ledger)

    first, second = sorted((ours, theirs), key=rank)
    return first, second


def _vouch(desk: Desk, sides: Sequence[_Side], data: bytes) -> list[str]:
    """Take the checkpoint further, or leave the one that holds; the paths that have changed."""
    from pytest_cockpit.records import artifacts, checkpoint
    from pytest_cockpit.records.signed_note import NoteError

    name = checkpoint.path_of(desk.name)
    try:
        note = _note(desk, sides, data)
    except NoteError as error:
        raise CockpitError(f"{name}: {error}; see cockpit ledger verify") from None
    size, whole = _size(note), data.count(b"\n")
    further = "" if size == whole else "; take it further: cockpit ledger checkpoint --key FILE"
    if not note:
        print(f"{name}: that of neither side is of these rows{further}")
        return []
    artifacts.write_bytes(desk.root / name, note)
    print(f"{name}: {size} of {whole} rows{further}")
    return [name]


def _note(desk: Desk, sides: Sequence[_Side], data: bytes) -> bytes:
    """The checkpoint of the merged ledger; nothing where a key is needed and not at hand."""
    from pytest_cockpit.records import checkpoint, ledger_keys

    key, keys = ledger_keys.key_file(), desk.settings.get("keys", ())
    points = [(side.point, side) for side in sides]
    reaching = [
        (point.size, side.note) for point, side in points if point and _reaches(point, data)
    ]
    if reaching:
        return checkpoint.refreshed(max(reaching)[1], data, key, keys)
    for point, side in points:
        if point is not None:
            # What vouches for one side is a reason to vouch for both, by the same rules.
            grown = checkpoint.refreshed(side.note, side.ledger, key, keys)
            signed = checkpoint.read(grown)[0].signatures
            if key is None and signed:
                continue
            signers = [ledger_keys.signer(key, desk.verifiers())] if key else []
            return checkpoint.write(BytesIO(data), point.origin, signers)
    return b""


def _reaches(point: Checkpoint, data: bytes) -> bool:
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.signed_note import NoteError

    try:
        checkpoint.demand_of(point, data)
    except NoteError:
        return False
    return True


def _size(note: bytes) -> int:
    from pytest_cockpit.records import checkpoint

    return checkpoint.read(note)[1].size if note else 0


def _count(side: _Side) -> int:
    return side.ledger.count(b"\n")
