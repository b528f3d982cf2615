"""The ratchet in real repositories: merges that keep both tightenings, slack found and taken."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GATE = """
from pytest_cockpit.api import Finding, Proof, Report, Rule, Verdict

class Gate:
    name = "NAME"
    summary = "No file has more marks than its baseline allows."
    rules = (Rule("NAME.more", "A file has more marks."),)
    settings_schema = {"type": "object", "additionalProperties": False}

    def check(self, context):
        return Report.judge("marks", checked=1)

    def proofs(self):
        return ()

    def baseline(self, context):
        entries = {
            path.relative_to(context.root).as_posix(): {
                "marks": path.read_text().count("!"), "note": path.read_text()[:1]
            }
            for path in sorted(context.root.glob("app/*.py"))
        }
        return {"entries": entries, "meta": {"commit": context.commit}} if entries else None


class Marks(Gate):
    def join(self, mine, theirs):
        keys = {*mine["entries"], *theirs["entries"]}
        entries = {}
        for key in keys:
            sides = [side["entries"][key] for side in (mine, theirs) if key in side["entries"]]
            entries[key] = {"marks": min(side["marks"] for side in sides)}
            if all(side == sides[0] for side in sides):
                entries[key] = sides[0]
        return {"entries": entries, "meta": {}}

    def bounds(self, document):
        return {key: {"marks": value["marks"]} for key, value in document["entries"].items()}


gate = CLASS()
"""

MARKS = ".cockpit/baselines/marks.json"
PLAIN = ".cockpit/baselines/plain.json"


def install(package: Path, name: str, kind: str) -> None:
    """Install one of the two gates as somebody else's distribution."""
    info = package / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[pytest_cockpit.gates]\n{name}_gate = {name}_gate:gate\n"
    )
    source = GATE.replace("NAME", name).replace("CLASS", kind)
    (package / f"{name}_gate.py").write_text(source)


@dataclass(frozen=True)
class Port:
    """A repository, with one gate that joins baselines and one that cannot."""

    sandbox: Any
    package: Path

    @property
    def env(self):
        return {"PYTHONPATH": str(self.package)}

    def pytest(self, *arguments):
        return self.sandbox.pytest(*arguments, env=self.env)

    def cockpit(self, *arguments):
        return self.run([sys.executable, "-m", "pytest_cockpit.cli", *arguments])

    def run(self, argv):
        return subprocess.run(
            argv,
            cwd=self.sandbox.root,
            env={**self.sandbox.environment(), **self.env, "GIT_EDITOR": "true"},
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments, code=0):
        done = self.run(["git", *arguments])
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def store(self, path=MARKS, message="baseline", **marks):
        """Commit a baseline with these bounds; `a` stands for app/a.py."""
        entries = {f"app/{key}.py": {"marks": value} for key, value in marks.items()}
        gate = Path(path).stem
        document = {
            "schema": "pytest-cockpit/baseline/1", "gate": gate, "entries": entries, "meta": {},
        }  # fmt: skip
        return self.sandbox.commit({path: json.dumps(document, indent=2) + "\n"}, message)

    def marks(self, path=MARKS):
        document = json.loads((self.sandbox.root / path).read_text())
        return {Path(key).stem: entry["marks"] for key, entry in document["entries"].items()}


@pytest.fixture
def port(make_sandbox, tmp_path):
    package = tmp_path / "third"
    install(package, "marks", "Marks")
    install(package, "plain", "Gate")
    sandbox = make_sandbox(
        {
            "cockpit.toml": 'gates = ["marks", "plain"]\n',
            ".gitignore": "__pycache__/\n.pytest_cache/\n",
            "app/a.py": "#!!!\n",
            "app/b.py": "#!!\n",
            "candidate/core.py": "",
        }
    )
    return Port(sandbox, package)


@pytest.fixture
def diverged(port):
    """Two branches that have both tightened, one line beside the other, and the driver."""
    port.store(a=9, b=9, c=9, gone=9)
    assert port.cockpit("install-merge-driver").returncode == 0
    port.sandbox.commit({}, "driver")
    port.git("switch", "-q", "-c", "theirs")
    port.store(a=9, b=4, c=7, gone=9, new=3, message="theirs")
    port.git("switch", "-q", "main")
    port.store(a=2, b=9, c=8, message="ours")
    return port


BOTH = {"a": 2, "b": 4, "c": 7, "new": 3}


def test_without_the_driver_git_has_a_conflict(diverged):
    diverged.git("config", "--local", "--remove-section", "merge.cockpit-baseline")
    diverged.git("merge", "-q", "theirs", code=1)


