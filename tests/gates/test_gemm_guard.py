"""The guard of products: faults are found, healed and counted as such; rounding is none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.abft import policy
from pytest_cockpit_gates.gemm.abft.guardrails import Rails, Seen
from tests.gemm_devices import script

np = pytest.importorskip("numpy", reason="numpy is not installed")

from pytest_cockpit_gates.gemm.abft import checks, faults, sums  # noqa: E402
from pytest_cockpit_gates.gemm.abft.guard import Guard  # noqa: E402
from pytest_cockpit_gates.gemm.abft.overhead import overhead  # noqa: E402
from pytest_cockpit_gates.gemm.abft.session import run_session  # noqa: E402

ARCHIVED: dict[str, Any] = {
    "policy_id": "t5-long-horizon",
    "abft_mode": {
        "sampling_period": 10,
        "row_samples": 8,
        "projection_count": 2,
        "residual_scale": 5.0,
    },
    "runtime_guardrails": {
        "disable_if_false_positive_rate_gt": 0.05,
        "disable_if_effective_overhead_percent_gt": 3.5,
        "disable_if_effective_overhead_percent_gt_hard": 5.0,
        "disable_if_correctness_error_gt": 0.001,
        "disable_after_consecutive_overhead_violations": 3,
        "stateful_hysteresis": True,
    },
}


class HostOperands:
    """On the host, as those of a device are used."""

    def __init__(self, a, b, c=None):
        self.load(a, b, c if c is not None else np.full((len(a), b.shape[1]), 7, np.float32))

    def load(self, a, b, c):
        self.a, self.b, self.c = a, b, c.copy()
        (self.m, self.k), self.n = a.shape, b.shape[1]

    def renew(self, before):
        self.c[:] = np.nan if before is None else before

    def result(self):
        return self.c


class NumpyGemm:
    """NumPy, with times as a test wants them."""

    def __init__(self, cpu_s=1.0):
        self.cpu_s, self.runs = cpu_s, 0

    def run(self, operands, alpha=1.0, beta=0.0):
        self.runs += 1
        with np.errstate(all="ignore"):
            product = np.float32(alpha) * (operands.a @ operands.b)
            old = np.float32(beta) * operands.c if beta else np.float32(0)
            operands.c[:] = product + old
        return SimpleNamespace(wall_s=self.cpu_s, cpu_s=self.cpu_s)


Operands: Any = HostOperands
Gemm: Any = NumpyGemm


def matrices(m, n, k, seed=1, scale=1.0):
    source = np.random.default_rng(seed)
    a, b = (source.uniform(-1, 1, shape) * scale for shape in ((m, k), (k, n)))
    return a.astype(np.float32), b.astype(np.float32)


def guarded(operands, fault=None, **factors):
    guard = Guard(Gemm(), policy.STRICT, fault=fault)
    return guard.run(operands, **factors)


SHAPES = [(40, 50, 60), (1, 1, 1), (1, 300, 7), (300, 1, 7), (7, 5, 900), (64, 64, 1)]


@pytest.mark.parametrize("m, n, k", SHAPES)
@pytest.mark.parametrize("alpha, beta", [(1.0, 0.0), (-2.5, 0.0), (0.5, 0.75), (0.0, 1.0)])
def test_a_right_product_is_not_flagged(m, n, k, alpha, beta):
    one = guarded(Operands(*matrices(m, n, k)), alpha=alpha, beta=beta)
    assert one.checked
    assert one.corrected.flagged == 0
    assert one.worst < 1


@pytest.mark.parametrize("m, n, k", SHAPES)
@pytest.mark.parametrize("alpha, beta", [(1.0, 0.0), (-2.5, 0.5)])
@pytest.mark.parametrize("value", [1e3, 3e38, math.nan, math.inf, -math.inf])
def test_a_fault_is_found_and_healed(m, n, k, alpha, beta, value):
    operands = Operands(*matrices(m, n, k))
    right = np.float32(alpha) * (operands.a @ operands.b) + np.float32(beta) * operands.c

    def fault(c):
        c[m // 2, n // 2] = value

    one = guarded(operands, fault, alpha=alpha, beta=beta)
    assert (one.corrected.detections, one.corrected.elements) == (1, 1)
    assert (one.corrected.corrections, one.corrected.false_positives) == (1, 0)
    assert np.allclose(operands.result(), right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "columns, projections, low, high",
    [
        # Of two equal faults one vector misses half, two a quarter; neighbours they never miss.
        ((3, 9), 1, 76, 124),
        ((3, 9), 2, 129, 171),
        ((4, 5), 1, 76, 124),
        ((4, 5), 2, 200, 200),
    ],
)
@pytest.mark.parametrize("n", [40, 41])
def test_equal_faults_that_cancel_in_one_vector_are_seen_by_two(n, columns, projections, low, high):
    if n % 2 and low == high:
        low, high = 129, 171  # vectors of odd length are drawn apart

    def fault(c):
        c[:, columns] += np.float32([1, -1])

    told = replace(policy.STRICT, projections=projections)
    operands = Operands(*matrices(1, n, 30))
    guard = Guard(Gemm(), told, 5, fault=fault)
    runs = [guard.run(operands).corrected for _ in range(200)]
    assert low <= sum(it.detections for it in runs if it is not None) <= high


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns, count", [(30, 2), (30, 4), (2, 2)])
def test_a_turned_vector_comes_with_the_one_before_it(columns, count, dtype):
    w = checks.vectors(np.random.default_rng(2), columns, count)
    matrix = np.random.default_rng(3).random((700, columns)).astype(dtype)
    found, squares = sums.projected(matrix, w.astype(dtype), turned=True)
    assert np.allclose(found, matrix @ w.T, atol=1e-5)
    assert np.allclose(squares, np.square(matrix).sum(axis=1))
    assert (w[::2] * w[1::2]).sum() == 0
    assert set(w.ravel()) == {-1, 1}


def test_many_wrong_rows_are_all_healed():
    operands = Operands(*matrices(200, 30, 20))
    one = guarded(operands, lambda c: c.fill(np.nan))
    assert (one.corrected.detections, one.corrected.corrections) == (200, 200)
    assert np.allclose(operands.result(), operands.a @ operands.b, atol=1e-5)


def test_a_check_that_is_too_sharp_is_a_false_alarm_and_no_detection(monkeypatch):
    operands = Operands(*matrices(60, 60, 60))
    taken = checks.residuals

    def sharp(*arguments):
        found = taken(*arguments)
        return checks.Residuals(found.values, found.tolerance * 1e-3)

    monkeypatch.setattr(checks, "residuals", sharp)
    found = guarded(operands).corrected
    assert found.false_positives > 0
    assert found.detections == 0


def test_what_is_not_finite_in_the_factors_is_neither_fault_nor_false_alarm():
    a, b = matrices(20, 30, 40)
    a[4, 5] = np.nan
    found = guarded(Operands(a, b)).corrected
    assert (found.undefined, found.detections, found.false_positives) == (1, 0, 0)


@pytest.mark.parametrize("scale", [1e-22, 1e-16, 1e-12, 1e12, 1e17])
def test_numbers_whose_squares_float32_cannot_hold(scale):
    operands = Operands(*matrices(40, 50, 60, scale=scale))
    assert guarded(operands).corrected.flagged == 0

    def fault(c):
        c[3, 4] = np.float32(1e-5) if scale < 1 else np.float32(-3e38)

    found = guarded(operands, fault).corrected
    assert (found.detections, found.corrections) == (1, 1)


def test_rows_of_very_different_size_have_tolerances_of_their_own():
    a, b = matrices(80, 80, 80)
    a *= np.logspace(-6, 6, 80, dtype=np.float32)[:, None]
    a[:, 3] *= np.float32(1e4)
    b[3] *= np.float32(1e4)
    assert guarded(Operands(a, b)).corrected.flagged == 0

    def fault(c):
        c[0, 0] += np.float32(3e4) * np.abs(c[0]).mean()

    assert guarded(Operands(a, b), fault).corrected.detections == 1


def test_nothing_to_check():
    assert not guarded(Operands(*matrices(0, 4, 4))).checked
    one = guarded(Operands(*matrices(4, 5, 0)))
    assert one.checked
    assert one.corrected.flagged == 0


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(0, 9999))
@settings(max_examples=40, deadline=None)
def test_any_shape_any_place(m, n, k, seed):
    source = np.random.default_rng(seed)
    operands = Operands(*matrices(m, n, k, seed))
    clean = guarded(operands)
    i, j = source.integers(m), source.integers(n)

    def fault(c):
        c[i, j] += np.float32(1)

    found = guarded(operands, fault).corrected
    assert clean.corrected.flagged == 0
    assert (found.detections, found.elements, found.corrections) == (1, 1, 1)


def test_a_policy_may_sample():
    told = replace(policy.STRICT, sampling_period=4)
    result = run_session(Gemm(), Operands(*matrices(8, 8, 8)), 9, told).to_json()
    assert result["checked"] == 3
    assert result["false_positive_rate"] == 0.0


def test_a_session_of_no_check_has_no_rate():
    told = replace(policy.STRICT, sampling_period=100)
    guard = Guard(Gemm(), told)
    operands = Operands(*matrices(8, 8, 8))
    assert [guard.run(operands).checked for _ in range(3)] == [True, False, False]
    assert Rails(told).false_positive_rate is None
    assert Rails(told).overhead_percent is None


def test_a_session_tells_faults_pairs_and_errors():
    numbers = count()

    def fault(c):
        if next(numbers) == 2:
            c[1, 1] = np.inf

    operands = Operands(*matrices(8, 8, 8), np.ones((8, 8), np.float32))
    before = operands.c.copy()
    result = run_session(
        Gemm(), operands, 5, fault=fault, beta=1.0, before=before, look=lambda: 0.0
    )
    told = result.to_json()
    assert (told["detections"], told["corrections"], told["false_positives"]) == (1, 1, 0)
    assert (told["disable_events"], told["disable_reason"]) == (0, None)
    assert [it["order"] for it in told["pairs"]] == ["ab", "ba"]
    assert len(result.wall_s) == len(result.cpu_s) == 5
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize(
    "seen, reason",
    [
        ([Seen(True, 1, 0, error=0.01)], "correctness"),
        ([Seen(True, 1, 0, error=math.nan)], "correctness"),
        ([Seen(True, 1, 0, false_positives=1)], "false_positives"),
        (
            [Seen(True, 1, 0.06)] * 8,
            "overhead: 6.00 %, surely more than 6.00 %, by 8 checks; 5 % allowed",
        ),
        ([Seen(True, 1, 0.04)] * 10, "overhead: 4.00 %"),
        ([Seen(True, 1, 0.06)] * 7, None),
        ([Seen(True, 1, 0.04)] * 9, None),
        # A machine that does other things holds up some checks: that is no cost of the guard.
        ([Seen(True, 1, 0.5), *[Seen(True, 1, 0.01)] * 4] * 9, None),
        ([Seen(True, 1, 0.5), *[Seen(True, 1, 0.01)] * 9], None),
        ([Seen(True, 1e-4, 1e-3)] * 9, None),
        ([Seen(False, 1, 0, false_positives=1)], None),
        ([Seen(True, 1, None)] * 9, None),
        ([Seen(True, 1, None), *[Seen(True, 1, 0.06)] * 8], "overhead"),
    ],
)
def test_guardrails(seen, reason):
    rails = Rails(policy.STRICT)
    for it in seen:
        rails = rails.after(it)
    assert (rails.reason is None) == (reason is None)
    if reason is not None:
        assert rails.reason.startswith(reason)
        assert rails.after(Seen(True, 1, 0)) == rails


def test_without_hysteresis_the_first_violation_counts():
    rails = Rails(replace(policy.STRICT, hysteresis=False))
    for _ in range(8):
        rails = rails.after(Seen(True, 1, 0.04))
    assert rails.reason is not None


def test_a_guard_that_samples_is_judged_by_what_it_adds_to_all_products():
    rails = Rails(replace(policy.STRICT, sampling_period=10))
    for turn in range(200):
        due = turn % 10 == 0
        rails = rails.after(Seen(due, 1, 0.2 if due else 0.0))
    assert rails.reason is None
    assert rails.surely_percent == pytest.approx(2.0)


def test_false_alarms_in_a_row_are_those_of_checks_whatever_lies_between_them():
    rails = Rails(replace(policy.STRICT, false_positive_violations=2))
    alarm, unchecked = Seen(True, 1, 0, false_positives=1), Seen(False, 1, 0)
    assert rails.after(alarm).after(unchecked).reason is None
    assert rails.after(alarm).after(unchecked).after(alarm).reason is not None


def test_a_guard_that_is_off_checks_no_more():
    told = run_session(Gemm(), Operands(*matrices(8, 8, 8)), 6, look=lambda: math.inf).to_json()
    assert (told["disable_events"], told["checked"]) == (1, 1)


@pytest.mark.parametrize("call", [run_session, faults.recall])
def test_the_memory_of_a_guard_is_given_back_when_something_fails(monkeypatch, call):
    freed = []
    monkeypatch.setattr(Guard, "free", lambda guard: freed.append(guard.policy))
    monkeypatch.setattr(checks, "residuals", lambda *_given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call(Gemm(), Operands(*matrices(8, 8, 8)), 3)
    assert len(freed) == 1


def test_recall_of_the_deployed_check():
    operands = Operands(*matrices(150, 160, 170))
    found = faults.recall(Gemm(), operands, 1500, seed=3)
    assert found.uniform == faults.Counted(1500, 1500)
    assert found.critical.found == found.critical.of > 1400
    assert found.alarms == faults.Counted(0, 1500)
    assert found.to_json()["uniform"]["low"] > 0.99


def rounding(a, b):
    """Eight deviations of what rounding does to a row of a b, by the rows' squares in float64."""
    a, b = a.astype(float), b.astype(float)
    of_c, of_terms = (np.square(it).sum(axis=1) for it in (a @ b, a))
    of_terms *= np.square(b).sum() / len(b)
    return 8 * 2.0**-24 * np.sqrt(len(b) / 3 * (of_c / 3 + of_terms / 2))


