"""The plan: an immutable document that says what a batch moves, what it cannot move, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Lane, Move
from pytest_cockpit.records import artifacts, schema, text

SCHEMA = "pytest-cockpit/plan/1"
_AGAIN = "name no file to plan again"


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What the plan was made from, and how much came of it.

    `counts` has `lane` (files that wait), `movable`, `moves`, `refusals` and `shims` (left by
    earlier batches and not in `lane`).
    """

    base: str
    batch_id: str
    lane: Mapping[str, Any]
    size: int
    modules: tuple[str, ...]
    settings_sha256: str
    counts: Mapping[str, int]

    def row(self) -> dict[str, Any]:
        """The header as its line has it."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {"kind": "plan", "schema": SCHEMA, **fields}


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One move with the reasons for it.

    `score` is the weighted sum of `reasons`; `because` is "rank", or the file it comes with.
    """

    move: Move
    old_module: str
    new_module: str
    score: float
    reasons: Mapping[str, float]
    because: str
    notes: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """The move as its line has it."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {"kind": "move", **dataclasses.asdict(fields.pop("move")), **fields}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One lane file that cannot move, by which rule, with the remedy in the message."""

    source: str
    rule: str
    message: str

    def row(self) -> dict[str, Any]:
        """The refusal as its line has it."""
        return {
            "kind": "refusal",
            "source": artifacts.printable(self.source),
            "rule": self.rule,
            "message": artifacts.printable(self.message),
        }


@dataclass(frozen=True)
class Plan:
    """A whole plan. `gates` are names, each with the reason when it is declared not applicable."""

    header: PlanHeader
    moves: tuple[PlannedMove, ...]
    refusals: tuple[Refusal, ...]
    gates: tuple[tuple[str, str | None], ...]

    @classmethod
    def make(
        cls,
        *,
        base: str,
        lane: Lane,
        size: int,
        modules: Sequence[str],
        settings_sha256: str,
        counts: Mapping[str, int],
        moves: Sequence[PlannedMove],
        refusals: Sequence[Refusal],
        gates: Sequence[tuple[str, str | None]],
    ) -> Plan:
        """A plan with the batch id that follows from its content."""
        described = text.plain(dataclasses.asdict(lane))
        header = PlanHeader(base, "", described, size, tuple(modules), settings_sha256, counts)
        ordered = tuple(sorted(refusals, key=lambda refusal: artifacts.printable(refusal.source)))
        draft = cls(header, tuple(moves), ordered, tuple(gates))
        named = dataclasses.replace(header, batch_id=draft.expected_id)
        return dataclasses.replace(draft, header=named)

    @classmethod
    def read(cls, data: bytes, where: str) -> Plan:
        """The plan in `data`; `where` names it in errors.

        Raises
        ------
        CockpitError: it is no plan, was edited by hand, or names a path it may not touch.
        """
        rows = list(_rows(data, where))
        plan = _assembled(rows, where)
        if plan.header.batch_id != plan.expected_id or plan.to_bytes() != data:
            raise CockpitError(f"{where}: edited by hand; {_AGAIN}")
        for line, problem in _unfit(plan):
            raise CockpitError(f"{where}:{line}: {problem}; {_AGAIN}")
        return plan

    def to_bytes(self) -> bytes:
        """The plan as its file has it: one canonical line for each row."""
        return artifacts.canonical_line(self.header.row()) + self._below

    @cached_property
    def sha256(self) -> str:
        """Digest of the plan's bytes."""
        return artifacts.sha256(self.to_bytes())

    @cached_property
    def expected_id(self) -> str:
        """The batch id that the content demands."""
        row = self.header.row()
        del row["batch_id"]
        digest = artifacts.sha256(artifacts.canonical_line(row) + self._below)
        return f"{self.header.base[:7]}-{digest[:8]}"

    @cached_property
    def _below(self) -> bytes:
        """All lines but the header's."""
        rows = [planned.row() for planned in self.moves]
        rows += [refusal.row() for refusal in self.refusals]
        rows += [
            {"kind": "gate", "gate": name} | ({} if skip is None else {"skip": skip})
            for name, skip in self.gates
        ]
        return b"".join(map(artifacts.canonical_line, [*rows, {"kind": "seal"}]))


