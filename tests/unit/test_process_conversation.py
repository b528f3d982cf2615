"""Conversations with real children: what is heard of them, and that nothing of them is left."""

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
from pytest_cockpit.process import Heard

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ECHO = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)\n"
LATE = Heard(b"", "late")
ENDED = Heard(b"", "ended")


def talk(code, tmp_path, **options):
    return process.Conversation([sys.executable, "-c", code], cwd=tmp_path, **options)


def gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if sys.platform == "linux":
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                if state == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def test_each_line_is_answered(tmp_path):
    with talk(ECHO, tmp_path) as child:
        for word in (b"one", b"two", "drü".encode()):
            child.say(word)
            assert child.hear(20) == Heard(word.decode().upper().encode(), "line")
        codes = [child.returncode]
    child.close()
    assert [*codes, child.returncode] == [None, 0]


def test_an_answer_that_lies_there_is_not_late(tmp_path):
    with talk(ECHO, tmp_path) as child:
        child.say(b"one")
        time.sleep(1)
        assert child.hear(0) == Heard(b"ONE", "line")
        assert child.hear(0) == LATE


def test_answers_that_came_together_are_heard_one_by_one(tmp_path):
    with talk("print('a\\nb\\n\\nc', end='')", tmp_path) as child:
        heard = [child.hear(20) for _ in range(4)]
    # What has no line break at the end may be half of something.
    assert heard == [Heard(b"a", "line"), Heard(b"b", "line"), Heard(b"", "line"), ENDED]


def test_a_line_larger_than_any_pipe_goes_both_ways(tmp_path):
    line = b"x" * 3_000_000
    with talk(ECHO, tmp_path) as child:
        child.say(line)
        assert child.hear(60, limit=len(line)) == Heard(line.upper(), "line")


def test_silence_is_waited_for_no_longer_than_allowed(tmp_path):
    begun = time.monotonic()
    with talk("import time; time.sleep(60)", tmp_path) as child:
        assert child.hear(0.3) == LATE
        assert 0.3 <= time.monotonic() - begun < 20
        child.close(patience=0)
    assert child.returncode == -signal.SIGKILL
    assert time.monotonic() - begun < 20


def test_drops_without_a_line_break_do_not_renew_the_time(tmp_path):
    code = "import time\nwhile True: print('.', end='', flush=True); time.sleep(0.05)\n"
    with talk(code, tmp_path) as child:
        assert child.hear(0.5) == LATE
        child.close(patience=0)


def test_a_line_without_an_end_is_not_taken_in(tmp_path):
    code = "import sys\nwhile True: sys.stdout.write('#' * 65536)\n"
    with talk(code, tmp_path) as child:
        assert child.hear(30, limit=1 << 18) == Heard(b"", "long")
        child.close(patience=0)
    assert child.returncode == -signal.SIGKILL


def test_a_long_line_behind_a_short_one_spoils_only_itself(tmp_path):
    code = "print('short'); print('#' * 5000, flush=True); import time; time.sleep(60)"
    with talk(code, tmp_path) as child:
        assert child.hear(20, limit=4999) == Heard(b"short", "line")
        assert child.hear(20, limit=4999) == Heard(b"", "long")
        assert child.hear(20, limit=5000) == Heard(b"#" * 5000, "line")
        child.close(patience=0)


@pytest.mark.parametrize(
    ("code", "returncode"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV),
        ("import os; os.close(1); os.close(0); import time; time.sleep(60)", None),
    ],
)
def test_an_end_without_an_answer_is_told_with_its_code(tmp_path, code, returncode):
    with talk(code, tmp_path) as child:
        child.say(b"anybody there?")
        assert child.hear(20) == ENDED
        assert child.hear(20) == ENDED
        assert child.returncode == returncode
        child.close(patience=0)


def test_saying_something_to_who_has_ended_is_no_error(tmp_path):
    with talk("", tmp_path) as child:
        assert child.hear(20) == ENDED
        child.say(b"x" * 1_000_000)
        child.say(b"still there?")
        assert child.hear(20) == ENDED


def test_who_never_reads_does_not_make_anybody_wait(tmp_path):
    with talk("import time; time.sleep(60)", tmp_path) as child:
        child.say(b"x" * 5_000_000)
        assert child.hear(0.3) == LATE
        child.close(patience=0)


def test_an_answer_left_behind_by_the_dead_is_heard(tmp_path):
    with talk("print('last words', flush=True); import os; os.abort()", tmp_path) as child:
        child._process.wait()
        assert child.hear(20) == Heard(b"last words", "line")
        assert child.hear(20) == ENDED


