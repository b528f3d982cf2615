"""What a worker of the gate `gemm` can be asked: on real drivers, at sizes that cost nothing."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError
from tests import gemm_devices

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FAULT = "COCKPIT_GEMM_FAULT"
ENDLESS = {
    "policy_id": "endless",
    "runtime_guardrails": {
        "disable_if_effective_overhead_percent_gt": 1e6,
        "disable_if_effective_overhead_percent_gt_hard": 1e6,
    },
}


def begun(tmp_path, platform="pocl", timeout_s=30.0, **options):
    return Worker(platform, tmp_path / "scratch", timeout_s=timeout_s, **options)


@gemm_devices.on_each_platform
class TestDrivers:
    """Real drivers, at sizes that cost nothing."""

    def test_it_says_where_it_runs(self, platform):
        worker = gemm_devices.worker(platform)
        assert platforms.is_named(platform, worker.info["platform_name"])
        assert worker.info["platform"] == platform
        assert worker.info["device"]
        assert worker.info["driver"]
        assert worker.machine["cores"] >= 1
        assert len(worker.machine["fingerprint"]) == 16
        assert worker.software["numpy"]
        assert worker.software["pyopencl"]
        assert worker.software["variables"]["OCL_ICD_VENDORS"] in {
            "pocl.icd",
            "rusticl.icd",
            "mesa.icd",
        }
        assert os.sep not in json.dumps(worker.software["variables"])

    def test_the_smoke_launches_a_kernel_and_verifies_it(self, platform):
        found = gemm_devices.worker(platform).ask("smoke", size=48)
        assert found["ok"] is True
        assert 0 < found["max_error"] <= found["error_bound"] == found["bound"]
        assert found["variant"].keys() == {"id", "source_sha256"}
        kept = found["shader_cache"]
        if found["device"].startswith("llvmpipe"):
            assert kept["problem"] == ""
            assert kept == gemm_devices.worker(platform).ask("smoke", size=8)["shader_cache"]
        else:
            assert kept is None
        assert found["platform"] == gemm_devices.worker(platform).info["platform_name"]

    @pytest.mark.parametrize("kernel", ["static", "naive"])
    @pytest.mark.parametrize(
        ("m", "n", "k", "alpha", "beta"),
        [(1, 1, 1, 1.0, 0.0), (7, 5, 3, -2.0, 0.5), (0, 4, 4, 1.0, 1.0), (4, 4, 0, 1.0, 2.0)],
    )
    def test_a_session_is_right_and_timed(self, platform, kernel, m, n, k, alpha, beta):
        found = gemm_devices.worker(platform).ask(
            "session", kernel=kernel, m=m, n=n, k=k, alpha=alpha, beta=beta, seed=5, iterations=3
        )
        assert found["ok"] is True
        assert found["max_error"] <= found["error_bound"]
        assert len(found["wall_s"]) == len(found["cpu_s"]) == 3
        assert min(found["wall_s"]) >= 0
        assert (found["t3"], found["t5"]) == (None, None)
        assert (found["variant"]["id"] == "naive") == (kernel == "naive")

    def test_what_is_too_long_for_an_image_is_done_by_another_variant(self, platform):
        worker = gemm_devices.worker(platform)
        found = worker.ask("session", kernel="static", m=8, n=8, k=16400, seed=5, iterations=1)
        assert found["ok"] is True
        if worker.info["image_height"] < 16400:
            assert not found["variant"]["id"].startswith("texel-images")

    @pytest.mark.parametrize("beta", [0.0, 0.5])
    def test_a_controlled_session_says_what_was_explored(self, platform, beta):
        found = gemm_devices.worker(platform).ask(
            "session", kernel="auto_t3_controlled", m=24, n=16, k=20, beta=beta, seed=2,
            iterations=4, t3_policy={"policy_id": "mine"},
        )  # fmt: skip
        assert found["ok"] is True
        assert len(found["wall_s"]) == len(found["cpu_s"]) == 4
        assert (found["t3"]["policy"], found["t5"]) == ("mine", None)
        assert found["t3"]["vacuous"] == (found["t3"]["fallback_rate"] is None)
        assert found["variant"] == found["t3"]["variant"]

    @pytest.mark.parametrize("beta", [0.0, 0.5])
    def test_a_guarded_session_says_what_was_checked(self, platform, beta):
        found = gemm_devices.worker(platform).ask(
            "session", kernel="auto_t5_guarded", m=24, n=16, k=20, beta=beta, seed=2,
            iterations=4, t5_policy=ENDLESS,
        )  # fmt: skip
        assert found["ok"] is True
        assert found["t3"] is None
        assert found["t5"]["policy"] == "endless"
        assert (found["t5"]["checked"], found["t5"]["detections"]) == (4, 0)
        assert found["t5"]["pairs"]

    def test_overhead_and_recall_of_the_guard(self, platform):
        worker = gemm_devices.worker(platform)
        found = worker.ask("overhead", size=32, pairs=8, seed=1, t5_policy=ENDLESS)
        assert (len(found["pairs"]), found["policy"], found["ok"]) == (8, "endless", True)
        found = worker.ask("recall", size=32, injections=64, seed=1, t5_policy=ENDLESS)
        assert found["uniform"]["of"] >= 64
        assert found["uniform"]["share"] == found["critical"]["share"] == 1
        assert found["alarms"]["found"] == 0

    def test_a_guard_finds_what_a_broken_driver_did(self, platform, tmp_path):
        gemm_devices.require(platform)
        with begun(tmp_path, platform, env={FAULT: "nan@session"}) as worker:
            arguments = {"m": 12, "n": 12, "k": 12, "seed": 1, "iterations": 3}
            found = worker.ask("session", kernel="auto_t5_guarded", **arguments)
            assert found["ok"] is True
            assert found["t5"]["detections"] >= 1
            found = worker.ask("session", kernel="auto_t3_controlled", **arguments)
            assert (found["ok"], found["max_error"]) == (False, None)

    @pytest.mark.parametrize("kernel", ["auto_t3_controlled", "auto_t5_guarded"])
    def test_a_policy_that_is_none_is_refused(self, platform, kernel):
        policies = {"t3_policy": {"epsilon": 1}, "t5_policy": {"epsilon": 1}}
        with pytest.raises(WorkerError, match="policy: unknown key epsilon; remove it"):
            gemm_devices.worker(platform).ask(
                "session", kernel=kernel, m=8, n=8, k=8, seed=1, iterations=1, **policies
            )

    def test_samples_are_taken_on_kept_operands(self, platform):
        worker = gemm_devices.worker(platform)
        found = [worker.ask("sample", size=size, seed=1) for size in (24, 24, 16, 8, 24)]
        assert all(it["ok"] and it["wall_s"] > 0 for it in found)
        guarded = worker.ask("sample", size=24, seed=1, kernel="auto_t5_guarded")
        assert (
            guarded["max_error"]
            == found[0]["max_error"]
            == found[1]["max_error"]
            == found[4]["max_error"]
        )

    def test_pressure_is_judged_too(self, platform):
        found = gemm_devices.worker(platform).ask("pressure", size=32, iterations=2, seed=9)
        assert (found["ok"], len(found["wall_s"])) == (True, 2)

    def test_a_variant_can_be_fixed(self, platform):
        worker = gemm_devices.worker(platform)
        arguments = {"m": 9, "n": 9, "k": 9, "seed": 1, "iterations": 1}
        found = worker.ask("session", kernel="static", variant="naive", **arguments)
        assert found["variant"]["id"] == "naive"
        with pytest.raises(WorkerError, match="no variant is called nobody; known: "):
            worker.ask("session", kernel="static", variant="nobody", **arguments)

    @pytest.mark.parametrize(
        ("op", "arguments", "said"),
        [
            ("dance", {}, "no operation 'dance'; operations: describe, "),
            ("_opened", {}, "no operation '_opened'"),
            ("smoke", {"sizes": 3}, "smoke takes no 'sizes'; it takes seed, size"),
            ("smoke", {"say": 3}, "smoke takes no 'say'"),
            ("tune", {"sizes": [8, 0]}, "tune: sizes is 0; it can be 1 to 32768"),
            ("smoke", {"size": 0}, "smoke: size is 0; it can be 1 to 32768"),
            ("smoke", {"size": 1 << 20}, "size is 1048576; it can be 1 to 32768"),
            ("smoke", {"size": "8"}, "smoke: size is 8, which is of no use there"),
            ("smoke", {"size": True}, "smoke: size is True, which is of no use there"),
            ("smoke", {"size": 2.5}, "smoke: size is 2.5"),
            ("pressure", {"size": 8}, "pressure: missing a required argument"),
            ("session", {"t3_policy": 3}, "session: t3_policy is 3, which is of no use there"),
            ("tune", {"sizes": []}, r"tune: sizes is \[\]"),
            ("tune", {"sizes": [8, "x"]}, "tune: sizes is "),
            ("sample", {"size": 8, "seed": 1, "kernel": "fast"}, "no kernel 'fast'; kernels: "),
        ],
    )
    def test_what_it_cannot_do_is_refused_and_it_goes_on(self, platform, op, arguments, said):
        worker = gemm_devices.worker(platform)
        pid = worker.pid
        with pytest.raises(WorkerError, match=said) as caught:
            worker.ask(op, **arguments)
        assert (caught.value.kind, caught.value.returncode) == ("refused", None)
        assert worker.ask("smoke", size=8)["ok"]
        assert worker.pid == pid

    @LINUX
    def test_no_memory_is_a_reason(self, platform):
        worker = gemm_devices.worker(platform)
        # What is compiled under the limit may take the driver down: that is another test.
        worker.ask("session", kernel="naive", m=8, n=8, k=8, seed=1, iterations=1)
        pid = worker.pid or 0
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        now = pages * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(pid, resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
        try:
            with pytest.raises(WorkerError, match=r"take a(nother variant,)? .*size") as caught:
                worker.ask("session", kernel="naive", m=4096, n=4096, k=64, seed=1, iterations=1)
        finally:
            forever = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_AS, forever)
        assert caught.value.kind == "refused"
        assert worker.ask("smoke", size=8)["ok"]
        assert worker.pid == pid

    def test_a_driver_that_returns_garbage_is_noticed(self, platform, tmp_path):
        gemm_devices.require(platform)
        with begun(tmp_path, platform, env={FAULT: "nan@sample"}) as worker:
            assert worker.ask("smoke", size=8)["ok"] is True
            found = worker.ask("sample", size=8, seed=1)
        assert (found["ok"], found["max_error"]) == (False, None)


@pytest.fixture(scope="session")
def platform():
    """One driver stands for all."""
    for name in gemm_devices.PLATFORMS:
        if gemm_devices.unusable(name) is None:
            return name
    return pytest.skip("no OpenCL platform can be used")


SMALL = st.integers(-2, 9) | st.integers(1 << 15) | st.none() | st.text(max_size=2) | st.floats()
ORDERS = st.dictionaries(
    st.sampled_from(["size", "m", "n", "k", "kernel", "seed", "iterations", "alpha", "variant"]),
    SMALL | st.sampled_from(["static", "naive"]) | st.lists(SMALL, max_size=2),
    max_size=8,
)

FLAKY = """\
import json
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.workers.products import Product, Shape

