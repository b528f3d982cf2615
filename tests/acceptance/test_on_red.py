"""Sessions that end red, and what they leave: a patch plan that holds, and one comment."""

from __future__ import annotations

import json

import pytest

from pytest_cockpit.records.artifacts import validate
from tests.forge_server import TOKEN

UNDECLARED = "import pluggy\nfrom candidate.core.tide import height\n\n\ndef level(hour):\n    return height(hour) + 1\n"
BUOYS = 'from pathlib import Path\n\nN = int(Path(__file__).with_name("buoys.txt").read_text())\n'
PROUD = 'assert __name__.startswith("candidate."), "at home"\n\n\ndef go():\n    return 1\n'


def told(sandbox):
    data = json.loads((sandbox.root / "artifacts/on_red.json").read_text())
    assert validate(data, "on_red") == []
    return data


def recorded(sandbox, mode):
    return json.loads((sandbox.root / f"artifacts/session.{mode}.json").read_text())


def output(done):
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n2",), ("-p", "no:terminal")])
def test_a_red_gate_leaves_a_patch_that_makes_it_green(ready, workers):
    ready.commit({"app/main.py": UNDECLARED})
    done = ready.pytest("-m", "import_health", *workers)
    assert done.returncode == 1, output(done)
    data = told(ready)
    assert (data["mode"], data["verdict"], data["batch_id"]) == ("gates", "fail", None)
    (gate,) = data["gates"]
    assert gate["gate"] == "imports"
    assert gate["artifact"] == "artifacts/gates/imports.json"
    (action,) = data["actions"]
    assert action["detail"] == "declare pluggy"
    index = int(action["because"][0].removeprefix("imports#"))
    report = json.loads((ready.root / gate["artifact"]).read_text())
    assert report["findings"][index]["rule"] == "imports.undeclared-dependency"
    assert data["patch"] == "artifacts/on_red.diff"
    assert (ready.root / data["patch"]).read_text() == action["diff"]
    page = (ready.root / "artifacts/on_red.md").read_text()
    assert action["diff"].splitlines()[0] in page
    assert "\ngit apply artifacts/on_red.diff\n" in page
    if "no:terminal" not in workers:
        assert done.stdout.splitlines()[-1] == "cockpit: what to do: artifacts/on_red.md"
    ready.git("apply", data["patch"])
    done = ready.pytest("-m", "import_health", *workers)
    assert done.returncode == 0, output(done)
    assert not (ready.root / "artifacts/on_red.json").exists()
    assert not (ready.root / "artifacts/on_red.md").exists()
    assert not (ready.root / "artifacts/on_red.diff").exists()
    assert "what to do" not in done.stdout


def test_the_session_vouches_for_what_it_wrote(ready):
    ready.commit({"app/main.py": UNDECLARED})
    assert ready.pytest("-m", "import_health").returncode == 1
    kept = {row["path"] for row in recorded(ready, "gates")["artifacts"]}
    assert {f"artifacts/on_red.{kind}" for kind in ("json", "md", "diff")} <= kept


def test_a_red_batch_names_the_moved_file_that_the_test_imports(ready):
    ready.commit(
        {
            "candidate/proud.py": PROUD,
            "tests/test_proud.py": "import candidate.proud\n\n\ndef test_go():\n    assert candidate.proud.go()\n",
        }
    )
    before = ready.snapshot()
    done = ready.pytest(
        "--cockpit-batch", "--cockpit-set", "gates=['matriz', 'coverage']", "--cockpit-dry-run"
    )
    assert done.returncode == 1, output(done)
    assert ready.snapshot() == before
    data = told(ready)
    assert data["mode"] == "batch"
    assert data["batch_id"]
    assert data["base"] == ready.git("rev-parse", "HEAD")
    actions = {row["action"]: row for row in data["actions"]}
    assert actions["mend"]["file"] == "candidate/proud.py"
    assert "tests/test_proud.py" in actions["mend"]["detail"]


def test_no_artifact_of_a_batch_says_where_it_was_judged(ready, tmp_path):
    ready.commit(
        {
            "candidate/buoys.txt": "3",
            "candidate/buoys.py": BUOYS,
            "tests/test_buoys.py": "import candidate.buoys\n\n\ndef test_n():\n    assert candidate.buoys.N == 3\n",
        }
    )
    assert ready.pytest("--cockpit-init", "-q").returncode == 0
    ready.commit({}, "baselines")
    # The repository and the private tree both lie in the home.
    env = {"HOME": str(tmp_path), "COCKPIT_CACHE": ""}
    done = ready.pytest("--cockpit-batch", env=env)
    assert done.returncode == 1, output(done)
    copied = next(row for row in told(ready)["actions"] if row["action"] == "bring-along")
    assert copied["file"] == "buoys.txt"
    written = [path for path in (ready.root / "artifacts").rglob("*") if path.is_file()]
    text = "".join(path.read_text() for path in written)
    assert "No such file or directory: 'buoys.txt'" in text
    assert [path.name for path in written if str(tmp_path) in path.read_text()] == []


