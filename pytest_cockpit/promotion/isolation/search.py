"""What to test next, and what follows from the verdict.

Every tested tree is production with the good units and a few open ones on top. So each time that
units become good, all good units were seen green in one tree: what is promoted was judged as a
whole, and no session is needed to make sure in the end.

While units are contaminated, the tree of the good and all contaminated units was red, whatever
became good since. The last contaminated unit is therefore red on top of the good ones: once, and
by a verdict that may be wrong. Before it is blamed it is tested again, alone with what it needs:

- red: it is to blame, once red is ahead by the margin of `trust`;
- green, and together with the good units red by that margin: it does not get along with some of
  them. Those are found, and the unit is what stays behind;
- green, and together with the good units green after all: the gates are flaky, and it is good.

The search is a generator that yields subsets and is sent sessions, and it is nothing but a
function of its arguments and of what it was sent: replaying the sessions resumes it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pytest_cockpit.promotion.isolation import attribution, outcome
from pytest_cockpit.promotion.isolation.nested import Nested, bounded, nested
from pytest_cockpit.promotion.isolation.outcome import Session
from pytest_cockpit.promotion.isolation.trust import Trust
from pytest_cockpit.promotion.isolation.units import Units

Question = tuple[frozenset[int], str]
Asking = Generator[Question, Session, None]
Judging = Generator[Question, Session, bool]

_NOTHING: frozenset[int] = frozenset()
_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Blame:
    """A unit that stays behind, with sessions by their place among all of the search."""

    unit: int
    partners: tuple[int, ...]
    held: frozenset[int]
    red: tuple[int, ...]
    green: tuple[int, ...]


class Stopped(Exception):
    """The search cannot go on; the text says why."""


class Search:
    """The state of a search; every unit is in `good` or `open`, or in one of `blames`.

    Parameters
    ----------
    units: what can be tested apart.
    priors: the risk of each unit before anything is tested.
    trust: what is believed of the gates.
    attributable: the share of defects that clues name.
    base_green: whether production as it is was seen green.
    given: a red session of everything, when there was one.
    """

    def __init__(
        self,
        units: Units,
        priors: Sequence[float],
        trust: Trust,
        *,
        attributable: float,
        base_green: bool,
        given: Session | None,
    ) -> None:
        self.units = units
        self.sessions: list[Session] = []
        self.good = _NOTHING
        self.open = units.all
        self.contaminated = _NOTHING
        self.blames: list[Blame] = []
        self.stopped: str | None = None
        self._priors = tuple(map(bounded, priors))
        self._risks = list(self._priors)
        self._trust = trust
        self._attributable = attributable
        self._base_green = base_green
        self._returned = False
        self._plan = nested(self._in(units.order(units.all, self._risks)))
        self._margin = trust.margin(self._plan.expected_greens)
        if given is not None:
            self.contaminated = units.all
            self._take(given)

    def run(self) -> Asking:
        """Ask until every unit is decided, or nothing more can be learnt."""
        try:
            while self.open:
                yield from self._step()
        except Stopped as stop:
            self.stopped = str(stop)

    def expected(self) -> float:
        """The sessions that the plan expects from here on, without those that confirm."""
        _, plan, at = self._planned()
        return plan.expected(at, len(self.contaminated))

    def _step(self) -> Asking:
        if len(self.contaminated) == 1:
            yield from self._accuse(*self.contaminated)
            return
        order, plan, at = self._planned()
        known = len(self.contaminated)
        size = plan.split(at, known) if known else plan.group(at)
        group = frozenset(order[:size])
        named = size == 1 and self._risks[order[0]] > max(self._priors[order[0]], _EVEN)
        why = outcome.SUSPECT if named else outcome.SEARCH
        if (yield from self._is_green(self.good | group, why)):
            self._accept(group)
        else:
            self.contaminated = group

    def _planned(self) -> tuple[list[int], Nested, int]:
        """The open units, contaminated ones first, with the plan and where in it they start."""
        order = self.units.order(self.contaminated, self._risks)
        order += self.units.order(self.open - self.contaminated, self._risks)
        risks = self._in(order)
        at = len(self._plan.risks) - len(risks)
        if at < 0 or self._plan.risks[at:] != risks:
            self._plan, at = nested(risks), 0
        return order, self._plan, at

    def _in(self, order: Sequence[int]) -> tuple[float, ...]:
        return tuple(self._risks[unit] for unit in order)

    def _accept(self, group: frozenset[int]) -> None:
        self.good |= group
        self.open -= group
        self.contaminated -= group

    def _accuse(self, unit: int) -> Asking:
        """Decide on the last contaminated unit, which was red once on top of the good ones."""
        alone, together = self.units.alone(unit), self.good | {unit}
        apart = int(alone != together)
        if (
            apart
            and not (yield from self._is_green(alone, outcome.CONFIRM))
            and (yield from self._is_red(alone, outcome.CONFIRM, reds=2))
        ):
            yield from self._blame(unit)
        # Units that only fail together are rare: a unit that is green alone is so far as likely a
        # flake's victim, and the green verdict counts.
        elif not (yield from self._is_red(together, outcome.REPEAT, reds=1, greens=apart)):
            self._accept(frozenset({unit}))
        elif not apart:
            yield from self._blame(unit)
        elif not (yield from self._is_red(self.good, outcome.REPEAT, greens=1)):
            yield from self._blame(unit, (yield from self._partners(unit)))
        else:
            self._take_back()

    def _take_back(self) -> None:
        """Start again with what was taken for good: together it turned out to be red."""
        if self._returned:
            raise Stopped("what was green together was red later, twice: the gates are too flaky")
        self._returned = True
        self.contaminated = self.good
        self.open |= self.good
        self.good = _NOTHING

    def _blame(self, unit: int, partners: tuple[int, ...] = ()) -> Asking:
        yield from self._see_base()
        places = range(len(self.sessions))
        red = [
            at
            for at in places
            if self.sessions[at].green is False
            and unit in self.sessions[at].units
            and self.sessions[at].units - {unit} <= self.good
        ]
        without = {self.sessions[at].units - {unit} for at in red}
        green = [
            at for at in places if self.sessions[at].green and self.sessions[at].units in without
        ]
        held = self.units.needing(unit) & self.open
        self.open -= held | {unit}
        self.contaminated = _NOTHING
        self.blames.append(Blame(unit, partners, held, tuple(red), tuple(green)))

    def _see_base(self) -> Asking:
        """Before anything is blamed, something must have been green without it."""
        if self._base_green or any(session.green for session in self.sessions):
            return
        if not (yield from self._is_green(_NOTHING, outcome.BASE)) and (
            yield from self._is_red(_NOTHING, outcome.BASE, reds=1)
        ):
            raise Stopped(outcome.BASE_RED)

    def _partners(self, unit: int) -> Generator[Question, Session, tuple[int, ...]]:
        """The good units that a unit fails together with, none of which can be left out.

        The shortest red prefix of the good units ends in one of them; so does the shortest one
        on top of that, until those that were found are red by themselves.
        """
        found: list[int] = []
        tree, rest = self.units.alone(unit), self.good - self.units.alone(unit)
        while rest:
            order = self.units.order(rest, self._risks)
            at = yield from self._end_of_red(tree, order)
            found.append(order[at])
            tree |= self.units.alone(order[at])
            rest = frozenset(order[:at]) - tree
            if rest and not (yield from self._is_green(tree, outcome.PARTNER)):
                break
        sure = yield from self._is_red(tree, outcome.PARTNER, reds=1)
        return tuple(found) if sure else ()

    def _end_of_red(
        self, tree: frozenset[int], order: Sequence[int]
    ) -> Generator[Question, Session, int]:
        """The place of the unit that ends the shortest prefix which is red on top of `tree`."""
        plan, at, width = nested(self._in(order)), 0, len(order)
        while width > 1:
            left = plan.split(at, width)
            if (yield from self._is_green(tree | set(order[: at + left]), outcome.PARTNER)):
                at, width = at + left, width - left
            else:
                width = left
        return at

    def _is_red(self, tree: frozenset[int], why: str, *, reds: int = 0, greens: int = 0) -> Judging:
        """Judge a tree until one kind of verdict is ahead by the margin; some were seen before."""
        left = self._trust.repeats
        while left and abs(reds - greens) < self._margin:
            left -= 1
            if (yield from self._is_green(tree, why)):
                greens += 1
            else:
                reds += 1
        if abs(reds - greens) < self._margin:
            repeats = self._trust.repeats
            raise Stopped(
                f"{repeats} verdicts on one tree decided nothing: the gates are too flaky"
            )
        return reds > greens

    def _is_green(self, tree: frozenset[int], why: str) -> Judging:
        """One verdict on a tree. What is neither red nor green is asked for once more."""
        for _ in range(2):
            session = yield tree, why
            self._take(session)
            if session.green is not None:
                return session.green
        raise Stopped(f"the gates said {session.verdict} where red or green was needed, twice")

    def _take(self, session: Session) -> None:
        self.sessions.append(session)
        if session.green is False and session.weights is not None:
            for unit in session.units:
                weight = max(session.weights.get(path, 0.0) for path in self.units.members[unit])
                self._risks[unit] = bounded(
                    attribution.risk(self._priors[unit], weight, self._attributable)
                )
