"""`cockpit ledger`: verify, record, import, and what can be proven to others."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.commands import ledger_recording
from pytest_cockpit.commands.ledger_desk import Desk, at_hand

if TYPE_CHECKING:
    from pytest_cockpit.records.signed_note import Verifier


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
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="private key; COCKPIT_LEDGER_KEY if not given"
    )
    parser.add_argument("--name", help="the name of an OpenSSH key that is not configured")
    parser.add_argument("--origin", help="first line of a first checkpoint")


def _prove_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seq", type=int, metavar="N", help="that row N is in the ledger")
    what.add_argument(
        "--consistency", type=int, metavar="SIZE", help="that the ledger began with SIZE rows"
    )


def _key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the key's name, such as a host's")
    parser.add_argument("path", type=Path, metavar="FILE", help="file for the private key")


_ARGUMENTS = {
    "verify": _verify_arguments,
    "record": _record_arguments,
    "import": _import_arguments,
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

    proof = artifacts.read(path)
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
    from pytest_cockpit.records import artifacts, checkpoint, ledger_keys

    desk = at_hand()
    path = desk.root / checkpoint.path_of(desk.name)
    key = arguments.key or ledger_keys.key_file()
    signers = [ledger_keys.signer(key, desk.verifiers(), arguments.name)] if key else []
    if not signers and desk.settings.get("keys"):
        raise CockpitError(
            f"--key: keys are configured; name the file of one, or set {ledger_keys.KEY_VARIABLE}"
        )
    with _ledger(desk).open("rb") as stream:
        data = checkpoint.write(stream, _origin(desk, path, arguments.origin), signers)
    artifacts.write_bytes(path, data)
    _, point = checkpoint.read(data)
    by = f"signed by {signers[0].name}" if signers else "unsigned"
    print(f"{checkpoint.path_of(desk.name)}: {point.size} rows, {by}")
    return 0


def _origin(desk: Desk, path: Path, asked: str | None) -> str:
    from pytest_cockpit.records import checkpoint

    old = checkpoint.read(path.read_bytes())[1].origin if path.is_file() else None
    known = desk.settings.get("origin") or old
    if asked is not None and known is not None and asked != known:
        raise CockpitError(f"--origin: this ledger is {known}; leave it out")
    return str(known or asked or desk.name)


def _prove(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.ledger_prove import Prover
    from pytest_cockpit.records.text import canonical

    desk = at_hand()
    place = desk.root / checkpoint.path_of(desk.name)
    note = place.read_bytes() if place.is_file() else b""
    with _ledger(desk).open("rb") as stream:
        prover = Prover(stream, desk.name)
    if arguments.seq is not None:
        proof = prover.inclusion(arguments.seq, note)
    else:
        proof = prover.consistency(arguments.consistency, note)
    print(canonical(proof).decode(), end="")
    return 0


def _ledger(desk: Desk) -> Path:
    if not desk.path.is_file():
        raise CockpitError(f"{desk.name}: is not there; promote a batch or record a file first")
    return desk.path


def _key(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import ledger_keys
    from pytest_cockpit.records.artifacts import os_error

    private, verifier = ledger_keys.generate(arguments.name)
    try:
        descriptor = os.open(arguments.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{private}\n")
    except OSError as error:
        raise os_error(arguments.path, "cannot write", error) from error
    print(f'[tool.cockpit.gate.ledger]\nkeys = ["{verifier}"]')
    return 0