def test_a_red_batch_at_its_imports_leads_to_the_line_in_the_lane(ready):
    ready.commit({"candidate/proud.py": PROUD})
    # What an earlier session left.
    (ready.root / "artifacts").mkdir(exist_ok=True)
    (ready.root / "artifacts/on_red.diff").write_text("old\n")
    done = ready.pytest(
        "--cockpit-batch", "--cockpit-set", "gates=['matriz', 'imports']", "--cockpit-dry-run"
    )
    assert done.returncode == 1, output(done)
    data = told(ready)
    (action,) = data["actions"]
    assert data["patch"] is None
    assert not (ready.root / "artifacts/on_red.diff").exists()
    assert (action["file"], action["line"]) == ("candidate/proud.py", 1)
    assert action["detail"] == "let its import not raise AssertionError: at home"


def test_a_batch_whose_rest_is_green_still_tells_of_the_whole(ready):
    ready.commit({"candidate/proud.py": PROUD})
    only = ("--cockpit-set", "gates=['matriz', 'imports']", "--cockpit-dry-run")
    done = ready.pytest("--cockpit-batch", "--cockpit-on-red=isolate", *only)
    assert done.returncode == 1, output(done)
    data = told(ready)
    assert [gate["gate"] for gate in data["gates"]] == ["imports"]
    assert [row["file"] for row in data["actions"]] == ["candidate/proud.py"]


def test_a_deleted_shim_is_written_again(ready):
    assert ready.pytest("--cockpit-batch", "--cockpit-modules", "ring").returncode == 0
    assert (ready.root / "ring/left.py").is_file()
    ready.git("rm", "-q", "candidate/ring/left.py")
    ready.commit(
        {
            "tests/test_old.py": "from candidate.ring.left import go\n\n\ndef test_go():\n    assert go(0) == 0\n"
        }
    )
    done = ready.pytest("-m", "coverage_ratchet")
    assert done.returncode == 1, output(done)
    action = next(row for row in told(ready)["actions"] if row["action"] == "add-shim")
    assert action["file"] == "candidate/ring/left.py"
    (ready.root / "plan.diff").write_text(action["diff"])
    ready.git("apply", "plan.diff")
    (ready.root / "plan.diff").unlink()
    done = ready.pytest("-m", "coverage_ratchet")
    assert done.returncode == 0, output(done)


def test_an_unknown_gate_says_what_would_let_it_judge(ready):
    (ready.root / ".cockpit/baselines/coverage.json").unlink()
    done = ready.pytest("-m", "coverage_ratchet")
    assert done.returncode == 1, output(done)
    data = told(ready)
    assert data["verdict"] == "unknown"
    assert data["actions"][0]["command"] == "pytest --cockpit-init"


def test_a_green_session_of_another_mode_removes_nothing(ready):
    ready.commit({"candidate/proud.py": PROUD})
    arguments = (
        "--cockpit-batch",
        "--cockpit-set",
        "gates=['matriz', 'imports']",
        "--cockpit-dry-run",
    )
    assert ready.pytest(*arguments).returncode == 1
    assert ready.pytest("-m", "ledger_consistency").returncode == 0
    assert told(ready)["mode"] == "batch"


def test_looking_at_a_plan_leaves_nothing(ready):
    ready.commit({"app/main.py": UNDECLARED})
    assert ready.pytest("-m", "gate", "--co", "-q").returncode == 0
    assert ready.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    assert not (ready.root / "artifacts/on_red.json").exists()


def test_a_red_burst_says_so_of_the_batch_that_halted_it(fleet):
    fleet.commit({"candidate/deck/m0.py": PROUD + "\n\ndef f():\n    return 0\n"})
    done = fleet.pytest(
        "--cockpit-burst",
        "--cockpit-target",
        "6",
        "--cockpit-batch-size",
        "2",
        "--cockpit-set",
        "gates=['matriz', 'imports']",
        "--cockpit-dry-run",
    )
    assert done.returncode == 1, output(done)
    data = told(fleet)
    assert data["mode"] == "burst"
    assert [gate["gate"] for gate in data["gates"]] == ["imports"]
    assert [row["file"] for row in data["actions"]] == ["candidate/deck/m0.py"]


def test_a_disk_that_takes_no_page_changes_no_verdict(ready):
    ready.commit({"app/main.py": UNDECLARED})
    (ready.root / "artifacts/on_red.json").mkdir()
    done = ready.pytest("-m", "import_health")
    assert done.returncode == 1, output(done)
    assert "cockpit: on_red.json was not written: " in done.stdout
    assert recorded(ready, "gates")["exit_status"] == 1


# ---------------------------------------------------------------- the comment