product = Product(open_device(sys.argv[1]), families.NAIVE, Shape(8, 8, 8, 1, beta=0.5))
verdicts = [(product.run(), product.verdict()["ok"])[1] for _ in range(2)]
run = product.gemm.run

def flaky(operands, alpha, beta):
    timing = run(operands, alpha, beta)
    operands.result()[3, 3] *= 1.001
    return timing

product.gemm.run = flaky
product.run()
verdicts.append(product.verdict()["ok"])
product.gemm.run = run
product.run()
verdicts.append(product.verdict()["ok"])
print(json.dumps(verdicts))
"""

IDLE = """\
import json
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.workers import sessions
from pytest_cockpit_gates.gemm.workers.products import Product, Shape

verdicts, device = [], open_device(sys.argv[1])
for guard, beta in ((False, 0.0), (False, 0.5), (True, 0.0)):
    product = Product(device, families.NAIVE, Shape(8, 8, 8, 1, beta=beta))
    run, runs = product.gemm.run, []
    first = run(product.operands)

    def idle(*given):
        runs.append(given)
        return run(*given) if len(runs) == 1 else first

    product.gemm.run = idle
    session = sessions.Session(device, product, 2)
    found = sessions.guarded(session, None) if guard else sessions.fixed(session)
    t5 = found["t5"] or {"detections": None, "corrections": None}
    verdicts.append([found["ok"], t5["detections"], t5["corrections"]])
