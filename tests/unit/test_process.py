"""Real children: what they see, how they end, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the signal is Linux's")


def python(code, tmp_path, **options):
    return process.run([sys.executable, "-c", code], cwd=tmp_path, **options)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    try:
        # A zombie that nobody has waited for yet is dead.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_output_exit_code_and_times(tmp_path):
    code = "import sys; sys.stdout.write('out'); sys.stderr.write('err'); sum(range(2_000_000))\n"
    done = python(code + "sys.exit(3)", tmp_path)
    assert (done.returncode, done.stdout, done.stderr, done.timed_out) == (3, b"out", b"err", False)
    assert done.argv[0] == sys.executable
    assert 0 < done.cpu_s < 60
    assert 0 < done.wall_s < 60


def test_death_by_signal_is_a_negative_exit_code(tmp_path):
    assert python("import os; os.kill(os.getpid(), 9)", tmp_path).returncode == -signal.SIGKILL


def test_the_folder_is_the_childs(tmp_path):
    done = python("import os; print(os.getcwd())", tmp_path)
    assert done.stdout.decode().strip() == os.path.realpath(tmp_path)


def test_input_larger_than_any_pipe_comes_back(tmp_path):
    content = os.urandom(3_000_000)
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert python(code, tmp_path, input=content).stdout == content


def test_input_nobody_reads_is_no_error(tmp_path):
    done = python("import sys; sys.exit(4)", tmp_path, input=b"x" * 1_000_000)
    assert done.returncode == 4


def test_input_of_a_program_that_never_reads_it_and_hangs(tmp_path):
    done = python("import time; time.sleep(60)", tmp_path, input=b"x" * 1_000_000, timeout=0.4)
    assert done.timed_out


def test_without_input_there_is_nothing_to_read(tmp_path):
    assert python("import sys; print(sys.stdin.read() == '')", tmp_path).stdout == b"True\n"


def test_output_into_a_file(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        done = python("print('kept')", tmp_path, stdout=log)
    assert done.stdout == b""
    assert (tmp_path / "log").read_bytes() == b"kept\n"


def test_arguments_reach_the_child_as_they_are(tmp_path):
    odd = [" lead and trail ", "$(date)", "a'b\"c", "two\nlines", "Λ", os.fsdecode(b"\xff\xfe"), ""]
    code = "import os, sys; print(*[os.fsencode(a).hex() for a in sys.argv[1:]], sep=',')"
    done = process.run([sys.executable, "-c", code, *odd], cwd=tmp_path)
    assert done.stdout.decode().strip() == ",".join(os.fsencode(part).hex() for part in odd)


@pytest.mark.parametrize(
    ("argv", "folder"), [(["no-such-program"], "."), (["true"], "no-such-folder"), (["."], ".")]
)
def test_what_cannot_be_run_is_one_line(tmp_path, argv, folder):
    with pytest.raises(CockpitError, match="cannot be run or entered") as caught:
        process.run(argv, cwd=tmp_path / folder)
    assert "\n" not in str(caught.value)


def test_a_hanging_program_is_killed_with_its_grandchildren(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    done = python(code, tmp_path, timeout=1.0)
    assert done.timed_out
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))
    assert done.wall_s < 20


def test_a_program_deaf_to_polite_signals_is_killed(tmp_path):
    code = (
        "import signal, time\n"
        "for n in (signal.SIGTERM, signal.SIGINT): signal.signal(n, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)\n"
    )
    done = python(code, tmp_path, timeout=0.8)
    assert (done.timed_out, done.returncode) == (True, -signal.SIGKILL)


def test_a_grandchild_left_behind_with_the_pipes_does_not_outlive_the_run(tmp_path):
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\n"
    )
    done = python(code, tmp_path, timeout=50)
    assert (done.returncode, done.timed_out) == (0, False)
    assert gone(int(done.stdout))
    assert done.wall_s < 20


def test_a_grandchild_left_behind_without_the_pipes_does_not_outlive_the_run(tmp_path):
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(p.pid, flush=True)\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0
    assert gone(int(done.stdout))


def test_a_daemon_that_left_the_group_and_holds_the_pipes_is_not_waited_for(tmp_path):
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "                     start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
    )
    done = python(code, tmp_path)
    try:
        assert done.returncode == 0
        assert done.wall_s < 20
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


def test_an_interrupt_kills_the_group(tmp_path):
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        python(code + "time.sleep(60)", tmp_path)
    assert gone(int((tmp_path / "pid").read_text()))


CHILD = """
import os, sys, time
print(os.getpid(), flush=True)
time.sleep(float(sys.argv[1]))
open("finished", "w").close()
"""


def begun_by_another(tmp_path, seconds, options):
    """Start a process that runs a child; return the process and the child's id."""
    code = (
        "import pathlib, sys\n"
        "from pytest_cockpit import process\n"
        "with open('pid', 'wb') as out:\n"
        f"    process.run([sys.executable, '-c', {CHILD!r}, '{seconds}'], cwd=pathlib.Path(),\n"
        f"                stdout=out, {options})\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(process.__file__).parents[1])},
        stderr=subprocess.DEVNULL,
    )
    written = tmp_path / "pid"
    end = time.monotonic() + 20
    while not (written.exists() and written.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.01)
    return parent, int(written.read_text())


