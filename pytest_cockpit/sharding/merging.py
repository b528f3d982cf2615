"""What all parts together come to: a function of the shards alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.sharding.plan import Plan
from pytest_cockpit.sharding.shard import Shard
from pytest_cockpit.sweep.model import Measured

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Whole:
    """The parts of one plan, each once."""

    plan: Plan
    shards: Mapping[int, Shard]

    @property
    def missing(self) -> tuple[int, ...]:
        """Parts that nobody has handed over."""
        return tuple(part for part in range(1, self.plan.of + 1) if part not in self.shards)

    @property
    def lost(self) -> tuple[str, ...]:
        """A line for each missing part: what was in it, and how it is done alone."""
        return tuple(self._lost(part) for part in self.missing)

    @property
    def seconds(self) -> dict[str, float]:
        """How long each unit took."""
        return dict(chain.from_iterable(each.seconds.items() for each in self.shards.values()))

    def measured(self) -> Measured:
        """What the parts of a sweep have measured.

        Raises
        ------
        CockpitError: a part is missing, or was measured with other versions.
        """
        if self.missing:
            raise CockpitError("\n".join(self.lost))
        found = [shard.measured for shard in self.shards.values() if shard.measured]
        # Who had nothing to measure has nothing to say of the versions either.
        return Measured.joined([part for part in found if part.outcomes] or found[:1])

    def reports(self) -> dict[str, Report]:
        """The report of every gate that is not in a missing part."""
        found: dict[str, Report] = {}
        for part in sorted(self.shards):
            found.update(self.shards[part].reports)
        return {name: found[name] for name in sorted(found)}

    def verdict(self) -> Verdict:
        """The worst of all; unknown at best where a part is missing."""
        found = [report.verdict for report in self.reports().values()]
        return Verdict.worst([*found, *([Verdict.UNKNOWN] if self.missing else [])])

    def combined(self, declared: Iterable[str] = ()) -> dict[str, Any]:
        """One report of all gates; see `schemas/shard-gates.json`.

        Parameters
        ----------
        declared: every gate of the configuration, some of which nobody may have asked for.
        """
        said = {name: (it.verdict, it.summary) for name, it in self.reports().items()}
        rows = []
        for number, names in enumerate(self.plan.parts, 1):
            unknown = (Verdict.UNKNOWN, f"part {number} of {self.plan.of} is missing")
            for name in names:
                verdict, summary = said.get(name, unknown)
                row = {"gate": name, "verdict": verdict.value, "summary": summary, "part": number}
                rows.append(row)
        return {
            "schema": "pytest-cockpit/shard-gates/1",
            "plan": self.plan.to_json(),
            "plan_sha256": self.plan.digest,
            "verdict": self.verdict().value,
            "gates": sorted(rows, key=lambda row: str(row["gate"])),
            "left_out": sorted(set(declared) - set(self.plan.weights)),
            "shards": {str(part): self.shards[part].digest for part in sorted(self.shards)},
            "missing": [
                {"part": part, "command": self.plan.command(part)} for part in self.missing
            ],
        }

    def _lost(self, part: int) -> str:
        count = len(self.plan.parts[part - 1])
        what = "nothing is in it" if not count else f"{count} of {len(self.plan.weights)} are in it"
        return f"part {part} of {self.plan.of} is missing ({what}): {self.plan.command(part)}"


def together(shards: Iterable[Shard]) -> Whole:
    """The parts of one plan.

    Raises
    ------
    CockpitError: there is none, they are of several plans, or one part came out in two ways. The
        same findings, made twice, are one.
    """
    found: dict[int, Shard] = {}
    # In an order of their own, so that nothing depends on that of the files.
    for shard in sorted(shards, key=lambda shard: (shard.part, shard.digest)):
        first = next(iter(found.values()), shard)
        if shard.plan != first.plan:
            raise CockpitError(
                f"{_short(shard)} and {_short(first)} are of different plans: "
                f"{_difference(first.plan, shard.plan)}; do all parts at one commit, with one "
                "configuration"
            )
        other = found.setdefault(shard.part, shard)
        if other.digest != shard.digest and other.found != shard.found:
            raise CockpitError(
                f"part {shard.part} of {shard.plan.of} is there twice: {_short(other)} and "
                f"{_short(shard)}; leave one of them out"
            )
    if not found:
        raise CockpitError("no shard was named; name files of artifacts/shards")
    return Whole(next(iter(found.values())).plan, found)


def _difference(one: Plan, other: Plan) -> str:
    first, second = one.to_json(), other.to_json()
    return ", ".join(sorted(name for name in first if first[name] != second[name]))


def _short(shard: Shard) -> str:
    return f"{shard.digest[:_SHOWN]}.json"