def _rows(data: bytes, where: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            row = text.parse(line)
        except ValueError as error:
            raise CockpitError(f"{where}:{number}: not JSON ({error}); {_AGAIN}") from error
        for problem in schema.problems(row, "plan"):
            raise CockpitError(f"{where}:{number}: {problem}; {_AGAIN}")
        yield row


_ORDER = ("plan", "move", "refusal", "gate", "seal")


def _assembled(rows: Sequence[Mapping[str, Any]], where: str) -> Plan:
    kinds = [row["kind"] for row in rows]
    if (
        kinds != sorted(kinds, key=_ORDER.index)
        or kinds.count("plan") != 1
        or kinds.count("seal") != 1
    ):
        raise CockpitError(
            f"{where}: expected one plan row, then moves, refusals, gates and one seal; {_AGAIN}"
        )
    by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in _ORDER}
    return Plan(
        header=_header(by_kind["plan"][0]),
        moves=tuple(map(_planned, by_kind["move"])),
        refusals=tuple(
            Refusal(row["source"], row["rule"], row["message"]) for row in by_kind["refusal"]
        ),
        gates=tuple((row["gate"], row.get("skip")) for row in by_kind["gate"]),
    )


def _header(row: Mapping[str, Any]) -> PlanHeader:
    values = {key: row[key] for key in row if key not in {"kind", "schema"}}
    return PlanHeader(**{**values, "modules": tuple(row["modules"])})


def _planned(row: Mapping[str, Any]) -> PlannedMove:
    return PlannedMove(
        move=Move(row["source"], row["target"], row["blob"], row["mode"]),
        old_module=row["old_module"],
        new_module=row["new_module"],
        score=row["score"],
        reasons=row["reasons"],
        because=row["because"],
        notes=tuple(row["notes"]),
    )


def _unfit(plan: Plan) -> Iterator[tuple[int, str]]:
    """Line and words for what no schema can say; a forged digest must not open the tree."""
    layout = Layout(_lane_of(plan.header))
    seen: set[str] = set()
    for line, planned in enumerate(plan.moves, 2):
        source, target = planned.move.source, planned.move.target
        if not contained(source) or not contained(target):
            yield line, f"{schema.shown(source)} to {schema.shown(target)} leaves the tree"
        elif not layout.is_lane(source) or layout.is_lane(target):
            yield line, f"{schema.shown(source)} to {schema.shown(target)} is not out of the lane"
        elif target != layout.target_of(source):
            yield line, f"{schema.shown(target)} is not where {schema.shown(source)} goes"
        elif (planned.old_module, planned.new_module) != tuple(
            map(layout.module_of, (source, target))
        ):
            yield line, f"{schema.shown(source)} has other module names"
        elif source in seen:
            yield line, f"{schema.shown(source)} is named twice"
        seen.add(source)
    found = {"moves": len(plan.moves), "refusals": len(plan.refusals)}
    for key, number in found.items():
        if plan.header.counts[key] != number:
            yield 1, f"/counts/{key}: expected {number}, got {plan.header.counts[key]}"


def _lane_of(header: PlanHeader) -> Lane:
    """The lane's description that the header keeps."""
    return Lane(
        **{
            **header.lane,
            "source_roots": tuple(header.lane["source_roots"]),
            "exclude": tuple(header.lane["exclude"]),
            "aliases": {key: tuple(value) for key, value in header.lane["aliases"].items()},
        }
    )


def contained(path: str) -> bool:
    """Whether a path stays in the work tree and out of git's own folder, on every system."""
    parts = path.split("/")
    return path.isprintable() and not any(
        part in {"", ".", ".."} or "\\" in part or _is_git(part) for part in parts
    )


def _is_git(part: str) -> bool:
    """Whether some file system takes the name for `.git`."""
    plain = "".join(char for char in part.casefold() if char.isascii())
    return plain.rstrip(" .").partition(":")[0] in {".git", "git~1"}
