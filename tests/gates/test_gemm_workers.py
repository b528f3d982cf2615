"""Workers of the gate `gemm`: real processes on real drivers, and all the ways they can fail."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.workers import caches, client, platforms
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError
from tests import gemm_devices

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FAULT = "COCKPIT_GEMM_FAULT"
KEYS = st.sampled_from(["platform", "device", "kind", "message", "info"]) | st.text(max_size=3)
WORDS = st.sampled_from(["rusticl", "llvmpipe", "refused", "missing"]) | st.text(max_size=3)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=10,
)


@pytest.fixture
def vendors(tmp_path, monkeypatch):
    """ICD files of platforms that are asked nothing of their driver."""
    folder = tmp_path / "vendors"
    folder.mkdir()
    for known in platforms.KNOWN.values():
        (folder / f"{known.icd}.icd").write_text("libnothing.so.1\n")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(folder))
    return folder


def begun(tmp_path, platform="pocl", timeout_s=30.0, **options):
    return Worker(platform, tmp_path / "scratch", timeout_s=timeout_s, **options)


def failing(tmp_path, **options):
    """The error of a worker that cannot even describe itself."""
    with pytest.raises(WorkerError) as caught, begun(tmp_path, **options):
        pytest.fail("it has answered")
    error = caught.value
    assert "\n" not in str(error)
    assert str(error).startswith("pocl: ")
    return error


class TestPlatforms:
    def test_a_platform_that_is_there(self, vendors):
        assert [platforms.missing(name) for name in platforms.KNOWN] == [None] * 3

    @pytest.mark.parametrize(
        ("name", "file", "package"),
        [
            ("pocl", "pocl.icd", "pocl-opencl-icd"),
            ("rusticl", "rusticl.icd", "mesa-opencl-icd"),
            ("clover", "mesa.icd", "mesa-opencl-icd"),
        ],
    )
    def test_what_is_missing_is_named_with_what_installs_it(self, vendors, name, file, package):
        (vendors / file).unlink()
        why = platforms.missing(name)
        assert why is not None
        assert why.startswith(f"{name}: no {file} in {vendors}; ")
        assert f"apt-get install ocl-icd-libopencl1 {package}" in why

    def test_any_other_platform_goes_by_its_file(self, vendors):
        assert "nvidia.icd" in str(platforms.missing("nvidia"))
        (vendors / "nvidia.icd").write_text("libnvidia-opencl.so.1\n")
        assert platforms.missing("nvidia") is None

    def test_the_loader_may_have_been_told_of_one_file(self, vendors, monkeypatch, tmp_path):
        monkeypatch.setenv("OCL_ICD_VENDORS", str(vendors / "mesa.icd"))
        assert platforms.missing("clover") is None
        assert "no pocl.icd" in str(platforms.missing("pocl"))
        found = platforms.environment("clover", tmp_path)
        assert found["OCL_ICD_VENDORS"] == str(vendors / "mesa.icd")

    def test_a_folder_named_from_here_is_found_from_elsewhere(self, vendors, monkeypatch, tmp_path):
        monkeypatch.chdir(vendors.parent)
        monkeypatch.setenv("OCL_ICD_VENDORS", "vendors")
        found = platforms.environment("pocl", tmp_path)
        assert found["OCL_ICD_VENDORS"] == str(vendors / "pocl.icd")

    @pytest.mark.parametrize("name", ["", "../mesa", "a/b", ".hidden", "a\nb", "ü", "x" * 99])
    def test_what_cannot_be_a_platform_is_refused(self, name):
        with pytest.raises(CockpitError, match="is no platform; take pocl, rusticl, clover, or"):
            platforms.missing(name)

    def test_each_platform_is_seen_alone(self, vendors, tmp_path, monkeypatch):
        for name in ("RUSTICL_ENABLE", "LP_CL", "OCL_ICD_FILENAMES"):
            monkeypatch.delenv(name, raising=False)
        seen = {name: platforms.environment(name, tmp_path) for name in platforms.KNOWN}
        assert {name: Path(it["OCL_ICD_VENDORS"]).name for name, it in seen.items()} == {
            "pocl": "pocl.icd",
            "rusticl": "rusticl.icd",
            "clover": "mesa.icd",
        }
        assert seen["rusticl"]["RUSTICL_ENABLE"] == "llvmpipe"
        assert seen["clover"]["LP_CL"] == "1"
        assert "LP_CL" not in seen["pocl"]
        assert {it["OPENBLAS_NUM_THREADS"] for it in seen.values()} == {"1"}

    def test_the_driver_of_a_graphics_card_may_be_named(self, vendors, tmp_path, monkeypatch):
        monkeypatch.setenv("RUSTICL_ENABLE", "radeonsi")
        assert platforms.environment("rusticl", tmp_path)["RUSTICL_ENABLE"] == "radeonsi"

    def test_nothing_that_is_secret_or_in_the_way_reaches_a_driver(
        self, vendors, tmp_path, monkeypatch
    ):
        unwanted = ("GITHUB_TOKEN", "PYTEST_ADDOPTS", "GIT_DIR", "MESA_SHADER_CACHE_DISABLE")
        for name in (*unwanted, "OCL_ICD_FILENAMES"):
            monkeypatch.setenv(name, "1")
        assert not platforms.environment("pocl", tmp_path).keys() & {*unwanted, "OCL_ICD_FILENAMES"}


class TestCaches:
    def test_compiled_kernels_are_kept_where_the_user_alone_can_write(self, tmp_path, monkeypatch):
        monkeypatch.setenv(caches.VARIABLE, str(tmp_path / "cache"))
        found = caches.folder("mesa", tmp_path / "scratch")
        assert found == tmp_path / "cache" / "gemm" / "mesa"
        assert found.stat().st_mode & 0o777 == 0o700
        found.chmod(0o777)
        assert caches.folder("mesa", tmp_path).stat().st_mode & 0o777 == 0o700

    def test_without_the_variable_it_is_the_users_cache(self, tmp_path, monkeypatch):
        monkeypatch.delenv(caches.VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.setenv("HOME", str(tmp_path))
        found = caches.folder("pocl", tmp_path / "scratch")
        assert found.parts[-3:] == ("pytest-cockpit", "gemm", "pocl")
        assert found.is_relative_to(tmp_path)

    @pytest.mark.parametrize("what", ["file", "link", "relative"])
    def test_where_that_cannot_be_used_it_is_the_scratch_folder(self, tmp_path, monkeypatch, what):
        base = tmp_path / "cache"
        match what:
            case "file":
                base.write_text("")
            case "link":
                (base / "gemm").mkdir(parents=True)
                (tmp_path / "elsewhere").mkdir()
                (base / "gemm" / "mesa").symlink_to(tmp_path / "elsewhere")
        monkeypatch.setenv(caches.VARIABLE, "cache" if what == "relative" else str(base))
        found = caches.folder("mesa", tmp_path / "scratch")
        assert found == tmp_path / "scratch" / "caches" / "mesa"
        assert found.is_dir()


class TestFailures:
    """What befalls a worker before it has looked at any driver, so no driver is needed."""

    @pytest.mark.parametrize(
        ("fault", "kind", "returncode", "said"),
        [
            ("abort", "crash", -signal.SIGABRT, "died of SIGABRT at describe"),
            ("segfault", "crash", -signal.SIGSEGV, "died of SIGSEGV at describe"),
            ("exit:0", "crash", 0, "ended with exit code 0 at describe"),
            ("exit:7", "crash", 7, "ended with exit code 7 at describe"),
            ("silent", "garbage", -signal.SIGKILL, "closed its output at describe"),
            ("garbage", "garbage", -signal.SIGKILL, "the answer to describe is no JSON"),
            (
                "flood",
                "garbage",
                -signal.SIGKILL,
                "the answer to describe is longer than 16,777,216 bytes",
            ),
        ],
    )
    def test_each_is_told_from_the_others(self, vendors, tmp_path, fault, kind, returncode, said):
        error = failing(tmp_path, env={FAULT: f"{fault}@describe"})
        assert (error.kind, error.returncode) == (kind, returncode)
        assert said in str(error)

    @pytest.mark.parametrize("fault", ["abort", "segfault"])
    def test_what_a_crash_left_on_stderr_is_kept(self, vendors, tmp_path, fault):
        error = failing(tmp_path, env={FAULT: f"{fault}@describe"})
        assert error.stderr.startswith("Fatal Python error: ")
        assert "mishaps.py" in error.stderr
        assert not list((tmp_path / "scratch").glob("core*"))

    def test_a_worker_that_hangs_is_killed_in_time(self, vendors, tmp_path):
        begun = time.monotonic()
        error = failing(tmp_path, timeout_s=0.5, env={FAULT: "hang@describe"})
        assert (error.kind, error.returncode) == ("hang", -signal.SIGKILL)
        assert str(error) == "pocl: no answer to describe in 0.5 s"
        assert time.monotonic() - begun < 20

    def test_an_interrupt_leaves_no_worker(self, vendors, tmp_path, monkeypatch):
        seen = []

        def interrupted(conversation, timeout, limit):
            seen.append(conversation.pid)
            raise KeyboardInterrupt

        monkeypatch.setattr(process.Conversation, "hear", interrupted)
        with pytest.raises(KeyboardInterrupt), begun(tmp_path):
            pass
        with pytest.raises(ProcessLookupError):
            os.kill(seen[0], 0)

    def test_a_fault_that_there_is_not_is_refused(self, vendors, tmp_path):
        error = failing(tmp_path, env={FAULT: "explode"})
        assert error.kind == "crash"
        assert "COCKPIT_GEMM_FAULT='explode': no such fault" in error.stderr

    def test_a_platform_without_its_file_is_not_even_begun(self, vendors, tmp_path):
        (vendors / "pocl.icd").unlink()
        error = failing(tmp_path)
        assert (error.kind, error.returncode, error.stderr) == ("missing", None, "")
        assert "apt-get install" in str(error)

    def test_an_icd_file_without_its_library_is_missing_with_the_hint(self, vendors, tmp_path):
        pytest.importorskip("pyopencl", reason="pyopencl is not installed")
        error = failing(tmp_path)
        assert error.kind == "missing"
        assert "no such OpenCL platform" in str(error)
        assert "apt-get install ocl-icd-libopencl1 pocl-opencl-icd" in str(error)

    @pytest.mark.parametrize("package", ["pyopencl", "numpy"])
    def test_a_package_that_is_not_installed_is_missing_with_the_hint(self, tmp_path, package):
        code = (
            "import json, sys\n"
            f"sys.modules[{package!r}] = None\n"
            f"sys.path[1:1] = {gemm_devices.ROOTS}\n"
            "from pytest_cockpit_gates.gemm.workers.ops import Operations\n"
            "print(json.dumps(Operations('pocl').answer('describe', {}, print)))\n"
        )
        done = process.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60)
        error = json.loads(done.stdout)["error"]
        assert error["kind"] == "missing"
        assert error["message"].endswith("is not installed; add pytest-cockpit[gemm]")

    def test_what_a_driver_prints_is_no_answer(self, tmp_path):
        code = (
            "import os, runpy, sys\n"
            f"child = runpy.run_path({str(client._CHILD)!r})\n"
            "questions, answers = child['_private']()\n"
            "os.write(1, b'noise of a driver')\n"
            "answers.write(questions.readline() + sys.stdin.buffer.read()); answers.flush()\n"
        )
        done = process.run([sys.executable, "-c", code], cwd=tmp_path, input=b"question\nnext\n")
        assert (done.stdout, done.stderr) == (b"question\n", b"noise of a driver")


ANSWERS = """\
import sys
answers = open("answers", "rb").read().split(b"\\n")
for line, answer in zip(sys.stdin, answers):
    sys.stdout.buffer.write(answer + b"\\n")
    sys.stdout.flush()