@pytest.mark.parametrize("least", [-1, 0])
def test_a_tolerance_is_hardly_wider_than_what_rounding_explains(least):
    # Recall is measured by the tolerance that a check tells: one that is too wide has all of it.
    source = np.random.default_rng(1)
    a, b = (source.uniform(least, 1, shape).astype(np.float32) for shape in ((90, 400), (400, 200)))
    operands, gemm = Operands(a, b), Gemm()
    gemm.run(operands)
    flagged, tolerance = Guard(gemm, policy.STRICT).look(operands, anew=True)
    share = tolerance / rounding(a, b)
    assert share.min() >= 1
    assert share.max() < 1.2
    assert not flagged.any()
    worst = [Guard(gemm, policy.STRICT, seed).run(operands).worst for seed in range(20)]
    assert 0.1 < max(worst) < 0.8


def test_what_only_the_squares_of_c_explain_is_no_alarm():
    source = np.random.default_rng(1)
    operands = Operands(*(source.random((300, 300), np.float32) + 1 for _ in range(2)))
    guard = Guard(Gemm(), policy.STRICT)
    one = guard.run(operands)
    assert (one.corrected.flagged, one.worst < 1) == (0, True)

    def fault(c):
        c[7, 8] += 2 * rounding(operands.a, operands.b)[7]

    guard.fault = fault
    assert guard.run(operands).corrected.detections == 1


