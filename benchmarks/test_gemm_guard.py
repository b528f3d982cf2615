"""What the guard of products finds, how often it is wrong, and what it costs.

- *recall*: the deployed check, as the guard uses it on that platform and at that size, over faults
  of a single element: *uniform* are of 1.25 to 1250 tolerances, a quarter of them of exactly 1.25;
  *critical* are flipped bits of sign and exponent that change as much, infinities and NaN. As both
  are by the tolerance that the check tells, that one is held against the rms of its row of C.
- *alarms*: checks of rows (of columns, where the check is inside of the kernel) without a fault,
  over inputs of seven distributions, drawn anew for each product.
- *overhead*: the product with and without the guard in alternating order; percent of the CPU time
  and of the time of the clock, Hodges and Lehmann's estimate with its interval at 99 %. It fails
  where the CPU time is beyond doubt above the goal.

Intervals of counts are those of Clopper and Pearson at 99 %. Each platform is in a process of its
own; one that is not there is skipped with the reason.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.gemm_devices import script

PLATFORMS = ("pocl", "rusticl", "clover")
SIZES = (1400, 2048, 3072)
PAIRS = {"pocl": 60, "rusticl": 9, "clover": 9}
INJECTIONS = int(os.environ.get("COCKPIT_GUARD_INJECTIONS", "100000"))
CHECKS = int(os.environ.get("COCKPIT_GUARD_CHECKS", "1000000"))
GOAL_PERCENT = 1.0
WIDEST = 1e-3

PREPARED = """
import json
import numpy as np
from pytest_cockpit_gates.gemm.abft import faults, overhead
from pytest_cockpit_gates.gemm.abft.guard import Guard
from pytest_cockpit_gates.gemm.abft.policy import STRICT
from pytest_cockpit_gates.gemm.kernels import table
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
platform, size, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
device = open_device(platform)
variant = table.load().best(device.info, size, size, size)
gemm, operands = Gemm(device, variant, size, size, size), Operands(device, size, size, size)
operands.load(*inputs(size, size, size, 7))
"""
RECALL = """
found = faults.recall(gemm, operands, number, seed=7).to_json()
with Guard(gemm, STRICT, 7) as guard:
    tolerances = guard.look(operands, anew=True)[1]
    rms = np.sqrt(np.square(operands.result()).mean(axis=1 if guard.fused is None else 0))
print(json.dumps({**found, "widest": float((tolerances / rms).max())}))
"""
OVERHEAD = (
    "found = overhead.overhead(gemm, operands, number).to_json()\n"
    "found['variant'] = variant.id\n"
    "found['gflops'] = 2e-9 * size**3 / min(it['plain_s'] for it in found['pairs'])\n"
    "print(json.dumps(found))"
)
ALARMS = """
def both(kind, turn):
    source = np.random.default_rng((kind, turn))
    shape = (size, size)
    if kind == 0:
        return inputs(size, size, size, turn)
    if kind == 1:
        made = [source.standard_normal(shape) for _ in range(2)]
    elif kind == 2:
        made = [source.random(shape) for _ in range(2)]
    elif kind == 3:
        made = [source.lognormal(0, 2, shape) * source.choice([-1, 1], shape) for _ in range(2)]
    elif kind == 4:
        made = [source.standard_normal(shape) * (source.random(shape) < 0.05) for _ in range(2)]
    elif kind == 5:
        rows = 10 ** source.uniform(-3, 3, (size, 1))
        made = [source.standard_normal(shape) * rows, source.standard_normal(shape) * rows]
    else:
        made = [source.integers(-9, 10, shape) * 1e-3 for _ in range(2)]
    return [it.astype(np.float32) for it in made]

told, kept = {}, Guard(gemm, STRICT, 5)
names = ("uniform", "normal", "positive", "heavy tails", "sparse", "rows of any size", "integers")
rounds = -(-number // (7 * size))
for kind, name in enumerate(names):
    flagged = checked = 0
    for turn in range(rounds):
        operands.load(*both(kind, turn))
        gemm.run(operands)
        found, _ = kept.look(operands, anew=True)
        flagged, checked = flagged + int(found.sum()), checked + len(found)
    told[name] = [flagged, checked]
print(json.dumps(told))
"""


def shown(count):
    return f"{count['found']} of {count['of']} ({count['low']:.6f} to {count['high']:.6f})"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("size", SIZES)
def test_recall(platform, size, tell):
    found = script(platform, PREPARED + RECALL, platform, size, INJECTIONS, timeout=3600)
    lines = [f"- {kind}: {shown(found[kind])}" for kind in ("uniform", "critical", "alarms")]
    lines.append(f"- widest tolerance: {found['widest']:.1e} of the rms of its row")
    tell(f"faults found on {platform} at {size}", "\n".join(lines))
    assert found["widest"] <= WIDEST
    assert found["uniform"]["found"] == found["uniform"]["of"] >= INJECTIONS
    assert found["critical"]["found"] == found["critical"]["of"]
    assert found["alarms"]["found"] == 0


@pytest.mark.parametrize("platform", PLATFORMS)
def test_false_alarms(platform, tell):
    found = script(platform, PREPARED + ALARMS, platform, 512, CHECKS, timeout=3600)
    alarms, checked = (sum(it[at] for it in found.values()) for at in (0, 1))
    each = "\n".join(f"- {name}: {it[0]} of {it[1]}" for name, it in found.items())
    tell(f"false alarms on {platform} at 512", f"{alarms} of {checked} checks\n\n{each}")
    assert checked >= CHECKS
    assert alarms == 0


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("size", SIZES)
def test_overhead(platform, size, tell):
    found = script(platform, PREPARED + OVERHEAD, platform, size, PAIRS[platform], timeout=3600)
    cpu, wall = found["cpu_percent"], found["wall_percent"]
    title = f"overhead of the guard on {platform} at {size} (goal: at most {GOAL_PERCENT:g} %)"
    tell(
        title,
        f"{found['variant']}, {found['gflops']:.1f} GFLOPS, {len(found['pairs'])} pairs: CPU time"
        f" {_interval(cpu)}, clock {_interval(wall)}, the guard's own parts"
        f" {found['added_percent']:.2f} %\n\n{json.dumps(found['pairs'])}",
    )
    assert cpu["low"] <= GOAL_PERCENT


def _interval(found):
    return f"{found['estimate']:.2f} % ({found['low']:.2f} to {found['high']:.2f})"
