"""A module's benchmarks measured: in several processes, alone or in pairs with another commit.

A process is what counts as one value. Times within a process have its memory layout, its hashes
and the state of the machine in common, so a thousand of them are no thousand values.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking.running import Ran, Runner, Unmeasured
from pytest_cockpit.estimation import intervals

SPARE = 8
"""Pairs beyond those without which nothing could ever be shown.

With so many, one pair in which another program got in between is no matter, however far off it is.
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two processes, one right after the other; which came first was left to chance."""

    base: Ran
    head: Ran
    head_first: bool


def alone(runner: Runner, commit: str, runs: int, say: Callable[[str], None]) -> list[Ran]:
    """So many processes at one commit; one where the first finds no benchmark."""
    done: list[Ran] = []
    while len(done) < runs and (not done or done[0].times):
        done.append(runner.run(commit))
        say(f"process {len(done)} of {runs}")
    return done


def paired(
    runner: Runner,
    commits: tuple[str, str],
    wanted: Callable[[int], int],
    say: Callable[[str], None],
) -> list[Pair]:
    """Base and head measured in turns.

    A coin decides which of two comes first. Where nothing differs, the difference of a pair is
    then as likely to have one sign as the other, whatever the machine does meanwhile.

    Parameters
    ----------
    commits: base and head.
    wanted: how many pairs, by the number of benchmarks that both have.
    """
    pairs = [_pair(runner, commits)]
    count = wanted(len(common(pairs)))
    say(f"pair 1 of {count}")
    while len(pairs) < count:
        pairs.append(_pair(runner, commits))
        say(f"pair {len(pairs)} of {count}")
    return pairs


def needed(level: float) -> int:
    """Pairs without which no slowdown could be shown at a one-sided level."""
    return intervals.values_needed(2 * level)


def common(pairs: Sequence[Pair]) -> list[str]:
    """Benchmarks that the first pair has on both sides."""
    return [name for name in pairs[0].head.times if name in pairs[0].base.times]


def medians(runs: Iterable[Ran]) -> Mapping[str, list[float]]:
    """The median of every process, by benchmark."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, times in run.times.items():
            found.setdefault(name, []).append(times.median)
    return found


def _pair(runner: Runner, commits: tuple[str, str]) -> Pair:
    base, head = commits
    if secrets.randbits(1):
        ours = runner.run(head)
        return Pair(_base(runner, base), ours, head_first=True)
    try:
        theirs = _base(runner, base)
    except Unmeasured:
        # What is wrong with head as well is head's own fault.
        runner.run(head)
        raise
    return Pair(theirs, runner.run(head), head_first=False)


def _base(runner: Runner, commit: str) -> Ran:
    try:
        return runner.run(commit)
    except Unmeasured as error:
        said = f"at {commit[:12]}: {error.said}"
        raise Unmeasured(Verdict.UNKNOWN, said, error.text) from error