def test_recall_sees_a_check_that_is_blind(monkeypatch):
    operands = Operands(*matrices(50, 60, 70))
    taken = sums.sums

    def blind(a, b, _c, w, _before=None, **_named):
        return taken(a, b, a @ b, w)

    monkeypatch.setattr(sums, "sums", blind)
    assert faults.recall(Gemm(), operands, 50).uniform.found == 0


def test_recall_sees_a_check_that_cries_wolf(monkeypatch):
    monkeypatch.setattr(checks, "DEVIATIONS", 1e-3)
    assert faults.recall(Gemm(), Operands(*matrices(50, 60, 70)), 50).alarms.found > 0


def test_counts_have_an_interval():
    found = faults.Counted(100_000, 100_000).to_json()
    assert (found["share"], found["high"]) == (1.0, 1.0)
    assert found["low"] == pytest.approx(0.005 ** (1 / 100_000))


def test_of_nothing_there_is_no_share():
    assert faults.Counted(0, 0).to_json() == {
        "found": 0,
        "of": 0,
        "share": None,
        "low": None,
        "high": None,
    }


def test_overhead_is_measured_in_pairs_whatever_the_limits():
    found = overhead(Gemm(), Operands(*matrices(8, 8, 8)), 9).to_json()
    assert len(found["pairs"]) == 9
    assert found["cpu_percent"]["low"] > 0
    assert overhead(Gemm(), Operands(*matrices(8, 8, 8)), 2).wall is None


