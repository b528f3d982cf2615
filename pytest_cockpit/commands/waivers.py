"""`cockpit waive`, `unwaive` and `waivers`: tolerate a finding for a time, in the ledger."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError

if TYPE_CHECKING:
    from pytest_cockpit.config import Config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records.waivers import Book, Situation, Waiver

_PLACES = {"scope": "--file, --label or --environment", "max_findings": "--max-findings"}


def register(subparsers: Any) -> None:
    """Add the three commands."""
    waive = subparsers.add_parser(
        "waive", help="tolerate the findings of a rule for a time", allow_abbrev=False
    )
    waive.add_argument("rule", metavar="RULE", help="id of a rule, or GATE.* for all of a gate's")
    waive.add_argument("--file", metavar="GLOB", help="only findings in these files")
    waive.add_argument("--label", help="only in sessions that were given this label")
    waive.add_argument(
        "--environment",
        metavar="NAME[=VALUE]",
        help="only in sessions that see this variable, with this value if one is named",
    )
    waive.add_argument(
        "--expires", required=True, type=_date, metavar="YYYY-MM-DD", help="last day, in UTC"
    )
    waive.add_argument(
        "--max-findings", type=int, metavar="N", help="cover none if there are more than N"
    )
    waive.set_defaults(run=_waive)
    unwaive = subparsers.add_parser("unwaive", help="end a waiver", allow_abbrev=False)
    unwaive.add_argument("id", metavar="ID", help="the waiver's id")
    unwaive.set_defaults(run=_unwaive)
    for parser in (waive, unwaive):
        parser.add_argument("--reason", required=True, help="why, in words")
        parser.add_argument("--owner", required=True, help="who answers for it")
    listing = subparsers.add_parser(
        "waivers", help="list the waivers, with what became of each", allow_abbrev=False
    )
    listing.set_defaults(run=_waivers)


@dataclass(frozen=True, slots=True)
class _Desk:
    """The ledger of the checkout that the command was given in."""

    repository: Repository
    config: Config
    path: Path
    data: bytes
    book: Book
    today: date

    @property
    def name(self) -> str:
        """The ledger's path, to show."""
        return self.config.ledger

    def refusal(self, waiver: Waiver) -> str | None:
        """Why this waiver holds nowhere now, or None."""
        return self.book.refusal(waiver, self.situation)

    @property
    def situation(self) -> Situation:
        """What waivers are judged by here; a command has no labels."""
        from pytest_cockpit.records.waivers import Situation

        clock = datetime.now(UTC).date()
        return Situation(self.today, max_days=self.config.waivers.max_days, clock=clock)


def _desk() -> _Desk:
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records import waiver_ledger, waivers

    repository = Repository.discover(Path.cwd())
    chosen = config.load(repository.root)
    data = waiver_ledger.content(repository.root, chosen.ledger)
    book = waivers.read(data)
    committed = waiver_ledger.committed(repository, "HEAD")
    return _Desk(
        repository,
        chosen,
        waiver_ledger.place(repository.root, chosen.ledger),
        data,
        book,
        waivers.latest(datetime.now(UTC), book.written, committed),
    )


