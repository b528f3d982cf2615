"""An A/A of the flake handling: gates that are red by mistake where nothing is wrong.

Both arms are the same: nothing is to blame for anything, so whatever is halted, ejected or asked
for more often comes of the flakes alone. The gates are simulated; what decides is what a session
decides with: the inquiry with its search, the tally of verdicts by tree, and `Settling` where a
gate was red on the very tree that is to be sealed.

- *halt* is the default of a batch: the first red gate ends it.
- *isolate* searches, judges the rest by all gates again, and asks a gate that was red on that tree
  until one verdict is ahead.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest

from pytest_cockpit.api import Finding, Report, Verdict
from pytest_cockpit.promotion.isolation.inquiry import About, Inquiry, Judged
from pytest_cockpit.promotion.isolation.settling import Settling

TITLE = "flakes: 500 batches of 50 files in which nothing is wrong"
_LINES = [
    "| red in | on red | sealed | halted | undecided | flakes told | ejected | gate runs | goal |",
    "|---|---|---:|---:|---:|---:|---:|---:|---|",
]
BATCHES, FILES = 500, 50
GATES = ("coverage", "imports", "ledger", "matriz")
GREEN = Report(Verdict.PASS, "green", checked=1)


class Gates:
    """Four gates of which the first is flaky; counts how often any was run."""

    def __init__(self, share, seed):
        self._share, self._chooser = share, random.Random(seed)
        self.runs = 0

    def judge(self, names):
        """What these gates say of any tree."""
        self.runs += len(names)
        return {name: self._report(name) for name in names}

    def _report(self, name):
        if name != GATES[0] or self._chooser.random() >= self._share:
            return GREEN
        test = f"tests/test_{self._chooser.randrange(3)}.py::test"
        finding = Finding("coverage.new-test-failure", "failed", evidence={"test": test})
        return Report.judge("red", checked=1, findings=[finding])


def halted(gates):
    """A batch by default."""
    for name in GATES:
        if not gates.judge([name])[name].verdict.opens:
            return "halted", 0, 0
    return "sealed", 0, 0


def isolated(gates):
    """A batch with `isolate`: what became of it, innocents that were ejected, flakes told."""
    whole = gates.judge(GATES)
    red = {name: report for name, report in whole.items() if not report.verdict.opens}
    if not red:
        return "sealed", 0, 0
    files = [f"lane/f{number:02}.py" for number in range(FILES)]
    about = About("0123456-89abcdef", "0" * 40, "f" * 64, tuple(red))
    inquiry = Inquiry(about, dict.fromkeys(files, ()), lambda _: {})
    inquiry.begin(Judged(tree(files), red))
    while (part := inquiry.next()) is not None:
        inquiry.tell(Judged(tree(part), gates.judge(about.gates)))
    outcome = inquiry.outcome()
    innocents = sum(len(culprit.files) for culprit in outcome.culprits)
    state = rest(gates, inquiry, tree(outcome.good)) if outcome.complete else "undecided"
    return state, innocents, len(inquiry.tally.flakes())


def rest(gates, inquiry, judged):
    """Whether the rest is sealed, as the session decides it."""
    culprits = inquiry.outcome().culprits
    settling = Settling(inquiry.tally, inquiry.trust, judged, FILES, culprits)
    for name in GATES:
        ask = partial(asked, gates, name)
        if not settling.settle(name, ask(), ask).verdict.opens:
            return "undecided"
    return "sealed"


def asked(gates, name):
    return gates.judge([name])[name]


def tree(files):
    return " ".join(sorted(files))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("on_red", ["halt", "isolate"])
def test_nothing_is_wrong(benchmark, tell, share, on_red):
    gates = Gates(share, f"{share}")
    conduct = halted if on_red == "halt" else isolated
    told = benchmark.pedantic(lambda: [conduct(gates) for _ in range(BATCHES)])
    states = Counter(state for state, _, _ in told)
    innocents = sum(ejected for _, ejected, _ in told)
    goal = "innocents ≤ 0.001 per batch" if share == 0.01 and on_red == "isolate" else ""
    flakes = sum(found for _, _, found in told)
    _LINES.append(
        f"| {share:.0%} of its runs | {on_red} | {states['sealed']} | {states['halted']} "
        f"| {states['undecided']} | {flakes} | {innocents} | {gates.runs / BATCHES:.2f} | {goal} |"
    )
    tell(TITLE, "\n".join(_LINES))
    if share <= 0.01:
        assert innocents <= 0.001 * BATCHES
    if on_red == "isolate" and share <= 0.01:
        assert states["sealed"] == BATCHES
    if not share:
        assert gates.runs == len(GATES) * BATCHES