def test_policies():
    told = policy.policy_of(ARCHIVED)
    assert (told.sampling_period, told.max_overhead_percent) == (10, 3.5)
    assert "abft_mode.row_samples" in told.replaced
    assert policy.policy_of(None) == policy.STRICT
    assert policy.STRICT.sampling_period == 1


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("abft_mode", "sampling_period", 0),
        ("abft_mode", "sampling_period", 2.5),
        ("abft_mode", "sampling_period", True),
        ("abft_mode", "sampling_perod", 1),
        ("abft_mode", "residual_scale", "5"),
        ("abft_mode", "residual_scale", -5),
        ("runtime_guardrails", "max_overhead_delta_vs_baseline_percent", math.nan),
        ("runtime_guardrails", "disable_if_correctness_error_gt", math.nan),
        ("runtime_guardrails", "disable_if_correctness_error_gt", -1),
        ("runtime_guardrails", "disable_if_correctness_error_gt", 10**400),
        ("runtime_guardrails", "disable_if_false_positive_rate_gt", 1.5),
        ("runtime_guardrails", "disable_if_effective_overhead_percent_gt_hard", 1),
        ("runtime_guardrails", "stateful_hysteresis", "yes"),
        ("runtime_guardrails", "disable_if_overhead_gt", 1),
    ],
)
def test_a_policy_with_a_mistake_names_the_key(section, key, value):
    broken = {**ARCHIVED, section: {**ARCHIVED[section], key: value}}
    with pytest.raises(CockpitError) as caught:
        policy.policy_of(broken, "policies/t5.json")
    assert str(caught.value).startswith(f"policies/t5.json: {section}: {key}") or (
        f"unknown key {key}" in str(caught.value)
    )
    assert "\n" not in str(caught.value)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*ARCHIVED, "scope", "x"]), JUNK | st.just({})) | JUNK)