"""
INFO = {"platform_name": "rusticl", "device": "llvmpipe"}
HERE = {"platform": "rusticl", "device": "llvmpipe"}
DESCRIBED: dict[str, Any] = {"info": INFO, "machine": {}, "software": {}, **HERE}


@pytest.fixture
def told(vendors, tmp_path, monkeypatch):
    """Make workers answer what a test says."""
    script = tmp_path / "told.py"
    script.write_text(ANSWERS)
    monkeypatch.setattr(client, "_CHILD", script)
    (tmp_path / "scratch").mkdir()

    def tell(*answers):
        lines = [it if isinstance(it, bytes) else json.dumps(it).encode() for it in answers]
        (tmp_path / "scratch" / "answers").write_bytes(b"\n".join(lines))
        return begun(tmp_path, "rusticl", timeout_s=20)

    return tell


class TestAnswers:
    """A real process that says what a broken one might."""

    def test_an_answer_is_what_the_operation_returned(self, told):
        result = {**HERE, "ok": True}
        with told({"id": 1, "result": DESCRIBED}, {"id": 2, "result": result}) as worker:
            assert worker.info == INFO
            assert worker.ask("smoke") == result

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"\xff\xfe",
            b'{"id": 1}',
            b'{"id": 1, "id": 1, "result": {}}',
            b'{"id": 2, "result": {}}',
            b'{"result": {}}',
            b'{"id": 1, "result": []}',
            b'{"id": 1, "result": {"x": NaN}}',
            b'{"id": 1, "result": {"x": 1e999}}',
            b'{"id": 1, "result": null}',
            b'{"id": 1, "error": "why"}',
            b'{"id": 1, "error": {"kind": "crash", "message": "x"}}',
            b'{"id": 1, "error": {"kind": "refused"}}',
            b'{"id": 1, "error": {"kind": ["refused"], "message": "x"}}',
            {"id": 1, "result": {key: DESCRIBED[key] for key in ("platform", "device")}},
            {"id": 1, "result": {**DESCRIBED, "info": []}},
            {"id": 1, "result": {**DESCRIBED, "info": {}}},
            {"id": 1, "result": {**DESCRIBED, "info": {**INFO, "device": "another"}}},
            {"id": 1, "result": {**DESCRIBED, "machine": 3}},
            b"[" * 100_000,
        ],
    )
    def test_what_is_no_answer_is_garbage(self, told, answer):
        with pytest.raises(WorkerError) as caught, told(answer):
            pytest.fail("taken for an answer")
        assert caught.value.kind == "garbage"
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "device",
        [
            {"platform": "Clover"},
            {"platform": "Portable Computing Language"},
            {"platform": ""},
            {"platform": None},
            {"platform": 3},
            {"device": ""},
            {"device": None},
        ],
    )
    def test_another_platform_than_was_asked_for_is_wrong(self, told, device):
        with (
            pytest.raises(WorkerError, match="describe ran on platform") as caught,
            told({"id": 1, "result": {**DESCRIBED, **device}}),
        ):
            pytest.fail("taken for an answer")
        assert caught.value.kind == "wrong"

    def test_another_device_than_at_first_is_wrong(self, told):
        other = {"platform": "rusticl", "device": "radeonsi"}
        with told({"id": 1, "result": DESCRIBED}, {"id": 2, "result": other}) as worker:
            with pytest.raises(WorkerError, match="smoke ran on 'radeonsi', not on") as caught:
                worker.ask("smoke")
            assert caught.value.kind == "wrong"
            with pytest.raises(WorkerError, match="the worker has ended; begin a new one"):
                worker.ask("smoke")

    def test_a_reason_ends_no_worker(self, told):
        answers = (
            {"id": 1, "result": DESCRIBED},
            {"id": 2, "error": {"kind": "refused", "message": "gemm: no memory\nat all"}},
            {"id": 3, "result": HERE},
        )
        with told(*answers) as worker:
            with pytest.raises(WorkerError, match=r"^rusticl: no memory\\nat all$") as caught:
                worker.ask("smoke")
            assert (caught.value.kind, caught.value.returncode) == ("refused", None)
            assert worker.ask("smoke")["device"] == "llvmpipe"

    def test_words_about_progress_come_first(self, told, tmp_path):
        lines = [{"id": 2, "progress": f"step\t{number}"} for number in range(3)]
        done = {"id": 2, "result": HERE}
        long = b"\n".join(json.dumps(it).encode() for it in (*lines, done))
        worker = told({"id": 1, "result": DESCRIBED}, b"@")
        script = ANSWERS.replace("answer + b", "answer.replace(b'@', open('l', 'rb').read()) + b")
        client._CHILD.write_text(script)
        (tmp_path / "scratch" / "l").write_bytes(long)
        heard: list[str] = []
        worker._say = heard.append
        with worker:
            worker.ask("tune", sizes=[8])
        assert heard == ["step\\t0", "step\\t1", "step\\t2"]

    def test_questions_are_asked_one_at_a_time(self, told):
        with told({"id": 1, "result": DESCRIBED}, {"id": 2, "result": DESCRIBED}) as worker:
            with pytest.raises(WorkerError, match="was asked nothing"):
                worker.finish()
            worker.begin("smoke")
            with pytest.raises(WorkerError, match="has not answered yet"):
                worker.begin("smoke")
            assert worker.finish() == DESCRIBED

    @given(ANY_JSON)
    @settings(max_examples=200, deadline=None)
    def test_whatever_is_answered_is_a_result_or_one_line(self, answer):
        worker = Worker("rusticl", Path(), timeout_s=1)
        worker.info = INFO
        fits = isinstance(answer, dict) and {**answer, **HERE} == answer
        with contextlib.nullcontext() if fits else pytest.raises(WorkerError) as caught:
            assert worker._result({"id": 1, "result": answer}, "smoke") == answer
        if caught is not None:
            assert caught.value.kind in {"garbage", "wrong"}
            assert "\n" not in str(caught.value)
        assert worker._reported(answer, "smoke").kind in {"garbage", "refused", "missing", "wrong"}


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

    def test_samples_are_taken_on_kept_operands(self, platform):
        worker = gemm_devices.worker(platform)
        found = [worker.ask("sample", size=size, seed=1) for size in (24, 24, 16, 8, 24)]
        assert all(it["ok"] and it["wall_s"] > 0 for it in found)
        assert found[0]["max_error"] == found[1]["max_error"] == found[4]["max_error"]

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
            ("smoke", {"size": 0}, "smoke: size is 0; it can be 1 to 32768"),
            ("smoke", {"size": 1 << 20}, "size is 1048576; it can be 1 to 32768"),
            ("smoke", {"size": "8"}, "smoke: size is 8, which is of no use there"),
            ("smoke", {"size": True}, "smoke: size is True, which is of no use there"),
            ("smoke", {"size": 2.5}, "smoke: size is 2.5"),
            ("pressure", {"size": 8}, "pressure: missing a required argument"),
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

    def test_no_memory_is_a_reason(self, platform):
        worker = gemm_devices.worker(platform)
        with pytest.raises(WorkerError, match=r"no memory for .* take a smaller size") as caught:
            worker.ask("session", kernel="static", m=32768, n=32768, k=32768, seed=1, iterations=1)
        assert caught.value.kind == "refused"

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

    def test_a_driver_that_is_wrong_once_is_wrong(self, platform):
        assert gemm_devices.script(platform, FLAKY, platform) == [True, True, False, False]


class TestLives:
    """How workers end."""

    @pytest.mark.parametrize(
        ("fault", "kind", "returncode"),
        [
            ("abort", "crash", -signal.SIGABRT),
            ("hang", "hang", -signal.SIGKILL),
            ("stranger", "wrong", None),
        ],
    )
    def test_it_may_fail_later(self, platform, tmp_path, fault, kind, returncode):
        with begun(tmp_path, platform, env={FAULT: f"{fault}@smoke"}) as worker:
            pid, worker._timeout_s = worker.pid, 1.0
            with pytest.raises(WorkerError, match=f"^{platform}: .*smoke") as caught:
                worker.ask("smoke", size=8)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
            with pytest.raises(WorkerError, match="has ended"):
                worker.ask("smoke", size=8)
        assert (caught.value.kind, caught.value.returncode) == (kind, returncode)
        assert worker.pid is None

    def test_two_workers_work_at_the_same_time(self, platform, tmp_path):
        shared = gemm_devices.worker(platform)
        with begun(tmp_path, platform) as pressing:
            pressing.begin("pressure", size=16, iterations=2, seed=1)
            assert shared.ask("smoke", size=8)["ok"]
            assert pressing.finish()["ok"]

    @LINUX
    def test_it_ends_by_itself_and_leaves_nothing_open(self, platform, tmp_path):
        gemm_devices.worker(platform)
        before = len(list(Path("/proc/self/fd").iterdir()))
        with begun(tmp_path, platform) as worker:
            child, pid = worker._child, worker.pid
        assert child.returncode == 0
        assert not Path(f"/proc/{pid}").exists()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    @LINUX
    def test_it_dies_with_a_session_that_was_killed(self, platform, tmp_path):
        code = (
            "import sys\n"
            "from pathlib import Path\n"
            "from pytest_cockpit_gates.gemm.workers.client import Worker\n"
            f"with Worker({platform!r}, Path('scratch'), timeout_s=60) as worker:\n"
            "    worker.begin('smoke')\n"
            "    print(worker.pid, flush=True)\n"
            "    worker.finish()\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(gemm_devices.ROOTS),
                FAULT: "hang@smoke",
            },
            stdout=subprocess.PIPE,
        )
        with parent:
            pid = int(parent.stdout.readline())
            parent.kill()
        end = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < end, "the worker has outlived its session"
            time.sleep(0.02)

    def test_what_was_compiled_is_kept_for_the_next_one(self, tmp_path, monkeypatch):
        gemm_devices.require("rusticl")
        monkeypatch.setenv(caches.VARIABLE, str(tmp_path / "cache"))
        with begun(tmp_path, "rusticl") as worker:
            worker.ask("smoke", size=8)
        assert [it for it in (tmp_path / "cache" / "gemm" / "mesa").rglob("*") if it.is_file()]