def test_complaints_are_kept_without_their_middle(tmp_path):
    code = (
        "import sys\n"
        "sys.stderr.write('first' + 'x' * 2_000_000 + 'last')\n"
        "print('done', flush=True)\n"
    )
    with talk(code, tmp_path, keep=100) as child:
        assert child.hear(30) == Heard(b"done", "line")
    assert child.stderr.startswith(b"first")
    assert child.stderr.endswith(b"xlast")
    assert b"... 1999909 bytes left out ..." in child.stderr
    assert len(child.stderr) < 200


def test_last_complaints_are_kept_when_it_is_ended(tmp_path):
    code = (
        "import sys\n"
        "for line in sys.stdin: pass\n"
        "sys.stderr.write('goodbye')\n"
    )  # fmt: skip
    with talk(code, tmp_path) as child:
        pass
    assert (child.returncode, child.stderr) == (0, b"goodbye")


def test_who_does_not_end_by_itself_is_killed_with_all_of_its_group(tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with talk(code, tmp_path) as child:
        grandchild = int(child.hear(20).line)
        child.close(patience=0.1)
    assert child.returncode == -signal.SIGKILL
    assert gone(child.pid)
    assert gone(grandchild)


def test_a_grandchild_that_holds_the_pipes_hides_no_end(tmp_path):
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\n"
    )
    begun = time.monotonic()
    with talk(code, tmp_path) as child:
        grandchild = int(child.hear(20).line)
        assert child.hear(50) == ENDED
    assert gone(grandchild)
    assert time.monotonic() - begun < 20


def test_who_shouts_all_the_time_is_ended_all_the_same(tmp_path):
    code = (
        "import sys\n"
        "while True:\n"
        "    sys.stderr.write('e' * 65536); sys.stdout.write('o' * 65535 + '\\n')\n"
    )
    begun = time.monotonic()
    with talk(code, tmp_path) as child:
        assert child.hear(20).status == "line"
        child.close(patience=0.2)
    assert child.returncode == -signal.SIGKILL
    assert len(child.stderr) < 100_000
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("argv", "folder"), [(["no-such-program"], "."), (["true"], "no-such-folder")]
)
def test_what_cannot_be_run_is_one_line(tmp_path, argv, folder):
    with pytest.raises(CockpitError, match="cannot be run or entered") as caught:
        process.Conversation(argv, cwd=tmp_path / folder)
    assert "\n" not in str(caught.value)


@LINUX
def test_nothing_is_left_open(tmp_path):
    with talk(ECHO, tmp_path) as child:
        child.hear(0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for code in ("", ECHO, "import os; os.abort()", "import time; time.sleep(60)"):
        with talk(code, tmp_path) as child:
            child.say(b"word")
            child.hear(0.1)
            child.close(patience=0)
        assert not Path(f"/proc/{child.pid}").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@LINUX
def test_a_child_sees_its_three_pipes_alone(tmp_path):
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with talk("import os; print(os.listdir('/proc/self/fd'))", tmp_path) as child:
            seen = child.hear(20).line
    # The fourth is the folder that is being listed.
    assert seen == b"['0', '1', '2', '3']"


def test_an_interrupt_ends_it(tmp_path):
    child = talk("import time; time.sleep(60)", tmp_path)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), child:
        child.hear(50)
    assert time.monotonic() - begun < 20
    assert gone(child.pid)


TALKS = """\
import pathlib, sys
from pytest_cockpit import process
child = process.Conversation([sys.executable, "-c", {echo!r}], cwd=pathlib.Path())
child.say(b"word")
assert child.hear(20).line == b"WORD"
print(child.pid, flush=True)
child.hear(60)
"""


@LINUX
def test_it_dies_with_a_parent_that_was_killed(tmp_path):
    deaf = ECHO + "import time; time.sleep(60)\n"
    parent = subprocess.Popen(
        [sys.executable, "-c", TALKS.format(echo=deaf)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(process.__file__).parents[1])},
        stdout=subprocess.PIPE,
    )
    with parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert gone(pid)


INTERRUPTED = """\
import os, pathlib, signal
from pytest_cockpit import process
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    process.Conversation(["sleep", "60"], cwd=pathlib.Path("/"))
except KeyboardInterrupt:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("heard, and nobody left")
"""


def test_ctrl_c_in_the_moment_of_a_fork_is_heard_and_the_program_ended(tmp_path):
    done = process.run(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env={**os.environ}, timeout=30
    )
    assert (done.stdout, done.stderr) == (b"heard, and nobody left\n", b"")