@example({"\n": None})
@settings(max_examples=60, deadline=None)
def test_a_policy_of_anything_is_read_or_refused(data):
    said = ""
    try:
        policy.policy_of(data)
    except CockpitError as error:
        said = str(error)
    assert "\n" not in said


ON_DEVICE = """
import json, math, os
import numpy as np
from pytest_cockpit_gates.gemm.abft import faults, policy, session
from pytest_cockpit_gates.gemm.abft.guard import Guard
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
device = open_device(sys.argv[1])
told = []
for m, n, k in ((200, 200, 200), (1, 37, 5), (67, 3, 130), (5, 5, 0)):
    operands = Operands(device, m, n, k)
    operands.load(*inputs(m, n, k, 3), np.ones((m, n), np.float32))
    gemm = Gemm(device, families.variants(sys.argv[1])[0], m, n, k)
    for alpha, beta in ((1.0, 0.0), (-0.5, 0.0), (2.0, 0.5)):
        for value in (None, 1e3, math.nan, math.inf):
            def fault(c):
                if value is not None:
                    c[m // 2, n - 1] = value
            guard = Guard(gemm, policy.STRICT, 1, fault=fault)
            before = operands.result().copy()
            one = guard.run(operands, alpha, beta)
            right = alpha * (operands.a.astype(float) @ operands.b) + (beta * before if beta else 0)
            apart = float(np.abs(operands.result() - right).max())
            told.append((value is not None, one.corrected.detections, one.corrected.flagged,
                         one.worst < 1, apart))
    if m == 200:
        found = faults.recall(gemm, operands, 400).to_json()
        a, b = (it.astype(float) for it in (operands.a, operands.b))
        if guard.fused is not None:
            a, b = b.T, a.T
        of_c, of_terms = (np.square(it).sum(axis=1) for it in (a @ b, a))
        of_terms *= np.square(b).sum() / k
        explained = 8 * 2.0**-24 * np.sqrt(n / 3 * (of_c / 3 + of_terms / 2))
        shares = guard.look(operands, anew=True)[1] / explained
print(json.dumps({"told": told, "found": found, "shares": [shares.min(), shares.max()]}))
"""


