"""Workers of the gate `gemm`: real processes, and all the ways they can fail."""

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


@pytest.fixture(scope="session")
def platform():
    """One driver stands for all."""
    for name in gemm_devices.PLATFORMS:
        if gemm_devices.unusable(name) is None:
            return name
    return pytest.skip("no OpenCL platform can be used")


ABORTS = """\
import runpy, sys
sys.path[1:1] = {roots!r}
from pytest_cockpit_gates.gemm.kernels.variants import Variant

LOADS = \'\'\'
kernel void gemm(int m, int n, int k, float alpha, float beta,
                 global const float *a, global const float *b, global float *c)
{{
    int j = get_global_id(0), i = get_global_id(1);
    if (i >= m || j >= n)
        return;
    float sum = 0;
    for (int p = 0; p < k; p += 4) {{
        float4 x = vload4(0, a + i * k + p);
        global const float *y = b + p * n + j;
        sum += x.x * y[0] + x.y * y[n] + x.z * y[2 * n] + x.w * y[3 * n];
    }}
    c[i * n + j] = alpha * sum;
}}
\'\'\'
Variant.text = lambda variant: LOADS
runpy.run_path({child!r}, run_name="__main__")
"""


class TestLives:
    """How workers end."""

    def test_a_driver_that_aborts_is_a_crash_with_its_last_words(self, tmp_path, monkeypatch):
        gemm_devices.require("clover")
        script = tmp_path / "aborts.py"
        script.write_text(ABORTS.format(roots=gemm_devices.ROOTS, child=str(client._CHILD)))
        monkeypatch.setattr(client, "_CHILD", script)
        arguments = {"m": 8, "n": 8, "k": 8, "seed": 1, "iterations": 1}
        with begun(tmp_path, "clover") as worker:
            try:
                assert worker.ask("session", kernel="naive", **arguments)["ok"]
            except WorkerError as error:
                died = error
            else:
                pytest.skip("this driver can build vload4")
        assert (died.kind, died.returncode) == ("crash", -signal.SIGABRT)
        assert str(died) == "clover: the worker died of SIGABRT at session"
        assert "Assertion" in died.stderr
        assert "program_build" in died.stderr

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
            pid = worker.pid
            if fault == "hang":
                worker._timeout_s = 1.0
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
