"""`cockpit ledger`: verify, record, import, and what can be proven to others."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError

if TYPE_CHECKING:
    from pytest_cockpit.config import Config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records.ledger_git import Git
    from pytest_cockpit.records.signed_note import Verifier

KEY_VARIABLE = "COCKPIT_LEDGER_KEY"
"""Names the file with the key that signs checkpoints, where `--key` does not."""


def register(subparsers: Any) -> None:
    """Add the command."""
    ledger = subparsers.add_parser("ledger", help="the ledger and its proofs", allow_abbrev=False)
    actions = ledger.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, run, text in (
        ("verify", _verify, "judge the ledger, or a proof without one"),
        ("record", _record, "enter what files have become, or where tags lead"),
        ("import", _import, "enter files of history that nobody vouches for"),
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
        "--key", type=Path, metavar="FILE", help=f"private key; {KEY_VARIABLE} if not given"
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


@dataclass(frozen=True, slots=True)
class _Desk:
    """The ledger of the checkout that the command was given in."""

    repository: Repository
    config: Config
    settings: Mapping[str, Any]
    name: str

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.repository.root

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self.root / self.name

    @property
    def git(self) -> Git:
        """Its content in git."""
        from pytest_cockpit.records.ledger_git import Git

        return Git(self.root)

    def rows(self) -> list[dict[str, Any]]:
        """The ledger's rows."""
        from pytest_cockpit.records import ledger

        return ledger.rows(self.path.read_bytes()) if self.path.is_file() else []

    def base(self) -> str | None:
        """The commit that is checked out."""
        return self.repository.resolve("HEAD") if self.repository.ref("HEAD") else None

    def verifiers(self) -> list[Verifier]:
        """The configured keys."""
        from pytest_cockpit.records import ledger_keys

        return [ledger_keys.verifier(key) for key in self.settings.get("keys", ())]

    def inside(self, text: str) -> str:
        """A path as the ledger has it, counted from the repository's root."""
        whole = Path(os.path.normpath(Path.cwd() / text))
        if not whole.is_relative_to(self.root) or ".git" in whole.relative_to(self.root).parts:
            raise CockpitError(f"{text}: lies outside {self.root}; name a file of the repository")
        return whole.relative_to(self.root).as_posix()


def _desk() -> _Desk:
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records import ledger_content

    repository = Repository.discover(Path.cwd())
    chosen = config.load(repository.root)
    settings = chosen.gate.get("ledger", {})
    name = str(settings.get("path") or f"{chosen.records}/promotions.ndjson")
    if ledger_content.linked(repository.root, name):
        raise CockpitError(f"{name}: a link leads elsewhere; put a file of its own there")
    return _Desk(repository, chosen, settings, name)


def _verify(arguments: argparse.Namespace) -> int:
    desk = _desk()
    if arguments.proof is not None:
        return _verify_proof(arguments.proof, desk.verifiers())
    return _judge(desk)


def _judge(desk: _Desk) -> int:
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


def _record(arguments: argparse.Namespace) -> int:
    desk = _desk()
    if not arguments.paths and not arguments.tag:
        raise CockpitError("nothing to record; name a file, or a tag with --tag")
    made = [*_changes(desk, arguments.paths), *_tags(desk, arguments.tag)]
    return _append(desk, made, arguments.reason)