@pytest.fixture
def port(ready, forge):
    """A repository whose pull request is under test in a pipeline."""
    text = (ready.root / "pyproject.toml").read_text()
    table = forge.table().replace("[forge]", "[tool.cockpit.forge]")
    ready.commit({"pyproject.toml": text + table})
    forge.state.heads |= {"feature": "0" * 40, "main": "1" * 40}
    return ready


def pipeline(forge, **more):
    number = forge.state.add_pull("feature", "main")
    return {
        "CI": "true",
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REF": f"refs/pull/{number}/merge",
        **more,
    }, number


def gates(sandbox, env, *arguments):
    return sandbox.pytest(
        "-m", "gate", "--cockpit-set", "gates=['matriz', 'imports']", *arguments, env=env
    )


def test_one_comment_is_kept_up_to_date_until_the_gates_are_open(port, forge):
    env, number = pipeline(forge)
    assert gates(port, env).returncode == 0
    assert forge.state.comments_on(number) == []
    start = port.git("rev-parse", "HEAD")
    port.commit({"app/main.py": UNDECLARED})
    done = gates(port, env)
    assert done.returncode == 1, output(done)
    (comment,) = forge.state.comments_on(number)
    assert "is red: imports" in comment["body"]
    assert "declare pluggy" in comment["body"]
    assert "cockpit: told: " in done.stdout
    assert gates(port, env).returncode == 1
    assert len(forge.state.comments_on(number)) == 1
    port.git("reset", "-q", "--hard", start)
    assert gates(port, env).returncode == 0
    (comment,) = forge.state.comments_on(number)
    assert "is green again" in comment["body"]
    assert "declare pluggy" not in comment["body"]


def test_a_part_of_the_gates_makes_nothing_green(port, forge):
    env, number = pipeline(forge)
    port.commit({"app/main.py": UNDECLARED})
    both = ("--cockpit-set", "gates=['matriz', 'imports', 'ledger']")
    assert port.pytest("-m", "gate", *both, env=env).returncode == 1
    assert port.pytest("-m", "ledger_consistency", *both, env=env).returncode == 0
    (comment,) = forge.state.comments_on(number)
    assert "is red: imports" in comment["body"]


def test_nobody_hears_of_a_gate_that_is_tried_at_a_desk(port, forge):
    port.commit({"app/main.py": UNDECLARED})
    issue = ("--cockpit-set", f"forge.issue={forge.state.add_pull('feature', 'main')}")
    assert gates(port, {"GITHUB_TOKEN": TOKEN}, *issue).returncode == 1
    assert forge.asked == []


def test_a_red_batch_tells_the_issue_unless_it_only_looks(port, forge):
    number = forge.state.add_pull("feature", "main")
    text = (port.root / "pyproject.toml").read_text()
    text = text.replace("[tool.cockpit.forge]", f"[tool.cockpit.forge]\nissue = {number}")
    port.commit({"pyproject.toml": text, "candidate/proud.py": PROUD})
    env = {"GITHUB_TOKEN": TOKEN}
    for looks in ("--cockpit-dry-run", "--cockpit-skip-pr"):
        done = port.pytest("--cockpit-batch", looks, env=env)
        assert done.returncode == 1, output(done)
    assert forge.asked == []
    done = port.pytest("--cockpit-batch", env=env)
    assert done.returncode == 1, output(done)
    (comment,) = forge.state.comments_on(number)
    assert "candidate/proud.py:1" in comment["body"]


@pytest.mark.parametrize("fault", [{"status": 500, "times": 99}, {"status": 403, "times": 99}])
def test_a_forge_that_fails_changes_nothing(port, forge, fault):
    env, number = pipeline(forge)
    port.commit({"app/main.py": UNDECLARED})
    forge.fail("*", "/.*", **fault)
    done = gates(port, env)
    assert done.returncode == 1, output(done)
    assert forge.state.comments_on(number) == []
    assert "cockpit: nobody was told: " in done.stdout
    assert told(port)["gates"][0]["gate"] == "imports"


def test_no_token_is_in_what_is_written_or_said(port, forge):
    env, number = pipeline(forge)
    secret = "ghp_" + "Zz9" * 12
    port.commit({"app/main.py": UNDECLARED.replace("\n", f'\nLINK = "https://x:{secret}@h/"\n', 1)})
    port.commit({"candidate/proud.py": f'raise RuntimeError("token={secret} at {TOKEN}")\n'})
    done = port.pytest("--cockpit-batch", "--cockpit-dry-run", env=env)
    assert done.returncode == 1
    assert gates(port, env).returncode == 1
    kept = [path.read_text(errors="replace") for path in (port.root / "artifacts").rglob("on_red*")]
    said = [done.stdout, *kept, *(row["body"] for row in forge.state.comments_on(number))]
    assert not any(word in text for text in said for word in (secret, TOKEN))
