"""Shard files come from elsewhere: nothing in them is believed before it was looked at."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit import runner
from pytest_cockpit.api import CockpitError, Report
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical, one_line, parse, sha256
from pytest_cockpit.sharding.plan import Kind, Plan
from pytest_cockpit.sharding.shard import SCHEMA, Shard
from pytest_cockpit.sweep.model import Measured

MAX_BYTES = 64 * 1024 * 1024
# A few bytes such as `1-9999999` stand for as many numbers.
MAX_LINES = 20_000_000
_NAME = re.compile(r"[0-9a-f]{64}\.json")


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The shard files that paths lead to: themselves, or what lies in a folder.

    Raises
    ------
    CockpitError: a path is not there, or a folder holds none.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inner = sorted(each for each in path.rglob("*.json") if _NAME.fullmatch(each.name))
        if not inner:
            raise CockpitError(f"{_shown(path)}: holds no shard; name the folder they lie in")
        yield from inner


def passed_over(paths: Iterable[Path]) -> list[str]:
    """Files in the folders that hold a shard by what is in them, and not by their names."""
    inner = (each for path in paths if path.is_dir() for each in sorted(path.rglob("*.json")))
    return [_shown(path) for path in inner if not _NAME.fullmatch(path.name) and _claims(path)]


def _claims(path: Path) -> bool:
    """Whether a file says that it is a shard; whether it is one is not looked at."""
    try:
        document = parse(_content(path))
    except (CockpitError, ValueError):
        return False
    schema = document.get("schema") if isinstance(document, dict) else None
    return isinstance(schema, str) and schema.startswith(f"pytest-cockpit/{SCHEMA}/")


def read(path: Path) -> Shard:
    """The shard in a file.

    Raises
    ------
    CockpitError: it is no whole, unaltered shard.
    """
    return from_bytes(_content(path), path.name, _shown(path))


def from_bytes(data: bytes, name: str, where: str) -> Shard:
    """The shard that these bytes are, if the file's name is that of their digest."""
    if name != f"{sha256(data)}.json":
        raise CockpitError(f"{where}: is not what its name says; fetch it again, unaltered")
    try:
        document = parse(data)
    except ValueError as error:
        raise CockpitError(f"{where}: not JSON ({error}); fetch it again") from error
    errors = artifacts.validate(document, SCHEMA)
    if errors:
        raise CockpitError(f"{where}: {errors[0]}; is it of another version?")
    plan = Plan.from_json(document["plan"])
    if plan.digest != document["plan_sha256"]:
        raise CockpitError(f"{where}: /plan_sha256: is not the digest of its plan; do it again")
    if document["part"] > plan.of:
        raise CockpitError(f"{where}: /part: {document['part']} of {plan.of}; do it again")
    shard = _shard(document, plan, where)
    _demand_done(shard, where)
    if not _reads_back(shard, data):
        raise CockpitError(f"{where}: is not in canonical form; fetch it again, unaltered")
    return shard


def _reads_back(shard: Shard, data: bytes) -> bool:
    """Whether the shard is these bytes: what could be read in two ways is read in none."""
    try:
        return canonical(shard.to_json()) == data
    except CockpitError:
        # Such as a number of checks that is a float beyond all integers.
        return False


def _shard(document: dict[str, Any], plan: Plan, where: str) -> Shard:
    part, seconds = document["part"], document["seconds"]
    if plan.kind is Kind.SWEEP:
        measured = document["measured"]
        _demand_modest(measured, where)
        found = Measured.from_json(measured, where=where)
        return Shard(plan, part, found, {}, seconds)
    return Shard(plan, part, None, _reports(document["reports"], where), seconds)


def _reports(data: dict[str, Any], where: str) -> dict[str, Report]:
    found = {}
    for gate, report in data.items():
        errors = artifacts.validate(report, "gate-report")
        if errors:
            raise CockpitError(f"{where}: /reports/{gate}{errors[0]}; do it again")
        try:
            found[gate] = runner.consistent(Report.from_json(report))
        except (KeyError, TypeError, ValueError) as error:
            reason = one_line(str(error))
            raise CockpitError(f"{where}: /reports/{gate}: {reason}; do it again") from error
    return found


def _demand_done(shard: Shard, where: str) -> None:
    """Demand that the part did what it had to, and nothing else."""
    done = set(shard.reports)
    if shard.measured is not None:
        done = {outcome.module for outcome in shard.measured.outcomes}
        if shard.measured.commit != shard.plan.commit:
            raise CockpitError(f"{where}: /measured/commit: not that of its plan; do it again")
        for outcome in shard.measured.outcomes:
            for path in (outcome.module, *outcome.files, *outcome.unreadable):
                _demand_inside(path, where)
    odd = done ^ set(shard.units)
    if odd or not set(shard.seconds) <= set(shard.units):
        name = one_line(min(odd, default="/seconds"))
        raise CockpitError(f"{where}: {name}: is not what part {shard.part} has to do; do it again")


def _demand_inside(path: str, where: str) -> None:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\0" in path or ".git" in parts:
        raise CockpitError(f"{where}: {one_line(path)}: leads out of the repository; do it again")


def _demand_modest(measured: Any, where: str) -> None:
    """Demand that what is written as ranges is no more than a repository can hold."""
    total = sum(map(_size, _texts(measured)))
    if total > MAX_LINES:
        raise CockpitError(f"{where}: /measured: more than {MAX_LINES:,} lines; do it again")


def _texts(measured: Any) -> Iterator[str]:
    """Every text of ranges, in a document that no schema has seen yet."""
    modules = measured.get("modules") if isinstance(measured, dict) else None
    for module in modules if isinstance(modules, list) else ():
        rows = module.get("files") if isinstance(module, dict) else None
        for row in rows.values() if isinstance(rows, dict) else ():
            if isinstance(row, dict):
                yield from (text for text in row.values() if isinstance(text, str))


def _size(text: str) -> int:
    total = 0
    for part in re.findall(r"[0-9]{1,9}(?:-[0-9]{1,9})?", text):
        first, _, last = part.partition("-")
        total += max(1, int(last or first) - int(first) + 1)
    return total


def _content(path: Path) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise CockpitError(f"{_shown(path)}: no regular file; name the shard's own file")
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise artifacts.os_error(path, "cannot read", error) from error
    if len(data) > MAX_BYTES:
        raise CockpitError(f"{_shown(path)}: more than {MAX_BYTES:,} bytes; that is no shard")
    return data


def _shown(path: Path) -> str:
    return one_line(artifacts.printable(str(path)))
