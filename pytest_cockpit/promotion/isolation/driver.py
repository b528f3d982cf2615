"""A search that a session drives: ask what to test, tell what came out, keep it on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.promotion.isolation import outcome
from pytest_cockpit.promotion.isolation.closing import outcome_of
from pytest_cockpit.promotion.isolation.outcome import Outcome, Session
from pytest_cockpit.promotion.isolation.search import Question, Search
from pytest_cockpit.promotion.isolation.trust import Trust
from pytest_cockpit.promotion.isolation.units import Units

SCHEMA = "pytest-cockpit/isolation-search/1"
RISK = 0.02
"""The risk of a file of which nothing is known."""
ATTRIBUTABLE = 0.8
"""The share of defects that clues name, where nothing was measured."""


class Isolation:
    """Which files of a batch are to blame for its red gates.

    Call `next`, judge production with exactly those files moved, call `tell`; write `to_json`
    down after each `tell`, and `from_json` goes on after a kill. `outcome` can be asked any time.

    Parameters
    ----------
    needs: the batch's files, each with those it cannot be judged without. Files that are no keys
        are taken to be in production.
    risks: the risk of each file, one for all or by file.
    trust: what is believed of the gates.
    attributable: the share of defects that clues name.
    base_green: whether production without the batch was seen green, which saves a session when
        nothing else was.
    """

    def __init__(
        self,
        needs: Mapping[str, Iterable[str]],
        risks: float | Mapping[str, float] = RISK,
        *,
        trust: Trust | None = None,
        attributable: float = ATTRIBUTABLE,
        base_green: bool = False,
    ) -> None:
        self.units = Units.of(needs)
        self._needs = {path: sorted(set(wanted) & needs.keys()) for path, wanted in needs.items()}
        by_file = risks if isinstance(risks, Mapping) else dict.fromkeys(needs, risks)
        self._risks = {path: _share(by_file.get(path, RISK), f"risk of {path}") for path in needs}
        self._trust = trust or Trust()
        self._attributable = _share(attributable, "attributable")
        self._base_green = base_green
        self._begin(None)

    def begin_red(
        self, weights: Mapping[str, float] | None = None, failing: Iterable[str] = ()
    ) -> None:
        """Start from a session that saw the whole batch red. Before the first `tell` only.

        The parameters are those of `tell`.
        """
        if self._search.sessions:
            raise CockpitError("isolation: has begun already; make a new one")
        self._begin(self._session(self.units.all, outcome.GIVEN, Verdict.FAIL, weights, failing))

    def next(self) -> tuple[str, ...] | None:
        """The files to test next, each after those it needs; None when there is nothing to ask.

        No files at all means production as it is. Asking again gives the same answer.
        """
        return None if self._question is None else self.units.files(self._question[0])

    @property
    def why(self) -> str | None:
        """What the next session is for: one of the words of `outcome`."""
        return None if self._question is None else self._question[1]

    def expected(self) -> float:
        """How many more sessions the plan expects, without those that confirm."""
        return self._search.expected()

    def tell(
        self,
        subset: Iterable[str],
        verdict: Verdict,
        weights: Mapping[str, float] | None = None,
        failing: Iterable[str] = (),
    ) -> None:
        """Take in what came out.

        Parameters
        ----------
        subset: what `next` gave.
        verdict: the worst of the gates. A verdict that is neither red nor green is asked for
            once more.
        weights: clues of a red session by file, see `attribution`; empty when clues were looked
            for and nothing was named, None when none were looked for.
        failing: what failed, for the report.

        Raises
        ------
        CockpitError: that is not what was asked, or a weight makes no sense.
        """
        if self._question is None:
            raise CockpitError("isolation: nothing was asked")
        units, why = self._question
        if set(subset) != set(self.units.files(units)):
            raise CockpitError("isolation: judged another subset than the one asked for")
        self._answer(self._session(units, why, verdict, weights, failing))

    def outcome(self) -> Outcome:
        """What is known so far."""
        return outcome_of(self._search)

    def to_json(self) -> dict[str, Any]:
        """All that it takes to go on, JSON-able."""
        return {
            "schema": SCHEMA,
            "needs": self._needs,
            "risks": self._risks,
            "trust": {
                "flakes": self._trust.flakes,
                "innocents": self._trust.innocents,
                "repeats": self._trust.repeats,
            },
            "attributable": self._attributable,
            "base_green": self._base_green,
            "sessions": [
                {
                    "units": sorted(session.units),
                    "why": session.why,
                    "verdict": session.verdict.value,
                    "weights": None if session.weights is None else dict(session.weights),
                    "failing": list(session.failing),
                }
                for session in self._search.sessions
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "isolation") -> Isolation:
        """The search that wrote `data`, as far as it had come; `where` names it in errors.

        Raises
        ------
        CockpitError: it is no such record, or this version would have asked other questions.
        """
        try:
            return cls._replayed(data)
        except (KeyError, TypeError, ValueError, AttributeError, CockpitError) as error:
            raise CockpitError(
                f"{where}: not the record of a search that can go on ({error}); "
                "remove it to start again"
            ) from error

    @classmethod
    def _replayed(cls, data: Mapping[str, Any]) -> Isolation:
        if data["schema"] != SCHEMA:
            raise ValueError(f"/schema: expected {SCHEMA}")
        search = cls(
            data["needs"],
            data["risks"],
            trust=Trust(**data["trust"]),
            attributable=data["attributable"],
            base_green=data["base_green"],
        )
        for row in data["sessions"]:
            told = Verdict(row["verdict"]), row["weights"], row["failing"]
            if row["why"] == outcome.GIVEN:
                search.begin_red(*told[1:])
                continue
            if search._question != (frozenset(row["units"]), row["why"]):
                raise ValueError("/sessions: not in the order that the search asks for them")
            search.tell(search.next() or (), *told)
        return search

    def _begin(self, given: Session | None) -> None:
        # A unit is good when all its files are. Multiplied in the order of the units, which
        # unlike that of the mappings is the same after reading them back from anywhere.
        priors = [1 - prod(1 - self._risks[path] for path in paths) for paths in self.units.members]
        self._search = Search(
            self.units,
            priors,
            self._trust,
            attributable=self._attributable,
            base_green=self._base_green,
            given=given,
        )
        self._asking = self._search.run()
        self._question: Question | None = next(self._asking, None)

    def _answer(self, session: Session) -> None:
        try:
            self._question = self._asking.send(session)
        except StopIteration:
            self._question = None

    def _session(
        self,
        units: frozenset[int],
        why: str,
        verdict: Verdict,
        weights: Mapping[str, float] | None,
        failing: Iterable[str],
    ) -> Session:
        for path, weight in (weights or {}).items():
            if path not in self.units.number:
                raise CockpitError(f"isolation: clue about {path}, which is not in the batch")
            _share(weight, f"weight of {path}")
        kept = None if weights is None else dict(weights)
        return Session(units, why, Verdict(verdict), kept, tuple(failing))


def _share(value: Any, name: str) -> float:
    """The value, if it is a number from 0 to 1."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise CockpitError(f"isolation: {name}: expected a number from 0 to 1, got {value!r}")
    return float(value)