@pytest.mark.parametrize("platform", ["pocl", "rusticl", "clover"])
def test_on_real_devices(platform):
    told = script(platform, ON_DEVICE, platform)
    least, most = told["shares"]
    assert 1 <= least <= most < 1.4
    for faulty, detections, flagged, fits, apart in told["told"]:
        assert (detections, flagged, fits) == (faulty, faulty, True)
        assert apart < 1e-4
    assert told["found"]["uniform"]["share"] == told["found"]["critical"]["share"] == 1.0
    assert told["found"]["alarms"]["found"] == 0


INSIDE = """
import json
import numpy as np
from pytest_cockpit_gates.gemm.abft import checks, faults, fused, policy, session
from pytest_cockpit_gates.gemm.abft.guard import Guard
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
device = open_device("pocl")
told = []
known = [it for it in families.variants("pocl") if it.family == "panels"]
for variant in known[:2]:
    for m, n, k in ((203, 190, 401), (1, 37, 5), (67, 3, 130), (64, 256, 800)):
        operands = Operands(device, m, n, k)
        operands.load(*inputs(m, n, k, 3))
        gemm = Gemm(device, variant, m, n, k)
        gemm.run(operands, -1.5)
        right = operands.result().copy()
        guard = Guard(gemm, policy.STRICT, 1)
        operands.result()[:] = np.nan
        clean = guard.run(operands, -1.5)
        same = np.array_equal(right, operands.result())
        for value in (0.5, float("nan"), float("inf"), 3e38):
            def fault(c):
                c[m // 2, n - 1] += value
                c[0, 0] -= value
            guard.fault = fault
            found = guard.run(operands, -1.5).corrected
            apart = float(np.abs(right - operands.result()).max())
            told.append([same, clean.corrected.flagged, clean.worst < 1, found.detections,
                         found.corrections, 1 + (n > 1), found.false_positives, apart < 1e-4])
undefined = []
wide = Operands(device, 64, 900, 90)
guard = Guard(Gemm(device, known[0], 64, 900, 90), policy.STRICT, 1)
for column in (0, 500, 899):
    a, b = inputs(64, 900, 90, 4)
    b[45, column] = np.nan
    wide.load(a, b)
    undefined.append(guard.run(wide).corrected.undefined)
operands.load(*inputs(m, n, k, 4))
result = session.run_session(gemm, operands, 5).to_json()
recall = faults.recall(gemm, operands, 512).to_json()
print(json.dumps({
    "told": told,
    "without": [it.id for it in known if fused.text(it) is None],
    "undefined": undefined,
    "pairs": len(result["pairs"]), "checked": result["checked"], "recall": recall,
}))
"""