def _waive(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records.text import canonical_line, sha256

    desk = _desk()
    _demand_rule(arguments.rule)
    scope = {
        key: value
        for key in ("file", "label", "environment")
        if (value := getattr(arguments, key)) is not None
    }
    _demand_no_secret(scope.get("environment", ""))
    if "file" in scope:
        scope["file"] = _from_root(scope["file"], desk.repository.root)
    row = {
        "kind": "waiver",
        "rule": arguments.rule,
        "scope": scope,
        "reason": arguments.reason,
        "owner": arguments.owner,
        "expires": arguments.expires.isoformat(),
        **({} if arguments.max_findings is None else {"max_findings": arguments.max_findings}),
        "at": _now(),
    }
    row["id"] = f"w-{sha256(canonical_line(row))[:8]}"
    faults = [*_day_faults(arguments.expires, desk), *_form_faults(row)]
    if faults:
        raise CockpitError("\n".join(faults))
    if row["id"] in {waiver.id for waiver in desk.book.waivers}:
        raise CockpitError(f"{row['id']}: was given this very moment; look at `cockpit waivers`")
    _append(desk, row)
    print(f"{row['id']}: {row['rule']} is waived until {row['expires']}; commit {desk.name}")
    return 0


def _from_root(glob: str, root: Path) -> str:
    """A glob as the ledger has it; one that means something only in this folder is of this folder.

    Waivers count from the repository's root, shells complete from the folder one is in.
    """
    here = Path.cwd()
    if not here.is_relative_to(root) or here == root:
        return glob
    if _matches(root, glob) or not _matches(here, glob):
        return glob
    found = (here.relative_to(root) / glob).as_posix()
    print(f"--file {glob}: counted from this folder, {found}")
    return found


def _matches(folder: Path, glob: str) -> bool:
    try:
        return next(folder.glob(glob), None) is not None
    except (NotImplementedError, ValueError, IndexError):
        # No pattern below a folder: its form is refused with what was typed.
        return False


def _unwaive(arguments: argparse.Namespace) -> int:
    desk = _desk()
    known = {waiver.id for waiver in desk.book.waivers}
    if arguments.id not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise CockpitError(f"{arguments.id}: no such waiver in {desk.name}; known: {listed}")
    if arguments.id in desk.book.void:
        raise CockpitError(f"{arguments.id}: {desk.book.void[arguments.id]}; nothing to end")
    row = {
        "kind": "waiver-revoked",
        "id": arguments.id,
        "reason": _said(arguments.reason, "--reason"),
        "owner": _said(arguments.owner, "--owner"),
        "at": _now(),
    }
    _append(desk, row)
    print(f"{arguments.id}: ended; commit {desk.name}")
    return 0


def _waivers(arguments: argparse.Namespace) -> int:
    from pytest_cockpit import rendering
    from pytest_cockpit.records.text import one_line

    desk = _desk()
    broken = desk.book.fault or _broken(desk.data)
    for problem in (broken, *desk.book.unfit):
        if problem:
            print(f"{desk.name}: {problem}")
    used = _used(desk)
    rows = [
        (waiver.id, _state(waiver, desk, used), waiver.rule, _scope(waiver), waiver.owner)
        for waiver in desk.book.waivers
    ]
    if not rows:
        print(f"{desk.name}: no waivers")
    for line, waiver in zip(rendering.table(rows) if rows else [], desk.book.waivers, strict=True):
        print(f"{line}: {one_line(waiver.reason)}")
    return 1 if broken or desk.book.unfit else 0


def _broken(data: bytes) -> str | None:
    """Why the ledger's chain does not hold; a waiver may have been taken out of it."""
    from pytest_cockpit.records import ledger

    try:
        ledger.rows(data)
    except ledger.LedgerError as error:
        return str(error)
    return None


def _state(waiver: Waiver, desk: _Desk, used: Mapping[str, set[str]]) -> str:
    refusal = desk.refusal(waiver)
    if refusal is not None:
        return refusal
    holds = f"holds until {waiver.expires}"
    if not used:
        return f"{holds}, no session seen"
    modes = sorted(mode for mode, ids in used.items() if waiver.id in ids)
    return f"{holds}, used by {', '.join(modes)}" if modes else f"{holds}, not used"


def _scope(waiver: Waiver) -> str:
    parts = [f"{key} {value}" for key, value in waiver.scope.items()]
    if waiver.max_findings is not None:
        parts.append(f"at most {waiver.max_findings}")
    return ", ".join(parts)


def _used(desk: _Desk) -> dict[str, set[str]]:
    """The ids that each recorded session used, by its mode."""
    from pytest_cockpit.records import artifacts

    found = {}
    folder = desk.repository.root / desk.config.artifacts
    for path in sorted(folder.glob("session.*.json")):
        try:
            record = artifacts.read(path, "session")
        except CockpitError:
            continue
        if any(row.get("kind") == "gate" for row in record["items"]):
            found[str(record["mode"])] = {str(row["id"]) for row in record.get("waivers", ())}
    return found


def _append(desk: _Desk, row: Mapping[str, Any]) -> None:
    from pytest_cockpit.records import ledger

    # Appending looks at the last row alone; nothing is added to what is broken further up.
    ledger.rows(desk.data)
    ledger.append(desk.path, row, lock=desk.repository.common_dir / ledger.LOCK)


def _demand_rule(rule: str) -> None:
    from pytest_cockpit import discovery
    from pytest_cockpit.records import waivers

    if waivers.protected(rule):
        raise CockpitError(f"{rule}: the ledger excuses nothing of its own; restore it from git")
    installed = discovery.gates()
    rules = [each.id for gate in installed.loaded.values() for each in gate.gate.rules]
    if not waivers.known(rule, rules):
        broken = "".join(f"; {item.marker} could not be loaded" for item in installed.broken)
        raise CockpitError(f"{rule}: no installed gate has this rule{_meant(rule, rules)}{broken}")


def _meant(rule: str, rules: Iterable[str]) -> str:
    near = difflib.get_close_matches(rule, list(rules), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _day_faults(expires: date, desk: _Desk) -> Iterator[str]:
    last = desk.today + timedelta(days=desk.config.waivers.max_days)
    if not desk.today <= expires <= last:
        yield (
            f"--expires {expires}: expected a day from {desk.today} to {last} "
            f"(waivers.max_days is {desk.config.waivers.max_days})"
        )


def _demand_no_secret(environment: str) -> None:
    from pytest_cockpit.runner import redact

    if redact(environment) != environment:
        raise CockpitError(
            "--environment: looks like a secret, and the ledger is no place for one; name another "
            "variable, or leave its value out"
        )


def _form_faults(row: Mapping[str, Any]) -> Iterator[str]:
    from pytest_cockpit.records import schema, waivers

    problems = schema.problems(row, waivers.SCHEMA)
    if not problems and "file" in row["scope"] and not waivers.is_relative(row["scope"]["file"]):
        yield "--file: expected relative glob with / and without .."
    for problem in problems:
        key = str(problem.path[-1]) if problem.path else ""
        yield f"{_PLACES.get(key, f'--{key}')}: {problem.message}"


def _said(text: str, option: str) -> str:
    if not text.strip() or not text.isprintable():
        raise CockpitError(f"{option}: expected one line of text with something in it")
    return text


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a day such as 2026-01-31, got {text!r}"
        ) from None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