def test_a_merge_keeps_what_both_sides_tightened_and_deleted(diverged):
    diverged.git("merge", "-q", "--no-edit", "theirs")
    assert diverged.marks() == BOTH
    assert diverged.sandbox.git("status", "--porcelain") == ""


def test_the_other_way_round_gives_the_same_bytes(diverged):
    diverged.git("merge", "-q", "--no-edit", "theirs")
    merged = diverged.sandbox.git("rev-parse", f"HEAD:{MARKS}")
    diverged.git("switch", "-q", "theirs")
    diverged.git("merge", "-q", "--no-edit", "main^")
    assert diverged.sandbox.git("rev-parse", f"HEAD:{MARKS}") == merged


def test_a_rebase_keeps_both(diverged):
    diverged.git("rebase", "-q", "theirs")
    assert diverged.marks() == BOTH


def test_a_cherry_pick_keeps_both(diverged):
    diverged.git("cherry-pick", "theirs")
    assert diverged.marks() == BOTH


def test_a_baseline_that_both_branches_began_is_joined(port):
    assert port.cockpit("install-merge-driver").returncode == 0
    port.sandbox.commit({}, "driver")
    port.git("switch", "-q", "-c", "theirs")
    port.store(a=5, b=1)
    port.git("switch", "-q", "main")
    port.store(a=3, b=2)
    port.git("merge", "-q", "--no-edit", "theirs")
    assert port.marks() == {"a": 3, "b": 1}


def test_many_branches_in_any_order_end_alike(port):
    port.store(a=9, b=9, c=9)
    assert port.cockpit("install-merge-driver").returncode == 0
    port.sandbox.commit({}, "driver")
    start = port.sandbox.git("rev-parse", "HEAD")
    for name, bounds in (("x", {"a": 1}), ("y", {"b": 1}), ("z", {"a": 4, "c": 1})):
        port.git("switch", "-q", "-c", name, start)
        port.store(**{"a": 9, "b": 9, "c": 9, **bounds})
    found = set()
    for order in ("xyz", "zyx", "yxz"):
        port.git("switch", "-q", "--detach", start)
        for name in order:
            port.git("merge", "-q", "--no-edit", name)
        found.add(port.sandbox.git("rev-parse", f"HEAD:{MARKS}"))
        assert port.marks() == {"a": 1, "b": 1, "c": 1}
    assert len(found) == 1


def test_a_gate_that_cannot_join_leaves_a_conflict_with_ours_intact(port):
    port.store(PLAIN, a=9, b=9)
    assert port.cockpit("install-merge-driver").returncode == 0
    port.sandbox.commit({}, "driver")
    port.git("switch", "-q", "-c", "theirs")
    port.store(PLAIN, a=1, b=9)
    port.git("switch", "-q", "main")
    port.store(PLAIN, a=9, b=1)
    done = port.git("merge", "--no-edit", "theirs", code=1)
    assert f"{PLAIN} was not merged: plain: the gate cannot join baselines" in done.stderr
    assert port.marks(PLAIN) == {"a": 9, "b": 1}
    assert PLAIN in port.sandbox.git("diff", "--name-only", "--diff-filter=U")


def test_a_broken_side_is_a_conflict(diverged):
    diverged.git("switch", "-q", "theirs")
    diverged.sandbox.commit({MARKS: "{}\n"})
    diverged.git("switch", "-q", "main")
    done = diverged.git("merge", "--no-edit", "theirs", code=1)
    assert "(theirs)" in done.stderr
    assert diverged.marks() == {"a": 2, "b": 9, "c": 8}


def test_the_driver_imports_nothing_of_the_repository(diverged):
    trap = "open('sprung', 'w').write('!')\nraise SystemExit(3)\n"
    diverged.sandbox.commit({"pytest_cockpit/__init__.py": trap, "json.py": trap, "marks.py": trap})
    diverged.git("merge", "-q", "--no-edit", "theirs")
    assert diverged.marks() == BOTH
    assert not (diverged.sandbox.root / "sprung").exists()


def record(port):
    return json.loads((port.sandbox.root / "artifacts/session.ratchet.json").read_text())


def test_check_lists_the_slack_and_writes_nothing(port):
    port.store(a=5, b=2)
    before = port.sandbox.snapshot()
    done = port.pytest("--cockpit-ratchet=check")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 bound can be tightened" in done.stdout
    assert "  app/a.py: marks 5 → 3" in done.stdout
    assert "tighten with: pytest --cockpit-ratchet=tighten" in done.stdout
    assert port.sandbox.snapshot() == before
    verdicts = {row["name"]: row["verdict"] for row in record(port)["items"]}
    assert verdicts == {"ratchet:marks": "fail", "ratchet:plain": "unknown"}