def test_inside_of_packed_panels():
    told = script("pocl", INSIDE)
    assert told["without"] == []
    for same, flagged, fits, detections, corrections, wrong, alarms, healed in told["told"]:
        assert same
        assert fits
        assert healed
        assert (flagged, detections, corrections, alarms) == (0, wrong, wrong, 0)
    assert told["undefined"] == [1, 1, 1]  # seen by the kernel itself, where a fault is looked for
    assert (told["pairs"], told["checked"]) == (4, 5)
    assert told["recall"]["uniform"]["share"] == told["recall"]["critical"]["share"] == 1.0
    assert told["recall"]["alarms"]["found"] == 0


CROWDED = """
import json
import pyopencl as cl
from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.abft import fused, policy
from pytest_cockpit_gates.gemm.abft.guard import Guard
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
device = open_device("pocl")
variant = next(it for it in families.variants("pocl") if it.family == "panels")
operands, gemm = Operands(device, 8, 8, 8), Gemm(device, variant, 8, 8, 8)
operands.load(*inputs(8, 8, 8, 3))
guard = Guard(gemm, policy.STRICT, 1)
said, silent = [], []
def idle(*given):
    pass
def refuse(*given, **named):
    raise cl.MemoryError("enqueue failed: MEM_OBJECT_ALLOCATION_FAILURE")
launch, fused.cl.enqueue_nd_range_kernel = fused.cl.enqueue_nd_range_kernel, refuse
try:
    guard.run(operands)
except CockpitError as error:
    said.append(str(error))
fused.cl.enqueue_nd_range_kernel = launch
guard.run(operands)
for nothing in (guard.fused, None):
    # A driver that does nothing any more, where all was well a moment ago.
    guard.fused = nothing
    guard.run(operands)
    fused.cl.enqueue_nd_range_kernel = lambda *given: None
    if nothing is None:
        guard._summing._kernel = gemm.launcher._pack = gemm.launcher._multiply = idle
    operands.renew(None)
    found = guard.run(operands)
    silent.append([found.corrected.detections, found.corrected.corrections])
    fused.cl.enqueue_nd_range_kernel = launch
device.info["global_mem_bytes"] = 4096
gemm = Gemm(device, variant, 8, 8, 8)
beside = Guard(gemm, policy.STRICT, 1)
found = beside.run(operands)
print(json.dumps([said, silent, beside.fused is None, found.checked, found.corrected.flagged]))
"""


def test_a_check_that_has_no_memory_or_does_not_run_is_none():
    said, silent, beside, checked, flagged = script("pocl", CROWDED)
    assert silent == [[8, 8], [8, 8]]
    assert len(said) == 1
    assert said[0].startswith("gemm: pocl: no memory for the check of a multiplication of 8 x 8")
    assert (beside, checked, flagged) == (True, True, 0)


def test_a_kernel_of_another_shape_has_no_check_inside():
    fused = pytest.importorskip(
        "pytest_cockpit_gates.gemm.abft.fused", reason="pyopencl is not installed"
    )

    def having(text):
        return SimpleNamespace(text=lambda: text, parameters={})

    assert fused.text(having("void multiply(const int across) {}")) is None
    assert fused.text(having("")) is None
