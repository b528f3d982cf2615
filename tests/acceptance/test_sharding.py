"""A sweep and the gates in parts: merged, they are what one machine would have made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from pytest_cockpit import cli, config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place, clock
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.registry import trends
from pytest_cockpit.sharding import sweeping
from tests.acceptance.conftest import APART, Sandbox, create
from tests.two_hosts import connected

FIXED = {"SOURCE_DATE_EPOCH": "1767225600"}
CLASH = "def test_half():\n    from {name} import code\n\n    assert code.half(4) == 2\n"


def module(name, tests=CLASH):
    return {
        f"{name}/module.manifest.json": json.dumps({"module": name}) + "\n",
        f"{name}/__init__.py": "",
        f"{name}/code.py": ("def half(n):\n    return n // 2\n\n\ndef never():\n    return 1\n"),
        f"{name}/tests/test_code.py": tests.format(name=name),
    }


FILES = {
    ".gitignore": "__pycache__/\nartifacts/\n",
    "pytest.ini": f"[pytest]\naddopts = {APART}\n",
    **module("berth"),
    **module("crane", "def test_red():\n    assert not 'always'\n"),
    **module("quay"),
}


def place(sandbox):
    repository = Repository.discover(sandbox.root)
    head = repository.resolve("HEAD")
    return Place(repository, config.load(sandbox.root), head, head, clock())


def swept(sandbox, of, *, sessions):
    """Leave the shards of a sweep in so many parts: by sessions, or by what these call."""
    for number in range(1, of + 1):
        if sessions:
            shard = f"{number}/{of}"
            done = sandbox.pytest("--cockpit-sweep", "--cockpit-shard", shard, env=FIXED)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f".json: part {number} of {of}: " in done.stdout
            assert f"; {number} left to other parts" in done.stdout
            continue
        result = sweeping.run(place(sandbox), (number, of))
        for name, (document, schema) in result.artifacts.items():
            artifacts.write(sandbox.root / "artifacts" / name, document, schema)


def merged(sandbox, monkeypatch, capsys, *arguments):
    monkeypatch.chdir(sandbox.root)
    code = cli.main(["shard", "merge", *(arguments or ["artifacts/shards"])])
    said = capsys.readouterr()
    return code, said.out + said.err


def written(sandbox):
    """All that a sweep leaves, but for what says when and by whom it was done."""
    told = sandbox.git("status", "--porcelain", "-uall", "--no-renames").splitlines()
    paths = [line.lstrip().partition(" ")[2] for line in told]
    paths.append("artifacts/sweep.measured.json")
    return {path: (sandbox.root / path).read_bytes() for path in paths}


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    """Three modules, one of them red; to be copied, not used."""
    return create(tmp_path_factory.mktemp("yard") / "repo", FILES)


@pytest.fixture
def copies(yard, tmp_path):
    def make(name):
        shutil.copytree(yard.root, tmp_path / name, symlinks=True)
        return Sandbox(tmp_path / name)

    return make


def test_one_two_and_sixteen_parts_leave_the_same_bytes(copies, monkeypatch, capsys):
    for name, value in FIXED.items():
        monkeypatch.setenv(name, value)
    one = copies("one")
    done = one.pytest("--cockpit-sweep", "-q", env=FIXED)
    assert done.returncode == 1, done.stdout + done.stderr
    expected = written(one)
    rows = ledger.rows(expected[".cockpit/promotions.ndjson"])
    assert [row["module"] for row in rows if row["kind"] == "coverage"] == [
        "berth",
        "crane",
        "quay",
    ]
    assert trends.coverage(rows).count(b"\n") == 4
    for of in (2, 16):
        parts = copies(f"parts{of}")
        swept(parts, of, sessions=of == 2)
        assert parts.git("status", "--porcelain") == ""
        assert len(list((parts.root / "artifacts/shards").iterdir())) == of
        code, said = merged(parts, monkeypatch, capsys)
        assert code == 1, said
        assert "sweep: fail: 3 modules: 2 passed, 1 failed" in said
        assert {"berth", "crane", "quay"} <= {line.partition(" ")[0] for line in said.splitlines()}
        assert written(parts) == expected
    _a_lost_part_is_done_again_alone(parts, monkeypatch, capsys, expected)


def _a_lost_part_is_done_again_alone(parts, monkeypatch, capsys, expected):
    parts.git("reset", "-q", "--hard")
    shutil.rmtree(parts.root / ".cockpit")
    shards = sorted((parts.root / "artifacts/shards").iterdir())
    first = next(path for path in shards if json.loads(path.read_bytes())["part"] == 1)
    content = first.read_bytes()
    other = first.rename(first.with_name("first.json"))
    code, said = merged(parts, monkeypatch, capsys)
    assert code == 1
    assert "first.json: passed over, its name is not its digest" in said
    other.unlink()
    assert "part 1 of 16 is missing (1 of 3 are in it): " in said
    assert "pytest --cockpit-sweep --cockpit-shard 1/16" in said
    assert parts.git("status", "--porcelain") == ""
    first.write_bytes(content)
    # Once more under another folder: the same digest is the same part.
    shutil.copytree(first.parent, parts.root / "artifacts/again")
    code, said = merged(
        parts, monkeypatch, capsys, "artifacts/shards", "artifacts/again", "--durations"
    )
    assert code == 1, said
    kept = json.loads((parts.root / ".cockpit/durations.json").read_bytes())
    assert artifacts.validate(kept, "durations") == []
    assert set(kept["seconds"]["sweep"]) == {"berth", "crane", "quay"}
    (parts.root / ".cockpit/durations.json").unlink()
    assert written(parts) == expected
    parts.commit({})
    code, said = merged(parts, monkeypatch, capsys)
    assert code == 2
    assert "is checked out" in said


def test_modules_without_tests_make_no_merge_red(make_repository, monkeypatch, capsys):
    made = make_repository({"a/module.manifest.json": "{}\n", ".gitignore": "artifacts/\n"})
    made.git("reset", "-q", "--hard")
    swept(made, 1, sessions=False)
    code, said = merged(made, monkeypatch, capsys)
    assert (code, "sweep: skip: 1 module: 1 no-tests" in said) == (0, True), said


@pytest.fixture
def pair(quick):
    """A repository with two gates."""
    settings = (quick.root / "cockpit.toml").read_text()
    quick.commit({"cockpit.toml": settings.replace('"ledger"', '"ledger", "guard"')})
    return quick


def test_gates_in_parts_have_one_report(pair, monkeypatch, capsys):
    sandbox = pair
    for number in (1, 3):
        more = ("-n", "2") if number == 1 else ()
        done = sandbox.pytest("-m", "gate", "--cockpit-shard", f"{number}/3", *more)
        assert done.returncode == 0, done.stdout + done.stderr
        said = "guard; 1 left" if number == 1 else "nothing: there are fewer units"
        assert f"part {number} of 3: {said}" in done.stdout
    code, said = merged(sandbox, monkeypatch, capsys)
    assert code == 1
    assert "gate:ledger: unknown: part 2 of 3 is missing" in said
    assert "pytest -m gate --cockpit-shard 2/3" in said
    report = json.loads((sandbox.root / "artifacts/gates.json").read_bytes())
    assert report["verdict"] == "unknown"
    assert sandbox.pytest("-m", "gate", "--cockpit-shard", "2/3").returncode == 0
    code, said = merged(sandbox, monkeypatch, capsys, "artifacts/shards", "--durations")
    assert code == 0, said
    report = json.loads((sandbox.root / "artifacts/gates.json").read_bytes())
    assert [(row["gate"], row["verdict"]) for row in report["gates"]] == [
        ("guard", "pass"),
        ("ledger", "pass"),
    ]
    for gate in ("guard", "ledger"):
        path = sandbox.root / f"artifacts/gates/{gate}.json"
        assert artifacts.read(path, "gate-report")["verdict"] == "pass"
    durations = sandbox.root / ".cockpit/durations.json"
    assert set(json.loads(durations.read_bytes())["seconds"]["gates"]) == {"guard", "ledger"}
    sandbox.write({"app.py": "changed = 1\n"})
    code, said = merged(sandbox, monkeypatch, capsys)
    assert code == 2
    assert "the tracked files here are" in said
    sandbox.git("checkout", "-q", "app.py")
    code, said = merged(sandbox, monkeypatch, capsys, "artifacts/shards", "--set", "batch.size=3")
    assert code == 2
    assert "the configuration is not that of the shards" in said


def test_a_part_whose_gates_did_not_all_run_leaves_no_shard(pair):
    sandbox = pair
    done = sandbox.pytest("-m", "gate", "--cockpit-shard", "1/1", "-k", "guard")
    assert "no shard was left: ledger did not run" in done.stdout
    assert not (sandbox.root / "artifacts/shards").exists()
    done = sandbox.pytest("--cockpit-shard", "1/2")
    assert done.returncode == 4
    assert "--cockpit-shard: needs -m gate" in done.stderr


def test_a_sweep_over_two_hosts_is_that_of_one(copies, tmp_path):
    with connected(tmp_path) as hosts:
        notes = tmp_path / "notes"
        notes.mkdir()
        sandbox = copies("hosts")
        where = (
            "import os, pathlib\n\n\ndef test_where():\n"
            f"    place = pathlib.Path({str(notes)!r}, os.readlink('/proc/self/ns/net'))\n"
            "    place.write_text('')\n"
            "    from {name} import code\n\n    assert code.half(4) == 2\n"
        )
        for number in range(4):
            sandbox.write(module(f"pier{number}", where))
        sandbox.commit({})
        far = f"{hosts.spec}//chdir={tmp_path}/far"
        argv = sandbox.argv("--cockpit-sweep", "--tx", "popen", "--tx", far, "--dist", "load")
        done = subprocess.run(
            [*hosts.near, *argv],
            cwd=sandbox.root,
            env={**sandbox.environment(), **FIXED, "LANG": os.environ.get("LANG", "C.UTF-8")},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "4 module" not in done.stderr, done.stdout + done.stderr
        rows = artifacts.read(sandbox.root / "artifacts/sweep.measured.json")["modules"]
        figures = {row["module"]: (row["state"], row["files"], row["apart"]) for row in rows}
        half = {"statements": "1-2 5-6", "executed": "1-2 5"}
        for number in range(4):
            name = f"pier{number}"
            state, files, apart = figures[name]
            assert (state, apart) == ("passed", "")
            assert files[f"{name}/code.py"] == half
        assert len(list(notes.iterdir())) == 2