def test_tighten_writes_what_check_listed_and_then_there_is_nothing_left(port):
    port.store(PLAIN, a=3, b=2)
    port.store(a=5, b=1)
    only = ("-k", "marks")
    done = port.pytest("--cockpit-ratchet=tighten", *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  app/a.py: marks 5 → 3" in done.stdout
    assert "1 bound measured looser and left as they were" in done.stdout
    assert port.marks() == {"a": 3, "b": 1}
    assert "commit them" in done.stdout
    once = (port.sandbox.root / MARKS).read_bytes()
    port.sandbox.commit({})
    done = port.pytest("--cockpit-ratchet=tighten", *only)
    assert done.returncode == 0
    assert "nothing to tighten" in done.stdout
    assert (port.sandbox.root / MARKS).read_bytes() == once


def test_check_is_green_when_nothing_is_loose_and_nothing_is_slack(port):
    port.store(a=3, b=2)
    done = port.pytest("--cockpit-ratchet=check", "-k", "marks")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as tight as what it measures" in done.stdout


def test_check_is_red_for_a_measurement_that_is_looser(port):
    port.store(a=3, b=1)
    done = port.pytest("--cockpit-ratchet=check", "-k", "marks")
    assert done.returncode == 1
    assert "measured looser than the baseline allows:" in done.stdout
    assert "  app/b.py: marks 1 → 2" in done.stdout
    assert "tighten with" not in done.stdout


def test_what_is_committed_is_measured_and_not_the_work_tree(port):
    port.store(a=3, b=2)
    port.sandbox.write({"app/a.py": "#\n"})
    done = port.pytest("--cockpit-ratchet=check", "-k", "marks")
    assert done.returncode == 0, done.stdout


def test_the_list_of_slack_has_an_end(port):
    port.sandbox.commit({f"app/m{number:02}.py": "#\n" for number in range(40)})
    port.store(**{f"m{number:02}": 1 for number in range(40)}, a=3, b=2)
    done = port.pytest("--cockpit-ratchet=check", "-k", "marks")
    assert "40 bounds can be tightened" in done.stdout
    assert "… and 20 more" in done.stdout


def test_no_baseline_and_no_join_are_unknown(port):
    port.store(PLAIN, a=3, b=2)
    done = port.pytest("--cockpit-ratchet=check", "-v")
    assert done.returncode == 1
    assert f"{MARKS}: no baseline; run pytest --cockpit-init" in done.stdout
    assert "plain has no join to say which bound is tighter" in done.stdout


def test_a_baseline_that_cannot_be_read_is_an_error(port):
    port.sandbox.commit({MARKS: "{}\n"})
    done = port.pytest("--cockpit-ratchet=tighten", "-k", "marks")
    assert done.returncode == 1
    assert f"{MARKS}: " in done.stdout
    assert (port.sandbox.root / MARKS).read_text() == "{}\n"


def test_a_skipped_gate_is_skipped(port):
    port.sandbox.commit({"cockpit.toml": 'gates = ["marks"]\n[gate.marks]\nskip = "no marks"\n'})
    done = port.pytest("--cockpit-ratchet=check")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


@pytest.mark.parametrize("word", ["loosen", ""])
def test_another_word_is_a_usage_error(port, word):
    assert port.pytest(f"--cockpit-ratchet={word}").returncode == 4


def test_init_tightens_an_existing_baseline_and_loosens_none(port):
    assert port.pytest("--cockpit-init", "-q").returncode == 0
    assert port.marks() == {"a": 3, "b": 2}
    plain = (port.sandbox.root / PLAIN).read_bytes()
    port.sandbox.commit({"app/a.py": "#!\n", "app/b.py": "#!!!!\n"})
    done = port.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout
    assert port.marks() == {"a": 1, "b": 2}
    assert "1 measured looser and left as they were: app/b.py" in done.stdout
    assert (port.sandbox.root / PLAIN).read_bytes() == plain
    assert f"{PLAIN} exists and was left alone" in done.stdout
    (port.sandbox.root / MARKS).unlink()
    assert port.pytest("--cockpit-init", "-q").returncode == 0
    assert port.marks() == {"a": 1, "b": 4}


def test_only_one_session_at_a_time(port):
    port.store(a=3, b=2)
    (port.sandbox.root / ".git/cockpit").mkdir()
    hold = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(port.sandbox.root / ".git/cockpit/session.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert port.pytest("--cockpit-ratchet=check").returncode == 4
    finally:
        holder.communicate("")
