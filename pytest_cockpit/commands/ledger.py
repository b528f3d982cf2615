"""`cockpit ledger`: verify, record, import, and what can be proven to others."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.commands import ledger_merging, ledger_recording
from pytest_cockpit.commands.ledger_desk import Desk, at_hand

if TYPE_CHECKING:
    from pytest_cockpit.records.checkpoint import Checkpoint
    from pytest_cockpit.records.signed_note import Note, Signer, Verifier


def register(subparsers: Any) -> None:
    """Add the command."""
    ledger = subparsers.add_parser("ledger", help="the ledger and its proofs", allow_abbrev=False)
    actions = ledger.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, run, text in (
        ("verify", _verify, "judge the ledger, or a proof without one"),
        ("record", ledger_recording.record, "enter what files have become, or where tags lead"),
        (
            "import",
            ledger_recording.import_history,
            "enter files of history that nobody vouches for",
        ),
        ("merge", ledger_merging.merge, "make one ledger of the two that git is merging"),
        ("checkpoint", _checkpoint, "write the ledger's tree head, signed if there is a key"),
        ("prove", _prove, "print a proof that others can verify"),
        ("key", _key, "make a key that signs checkpoints"),
    ):
        parser = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        parser.set_defaults(run=run)
        _ARGUMENTS[name](parser)


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("proof", nargs="?", type=Path, metavar="PROOF", help="a proof to verify")


def _record_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, or folder of tracked files")
    parser.add_argument("--tag", action="append", default=[], help="a tag to record; repeatable")
    parser.add_argument("--reason", help="why, in words")


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="FILE", help="tracked file of rows")
    parser.add_argument("--reason", help="where they came from, in words")


def _checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    by = parser.add_mutually_exclusive_group()
    by.add_argument(
        "--key", type=Path, metavar="FILE", help="private key; COCKPIT_LEDGER_KEY if not given"
    )
    by.add_argument(
        "--unsigned", action="store_true", help="sign it with no key, in place of a signed one too"
    )
    parser.add_argument("--name", help="the name of an OpenSSH key that is not configured")
    parser.add_argument("--origin", help="first line of a first checkpoint")


def _prove_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seq", type=int, metavar="N", help="that row N is in the ledger")
    what.add_argument(
        "--consistency", type=int, metavar="SIZE", help="that the ledger began with SIZE rows"
    )


def _merge_arguments(_: argparse.ArgumentParser) -> None:
    """What is merged is what git is merging."""


def _key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the key's name, such as a host's")
    parser.add_argument("path", type=Path, metavar="FILE", help="file for the private key")


_ARGUMENTS = {
    "verify": _verify_arguments,
    "record": _record_arguments,
    "import": _import_arguments,
    "merge": _merge_arguments,
    "checkpoint": _checkpoint_arguments,
    "prove": _prove_arguments,
    "key": _key_arguments,
}


def _verify(arguments: argparse.Namespace) -> int:
    desk = at_hand()
    if arguments.proof is not None:
        return _verify_proof(arguments.proof, desk.verifiers())
    return _judge(desk)


def _judge(desk: Desk) -> int:
    """What the installed gate says, which is all that can be said without a batch."""
    import tempfile

    from pytest_cockpit import rendering, runner
    from pytest_cockpit.api import Context

    folder = desk.repository.common_dir / "cockpit" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=folder) as scratch:
        context = Context(
            root=desk.root,
            scratch=Path(scratch),
            settings=desk.settings,
            lane=desk.config.lane,
            records=desk.config.records,
            ledger=desk.name,
            base=desk.base(),
            pass_environment=desk.config.pass_environment,
        )
        report = runner.run_gate("ledger", context)
    print(rendering.report_text("ledger", report))
    return 0 if report.verdict.opens else 1


def _verify_proof(path: Path, verifiers: Sequence[Verifier]) -> int:
    from pytest_cockpit.records import artifacts, ledger_prove

    if not path.is_file():
        raise CockpitError(f"{path}: is not there; name a file with what `ledger prove` printed")
    try:
        proof = artifacts.read(path)
    except CockpitError as error:
        reason = str(error).partition(";")[0]
        raise CockpitError(f"{reason}; ask for the proof again, whole") from None
    found = ledger_prove.faults(proof, verifiers)
    for fault in found:
        print(f"{path}: {fault}")
    if not found:
        what = (
            f"row {proof['seq']} is in"
            if proof["kind"] == "inclusion"
            else f"the first {proof['old_size']} rows are where it began, of"
        )
        by = "a checkpoint" if "checkpoint" in proof else "nobody"
        by = "a configured key" if verifiers else by
        print(f"{what} the ledger of {proof['size']} rows {proof['root']}, vouched for by {by}")
    return 1 if found else 0


def _checkpoint(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import artifacts, checkpoint

    desk = at_hand()
    name = checkpoint.path_of(desk.name)
    ledger, path = _ledger(desk), desk.root / name
    old = _vouched(desk)
    signers = _signers(desk, arguments, name, old[0] if old else None)
    with ledger.open("rb") as stream:
        data = checkpoint.write(stream, _origin(desk, old, arguments.origin), signers)
    artifacts.write_bytes(path, data)
    _, point = checkpoint.read(data)
    by = f"signed by {signers[0].name}" if signers else "unsigned"
    print(f"{name}: {point.size} rows, {by}")
    return 0


def _vouched(desk: Desk) -> tuple[Note, Checkpoint] | None:
    """The checkpoint that is there already."""
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.signed_note import NoteError

    name = checkpoint.path_of(desk.name)
    path = desk.root / name
    try:
        return checkpoint.read(path.read_bytes()) if path.is_file() else None
    except NoteError as error:
        raise CockpitError(
            f"{name}: is no checkpoint: {error}; restore it from git, or remove it first"
        ) from None


def _signers(
    desk: Desk, arguments: argparse.Namespace, name: str, old: Note | None
) -> list[Signer]:
    """The key that signs; none where a checkpoint without signatures is in order."""
    from pytest_cockpit.records import ledger_keys

    key = None if arguments.unsigned else arguments.key or ledger_keys.key_file()
    if key is not None:
        return [_signer(desk, key, arguments.name)]
    if desk.settings.get("keys"):
        raise CockpitError(
            f"--key: keys are configured; name the file of one, or set {ledger_keys.KEY_VARIABLE}"
        )
    if old is not None and old.signatures and not arguments.unsigned:
        by = ", ".join(item.name for item in old.signatures)
        raise CockpitError(
            f"{name}: is signed by {by}, and there is no key to sign another; name one with --key, "
            "or say --unsigned"
        )
    return []


def _signer(desk: Desk, key: Path, name: str | None) -> Signer:
    from pytest_cockpit.records import ledger_keys

    if not key.is_file():
        raise CockpitError(
            f"--key {key}: is no file; name a private key, or make one: cockpit ledger key NAME "
            f"{key}"
        )
    verifiers = desk.verifiers()
    signer = ledger_keys.signer(key, verifiers, name)
    known = {(one.name, one.hashed) for one in verifiers}
    if known and (signer.name, signer.hashed) not in known:
        raise CockpitError(
            f"--key {key}: none of the configured keys; name another, or add it to gate.ledger.keys"
        )
    return signer


def _origin(desk: Desk, old: tuple[Note, Checkpoint] | None, asked: str | None) -> str:
    known = desk.settings.get("origin") or (old[1].origin if old else None)
    if asked is not None and known is not None and asked != known:
        raise CockpitError(f"--origin: this ledger is {known}; leave it out")
    return str(known or asked or desk.name)


def _prove(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.ledger_prove import Prover
    from pytest_cockpit.records.text import canonical

    desk = at_hand()
    ledger, place = _ledger(desk), desk.root / checkpoint.path_of(desk.name)
    note = place.read_bytes() if _vouched(desk) else b""
    with ledger.open("rb") as stream:
        prover = Prover(stream, desk.name)
    if arguments.seq is not None:
        proof = prover.inclusion(arguments.seq, note)
    else:
        proof = prover.consistency(arguments.consistency, note)
    print(canonical(proof).decode(), end="")
    if note and "checkpoint" not in proof:
        print(
            "cockpit ledger: the checkpoint reaches less far, so nobody vouches for this proof; "
            "first write another: cockpit ledger checkpoint",
            file=sys.stderr,
        )
    return 0


def _ledger(desk: Desk) -> Path:
    if not desk.path.is_file():
        raise CockpitError(f"{desk.name}: is not there; promote a batch or record a file first")
    return desk.path


def _key(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import ledger_keys
    from pytest_cockpit.records.artifacts import os_error
    from pytest_cockpit.records.signed_note import NoteError

    try:
        private, verifier = ledger_keys.generate(arguments.name)
    except NoteError as error:
        raise CockpitError(f"NAME {arguments.name!r}: {error}; such as port.example") from None
    try:
        descriptor = os.open(arguments.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{private}\n")
    except FileExistsError:
        raise CockpitError(
            f"{arguments.path}: is there already, and no key is overwritten; name another file"
        ) from None
    except FileNotFoundError:
        raise CockpitError(f"{arguments.path}: its folder is not there; make it first") from None
    except OSError as error:
        raise os_error(arguments.path, "cannot write", error) from error
    print(f'{_table()}\nkeys = ["{verifier}"]')
    return 0


def _table() -> str:
    """The head of the gate's settings, as the configuration of this folder spells it."""
    from pytest_cockpit.config import COCKPIT

    try:
        source = at_hand().config.source
    except CockpitError:
        source = None
    plain = source is not None and source.name == COCKPIT
    return "[gate.ledger]" if plain else "[tool.cockpit.gate.ledger]"
