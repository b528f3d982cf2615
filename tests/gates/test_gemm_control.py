"""The selector of variants: what it tries, serves and drops, and what it remembers."""

from __future__ import annotations

import fcntl
import json
import math
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.control import policy, state
from pytest_cockpit_gates.gemm.control.selector import Arm, Choice, Context
from pytest_cockpit_gates.gemm.kernels import families
from tests.gemm_devices import script

np = pytest.importorskip("numpy", reason="numpy is not installed")

from pytest_cockpit_gates.gemm.control import session  # noqa: E402

ARCHIVED: dict[str, Any] = {
    "policy_id": "t3-controlled",
    "selector_policy": {
        "epsilon": 0.04,
        "bootstrap_weight": 3.0,
        "warmup_steps_per_context": 2,
    },
    "bootstrap": {"min_delta_for_nonstatic": 8.0, "freeze_sizes": [1400, 2048]},
    "guardrails": {
        "fallback_regression_limit": 0.07,
        "disable_if_fallback_rate_gt": 0.08,
        "disable_if_correctness_error_gt": 0.001,
    },
    "drift_guardrails": {"max_t3_throughput_drop_vs_cold_percent": 20.0},
    "promotion_gate": {"max_correctness_failures": 0},
    "rollback_defaults": {"force_static_on_guardrail_breach": True},
}
STATIC, FAST, SLOW = "static", "fast", "slow"


class Bench:
    """Variants with the speeds and the faults that a test wants."""

    def __init__(self, monkeypatch, folder, speeds, faults=()):
        self.folder, self.speeds, self.faults = folder, speeds, dict(faults)
        self.ran: list[str] = []
        self.table: Any = self
        self.variants = tuple(
            SimpleNamespace(id=name, family="f", sha256=f"sha-{name}") for name in speeds
        )
        monkeypatch.setattr(families, "variants", lambda _platform: self.variants)
        self.device: Any = SimpleNamespace(
            platform="pocl", is_gpu=False, info={"platform": "pocl", "fingerprint": "aa/11"}
        )
        source = np.random.default_rng(1)
        a, b = (source.uniform(-1, 1, (20, 20)).astype(np.float32) for _ in range(2))
        self.operands: Any = SimpleNamespace(a=a, b=b, m=20, n=20, k=20, c=np.zeros_like(a))
        self.operands.result = lambda: self.operands.c
        self.operands.renew = lambda _before: self.operands.c.fill(np.nan)

    def best(self, info, m, n, k):
        return self.variants[0]

    def make(self, variant):
        if self.faults.get(variant.id) == "refused":
            raise CockpitError("gemm: cannot build\na kernel")

        def run(operands, alpha=1.0, beta=0.0):
            self.ran.append(variant.id)
            if self.faults.get(variant.id) == "silent" and self.ran.count(variant.id) > 1:
                return SimpleNamespace(wall_s=1e-6, cpu_s=1e-6)
            operands.c[:] = np.float32(alpha) * (operands.a @ operands.b)
            if self.faults.get(variant.id) == "wrong":
                operands.c[3, 3] += np.float32(1)
            took = self.speeds[variant.id] * (1 + 0.002 * (len(self.ran) % 3))
            return SimpleNamespace(wall_s=took, cpu_s=took)

        return SimpleNamespace(run=run, free=lambda: None)

    def session(self, iterations=8, told=policy.STRICT, seed=1):
        return session.run_session(
            self.device,
            self.table,
            self.operands,
            iterations,
            told,
            state_folder=self.folder,
            seed=seed,
            make=self.make,
        )

    def sessions(self, number, **given):
        return [self.session(**given) for _ in range(number)]


@pytest.fixture
def bench(monkeypatch, tmp_path):
    def make(speeds, faults=()):
        return Bench(monkeypatch, tmp_path / "state", speeds, faults)

    return make


