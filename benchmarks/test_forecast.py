"""How often the interval of a forecast holds what then happened, on simulated migrations.

Each migration has weeks of a kind of team: batches of 50 on four days, some of which are red,
bursts, weeks off, rollbacks, and files that others add to the lane. A forecast is made after some
weeks, and the same team works on until the lane has drained. The interval is to hold the end in
75 to 90 of 100 migrations; it claims 80. Beside it, by how many weeks the median and the naive
forecast, what is left by the mean, were wrong.
"""

from __future__ import annotations

import random
from statistics import fmean, median

import pytest

from pytest_cockpit.promotion.velocity import Weeks, forecast

TABLE = "forecast: ends within the interval of 80 %"
TEAMS = {
    "steady": {"red": 0.2, "burst": 0.0, "off": 0.05, "growth": 8},
    "bursts": {"red": 0.2, "burst": 0.5, "off": 0.1, "growth": 8},
    "often away": {"red": 0.2, "burst": 0.3, "off": 0.35, "growth": 8},
    "mostly red": {"red": 0.7, "burst": 0.05, "off": 0.2, "growth": 4},
}
HISTORIES = (3, 6, 12)
MIGRATIONS = 150


def week(chance: random.Random, team: dict[str, float]) -> tuple[int, int]:
    """Files promoted, and files by which the lane became smaller."""
    promoted = 0
    if chance.random() >= team["off"]:
        promoted = 50 * sum(chance.random() >= team["red"] for _ in range(4))
        promoted += chance.choice((100, 200, 300)) * (chance.random() < team["burst"])
        promoted -= 50 * (chance.random() < 0.05)
    added = sum(chance.random() < team["growth"] / 40 for _ in range(40))
    return promoted, promoted - added


def ends(chance: random.Random, team: dict[str, float], remaining: float) -> float:
    """Weeks until nothing is left."""
    count = 0
    while True:
        drained = week(chance, team)[1]
        if drained >= remaining:
            return count + remaining / drained
        remaining -= drained
        count += 1


@pytest.mark.parametrize("name", TEAMS)
def test_intervals_hold_what_they_claim(name, capsys):
    team = TEAMS[name]
    pace = fmean(week(random.Random(f"{name}{seed}"), team)[1] for seed in range(4000))
    held, rows = 0, []
    for count in HISTORIES:
        within, ours, naive = 0, [], []
        for number in range(MIGRATIONS):
            chance = random.Random(f"{name} {count} {number}")
            seen = [week(chance, team) for _ in range(count)]
            remaining = round(pace * chance.uniform(8, 25))
            promoted, drained = zip(*seen, strict=True)
            made = forecast(remaining, Weeks(promoted, drained))
            end = ends(chance, team, remaining)
            within += (made.low or 0) <= end and (made.high is None or end <= made.high)
            mean = fmean(drained)
            ours.append(abs((made.median or 520) - end))
            naive.append(abs((remaining / mean if mean > 0 else 520) - end))
        held += within
        wrong = f"{median(ours):.1f} | {median(naive):.1f}"
        rows.append(f"| {name} | {count} | {within / MIGRATIONS:.0%} | {wrong} |")
    with capsys.disabled():
        print(f"\n{TABLE}\n| team | weeks seen | held | median off by | naive off by |")
        print("|---|---:|---:|---:|---:|", *rows, sep="\n")
    assert 0.75 <= held / (len(HISTORIES) * MIGRATIONS) <= 0.90
