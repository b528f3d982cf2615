"""How many verdicts it takes to believe one, when gates may be flaky.

A tree that is judged again and again gives a sequence of verdicts, of which a share `flakes` is
wrong. Wald's sequential probability ratio test (A. Wald, "Sequential tests of statistical
hypotheses", Annals of Mathematical Statistics 16 (1945)) of "this tree is red" against "this tree
is green" with the same error rate both ways moves by `log((1 - flakes) / flakes)` with each
verdict, up or down: it ends when one kind is ahead by a fixed *margin*, and is wrong with a chance
of at most `(flakes / (1 - flakes)) ** margin`.

The margin follows from how many innocent units may be blamed per batch. A search asks for an
expected number of trees without a defect (`greens`); each gives a wrong red with the chance
`flakes` and then ends at one innocent unit, which is blamed when `margin - 1` more verdicts in its
favour go wrong as well: `greens * flakes * (flakes / (1 - flakes)) ** (margin - 1)` innocents. The
sessions that a wrong red brings with it can go wrong too, which is allowed for as ten sessions
more. The least margin that keeps all this below the bound is taken, and never less than 2: a
single red verdict blames nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cockpit.api import CockpitError, Verdict

_BROUGHT = 10


@dataclass(frozen=True, slots=True)
class Trust:
    """What is believed of the gates.

    Parameters
    ----------
    flakes: share of verdicts that are wrong, at most.
    innocents: innocent units blamed per batch, at most, in expectation.
    repeats: after so many verdicts on one tree without a decision the search stops.
    """

    flakes: float = 0.01
    innocents: float = 0.001
    repeats: int = 12

    def __post_init__(self) -> None:
        if not 0 <= self.flakes <= 0.25:  # noqa: PLR2004  # the message says it
            raise CockpitError(f"flakes {self.flakes}: expected 0 to 0.25; repair the gates first")
        if not 0 < self.innocents < 1:
            raise CockpitError(f"innocents {self.innocents}: expected more than 0 and less than 1")
        if self.repeats < 1:
            raise CockpitError(f"repeats {self.repeats}: expected at least 1")

    def margin(self, greens: float) -> int:
        """How far red has to be ahead of green, or green of red, on one tree."""
        odds = self.flakes / (1 - self.flakes)
        margin, innocents = 2, greens * (1 + _BROUGHT * self.flakes) * self.flakes * odds
        while innocents > self.innocents:
            margin, innocents = margin + 1, innocents * odds
        return margin

    def settled(self, red: int, green: int) -> Verdict | None:
        """What so many verdicts on one tree say of it; None when one more has to be asked for."""
        if abs(red - green) >= self.margin(1):
            return Verdict.FAIL if red > green else Verdict.PASS
        return Verdict.UNKNOWN if red + green >= self.repeats else None