def test_a_faster_arm_is_served_once_it_is_so_beyond_doubt(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    first, *_, last = it.sessions(4)
    assert first.wall_s[0] >= 1.0
    assert last.variant.id == FAST
    assert last.to_json()["fallback_rate"] == 0.0
    assert last.to_json()["vacuous"] is False


def test_an_arm_within_what_it_has_to_gain_is_never_served(bench):
    it = bench({STATIC: 1.0, FAST: 0.985})
    assert {result.variant.id for result in it.sessions(8)} == {STATIC}


def test_a_slow_arm_is_dropped_and_never_taken_again(bench):
    it = bench({STATIC: 1.0, SLOW: 1.5})
    first = it.session().to_json()
    assert first["arms"][0]["dropped"].startswith("slower by ")
    before = it.ran.count(SLOW)
    later = it.session().to_json()
    assert it.ran.count(SLOW) == before
    assert later["vacuous"] is True
    assert later["fallback_rate"] is None
    assert later["vacuous_reason"] == "all other variants were dropped"


def test_an_arm_within_the_limit_is_kept(bench):
    it = bench({STATIC: 1.0, SLOW: 1.05})
    assert all(result.known.live == (SLOW,) for result in it.sessions(5))


def test_an_arm_that_is_wrong_once_is_dropped_and_what_counts_is_right(bench):
    it = bench({STATIC: 1.0, FAST: 0.5}, {FAST: "wrong"})
    looked = []
    right = it.operands.a @ it.operands.b

    def look():
        looked.append(np.abs(it.operands.c - right).max())

    result = session.run_session(
        it.device, it.table, it.operands, 8, state_folder=it.folder, look=look, make=it.make
    ).to_json()
    assert result["arms"][0]["dropped"].startswith("wrong by 1")
    assert len(looked) == 8
    assert max(looked) < 1e-5


def test_an_arm_that_writes_nothing_any_more_is_not_credited_with_what_was_there(bench):
    it = bench({STATIC: 1.0, FAST: 0.5}, {FAST: "silent"})
    result = it.session().to_json()
    assert result["arms"][0]["dropped"].startswith("wrong by inf")


def test_a_served_arm_that_turns_wrong_falls_back_and_switches_off(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.sessions(4)
    it.faults[FAST] = "wrong"
    results = it.sessions(6)
    off = next(result for result in results if result.known.disabled)
    assert off.fallbacks == 1
    assert off.known.disabled.startswith("correctness: fast wrong by")
    last = results[-1].to_json()
    assert (last["policy_disabled"], last["vacuous"]) == (True, True)
    assert results[-1].variant.id == STATIC


def test_a_served_arm_that_turns_slow_falls_back(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.sessions(4)
    it.speeds[FAST] = 3.0
    results = it.sessions(12)
    assert sum(result.fallbacks for result in results) >= 1
    assert results[-1].variant.id == STATIC


def test_an_arm_that_cannot_be_built_is_dropped(bench):
    it = bench({STATIC: 1.0, FAST: 0.5}, {FAST: "refused"})
    dropped = it.session().to_json()["arms"][0]["dropped"]
    assert "cannot build" in dropped
    assert "\n" not in dropped


def test_an_arm_that_was_proven_and_can_no_longer_be_built_falls_back(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.sessions(4)
    it.faults[FAST] = "refused"
    results = it.sessions(4)
    assert sum(result.fallbacks for result in results) == 1
    assert all(len(result.wall_s) == 8 for result in results)
    assert results[-1].variant.id == STATIC


def test_an_arm_that_took_the_process_along_is_not_tried_again(bench, monkeypatch):
    it = bench({STATIC: 1.0, FAST: 0.5})

    def die(variant):
        if variant.id == FAST:
            raise KeyboardInterrupt
        return Bench.make(it, variant)

    it.make = die
    with pytest.raises(KeyboardInterrupt):
        it.session()
    assert it.session().to_json()["arms"][0]["dropped"].startswith("did not come back")


def test_only_the_arm_of_a_pair_is_credited(bench):
    it = bench({STATIC: 1.0, FAST: 0.9, SLOW: 1.02})
    arms = it.sessions(6)[-1].known.arms
    assert arms[FAST].mean == pytest.approx(math.log(1 / 0.9), abs=0.01)
    assert arms[SLOW].mean == pytest.approx(math.log(1 / 1.02), abs=0.01)


def test_pairs_alternate(bench):
    it = bench({STATIC: 1.0, FAST: 0.99})
    # Two pairs, each begun by another variant, after both have warmed up.
    it.session(iterations=8)
    assert it.ran[:6] == [STATIC, FAST, STATIC, FAST, FAST, STATIC]


@pytest.mark.parametrize(
    "speeds, frozen, reason",
    [
        ({STATIC: 1.0}, (), "there is one variant only"),
        ({STATIC: 1.0, FAST: 0.5}, (20,), "size 20 is frozen by the policy"),
    ],
)
def test_nothing_to_explore_is_vacuous(bench, speeds, frozen, reason):
    it = bench(speeds)
    result = it.session(told=replace(policy.STRICT, frozen=frozenset(frozen))).to_json()
    assert (result["vacuous"], result["vacuous_reason"]) == (True, reason)
    assert result["fallback_rate"] is None
    assert set(it.ran) == {STATIC}


def test_the_same_seed_takes_the_same_variants(monkeypatch, tmp_path):
    ran = []
    for folder in ("one", "two"):
        it = Bench(monkeypatch, tmp_path / folder, {STATIC: 1.0, FAST: 0.99, SLOW: 1.01})
        it.sessions(3)
        ran.append(it.ran)
    assert ran[0] == ran[1]


def test_a_session_spends_few_products_on_trials(bench):
    it = bench({STATIC: 1.0, **{f"v{number}": 1.0 for number in range(9)}})
    it.session(iterations=8)
    assert sum(name != STATIC for name in it.ran) == 2 * 1 + 0 + 1


def stored(it):
    return next(it.folder.glob("t3-*.json"))


def test_knowledge_outlives_the_process(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    states = [result.state for result in it.sessions(2)]
    assert states == ["new", "loaded"]
    assert json.loads(stored(it).read_bytes())["fingerprint"] == "aa/11"


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda _text: b"", "not JSON"),
        (lambda _text: b"\xff\xfe", "not JSON"),
        (lambda _text: b"[]", "started anew: t3-aa_11.json"),
        (lambda text: text.replace(b"gemm-selector/2", b"gemm-selector/1"), "started anew: t3-"),
        (lambda text: text.replace(b'"pairs": 2', b'"pairs": -2'), "started anew: t3-"),
        (lambda text: text.replace(b'"mean": ', b'"mean": 999'), "started anew: t3-"),
        (lambda text: text.replace(b'"served": 0', b'"served": 99'), "counts do not agree"),
        (lambda text: text.replace(b"aa/11", b"bb/22"), "is of another device"),
        (lambda text: text.replace(b"sha-fast", b"sha-slow"), "other kernels"),
    ],
)
def test_a_state_that_is_torn_or_foreign_is_started_anew_and_said(bench, damage, said):
    it = bench({STATIC: 1.0, FAST: 0.99})
    it.session()
    path = stored(it)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    result = it.session()
    assert result.state.startswith("started anew: ")
    assert said in result.state
    assert "\n" not in result.state
    assert result.known.decisions == 8
    assert it.session().state == "loaded"


def test_another_policy_starts_anew(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.session()
    told = replace(policy.STRICT, warmup=3)
    assert it.session(told=told).state == "started anew: the policy is another one"


def test_a_state_that_another_process_holds_is_left_alone(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.session()
    before = stored(it).read_bytes()
    with (it.folder / "t3-aa_11.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = it.session()
    assert "another process holds the state" in result.state
    assert stored(it).read_bytes() == before


def test_a_state_that_cannot_be_locked_is_said(bench, monkeypatch):
    def refuse(*_given):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = bench({STATIC: 1.0, FAST: 0.5}).session().state
    assert said == (
        "started anew: the state cannot be locked (No locks available); nothing is kept"
    )


def test_a_folder_that_cannot_be_written_is_said(bench):
    it = bench({STATIC: 1.0, FAST: 0.5})
    it.folder.parent.mkdir(exist_ok=True)
    it.folder.write_text("a file")
    with pytest.raises(CockpitError, match="cannot keep what a selector learns"):
        it.session()


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_welford(rewards):
    arm = Arm()
    for reward in rewards:
        arm = arm.credited(reward)
    assert arm.mean == pytest.approx(np.mean(rewards), abs=1e-9)
    assert arm.spread == pytest.approx(np.var(rewards) * len(rewards), abs=1e-9)


def test_noise_alone_drops_and_serves_hardly_any_arm():
    chooser = random.Random(4)
    told = policy.STRICT
    served = dropped = 0
    for _ in range(300):
        known = Context({"a": Arm()})
        for _ in range(8):
            choice = Choice("a", paired=True)
            known = known.learned(choice, chooser.gauss(0, 0.05), "", told)
        served += bool(known._proven(told))
        dropped += not known.live
    assert served <= 6
    assert dropped <= 6


def test_one_pair_drops_nothing_and_noisy_pairs_hardly_ever():
    slow = Context({"a": Arm()}).learned(Choice("a", paired=True), -0.5, "", policy.STRICT)
    assert slow.live == ("a",)
    chooser, dropped = random.Random(5), 0
    for _ in range(300):
        known = Context({"a": Arm()})
        for _ in range(8):
            known = known.learned(
                Choice("a", paired=True), chooser.gauss(0, 0.5), "", policy.STRICT
            )
        dropped += not known.live
    assert dropped <= 9


def test_noise_switches_no_selector_off():
    chooser = random.Random(6)
    known = Context({"a": Arm(20, 0.3, 20 * 0.3**2)})
    for count in range(400):
        choice = Choice("a", served=True, paired=count % 4 == 0)
        reward = chooser.gauss(0.3, 0.3) if choice.paired else None
        known = known.learned(choice, reward, "", policy.STRICT)
    assert (known.disabled, known.live) == (None, ("a",))


def test_too_many_fallbacks_switch_off():
    known = Context({"a": Arm(5, 0.5, 0.0)})
    served = Choice("a", served=True, paired=True)
    for _ in range(11):
        known = known.learned(Choice("a", served=True), None, "", policy.STRICT)
    known = known.learned(served, -1.0, "", policy.STRICT)
    # One of twelve is more than 8 %, and says nothing.
    assert (known.fallbacks, known.disabled) == (1, None)
    while known.disabled is None and known.decisions < 100:
        known = replace(known, arms={"a": Arm(5, 0.5, 0.0)}).learned(
            served, -1.0, "", policy.STRICT
        )
    assert known.disabled is not None
    assert known.disabled.startswith(f"fallback: {known.fallbacks} of {known.decisions} products")
    assert known.disabled.endswith("of them, 0.08 allowed")
    assert known.choose(policy.STRICT, random.Random(1)) == Choice()


def test_policies():
    told = policy.policy_of(ARCHIVED)
    assert told.frozen == {1400, 2048}
    assert (told.regression_limit, told.min_gain_percent) == (0.07, 8.0)
    assert policy.policy_of(None) == policy.STRICT


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("selector_policy", "epsilon", 1.5),
        ("selector_policy", "epsilon", math.nan),
        ("selector_policy", "bootstrap_weight", 0),
        ("selector_policy", "epsillon", 0.1),
        ("bootstrap", "freeze_sizes", [0]),
        ("bootstrap", "freeze_sizes", 1400),
        ("guardrails", "fallback_regression_limit", -0.1),
        ("guardrails", "fallback_limit", 0.1),
        ("drift_guardrails", "max_t3_throughput_drop_vs_cold_percent", "20"),
        ("promotion_gate", "max_failures", 0),
        ("rollback_defaults", "force_static_on_guardrail_breach", 1),
    ],
)
def test_a_policy_with_a_mistake_names_the_key(section, key, value):
    broken = {**ARCHIVED, section: {**ARCHIVED[section], key: value}}
    with pytest.raises(CockpitError) as caught:
        policy.policy_of(broken, "policies/t3.json")
    text = str(caught.value)
    assert text.startswith(f"policies/t3.json: {section}: ")
    assert key in text
    assert "\n" not in text


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*ARCHIVED, "scope", "x"]), JUNK | st.just({})) | JUNK)
@settings(max_examples=60, deadline=None)
def test_a_policy_of_anything_is_read_or_refused(data):
    said = ""
    try:
        policy.policy_of(data)
    except CockpitError as error:
        said = str(error)
    assert "\n" not in said


@given(JUNK | st.fixed_dictionaries({"schema": st.just("pytest-cockpit/gemm-selector/2")}))
@settings(max_examples=60, deadline=None)
def test_a_state_of_anything_is_started_anew(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("state")
    (folder / "t3-a.json").write_text(json.dumps(data))
    with state.held(folder, "a", "p") as found:
        assert found.said.startswith("started anew: ")
        assert found.contexts == {}


ON_DEVICE = """
import json
from pathlib import Path
from pytest_cockpit_gates.gemm.control import session
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
from pytest_cockpit_gates.gemm.kernels.table import Table
device = open_device(sys.argv[1])
operands = Operands(device, 96, 96, 96)
operands.load(*inputs(96, 96, 96, 3))
told = [
    session.run_session(device, Table(), operands, 8, state_folder=Path("state")).to_json()
    for _ in range(2)
]
print(json.dumps(told))
"""


def test_on_a_real_device():
    first, second = script("pocl", ON_DEVICE, "pocl")
    assert (first["state"], second["state"]) == ("new", "loaded")
    assert sum(arm["pairs"] for arm in second["arms"]) >= 2
    assert first["decisions"] == 8
    assert not any("wrong" in (arm["dropped"] or "") for arm in second["arms"])
