"""CPU seconds beside wall seconds in every benchmark's record."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def cpu_seconds(request):
    """Record the CPU seconds of this process and its children per measured round."""
    benchmark = request.getfixturevalue("benchmark")
    before = os.times()
    yield
    after = os.times()
    spent = sum(after[:4]) - sum(before[:4])
    rounds = max(len(benchmark.stats.stats.data), 1) if benchmark.stats else 1
    benchmark.extra_info["cpu_s_per_round_with_setup"] = round(spent / rounds, 3)