print(json.dumps(verdicts))
"""


class TestOrders:
    @given(st.sampled_from(["smoke", "session", "sample", "pressure", "tune"]), ORDERS)
    @settings(max_examples=150, deadline=None)
    def test_whatever_is_asked_is_done_or_refused(self, platform, op, arguments):
        worker = gemm_devices.worker(platform)
        pid = worker.pid
        with contextlib.suppress(WorkerError):
            assert worker.ask(op, **arguments)["ok"] is True
        # Only a worker that has refused lives on.
        assert worker.pid == pid

    def test_what_the_host_has_no_memory_for_is_not_begun(self, platform):
        code = (
            "import json\n"
            "from pytest_cockpit_gates.gemm.workers import machine\n"
            "from pytest_cockpit_gates.gemm.workers.ops import Operations\n"
            "machine.available_mib = lambda: 11\n"
            "operations = Operations(sys.argv[1])\n"
            "answers = [operations.answer('smoke', {'size': it}, print) for it in (8, 1000)]\n"
            "print(json.dumps(answers))\n"
        )
        done, refused = gemm_devices.script(platform, code, platform)
        assert done["result"]["ok"] is True
        assert refused["error"]["kind"] == "refused"
        assert refused["error"]["message"] == (
            "gemm: no memory for matrices of 1000 x 1000 x 1000 (34 MiB are needed, 11 MiB are"
            " free); take a smaller size"
        )

    def test_no_kernel_is_far_above_what_the_device_does_at_most(self, platform):
        worker = gemm_devices.worker(platform)
        found = worker.ask("ceilings")
        done = worker.ask("session", kernel="static", m=256, n=256, k=256, seed=1, iterations=3)
        # Both are of a machine that does other things too.
        assert found["peak_gflops"] > 0.5 * 2 * 256**3 / min(done["wall_s"]) / 1e9
        assert found["bandwidth_gbs"] > 0.1

    def test_a_driver_that_is_wrong_once_is_wrong(self, platform):
        assert gemm_devices.script(platform, FLAKY, platform) == [True, True, False, False]

    def test_a_kernel_that_writes_at_its_first_launch_only_is_wrong(self, platform):
        fixed, scaled, guarded = gemm_devices.script(platform, IDLE, platform)
        assert (fixed[0], scaled[0]) == (False, False)
        # The guard sees it, too, and puts what is right there: what it gives out is right.
        assert guarded == [True, 16, 16]