def _changes(desk: _Desk, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    from pytest_cockpit.records import ledger_content
    from pytest_cockpit.records.text import sha256

    base, git = desk.base(), desk.git
    newest = ledger_content.newest(desk.rows())
    length = 64 if desk.repository.object_format() == "sha256" else 40
    for path in dict.fromkeys(each for text in paths for each in _files(desk, text)):
        before = desk.repository.blob(base, path) if base else None
        committed = None if before is None else sha256(before)
        previous = newest.get(path, committed)
        content = ledger_content.stored(desk.root, git, path, previous)
        if content is None and path not in newest and before is None:
            raise CockpitError(f"{path}: is not there and never was; correct the path")
        row = ledger_content.row(path, content, previous, base, length)
        if path in newest and row["sha256"] == previous:
            print(f"{path}: recorded already")
        else:
            yield row


def _files(desk: _Desk, text: str) -> list[str]:
    path = desk.inside(text)
    if not (desk.root / path).is_dir() or (desk.root / path).is_symlink():
        return [path]
    return desk.git.tracked(f":(top,literal){path}")


def _tags(desk: _Desk, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    known = {row["tag"] for row in desk.rows() if row["kind"] == "tag"}
    for name in names:
        found = desk.git.ref(f"refs/tags/{name}")
        if found is None:
            raise CockpitError(f"{name}: no such tag; see `git tag`")
        if name in known:
            raise CockpitError(f"{name}: recorded before; a tag is never moved")
        yield {"kind": "tag", "tag": name, "object": found[0], "commit": found[1]}


def _import(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import ledger_content, ledger_epoch

    desk = _desk()
    files = {}
    tracked = set(desk.git.tracked())
    for text in arguments.paths:
        path = desk.inside(text)
        content = ledger_content.stored(desk.root, desk.git, path, None)
        if content is None:
            raise CockpitError(f"{text}: is not there; name a file of rows")
        if path not in tracked:
            raise CockpitError(f"{text}: git does not track it; git add it first")
        if path == desk.name:
            raise CockpitError(f"{text}: is the ledger itself; name another")
        files[path] = content
    return _append(desk, [ledger_epoch.row(files, desk.rows())], arguments.reason)


def _append(desk: _Desk, made: Sequence[dict[str, Any]], reason: str | None) -> int:
    from pytest_cockpit.records import ledger

    # Appending looks at the last row alone; nothing is added to what is broken further up.
    desk.rows()
    extra = {"at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if reason is not None:
        extra["reason"] = reason
    for row in made:
        ledger.append(desk.path, {**row, **extra})
        print(f"{desk.name}: {_told(row)}")
    return 0


def _told(row: Mapping[str, Any]) -> str:
    if row["kind"] == "tag":
        return f"tag {row['tag']} at {row['commit']}"
    if row["kind"] == "epoch":
        return f"{len(row['files'])} files, {sum(each['rows'] for each in row['files'])} rows"
    return f"{row['path']}: {row['sha256'] or 'deleted'}"


def _checkpoint(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import artifacts, checkpoint, ledger_keys

    desk = _desk()
    path = desk.root / checkpoint.path_of(desk.name)
    key = arguments.key or _key_file()
    signers = [ledger_keys.signer(key, desk.verifiers(), arguments.name)] if key else []
    if not signers and desk.settings.get("keys"):
        raise CockpitError(
            f"--key: keys are configured; name the file of one, or set {KEY_VARIABLE}"
        )
    with _ledger(desk).open("rb") as stream:
        data = checkpoint.write(stream, _origin(desk, path, arguments.origin), signers)
    artifacts.write_bytes(path, data)
    _, point = checkpoint.read(data)
    by = f"signed by {signers[0].name}" if signers else "unsigned"
    print(f"{checkpoint.path_of(desk.name)}: {point.size} rows, {by}")
    return 0


def _origin(desk: _Desk, path: Path, asked: str | None) -> str:
    from pytest_cockpit.records import checkpoint

    old = checkpoint.read(path.read_bytes())[1].origin if path.is_file() else None
    known = desk.settings.get("origin") or old
    if asked is not None and known is not None and asked != known:
        raise CockpitError(f"--origin: this ledger is {known}; leave it out")
    return str(known or asked or desk.name)


def _key_file() -> Path | None:
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else None


def _prove(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import checkpoint
    from pytest_cockpit.records.ledger_prove import Prover
    from pytest_cockpit.records.text import canonical

    desk = _desk()
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


def _ledger(desk: _Desk) -> Path:
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