@LINUX
def test_a_child_dies_with_a_parent_that_was_killed(tmp_path):
    parent, pid = begun_by_another(tmp_path, 60, "tied=True")
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_child_that_finishes_is_not_cut_off(tmp_path, number):
    parent, pid = begun_by_another(tmp_path, 1.5, "finishes=True")
    parent.send_signal(number)
    parent.wait()
    assert gone(pid, seconds=20)
    assert (tmp_path / "finished").exists()


def test_an_untied_child_is_killed_by_an_interrupt(tmp_path):
    parent, pid = begun_by_another(tmp_path, 60, "tied=False")
    parent.send_signal(signal.SIGINT)
    parent.wait()
    assert gone(pid)


def test_runs_from_several_threads_do_not_disturb_each_other(tmp_path):
    results = {}

    def work(number):
        results[number] = python(f"print({number})", tmp_path).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: b"%d\n" % number for number in range(6)}


@pytest.mark.parametrize(
    "name",
    [
        "PYTEST_ADDOPTS",
        "PYTEST_CURRENT_TEST",
        "PYTEST_XDIST_WORKER",
        "COV_CORE_SOURCE",
        "COVERAGE_PROCESS_START",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASSWORD",
        "db_passwd",
        "GPG_PASSPHRASE",
        "COCKPIT_LEDGER_KEY",
        "OPENAI_API_KEY",
        "SOME_APIKEY",
        "CREDENTIALS_FILE",
        "SSH_PRIVATE_KEY",
    ],
)
def test_environment_drops(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "value")
    assert name not in process.environment()
    assert process.environment(keep=[name])[name] == "value"
    if not name.startswith(("PYTHON", "COV")):
        code = f"import os; print({name!r} in os.environ)"
        assert python(code, tmp_path).stdout == b"False\n"


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "PYTHONHASHSEED", "PYTHONUTF8", "GITHUB"])
def test_environment_keeps(monkeypatch, name):
    monkeypatch.setenv(name, "value")
    assert process.environment()[name] == "value"


def test_environment_adds(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "old")
    assert process.environment(extra={"PYTHONPATH": "new"})["PYTHONPATH"] == "new"


def test_a_given_environment_is_the_whole_environment(tmp_path):
    done = python("import os; print(sorted(os.environ))", tmp_path, env={"ONLY": "1"})
    assert "ONLY" in done.stdout.decode()
    assert "HOME" not in done.stdout.decode()


def test_input_larger_than_any_pipe_and_slower_than_a_look_arrives_whole(tmp_path):
    code = "import sys, time; time.sleep(0.5); print(len(sys.stdin.buffer.read()))"
    content = b"x" * (8 << 20)
    done = process.run([sys.executable, "-c", code], cwd=tmp_path, input=content, timeout=60)
    assert done.stdout == b"%d\n" % len(content)
    echo = process.run(["cat"], cwd=tmp_path, input=content, timeout=60)
    assert echo.stdout == content


LOSES = """\
import os, pathlib, signal
from pytest_cockpit import process
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    process.run(["sleep", "60"], cwd=pathlib.Path("/"))
except KeyboardInterrupt:
    print("heard")
"""


def test_ctrl_c_in_the_moment_of_a_fork_is_heard_and_the_program_ended(tmp_path):
    done = python(LOSES, tmp_path, env={**os.environ}, timeout=30)
    assert (done.stdout, done.stderr) == (b"heard\n", b"")
